package broker

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"usher/broker/grant"
	"usher/broker/strategy"
)

// margin is how much longer than its deadline an attempt is taken to be under
// way: a request may lie in the provider's queue after its sender has gone.
const margin = 10 * time.Second

// sendBy is how long after it was written down an attempt may be sent. A process
// that stood still in between does not send any more: by the time of
// Attempt.Until another may present the same refresh token.
const sendBy = 5 * time.Second

// renew does what a flight is for, and gives how the connection stands then. It
// reads the record; where that holds what is wanted, or where nobody may ask the
// provider now, it is done. Else it asks once, or waits for the replica that
// does.
func (b *Broker) renew(ctx context.Context, e *entry, w want, f *flight, p *pass) (*held, error) {
	defer func() { p.giveBack() }()
	b.tellTime(ctx)
	deadline := b.clock.now().Add(2*b.opt.Deadline + 3*margin)
	poll := 20 * time.Millisecond
	for asked, stales := 0, 0; ; {
		rec, err := b.opt.Store.Connection(ctx, e.id)
		if errors.Is(err, ErrNotFound) {
			b.forget(e)
			return nil, ErrNotFound
		} else if err != nil {
			return b.away(e, f, "the broker's store is away", err)
		}
		tokens, err := b.openTokens(ctx, rec)
		if err != nil {
			return b.away(e, f, "the broker's keys cannot be opened", err)
		}
		h := b.hold(e, rec, tokens)
		switch done, until, why := b.judge(rec, h, w); {
		case done:
			return h, nil
		case why != nil:
			f.until = until
			return b.calmed(e, h, until, *why), nil
		}
		if asked == 2 || b.clock.now().After(deadline) {
			f.until = b.clock.store().Add(time.Second)
			return h, nil
		}

		o := b.once(ctx, e, rec, h, tokens, w, &p)
		switch {
		case o.away != nil:
			return b.away(e, f, o.say, o.away)
		case o.stale: // somebody wrote meanwhile
			if stales++; stales > 3 && sleep(ctx, time.Duration(min(stales, 100))*time.Millisecond) != nil {
				return b.away(e, f, "the broker is stopping", ctx.Err())
			}
		case o.held && w.scheduled:
			f.until = b.clock.store().Add(time.Second)
			return h, nil
		case o.held:
			if err := sleep(ctx, poll); err != nil {
				return b.away(e, f, "the broker is stopping", err)
			}
			poll = min(poll*2, 250*time.Millisecond)
		case o.later != nil && w.scheduled && !o.down:
			f.until = o.until // a caller who waits for this flight begins one that waits
			return h, nil
		case o.later != nil:
			f.tried, f.until = true, o.until
			return b.calmed(e, h, o.until, *o.later), nil
		default:
			f.tried = true
			h = b.hold(e, o.rec, o.tokens)
			if again := o.rec.Status.Trouble != nil && !o.rec.Status.RenewAt.IsZero() && !o.rec.Status.RenewAt.After(b.clock.store()); !again {
				return h, nil
			}
			asked++ // its strategy is to ask otherwise, at once
			p = nil // it was used
		}
	}
}

// away tells that nothing can be done here for now.
func (b *Broker) away(e *entry, f *flight, say string, err error) (*held, error) {
	b.opt.Log.Warn(say, "connection", e.id, "err", err)
	now := b.clock.store()
	f.tried, f.until = true, now.Add(time.Second)
	t := Trouble{Cause: "unknown", Strategy: string(strategy.Retry), Title: say, Since: now, Last: now}
	if h := e.held.Load(); h != nil {
		return b.calmed(e, h, f.until, t), nil
	}
	return nil, &Unavailable{ID: e.id, State: StateFailing, Trouble: t, Retry: b.clock.local(f.until)}
}

