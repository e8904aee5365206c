package main

import (
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/console"
)

// TestWrong: whoever reads that somebody must change something reads when it is
// looked at again too, if it is.
func TestWrong(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.Local)
	for _, tt := range []struct {
		strategy string
		again    time.Time
		want     string
	}{
		{"give-up", now.Add(time.Hour), "turn: the developer, to change the configuration; it is looked at again at 13:00:00"},
		{"give-up", time.Time{}, "turn: the developer, to change the configuration"},
		{"rotate", now.Add(time.Hour), "turn: the developer, to replace the client's secret"},
	} {
		var c console.Connection
		c.Status.Trouble = &broker.Trouble{Cause: "app-misconfigured", Title: "x", Strategy: tt.strategy, Turn: usher.FixerDeveloper, Since: now, Tries: 1}
		c.Status.RenewAt = tt.again
		lines := wrong(&c, now)
		if got := lines[len(lines)-1]; got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.strategy, got, tt.want)
		}
		if strings.Contains(strings.Join(lines, " "), "not tried again") {
			t.Errorf("%s: %q", tt.strategy, lines)
		}
	}
}
