package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/seal"
	"usher/policy/lifespan"
	"usher/test/broker/history"
)

// record is one line of a replica's log.
type record struct {
	Stored *history.Stored `json:",omitempty"`
	Call   *history.Call   `json:",omitempty"`
	Herd   int             `json:",omitempty"` // whose Call it is
	Done   bool            `json:",omitempty"` // the herd is through
	Added  string          `json:",omitempty"`
	Finals []history.Final `json:",omitempty"`
	Ready  bool            `json:",omitempty"`
	Err    string          `json:",omitempty"`
}

// herd is callers who want a token of one connection.
type herd struct {
	ID       int
	Conn     string
	Count    int
	At       time.Time     // when the first asks
	Spread   time.Duration // until the last asks
	Patience time.Duration
	Life     time.Duration // that the policy promises
	API      string        // where each uses its token, and says when it is refused; empty: nowhere
}

// settings are what replicas of a test agree on.
type settings struct {
	Deadline time.Duration
	Lease    time.Duration
	Poll     time.Duration
	Rate     float64
	Burst    float64
	Workers  int
	Policies []lifespan.Policy
	Skew     []time.Duration // that the clocks of replicas are ahead, in turn
}

// node is a replica: a broker whose store and asker tell what they did.
type node struct {
	name   string
	broker *broker.Broker
	gate   *gate
	log    func(record)
	now    func() time.Time
	skew   time.Duration
	use    func(url, token string) bool
	end    context.CancelFunc
	over   chan struct{}
}

func newNode(ctx context.Context, name string, s settings, store broker.Store, sealer seal.Sealer, ask broker.Asker, log func(record)) *node {
	n := &node{name: name, gate: newGate(), log: log, now: time.Now, over: make(chan struct{})}
	if len(s.Skew) > 0 {
		number := 0
		_, _ = fmt.Sscanf(name, "replica-%d", &number)
		n.skew = s.Skew[number%len(s.Skew)]
	}
	l := &ledger{store: store, node: n, got: map[string]string{}}
	n.broker = broker.New(broker.Options{
		Store: l, Seal: sealer, Ask: &witness{Asker: ask, ledger: l},
		Lifespans: &lifespan.Set{Policies: s.Policies},
		Holder:    name, ConnectURL: func(id string) string { return "https://usher.test/connect/" + id },
		Deadline: s.Deadline, Lease: s.Lease, Poll: s.Poll, Rate: s.Rate, Burst: s.Burst, Workers: s.Workers,
		Grace: time.Second, Now: func() time.Time { return time.Now().Add(n.skew) },
	})
	ctx, n.end = context.WithCancel(ctx)
	go func() {
		defer close(n.over)
		if err := n.broker.Run(ctx); err != nil && ctx.Err() == nil {
			log(record{Err: "run: " + err.Error()})
		}
	}()
	return n
}

// add makes a connection that somebody has just connected.
func (n *node) add(ctx context.Context, c broker.Config, secret string, a *grant.Answer) error {
	if _, err := n.broker.Add(ctx, c, broker.Keys{ClientSecret: usher.Secret(secret)}, broker.Tokens{}); err != nil && !errors.Is(err, broker.ErrExists) {
		return err
	}
	if a == nil {
		return nil
	}
	here := *a
	here.Received = a.Received.Add(n.skew) // whoever takes the answer reads its own clock
	return n.broker.Connected(ctx, c.ID, &here)
}

// final tells how connections stand.
func (n *node) finals(ctx context.Context, ids []string) ([]history.Final, error) {
	var all []history.Final
	for _, id := range ids {
		v, err := n.broker.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		all = append(all, history.Final{
			Conn: id, State: string(v.Status.State), Generation: v.Status.Generation,
			Link: v.Status.Trouble != nil && v.Status.Trouble.Link != "", Attempt: v.Status.Attempt != nil,
		})
	}
	return all, nil
}

