package oauth

import (
	"net/netip"
	"strings"
)

// redirectURI is a redirect URI taken apart without losing a byte:
// String gives back what was split. net/url would not do, since it refuses
// what people really send, and decodes.
type redirectURI struct {
	scheme       string
	hasScheme    bool
	hasAuthority bool // there was a "//"
	user         string
	hasUser      bool // there was an "@"
	host         string
	port         string
	hasPort      bool // there was a ":" after the host
	path         string
	query        string
	hasQuery     bool
	fragment     string
	hasFragment  bool
}

// splitRedirect takes any text apart, by the regular expression of RFC 3986
// appendix B. A backslash is an ordinary character here.
func splitRedirect(raw string) (u redirectURI) {
	rest := raw
	rest, u.fragment, u.hasFragment = strings.Cut(rest, "#")
	rest, u.query, u.hasQuery = strings.Cut(rest, "?")
	if n := schemeLength(rest); n > 0 {
		u.scheme, u.hasScheme, rest = rest[:n], true, rest[n+1:]
	}
	after, found := strings.CutPrefix(rest, "//")
	if !found {
		u.path = rest
		return u
	}
	u.hasAuthority = true
	authority := after
	if slash := strings.IndexByte(after, '/'); slash >= 0 {
		authority, u.path = after[:slash], after[slash:]
	}
	u.setAuthority(authority)
	return u
}

// schemeLength gives the length of the scheme that s begins with, or 0. What
// looks like host and port ("localhost:3000/cb") has none.
func schemeLength(s string) int {
	colon := strings.IndexByte(s, ':')
	if colon < 1 || !isLetter(s[0]) {
		return 0
	}
	for i := 1; i < colon; i++ {
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && c != '+' && c != '.' && c != '-' {
			return 0
		}
	}
	port, _, _ := strings.Cut(s[colon+1:], "/")
	if port != "" && len(port) <= 5 && strings.Trim(port, "0123456789") == "" {
		return 0
	}
	return colon
}

func (u *redirectURI) setAuthority(authority string) {
	u.user, u.hasUser, u.host, u.port, u.hasPort = "", false, authority, "", false
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		u.user, u.hasUser, u.host = authority[:at], true, authority[at+1:]
	}
	from := strings.LastIndexByte(u.host, ']') + 1 // an IPv6 address has colons of its own
	if colon := strings.LastIndexByte(u.host[from:], ':'); colon >= 0 {
		u.host, u.port, u.hasPort = u.host[:from+colon], u.host[from+colon+1:], true
	}
}

func (u redirectURI) authority() string {
	s := u.host
	if u.hasUser {
		s = u.user + "@" + s
	}
	if u.hasPort {
		s += ":" + u.port
	}
	return s
}

// shownAuthority is the authority without the password in it.
func (u redirectURI) shownAuthority() string {
	if name, _, found := strings.Cut(u.user, ":"); found {
		u.user = name + ":..."
	}
	return u.authority()
}

func (u redirectURI) String() string {
	var b strings.Builder
	if u.hasScheme {
		b.WriteString(u.scheme + ":")
	}
	if u.hasAuthority {
		b.WriteString("//" + u.authority())
	}
	b.WriteString(u.path)
	if u.hasQuery {
		b.WriteString("?" + u.query)
	}
	if u.hasFragment {
		b.WriteString("#" + u.fragment)
	}
	return b.String()
}

func (u redirectURI) web() bool { return u.scheme == "http" || u.scheme == "https" }

// ip is the address that the host is, if it is one.
func (u redirectURI) ip() (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(u.host, "["), "]"))
	return addr, err == nil
}

// loopbackIP tells whether the host is an address of this machine.
func (u redirectURI) loopbackIP() bool {
	addr, ok := u.ip()
	return ok && addr.IsLoopback()
}

// loopback tells whether the host is this machine, by address or by name.
func (u redirectURI) loopback() bool {
	return strings.EqualFold(u.host, "localhost") || u.loopbackIP()
}

