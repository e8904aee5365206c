package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Violation is a promise that was broken.
type Violation struct {
	Promise string // one of the names below
	Conn    string
	At      time.Time
	Text    string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s %s %s: %s", v.At.UTC().Format("15:04:05.000"), v.Conn, v.Promise, v.Text)
}

// The promises.
const (
	OneRefresh = "one refresh"              // for each generation, and only when it is time
	NoReuse    = "no spent refresh token"   // is presented
	NoRevoked  = "no family revoked"        // by the provider, because of us
	OneStyle   = "one authentication style" // of each client
	Durable    = "durable first"            // what is handed out is stored
	Served     = "served"                   // who could have been served is not refused
	Promised   = "life as promised"         // while the provider is up
	Fresh      = "nothing dead"             // is handed out that is known to be replaced
	Everyone   = "everyone answered"        // once
	Healed     = "the end is right"         // alive, or a person is asked with the link
	NoHerd     = "no herd"                  // at the provider
)

// Promises lists them.
var Promises = []string{OneRefresh, NoReuse, NoRevoked, OneStyle, Durable, Served, Promised, Fresh, Everyone, Healed, NoHerd}

// Check gives all that was broken, in the order of time.
func (h *History) Check() []Violation {
	var all []Violation
	conns := h.split()
	for _, c := range conns {
		all = append(all, c.check()...)
	}
	all = append(all, h.herd()...)
	slices.SortStableFunc(all, func(a, b Violation) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Conn, b.Conn), cmp.Compare(a.Promise, b.Promise))
	})
	return all
}

// conn is the history of one connection.
type conn struct {
	id          string
	rule        Rule
	requests    []Request
	issued      []Issued
	byRef       map[string]Issued
	revocations []Revocation
	stored      []Stored
	storedRef   map[string][]Stored
	calls       []Call
	finals      []Final
	asked       int
	counted     bool
	down        []Span
	ends        []End
	lost        time.Time // when an answer went where nobody stored it; zero: never
	found       []Violation
}

