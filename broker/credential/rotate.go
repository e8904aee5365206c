package credential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher"
	"usher/broker"
	"usher/provider"
)

// Rotate begins a rotation and gives what it will do. One that is under way is
// not begun twice. by is who wants it.
func (m *Manager) Rotate(ctx context.Context, name, why, by string) (Plan, error) {
	if err := m.begin(ctx, name, why, by); err != nil {
		return Plan{}, err
	}
	m.Wake()
	return m.Plan(ctx, name)
}

// begin writes down that a rotation is wanted, unless one is under way or there
// were too many. It holds a lease for that: the bound is for all replicas.
func (m *Manager) begin(ctx context.Context, name, why, by string) error {
	lease, err := m.gate(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = m.opt.Store.Release(context.WithoutCancel(ctx), lease) }()
	all, err := m.records(ctx)
	if err != nil {
		return err
	}
	now := m.now().UTC()
	begun := 0
	for _, r := range all {
		for _, t := range r.Begun {
			if now.Sub(t) < time.Hour {
				begun++
			}
		}
	}
	if begun >= m.opt.Cap.PerHour {
		return &usher.Error{
			Code: usher.ErrRefused, Message: fmt.Sprintf("%d rotations were begun in the last hour, which is as many as may be", begun),
			Hint: "wait, or raise the bound: too many at once is how a mistake becomes an outage",
		}
	}
	r, err := m.change(ctx, name, func(r *record) error {
		if r.Rotation != nil {
			return &usher.Error{Code: usher.ErrRefused, Message: "the secret " + name + " is being rotated already", Hint: "usher secrets shows where it stands"}
		}
		if r.Config.Provider == "" {
			return &usher.Error{Code: usher.ErrRefused, Message: "the secret " + name + " names no provider that could be asked for another one", Hint: "configure the provider with admin:, and name it with the secret"}
		}
		r.Begun = slices.DeleteFunc(append(r.Begun, now), func(t time.Time) bool { return now.Sub(t) >= time.Hour })
		r.Begun = r.Begun[max(len(r.Begun)-maxBegun, 0):]
		r.Rotation = &Rotation{ID: random(4), Step: StepCreating, Why: clip(why, 300), By: clip(by, 100), Began: now, From: r.current().N, Next: now}
		return nil
	})
	if err != nil {
		return err
	}
	m.emit(ctx, &r.Config, "update", usher.StatusSuccess, "the rotation of the secret `"+name+"` was begun: "+clip(why, 200), by)
	return nil
}

// gate waits for the lease under which rotations are begun.
func (m *Manager) gate(ctx context.Context) (broker.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		lease, err := m.opt.Store.Acquire(ctx, "secrets/begin", m.opt.Holder+"/"+random(3), min(m.opt.Pace.Lease, 3*time.Second))
		if !errors.Is(err, broker.ErrHeld) {
			return lease, err
		}
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return lease, &usher.Error{Code: usher.ErrUnreachable, Message: "other rotations are being begun", Hint: "try again"}
		}
	}
}

// advance goes on with a rotation as far as it can go now.
func (m *Manager) advance(ctx context.Context, name string) error {
	for range 20 { // more steps than there are
		r, err := m.load(ctx, name)
		if err != nil {
			return err
		}
		rot := r.Rotation
		if rot == nil || m.now().Before(rot.Next) {
			return nil
		}
		var on bool
		switch rot.Step {
		case StepCreating:
			on, err = m.create(ctx, r)
		case StepVerifying:
			on, err = m.tryOut(ctx, r)
		case StepMoving:
			on, err = m.watchMove(ctx, r)
		case StepRetiring, StepDropping:
			on, err = m.retire(ctx, r)
		default:
			return fmt.Errorf("the secret %s is at the step %q, which this usher does not know", name, rot.Step)
		}
		if err != nil || !on {
			return err
		}
	}
	return nil
}

