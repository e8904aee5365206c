package credential

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mrand "math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/seal"
	"usher/provider"
)

// Store is what a Manager needs of broker.Store.
type Store interface {
	Blobs(ctx context.Context, kind string) ([]broker.Blob, error)
	Blob(ctx context.Context, kind, name string) (broker.Blob, error)
	PutBlob(ctx context.Context, b broker.Blob) error
	DropBlob(ctx context.Context, b broker.Blob) error
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (broker.Lease, error)
	Extend(ctx context.Context, l broker.Lease, ttl time.Duration) error
	Release(ctx context.Context, l broker.Lease) error
}

// Kind is the kind of the documents that managed secrets are.
const Kind = "secret"

// Options are what New needs. Store and Seal are required.
type Options struct {
	Store Store
	Seal  seal.Sealer
	// Provider gives what rotates secrets at a configured provider; nil, and
	// false, is that usher may not.
	Provider func(name string) (provider.Secrets, bool)
	// Verify tries a secret at its token endpoint; nil: it is unknown always.
	Verify func(ctx context.Context, c Config, secret usher.Secret) Verdict
	// Report takes findings to the casebook; nil: nobody is told.
	Report func(ctx context.Context, r Report) error
	// Handed is told that another version of a secret was handed out; nil: nobody is.
	Handed func(ctx context.Context, name string)
	// Emit is told of what was done; nil: nobody is told.
	Emit func(ctx context.Context, ev usher.Event)

	Now    func() time.Time // nil: time.Now
	Holder string           // of leases: this replica
	Log    *slog.Logger     // nil: nowhere
	Cap    Cap
	Pace   Pace
}

// Cap bounds rotations, over all replicas.
type Cap struct {
	PerHour int // that are begun in an hour, of all secrets; 0 is 20
	// Apart is the least time between two rotations of one secret that nobody
	// asked for; 0 is an hour.
	Apart time.Duration
}

// Pace are times that only tests have a reason to change.
type Pace struct {
	Tick     time.Duration // how often it is looked whether something is to be done; 0 is 1 s
	Lease    time.Duration // 0 is 10 s
	Call     time.Duration // the longest that a call of a provider takes; 0 is 45 s
	Again    time.Duration // before a provider that failed is asked again, at first; 0 is 2 s
	InFlight time.Duration // how long a request of the broker's own may be under way; 0 is 65 s
}

// Report is what was found out about a managed secret.
type Report struct {
	Config   Config
	At       time.Time
	Findings []usher.Finding
}

// Manager keeps managed secrets. It is safe for concurrent use; any number of
// replicas may work on one store.
type Manager struct {
	opt  Options
	now  func() time.Time
	log  *slog.Logger
	wake chan struct{}
	born time.Time // uses from before may not have been seen

	turns chan struct{}
	group sync.WaitGroup // of what Run has begun

	mu     sync.Mutex
	busy   map[string]bool     // names that this process works on
	index  map[string][]owned  // client id to versions, for events
	trials []*trial            // of the last while
	unkept map[string]struct{} // uses that could not be written down: nothing is retired meanwhile

	spotted    map[string]time.Time     // what was told of logs, and when
	needles    atomic.Pointer[[]needle] // nil: there is nothing to look for
	sharpening sync.Mutex
}

// owned is a version of a managed secret, as events are held against it.
type owned struct{ name, id string }

// New makes a Manager. It asks nobody yet.
func New(opt Options) *Manager {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if opt.Holder == "" {
		opt.Holder = random(6)
	}
	if opt.Verify == nil {
		opt.Verify = func(context.Context, Config, usher.Secret) Verdict {
			return Verdict{Outcome: usher.OutcomeUnknown, Title: "nothing is set up to verify it"}
		}
	}
	if opt.Cap.PerHour <= 0 {
		opt.Cap.PerHour = 20
	}
	for _, d := range []struct {
		at *time.Duration
		to time.Duration
	}{
		{&opt.Cap.Apart, time.Hour},
		{&opt.Pace.Tick, time.Second},
		{&opt.Pace.Lease, 10 * time.Second},
		{&opt.Pace.Call, 45 * time.Second},
		{&opt.Pace.Again, 2 * time.Second},
		{&opt.Pace.InFlight, 65 * time.Second},
	} {
		if *d.at <= 0 {
			*d.at = d.to
		}
	}
	return &Manager{
		opt: opt, now: opt.Now, log: opt.Log, wake: make(chan struct{}, 1), born: opt.Now(), turns: make(chan struct{}, parallel),
		busy: map[string]bool{}, index: map[string][]owned{}, unkept: map[string]struct{}{}, spotted: map[string]time.Time{},
	}
}

// random gives n random bytes in hex.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails, as it documents
	return hex.EncodeToString(b)
}

// errKeep tells change that there is nothing to write.
var errKeep = errors.New("nothing is to be written")

// ErrNotFound tells that there is no such secret.
var ErrNotFound = &usher.Error{Code: usher.ErrNotFound, Message: "there is no managed secret of that name", Hint: "usher secrets lists them"}

