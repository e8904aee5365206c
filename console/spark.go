package console

import (
	"fmt"
	"time"

	"usher"
)

// spark is the tries of a case over its time, as bars.
type spark struct {
	Bars []bar
	Text string
}

type bar struct{ X, Y, Height int }

const (
	sparkBars   = 20
	sparkStep   = 6
	sparkHeight = 24
)

// drawSpark counts the tries of the timeline into equal parts of the time from
// the first to the last. A case of one moment is one bar.
func (c *console) drawSpark(found *usher.Case) *spark {
	if found.Count == 0 || found.First.IsZero() {
		return nil
	}
	length := found.Last.Sub(found.First)
	counts := make([]int, sparkBars)
	told := 0
	add := func(at time.Time, n int) {
		i := sparkBars - 1
		if length > 0 {
			i = min(sparkBars-1, max(0, int(int64(sparkBars)*int64(at.Sub(found.First)/time.Millisecond)/max(1, int64(length/time.Millisecond)))))
		}
		counts[i] += n
		told += n
	}
	for _, e := range found.Timeline {
		switch e.Kind {
		case usher.EntryFirst:
			add(e.Time, max(1, e.Count))
		case usher.EntryTries:
			add(e.Time, max(1, e.Count))
		}
	}
	if rest := found.Count - told; rest > 0 { // what the timeline has not told yet is the latest
		add(found.Last, rest)
	}
	most := 1
	for _, n := range counts {
		most = max(most, n)
	}
	s := &spark{Text: fmt.Sprintf("%s between %s and %s", count(found.Count, "try", "tries"), c.moment(found.First).Short, c.moment(found.Last).Short)}
	for i, n := range counts {
		height := 1
		if n > 0 {
			height = max(4, n*sparkHeight/most)
		}
		s.Bars = append(s.Bars, bar{i * sparkStep, sparkHeight - height, height})
	}
	return s
}
