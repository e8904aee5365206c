package seal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"usher"
)

// ErrStale tells that a document was changed in between.
var ErrStale = errors.New("it was changed in between")

// Document is the ring of data keys as a KeyStore keeps it.
type Document struct {
	Version int64 // 0: there is none yet
	Body    []byte
}

// KeyStore keeps the one document that all replicas share.
type KeyStore interface {
	// Ring gives it; the zero Document where there is none.
	Ring(ctx context.Context) (Document, error)
	// PutRing replaces it where the version is still this one, else ErrStale. It
	// is on the disk when it returns.
	PutRing(ctx context.Context, d Document) error
}

// Times of a Box.
const (
	// Fresh is how old its knowledge of the ring may be when it seals.
	Fresh = time.Minute
	// Settle is how long a data key is kept after nothing was found to be sealed
	// with it: longer than anybody holds what was sealed and not yet stored.
	Settle = 24 * time.Hour
	// kmsPatience bounds one call of a key service.
	kmsPatience = 10 * time.Second
)

// Box seals with data keys, which the KMS seals. It is safe for concurrent use.
// The KMS is asked for each data key once in the life of a process, and when one
// is made; what it opened stays in memory.
type Box struct {
	// Settle is how long a replaced data key is kept; 0 is Settle.
	Settle time.Duration

	kms   KMS
	store KeyStore
	now   func() time.Time

	mu     sync.Mutex
	ring   ring
	read   time.Time // when the ring was read
	opened map[id][]byte
	flight singleflight.Group
}

var _ Sealer = (*Box)(nil)

// New makes a Box. It reads nothing yet; Ready does.
func New(kms KMS, store KeyStore, now func() time.Time) *Box {
	if now == nil {
		now = time.Now
	}
	return &Box{kms: kms, store: store, now: now, opened: map[id][]byte{}}
}

// ring is the document: every data key, each sealed by the KMS, and which of
// them is used. It is replaced as one, so that no crash leaves half of a change.
type ring struct {
	version int64
	Form    int       `json:"form"` // 1
	Primary string    `json:"primary"`
	Keys    []dataKey `json:"keys"`
}

type dataKey struct {
	ID       string    `json:"id"`
	Made     time.Time `json:"made"`
	KEK      string    `json:"kek"`               // id of the KMS's key
	Wrapped  []byte    `json:"wrapped"`           // sealed by it
	Replaced time.Time `json:"replaced,omitzero"` // when another became primary
	Clean    time.Time `json:"clean,omitzero"`    // since when nothing is known to be sealed with it
}

func (r *ring) find(name string) *dataKey {
	for i := range r.Keys {
		if r.Keys[i].ID == name {
			return &r.Keys[i]
		}
	}
	return nil
}

func (r ring) clone() ring {
	r.Keys = slices.Clone(r.Keys)
	return r
}

// purpose binds a data key to its id.
func purpose(name string) string { return "usher data key " + name }

// Ready reads the ring, makes the first data key where there is none, and opens
// the one in use, so that a wrong key is told at the start.
func (b *Box) Ready(ctx context.Context) error {
	r, err := b.known(ctx, true)
	if err != nil {
		return err
	}
	_, err = b.key(ctx, r, r.Primary)
	return err
}

// Seal implements Sealer.
func (b *Box) Seal(ctx context.Context, purpose string, plain []byte) ([]byte, error) {
	r, err := b.known(ctx, false)
	if err != nil {
		return nil, err
	}
	key, err := b.key(ctx, r, r.Primary)
	if err != nil {
		return nil, err
	}
	name, _ := parseID(r.Primary)
	sealed, err := enclose(key, name, purpose, plain)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	return sealed, nil
}

// Open implements Sealer.
func (b *Box) Open(ctx context.Context, purpose string, sealed []byte) ([]byte, error) {
	name, err := keyOf(sealed)
	if err != nil {
		return nil, unreadable(purpose, err)
	}
	key := b.cached(name)
	if key == nil {
		r, err := b.holding(ctx, name.String())
		if err != nil {
			return nil, err
		}
		if key, err = b.key(ctx, r, name.String()); err != nil {
			return nil, err
		}
	}
	plain, err := disclose(key, purpose, sealed)
	if err != nil {
		return nil, unreadable(purpose, err)
	}
	return plain, nil
}

func unreadable(purpose string, err error) error {
	return &usher.Error{
		Code: usher.ErrUnreadable, Message: "what is kept as " + purpose + " cannot be opened", Err: err,
		Hint: "put the database back from its last copy, or set this one up anew; the others are not touched",
	}
}

func (b *Box) cached(name id) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened[name]
}

// holding gives a ring that holds a data key: the known one, else a fresh one,
// since another replica may have made it.
func (b *Box) holding(ctx context.Context, name string) (ring, error) {
	b.mu.Lock()
	r := b.ring
	b.mu.Unlock()
	if r.find(name) != nil {
		return r, nil
	}
	r, err := b.load(ctx)
	if err != nil {
		return r, err
	}
	if r.find(name) == nil {
		return r, &usher.Error{
			Code: usher.ErrUnreadable, Message: "it is sealed with the data key number " + name + ", which is not in this database",
			Hint: "database and ring of keys come from different copies: put back the copy in which both were",
		}
	}
	return r, nil
}

// known gives the ring, read anew when what is known of it is old. Where the
// database does not answer, what is known is used: a replaced key is kept for
// much longer than a minute.
func (b *Box) known(ctx context.Context, anew bool) (ring, error) {
	b.mu.Lock()
	r, read := b.ring, b.read
	b.mu.Unlock()
	age := b.now().Sub(read)
	if !anew && r.Primary != "" && age >= 0 && age < Fresh {
		return r, nil
	}
	fresh, err := b.load(ctx)
	switch {
	case err != nil && r.Primary != "" && age >= 0 && age < b.settle()/2:
		return r, nil
	case err != nil:
		return r, err
	case fresh.Primary == "":
		return b.first(ctx)
	}
	return fresh, nil
}

