package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// Change is what the server tells of a connection.
type Change struct {
	Connection string    `json:"connection"`
	Generation int64     `json:"generation"`
	State      string    `json:"state"` // new, alive, failing, waiting, stopped
	Expires    time.Time `json:"expires"`
	Removed    bool      `json:"removed"`
	Trouble    *Trouble  `json:"trouble"` // what is wrong; nil: nothing
	Healed     *Trouble  `json:"healed"`  // the last trouble that went away
}

// Trouble is what is wrong with a connection.
type Trouble struct {
	Cause string    `json:"cause"` // label of usher's taxonomy
	Title string    `json:"title"`
	Turn  string    `json:"turn"`
	Link  string    `json:"link"`
	Since time.Time `json:"since"`
	Ended time.Time `json:"ended"`
}

// Times of Watch.
const (
	silence   = 50 * time.Second // without even a beat: the connection is dead
	waitLeast = time.Second
	waitMost  = 30 * time.Second
)

// Watch listens for changes of connections, none: of all that the key may use,
// and drops tokens that were replaced, until ctx ends or the server refuses the
// key. It comes back by itself where the connection breaks. told is given each
// change; nil: nobody is.
func (c *Client) Watch(ctx context.Context, told func(Change), ids ...string) error {
	if c.err != nil {
		return c.err
	}
	if c.server == nil {
		return errors.New("a client in process hears of changes from its broker")
	}
	wait := waitLeast
	for {
		began := c.opt.Now()
		err := c.listen(ctx, told, ids)
		c.hear(ids, false)
		var final *Error
		if errors.As(err, &final) && final.Status >= 300 && final.Status < 500 && final.Status != http.StatusTooManyRequests {
			return err
		}
		if c.opt.Now().Sub(began) > waitMost {
			wait = waitLeast
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait + rand.N(wait/2)): //nolint:gosec // so that not all come back at once
		}
		wait = min(2*wait, waitMost)
	}
}

// hear notes whether changes of connections are heard.
func (c *Client) hear(ids []string, on bool) {
	if len(ids) == 0 {
		ids = []string{""}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if on {
			c.heard[id] = c.opt.Now()
		} else {
			delete(c.heard, id)
		}
	}
}

// listens tells whether every change of a connection since a time was heard: a
// connection that was removed before is not told of. c.mu is held.
func (c *Client) listens(id string, since time.Time) bool {
	for _, one := range []string{id, ""} {
		if began, ok := c.heard[one]; ok && !since.Before(began) {
			return true
		}
	}
	return false
}

// listen listens until the connection ends.
func (c *Client) listen(ctx context.Context, told func(Change), ids []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	u := *c.server
	u.Path += "/connections/events"
	u.RawQuery = url.Values{"connection": ids}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.opt.Key.Reveal())
	req.Header.Set("Accept", "text/event-stream")
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	resp, err := c.opt.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
		return refusal("", resp, text, c.opt.Now())
	}
	c.hear(ids, true)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 4096), 64<<10)
	for lines.Scan() {
		dead.Reset(silence)
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		var one Change
		if !ok || json.Unmarshal(data, &one) != nil || one.Connection == "" {
			continue
		}
		c.heed(&one)
		if told != nil {
			told(one)
		}
	}
	return lines.Err()
}