// judge tells whether a record holds what is wanted (done), or until when nobody
// may ask the provider, and why. Neither: the provider is asked.
func (b *Broker) judge(rec Record, h *held, w want) (done bool, until time.Time, why *Trouble) {
	now, st := b.clock.store(), rec.Status
	local := b.clock.now().UnixNano()
	lives := h.lives && local < h.ends
	refused := w.ask.Refused != "" && h.lives && h.same(&w.ask)
	promised := lives && local+int64(h.promise) <= h.ends
	until, why = b.calm(rec, now)
	switch {
	case !rec.Config.admits(w.ask.Caller):
		return true, until, nil // nobody is asked for who is given nothing
	case rec.Config.Disabled:
		return false, until, why
	case w.force:
		if st.Generation > w.above {
			return true, until, nil
		}
		if doubtful(st) && lives && now.Before(until) {
			return false, until, why
		}
		if st.RenewAt.IsZero() && why != nil && !st.Refreshable && Interactive(rec.Config.Grant) {
			return false, until, why
		}
		return false, until, nil
	case w.scheduled:
		if st.RenewAt.IsZero() || st.RenewAt.After(now) {
			return true, until, nil
		}
		return false, until, nil
	case refused:
		if calm := st.Obtained.Add(b.patience(st, now)); calm.After(now) {
			return false, calm, &Trouble{
				Cause: "token-revoked", Strategy: string(strategy.Retry), Since: st.Obtained, Last: now,
				Title: "the API refuses a token that was just renewed",
			}
		}
	case promised && local+int64(w.ask.LeastLife) <= h.ends:
		return true, until, nil
	case promised && now.Sub(st.Obtained) < min(30*time.Second, h.life/10):
		return true, until, nil // the provider gives no longer life
	}
	if refused && doubtful(st) {
		until = st.Trouble.Last.Add(time.Second) // the access token, for which it was put off, is of no use
	}
	if why != nil && now.Before(until) {
		return false, until, why
	}
	return false, until, nil
}

// patience is how old a token must be before an API's word alone renews it:
// longer each time, so that an API that always refuses does not have the
// provider hammered. Six hours without a complaint forget it.
func (b *Broker) patience(st Status, now time.Time) time.Duration {
	if st.Forced == 0 || now.Sub(st.ForcedAt) > 6*time.Hour {
		return 0
	}
	return min(30*time.Second<<min(st.Forced-1, 10), time.Hour)
}

// outcome is what one try came to: exactly one of its parts is set.
type outcome struct {
	rec    Record // as it was written
	tokens Tokens

	held  bool // another replica is at it
	stale bool // the record is not what it was

	later *Trouble // not now: why
	until time.Time
	down  bool // because the endpoint is away

	away error // the store, or what opens keys
	say  string
}

