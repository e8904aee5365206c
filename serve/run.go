package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher"
	"usher/console"
	"usher/ingest"
	"usher/provider"
	"usher/provider/keycloak"
	"usher/store"
)

// Env is what a server sees of the world, so that a test can give another one.
// The zero value is a server that says nothing and uses the clock of the machine.
type Env struct {
	Stderr   io.Writer                // the server's log; nil: nowhere
	Terminal io.Writer                // where the address and the one-time password are told; nil: nowhere
	Now      func() time.Time         // the clock; nil: time.Now
	Getenv   func(name string) string // for client_secret_env; nil: os.Getenv
	Version  string                   // of usher
	Ready    func(*Server)            // called once it listens; nil: nobody is told
}

// Server is one usher, stopped or running. It can be started once.
type Server struct {
	cfg *Config
	env Env
	log *slog.Logger

	store    *store.Store
	admins   map[string]provider.Admin
	engine   *Engine
	broker   *brokerage
	secrets  *secretary
	metrics  *metrics
	sources  []*source
	listener net.Listener
	local    net.Listener // the socket
	egress   net.Listener // nil: there is none
	site     *console.Site

	cleanups []cleanup // last in, first out
	failed   chan error

	unreadHere map[string]int // looks in a row in which a provider could not be read
}

// cleanup ends one thing that was started.
type cleanup struct {
	name    string
	stop    func(context.Context) error
	patient bool // bounds its time itself; the others are given none the less for it
}

// source is a tail with what the pages tell of it.
type source struct {
	*tail
	kind   string
	reader *sourceReader

	mu   sync.Mutex
	last time.Time // of the last event
}

// New makes a server. Nothing is opened before Start.
func New(cfg *Config, env Env) *Server {
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Getenv == nil {
		env.Getenv = os.Getenv
	}
	return &Server{cfg: cfg, env: env, log: newLog(env.Stderr, cfg.Log), failed: make(chan error, 2)}
}

// SocketName is the name of the socket in the data directory over which
// programs of the same user talk to the server without a sign-in.
const SocketName = "usher.sock"

// Start opens the store, the providers, the engine with its sources, the
// listeners, the broker with its doors and the console, in this order, and then
// answers. What was opened is closed again if
// one of them fails. ctx bounds the start alone.
func (s *Server) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
			defer cancel()
			_ = s.Stop(ending)
		}
	}()
	if err := s.openStore(ctx); err != nil {
		return err
	}
	if err := s.openProviders(); err != nil {
		return err
	}
	stopping, stop := context.WithCancel(context.Background())
	if err := s.openEngine(ctx, stopping, stop); err != nil {
		return err
	}
	if err := s.bind(); err != nil {
		return err
	}
	if err := s.openBroker(ctx); err != nil {
		return err
	}
	streams := make(chan struct{})
	s.openDoor(streams)
	if err := s.openEgress(); err != nil {
		return err
	}
	s.openConsole(streams)
	if err := s.welcome(ctx); err != nil {
		return err
	}
	s.answer(s.withDoors(s.site))
	// Streams and callers who wait for a token end first, so that the listeners need not wait for them.
	s.onStop("streams", func(context.Context) error {
		s.broker.Hush()
		close(streams)
		s.engine.subs.close()
		return nil
	})
	s.follow(stopping)
	return nil
}

func (s *Server) onStop(name string, stop func(context.Context) error) {
	s.cleanups = append(s.cleanups, cleanup{name: name, stop: stop})
}

func (s *Server) openStore(ctx context.Context) error {
	st, err := store.OpenWith(ctx, s.cfg.Data, store.Options{Now: s.env.Now, URL: s.cfg.Store})
	if err != nil {
		return err
	}
	s.store = st
	s.onStop("store", func(context.Context) error { return st.Close() })
	for _, note := range st.Notes() {
		s.log.Warn(note)
	}
	if st.Unclean() {
		s.log.Info("the last usher here was ended before it could tidy up; nothing is lost by that")
	}
	return nil
}

