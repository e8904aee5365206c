package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"usher/broker"
	"usher/broker/memory"
	"usher/broker/seal"
)

// blobRing keeps the ring among the documents of a broker.Store, as serve does.
type blobRing struct{ broker.Store }

func (k blobRing) Ring(ctx context.Context) (seal.Document, error) {
	b, err := k.Blob(ctx, "seal", "ring")
	if errors.Is(err, broker.ErrNotFound) {
		return seal.Document{}, nil
	}
	return seal.Document{Version: b.Version, Body: b.Body}, err
}

func (k blobRing) PutRing(ctx context.Context, d seal.Document) error {
	err := k.PutBlob(ctx, broker.Blob{Kind: "seal", Name: "ring", Version: d.Version, Body: d.Body})
	if errors.Is(err, broker.ErrStale) {
		return seal.ErrStale
	}
	return err
}

// dying fails at one write, and at all behind it.
type dying struct {
	broker.Store
	left int
}

var errDied = errors.New("the process died")

func (d *dying) step() error {
	if d.left--; d.left < 0 {
		return errDied
	}
	return nil
}

func (d *dying) Configure(ctx context.Context, revision int64, c broker.Config, keys []byte) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Store.Configure(ctx, revision, c, keys)
}

func (d *dying) Note(ctx context.Context, id string, l broker.Lease, s broker.Status, tokens []byte) (int64, error) {
	if err := d.step(); err != nil {
		return 0, err
	}
	return d.Store.Note(ctx, id, l, s, tokens)
}

func (d *dying) PutBlob(ctx context.Context, b broker.Blob) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Store.PutBlob(ctx, b)
}

// A rotation of the data key that dies at any write leaves every connection
// readable, and the next start seals the rest.
func TestResealDiesAnywhere(t *testing.T) {
	const connections = 4
	clock := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return clock }
	for crash := 0; ; crash++ {
		st := memory.New(now)
		kms, err := seal.EnvKey("", seal.NewKey())
		if err != nil {
			t.Fatal(err)
		}
		box := seal.New(kms, blobRing{st}, now)
		plain := func(kind, id string) []byte { return []byte("planted-" + kind + "-" + id) }
		for i := range connections {
			id := fmt.Sprintf("c-%d", i)
			rec := broker.Record{Config: broker.Config{ID: id}, Status: broker.Status{State: broker.StateAlive}}
			rec.Keys, _ = box.Seal(t.Context(), "keys/"+id, plain("keys", id))
			rec.Tokens, _ = box.Seal(t.Context(), "tokens/"+id, plain("tokens", id))
			if err := st.Add(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		readable := func(wantKey string) {
			t.Helper()
			fresh := seal.New(kms, blobRing{st}, now)
			list, err := st.Connections(t.Context(), "", 100)
			if err != nil || len(list) != connections {
				t.Fatal(len(list), err)
			}
			for _, rec := range list {
				id := rec.Config.ID
				for kind, sealed := range map[string][]byte{"keys": rec.Keys, "tokens": rec.Tokens} {
					got, err := fresh.Open(t.Context(), kind+"/"+id, sealed)
					if err != nil || !bytes.Equal(got, plain(kind, id)) {
						t.Fatalf("crash at write %d: the %s of %s: %v", crash, kind, id, err)
					}
					if bytes.Contains(sealed, []byte("planted-")) {
						t.Fatal("in clear")
					}
					if name := fmt.Sprintf("%x", sealed[1:9]); wantKey != "" && name != wantKey {
						t.Fatalf("crash at write %d: the %s of %s are sealed with an older key", crash, kind, id)
					}
				}
			}
		}
		dead := &dying{st, crash}
		b := broker.New(broker.Options{Store: dead, Seal: box, Ask: nil, Now: now})
		_, err = seal.New(kms, blobRing{dead}, now).Rotate(t.Context(), b.Reseal)
		if (err == nil) != (dead.left >= 0) {
			t.Fatalf("crash at write %d: %v", crash, err)
		}
		readable("")
		b = broker.New(broker.Options{Store: st, Seal: box, Ask: nil, Now: now})
		clock = clock.Add(time.Minute) // leases of the dead one run out
		p, err := seal.New(kms, blobRing{st}, now).Maintain(t.Context(), b.Reseal)
		if err != nil {
			t.Fatal(err)
		}
		readable(p.Primary)
		if dead.left >= 0 {
			if crash < 2*connections {
				t.Fatalf("only %d writes were crashed", crash)
			}
			return
		}
	}
}
