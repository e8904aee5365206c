package credential

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/provider"
)

// look asks for the rules and the secrets.
func (m *Manager) look(ctx context.Context, p provider.Secrets, r *record) (provider.SecretRules, []provider.ClientSecret, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opt.Pace.Call)
	defer cancel()
	rules, err := p.SecretRules(ctx, r.Config.ClientID)
	if err != nil {
		return rules, nil, err
	}
	list, err := p.ClientSecrets(ctx, r.Config.ClientID)
	return rules, list, err
}

// identify finds out which of the provider's secrets the versions are, where
// that is not known: by value where it is told, or because there is one alone.
func (m *Manager) identify(ctx context.Context, r *record, list []provider.ClientSecret) {
	for i := range r.Versions {
		v := &r.Versions[i]
		if v.State == VersionEnded {
			continue
		}
		if s := m.match(ctx, r, v, list); s != nil {
			v.ID = s.ID
			if !s.Expires.IsZero() {
				v.Expires = s.Expires
			}
		}
	}
}

// identifySlack is what the provider's clock may be ahead.
const identifySlack = 5 * time.Minute

// match gives the provider's secret that a version is, or nil.
func (m *Manager) match(ctx context.Context, r *record, v *Version, list []provider.ClientSecret) *provider.ClientSecret {
	var value usher.Secret
	for i := range list {
		s := &list[i]
		if s.Value != "" {
			if value == "" {
				value, _ = m.open(ctx, r.Config.Name, v)
			}
			if value != "" && equal(s.Value, value) {
				return s
			}
		} else if v.ID != "" && s.ID == v.ID {
			return s
		}
	}
	if v.ID != "" {
		return nil
	}
	if value == "" {
		value, _ = m.open(ctx, r.Config.Name, v)
	}
	var only *provider.ClientSecret
	for i := range list {
		s := &list[i]
		hint := strings.TrimRight(s.Hint, "*.…")
		if s.Off || s.Value != "" || r.byID(s.ID) != nil || hint != "" && !strings.HasPrefix(value.Reveal(), hint) {
			continue
		}
		// One that was made after usher had this one took its place; and what does
		// not work is none that the provider has.
		if s.Created.After(v.Made.Add(identifySlack)) || v.State == VersionCurrent && r.Health.Outcome == usher.OutcomeWrong {
			continue
		}
		if only != nil {
			return nil // it may be either
		}
		only = s
	}
	return only
}

// find looks for the secret that an attempt may have made.
func (m *Manager) find(ctx context.Context, p provider.Secrets, r *record, rules provider.SecretRules, list []provider.ClientSecret) (on bool, err error) {
	at := r.Rotation.Attempt
	i := slices.IndexFunc(list, func(s provider.ClientSecret) bool {
		if s.Off || s.Ending || r.known(m, ctx, &s) {
			return false
		}
		if rules.Named {
			return s.Name == at.Label
		}
		return !slices.Contains(at.Before, s.ID)
	})
	now := m.now()
	if i >= 0 && list[i].Value != "" {
		return m.adopt(ctx, p, r, list[i], list[i].Value)
	}
	if until := at.Until.Add(rules.Delay); now.Before(until) {
		// Whoever sent it may still be about to note the answer, and what was made
		// may not be shown yet.
		return false, m.stuck(ctx, r, "a new secret was asked for, and the answer is not known yet", "", min(until.Sub(now), max(m.opt.Pace.Again, until.Sub(now)/8)))
	}
	if i >= 0 { // nobody knows its value, and nobody ever will
		if err := m.retireAt(ctx, p, r, list[i].ID); err != nil {
			return false, m.trouble(ctx, r, err)
		}
		m.log.Warn("a secret whose value was lost on the way was retired", "secret", r.Config.Name, "label", at.Label)
	}
	_, err = m.step(ctx, r, func(r *record) error {
		if r.Rotation.Attempt == nil || r.Rotation.Attempt.Label != at.Label {
			return errMoved
		}
		r.Rotation.Attempt, r.Rotation.Next = nil, now
		return nil
	})
	return err == nil, unlessMoved(err)
}

