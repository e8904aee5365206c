package guard

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"usher"
)

// origin is scheme, host and port (RFC 6454), in lower case and with the port
// written out.
type origin struct{ scheme, host, port string }

func (o origin) String() string {
	s := o.scheme + "://"
	if strings.Contains(o.host, ":") {
		s += "[" + o.host + "]"
	} else {
		s += o.host
	}
	if o.port != defaultPort(o.scheme) {
		s += ":" + o.port
	}
	return s
}

// dialled is what the transport dials for it.
func (o origin) dialled() string { return net.JoinHostPort(o.host, o.port) }

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// originOf gives the origin of an absolute http or https URL.
func originOf(u *url.URL) (origin, error) {
	o := origin{strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()}
	if o.scheme != "http" && o.scheme != "https" {
		return origin{}, refused("the URL "+shown(u)+" is neither https nor http", "only web addresses are asked")
	}
	if o.host == "" {
		return origin{}, refused("the URL "+shown(u)+" names no host", "write it with its host, as https://sso.example")
	}
	// A name with the root's dot is the same name.
	o.host = strings.TrimSuffix(o.host, ".")
	if o.port == "" {
		o.port = defaultPort(o.scheme)
	}
	return o, nil
}

func parseOrigin(text string) (origin, error) {
	bad := func(why string) (origin, error) {
		return origin{}, &usher.Error{
			Code: usher.ErrUsage, Message: "a trusted origin " + why,
			Hint: "write scheme, host and port, as https://sso.example or http://127.0.0.1:8080",
		}
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return bad("is no URL")
	case u.User != nil:
		return bad("has a user name in it, which would be sent in the clear and shown in logs")
	}
	o, err := originOf(u)
	if err != nil {
		return bad("is no web address")
	}
	return o, nil
}

func parseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" {
		return u, nil
	}
	return nil, &usher.Error{Code: usher.ErrUsage, Message: "the proxy is no http or https URL", Hint: "write it as http://proxy.example:3128"}
}

// shown gives a URL without user, query and fragment, which may hold secrets,
// cut to a length for a sentence.
func shown(u *url.URL) string {
	if u == nil {
		return "(none)"
	}
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return clip(bare.String())
}

// clip cuts a text of the other side for a sentence.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}

// onThisMachine tells whether a host is this machine by its very name.
func onThisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
