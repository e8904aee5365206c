package serve

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/connect"
	"usher/broker/door"
	"usher/broker/grant"
	"usher/broker/preset"
	"usher/broker/seal"
	"usher/broker/strategy"
	"usher/console"
	"usher/store"
)

// brokerage is the broker with what belongs to it.
type brokerage struct {
	*broker.Broker
	store     broker.Store
	box       *seal.Box
	outbound  *outbound
	asker     *grant.Asker
	door      *door.Door
	events    *eventQueue
	states    connectionStates
	connect   *connect.Handler // nil: nobody can connect, for the reason in noConnect
	noConnect error
	engine    *Engine
	cfg       *Config
	now       func() time.Time
}

// openBroker opens the key, then what is sealed with it, then the broker, which
// begins to renew at once.
func (s *Server) openBroker(ctx context.Context) error {
	st := s.store.Broker()
	ring := keyRing{st}
	key, err := s.openBrokerKey(ctx, ring)
	if err != nil {
		return err
	}
	b := &brokerage{store: st, engine: s.engine, cfg: s.cfg, now: s.env.Now, box: seal.New(key, ring, s.env.Now)}
	if err := b.box.Ready(ctx); err != nil {
		return &usher.Error{Code: usher.ErrUsage, Message: "open what the broker keeps", Err: err, Hint: "name the key that it was sealed with as broker.key_file or broker.key_env"}
	}
	b.outbound = &outbound{caFile: s.caFileOf, now: s.env.Now}
	s.onStop("connections to token endpoints", func(context.Context) error {
		b.outbound.close()
		return nil
	})
	b.asker = grant.New(grant.Options{HTTP: b.outbound, Now: s.env.Now, JSON: preset.TakesJSON})
	b.events = newEventQueue(s.engine, s.log)
	b.Broker = broker.New(broker.Options{
		Store: st, Seal: b.box, Ask: b.asker,
		Lifespans: s.cfg.Broker.lifespans(), Decide: strategy.Decide, Emit: b.events.add, Managed: s.managed,
		ConnectURL: b.connectPage, Now: s.env.Now, Log: s.log,
	})
	s.broker = b
	s.runBeside("events of the broker", b.events.run) // it ends after those who tell events: the pages, secrets and the broker
	s.openConnect()
	if err := s.openSecrets(b); err != nil {
		return err
	}
	s.brokerGauges()
	s.runBeside("states of connections", b.states.follow(b.Broker))
	s.runBeside("broker", b.Run)
	s.cleanups[len(s.cleanups)-1].patient = true // a refresh token's answer comes once
	more := []seal.Reseal{s.secrets.Reseal}
	if b.connect != nil {
		more = append(more, b.connect.Reseal)
	}
	s.runBeside("sealing", func(ctx context.Context) error { return b.keepSealed(ctx, s.log, more...) })
	return s.startSecrets(ctx)
}

// runBeside runs f until the server stops, and waits for it then.
func (s *Server) runBeside(name string, f func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	s.onStop(name, func(ctx context.Context) error {
		stop()
		select {
		case err := <-done:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-ctx.Done():
			return errors.New("it is still at work")
		}
	})
}

// brokerKeyName is the file of the key where none is configured.
const brokerKeyName = "broker.key"

