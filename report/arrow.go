package report

import (
	"fmt"

	"usher"
)

// The lanes of a drawn flow, from left to right.
const (
	LaneApp = iota
	LaneBrowser
	LaneProvider
	LaneAPI
)

// LaneNames are the words over the lanes.
var LaneNames = [...]string{"App", "Browser", "Provider", "API"}

// lanesOf gives the lanes between which a step goes. A step whose ends are one
// lane happens inside it.
func lanesOf(s usher.Step) (from, to int) {
	switch s {
	case usher.StepAuthRequest, usher.StepRegistration, usher.StepDiscovery, usher.StepTokenRequest, usher.StepRefresh:
		return LaneApp, LaneProvider
	case usher.StepSignIn, usher.StepConsent, usher.StepSignOut:
		return LaneBrowser, LaneProvider
	case usher.StepAuthResponse:
		return LaneProvider, LaneApp
	case usher.StepValidation:
		return LaneAPI, LaneAPI
	case usher.StepAPICall:
		return LaneApp, LaneAPI
	}
	return LaneApp, LaneApp
}

// Arrow is one step of a flow as SVG: numbers and paths, no words.
type Arrow struct {
	Line   string // d of a path
	Head   string // points of a polygon
	TextX  int    // of the step's name
	Anchor string // text-anchor of the step's name
	Stop   int    // x of the browser's dot on a redirect; 0 without one
	Inside bool   // it happens inside one lane: the name stands beside it, not over it
}

// DrawArrow draws a step at a height; laneX gives the x of a lane.
func DrawArrow(s usher.Step, y int, laneX func(lane int) int) Arrow {
	from, to := lanesOf(s)
	x1, x2 := laneX(from), laneX(to)
	if from == to { // a small loop, its words on the free side
		back, anchor := -1, "end"
		if from == LaneApp {
			back, anchor = 1, "start"
		}
		return Arrow{
			Line: fmt.Sprintf("M%d %d h%d v12 h%d", x1, y-10, back*20, -back*14), Head: head(x1+back*2, y+2, -back),
			TextX: x1 + back*30, Anchor: anchor, Inside: true,
		}
	}
	direction := 1
	if x2 < x1 {
		direction = -1
	}
	a := Arrow{
		Line: fmt.Sprintf("M%d %d H%d", x1, y, x2-direction*7), Head: head(x2-direction, y, direction),
		TextX: (x1 + x2) / 2, Anchor: "middle",
	}
	if s == usher.StepAuthRequest || s == usher.StepAuthResponse {
		a.Stop = laneX(LaneBrowser)
	}
	return a
}

// head is the point of an arrow, with its tip at x.
func head(x, y, direction int) string {
	back := x - direction*9
	return fmt.Sprintf("%d,%d %d,%d %d,%d", x, y, back, y-5, back, y+5)
}

// Badge gives the path of the mark of a state, one of the usher.Flow constants,
// around the middle of its badge, so that it needs no font and no colour to be
// told.
func Badge(state string) string {
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