// step changes a rotation where it is still the same one at the same step.
func (m *Manager) step(ctx context.Context, was *record, f func(r *record) error) (*record, error) {
	id, step := was.Rotation.ID, was.Rotation.Step
	return m.change(ctx, was.Config.Name, func(r *record) error {
		if r.Rotation == nil || r.Rotation.ID != id || r.Rotation.Step != step {
			return errMoved
		}
		return f(r)
	})
}

// errMoved tells that somebody else went on with the rotation.
var errMoved = errors.New("the rotation stands elsewhere by now")

// stuck notes why a rotation does not go on, and when it is tried again.
func (m *Manager) stuck(ctx context.Context, r *record, why string, turn usher.Fixer, after time.Duration) error {
	now := m.now().UTC()
	why = clip(why, 500)
	news := false
	r, err := m.step(ctx, r, func(r *record) error {
		rot := r.Rotation
		news = turn != "" && (rot.Trouble != why || rot.Turn != turn)
		if rot.Trouble != why {
			rot.Trouble, rot.Since = why, now
		}
		rot.Turn, rot.Next = turn, now.Add(after)
		return nil
	})
	if err != nil || !news {
		return unlessMoved(err)
	}
	f := finding(&r.Config, CheckRotated)
	f.Outcome, f.Severity, f.Fixer = usher.OutcomeWrong, usher.SeverityHigh, turn
	f.Title = "The rotation of the secret does not go on"
	f.Detail = upper(usher.EscapeValue(why)) + "."
	f.Verify = "the rotation goes on"
	f.Fix = []usher.FixStep{{Text: "Do what the sentence above asks for: usher tries again by itself. Or take the rotation back: usher secrets undo " + r.Config.Name + ".", Risk: usher.RiskNeutral}}
	f.Proof = []usher.Proof{{Place: "managed secret " + r.Config.Name + ", step " + string(r.Rotation.Step), Quote: why}}
	return m.report(ctx, r, now, f)
}

func unlessMoved(err error) error {
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}

// trouble notes what a provider answered. What is no fault of the moment is
// somebody's turn.
func (m *Manager) trouble(ctx context.Context, r *record, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	why, turn := told(err), usher.Fixer("")
	after := m.opt.Pace.Again << min(r.Rotation.Tries, 6)
	switch {
	case errors.Is(err, provider.ErrForbidden), errors.Is(err, provider.ErrNotFound), errors.Is(err, provider.ErrUnsupported), errors.Is(err, provider.ErrFull), errors.Is(err, provider.ErrLast):
		turn, after = usher.FixerTenantAdmin, max(after, 30*m.opt.Pace.Again)
	}
	return m.stuck(ctx, r, why, turn, after)
}

// told gives an error for a person.
func told(err error) string {
	var known *usher.Error
	if errors.As(err, &known) {
		if known.Hint != "" {
			return known.Message + ": " + known.Hint
		}
		return known.Message
	}
	return "the provider could not be asked: " + clip(err.Error(), 300)
}

func (m *Manager) secrets(c *Config) (provider.Secrets, error) {
	if m.opt.Provider != nil {
		if p, ok := m.opt.Provider(c.Provider); ok {
			return p, nil
		}
	}
	return nil, &usher.Error{
		Code: usher.ErrRefused, Message: "usher may not change secrets at the provider " + usher.MarkValue(c.Provider), Err: provider.ErrUnsupported,
		Hint: "configure it under providers: with admin:",
	}
}

// label is what a secret is called at the provider.
func label(name string, n int64, rotation string, try int) string {
	return fmt.Sprintf("usher/%s/%d-%s-%d", name, n, rotation, try)
}