// openBrokerKey reads the key, or makes one at the first start.
func (s *Server) openBrokerKey(ctx context.Context, ring seal.KeyStore) (*seal.LocalKey, error) {
	cfg := &s.cfg.Broker
	if cfg.KeyEnv != "" {
		return seal.EnvKey("the environment variable "+cfg.KeyEnv, usher.Secret(s.env.Getenv(cfg.KeyEnv)))
	}
	path := cfg.KeyFile
	if path == "" {
		path = filepath.Join(s.store.Dir(), brokerKeyName)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return seal.FileKey(path)
	}
	doc, err := ring.Ring(ctx)
	if err != nil {
		return nil, err
	}
	if doc.Version != 0 {
		// A new key would open nothing, and would hide that the old one is missing.
		return nil, &usher.Error{
			Code: usher.ErrUsage, Message: "the file with the broker's key is not there: " + path,
			Hint: "tokens were sealed with it: put it back, copy it from another replica, or name where it is as broker.key_file",
		}
	}
	key, err := seal.CreateFileKey(path)
	if err != nil {
		return nil, err
	}
	s.log.Warn("a key was made that the broker's tokens and secrets are sealed with; without it nobody can read them: keep a copy elsewhere", "file", path)
	if s.env.Terminal != nil {
		_, err = io.WriteString(s.env.Terminal, "a key was made that tokens and secrets are sealed with: "+path+"\nkeep a copy of it elsewhere: without it every connection must be connected again\n")
	}
	return key, err
}

// caFileOf gives the further certificate authorities for an origin.
func (s *Server) caFileOf(origin string) string {
	for i := range s.cfg.Providers {
		if p := &s.cfg.Providers[i]; p.CAFile != "" && sameOrigin(p.Issuer, origin) {
			return p.CAFile
		}
	}
	return s.cfg.Broker.CAFile
}

// openDoor makes the door for tokens; stop ends its streams.
func (s *Server) openDoor(stop <-chan struct{}) {
	b := s.broker
	b.door = door.New(door.Options{
		Source: b.Broker, Key: s.callerKey, Used: s.keyUsed, Watch: b.watch, Trusted: console.IsTrusted, Now: s.env.Now, Stop: stop,
	})
}

// callerKey gives the door a key of the store.
func (s *Server) callerKey(ctx context.Context, hash string) (door.Key, error) {
	var key store.Key
	err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		key, err = tx.Key(hash)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return door.Key{}, door.ErrNotFound
	}
	return door.Key{ID: key.ID, Name: key.Name, Connections: key.Connections, Expires: key.Expires}, err
}

// keyUsed notes, beside the answer, that a key was used.
func (s *Server) keyUsed(id string, at time.Time) {
	s.engine.background(func(ctx context.Context) {
		if err := (accounts{store: s.store}).TouchKey(ctx, id, at); err != nil && ctx.Err() == nil {
			s.log.Warn("the use of a key is not noted", "key", id, "error", err)
		}
	})
}

// watch tells the door's subscribers how connections stand.
func (b *brokerage) watch(ctx context.Context, ids []string) <-chan door.Told {
	out := make(chan door.Told)
	go func() {
		defer close(out)
		for c := range b.Subscribe(ctx, ids...) {
			told := door.Told{
				Connection: c.ID, Generation: c.Generation, State: c.State, Expires: c.Expires,
				Trouble: c.Trouble, Healed: c.Healed, Callers: c.Callers, Removed: c.Removed,
			}
			select {
			case out <- told:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// withDoors answers the paths of the doors before the console's: what programs
// ask for at every request goes no long way.
func (s *Server) withDoors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case door.Route(path):
			s.broker.door.ServeHTTP(w, r)
			return
		case secretRoute(path):
			s.serveSecret(w, r)
			return
		case strings.HasPrefix(path, "/connect/") && s.broker.connect != nil:
			s.broker.connect.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// keyRing keeps the ring of data keys among the broker's documents.
type keyRing struct{ store broker.Store }

const ringKind, ringName = "seal", "ring"

func (k keyRing) Ring(ctx context.Context) (seal.Document, error) {
	blob, err := k.store.Blob(ctx, ringKind, ringName)
	if errors.Is(err, broker.ErrNotFound) {
		return seal.Document{}, nil
	}
	return seal.Document{Version: blob.Version, Body: blob.Body}, err
}

func (k keyRing) PutRing(ctx context.Context, d seal.Document) error {
	err := k.store.PutBlob(ctx, broker.Blob{Kind: ringKind, Name: ringName, Version: d.Version, Body: d.Body})
	if errors.Is(err, broker.ErrStale) {
		return seal.ErrStale
	}
	return err
}
