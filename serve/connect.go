package serve

import (
	"context"
	"net"
	"net/http"

	"usher"
	"usher/broker"
	"usher/broker/connect"
	"usher/console"
)

// openConnect makes the pages where people connect. An address that no provider
// may send people back to is no reason not to start: only there nobody can connect.
func (s *Server) openConnect() {
	b := s.broker
	h, err := connect.New(connect.Options{
		Broker: b.Broker, Store: b.store, Seal: b.box, Ask: b.asker, HTTP: b.outbound, URL: s.publicURL(),
		Operator: func(r *http.Request) (string, bool) { return s.site.Operator(r) },
		Emit:     b.events.add, Now: s.env.Now, Log: s.log, Version: s.env.Version,
	})
	if err != nil {
		b.noConnect = err
		s.log.Warn("nobody can connect here", "error", err)
		return
	}
	b.connect = h
	s.onStop("connect pages", func(context.Context) error {
		h.Close()
		return nil
	})
}

// publicURL gives the address that people type, without a slash at its end.
func (s *Server) publicURL() string {
	if s.cfg.URL != "" {
		return s.cfg.URL
	}
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1" // the one address that is surely this machine's
	}
	return "http://" + net.JoinHostPort(host, port)
}

// connectPage gives the page where a signed-in operator connects a connection.
func (b *brokerage) connectPage(id string) string {
	if b.connect == nil {
		return ""
	}
	return b.connect.Page(id)
}

// Connect implements console.Connections.
func (b *brokerage) Connect(ctx context.Context, id, _ string) (string, error) {
	view, err := b.Get(ctx, id)
	if err != nil {
		return "", told(id, err)
	}
	if !broker.Interactive(view.Config.Grant) {
		return "", &usher.Error{Code: console.CodeUnprocessed, Message: "the connection " + id + " needs no person: its client gets the token by itself", Hint: "usher connections renew " + id + " gets one now"}
	}
	if b.connect == nil {
		return "", &usher.Error{Code: console.CodeUnavailable, Message: "nobody can connect here", Err: b.noConnect, Hint: "set url in usher.yaml to the address that people type, as https://usher.example"}
	}
	link, err := b.connect.Link(ctx, id)
	return link, told(id, err)
}
