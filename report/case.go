package report

import (
	"io"
	"time"

	"usher"
)

// CaseOptions says how cases are written.
type CaseOptions struct {
	TextOptions // matters to FormatText only

	// Now is what "12 minutes ago" is counted from; zero: nothing is said of it.
	Now time.Time
	// Location is the zone in which people read times; nil is UTC. JSON is
	// always UTC.
	Location *time.Location
}

// Cases writes a list of cases in one of the formats, in the order given.
func Cases(w io.Writer, cases []usher.Case, format Format, opt CaseOptions) error { return nil }

// Case writes one case in one of the formats.
func Case(w io.Writer, c *usher.Case, format Format, opt CaseOptions) error { return nil }