func (h *History) split() []*conn {
	m := map[string]*conn{}
	get := func(id string) *conn {
		c := m[id]
		if c == nil {
			c = &conn{id: id, byRef: map[string]Issued{}, storedRef: map[string][]Stored{}, down: h.Down, ends: h.Ends}
			if h.Rule != nil {
				c.rule = h.Rule(id)
			}
			m[id] = c
		}
		return c
	}
	for _, r := range h.Requests {
		c := get(r.Conn)
		c.requests = append(c.requests, r)
	}
	for _, i := range h.Issued {
		c := get(i.Conn)
		c.issued = append(c.issued, i)
		c.byRef[i.Ref] = i
	}
	for _, r := range h.Revocations {
		c := get(r.Conn)
		c.revocations = append(c.revocations, r)
	}
	type begun struct {
		replica, ref string
		begin        int64
	}
	ended := map[begun]bool{}
	for _, s := range h.Stored {
		if !s.End.IsZero() {
			ended[begun{s.Replica, s.Ref, s.Begin.UnixNano()}] = true
		}
	}
	for _, s := range h.Stored {
		if s.End.IsZero() && ended[begun{s.Replica, s.Ref, s.Begin.UnixNano()}] {
			continue // told twice: when it began, and when it ended
		}
		c := get(s.Conn)
		c.stored = append(c.stored, s)
		c.storedRef[s.Ref] = append(c.storedRef[s.Ref], s)
	}
	for _, a := range h.Calls {
		c := get(a.Conn)
		c.calls = append(c.calls, a)
	}
	for _, f := range h.Finals {
		c := get(f.Conn)
		c.finals = append(c.finals, f)
	}
	for id, n := range h.Asked {
		c := get(id)
		c.asked, c.counted = n, true
	}
	all := make([]*conn, 0, len(m))
	for _, c := range m {
		slices.SortStableFunc(c.requests, func(a, b Request) int { return a.Arrived.Compare(b.Arrived) })
		slices.SortStableFunc(c.issued, func(a, b Issued) int { return a.At.Compare(b.At) })
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	return all
}

func (c *conn) breaks(promise string, at time.Time, format string, args ...any) {
	c.found = append(c.found, Violation{Promise: promise, Conn: c.id, At: at, Text: fmt.Sprintf(format, args...)})
}

func (c *conn) check() []Violation {
	c.lost = c.whenLost()
	c.refreshes()
	c.families()
	c.style()
	for _, call := range c.calls {
		if call.Token != "" {
			c.given(call)
		} else {
			c.refused(call)
		}
	}
	c.oneEach()
	c.everyone()
	c.end()
	return c.found
}

// whenLost tells when a refresh token was spent whose successor nobody stored.
// That is the two generals' limit: a request that was sent by who is gone.
func (c *conn) whenLost() time.Time {
	for _, r := range c.requests {
		if r.Outcome == Accepted && r.Presented != "" && !c.kept(r.Gave) {
			return r.Acted
		}
	}
	return time.Time{}
}

// kept tells whether an access token was stored, or may have been.
func (c *conn) kept(ref string) bool {
	if c.byRef[ref].Seed {
		return true
	}
	return slices.ContainsFunc(c.storedRef[ref], func(s Stored) bool {
		if s.Stale {
			return false
		}
		if s.End.IsZero() || s.Err != "" { // nobody knows; the end does
			return slices.ContainsFunc(c.finals, func(f Final) bool { return f.Generation >= s.Generation })
		}
		return true
	}) || slices.ContainsFunc(c.calls, func(a Call) bool { return a.Token == ref })
}

// gone tells whether a replica was killed or stood still in a time.
func (c *conn) gone(from, until time.Time) bool {
	return slices.ContainsFunc(c.ends, func(e End) bool {
		return !e.At.After(until) && (e.Until.IsZero() || !e.Until.Before(from))
	})
}

// away tells whether the provider was away in a time, or had just come back.
func (c *conn) away(from, until time.Time) bool {
	if slices.ContainsFunc(c.down, func(s Span) bool {
		return s.From.Before(until) && (s.Until.IsZero() || s.Until.Add(c.rule.Recover).After(from))
	}) {
		return true
	}
	return slices.ContainsFunc(c.requests, func(r Request) bool {
		return (r.Outcome == Lied || r.Outcome == Away) && r.Arrived.Before(until) && r.Arrived.Add(c.rule.Recover).After(from)
	})
}

// refreshes: exactly one for each generation, and only when it was time.
func (c *conn) refreshes() {
	var before *Issued // what the broker had when the request came
	for _, i := range c.issued {
		if i.Seed {
			before = &i
		}
	}
	var last *Request
	for _, r := range c.requests {
		if r.Outcome == Reused {
			c.breaks(NoReuse, r.Arrived, "the refresh token %s was presented again", r.Presented)
		}
		if r.Outcome != Accepted {
			continue
		}
		if before != nil && !c.excused(r, before, last) {
			c.breaks(OneRefresh, r.Arrived, "a refresh although the token %s had %s to live; it is renewed at %s", before.Ref, before.Expires.Sub(r.Arrived).Round(time.Millisecond), c.rule.Renew)
		}
		i, ok := c.byRef[r.Gave]
		if !ok {
			i = Issued{Ref: r.Gave, At: r.Acted, Expires: r.Acted}
		}
		before, last = &i, &r
	}
}

// excused tells whether it was time to renew a token.
func (c *conn) excused(r Request, before *Issued, last *Request) bool {
	if before.Expires.Sub(r.Arrived) <= c.rule.Renew || !before.Died.IsZero() && before.Died.Before(r.Arrived) {
		return true
	}
	if slices.ContainsFunc(c.calls, func(a Call) bool { return a.Refused == before.Ref && !a.Asked.After(r.Arrived) }) {
		return true
	}
	// Its answer came nowhere: whoever asked is gone. A grant without refresh
	// token is asked for again.
	if last == nil {
		return false
	}
	if r.Presented == "" && (c.goneReplica(last.From, last.Arrived, r.Arrived) || c.goneReplica(Database, last.Arrived, r.Arrived)) {
		return true // it stood still or could not keep its lease, and nobody could know that it would come back
	}
	return !c.kept(last.Gave) && (!last.Delivered || last.Garbled || c.gone(last.Arrived, r.Arrived))
}

// goneReplica is gone of one replica.
func (c *conn) goneReplica(name string, from, until time.Time) bool {
	return slices.ContainsFunc(c.ends, func(e End) bool {
		return e.Replica == name && !e.At.After(until) && (e.Until.IsZero() || !e.Until.Before(from))
	})
}

func (c *conn) families() {
	for _, r := range c.revocations {
		if r.Reuse {
			c.breaks(NoRevoked, r.At, "the provider revoked the family: a spent refresh token was presented")
		}
	}
}

func (c *conn) style() {
	style := ""
	for _, r := range c.requests {
		if r.Style == "" {
			continue
		}
		if style == "" {
			style = r.Style
		}
		if r.Style != style {
			c.breaks(OneStyle, r.Arrived, "authenticated as %s, before as %s", r.Style, style)
		}
	}
}

// given holds a token that was handed out.
func (c *conn) given(a Call) {
	if !c.durable(a) {
		c.breaks(Durable, a.Answered, "%s gave the token %s (generation %d) before it was stored", a.Replica, a.Token, a.Generation)
	}
	i, known := c.byRef[a.Token]
	if !known {
		c.breaks(Fresh, a.Answered, "the token %s was never issued", a.Token)
		return
	}
	if !a.Expires.IsZero() && a.Expires.After(i.Expires.Add(time.Second)) {
		c.breaks(Promised, a.Answered, "the token %s was said to live until %s, it lives until %s", a.Token, a.Expires.UTC().Format("15:04:05.000"), i.Expires.UTC().Format("15:04:05.000"))
	}
	wanted := cmp.Or(a.Wanted, c.rule.Life)
	left := i.Expires.Sub(a.last())
	if left < wanted-c.rule.Slack && !c.mayBeShort(a, i) {
		c.breaks(Promised, a.last(), "%d callers got a token with %s to live, promised are %s", max(a.Count, 1), left.Round(time.Millisecond), wanted)
	}
	if a.Token == a.Refused {
		c.breaks(Fresh, a.Answered, "the caller got the token again that it said was refused")
	}
	if newer, ok := c.newerStored(i, a.Asked); ok && !c.stood(a) && !i.Died.IsZero() && i.Died.Before(a.Asked) {
		c.breaks(Fresh, a.Answered, "%s gave a dead token; its successor was stored %s before", a.Replica, a.Asked.Sub(newer).Round(time.Millisecond))
	}
}

// durable tells whether a token was stored before it was handed out. What a
// replica did not store itself, it can only know from the store; the one that
// stored it may note the end late. On a busy machine (Slack) that holds for who
// stores it, too: it may read it from the store before it is told that it is
// there.
func (c *conn) durable(a Call) bool {
	if c.byRef[a.Token].Seed {
		return true
	}
	return slices.ContainsFunc(c.storedRef[a.Token], func(s Stored) bool {
		if s.Replica == a.Replica && c.rule.Slack == 0 {
			return s.Err == "" && !s.End.IsZero() && !s.End.After(a.Answered)
		}
		return !s.Begin.After(a.Answered)
	})
}

// mayBeShort tells whether a token could not live longer: the provider was away
// when it should have been renewed, gives no longer life, or the connection's
// refresh token is lost.
func (c *conn) mayBeShort(a Call, i Issued) bool {
	wanted := cmp.Or(a.Wanted, c.rule.Life)
	if whole := i.Expires.Sub(i.At); whole < wanted {
		return true
	}
	due := i.Expires.Add(-max(c.rule.Renew, wanted))
	if c.away(due, a.last()) {
		return true
	}
	return !c.lost.IsZero() && c.lost.Before(a.last()) || c.pending(a) || c.rule.Blind && c.unsure(a.last()) || c.stood(a)
}

// stood tells whether the replica itself stood still while it was asked.
func (c *conn) stood(a Call) bool {
	return slices.ContainsFunc(c.ends, func(e End) bool {
		return (e.Replica == a.Replica || e.Replica == Database) && !e.At.After(a.last()) && (e.Until.IsZero() || !e.Until.Add(c.rule.Spread).Before(a.Asked))
	})
}

// pending tells whether a request stands whose sender is gone: nobody may ask
// again before it is known what became of it.
func (c *conn) pending(a Call) bool {
	return slices.ContainsFunc(c.requests, func(r Request) bool {
		return r.Arrived.Before(a.last()) && a.Asked.Before(r.Arrived.Add(c.rule.Takeover)) &&
			slices.ContainsFunc(c.ends, func(e End) bool {
				return !e.At.Before(r.Arrived.Add(-time.Second)) && !e.At.After(a.last()) && (r.Answered.IsZero() || e.At.Before(r.Answered.Add(time.Second)))
			})
	}) || c.begun(a)
}

// begun tells whether a replica was ended within the time in which another one
// has to wait: it may have begun what it never sent.
func (c *conn) begun(a Call) bool {
	return slices.ContainsFunc(c.ends, func(e End) bool {
		return !e.At.After(a.last()) && a.Asked.Before(e.At.Add(c.rule.Takeover))
	})
}

// newerStored tells when a successor of a token was stored, so long ago that
// every replica must know it.
func (c *conn) newerStored(i Issued, asked time.Time) (time.Time, bool) {
	for _, s := range c.stored {
		n, ok := c.byRef[s.Ref]
		if ok && n.At.After(i.At) && s.Err == "" && !s.End.IsZero() && s.End.Add(c.rule.Spread).Before(asked) {
			return s.End, true
		}
	}
	return time.Time{}, false
}

// refused holds an answer without a token.
func (c *conn) refused(a Call) {
	if a.Err == "" {
		c.breaks(Everyone, a.Answered, "neither token nor error")
		return
	}
	noStore := c.noStore(a.Asked, a.last())
	if !a.Late && a.State == "" && !noStore {
		c.breaks(Served, a.Answered, "%d callers got %q", max(a.Count, 1), a.Err)
		return
	}
	if i, ok := c.living(a); ok && (!noStore || c.gave(a.Replica, i.Ref, a.Asked)) {
		c.breaks(Served, a.Answered, "%d callers were refused (%s) while the token %s had %s to live", max(a.Count, 1), a.Err, i.Ref, i.Expires.Sub(a.Answered).Round(time.Millisecond))
		return
	}
	if !c.lost.IsZero() && c.lost.Before(a.last()) {
		return
	}
	if noStore || c.away(a.Asked, a.last()) || c.ended(a.last()) || c.rule.Blind && c.unsure(a.last()) {
		return
	}
	if !a.Late && !a.Retry.IsZero() && c.pending(a) {
		return
	}
	if a.Late && a.Patience < c.patient(a) {
		return
	}
	c.breaks(Served, a.Answered, "%d callers were refused after %s (%s) although the provider was there", max(a.Count, 1), a.Answered.Sub(a.Asked).Round(time.Millisecond), a.Err)
}

// noStore tells whether the database was away, or had just come back.
func (c *conn) noStore(from, until time.Time) bool {
	return slices.ContainsFunc(c.ends, func(e End) bool {
		return e.Replica == Database && !e.At.After(until) && (e.Until.IsZero() || e.Until.Add(c.rule.Recover).After(from))
	})
}

// gave tells whether a replica gave a token before: it knows it without asking
// the store.
func (c *conn) gave(replica, ref string, before time.Time) bool {
	return slices.ContainsFunc(c.calls, func(a Call) bool {
		return a.Replica == replica && a.Token == ref && a.Answered.Before(before)
	})
}

// patient is how long a caller must wait to be surely served.
func (c *conn) patient(a Call) time.Duration {
	need := c.rule.Takes + time.Second
	if c.pending(a) {
		need += c.rule.Takeover + c.rule.Takes
	}
	return need
}

// living gives a token that was stored before the call was answered and could
// have been handed out all the time.
func (c *conn) living(a Call) (Issued, bool) {
	for _, i := range c.issued {
		if !i.Seed && !slices.ContainsFunc(c.storedRef[i.Ref], func(s Stored) bool {
			return s.Err == "" && !s.End.IsZero() && s.End.Add(c.rule.Spread).Before(a.Answered)
		}) {
			continue
		}
		if i.Expires.After(a.last().Add(c.rule.Margin)) && (i.Died.IsZero() || i.Died.After(a.last())) && a.Refused != i.Ref {
			return i, true
		}
	}
	return Issued{}, false
}

// ended tells whether somebody revoked the connection at the provider.
func (c *conn) ended(at time.Time) bool {
	return slices.ContainsFunc(c.revocations, func(r Revocation) bool { return !r.Reuse && !r.At.After(at) })
}

func (c *conn) everyone() {
	if !c.counted {
		return
	}
	n := 0
	var at time.Time
	for _, a := range c.calls {
		n += max(a.Count, 1)
		at = a.last()
	}
	if n != c.asked {
		c.breaks(Everyone, at, "%d callers asked, %d were answered", c.asked, n)
	}
}

// end: a connection is alive in the end with as many generations as were
// accepted; one whose refresh token is lost asks a person and gives the link.
func (c *conn) end() {
	for _, f := range c.finals {
		at := time.Time{}
		if len(c.requests) > 0 {
			at = c.requests[len(c.requests)-1].Arrived
		}
		switch {
		case f.Attempt:
			c.breaks(Healed, at, "an attempt still stands")
		case !c.lost.IsZero():
			if f.State != "waiting" || !f.Link {
				c.breaks(Healed, at, "its refresh token is lost, and it is %q (link: %t) in place of asking a person", f.State, f.Link)
			}
		case len(c.revocations) > 0:
		case c.rule.Blind && f.State == "waiting" && f.Link && c.unsure(at):
		case f.State != "alive":
			c.breaks(Healed, at, "nothing was lost, and it is %q", f.State)
		default:
			least, most := c.generations()
			if f.Generation < least || f.Generation > most {
				c.breaks(Healed, at, "it has generation %d; %d were stored", f.Generation, most)
			}
		}
	}
}

// unsure tells whether a request stood whose sender was gone, at a provider that
// cannot be asked what became of it: a person is asked then, although nothing
// may be lost.
func (c *conn) unsure(at time.Time) bool {
	return slices.ContainsFunc(c.requests, func(r Request) bool {
		return !r.Delivered && r.Presented != "" && !r.Arrived.After(at)
	}) || len(c.ends) > 0
}

// generations gives the highest generation that was surely stored, and that may
// have been.
func (c *conn) generations() (least, most int64) {
	for _, s := range c.stored {
		if s.Stale {
			continue
		}
		most = max(most, s.Generation)
		if !s.End.IsZero() && s.Err == "" {
			least = max(least, s.Generation)
		}
	}
	for _, a := range c.calls {
		least = max(least, a.Generation)
	}
	return least, max(least, most)
}

// oneEach: a generation is one token.
func (c *conn) oneEach() {
	is := map[int64]string{}
	for _, a := range c.calls {
		if a.Token == "" {
			continue
		}
		if was, ok := is[a.Generation]; ok && was != a.Token {
			c.breaks(OneRefresh, a.Answered, "generation %d is the token %s and the token %s", a.Generation, was, a.Token)
			return
		}
		is[a.Generation] = a.Token
	}
}

// herd: a bucket that fills with the pace never runs dry.
func (h *History) herd() []Violation {
	if h.Rule == nil {
		return nil
	}
	rule := h.Rule("")
	if rule.Pace == 0 {
		return nil
	}
	requests := slices.Clone(h.Requests)
	slices.SortStableFunc(requests, func(a, b Request) int { return a.Arrived.Compare(b.Arrived) })
	burst := max(rule.Burst, 1)
	level, last := burst, time.Time{}
	for i, r := range requests {
		if i > 0 {
			level = min(burst, level+r.Arrived.Sub(last).Seconds()*rule.Pace)
		}
		last = r.Arrived
		if level -= 1; level < -0.001 {
			return []Violation{{Promise: NoHerd, Conn: r.Conn, At: r.Arrived, Text: fmt.Sprintf("request %d comes faster than %.3g a second with %g at once", i+1, rule.Pace, burst)}}
		}
	}
	return nil
}