// once asks the provider once for a new token, under the lease and with the
// attempt written down, and stores what comes of it.
func (b *Broker) once(ctx context.Context, e *entry, rec Record, h *held, tokens Tokens, w want, p **pass) outcome {
	now, id := b.clock.store(), rec.Config.ID
	if a := rec.Status.Attempt; a != nil && !b.harmless(rec.Config, rec.Status, tokens, now) && now.Before(a.Until) {
		if w.scheduled {
			return outcome{later: &Trouble{Cause: "unknown", Strategy: string(strategy.Retry), Title: "its renewal is under way", Since: a.Began, Last: now}, until: earlier(a.Until, now.Add(lookAgain))}
		}
		return outcome{held: true}
	}
	if idle := b.plan(rec.Config, rec.Status).Idle; w.scheduled && idle > 0 && b.lastUse(e, rec).Add(idle).Before(now) {
		return b.rest(ctx, rec, tokens, idle)
	}
	keys, err := b.keys(ctx, rec)
	if err != nil {
		return outcome{away: err, say: "the connection's secret is not to be had"}
	}
	request, err := b.renewal(ctx, rec.Config, rec.Status, keys, tokens)
	var misused *grant.Refusal
	var subject *Unavailable
	switch {
	case errors.Is(err, errNoWay) || limit(rec, now):
		return b.end(ctx, rec, tokens, w)
	case errors.As(err, &misused):
		return b.refusal(ctx, nil, rec, tokens, request, misused)
	case errors.As(err, &subject):
		t := subject.Trouble
		t.Title = "the connection " + rec.Config.Subject + " has no token to exchange: " + t.Title
		until := now.Add(backoff(3))
		if retry := b.clock.stored(subject.Retry); retry.After(now) {
			until = retry
		}
		return outcome{later: &t, until: until}
	case err != nil:
		return outcome{away: err, say: "the renewal cannot be prepared"}
	}

	if *p == nil || (*p).spent {
		var paced *notYet
		*p, err = b.gate(rec.Config.Endpoints.Token).enter(ctx, !w.scheduled)
		if errors.As(err, &paced) {
			return outcome{later: paced.trouble(now), until: paced.until, down: paced.down}
		} else if err != nil {
			return outcome{away: err, say: "the broker's store is away"}
		}
	}
	grip, err := b.grip(ctx, id)
	if errors.Is(err, ErrHeld) {
		(*p).giveBack()
		*p = nil
		return outcome{held: true}
	} else if err != nil {
		return outcome{away: err, say: "the broker's store is away"}
	}
	defer grip.letGo()

	var replaces int64
	var first time.Time
	if a := rec.Status.Attempt; a != nil {
		replaces = a.Fence
		now, err := b.storeTime(ctx) // waiting at the gate took its time, and the clock may have been set
		switch {
		case err != nil:
			return outcome{away: err, say: "the broker's store is away"}
		case b.harmless(rec.Config, rec.Status, tokens, now):
			if rec.Status.Spent == spentID(request.presents) && !b.unsent.has(id, *a) {
				first = a.first()
			}
		case now.Before(a.Until):
			return outcome{stale: true}
		default:
			active, err := b.unspent(ctx, rec, keys, tokens)
			var asked *grant.Refusal
			switch {
			case err != nil && !errors.As(err, &asked):
				return outcome{away: err, say: "the provider does not say whether a refresh token is spent"}
			case err != nil && (asked.Status == 0 || asked.Kind == grant.Busy || asked.Status >= 500):
				// It cannot say now. An introspection endpoint that refuses to answer
				// this client never will: that is as if there were none.
				return b.refusal(ctx, grip, rec, tokens, request, asked)
			case !active:
				return b.spent(ctx, grip, rec, tokens)
			}
		}
	}
	return b.send(ctx, grip, rec, tokens, request, replaces, first, *p, w)
}

// storeTime asks the store for its time.
func (b *Broker) storeTime(ctx context.Context) (time.Time, error) {
	asked := b.clock.now()
	_, now, err := b.opt.Store.Changed(ctx, b.clock.stored(asked))
	if err == nil {
		b.learn(asked, now)
	}
	return now, err
}

// doubtful tells that a server's error may have spent the refresh token, with
// nobody to ask: it is not presented again before its time.
func doubtful(st Status) bool { return st.Attempt == nil && st.Spent != "" && st.Trouble != nil }

// harmless tells whether asking although another request may be under way does
// no harm: no refresh token is presented, or not the one of the attempt, or one
// that the provider takes twice, or the attempt was never sent.
func (b *Broker) harmless(c Config, st Status, t Tokens, now time.Time) bool {
	switch {
	case !Interactive(c.Grant) || t.Refresh == "" || st.Rotates == "no":
		return true
	case spentID(t.Refresh) != st.Spent:
		return true
	case b.unsent.has(c.ID, *st.Attempt):
		return true
	}
	return inGrace(c, *st.Attempt, now)
}

// inGrace tells whether the provider takes the refresh token of an attempt once
// more, if that begins to be sent at a time: it counts from the first use, and
// sending may take a while.
func inGrace(c Config, a Attempt, at time.Time) bool {
	return at.Before(a.first().Add(time.Duration(c.ReuseGrace) - sendBy - 2*time.Second))
}

func (a *Attempt) first() time.Time {
	if a.First.IsZero() {
		return a.Began
	}
	return a.First
}

// lastUse is when a caller last took the token, or the grant began.
func (b *Broker) lastUse(e *entry, rec Record) time.Time {
	last := later(rec.Status.Used, rec.Status.Connected)
	if minute := e.used.Load(); minute > 0 {
		last = later(last, b.clock.stored(time.Unix(minute*60, 0)))
	}
	if last.IsZero() {
		return rec.Config.Made
	}
	return last
}

// limit tells whether a person must connect again by now.
func limit(rec Record, now time.Time) bool {
	return Interactive(rec.Config.Grant) && !rec.Status.Absolute.IsZero() && !now.Before(rec.Status.Absolute)
}