// openProviders makes an admin of each provider that usher may ask. Nobody is
// asked yet.
func (s *Server) openProviders() error {
	s.admins = map[string]provider.Admin{}
	for i := range s.cfg.Providers {
		p := &s.cfg.Providers[i]
		if p.Admin == nil || !p.repairable() {
			continue
		}
		secret, err := p.Admin.Secret(s.env.Getenv)
		if err != nil {
			return &usher.Error{Code: usher.ErrUnreadable, Message: "the secret of provider " + p.Name, Err: err, Hint: "usher check says what is wrong with the configuration"}
		}
		client, err := p.guarded(0, nil)
		if err != nil {
			return fmt.Errorf("provider %s: %w", p.Name, err)
		}
		s.onStop("connections to "+p.Name, func(context.Context) error {
			client.HTTP().CloseIdleConnections()
			return nil
		})
		admin, err := keycloak.New(keycloak.Config{Issuer: p.Issuer, ClientID: p.Admin.ClientID, Secret: secret, HTTP: client.HTTP(), Now: s.env.Now})
		if err != nil {
			return fmt.Errorf("provider %s: %w", p.Name, err)
		}
		s.admins[p.Name] = admin
	}
	return nil
}

func (s *Server) openEngine(ctx, stopping context.Context, stop func()) error {
	s.metrics = newMetrics()
	s.engine = newEngine(stopping, s.cfg, s.store, s.admins, s.env, s.log, s.metrics)
	s.onStop("engine", func(ctx context.Context) error {
		stop()
		return s.engine.wait(ctx)
	})
	if err := s.engine.load(ctx); err != nil {
		return err
	}
	s.engine.gauges()
	for _, p := range s.engine.providers {
		for i := range p.Sources {
			if err := s.addSource(p, &p.Sources[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Server) addSource(p *configured, cfg *Source) error {
	zone, err := cfg.location()
	if err != nil {
		return fmt.Errorf("source %s: zone %s: %w", cfg.Path, cfg.Zone, err)
	}
	decoder, err := ingest.NewDecoder(cfg.Kind, ingest.Options{Location: zone, Source: cfg.Path, Now: s.env.Now})
	if err != nil {
		return err
	}
	name := s.cursorName(cfg.Path)
	src := &source{kind: cfg.Kind, reader: &sourceReader{engine: s.engine, from: p, kind: cfg.Kind, name: name, path: cfg.Path, decoder: decoder}}
	src.tail = &tail{name: name, path: cfg.Path, fromStart: cfg.From == "start", note: func(m string) { s.log.Warn(m, "source", name) }}
	src.reader.seen = src.seen
	s.sources = append(s.sources, src)
	label := prometheus.Labels{"provider": p.Name, "source": fmt.Sprint(len(s.sources) - 1)}
	s.metrics.gauge("usher_source_unread_bytes", "Bytes of a log file that are not read yet.", label, func() float64 {
		behind, _, _ := src.status()
		return float64(behind)
	})
	s.metrics.gauge("usher_source_up", "Whether a log file can be read.", label, func() float64 {
		if _, known, err := src.status(); err != nil || !known {
			return 0
		}
		return 1
	})
	return nil
}

func (s *source) seen(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.After(s.last) {
		s.last = t
	}
}

// openConsole makes the pages and the API.
func (s *Server) openConsole(stop <-chan struct{}) {
	s.site = console.New(console.Options{
		Cases: s.engine, Accounts: accounts{s.store, s.broker.door.Forget}, Connections: s.broker, Secrets: s.secrets, Listen: s.cfg.Listen, URL: s.cfg.URL, Now: s.env.Now, Version: s.env.Version,
		Cause: causeOf, Sources: s.sourceList, Metrics: s.metrics.handler(), OpenMetrics: loopbackAddress(s.cfg.Listen),
		Ready: s.ready, Stop: stop, Log: s.log,
	})
}

func loopbackAddress(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && loopback(host)
}

// sourceList tells what is listened to.
func (s *Server) sourceList(context.Context) []console.Source {
	var list []console.Source
	for _, src := range s.sources {
		one := console.Source{Name: src.kind + " log " + src.path}
		src.mu.Lock()
		one.Last = src.last
		src.mu.Unlock()
		if _, _, err := src.status(); err != nil {
			one.Error = err.Error()
		}
		list = append(list, one)
	}
	return list
}

// ready tells why the server cannot do its work. A log file that is not there
// yet is waited for and no reason; one that may not be read is.
func (s *Server) ready(context.Context) error {
	errs := []error{s.engine.ready()}
	for _, src := range s.sources {
		if _, _, err := src.status(); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Bounds of what comes in.
const (
	maxHeader    = 64 << 10 // bytes
	headerTime   = 10 * time.Second
	bodyTime     = 30 * time.Second
	answerTime   = 90 * time.Second // above applyTimeout; streams set their own
	idleTime     = 2 * time.Minute
	stopTime     = 10 * time.Second
	maxSocketLen = 100 // bytes of a socket's path; Linux allows 107
)

func (s *Server) newHTTP(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           bounded(h),
		ReadHeaderTimeout: headerTime, WriteTimeout: answerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// bounded bounds the time in which a body must come. A deadline for the whole
// connection would end streams.
func bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
		}
		h.ServeHTTP(w, r)
	})
}

// bind opens the listeners. Who comes waits until answer.
func (s *Server) bind() error {
	public, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return &usher.Error{
			Code: usher.ErrUsage, Message: "listen on " + s.cfg.Listen, Err: plainNet(err),
			Hint: "is another usher running there? Otherwise write another port as listen: into the configuration",
		}
	}
	s.listener = public
	s.onStop("address", func(context.Context) error { return ignoreClosed(public.Close()) })
	local, err := listenSocket(filepath.Join(s.store.Dir(), SocketName))
	if err != nil {
		return err
	}
	s.local = local
	s.onStop("socket", func(context.Context) error { return ignoreClosed(local.Close()) })
	return nil
}

// answer begins to answer on the listeners.
func (s *Server) answer(h http.Handler) {
	s.serve(s.newHTTP(h), s.listener)
	trusted := s.newHTTP(h)
	trusted.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return console.Trusted(ctx) }
	s.serve(trusted, s.local)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// serve answers on a listener until the server stops. Connections get the first
// half of the time to end by themselves.
func (s *Server) serve(h *http.Server, l net.Listener) {
	go func() {
		if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	s.onStop("listener "+l.Addr().String(), func(ctx context.Context) error {
		if end, ok := ctx.Deadline(); ok {
			var cancel func()
			ctx, cancel = context.WithDeadline(ctx, time.Now().Add(time.Until(end)/2))
			defer cancel()
		}
		if err := h.Shutdown(ctx); err != nil {
			return errors.Join(err, h.Close())
		}
		return nil
	})
}

// plainNet takes the address out of an error of the network: the message has it.
func plainNet(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// listenSocket makes the socket for its owner alone. The store's lock says that
// nobody else works here, so one that is there is left over.
func listenSocket(path string) (net.Listener, error) {
	if len(path) > maxSocketLen {
		return nil, &usher.Error{
			Code: usher.ErrUsage, Message: fmt.Sprintf("the path of the socket is longer than %d bytes: %s", maxSocketLen, path),
			Hint: "write a shorter path as data: into the configuration",
		}
	}
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, &usher.Error{Code: usher.ErrUnreadable, Message: "make the socket " + path, Err: plainNet(err), Hint: "may usher write into the data directory?"}
	}
	// The directory is its owner's alone already.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("close the socket for others: %w", err)
	}
	return l, nil
}

// welcome tells where the pages are, and as long as nobody has an account the
// one-time password.
func (s *Server) welcome(ctx context.Context) error {
	s.log.Info("usher listens", "address", s.Addr(), "data", s.store.Dir(), "sources", len(s.sources))
	if s.env.Terminal == nil {
		return nil
	}
	password, err := console.FirstPassword(ctx, accounts{store: s.store}, s.env.Now())
	if err != nil {
		return fmt.Errorf("make the one-time password: %w", err)
	}
	text := "usher is at " + s.URL() + "\n"
	if password != "" {
		text += "sign in with this one-time password, within 24 hours: " + password.Reveal() + "\n"
	}
	if len(s.sources) == 0 {
		text += "no log file is read yet: name one under providers in the configuration\n"
	}
	_, err = io.WriteString(s.env.Terminal, text)
	return err
}

// follow begins with the sources, and with what goes on by itself.
func (s *Server) follow(stopping context.Context) {
	s.engine.run(tickEvery(time.Duration(s.cfg.Cases.QuietAfter)))
	for _, src := range s.sources {
		s.engine.background(func(ctx context.Context) { s.followSource(ctx, src) })
	}
	s.engine.background(s.tidy)
	if s.cfg.Checks != nil {
		s.engine.background(s.checkup)
	}
	// The start leaves garbage behind that would stand for long in an idle server.
	s.engine.background(func(ctx context.Context) { settle(ctx) })
}

// tidy looks after the data: once after an end that was not clean whether all
// of it still fits together, and each day for what is older than it is kept.
func (s *Server) tidy(ctx context.Context) {
	if s.store.Unclean() {
		if err := s.store.Check(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the database is damaged", "error", err)
		}
	}
	for day := time.NewTicker(24 * time.Hour); ; {
		n, err := 0, error(nil)
		if s.myTurn(ctx, "prune", 24*time.Hour) {
			n, err = s.store.Prune(ctx, s.env.Now().Add(-time.Duration(s.cfg.History.Keep)))
		}
		switch {
		case ctx.Err() != nil:
			day.Stop()
			return
		case err != nil:
			s.log.Error("old events could not be removed; the next try is tomorrow", "error", err)
		case n > 0:
			s.log.Info("old events are removed", "events", n, "keep", s.cfg.History.Keep)
		}
		select {
		case <-ctx.Done():
		case <-day.C:
		}
	}
}

// settle gives back to the system what the start needed and nothing else does.
func settle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
		runtime.GC()
	}
}

