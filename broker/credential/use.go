package credential

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
)

// Given is a secret as a caller is given it.
type Given struct {
	Name     string
	Version  int64
	ClientID string
	Value    usher.Secret
	Expires  time.Time // zero: never, or not known
	Rotating bool      // another one may come soon
}

// Fetch gives the current version to a caller, and notes that it did before it
// does. have is the version that the caller presents; 0: it presents none. One
// that presents the current version is given no value.
func (m *Manager) Fetch(ctx context.Context, name, caller string, have int64) (Given, error) {
	if caller == "" {
		return Given{}, &usher.Error{Code: usher.ErrForbidden, Message: "who asks for the secret " + name + " is not known"}
	}
	caller = clip(caller, 200)
	now := m.now().UTC()
	r, err := m.change(ctx, name, func(r *record) error {
		if !r.may(caller) {
			return &usher.Error{Code: usher.ErrForbidden, Message: "the secret " + name + " is not for " + usher.MarkValue(caller), Hint: "name the key under callers of the secret"}
		}
		current := r.current()
		c, known := r.Callers[caller]
		if !known && len(r.Callers) >= maxCallers {
			return &usher.Error{Code: usher.ErrTooLarge, Message: "the secret " + name + " has as many callers as usher keeps in mind", Hint: "say which are gone: usher secrets forget " + name}
		}
		if !known {
			c.First = now
		}
		write := !known || c.Given != current.N || now.Sub(c.Seen) >= time.Minute
		c.Given = current.N
		if v := r.version(have); v != nil {
			if !c.Presents || c.Has != have {
				write = true
			}
			c.Presents, c.Has = true, have
			// Until this answer it may have used what it presents.
			if v.State == VersionOld && r.used(v, now, caller) {
				write = true
			}
		}
		if !write {
			return errKeep
		}
		c.Seen = now
		if r.Callers == nil {
			r.Callers = map[string]Caller{}
		}
		r.Callers[caller] = c
		return nil
	})
	if err != nil {
		return Given{}, err
	}
	current := r.current()
	g := Given{Name: name, Version: current.N, ClientID: r.Config.ClientID, Expires: current.Expires, Rotating: r.Rotation != nil}
	if have == current.N {
		return g, nil
	}
	g.Value, err = m.open(ctx, name, current)
	return g, err
}

// may tells whether a caller may fetch the secret. An instance may what its
// key may.
func (r *record) may(caller string) bool {
	if len(r.Config.Callers) == 0 {
		return true
	}
	return slices.Contains(r.Config.Callers, keyOf(caller))
}

// keyOf gives the name of the key that a caller asks with: "checkout" of
// "key checkout@10.0.0.7".
func keyOf(caller string) string {
	key, _, _ := strings.Cut(caller, "@")
	return strings.TrimPrefix(key, "key ")
}

// used notes a use of a version, and tells whether that is worth being written
// down: a quarter of the quiet time is the grain.
func (r *record) used(v *Version, at time.Time, by string) bool {
	if at.Sub(v.Used) <= r.Config.quiet()/4 {
		return false
	}
	v.Used, v.UsedBy = at, clip(by, 200)
	return true
}

// Managed gives the current version to a connection of the broker's own.
func (m *Manager) Managed(ctx context.Context, name string) (usher.Secret, error) {
	now := m.now().UTC()
	r, err := m.change(ctx, name, func(r *record) error {
		if now.Sub(r.Own) < time.Hour {
			return errKeep
		}
		r.Own = now
		return nil
	})
	if err != nil {
		return "", err
	}
	return m.open(ctx, name, r.current())
}

// Forget takes a caller out of the account: a person says that it is gone. A
// name that ends in an asterisk is all that begin so; "key " before it may be
// left out.
func (m *Manager) Forget(ctx context.Context, name, caller, by string) (n int, err error) {
	prefix, many := strings.CutSuffix(caller, "*")
	r, err := m.change(ctx, name, func(r *record) error {
		n = 0
		for _, known := range r.names() {
			short := strings.TrimPrefix(known, "key ")
			if known == caller || short == caller || many && prefix != "" && (strings.HasPrefix(known, prefix) || strings.HasPrefix(short, prefix)) {
				delete(r.Callers, known)
				n++
			}
		}
		if n == 0 {
			return &usher.Error{Code: usher.ErrNotFound, Message: "the secret " + name + " has no such caller", Hint: "usher secrets show " + name + " lists them"}
		}
		return nil
	})
	if err == nil {
		m.emit(ctx, &r.Config, "update", usher.StatusSuccess, strconv.Itoa(n)+" callers of the secret `"+name+"` were declared to be gone", by)
		m.Wake()
	}
	return n, err
}

