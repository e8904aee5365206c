package report

import (
	"fmt"

	"usher"
)

// drawing is the flow as a sequence diagram: four lanes, one row a step. It is
// made of numbers; page.html.tmpl turns it into SVG. It is narrow on purpose,
// so that its words can still be read on a phone.
type drawing struct {
	Width, Height int
	Top, Bottom   int // of the lanes
	Lanes         []drawnLane
	Rows          []drawnRow
	Alternative   string // the same in words
}

type drawnLane struct {
	X    int
	Name string
}

type drawnRow struct {
	Label          string
	State          string // class: one of the usher.Flow constants
	Band           int    // upper edge of the row
	Y              int    // of the arrow
	TextX, TextY   int
	Anchor         string // text-anchor
	Line, Head     string // path and polygon
	Stop           int    // x of the browser's dot on a redirect; 0 without one
	BadgeX, BadgeY int
	Badge          string // the path inside the badge
}

const (
	drawingWidth = 430
	laneTop      = 34
	rowHeight    = 46
	firstLane    = 86
	laneGap      = 100
)

func laneX(lane int) int { return firstLane + lane*laneGap }

func draw(rows []flowRow) *drawing {
	if len(rows) == 0 {
		return nil
	}
	d := &drawing{
		Width: drawingWidth, Height: laneTop + rowHeight*len(rows) + 14,
		Top: laneTop - 4, Bottom: laneTop + rowHeight*len(rows) + 6,
		Alternative: flowAlternative(rows),
	}
	for i, name := range laneNames {
		d.Lanes = append(d.Lanes, drawnLane{laneX(i), name})
	}
	for i, row := range rows {
		d.Rows = append(d.Rows, drawRow(row, laneTop+i*rowHeight))
	}
	return d
}

func drawRow(row flowRow, top int) drawnRow {
	from, to := route(row.Step)
	r := drawnRow{
		Label: row.Name, State: row.State, Band: top,
		Y: top + 32, TextY: top + 21, Anchor: "middle",
		BadgeX: 24, BadgeY: top + rowHeight/2 + 1, Badge: badgePath(row.State),
	}
	x1, x2 := laneX(from), laneX(to)
	if from == to { // inside one lane: a small loop, its words on the free side
		back := -1
		r.Anchor = "end"
		if from == laneApp {
			back, r.Anchor = 1, "start"
		}
		r.TextX, r.TextY = x1+back*30, r.Y-2
		r.Line = fmt.Sprintf("M%d %d h%d v12 h%d", x1, r.Y-10, back*20, -back*14)
		r.Head = head(x1+back*2, r.Y+2, -back)
		return r
	}
	direction := 1
	if x2 < x1 {
		direction = -1
	}
	r.TextX = (x1 + x2) / 2
	r.Line = fmt.Sprintf("M%d %d H%d", x1, r.Y, x2-direction*7)
	r.Head = head(x2-direction, r.Y, direction)
	if redirected(row.Step) {
		r.Stop = laneX(laneBrowser)
	}
	return r
}

// head is the point of an arrow, with its tip at x.
func head(x, y, direction int) string {
	back := x - direction*9
	return fmt.Sprintf("%d,%d %d,%d %d,%d", x, y, back, y-5, back, y+5)
}

// badgePath draws the mark of a state, around the middle of its badge, so that
// it needs no font and no colour to be told.
func badgePath(state string) string {
	switch state {
	case usher.FlowPassed:
		return "M-4.5 0.5 L-1.5 3.5 L4.5 -3.5"
	case usher.FlowFailed:
		return "M-4 -4 L4 4 M4 -4 L-4 4"
	case usher.FlowNotReached:
		return "M-3.5 0 H3.5"
	}
	return "M-3 -2.5 A3 3 0 1 1 0 0.8 V1.8 M0 4.6 V5"
}