func (s *Server) followSource(ctx context.Context, src *source) {
	wait := 100 * time.Millisecond
	var cursor store.Cursor
	for failed := false; ; failed = true {
		err := s.store.View(ctx, func(tx *store.Tx) (err error) {
			cursor, err = tx.Cursor(src.name)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil || failed {
			s.engine.storeFailed(err)
		}
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, maxBackoff)
	}
	err := src.follow(ctx, cursor, func(lines [][]byte, c store.Cursor) error { return src.reader.take(ctx, lines, c) })
	if err != nil && ctx.Err() == nil {
		s.log.Error("a source is no longer read", "source", src.name, "error", err)
	}
}

// Addr gives the address that it listens on, host:port, once it is started.
func (s *Server) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// URL gives the address of the console, once it is started.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Engine gives the pipeline, once the server is started.
func (s *Server) Engine() *Engine { return s.engine }

// Failed tells of a listener that broke off; a server that is to be stopped then.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop ends everything, last in first out, within the time of ctx. Beside that it
// waits for renewals whose answer would be lost, at most for the time that a
// token endpoint is given to answer. What was taken in is kept; a second call
// does nothing.
func (s *Server) Stop(ctx context.Context) error {
	end, bounded := ctx.Deadline()
	var errs []error
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		c := s.cleanups[i]
		if err := s.stopOne(ctx, c, &end, bounded); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", c.name, err))
		}
	}
	s.cleanups = nil
	return errors.Join(errs...)
}

// stopOne ends one thing by the time end, which a patient one moves.
func (s *Server) stopOne(ctx context.Context, c cleanup, end *time.Time, bounded bool) error {
	if !bounded {
		return c.stop(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	if c.patient {
		begun := time.Now()
		defer func() { *end = end.Add(time.Since(begun)) }()
		return c.stop(ctx)
	}
	ctx, cancel := context.WithDeadline(ctx, *end)
	defer cancel()
	return c.stop(ctx)
}

// Run starts a server, waits for ctx to end, and stops it within ten seconds, or
// when the renewals that must not be cut off have ended.
func Run(ctx context.Context, cfg *Config, env Env) error {
	s := New(cfg, env)
	if err := s.Start(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil // told to stop before it was there
		}
		return err
	}
	if env.Ready != nil {
		env.Ready(s)
	}
	var failure error
	select {
	case <-ctx.Done():
		s.log.Info("usher stops")
	case failure = <-s.Failed():
		s.log.Error("a listener broke off", "error", failure)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	return errors.Join(failure, s.Stop(stop))
}
