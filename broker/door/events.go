package door

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"usher"
	"usher/oauth"
)

// Times of a stream.
var (
	beatEvery  = 15 * time.Second
	checkEvery = time.Second // whether the key still counts
	writeLimit = 10 * time.Second
)

// event is what is written of a connection.
type event struct {
	Told
	Trouble *eventTrouble `json:"trouble,omitempty"`
	Healed  *eventTrouble `json:"healed,omitempty"`
}

// eventTrouble is a trouble in what a caller may know of it.
type eventTrouble struct {
	Cause string      `json:"cause"`
	Title string      `json:"title"`
	Turn  usher.Fixer `json:"turn,omitempty"`
	Link  string      `json:"link,omitempty"` // only for operators
	Since time.Time   `json:"since,omitzero"`
	Ended time.Time   `json:"ended,omitzero"`
}

// events tells of connections as server-sent events: how each stands when the
// stream opens, then what changes.
func (d *Door) events(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		refuse(w, http.StatusMethodNotAllowed, problem{Error: oauth.ErrInvalidRequest, Description: "events are asked for with GET"}, "")
		return
	}
	who, ok := d.recognise(w, r)
	if !ok {
		return
	}
	query := r.URL.Query()
	if query.Has("access_token") {
		refuse(w, http.StatusBadRequest, problem{Error: oauth.ErrInvalidRequest, Description: "a key in a URL ends in logs: send it as \"Authorization: Bearer\", and make a new one"}, "")
		return
	}
	ids := query["connection"]
	for _, id := range ids {
		if !who.may(id) {
			refuse(w, http.StatusForbidden, problem{Error: oauth.ErrInsufficientScope, Connection: clip(id), Description: "this key is not for this connection"}, "")
			return
		}
	}
	select {
	case d.streams <- struct{}{}:
		defer func() { <-d.streams }()
	default:
		refuse(w, http.StatusServiceUnavailable, problem{Error: oauth.ErrTemporarilyUnavailable, Description: "too many listen at once"}, "10")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	d.stream(ctx, w, r, who, d.opt.Watch(ctx, ids))
}

func (d *Door) stream(ctx context.Context, w http.ResponseWriter, r *http.Request, who caller, told <-chan Told) {
	out := http.NewResponseController(w)
	h := w.Header()
	h["Content-Type"] = []string{"text/event-stream"}
	h["X-Accel-Buffering"] = []string{"no"} // proxies pass it on at once
	send := func(text []byte) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writeLimit)) // not every writer has deadlines
		if _, err := w.Write(text); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send([]byte("retry: 1000\n: listening\n\n")) {
		return
	}
	beat, check := time.NewTicker(beatEvery), time.NewTicker(checkEvery)
	defer beat.Stop()
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.opt.Stop:
			return
		case <-check.C:
			if d.gone(r) {
				return
			}
		case <-beat.C:
			if !send([]byte(": beat\n\n")) {
				return
			}
		case one, ok := <-told:
			if !ok {
				return // it did not keep up: it comes back and is told how everything stands
			}
			if !listens(&who, &one) {
				continue
			}
			if d.gone(r) || !send(text(&who, &one)) {
				return
			}
		}
	}
}

// listens tells whether a caller may know of a connection.
func listens(who *caller, t *Told) bool {
	if !who.may(t.Connection) {
		return false
	}
	return who.operator || len(t.Callers) == 0 || slices.Contains(t.Callers, who.key.Name)
}

// text writes one event.
func text(who *caller, t *Told) []byte {
	e := event{Told: *t}
	if t.Trouble != nil {
		e.Trouble = &eventTrouble{Cause: t.Trouble.Cause, Title: t.Trouble.Title, Turn: t.Trouble.Turn, Since: t.Trouble.Since}
		if who.operator {
			e.Trouble.Link = t.Trouble.Link
		}
	}
	if t.Healed != nil {
		e.Healed = &eventTrouble{Cause: t.Healed.Cause, Title: t.Healed.Title, Since: t.Healed.Since, Ended: t.Healed.Ended}
	}
	data, _ := json.Marshal(e) // words, numbers and times always can
	return slices.Concat([]byte("event: connection\ndata: "), data, []byte("\n\n"))
}

// gone tells whether the key of who listens is over.
func (d *Door) gone(r *http.Request) bool {
	if d.opt.Trusted != nil && d.opt.Trusted(r.Context()) {
		return false
	}
	value, ok := bearer(r.Header.Get("Authorization"))
	if !ok {
		return true
	}
	_, err := d.keys.find(r.Context(), value, d.opt.Now(), d.opt.Key, nil)
	return errors.Is(err, ErrNotFound)
}
