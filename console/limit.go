package console

import (
	"net"
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// limits slow down who guesses: five wrong passwords at once from one address
// and one more every ten seconds, and thirty at once and one a second from all
// of them. A right one gives an address its full number back; of all of them it
// counts.
type limits struct {
	mu   sync.Mutex
	all  *rate.Limiter
	each map[string]*rate.Limiter
}

const (
	guessBurst   = 5
	guessRate    = 0.1 // a second, from one address
	allBurst     = 30
	allRate      = 1
	maxAddresses = 4096
)

func newLimits() *limits {
	return &limits{all: rate.NewLimiter(allRate, allBurst), each: map[string]*rate.Limiter{}}
}

// guess takes one try from who asks, and tells whether it had one. The try is
// given back with the function when it was no guess.
func (l *limits) guess(c *console, r *http.Request) (back func(), ok bool) {
	now := c.opt.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	address := remoteHost(r)
	own, known := l.each[address]
	if !known {
		if len(l.each) >= maxAddresses {
			for old, limiter := range l.each { // who is back at the full number may be forgotten
				if limiter.TokensAt(now) >= guessBurst {
					delete(l.each, old)
				}
			}
		}
		if len(l.each) >= maxAddresses {
			clear(l.each) // the limit of all of them still holds
		}
		own = rate.NewLimiter(guessRate, guessBurst)
		l.each[address] = own
	}
	mine := own.ReserveN(now, 1)
	everybody := l.all.ReserveN(now, 1)
	if mine.DelayFrom(now) > 0 || everybody.DelayFrom(now) > 0 {
		mine.CancelAt(now)
		everybody.CancelAt(now)
		return nil, false
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.each, address)
	}, true
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