// internal tells whether the host is one that only machines nearby know.
func (u redirectURI) internal() bool {
	if addr, ok := u.ip(); ok {
		return addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsUnspecified()
	}
	host := strings.ToLower(u.host)
	if host != "" && !strings.Contains(host, ".") {
		return true
	}
	for _, end := range [...]string{".local", ".internal", ".svc", ".localhost", ".lan", ".intranet"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return false
}

// defaultPort tells whether port is what the scheme means without one.
func defaultPort(scheme, port string) bool {
	return port == "" || strings.EqualFold(scheme, "https") && port == "443" || strings.EqualFold(scheme, "http") && port == "80"
}

// percentDecode decodes every well-formed escape once and leaves the rest.
func percentDecode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := escapedByte(s, i); ok {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escapedByte reads the escape %XX at i.
func escapedByte(s string, i int) (byte, bool) {
	if s[i] != '%' || i+2 >= len(s) {
		return 0, false
	}
	high, ok1 := hexDigit(s[i+1])
	low, ok2 := hexDigit(s[i+2])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// removeDotSegments resolves "." and ".." as RFC 3986 section 5.2.4 does.
func removeDotSegments(path string) string {
	if !strings.Contains(path, ".") {
		return path
	}
	segments := strings.Split(path, "/")
	kept := segments[:0]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case segment == ".." && len(kept) > 1:
			kept = kept[:len(kept)-1]
		case segment != "." && segment != "..":
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return strings.Join(kept, "/")
}

// hasDotSegments tells whether a path has "." or ".." as a segment; parameters
// after ";" do not count, since servers drop them.
func hasDotSegments(path string) bool {
	return anySegment(path, func(s string) bool { return s == "." || s == ".." })
}

// climbs tells whether a path has ".." as a segment, plain or encoded once.
func climbs(path string) bool {
	return anySegment(percentDecode(strings.NewReplacer("%3B", "%253B", "%3b", "%253b").Replace(path)), func(s string) bool { return s == ".." })
}

func anySegment(path string, test func(string) bool) bool {
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		segment, _, _ = strings.Cut(segment, ";")
		if test(segment) {
			return true
		}
	}
	return false
}

// fitsStars tells whether s is pattern with something, or nothing, in the
// place of each star. It is what people think a star means, and no rule.
func fitsStars(pattern, s string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == s
	}
	first, last := pieces[0], pieces[len(pieces)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, piece := range pieces[1 : len(pieces)-1] {
		at := strings.Index(s, piece)
		if at < 0 {
			return false
		}
		s = s[at+len(piece):]
	}
	return true
}

// fitsLabel tells whether the first label of host fits the first label of
// pattern, which has one star in it, and the other labels are equal.
func fitsLabel(pattern, host string) bool {
	label, rest, _ := strings.Cut(pattern, ".")
	got, gotRest, _ := strings.Cut(host, ".")
	before, after, star := strings.Cut(label, "*")
	return star && rest == gotRest && len(got) > len(before)+len(after) && strings.HasPrefix(got, before) && strings.HasSuffix(got, after)
}

// fitsGlob matches like doublestar: "*" and "?" stop at a slash, "**" does not.
// Long texts fit nothing, which bounds the work.
func fitsGlob(pattern, s string) bool {
	const most = 2048
	if len(pattern) > most || len(s) > most {
		return false
	}
	// fits[j]: what of the pattern was read so far fits s[:j].
	fits := make([]bool, len(s)+1)
	fits[0] = true
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		deep := c == '*' && i+1 < len(pattern) && pattern[i+1] == '*'
		if c == '*' {
			for j := 1; j <= len(s); j++ {
				fits[j] = fits[j] || fits[j-1] && (deep || s[j-1] != '/')
			}
			if deep {
				i++
			}
			continue
		}
		for j := len(s); j >= 1; j-- {
			fits[j] = fits[j-1] && (c == s[j-1] || c == '?' && s[j-1] != '/')
		}
		fits[0] = false
	}
	return fits[len(s)]
}
