package check_test

import (
	"testing"
	"time"

	"usher"
	"usher/check"
)

func TestRecordPlace(t *testing.T) {
	when := time.Date(2026, 11, 25, 12, 0, 0, 0, time.FixedZone("", 3600))
	for _, r := range []struct {
		event usher.Event
		want  string
	}{
		{usher.Event{UID: "u", Original: "o", Time: when}, "log record o of 2026-11-25T11:00:00Z"},
		{usher.Event{UID: "u"}, "log record u"},
		{usher.Event{Time: when}, "log record without an id of 2026-11-25T11:00:00Z"},
	} {
		if got := check.RecordPlace(&r.event); got != r.want {
			t.Errorf("%q, want %q", got, r.want)
		}
	}
}