// run lets a herd ask, and tells what it was told in groups.
func (n *node) run(ctx context.Context, h herd) {
	g := &groups{node: n, herd: h, m: map[outcome]*history.Call{}}
	var wg sync.WaitGroup
	for i := range h.Count {
		wg.Go(func() {
			at := h.At
			if h.Count > 1 {
				at = at.Add(h.Spread * time.Duration(i) / time.Duration(h.Count-1))
			}
			if !wait(ctx, at.Sub(n.now())) {
				return
			}
			n.call(ctx, g, "")
		})
	}
	stop := make(chan struct{})
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		t := time.NewTicker(200 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				g.flush()
			case <-stop:
				g.flush()
				return
			}
		}
	}()
	wg.Wait()
	close(stop)
	<-flushed
	if !n.gate.isDead() && ctx.Err() == nil {
		n.log(record{Herd: h.ID, Done: true})
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// call is one caller. It asks once more when the API refuses what it was given.
func (n *node) call(ctx context.Context, g *groups, refused usher.Secret) {
	asked := n.now()
	patient, cancel := context.WithTimeout(ctx, g.herd.Patience)
	token, err := n.broker.Token(patient, g.herd.Conn, broker.Ask{Caller: "test", Refused: refused})
	late := patient.Err() != nil && ctx.Err() == nil
	cancel()
	if n.gate.isDead() || ctx.Err() != nil {
		return // died with the replica
	}
	// A replica that stands still tells nobody anything.
	n.gate.open(ctx)
	if n.gate.isDead() {
		return
	}
	g.add(asked, n.now(), token, err, late, history.Ref(refused.Reveal()))
	if err == nil && g.herd.API != "" && refused == "" && !n.use(g.herd.API, token.Access.Reveal()) {
		n.call(ctx, g, token.Access)
	}
}

// outcome is what callers of one group have in common.
type outcome struct {
	token, refused, err, state string
	generation                 int64
	expires, retry             int64
	short, link, late          bool
}

type groups struct {
	node *node
	herd herd
	mu   sync.Mutex
	m    map[outcome]*history.Call
}

func (g *groups) add(asked, answered time.Time, t broker.Token, err error, late bool, refused string) {
	o := outcome{refused: refused}
	wanted := g.herd.Life
	if err == nil {
		o.token, o.generation, o.expires, o.short = history.Ref(t.Access.Reveal()), t.Generation, t.Expires.Add(-g.node.skew).UnixNano(), t.Short != ""
	} else {
		o.err, o.late = err.Error(), late
		var u *broker.Unavailable
		if errors.As(err, &u) {
			o.state, o.link = string(u.State), u.Trouble.Link != ""
			if !u.Retry.IsZero() {
				o.retry = u.Retry.Add(-g.node.skew).UnixNano()
			}
			o.err = fmt.Sprintf("%s: %s (%s)", o.err, u.Trouble.Cause, u.Trouble.Detail)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.m[o]
	if c == nil {
		c = &history.Call{
			Replica: g.node.name, Conn: g.herd.Conn, Asked: asked, Answered: answered, Last: answered,
			Patience: g.herd.Patience, Wanted: wanted, Refused: refused,
			Token: o.token, Generation: o.generation, Short: o.short, Err: o.err, State: o.state, Link: o.link, Late: o.late,
		}
		if o.expires != 0 {
			c.Expires = time.Unix(0, o.expires)
		}
		if o.retry != 0 {
			c.Retry = time.Unix(0, o.retry)
		}
		g.m[o] = c
	}
	c.Count++
	if asked.Before(c.Asked) {
		c.Asked = asked
	}
	if answered.Before(c.Answered) {
		c.Answered = answered
	}
	if answered.After(c.Last) {
		c.Last = answered
	}
}

func (g *groups) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.m {
		g.node.log(record{Herd: g.herd.ID, Call: c})
	}
	clear(g.m)
}

// witness sees what the asker was given.
type witness struct {
	broker.Asker
	ledger *ledger
}

func (w *witness) Ask(ctx context.Context, r grant.Request) (*grant.Answer, error) {
	if err := w.ledger.node.gate.open(ctx); err != nil {
		return nil, &grant.Refusal{Kind: grant.Unreachable, Endpoint: r.Endpoint, Err: err}
	}
	a, err := w.Asker.Ask(ctx, r)
	if stopped := w.ledger.node.gate.open(ctx); stopped != nil && w.ledger.node.gate.isDead() {
		return nil, &grant.Refusal{Kind: grant.Lost, Endpoint: r.Endpoint, Err: stopped}
	}
	if err == nil {
		w.ledger.mu.Lock()
		w.ledger.got[r.ClientID] = history.Ref(a.Access.Reveal())
		w.ledger.mu.Unlock()
	}
	return a, err
}

func (w *witness) Introspect(ctx context.Context, r grant.Request, token usher.Secret, hint string) (bool, error) {
	if err := w.ledger.node.gate.open(ctx); err != nil {
		return false, &grant.Refusal{Kind: grant.Unreachable, Endpoint: r.Endpoint, Err: err}
	}
	return w.Asker.Introspect(ctx, r, token, hint)
}

// uses asks an API with a token.
func uses(client *http.Client) func(url, token string) bool {
	return func(url, token string) bool {
		req, err := http.NewRequest("GET", url, nil)
		if err != nil {
			return true
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(req)
		if err != nil {
			return true
		}
		_ = resp.Body.Close()
		return resp.StatusCode != http.StatusUnauthorized
	}
}