// Observe takes an event of a provider's log, or of one of usher's own doors,
// that tells which credential was used. It is cheap for all others. A use that
// cannot be written down keeps everything from being retired until it is.
func (m *Manager) Observe(ctx context.Context, ev *usher.Event) {
	if ev.OAuth.Credential == "" || ev.Client.UID == "" {
		return
	}
	m.mu.Lock()
	list := m.index[ev.Client.UID]
	m.mu.Unlock()
	for _, o := range list {
		if o.id == ev.OAuth.Credential {
			m.observed(ctx, o.name, ev)
		}
	}
}

func (m *Manager) observed(ctx context.Context, name string, ev *usher.Event) {
	blocked := Blocked(ev.StatusCode) || Blocked(ev.StatusDetail)
	at := ev.Time.UTC()
	if now := m.now().UTC(); at.After(now) {
		at = now // a log of the future says nothing of it
	}
	m.mu.Lock()
	_, missed := m.unkept[name]
	m.mu.Unlock()
	_, err := m.change(ctx, name, func(r *record) error {
		v := r.byID(ev.OAuth.Credential)
		if v == nil {
			return errKeep
		}
		grain := r.Config.quiet() / 4
		write := false
		if at.Sub(r.LogSeen) > grain || r.Rotation != nil && r.Rotation.Step == StepMoving && at.Sub(r.LogSeen) > grain/4 {
			r.LogSeen, write = at, true
		}
		switch {
		case ev.Status == usher.StatusSuccess:
			if at.Sub(v.Logged) > grain || v.Logged.Before(v.Handed) && !at.Before(v.Handed) {
				v.Logged, write = at, true
			}
			if r.used(v, at, usedBy(ev)) {
				write = true
			}
		case blocked && at.Sub(v.Blocked) > time.Minute:
			v.Blocked, write = at, true
		}
		// What was missed may have been a use of the old one: other replicas learn
		// that from the record alone.
		if old := r.old(); missed && old != nil {
			old.Used, old.UsedBy, write = m.now().UTC(), "somebody, perhaps: it could not be written down", true
		}
		if !write {
			return errKeep
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.log.Error("the use of a secret cannot be written down; nothing is retired until one can", "secret", name, "error", err)
		m.unkept[name] = struct{}{}
		return
	}
	if _, was := m.unkept[name]; was {
		delete(m.unkept, name)
		m.born = m.now() // what was missed may have been a use
	}
}

// usedBy names who used a secret, as far as the record tells.
func usedBy(ev *usher.Event) string {
	switch {
	case ev.Source.IP != "":
		return ev.Source.IP
	case ev.Actor.Known():
		return ev.Actor.String()
	case ev.UserAgent != "":
		return ev.UserAgent
	}
	return ev.Client.String()
}

// remember keeps what events are held against.
func (m *Manager) remember(r *record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(r.Config.Name, r.Config.ClientID)
	m.note(r)
}

func (m *Manager) forget(name, clientID string) {
	list := m.index[clientID]
	kept := list[:0:0]
	for _, o := range list {
		if o.name != name {
			kept = append(kept, o)
		}
	}
	m.index[clientID] = kept
}

func (m *Manager) note(r *record) {
	for _, v := range r.Versions {
		if v.ID != "" {
			m.index[r.Config.ClientID] = append(m.index[r.Config.ClientID], owned{r.Config.Name, v.ID})
		}
	}
}

// sync replaces the index by what the store has.
func (m *Manager) sync(all []*record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.index)
	for _, r := range all {
		m.note(r)
	}
}

// Blocked tells whether an answer says that a policy stood in the way of a
// credential that was right: Entra looks at Conditional Access after the secret.
func Blocked(text string) bool {
	i := strings.Index(text, "53003")
	if i < 0 {
		return false
	}
	digit := func(i int) bool { return i >= 0 && i < len(text) && text[i] >= '0' && text[i] <= '9' }
	return !digit(i-1) && !digit(i+5)
}
