package report

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
	Arrow
	Label          string
	State          string // class: one of the usher.Flow constants
	Band           int    // upper edge of the row
	Y              int    // of the arrow
	TextY          int
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
	for i, name := range LaneNames {
		d.Lanes = append(d.Lanes, drawnLane{laneX(i), name})
	}
	for i, row := range rows {
		d.Rows = append(d.Rows, drawRow(row, laneTop+i*rowHeight))
	}
	return d
}

func drawRow(row flowRow, top int) drawnRow {
	y := top + 32
	a := DrawArrow(row.Step, y, laneX)
	r := drawnRow{
		Arrow: a, Label: row.Name, State: row.State, Band: top, Y: y, TextY: top + 21,
		BadgeX: 24, BadgeY: top + rowHeight/2 + 1, Badge: Badge(row.State),
	}
	if a.Inside {
		r.TextY = y - 2
	}
	return r
}
