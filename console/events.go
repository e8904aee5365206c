package console

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	"usher"
	"usher/ingest"
	"usher/report"
)

// Bounds of handing in events.
const (
	maxEvents     = 10_000
	maxEventLine  = 256 << 10
	maxLinesTold  = 100
	maxLineReason = 300
)

// apiEvents takes events of usher's own doors: all of a request or none.
func (c *console) apiEvents(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	events, err := readEvents(body)
	if err != nil {
		return err
	}
	added := 0
	if len(events) > 0 {
		if added, err = c.opt.Cases.Take(r.Context(), events); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, takenBody{len(events), added})
	return nil
}

// readEvents reads one event a line and names every line that is wrong.
func readEvents(body []byte) ([]usher.Event, error) {
	var events []usher.Event
	var wrong []lineProblem
	count, number := 0, 0
	d, err := ingest.NewDecoder(ingest.KindUsher, ingest.Options{})
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(body) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(events) == maxEvents {
			return nil, refusal(usher.ErrTooLarge, fmt.Sprintf("more than %d events in one request", maxEvents), "send them in several requests")
		}
		event, err := readEvent(d, line)
		if err == nil {
			events = append(events, event)
			continue
		}
		if count++; count <= maxLinesTold {
			wrong = append(wrong, lineProblem{number, report.Line(strings.ReplaceAll(err.Error(), "\n", "; "), maxLineReason)})
		}
	}
	if count > 0 {
		told := &usher.Error{Code: usher.ErrUnreadable, Message: fmt.Sprintf("%d of %d lines are no events; none was taken", count, number), Hint: "correct the lines that are named, then send all of them again"}
		return nil, &linesError{told, wrong}
	}
	return events, nil
}

// readEvent reads a line by the decoder of usher's own doors, which takes no
// member that it does not know, and none twice.
func readEvent(d *ingest.Decoder, line []byte) (usher.Event, error) {
	if len(line) > maxEventLine {
		return usher.Event{}, fmt.Errorf("the line is longer than %d bytes", maxEventLine)
	}
	return d.Event(line)
}
