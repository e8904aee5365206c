package serve

import (
	"context"
	"io"
	"time"
)

// Env is what a server sees of the world, so that a test can give another one.
// The zero value is a server that says nothing and uses the clock of the machine.
type Env struct {
	Stderr   io.Writer                // the server's log
	Terminal io.Writer                // where the first one-time password and the address are told, once
	Now      func() time.Time         // the clock
	Getenv   func(name string) string // for client_secret_env; nil: os.Getenv
	Ready    func(*Server)            // called once it listens
}

// Server is one usher, stopped or running.
type Server struct {
	cfg    *Config
	env    Env
	engine *Engine
	addr   string
}

// New makes a server. Nothing is opened before Start.
func New(cfg *Config, env Env) *Server { return &Server{cfg: cfg, env: env} }

// Start opens the store, the providers, the sources and the listeners, in this
// order. What was opened is closed again if one of them fails.
func (s *Server) Start(ctx context.Context) error { return nil }

// Addr gives the address that it listens on, host:port, once it is started.
func (s *Server) Addr() string { return s.addr }

// URL gives the address of the console, once it is started.
func (s *Server) URL() string { return "http://" + s.addr }

// Engine gives the pipeline, once the server is started.
func (s *Server) Engine() *Engine { return s.engine }

// Stop ends everything, last in first out, within the time of ctx.
func (s *Server) Stop(ctx context.Context) error { return nil }

// Run starts a server, waits for ctx to end, and stops it within ten seconds.
func Run(ctx context.Context, cfg *Config, env Env) error {
	s := New(cfg, env)
	if err := s.Start(ctx); err != nil {
		return err
	}
	if env.Ready != nil {
		env.Ready(s)
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return s.Stop(stop)
}
