package credential

import (
	"context"
	"slices"
	"time"

	"usher"
)

// trial is a time in which usher tried a secret of a client itself: the
// provider's log tells of refusals then that are no trouble of anybody's.
type trial struct {
	client string
	begun  time.Time
	ended  time.Time // zero: it is under way
	left   int       // refusals that may be its own
}

// What is taken for a trial's own: the provider's clock may differ a little, and
// its log comes late.
const (
	trialSlack  = 3 * time.Second
	trialMemory = 15 * time.Minute
	trialMost   = 2 // a code that is made up, and a secret that is
)

// try tries a secret, and remembers that it did.
func (m *Manager) try(ctx context.Context, c Config, value usher.Secret) Verdict {
	t := &trial{client: c.ClientID, begun: m.now(), left: trialMost}
	m.mu.Lock()
	m.trials = append(slices.DeleteFunc(m.trials, func(t *trial) bool { return !t.ended.IsZero() && m.now().Sub(t.ended) > trialMemory }), t)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		t.ended = m.now()
	}()
	return m.opt.Verify(ctx, c, value)
}

// Own tells whether a refusal in a provider's log is of a trial of usher's own,
// by its client and its time. Of each trial it takes two at most, so that a real
// outage is not hidden.
func (m *Manager) Own(ev *usher.Event) bool {
	if !ev.Refused() || ev.Client.UID == "" || ev.User.Known() {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.trials {
		if t.client != ev.Client.UID || t.left == 0 || ev.Time.Before(t.begun.Add(-trialSlack)) || !t.ended.IsZero() && ev.Time.After(t.ended.Add(trialSlack)) {
			continue
		}
		t.left--
		return true
	}
	return false
}
