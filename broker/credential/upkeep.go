package credential

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"usher"
)

// The checks whose findings a Manager makes. Those of package check by the same
// names look at the same things, and share their cases.
const (
	CheckValid   = "secret-valid"
	CheckExpiry  = "secret-expiry"
	CheckLeaked  = "secret-leaked"
	CheckRotated = "secret-rotation"
)

// warnAt are the days before its end at which the owner of a secret is warned.
var warnAt = [...]int{30, 7, 1}

// warning names the warning that is due and was not given; empty: none.
func (m *Manager) warning(r *record, now time.Time) string {
	v := r.current()
	if v.Expires.IsZero() {
		return ""
	}
	left := v.Expires.Sub(now)
	due := ""
	for _, days := range warnAt { // the last that applies is the one that counts
		if left <= time.Duration(days)*24*time.Hour {
			due = warningKey(v, days)
		}
	}
	if slices.Contains(r.Warned, due) {
		return ""
	}
	return due
}

func warningKey(v *Version, days int) string {
	return fmt.Sprintf("%d/%d/%d", v.N, v.Expires.Unix(), days)
}

// planned says why a rotation is to begin by itself; empty: none is.
func (m *Manager) planned(r *record, now time.Time) string {
	if r.Rotation != nil || r.Config.Provider == "" {
		return ""
	}
	v := r.current()
	if n := len(r.Begun); n > 0 && now.Sub(r.Begun[n-1]) < m.opt.Cap.Apart {
		return ""
	}
	if n := len(r.Past); n > 0 && now.Sub(r.Past[n-1].Began) < m.opt.Cap.Apart {
		return ""
	}
	if sources := r.signals(v.N); r.Config.OnLeak == LeakAutomatic && len(sources) >= 2 {
		return "it leaked: " + sources[0] + " and " + sources[1] + " say so, and the policy is automatic"
	}
	if every := time.Duration(r.Config.RotateEvery); every > 0 {
		switch {
		case !now.Before(v.Made.Add(every)):
			return "it is older than " + every.String()
		case !v.Expires.IsZero() && !now.Before(v.Expires.Add(-7*24*time.Hour)) && now.After(v.Made.Add(24*time.Hour)):
			return "it expires at " + v.Expires.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// upkeep verifies, warns, and begins what is to begin by itself.
func (m *Manager) upkeep(ctx context.Context, name string) error {
	r, err := m.load(ctx, name)
	if err != nil {
		return err
	}
	now := m.now().UTC()
	if !now.Before(r.Health.Next) {
		if r, err = m.verify(ctx, r); err != nil {
			return err
		}
	}
	if err := m.settle(ctx, r); err != nil {
		return err
	}
	if err := m.warn(ctx, r); err != nil {
		return err
	}
	if why := m.planned(r, now); why != "" {
		if err := m.begin(ctx, name, why, "policy"); err != nil {
			m.log.Warn("a secret that should be rotated is not", "secret", name, "why", why, "error", told(err))
			return nil
		}
		m.Wake()
	}
	return nil
}

// Verify tries the current version now.
func (m *Manager) Verify(ctx context.Context, name string) (Health, error) {
	r, err := m.load(ctx, name)
	if err != nil {
		return Health{}, err
	}
	r, err = m.verify(ctx, r)
	if err != nil {
		return Health{}, err
	}
	return r.Health, nil
}

func (m *Manager) verify(ctx context.Context, r *record) (*record, error) {
	n := r.current().N
	value, err := m.open(ctx, r.Config.Name, r.current())
	if err != nil {
		return nil, err
	}
	verdict := m.try(ctx, r.Config, value)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	now := m.now().UTC()
	fresh := false
	r, err = m.change(ctx, r.Config.Name, func(r *record) error {
		v := r.current()
		if v.N != n {
			return errKeep // another one was handed out meanwhile
		}
		fresh = true
		every := r.Config.verifyEvery()
		h := Health{Outcome: verdict.Outcome, Cause: verdict.Cause, Title: clip(verdict.Title, 400), At: now, Next: now.Add(every)}
		switch verdict.Outcome {
		case usher.OutcomeOK:
			v.Verified = now
			if verdict.Blocked {
				v.Blocked = now
			} else {
				v.Blocked = time.Time{}
			}
		case usher.OutcomeWrong:
			// Once may be the provider's own trouble; twice is an answer.
			if h.Wrongs = r.Health.Wrongs + 1; h.Wrongs < 2 {
				h.Next = now.Add(min(every, 5*m.opt.Pace.Again))
			}
		default:
			h.Next = now.Add(min(every, 10*time.Minute))
		}
		r.Health = h
		return nil
	})
	if err != nil || !fresh {
		return r, err
	}
	f := finding(&r.Config, CheckValid)
	f.Outcome, f.Cause, f.Severity = verdict.Outcome, verdict.Cause, usher.SeverityHigh
	f.Title = healthTitle(verdict)
	f.Fixer, f.Verify = usher.FixerDeveloper, "usher tries the secret again on schedule, or with usher secrets verify "+r.Config.Name
	f.Fix = []usher.FixStep{
		{Text: "Find out who changed the secret at the provider: usher manages it, and did not.", Risk: usher.RiskNeutral},
		{Text: "Make another one: usher secrets rotate " + r.Config.Name + "; or hand in the one that is right: usher secrets add " + r.Config.Name + " after usher secrets remove " + r.Config.Name + ".", Risk: usher.RiskNeutral},
	}
	f.Proof = []usher.Proof{{Place: "the token endpoint " + r.Config.TokenEndpoint, Quote: verdict.Title, Expected: "it is taken", Got: string(verdict.Outcome)}}
	if verdict.Outcome == usher.OutcomeWrong && r.Health.Wrongs < 2 {
		return r, nil
	}
	return r, m.report(ctx, r, now, f)
}

// warn tells the owner of a secret that its end is near, once for each of
// warnAt, and that it is not any more.
func (m *Manager) warn(ctx context.Context, r *record) error {
	now := m.now().UTC()
	due := m.warning(r, now)
	v := r.current()
	if due == "" {
		// A later version that lives long proves the case of an earlier one.
		if len(r.Warned) == 0 || r.Rotation != nil || m.near(v, now) {
			return nil
		}
		f := finding(&r.Config, CheckExpiry)
		f.Outcome, f.Title = usher.OutcomeOK, "The secret does not end soon"
		if err := m.report(ctx, r, now, f); err != nil {
			return err
		}
		_, err := m.change(ctx, r.Config.Name, func(r *record) error { r.Warned = nil; return nil })
		return err
	}
	left := v.Expires.Sub(now)
	f := finding(&r.Config, CheckExpiry)
	f.Outcome, f.Fixer, f.Verify = usher.OutcomeWrong, usher.FixerDeveloper, "usher secrets shows another end"
	f.Severity = usher.SeverityMedium
	switch {
	case left <= 24*time.Hour:
		f.Severity = usher.SeverityCritical
	case left <= 7*24*time.Hour:
		f.Severity = usher.SeverityHigh
	}
	when := "expires in " + strconv.Itoa(int(left/(24*time.Hour))) + " days"
	switch {
	case left <= 0:
		when, f.Cause = "has expired", "client-secret-expired"
	case left < 48*time.Hour:
		when = "expires in " + strconv.Itoa(int(left/time.Hour)) + " hours"
	}
	owner := r.Config.Owner
	if owner == "" {
		owner = "nobody is named as its owner"
	}
	f.Title = "The secret " + when
	f.Detail = "It ends at " + v.Expires.UTC().Format(time.RFC3339) + ". Owner: " + usher.EscapeValue(owner) + "."
	f.Proof = []usher.Proof{{Place: "managed secret " + r.Config.Name, Quote: "expires " + v.Expires.UTC().Format(time.RFC3339), Expected: "more than 30 days", Got: when}}
	f.Fix = []usher.FixStep{{Text: "Look at what a rotation would do: usher secrets rotate " + r.Config.Name + " --plan; then do it: usher secrets rotate " + r.Config.Name + ".", Risk: usher.RiskNeutral}}
	if err := m.report(ctx, r, now, f); err != nil {
		return err
	}
	_, err := m.change(ctx, r.Config.Name, func(r *record) error {
		if slices.Contains(r.Warned, due) {
			return errKeep
		}
		r.Warned = append(r.Warned, due)
		return nil
	})
	return err
}

// healthTitle says what a verification came to.
func healthTitle(v Verdict) string {
	switch v.Outcome {
	case usher.OutcomeOK:
		return "The secret works: " + v.Title
	case usher.OutcomeWrong:
		return "The secret does not work: " + v.Title
	}
	return "Whether the secret works is not known: " + v.Title
}

func (m *Manager) near(v *Version, now time.Time) bool {
	return !v.Expires.IsZero() && v.Expires.Sub(now) <= time.Duration(warnAt[0])*24*time.Hour
}

func finding(c *Config, check string) usher.Finding {
	return usher.Finding{
		Check: check, Confidence: 1, Step: usher.StepRegistration, Subject: usher.Subject{Client: c.ClientID},
		Proof: []usher.Proof{}, Fix: []usher.FixStep{}, References: []string{},
	}
}

func (m *Manager) report(ctx context.Context, r *record, at time.Time, findings ...usher.Finding) error {
	if m.opt.Report == nil {
		return nil
	}
	return m.opt.Report(ctx, Report{Config: r.Config, At: at, Findings: findings})
}