// known tells whether a secret of the provider's is one of the versions.
func (r *record) known(m *Manager, ctx context.Context, s *provider.ClientSecret) bool {
	for i := range r.Versions {
		v := &r.Versions[i]
		if s.Value == "" {
			if v.ID == s.ID {
				return true
			}
			continue
		}
		if value, err := m.open(ctx, r.Config.Name, v); err == nil && equal(value, s.Value) {
			return true
		}
	}
	return false
}

func (m *Manager) retireAt(ctx context.Context, p provider.Secrets, r *record, id string) error {
	ctx, cancel := context.WithTimeout(ctx, m.opt.Pace.Call)
	defer cancel()
	return p.RetireSecret(ctx, r.Config.ClientID, id)
}

// adopt notes the new secret. It is tried until the store has it: the provider
// may never tell it again.
func (m *Manager) adopt(ctx context.Context, p provider.Secrets, r *record, made provider.ClientSecret, value usher.Secret) (on bool, err error) {
	at := r.Rotation.Attempt
	overlap := m.worksStill(ctx, p, r)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		var sealed []byte
		n := r.next()
		if sealed, err = m.seal(ctx, r.Config.Name, n, value); err == nil {
			_, err = m.step(ctx, r, func(r *record) error {
				rot := r.Rotation
				if rot.Attempt == nil || rot.Attempt.Label != at.Label || r.next() != n {
					return errMoved
				}
				now := m.now().UTC()
				rot.To, rot.Attempt, rot.Trouble, rot.Turn, rot.Next = n, nil, "", "", now
				rot.Overlap = overlap
				r.Versions = append(r.Versions, Version{N: n, ID: made.ID, Label: at.Label, State: VersionNew, Made: now, Expires: made.Expires, Sealed: sealed})
				if overlap {
					rot.Step = StepVerifying
					return nil
				}
				// The old one works no more: whoever waits for a proof waits in vain.
				rot.Step, rot.Moved, r.Health.Next = StepMoving, now, now
				r.handOut(n, VersionEnded, now)
				if v := r.version(rot.From); v != nil {
					v.Ended, v.EndedWhy = now, "the provider ended it when the new one was made"
				}
				return nil
			})
		}
		switch {
		case err == nil:
			m.emit(ctx, &r.Config, "create", usher.StatusSuccess, "the provider made a new secret for `"+r.Config.Name+"`", r.Rotation.By)
			if !overlap {
				m.handed(ctx, r)
			}
			return true, nil
		case errors.Is(err, errMoved):
			return false, m.disown(ctx, p, r.Config.Name, made, value)
		case ctx.Err() != nil:
			return false, err
		}
		m.log.Error("a new secret was made and cannot be written down; it is tried until it is", "secret", r.Config.Name, "error", err)
		if err := wait(ctx, pause); err != nil {
			return false, err
		}
	}
}

// worksStill tells whether the provider takes the old secret beside the new
// one. What it says afterwards counts, not what it promised before.
func (m *Manager) worksStill(ctx context.Context, p provider.Secrets, r *record) bool {
	if !r.Rotation.Overlap {
		return false
	}
	rules, list, err := m.look(ctx, p, r)
	if err != nil || !rules.Told {
		return true // as it was told before
	}
	s := m.match(ctx, r, r.version(r.Rotation.From), list)
	return s != nil && !s.Off
}

// disown retires a secret that came after somebody else had gone on without it.
func (m *Manager) disown(ctx context.Context, p provider.Secrets, name string, made provider.ClientSecret, value usher.Secret) error {
	r, err := m.load(ctx, name)
	if err != nil {
		return err
	}
	made.Value = value
	byID := made
	byID.Value = ""
	if r.known(m, ctx, &made) || r.known(m, ctx, &byID) {
		return nil // it was adopted
	}
	if r.Rotation != nil && !r.Rotation.Overlap {
		return nil // it is the only one
	}
	return m.retireAt(ctx, p, r, made.ID)
}
