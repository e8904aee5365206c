package live

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"usher"
	"usher/check"
	"usher/guard"
)

// hostLook is one host that is looked at once, whoever names it. What the
// operator named begins before what a document does, so that its leave counts.
type hostLook struct {
	host *check.Host
	once sync.Once
}

// look looks at the connection to the host of an address, once.
func (g *gatherer) look(ctx context.Context, address, role string) {
	u, err := url.Parse(address)
	if err != nil || !web(u) {
		return
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	name := net.JoinHostPort(strings.ToLower(u.Hostname()), port)
	g.mu.Lock()
	l := g.host[name]
	if l == nil {
		if len(g.host) >= mostHosts {
			g.mu.Unlock()
			return
		}
		l = &hostLook{host: &check.Host{Name: name}}
		g.host[name] = l
	}
	if !slices.Contains(l.host.Roles, role) {
		l.host.Roles = append(l.host.Roles, role)
		slices.Sort(l.host.Roles)
	}
	g.mu.Unlock()
	l.once.Do(func() {
		bare := &url.URL{Scheme: u.Scheme, Host: u.Host}
		if role == "callback" {
			l.host.Alias = g.c.Alias(ctx, u.Hostname())
		}
		g.connect(ctx, bare, l.host)
	})
}

// outOfTime is said of a host that no step was taken to, or too few to tell.
const outOfTime = "it was not looked at: time had run out"

func (g *gatherer) connect(whole context.Context, u *url.URL, h *check.Host) {
	ctx, cancel := context.WithTimeout(whole, g.opt.One)
	defer cancel()
	g.opt.Progress("looks at the connection to " + u.Host)
	seen := g.hello(ctx, u, guard.Hello{})
	if seen == nil {
		h.Stage, h.Err, h.Code = "", outOfTime, usher.ErrUnreachable
		return
	}
	h.Stage, h.Resolved, h.Connected, h.Shaken = seen.Stage, seen.Resolved, seen.Connected, seen.Shaken
	for _, a := range seen.Addresses {
		h.Addresses = append(h.Addresses, a.String())
	}
	if seen.Err != nil {
		a := &check.Answer{}
		fail(a, seen.Err)
		h.Err, h.Code = a.Err, a.Code
		if whole.Err() != nil { // it had less time than it may have
			h.Stage, h.Err = "", outOfTime
		}
		return
	}
	if seen.TLS == nil {
		return
	}
	h.Version, h.Suite = seen.TLS.Version, seen.TLS.CipherSuite
	if len(seen.TLS.PeerCertificates) > 0 {
		cert := seen.TLS.PeerCertificates[0]
		h.Subject, h.Issuer, h.NotBefore, h.NotAfter = cert.Subject.String(), cert.Issuer.String(), cert.NotBefore, cert.NotAfter
	}
	if seen.Chain != nil {
		h.ChainErr = chainWords(seen.Chain)
	}
	together(func() { g.old(ctx, u, h) }, func() { g.weak(ctx, u, h) })
}

// hello is one look, nil when its turn did not come in time.
func (g *gatherer) hello(ctx context.Context, u *url.URL, offer guard.Hello) *guard.Connection {
	if !g.take(ctx) {
		return nil
	}
	defer g.give()
	return g.c.Connect(ctx, u, offer)
}

// old asks for the versions that RFC 8996 took out of use, one by one.
func (g *gatherer) old(ctx context.Context, u *url.URL, h *check.Host) {
	tried := true
	for _, version := range []uint16{tls.VersionTLS11, tls.VersionTLS10} {
		if h.Version == version {
			continue // that is what it speaks anyway
		}
		seen := g.hello(ctx, u, guard.Hello{Min: version, Max: version})
		switch {
		case seen == nil || undecided(ctx, seen):
			tried = false
		case seen.TLS != nil:
			h.Old = append(h.Old, version)
		}
	}
	h.OldTried = tried
}

// undecided tells of a look that ended before the other side could say what it
// speaks: no connection came about, or time ran out. That is no refusal.
func undecided(ctx context.Context, seen *guard.Connection) bool {
	return seen.Err != nil && (ctx.Err() != nil || seen.Stage != guard.StageTLS)
}

// weak offers only suites of TLS 1.2 that RFC 9325 section 4.2 advises against.
func (g *gatherer) weak(ctx context.Context, u *url.URL, h *check.Host) {
	offer := weakSuites()
	const most = 3 // found ones are enough to say
	for range most {
		seen := g.hello(ctx, u, guard.Hello{Min: tls.VersionTLS12, Max: tls.VersionTLS12, Suites: offer})
		if seen == nil || undecided(ctx, seen) {
			return
		}
		if seen.TLS == nil {
			break
		}
		took := seen.TLS.CipherSuite
		h.Weak = append(h.Weak, took)
		if offer = slices.DeleteFunc(offer, func(id uint16) bool { return id == took }); len(offer) == 0 {
			break
		}
	}
	h.WeakTried = true
}

// weakSuites are those of TLS 1.2 without forward secrecy, with RC4, with 3DES
// or with CBC.
func weakSuites() (ids []uint16) {
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range list {
			if strings.HasPrefix(s.Name, "TLS_RSA_") || strings.Contains(s.Name, "RC4") || strings.Contains(s.Name, "_CBC_") {
				ids = append(ids, s.ID)
			}
		}
	}
	return ids
}

// chainWords says in a clause why a certificate does not hold.
func chainWords(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		return "it is for other names: " + strings.Join(names(name.Certificate), ", ")
	case errors.As(err, &authority):
		return "its authority is not known here, or a certificate between is not sent"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c := invalid.Cert
		if c == nil {
			return "its dates do not hold"
		}
		return "it is valid from " + c.NotBefore.UTC().Format(time.DateOnly) + " to " + c.NotAfter.UTC().Format(time.DateOnly)
	}
	return "it does not hold: " + err.Error()
}

func names(c *x509.Certificate) []string {
	list := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	return list[:min(len(list), 8)]
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && a.Unmap().IsLoopback()
}
