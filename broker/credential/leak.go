package credential

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"usher"
)

// Seen says where a secret was seen that should not be there. It is known by
// its value, by its SHA-256, or by whose it is.
type Seen struct {
	Name   string       // of the managed secret; empty: all are compared
	Value  usher.Secret //
	Sum    string       // hex of SHA-256 of the value, with or without "sha256:" before it
	Client string       // client id, where nothing is known of the value
	Source string       // who says so: two different ones are two independent signals
	Detail string       // where, masked
	By     string       // who handed it in
}

// LeakState says what a secret that leaked is good for.
type LeakState string

// The states of a leaked secret.
const (
	LeakLive    LeakState = "live"                   // it works
	LeakBlocked LeakState = "live, but blocked here" // it is right, and a policy shuts it out from where it was tried
	LeakDead    LeakState = "dead"                   // it works no more
	LeakUnknown LeakState = "unknown"                // whether it works is not known: as dangerous as live
)

// Leaked is what became of a report of a leak.
type Leaked struct {
	Name    string      `json:"name"`
	Client  string      `json:"client"`
	Version int64       `json:"version"`
	State   LeakState   `json:"state"`
	Signals []string    `json:"signals"` // sources that say so, this one included
	Policy  string      `json:"policy"`  // ask or automatic
	Begun   bool        `json:"begun"`   // a rotation was begun by it
	Text    string      `json:"text"`    // a sentence
	Turn    usher.Fixer `json:"turn,omitempty"`
}

// maxSource bounds the name of a source.
const maxSource = 60

// Leaked takes a report that secrets leaked. It gives those that are managed
// here; none: the value is nobody's that usher knows.
func (m *Manager) Leaked(ctx context.Context, s Seen) ([]Leaked, error) {
	sum := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(s.Sum), "sha256:"))
	switch {
	case s.Value == "" && sum == "" && s.Client == "":
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "nothing says which secret leaked", Hint: "send its value, or its SHA-256 in hex"}
	case sum != "" && (len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != ""):
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "the fingerprint is no SHA-256 in hex", Hint: "printf %s \"$SECRET\" | sha256sum"}
	case len(s.Value) > 8192:
		return nil, &usher.Error{Code: usher.ErrTooLarge, Message: "what leaked is longer than a secret"}
	}
	if s.Source = strings.TrimSpace(s.Source); len(s.Source) > 8192 || len(s.Detail) > 8192 {
		return nil, &usher.Error{Code: usher.ErrTooLarge, Message: "who saw the leak and where is too long", Hint: "name the source in a word, and the place in a line"}
	}
	if s.Source == "" {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "nobody says who saw the leak", Hint: "name the source: two different ones are two signals"}
	}
	all, err := m.records(ctx)
	if err != nil {
		return nil, err
	}
	answer := []Leaked{}
	for _, r := range all {
		if s.Name != "" && r.Config.Name != s.Name {
			continue
		}
		if n := m.which(ctx, r, s.Value, sum, s.Client); n != 0 {
			one, err := m.leaked(ctx, r.Config.Name, n, s)
			if err != nil {
				return answer, err
			}
			answer = append(answer, one)
		}
	}
	return answer, nil
}

// which gives the version that was seen; 0: none.
func (m *Manager) which(ctx context.Context, r *record, value usher.Secret, sum, client string) int64 {
	if value == "" && sum == "" {
		if client == r.Config.ClientID {
			return r.current().N
		}
		return 0
	}
	for i := len(r.Versions) - 1; i >= 0; i-- {
		v := &r.Versions[i]
		own, err := m.open(ctx, r.Config.Name, v)
		if err != nil {
			continue
		}
		if value != "" && equal(own, value) {
			return v.N
		}
		if h := sha256.Sum256([]byte(own.Reveal())); sum != "" && hex.EncodeToString(h[:]) == sum {
			return v.N
		}
	}
	return 0
}

// signals gives the sources that say that a version leaked.
func (r *record) signals(n int64) (sources []string) {
	for _, l := range r.Leaks {
		if l.Version == n && !slices.Contains(sources, l.Source) {
			sources = append(sources, l.Source)
		}
	}
	return sources
}

