package serve

import (
	"net/http"
	"net/url"
	"sync"
	"time"

	"usher/guard"
)

// outbound sends what the broker asks token endpoints. Their addresses are the
// operator's: a connection is made by an operator, and what a provider's
// metadata named lies at the issuer's origin or was named by the operator too.
// Each request may go to the origin that it is for and to no other.
type outbound struct {
	caFile func(origin string) string
	now    func() time.Time

	mu      sync.Mutex
	clients map[string]*guard.Client // by origin
}

const (
	// brokerTimeout is more than a token endpoint is waited for: whoever waits
	// decides, not the client that carries it.
	brokerTimeout  = 90 * time.Second
	brokerPatience = 30 * time.Second
	brokerPerHost  = 256
	maxOrigins     = 4096
)

// Once implements grant.Sender.
func (o *outbound) Once(req *http.Request) (*http.Response, error) {
	return o.client(req.URL).Once(req)
}

func (o *outbound) client(u *url.URL) *guard.Client {
	origin := u.Scheme + "://" + u.Host
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.clients[origin]; c != nil {
		return c
	}
	if o.clients == nil {
		o.clients = map[string]*guard.Client{}
	}
	if len(o.clients) >= maxOrigins {
		for other, c := range o.clients {
			delete(o.clients, other)
			c.HTTP().CloseIdleConnections()
			break
		}
	}
	c := guard.New(guard.Options{
		Trusted: []string{origin}, CAFile: o.caFile(origin),
		Timeout: brokerTimeout, Patience: brokerPatience, PerHost: brokerPerHost, Now: o.now,
	})
	o.clients[origin] = c
	return c
}

func (o *outbound) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.clients {
		c.HTTP().CloseIdleConnections()
	}
}

// sameOrigin tells whether two URLs have one scheme and host.
func sameOrigin(a, b string) bool {
	x, err := url.Parse(a)
	y, err2 := url.Parse(b)
	return err == nil && err2 == nil && x.Host != "" && x.Scheme == y.Scheme && x.Host == y.Host
}
