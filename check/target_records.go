package check

import (
	"cmp"
	"time"

	"usher"
)

// RecordPlace gives the place of a record of a log, as a person finds it again:
// by its id in the log it came from, and by its time.
func RecordPlace(e *usher.Event) string {
	place := "log record " + cmp.Or(e.Original, e.UID, "without an id")
	if !e.Time.IsZero() {
		place += " of " + e.Time.UTC().Format(time.RFC3339)
	}
	return place
}
