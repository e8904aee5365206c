package broker_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/seal"
	"usher/guard"
	"usher/store"
)

// replicaEnv makes this test binary a replica: the broker on a store that
// others share, which is told on stdin what to do and tells on stdout what it
// did.
const replicaEnv = "USHER_BROKER_REPLICA"

// orders is what a replica is told at its start.
type orders struct {
	Name     string
	Settings settings
	Store    string // URL
	Dir      string
	Key      string // that seals
	Provider string // its origin
}

// order is one line that a replica is told.
type order struct {
	N      int
	Add    *addition `json:",omitempty"`
	Herd   *herd     `json:",omitempty"`
	Finals []string  `json:",omitempty"`
}

type addition struct {
	Config  broker.Config
	Secret  string
	Access  string
	Refresh string
	Life    time.Duration
	From    time.Time
}

// reply is one line of a replica: a record, or the answer to an order.
type reply struct {
	N int `json:",omitempty"`
	record
}

// ring keeps the sealer's document among the store's blobs.
type ring struct{ store broker.Store }

func (r ring) Ring(ctx context.Context) (seal.Document, error) {
	b, err := r.store.Blob(ctx, "seal", "ring")
	if errors.Is(err, broker.ErrNotFound) {
		return seal.Document{}, nil
	}
	return seal.Document{Version: b.Version, Body: b.Body}, err
}

func (r ring) PutRing(ctx context.Context, d seal.Document) error {
	err := r.store.PutBlob(ctx, broker.Blob{Kind: "seal", Name: "ring", Version: d.Version, Body: d.Body})
	if errors.Is(err, broker.ErrStale) {
		return seal.ErrStale
	}
	return err
}

// replica is the main function of a replica.
func replica(text string) int {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var mu sync.Mutex
	write := func(r reply) {
		line, _ := json.Marshal(r)
		mu.Lock()
		defer mu.Unlock()
		_, _ = os.Stdout.Write(append(line, '\n')) // at once: whoever is killed has told what it did
	}
	fail := func(err error) int {
		write(reply{record: record{Err: err.Error()}})
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var s *store.Store
	var err error
	for range 100 { // the database may be starting
		if s, err = store.OpenWith(ctx, o.Dir, store.Options{URL: o.Store}); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return fail(err)
	}
	key, err := seal.EnvKey("the test", usher.Secret(o.Key))
	if err != nil {
		return fail(err)
	}
	shared := s.Broker()
	ask := grant.New(grant.Options{Timeout: o.Settings.Deadline, HTTP: guard.New(guard.Options{
		Trusted: []string{o.Provider}, Timeout: o.Settings.Deadline + 30*time.Second, Patience: 30 * time.Second, PerHost: 1024, UserAgent: o.Name,
	})})
	n := newNode(ctx, o.Name, o.Settings, shared, seal.New(key, ring{shared}, nil), ask, func(r record) { write(reply{record: r}) })
	n.use = uses(guard.New(guard.Options{Trusted: []string{o.Provider}, PerHost: 64, Timeout: time.Minute}).HTTP())
	write(reply{record: record{Ready: true}})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var do order
		if err := json.Unmarshal(lines.Bytes(), &do); err != nil {
			return fail(err)
		}
		switch {
		case do.Herd != nil:
			go n.run(ctx, *do.Herd)
		case do.Add != nil:
			go func() {
				r := reply{N: do.N}
				var a *grant.Answer
				if do.Add.Access != "" {
					a = answer(do.Add.Access, do.Add.Refresh, do.Add.Life)
					a.Received = do.Add.From
				}
				if err := n.add(ctx, do.Add.Config, do.Add.Secret, a); err != nil {
					r.Err = err.Error()
				}
				write(r)
			}()
		case do.Finals != nil:
			r := reply{N: do.N}
			if r.Finals, err = n.finals(ctx, do.Finals); err != nil {
				r.Err = err.Error()
			}
			write(r)
		}
	}
	return 0
}