func (b *Box) settle() time.Duration {
	if b.Settle > 0 {
		return b.Settle
	}
	return Settle
}

// load reads the ring; an empty one has no primary.
func (b *Box) load(ctx context.Context) (ring, error) {
	doc, err := b.store.Ring(ctx)
	if err != nil {
		return ring{}, fmt.Errorf("read the ring of data keys: %w", err)
	}
	r, err := parseRing(doc)
	if err != nil {
		return r, err
	}
	b.keep(r)
	return r, nil
}

// keep remembers a ring, and forgets data keys that it holds no more.
func (b *Box) keep(r ring) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.version < b.ring.version {
		return
	}
	b.ring, b.read = r, b.now()
	for name := range b.opened {
		if r.find(name.String()) == nil {
			delete(b.opened, name)
		}
	}
}

// mostRing bounds the document, in bytes.
const mostRing = 1 << 20

func parseRing(doc Document) (ring, error) {
	r := ring{version: doc.Version}
	if doc.Version == 0 && len(doc.Body) == 0 {
		return r, nil
	}
	bad := func(why string) (ring, error) {
		return ring{}, &usher.Error{
			Code: usher.ErrUnreadable, Message: "the ring of data keys in the database " + why,
			Hint: "put the database back from its last copy; usher makes no new ring in its place, since then nothing could be read any more",
		}
	}
	if len(doc.Body) > mostRing {
		return bad("is larger than 1 MiB")
	}
	if err := json.Unmarshal(doc.Body, &r); err != nil {
		return bad("is damaged")
	}
	if r.Form != 1 {
		return bad("has a form that this version of usher does not know")
	}
	for i := range r.Keys {
		if _, ok := parseID(r.Keys[i].ID); !ok || r.find(r.Keys[i].ID) != &r.Keys[i] {
			return bad("is damaged")
		}
	}
	if r.find(r.Primary) == nil {
		return bad("does not hold the key that it says is in use")
	}
	return r, nil
}

// first makes the first data key. Of several replicas that begin at once, one
// makes it.
func (b *Box) first(ctx context.Context) (ring, error) {
	r, err := b.change(ctx, func(ctx context.Context, r *ring) (bool, error) {
		if r.Primary != "" {
			return false, nil
		}
		return true, b.add(ctx, r)
	})
	if err != nil {
		return r, fmt.Errorf("make the first data key: %w", err)
	}
	return r, nil
}

// add puts a new data key into the ring as the one in use.
func (b *Box) add(ctx context.Context, r *ring) error {
	name, key := newKey()
	ctx, cancel := context.WithTimeout(ctx, kmsPatience)
	defer cancel()
	kek, wrapped, err := b.kms.Wrap(ctx, purpose(name.String()), key)
	if err != nil {
		return kmsAway(b.kms.KeyID(), err)
	}
	if old := r.find(r.Primary); old != nil {
		old.Replaced = b.now().UTC()
	}
	r.Form, r.Primary = 1, name.String()
	r.Keys = append(r.Keys, dataKey{ID: r.Primary, Made: b.now().UTC(), KEK: kek, Wrapped: wrapped})
	return nil
}

// change replaces the ring by what f makes of it, again where another replica
// was faster. f must not keep what it did to a ring that was not stored.
func (b *Box) change(ctx context.Context, f func(context.Context, *ring) (bool, error)) (ring, error) {
	for range 10 {
		r, err := b.load(ctx)
		if err != nil {
			return r, err
		}
		next := r.clone()
		changed, err := f(ctx, &next)
		if err != nil || !changed {
			return r, err
		}
		body, err := json.Marshal(next)
		if err != nil {
			return r, err
		}
		err = b.store.PutRing(ctx, Document{Version: r.version, Body: body})
		if err == nil {
			return b.load(ctx)
		}
		if !errors.Is(err, ErrStale) {
			return r, fmt.Errorf("store the ring of data keys: %w", err)
		}
	}
	return ring{}, fmt.Errorf("store the ring of data keys: %w", ErrStale)
}

// key gives a data key of the ring in clear, asking the KMS where it must.
func (b *Box) key(ctx context.Context, r ring, name string) ([]byte, error) {
	n, _ := parseID(name)
	if key := b.cached(n); key != nil {
		return key, nil
	}
	k := r.find(name)
	if k == nil {
		return nil, fmt.Errorf("the data key number %s is not in the ring", name)
	}
	// One asks, others wait for it; who gives up does not end it for the others.
	answer := b.flight.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), kmsPatience)
		defer cancel()
		key, err := b.kms.Unwrap(ctx, k.KEK, purpose(name), k.Wrapped)
		if err != nil {
			return nil, kmsAway(k.KEK, err)
		}
		if len(key) != keyBytes {
			return nil, kmsAway(k.KEK, fmt.Errorf("it gave a key of %d bytes", len(key)))
		}
		b.mu.Lock()
		b.opened[n] = key
		b.mu.Unlock()
		return key, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answer:
		if a.Err != nil {
			return nil, a.Err
		}
		return a.Val.([]byte), nil
	}
}

func kmsAway(keyID string, err error) error {
	var known *usher.Error
	if errors.As(err, &known) {
		return err
	}
	return &usher.Error{
		Code: usher.ErrUnreachable, Message: "the key number " + keyID + " could not open or seal a data key", Err: err,
		Hint: "see whether the key service is reachable and whether usher may use this key; nothing is lost, and it is asked again",
	}
}