// load reads a record.
func (m *Manager) load(ctx context.Context, name string) (*record, error) {
	b, err := m.opt.Store.Blob(ctx, Kind, name)
	if errors.Is(err, broker.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read the secret %s: %w", name, err)
	}
	return decode(b)
}

func decode(b broker.Blob) (*record, error) {
	r := &record{blob: b.Version}
	if err := json.Unmarshal(b.Body, r); err != nil || r.current() == nil {
		return nil, &usher.Error{Code: usher.ErrInternal, Message: "what is kept of the secret " + b.Name + " cannot be read", Hint: "a newer usher may have written it"}
	}
	return r, nil
}

func (m *Manager) put(ctx context.Context, r *record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return &usher.Error{Code: usher.ErrInternal, Message: "the secret " + r.Config.Name + " cannot be written down"}
	}
	if err := m.opt.Store.PutBlob(ctx, broker.Blob{Kind: Kind, Name: r.Config.Name, Version: r.blob, Body: body}); err != nil {
		return fmt.Errorf("write down the secret %s: %w", r.Config.Name, err)
	}
	r.blob++
	return nil
}

// change reads a record, has f change it, and writes it down; once more when
// somebody else wrote in between. What f returns as errKeep writes nothing.
func (m *Manager) change(ctx context.Context, name string, f func(r *record) error) (*record, error) {
	for try := 0; ; try++ {
		r, err := m.load(ctx, name)
		if err != nil {
			return nil, err
		}
		switch err := f(r); {
		case errors.Is(err, errKeep):
			return r, nil
		case err != nil:
			return r, err
		}
		err = m.put(ctx, r)
		if err == nil {
			m.remember(r)
			return r, nil
		}
		if !errors.Is(err, broker.ErrStale) || try >= 100 {
			return nil, err
		}
		if err := wait(ctx, time.Duration(mrand.Int64N(int64(time.Millisecond)<<min(try, 5)))); err != nil {
			return nil, err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func purpose(name string, n int64) string { return "secret/" + name + "/" + strconv.FormatInt(n, 10) }

func (m *Manager) seal(ctx context.Context, name string, n int64, value usher.Secret) ([]byte, error) {
	sealed, err := m.opt.Seal.Seal(ctx, purpose(name, n), []byte(value.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("seal the secret %s: %w", name, err)
	}
	return sealed, nil
}

func (m *Manager) open(ctx context.Context, name string, v *Version) (usher.Secret, error) {
	if v == nil || len(v.Sealed) == 0 {
		return "", &usher.Error{Code: usher.ErrInternal, Message: "no value is kept of the secret " + name}
	}
	plain, err := m.opt.Seal.Open(ctx, purpose(name, v.N), v.Sealed)
	if err != nil {
		return "", fmt.Errorf("open the secret %s: %w", name, err)
	}
	return usher.Secret(plain), nil
}

// Handed is a secret as it is handed in.
type Handed struct {
	Value usher.Secret
	ID    string    // the provider's id of it; empty: found out, where the provider tells
	Ends  time.Time // zero: not known
}

// Add begins to manage a secret with the value that is in use now.
func (m *Manager) Add(ctx context.Context, c Config, s Handed) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if s.Value == "" {
		return &usher.Error{Code: usher.ErrUsage, Message: "the secret " + c.Name + " has no value", Hint: "give a file that holds it: --secret-file"}
	}
	if c.Made.IsZero() {
		c.Made = m.now().UTC()
	}
	sealed, err := m.seal(ctx, c.Name, 1, s.Value)
	if err != nil {
		return err
	}
	r := &record{Config: c, Versions: []Version{{N: 1, ID: s.ID, State: VersionCurrent, Made: c.Made, Handed: c.Made, Expires: s.Ends, Sealed: sealed}}}
	err = m.put(ctx, r)
	if errors.Is(err, broker.ErrStale) {
		return &usher.Error{Code: usher.ErrChanged, Message: "there is a managed secret of the name " + c.Name + " already", Hint: "usher secrets shows it"}
	}
	if err != nil {
		return err
	}
	m.remember(r)
	m.emit(ctx, &c, "create", usher.StatusSuccess, "usher manages the secret `"+c.Name+"` of client "+usher.MarkValue(c.ClientID), c.MadeBy)
	m.Wake()
	return nil
}

// Configure replaces what somebody set up; the versions stay.
func (m *Manager) Configure(ctx context.Context, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	_, err := m.change(ctx, c.Name, func(r *record) error {
		if r.Config.ClientID != c.ClientID || r.Config.Provider != c.Provider && r.Rotation != nil {
			return &usher.Error{Code: usher.ErrRefused, Message: "the secret " + c.Name + " belongs to client " + usher.MarkValue(r.Config.ClientID), Hint: "remove it and add it again, or give the new one another name"}
		}
		c.Made, c.MadeBy = r.Config.Made, r.Config.MadeBy
		if same(&r.Config, &c) {
			return errKeep
		}
		r.Config = c
		return nil
	})
	return err
}

func same(a, b *Config) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// Remove ends the managing of a secret. At the provider nothing is changed; a
// rotation that is under way is refused, for its other secret would be lost.
func (m *Manager) Remove(ctx context.Context, name string) error {
	r, err := m.load(ctx, name)
	if err != nil {
		return err
	}
	if r.Rotation != nil {
		return &usher.Error{Code: usher.ErrRefused, Message: "the secret " + name + " is being rotated", Hint: "wait, or undo the rotation: usher secrets undo " + name}
	}
	err = m.opt.Store.DropBlob(ctx, broker.Blob{Kind: Kind, Name: name, Version: r.blob})
	if errors.Is(err, broker.ErrStale) {
		return &usher.Error{Code: usher.ErrChanged, Message: "the secret " + name + " was changed in this moment", Hint: "try again"}
	}
	return err
}

// Wake has it looked at once whether something is to be done.
func (m *Manager) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run goes on with rotations, verifies and warns, until ctx ends and what is
// under way has ended.
func (m *Manager) Run(ctx context.Context) {
	t := time.NewTicker(m.opt.Pace.Tick)
	defer t.Stop()
	defer m.group.Wait()
	for failed := false; ; {
		err := m.start(ctx, &m.group)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failed {
			m.log.Error("managed secrets cannot be looked after; it is tried again", "error", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-m.wake:
		}
	}
}

// parallel bounds how many secrets are worked on at once.
const parallel = 16

// Tick does once what is to be done now, and returns when it is done.
func (m *Manager) Tick(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	return m.start(ctx, &group)
}

// start begins what is to be done now: a slow provider holds up its own
// secrets alone.
func (m *Manager) start(ctx context.Context, group *sync.WaitGroup) error {
	all, err := m.records(ctx)
	if err != nil {
		return err
	}
	m.sync(all)
	m.sharpen(ctx, all)
	for _, r := range all {
		if !m.due(r) || !m.claim(r.Config.Name) {
			continue
		}
		group.Go(func() {
			defer m.unclaim(r.Config.Name)
			m.turns <- struct{}{}
			defer func() { <-m.turns }()
			if err := m.work(ctx, r.Config.Name); err != nil && ctx.Err() == nil && !errors.Is(err, broker.ErrHeld) {
				m.log.Error("a managed secret cannot be looked after; it is tried again", "secret", r.Config.Name, "error", err)
			}
		})
	}
	return nil
}

func (m *Manager) claim(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy[name] {
		return false
	}
	m.busy[name] = true
	return true
}

func (m *Manager) unclaim(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.busy, name)
}

func (m *Manager) records(ctx context.Context) ([]*record, error) {
	blobs, err := m.opt.Store.Blobs(ctx, Kind)
	if err != nil {
		return nil, fmt.Errorf("read the managed secrets: %w", err)
	}
	var all []*record
	for _, b := range blobs {
		r, err := decode(b)
		if err != nil {
			m.log.Error("a managed secret is left out", "secret", b.Name, "error", err)
			continue
		}
		all = append(all, r)
	}
	return all, nil
}

// due tells whether something is to be done for a secret now.
func (m *Manager) due(r *record) bool {
	now := m.now()
	if r.Rotation != nil && !now.Before(r.Rotation.Next) {
		return true
	}
	return r.Rotation == nil && (m.planned(r, now) != "" || m.warning(r, now) != "") || r.settled(now) || !now.Before(r.Health.Next)
}

// work does what is to be done for one secret, under its lease.
func (m *Manager) work(ctx context.Context, name string) error {
	lease, err := m.opt.Store.Acquire(ctx, "secret/"+name, m.opt.Holder, m.opt.Pace.Lease)
	if err != nil {
		return err
	}
	ctx, lost := context.WithCancelCause(ctx)
	kept := make(chan struct{})
	go func() { // it is kept while a provider is slow
		defer close(kept)
		t := time.NewTicker(m.opt.Pace.Lease / 3)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if err := m.opt.Store.Extend(ctx, lease, m.opt.Pace.Lease); errors.Is(err, broker.ErrLost) {
					lost(err)
					return
				}
			}
		}
	}()
	defer func() {
		lost(nil)
		<-kept
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = m.opt.Store.Release(ctx, lease)
	}()
	if err := m.advance(ctx, name); err != nil {
		return err
	}
	return m.upkeep(ctx, name)
}

// handed tells that another version is current.
func (m *Manager) handed(ctx context.Context, r *record) {
	if m.opt.Handed != nil {
		m.opt.Handed(ctx, r.Config.Name)
	}
}

// emit tells of what was done to a secret.
func (m *Manager) emit(ctx context.Context, c *Config, operation string, status usher.Status, message, by string) {
	if m.opt.Emit == nil {
		return
	}
	now := m.now().UTC()
	m.opt.Emit(ctx, usher.Event{
		UID: "secret-" + random(12), Class: usher.ClassEntityChange, Kind: usher.EventAdmin, Code: "SECRET_" + operation, Provider: "usher", LogName: "secrets",
		Tenant: c.Provider, Time: now, Status: status, Message: message, Client: usher.Party{UID: c.ClientID}, Resource: usher.Party{Name: c.Name}, Actor: usher.Party{Name: by},
		Change: &usher.Change{Operation: operation, Type: "secret", Target: usher.Party{UID: c.ClientID}},
	})
}
