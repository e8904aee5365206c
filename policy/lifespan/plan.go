package lifespan

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Plan decides how long a token is used and when it is renewed. It is pure: the
// same input gives the same plan, in every replica. What can be renewed is
// renewed no earlier than it was received and no later than LeastLife before it
// ends.
func (s *Set) Plan(in Input) Plan {
	w := &work{in: in}
	w.provider()
	w.policies(s)
	w.live()
	w.end()
	w.promise()
	w.renew()
	w.plan.Reasons = slices.DeleteFunc(w.reasons, w.idle)
	return w.plan
}

// work is a plan in the making.
type work struct {
	in      Input
	policy  Policy
	assumed bool // a policy says AssumeLife, and not only the default
	reasons []Reason
	decided []string // fields of the policy that the plan came from

	plan Plan
	life time.Duration // from Received to Expires
	open bool          // the life is unknown, and the token is used until it is refused
	cut  bool          // the absolute limit ends the token
}

func (w *work) say(source, name, field, value, text string) {
	w.reasons = append(w.reasons, Reason{Source: source, Name: name, Text: text, Field: field, Value: value})
}

func (w *work) limit(field, value, text string) { w.say("limit", "", field, value, text) }

// idle tells whether a reason decided nothing: a default that another value
// made no difference to, or a life that is assumed only where none is told. What
// the operator wrote is shown otherwise, also where something stricter counts.
func (w *work) idle(r Reason) bool {
	return (r.Source == "default" || r.Field == "assume_life") && r.Source != "limit" && !slices.Contains(w.decided, r.Field)
}

// provider says what the answer told.
func (w *work) provider() {
	in := &w.in
	in.ExpiresIn, in.RefreshExpiresIn = min(max(in.ExpiresIn, 0), lives), min(max(in.RefreshExpiresIn, 0), lives)
	if in.Connected.IsZero() {
		in.Connected = in.Received
	}
	if in.ExpiresIn > 0 {
		w.say("provider", "", "expires_in", span(in.ExpiresIn), "the provider says that the token lives "+span(in.ExpiresIn))
	} else {
		w.say("provider", "", "expires_in", "", "the provider does not say how long the token lives, or nothing to be believed")
	}
	if in.RefreshExpiresIn > 0 {
		w.say("provider", "", "refresh_expires_in", span(in.RefreshExpiresIn), "the provider says that the refresh token lives "+span(in.RefreshExpiresIn))
	}
}

// policies finds the value of every field: that of the policy, of the default
// where the policy has none, and of a rule that is stricter.
func (w *work) policies(s *Set) {
	base := s.base()
	own, isNamed := Policy{}, false
	if w.in.Policy != "" && w.in.Policy != base.Name {
		if own, isNamed = s.find(w.in.Policy); !isNamed {
			w.limit("policy", w.in.Policy, "there is no policy of the name "+strconv.Quote(w.in.Policy)+"; the default counts")
		}
	}
	for i := range fields {
		f := &fields[i]
		if v := f.get(&base); v > 0 && (!isNamed || !(f.get(&own) > 0)) {
			f.set(&w.policy, v)
			w.say("default", base.Name, f.name, f.show(v), "by default "+f.words(v))
		}
	}
	w.assumed = base.AssumeLife != Default().AssumeLife
	if isNamed {
		for i := range fields {
			f := &fields[i]
			if v := f.get(&own); v > 0 {
				f.set(&w.policy, v)
				w.say("policy", own.Name, f.name, f.show(v), "by the policy "+own.Name+" "+f.words(v))
			}
		}
		w.assumed = w.assumed || own.AssumeLife > 0
	}
	if s == nil {
		return
	}
	for _, r := range s.Rules { // those of scopes first, then those of roles
		if r.Scope != "" && r.applies(&w.in) {
			w.rule(r, "scope", r.Scope)
		}
	}
	for _, r := range s.Rules {
		if r.Scope == "" && r.Role != "" && r.applies(&w.in) {
			w.rule(r, "role", r.Role)
		}
	}
}

// rule takes what a rule says where it is stricter.
func (w *work) rule(r Rule, source, name string) {
	of := "for the " + source + " " + name
	if source == "scope" && r.Role != "" {
		of += " in the role " + r.Role
	}
	for i := range fields {
		f := &fields[i]
		v, now := f.get(&r.Policy), f.get(&w.policy)
		switch {
		case !(v > 0): // not said, or not to be used
		case now == 0 || f.stricter(v, now):
			f.set(&w.policy, v)
			w.say(source, name, f.name, f.show(v), of+" "+f.words(v))
			w.assumed = w.assumed || f.name == "assume_life"
		case v != now:
			w.say(source, name, f.name, f.show(now), of+" "+f.words(v)+"; "+f.show(now)+" is stricter and stays")
		}
	}
}

// live finds how long the token lives.
func (w *work) live() {
	w.decided = append(w.decided, "max_life", "idle", "absolute") // each says something of its own
	w.life = w.in.ExpiresIn
	if w.life == 0 {
		if !w.in.Renewable && !w.assumed && w.policy.MaxLife == 0 {
			w.open = true
			w.limit("assume_life", "", "it cannot be renewed without a person and nobody says when it ends, so it is used until it is refused")
			return
		}
		w.life = time.Duration(w.policy.AssumeLife)
		w.decided = append(w.decided, "assume_life")
		if w.life == 0 {
			w.life = time.Duration(w.policy.MaxLife)
		}
	}
	if most := time.Duration(w.policy.MaxLife); most > 0 && most < w.life {
		w.limit("max_life", span(most), "it is used "+span(most)+" and no longer, though it lives "+span(w.life))
		w.life = most
	}
	w.life = min(w.life, lives)
}