// unspent asks whether the refresh token of an attempt whose answer never came
// is active still, RFC 7662: then it was not spent. Without introspection nobody
// knows, and it counts as spent: presented twice, it would end the family.
func (b *Broker) unspent(ctx context.Context, rec Record, k Keys, t Tokens) (bool, error) {
	if rec.Config.Endpoints.Introspection == "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.opt.Deadline)
	defer cancel()
	r := client(rec.Config, k)
	r.Endpoint = rec.Config.Endpoints.Introspection
	return b.opt.Ask.Introspect(ctx, r, t.Refresh, "refresh_token")
}

// send writes the attempt down, sends the request once, and stores its answer
// or its refusal.
func (b *Broker) send(ctx context.Context, g *grip, rec Record, tokens Tokens, r renewal, replaces int64, first time.Time, p *pass, w want) outcome {
	if b.stopping() {
		return outcome{away: errHushed, say: "nothing is begun any more"}
	}
	began := b.clock.now()
	asking, cancel := context.WithTimeout(ctx, b.opt.Deadline)
	defer cancel()
	stored := b.clock.stored(began)
	attempt := Attempt{Fence: g.l.Fence, Holder: b.opt.Holder, Began: stored, Until: stored.Add(b.opt.Deadline + margin), First: first}
	spent := spentID(r.presents)
	version, err := b.opt.Store.Begin(ctx, rec.Config.ID, g.l, rec.Status.Version, attempt, spent, replaces)
	switch {
	case errors.Is(err, ErrStale), errors.Is(err, ErrLost), errors.Is(err, ErrNotFound):
		return outcome{stale: true}
	case err != nil:
		b.unsent.add(rec.Config.ID, attempt) // it may be written down all the same
		return outcome{away: err, say: "the broker's store is away"}
	}
	b.unsent.drop(rec.Config.ID)
	rec.Status.Version, rec.Status.Attempt, rec.Status.Spent = version, &attempt, spent
	if r.presents != "" && rec.Status.Rotates != "no" {
		b.precious.Add(1)
		defer b.precious.Done()
	}

	answer, err := b.askOnce(asking, r.Request, began)
	if errors.Is(err, errStoodStill) { // that is not the provider's fault, and nothing happened there
		st := rec.Status
		st.Attempt, st.Spent = b.underneath(attempt, spent)
		if o := b.note(ctx, g, rec, st, tokens, false, r, nil); o.away != nil {
			b.unsent.add(rec.Config.ID, attempt)
			return o
		}
		return outcome{stale: true}
	}
	p.spend()
	if err == nil {
		p.report(true, 0)
		answer.Received = began // by this broker's clock: a token is never younger
		return b.keep(ctx, rec, tokens, r, answer, w)
	}
	var refusal *grant.Refusal
	if !errors.As(err, &refusal) {
		refusal = &grant.Refusal{Kind: grant.Lost, Endpoint: r.Endpoint, Err: err}
	}
	return b.refused(ctx, g, rec, tokens, r, refusal, p)
}

// errStoodStill tells that nothing was sent.
var errStoodStill = errors.New("this process stood still before it could send the request, so it did not send it")

// askOnce sends the request, unless too long went by since the attempt was written
// down. It looks twice: before, and when the connection stands.
func (b *Broker) askOnce(ctx context.Context, r grant.Request, began time.Time) (*grant.Answer, error) {
	start := time.Now()
	// By the wall clock, which goes on while a machine sleeps, and by the other
	// one, which nobody sets.
	late := func() bool { return b.clock.now().Round(0).Sub(began.Round(0)) > sendBy || time.Since(start) > sendBy }
	if late() {
		return nil, &grant.Refusal{Kind: grant.Unreachable, Endpoint: r.Endpoint, Err: errStoodStill}
	}
	var unsent atomic.Bool
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if late() {
			unsent.Store(true)
			cancel()
			c.Conn.Close()
		}
	}})
	a, err := b.opt.Ask.Ask(ctx, r)
	if err != nil && unsent.Load() {
		return nil, &grant.Refusal{Kind: grant.Unreachable, Endpoint: r.Endpoint, Err: errStoodStill}
	}
	return a, err
}