// create has the provider make the new secret, or finds the one that was made
// by whoever did not come to note it.
func (m *Manager) create(ctx context.Context, r *record) (on bool, err error) {
	p, err := m.secrets(&r.Config)
	if err != nil {
		return false, m.trouble(ctx, r, err)
	}
	rules, list, err := m.look(ctx, p, r)
	if err != nil {
		return false, m.trouble(ctx, r, err)
	}
	if at := r.Rotation.Attempt; at != nil {
		return m.find(ctx, p, r, rules, list)
	}
	if r.Rotation.Tries >= mostTries {
		return false, m.stuck(ctx, r, fmt.Sprintf("%d times a secret was asked for and none could be kept; look at the client's secrets and undo the rotation", mostTries), usher.FixerTenantAdmin, 10*time.Minute)
	}
	now := m.now().UTC()
	r, err = m.step(ctx, r, func(r *record) error {
		rot := r.Rotation
		if rot.Attempt != nil {
			return errMoved
		}
		rot.Tries++
		rot.Overlap, rot.Delay, rot.Logged = rules.Overlap, rules.Delay, rules.UseTold
		rot.Attempt = &Attempt{Label: label(r.Config.Name, r.next(), rot.ID, rot.Tries), Holder: m.opt.Holder, Began: now, Until: now.Add(m.opt.Pace.Call * 4 / 3)}
		for _, s := range list {
			rot.Attempt.Before = append(rot.Attempt.Before, s.ID)
		}
		rot.Labels = append(rot.Labels, rot.Attempt.Label)
		m.identify(ctx, r, list)
		return nil
	})
	if err != nil {
		return false, unlessMoved(err)
	}
	calling, cancel := context.WithTimeout(ctx, m.opt.Pace.Call)
	defer cancel()
	made, value, err := p.CreateSecret(calling, r.Config.ClientID, provider.NewSecret{Name: r.Rotation.Attempt.Label})
	if err != nil {
		if nothingMade(err) {
			r, err2 := m.step(ctx, r, func(r *record) error { r.Rotation.Attempt = nil; return nil })
			if err2 != nil {
				return false, unlessMoved(err2)
			}
			return false, m.trouble(ctx, r, err)
		}
		return false, m.trouble(ctx, r, err) // it is looked for then
	}
	return m.adopt(ctx, p, r, made, value)
}

// mostTries bounds how often a rotation asks for a secret.
const mostTries = 5

// nothingMade tells that a call that failed surely made no secret.
func nothingMade(err error) bool {
	for _, e := range []error{provider.ErrForbidden, provider.ErrNotFound, provider.ErrUnsupported, provider.ErrFull, provider.ErrChanged, provider.ErrLast} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// tryOut verifies the new secret, until the provider's delay is over.
func (m *Manager) tryOut(ctx context.Context, r *record) (on bool, err error) {
	v := r.version(r.Rotation.To)
	value, err := m.open(ctx, r.Config.Name, v)
	if err != nil {
		return false, err
	}
	verdict := m.try(ctx, r.Config, value)
	now := m.now().UTC()
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case verdict.Outcome == usher.OutcomeOK:
		p, perr := m.secrets(&r.Config)
		var ends time.Time
		if perr == nil {
			if _, list, err := m.look(ctx, p, r); err == nil {
				if s := m.match(ctx, r, r.version(r.Rotation.From), list); s != nil && s.Ending {
					ends = s.Expires
				}
			}
		}
		_, err = m.step(ctx, r, func(r *record) error {
			rot := r.Rotation
			rot.Step, rot.Moved, rot.Trouble, rot.Turn, rot.Next = StepMoving, now, "", "", now
			rot.OldEnds = ends
			r.handOut(rot.To, VersionOld, now)
			r.version(rot.To).Verified = now
			r.Health = Health{Outcome: usher.OutcomeOK, At: now, Next: now.Add(r.Config.verifyEvery())}
			return nil
		})
		if err == nil {
			m.emit(ctx, &r.Config, "update", usher.StatusSuccess, "the new secret of `"+r.Config.Name+"` works and is handed out", r.Rotation.By)
			m.handed(ctx, r)
		}
		return err == nil, unlessMoved(err)
	case verdict.Outcome == usher.OutcomeWrong && now.After(v.Made.Add(r.Rotation.Delay+m.opt.Pace.Call)):
		// Nobody has it: it is given up, and the old one stays.
		_, err = m.step(ctx, r, func(r *record) error {
			r.Rotation.Step, r.Rotation.Next = StepDropping, now
			r.Rotation.Trouble = "the provider does not take the new secret that it made: " + verdict.Title
			return nil
		})
		return err == nil, unlessMoved(err)
	case verdict.Outcome == usher.OutcomeWrong:
		return false, m.stuck(ctx, r, "the new secret does not work yet: "+verdict.Title, "", m.opt.Pace.Again)
	}
	after := m.opt.Pace.Again << min(int(now.Sub(v.Made)/(10*m.opt.Pace.Again)), 5)
	var turn usher.Fixer
	if now.After(v.Made.Add(r.Rotation.Delay + 5*time.Minute)) {
		turn = usher.FixerDeveloper
	}
	return false, m.stuck(ctx, r, "it cannot be told whether the new secret works, so nobody is given it: "+verdict.Title, turn, after)
}

