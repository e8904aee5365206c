package redirects

import (
	"net/netip"
	"strings"
)

// uri is an entry taken apart, with nothing decoded. Package net/url refuses
// what people really register, and decodes the rest.
type uri struct {
	scheme string // as written
	host   string
	port   string
	path   string
	query  string

	hasScheme, hasAuthority, hasUser, hasPort, hasQuery, hasFragment bool
}

// split takes any text apart along RFC 3986 appendix B. What looks like host
// and port, "localhost:3000/cb", has no scheme.
func split(raw string) (u uri) {
	rest, _, hasFragment := strings.Cut(raw, "#")
	u.hasFragment = hasFragment
	rest, u.query, u.hasQuery = strings.Cut(rest, "?")
	if n := schemeLength(rest); n > 0 {
		u.scheme, u.hasScheme, rest = rest[:n], true, rest[n+1:]
	}
	authority, found := strings.CutPrefix(rest, "//")
	if !found {
		u.path = rest
		return u
	}
	u.hasAuthority = true
	if i := strings.IndexByte(authority, '/'); i >= 0 {
		authority, u.path = authority[:i], authority[i:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		u.hasUser, authority = true, authority[i+1:]
	}
	u.host = authority
	from := strings.LastIndexByte(authority, ']') + 1 // an IPv6 address has colons of its own
	if i := strings.LastIndexByte(authority[from:], ':'); i >= 0 {
		u.host, u.port, u.hasPort = authority[:from+i], authority[from+i+1:], true
	}
	return u
}

func schemeLength(s string) int {
	colon := strings.IndexByte(s, ':')
	if colon < 1 || !letter(s[0]) {
		return 0
	}
	for i := 1; i < colon; i++ {
		if c := s[i]; !letter(c) && !digit(c) && c != '+' && c != '.' && c != '-' {
			return 0
		}
	}
	port, _, _ := strings.Cut(s[colon+1:], "/")
	if port != "" && len(port) <= 5 && strings.Trim(port, "0123456789") == "" {
		return 0
	}
	return colon
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }

func (u uri) is(scheme string) bool { return strings.EqualFold(u.scheme, scheme) }

// web tells whether a browser goes there over HTTP.
func (u uri) web() bool { return u.is("http") || u.is("https") }

// private tells whether the scheme is one that an app claims on a device.
func (u uri) private() bool { return u.hasScheme && !u.web() && !u.is("urn") && !runs(u.scheme) }

// address is the IP address that the host is, if it is one.
func (u uri) address() (netip.Addr, bool) {
	if u.host == "" || !digit(u.host[0]) && u.host[0] != '[' {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(u.host, "["), "]"))
	return a, err == nil
}

// loopback tells whether the host is this machine, by address or by name.
func (u uri) loopback() bool {
	if strings.EqualFold(u.host, "localhost") {
		return true
	}
	a, ok := u.address()
	return ok && a.IsLoopback()
}

// runs tells whether a browser acts on what follows the scheme in place of
// going there.
func runs(scheme string) bool {
	for _, s := range [...]string{"javascript", "data", "vbscript", "file", "blob", "filesystem", "about", "view-source"} {
		if strings.EqualFold(s, scheme) {
			return true
		}
	}
	return false
}

// below tells whether a host is a domain or lies below it; both in lower case.
func below(host, domain string) bool {
	return host == domain || len(host) > len(domain) && host[len(host)-len(domain)-1] == '.' && strings.HasSuffix(host, domain)
}