// end finds the moments at which the token and the connection end.
func (w *work) end() {
	in, p := &w.in, &w.plan
	p.Idle = time.Duration(w.policy.Idle)
	if !w.open {
		p.Expires = in.Received.Add(w.life)
	}
	absolute := time.Duration(w.policy.Absolute)
	switch {
	case absolute <= 0:
		return
	case in.Alone:
		w.limit("absolute", "", "it begins anew without a person, so no absolute limit counts")
		return
	}
	p.Absolute = in.Connected.Add(min(absolute, lives))
	if w.open || p.Absolute.Before(p.Expires) {
		w.cut, w.open = true, false
		w.life = max(p.Absolute.Sub(in.Received), 0)
		p.Expires = in.Received.Add(w.life)
		w.limit("absolute", stamp(p.Absolute), "it ends with the absolute limit, at "+stamp(p.Absolute)+": then a person must connect again")
	}
}

// promise caps what callers are promised by what the token can give.
func (w *work) promise() {
	p := &w.plan
	p.LeastLife = time.Duration(w.policy.LeastLife)
	switch {
	case !w.in.Renewable:
		p.LeastLife = 0
		w.limit("least_life", "0s", "it cannot be renewed, so no least life is promised to callers")
		return
	case w.cut:
		p.LeastLife = 0
		w.limit("least_life", "0s", "no renewal reaches beyond the absolute limit, so no least life is promised to callers")
		return
	}
	w.decided = append(w.decided, "least_life")
	most := part(w.life, mostPromised)
	if p.LeastLife > most {
		w.limit("least_life", span(most), "callers are promised "+span(most)+" and not "+span(p.LeastLife)+": the token lives "+span(w.life)+", and with more it would be renewed all the time")
		p.LeastLife = most
	}
}

// renew finds when the token is renewed.
func (w *work) renew() {
	in, p := &w.in, &w.plan
	if !in.Renewable || w.cut {
		w.limit("renew_at", "", map[bool]string{true: "it is not renewed: no new token would outlive the absolute limit", false: "it is not renewed by itself: that takes a person"}[w.cut])
		return
	}
	due, why, by := part(w.life, w.policy.RenewAt), "after "+percent(w.policy.RenewAt)+" of its life", "renew_at"
	before := time.Duration(w.policy.RenewBefore)
	if most := part(w.life, mostBefore); before > most {
		w.decided = append(w.decided, "renew_before")
		w.limit("renew_before", span(most), "it is renewed "+span(most)+" and not "+span(before)+" before its end, since it lives "+span(w.life))
		before = most
	}
	if at := w.life - before; at < due {
		due, why, by = at, span(before)+" before its end", "renew_before"
	}
	if at := w.life - p.LeastLife - min(lead, part(w.life, mostLead)); at < due {
		due, why, by = at, "in time for the "+span(p.LeastLife)+" that callers are promised", "least_life"
	}
	if in.HasRefresh && in.RefreshExpiresIn > 0 {
		if at := part(in.RefreshExpiresIn, refreshUsed); at < due {
			due, why, by = at, "before the refresh token ends, after "+span(in.RefreshExpiresIn), ""
		}
	}
	w.decided = append(w.decided, by)
	w.limit("renew_at", span(due), "it is renewed "+why+", so "+span(due)+" after it was received")
	window := min(part(w.life, w.policy.Jitter), part(due, mostJitter))
	earlier := part(window, spread(in.Connection, in.Generation))
	if earlier > 0 {
		w.decided = append(w.decided, "jitter")
		w.limit("jitter", span(earlier), "it is renewed "+span(earlier)+" earlier than that, of "+span(window)+" by which renewals are spread")
	}
	p.RenewAt = in.Received.Add(due - earlier)
}

// spread gives a number from 0 to 1, below 1, that is the same in every replica
// and another one for every connection and generation.
func spread(connection string, generation int64) float64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(connection+"\x00"), uint64(generation))) // #nosec G115 -- any bits do
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// part gives a part of a time, rounded down.
func part(d time.Duration, p float64) time.Duration {
	if !(p > 0) { // nor is it a number
		return 0
	}
	return time.Duration(float64(d) * min(p, 1))
}

// base gives what counts where a policy is silent.
func (s *Set) base() Policy {
	base := Default()
	own, _ := s.find(base.Name)
	for i := range fields {
		if v := fields[i].get(&own); v > 0 {
			fields[i].set(&base, v)
		}
	}
	return base
}

func (s *Set) find(name string) (Policy, bool) {
	if s == nil {
		return Policy{}, false
	}
	i := slices.IndexFunc(s.Policies, func(p Policy) bool { return p.Name == name })
	if i < 0 {
		return Policy{}, false
	}
	return s.Policies[i], true
}

// applies tells whether a rule is about a connection. A scope may end with an
// asterisk: "payments.*".
func (r *Rule) applies(in *Input) bool {
	if r.Role != "" && r.Role != in.Role {
		return false
	}
	if r.Scope == "" {
		return r.Role != ""
	}
	begin, open := strings.CutSuffix(r.Scope, "*")
	return slices.ContainsFunc(in.Scopes, func(s string) bool {
		return s == r.Scope || open && strings.HasPrefix(s, begin)
	})
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span writes a time as people do: "9m", "1h30m", "30 days".
func span(d time.Duration) string {
	switch {
	case d >= 72*time.Hour && d%(24*time.Hour) == 0:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + " days"
	case d >= time.Second:
		d = d.Round(time.Second / 10)
	case d >= time.Millisecond:
		d = d.Round(time.Millisecond)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func percent(p float64) string { return strconv.FormatFloat(p*100, 'f', -1, 64) + " %" }