func (m *Manager) leaked(ctx context.Context, name string, n int64, s Seen) (Leaked, error) {
	now := m.now().UTC()
	r, err := m.change(ctx, name, func(r *record) error {
		s.Source, s.Detail = clip(m.masked(ctx, r, n, s.Source), maxSource), m.masked(ctx, r, n, s.Detail)
		if slices.ContainsFunc(r.Leaks, func(l Leak) bool { return l.Version == n && l.Source == s.Source && now.Sub(l.At) < time.Minute }) {
			return errKeep
		}
		r.exposed(n, now)
		r.Leaks = append(r.Leaks, Leak{Version: n, Source: s.Source, Detail: clip(s.Detail, 300), At: now})
		if over := len(r.Leaks) - maxLeaks; over > 0 {
			r.Leaks = slices.Delete(r.Leaks, 0, over)
		}
		return nil
	})
	if err != nil {
		return Leaked{}, err
	}
	v := r.version(n)
	policy := r.Config.OnLeak
	if policy == "" {
		policy = LeakAsk
	}
	out := Leaked{Name: name, Client: r.Config.ClientID, Version: n, Signals: r.signals(n), Policy: policy, State: m.live(ctx, r, v)}
	if out.State == LeakDead {
		out.Text = "this version was retired: nothing has to be done"
		return out, nil
	}
	switch {
	case v.State == VersionOld:
		out.Text, out.Turn = "it is being replaced already; who still uses it keeps it alive: usher secrets show "+name, usher.FixerDeveloper
	case policy == LeakAutomatic && len(out.Signals) >= 2:
		if why := m.planned(r, now); why != "" {
			if err := m.begin(ctx, name, why, "policy"); err == nil {
				out.Begun = true
				m.Wake()
			}
		}
		if out.Begun {
			out.Text = "a rotation was begun"
		} else {
			out.Text, out.Turn = "a rotation is due, and the bound on rotations that nobody asked for holds it back: begin it yourself with usher secrets rotate "+name, usher.FixerTenantAdmin
		}
	case policy == LeakAutomatic:
		out.Text, out.Turn = "one signal begins no rotation by itself: rotate it with usher secrets rotate "+name+", or wait for a second one", usher.FixerTenantAdmin
	default:
		out.Text, out.Turn = "look at the plan and rotate it: usher secrets rotate "+name+" --plan", usher.FixerTenantAdmin
	}
	f := finding(&r.Config, CheckLeaked)
	f.Outcome, f.Severity, f.Fixer = usher.OutcomeWrong, usher.SeverityCritical, usher.FixerTenantAdmin
	f.Title = "The secret leaked and is " + string(out.State)
	f.Detail = "Seen by: " + usher.EscapeValue(strings.Join(out.Signals, ", ")) + ". "
	if out.State == LeakBlocked {
		f.Detail += "A policy (AADSTS53003) shuts it out from where it was tried, after it was found right: from elsewhere it may work, so it is exposed all the same. "
	}
	f.Detail += upper(out.Text) + "."
	f.Verify = "usher retires the version that leaked"
	f.Fix = []usher.FixStep{
		{Text: "Look at what a rotation would do: usher secrets rotate " + name + " --plan.", Risk: usher.RiskNeutral},
		{Text: "Rotate it: usher secrets rotate " + name + ".", Risk: usher.RiskTightening},
		{Text: "Take it out of where it was seen, and look in the provider's log for uses that are not yours.", Risk: usher.RiskTightening},
	}
	f.Proof = []usher.Proof{{Place: s.Source, Quote: clip(s.Detail, 200), Expected: "no secret", Got: "version " + itoa(n) + " of " + name}}
	if err := m.report(ctx, r, now, f); err != nil {
		return out, err
	}
	// It may have ended, and that may have been told, while it was tried.
	_, err = m.change(ctx, name, func(r *record) error {
		if r.Exposed != nil {
			return errKeep
		}
		r.Exposed = &Exposed{Next: now}
		return nil
	})
	return out, err
}

// exposed notes that a version leaked that works.
func (r *record) exposed(n int64, now time.Time) {
	if v := r.version(n); v != nil && v.State != VersionEnded && r.Exposed == nil {
		r.Exposed = &Exposed{Next: now}
	}
}

// leaking tells whether a version that leaked is not ended.
func (r *record) leaking() bool {
	return slices.ContainsFunc(r.Versions, func(v Version) bool { return v.State != VersionEnded && len(r.signals(v.N)) > 0 })
}

// settled tells whether it is to be looked whether a leak that was told is over.
func (r *record) settled(now time.Time) bool {
	return r.Exposed != nil && !now.Before(r.Exposed.Next) && !r.leaking()
}

// settle tells that a leak is over, once no version that leaked works any more:
// it has ended, and is not taken when it is tried.
func (m *Manager) settle(ctx context.Context, r *record) error {
	now := m.now().UTC()
	if !r.settled(now) {
		return nil
	}
	done, again := true, 15*m.opt.Pace.Again
	proof := usher.Proof{Place: "managed secret " + r.Config.Name, Expected: "no version that leaked works"}
	for i := range r.Versions {
		v := &r.Versions[i]
		if len(r.signals(v.N)) == 0 {
			continue
		}
		value, err := m.open(ctx, r.Config.Name, v)
		if err != nil {
			continue // what it was is not kept: its end counts
		}
		verdict := m.try(ctx, r.Config, value)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Who could tell once that it works must tell that it does not.
		if verdict.Outcome == usher.OutcomeOK || verdict.Outcome == usher.OutcomeUnknown && !v.Verified.IsZero() {
			done = false
			again = max(again, min(now.Sub(v.Ended)/2, 6*time.Hour))
		}
		proof.Quote = "version " + itoa(v.N) + " ended: " + v.EndedWhy
		proof.Got = verdict.Title
	}
	if done {
		f := finding(&r.Config, CheckLeaked)
		f.Outcome, f.Title, f.Proof = usher.OutcomeOK, "The secret that leaked was retired", []usher.Proof{proof}
		if err := m.report(ctx, r, now, f); err != nil {
			return err
		}
	}
	_, err := m.change(ctx, r.Config.Name, func(r *record) error {
		switch {
		case r.Exposed == nil:
			return errKeep
		case !done: // the provider takes it for a while yet, or cannot be asked
			r.Exposed.Next = now.Add(again)
		case r.leaking(): // another one leaked meanwhile
			return errKeep
		default:
			r.Exposed = nil
		}
		return nil
	})
	return err
}

// live tells what a version that leaked is good for. It is tried, unless it has
// ended.
func (m *Manager) live(ctx context.Context, r *record, v *Version) LeakState {
	if v == nil || v.State == VersionEnded {
		return LeakDead
	}
	value, err := m.open(ctx, r.Config.Name, v)
	if err != nil {
		return LeakUnknown
	}
	verdict := m.try(ctx, r.Config, value)
	switch {
	case verdict.Outcome == usher.OutcomeOK && verdict.Blocked:
		return LeakBlocked
	case verdict.Outcome == usher.OutcomeOK:
		return LeakLive
	case verdict.Outcome == usher.OutcomeUnknown && !v.Blocked.IsZero():
		return LeakBlocked
	}
	return LeakUnknown // one refusal does not say that it is dead: it may not be known everywhere yet
}
