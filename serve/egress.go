package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"usher"
	"usher/broker"
	"usher/broker/door"
	"usher/broker/egress"
)

// openEgress listens for requests that are to be sent on with a token in.
func (s *Server) openEgress() error {
	cfg := s.cfg.Broker.Egress
	if cfg == nil {
		return nil
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return &usher.Error{
			Code: usher.ErrUsage, Message: "listen on " + cfg.Listen + " for the egress proxy", Err: plainNet(err),
			Hint: "does another program listen there? Otherwise write another port as broker.egress.listen into the configuration",
		}
	}
	s.egress = l
	proxy := egress.New(egress.Options{
		Source: s.broker.Broker, Config: s.egressConfig, Caller: s.egressCaller, Emit: s.broker.events.add,
		CAFile: s.cfg.Broker.CAFile, Now: s.env.Now,
	})
	// Neither a mux, which cleans paths, nor deadlines, which end streams.
	s.serve(&http.Server{
		Handler: proxy, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}, l)
	s.log.Info("the egress proxy listens", "address", l.Addr().String())
	return nil
}

// EgressAddr gives the address of the egress proxy, host:port, or nothing where
// there is none.
func (s *Server) EgressAddr() string {
	if s.egress == nil {
		return ""
	}
	return s.egress.Addr().String()
}

// egressConfig gives a connection with the targets of the configuration beside
// its own.
func (s *Server) egressConfig(ctx context.Context, id string) (broker.Config, error) {
	c, err := s.broker.Config(ctx, id)
	if err != nil {
		return broker.Config{}, err
	}
	own := *c
	for _, t := range s.cfg.Broker.Egress.Targets {
		if t.Connection == id && !slices.Contains(own.Targets, t.Origin) {
			own.Targets = append(slices.Clip(own.Targets), t.Origin)
		}
	}
	return own, nil
}

func (s *Server) egressCaller(ctx context.Context, value usher.Secret) (egress.Caller, error) {
	name, key, err := s.broker.door.Caller(ctx, value)
	if errors.Is(err, door.ErrNotFound) {
		return egress.Caller{}, egress.ErrKey
	}
	return egress.Caller{Name: name, Key: key.Name, May: key.May}, err
}