// handBack is when the newer one is handed out again, where the provider will
// end the one that was handed out in its place; zero: it will not.
func (rot *Rotation) handBack() time.Time {
	if rot.BackEnds.IsZero() {
		return time.Time{}
	}
	return rot.BackEnds.Add(-min(15*time.Minute, rot.BackEnds.Sub(rot.Moved)/2))
}

// watchMove looks whether the old secret may be retired.
func (m *Manager) watchMove(ctx context.Context, r *record) (on bool, err error) {
	now := m.now().UTC()
	holds := m.holdups(r, now)
	if old := r.old(); old != nil && !r.Rotation.OldEnds.IsZero() && !now.Before(r.Rotation.OldEnds) {
		_, err = m.step(ctx, r, func(r *record) error {
			r.end(r.Rotation.From, now, "the provider ended it when its period was over")
			r.finish(now, "the provider ended the old one when its period was over")
			return nil
		})
		if err == nil {
			m.over(ctx, r, "the provider ended the old secret of `"+r.Config.Name+"` when its period was over")
		}
		return err == nil, unlessMoved(err)
	}
	if at := r.Rotation.handBack(); !at.IsZero() {
		if now.Before(at) {
			return false, m.stuck(ctx, r, "", "", min(at.Sub(now), 30*time.Second))
		}
		err := m.Undo(ctx, r.Config.Name, "usher, before the provider ends version "+itoa(r.Rotation.To)+",")
		return err == nil, err
	}
	if len(holds) > 0 && r.Rotation.Forced == "" {
		next := min(max(r.Config.quiet()/8, m.opt.Pace.Tick), 30*time.Second)
		if r.old() == nil && !r.Health.Next.After(now) {
			next = m.opt.Pace.Again
		}
		return false, m.stuck(ctx, r, "", "", next)
	}
	if r.old() == nil { // it ended when the new one was made
		_, err = m.step(ctx, r, func(r *record) error {
			r.finish(now, "every caller has the new one; the old one had ended when it was made")
			return nil
		})
		if err == nil {
			m.over(ctx, r, "every caller has the new secret of `"+r.Config.Name+"`")
		}
		return err == nil, unlessMoved(err)
	}
	_, err = m.step(ctx, r, func(r *record) error {
		// What was noted in between counts.
		if r.Rotation.Forced == "" && len(m.holdups(r, m.now().UTC())) > 0 {
			return errMoved
		}
		r.Rotation.Step, r.Rotation.Next, r.Rotation.Trouble, r.Rotation.Turn = StepRetiring, now, "", ""
		return nil
	})
	return err == nil, unlessMoved(err)
}

