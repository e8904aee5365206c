package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Times of a stream: how often a quiet one is proven alive, and how long a
// client may take to read what it was sent.
var (
	beatEvery  = 15 * time.Second
	writeLimit = 10 * time.Second
)

// maxPending is the number of changed cases that may wait for a client.
const maxPending = 10_000

// watch tells of changed cases as server-sent events. A client that does not
// read is let go; its reconnection reads the list again, so nothing is repeated
// and Last-Event-ID needs no answer.
func (c *console) watch(w http.ResponseWriter, r *http.Request) error {
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		return refusal(CodeUnavailable, "too many watch at once", "close some, or ask for the list now and then")
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	changes := c.opt.Cases.Subscribe(ctx)
	out := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies pass it on at once
	send := func(text string) bool {
		// Not every writer has deadlines; without one a full pipe holds this stream only.
		_ = out.SetWriteDeadline(time.Now().Add(writeLimit))
		if _, err := fmt.Fprint(w, text); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send("retry: 1000\n: watching\n\n") {
		return nil
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	pending := gather(ctx, changes)
	var connections <-chan string
	if c.opt.Connections != nil {
		connections = gatherIDs(ctx, c.opt.Connections.WatchConnections(ctx))
	}
	for id := 1; ; id++ {
		select {
		case <-ctx.Done():
			return nil
		case <-c.opt.Stop:
			return nil
		case <-beat.C:
			if c.gone(r) || !send(": beat\n\n") {
				return nil
			}
		case id, ok := <-connections:
			if !ok {
				connections = nil // its page is asked for again when the stream is
				continue
			}
			data, _ := json.Marshal(connectionChange{id})
			if c.gone(r) || !send(fmt.Sprintf("event: connection\ndata: %s\n\n", data)) {
				return nil
			}
		case batch, ok := <-pending:
			if !ok {
				return nil // the engine let us go, or is over
			}
			if c.gone(r) {
				return nil
			}
			text := ""
			for _, change := range batch {
				data, _ := json.Marshal(change) // numbers and words always can
				text += fmt.Sprintf("id: %d\nevent: case\ndata: %s\n\n", id, data)
			}
			if !send(text) {
				return nil
			}
		}
	}
}

// connectionChange tells of a connection; without an id of many at once.
type connectionChange struct {
	Connection string `json:"connection,omitempty"`
}

// gatherFor is how long ids of connections are gathered before they are told.
const gatherFor = 100 * time.Millisecond

// gatherIDs tells one id, or that there are many, ten times a second at most: a
// thousand connections may be renewed at once.
func gatherIDs(ctx context.Context, ids <-chan string) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		for id := range ids {
			wait := time.After(gatherFor)
			for more := true; more; {
				select {
				case other, ok := <-ids:
					if more = ok; ok && other != id {
						id = ""
					}
				case <-wait:
					more = false
				case <-ctx.Done():
					return
				}
			}
			select {
			case out <- id:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// gone tells whether the one who watches may no longer: signed out, or the
// session or key is over. A stream that is open is no use of a session: a screen
// that nobody sits at would never be signed out.
func (c *console) gone(r *http.Request) bool {
	who, err := c.identify(r, false)
	return err != nil || who.name == ""
}

// gather takes changes as fast as they come and gives them on, one for each
// case, as fast as they are read.
func gather(ctx context.Context, changes <-chan Change) <-chan []Change {
	out := make(chan []Change)
	go func() {
		defer close(out)
		var batch []Change
		where := map[int64]int{}
		for {
			ready := out
			if len(batch) == 0 {
				ready = nil
			}
			select {
			case <-ctx.Done():
				return
			case change, ok := <-changes:
				if !ok {
					return
				}
				if i, known := where[change.ID]; known {
					batch[i] = change
					continue
				}
				if len(batch) == maxPending {
					return
				}
				where[change.ID] = len(batch)
				batch = append(batch, change)
			case ready <- batch:
				batch, where = nil, map[int64]int{}
			}
		}
	}()
	return out
}