// retire ends a secret at the provider: the old one, or the new one that was
// given up.
func (m *Manager) retire(ctx context.Context, r *record) (on bool, err error) {
	p, err := m.secrets(&r.Config)
	if err != nil {
		return false, m.trouble(ctx, r, err)
	}
	rot := r.Rotation
	n := rot.From
	if rot.Step == StepDropping {
		n = rot.To
	}
	_, list, err := m.look(ctx, p, r)
	if err != nil {
		return false, m.trouble(ctx, r, err)
	}
	if v := r.version(n); v != nil {
		id := v.ID
		if s := m.match(ctx, r, v, list); s != nil {
			id = s.ID
		}
		if id == "" {
			return false, m.stuck(ctx, r, "which of the provider's secrets the old one is cannot be told: end it there, and say so with usher secrets retire "+r.Config.Name+" --declare", usher.FixerTenantAdmin, 10*time.Minute)
		}
		if err := m.retireAt(ctx, p, r, id); err != nil {
			return false, m.trouble(ctx, r, err)
		}
	}
	if err := m.sweep(ctx, p, r, list, n); err != nil {
		return false, m.trouble(ctx, r, err)
	}
	now := m.now().UTC()
	how := "no use of the old one was seen any more"
	switch {
	case rot.Step == StepDropping && rot.Undone != "":
		how = rot.Undone + " gave it up before anybody had the new one"
	case rot.Step == StepDropping:
		how = "given up: " + rot.Trouble
	case rot.Forced != "":
		how = rot.Forced + " retired the old one without waiting for proof"
	}
	_, err = m.step(ctx, r, func(r *record) error {
		r.end(n, now, how)
		r.finish(now, how)
		return nil
	})
	if err == nil {
		m.over(ctx, r, "a secret of `"+r.Config.Name+"` was retired: "+how)
	}
	return err == nil, unlessMoved(err)
}

// sweep retires what earlier tries of the rotation left at the provider.
func (m *Manager) sweep(ctx context.Context, p provider.Secrets, r *record, list []provider.ClientSecret, but int64) error {
	for i := range list {
		s := &list[i]
		if s.Name == "" || !slices.Contains(r.Rotation.Labels, s.Name) || r.known(m, ctx, s) || r.byID(s.ID) != nil {
			continue
		}
		if err := m.retireAt(ctx, p, r, s.ID); err != nil {
			return err
		}
	}
	return nil
}

// over tells that a rotation is over, and closes the case of one that did not go
// on.
func (m *Manager) over(ctx context.Context, r *record, message string) {
	m.emit(ctx, &r.Config, "delete", usher.StatusSuccess, message, r.Rotation.By)
	now := m.now().UTC()
	done := finding(&r.Config, CheckRotated)
	done.Outcome, done.Title = usher.OutcomeOK, "The rotation is over"
	if err := m.report(ctx, r, now, done); err != nil {
		m.log.Error("what a rotation came to cannot be told", "secret", r.Config.Name, "error", err)
	}
}

// Undo hands the old secret out again, or gives the rotation up where nobody
// has the new one. It can be undone until the old one is being retired.
func (m *Manager) Undo(ctx context.Context, name, by string) error {
	now := m.now().UTC()
	r, err := m.change(ctx, name, func(r *record) error {
		rot := r.Rotation
		refused := func(why, hint string) error {
			return &usher.Error{Code: usher.ErrRefused, Message: why, Hint: hint}
		}
		switch {
		case rot == nil:
			return refused("the secret "+name+" is not being rotated", "a secret that was retired does not come back: rotate again")
		case rot.Step == StepRetiring || rot.Step == StepDropping:
			return refused("one of the two secrets is being ended already", "wait, and rotate again")
		case rot.Step == StepCreating && rot.Attempt == nil:
			r.finish(now, by+" gave it up before it had begun")
		case rot.Step == StepCreating:
			return refused("the provider is being asked for the new secret", "wait until it has answered, and undo it then")
		case rot.Step == StepVerifying:
			rot.Step, rot.Undone, rot.Next = StepDropping, by, now
		case r.old() == nil:
			return refused("the old secret works no more: the provider ended it when the new one was made", "rotate again")
		default:
			r.handOut(rot.From, VersionOld, now)
			rot.From, rot.To = rot.To, rot.From
			rot.Moved, rot.Undone, rot.Forced, rot.Next, rot.Trouble, rot.Turn = now, by, "", now, "", ""
			rot.OldEnds, rot.BackEnds = rot.BackEnds, rot.OldEnds
			if !rot.BackEnds.IsZero() {
				r.version(rot.To).Expires = rot.BackEnds
			}
			r.Health = Health{Next: now} // what was said of the other one says nothing of this one
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.emit(ctx, &r.Config, "update", usher.StatusSuccess, "the rotation of the secret `"+name+"` was taken back", by)
	m.handed(ctx, r)
	m.Wake()
	return nil
}
