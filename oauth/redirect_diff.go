package oauth

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// redirectStep is one difference, or two that cannot be told apart, and the
// request with it put right.
type redirectStep struct {
	named []redirectDifference
	fixed redirectURI
}

type redirectDifference struct{ name, expected, got string }

func stepTo(fixed redirectURI, name, expected, got string) redirectStep {
	return redirectStep{[]redirectDifference{{name, expected, got}}, fixed}
}

// differences explains why a request does not match an entry: what has to be
// put right, one after the other, until it would. Whatever explains the
// refusal alone is given alone. The list is never empty.
func (m *redirectMatcher) differences(entry, request redirectURI) (found []redirectDifference) {
	const most = 12 // more components than a URI has
	for range most {
		if ok, _ := m.matches(entry, request); ok {
			break
		}
		step := m.nextStep(entry, request)
		if step.named == nil {
			break
		}
		found = append(found, step.named...)
		request = step.fixed
	}
	if found == nil {
		found = []redirectDifference{{"unregistered", entry.String(), request.String()}}
	}
	return found
}

// nextStep gives the first difference that explains the refusal alone, or else
// the first of all.
func (m *redirectMatcher) nextStep(entry, request redirectURI) (first redirectStep) {
	forgiven, _ := m.forgive(entry, request)
	for _, look := range [...]func(entry, request redirectURI) redirectStep{
		m.doubleEncoding, m.whitespace, m.invalidByte, m.star,
		m.scheme, m.userinfo, m.authority, m.hostCase, m.host, m.loopbackName, m.hostEncoding,
		m.port, m.path, m.query, m.fragment, m.idn,
	} {
		step := look(forgiven, request)
		if step.named == nil || step.fixed == request {
			continue
		}
		if len(step.named) == 1 {
			if ok, _ := m.matches(entry, step.fixed); ok {
				return step
			}
		}
		if first.named == nil {
			first = step
		}
	}
	return first
}

// doubleEncoding: one decode too few, in the whole or in a part.
func (m *redirectMatcher) doubleEncoding(entry, request redirectURI) redirectStep {
	want, got := entry.String(), request.String()
	plain := percentDecode(got)
	switch {
	case encodedWhole(got) && !encodedWhole(want):
		return stepTo(splitRedirect(plain), "double-encoding", want, got)
	case encodedWhole(want) && !encodedWhole(got) && percentDecode(want) == got:
		return stepTo(entry, "double-encoding", want, got)
	case strings.Contains(got, "%25") && got != want && strings.ReplaceAll(got, "%25", "%") == want:
		return stepTo(entry, "double-encoding", want, got)
	case m.rule.Wildcard != WildcardTrailing && request.path != entry.path && strings.Contains(request.path, "%25") && percentDecode(percentDecode(request.path)) == percentDecode(entry.path):
		fixed := request
		fixed.path = entry.path
		return stepTo(fixed, "double-encoding", entry.path, request.path)
	}
	return redirectStep{}
}

// encodedWhole tells whether even the colon after the scheme is encoded.
func encodedWhole(s string) bool {
	n := strings.IndexByte(s, '%')
	return n > 0 && n+2 < len(s) && strings.EqualFold(s[n:n+3], "%3A") && !strings.ContainsAny(s[:n], ":/?#")
}

// whitespace: blanks and line breaks around or inside, and what looks like
// nothing.
func (m *redirectMatcher) whitespace(entry, request redirectURI) redirectStep {
	want, got := entry.String(), request.String()
	wantBare, gotBare := withoutBlanks(want), withoutBlanks(got)
	switch {
	case want != got && wantBare == gotBare:
		return stepTo(entry, "whitespace", want, got)
	case gotBare != got && wantBare == want:
		return stepTo(splitRedirect(gotBare), "whitespace", gotBare, got)
	}
	return redirectStep{}
}

func invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == 0x200b || r == 0x200c || r == 0x200d || r == 0x2060 || r == 0xfeff
}

// withoutBlanks drops raw blanks everywhere and encoded ones at both ends,
// but for the end of a query, where one may be part of a value.
func withoutBlanks(s string) string {
	s = strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)
	for blankEscape(s, 0) {
		s = s[3:]
	}
	for len(s) >= 3 && blankEscape(s, len(s)-3) && !strings.ContainsAny(s, "?#") {
		s = s[:len(s)-3]
	}
	return s
}

func blankEscape(s string, at int) bool {
	if at >= len(s) {
		return false
	}
	c, ok := escapedByte(s, at)
	return ok && (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0)
}

// invalidByte: quotes around the value, and what a strict provider refuses.
func (m *redirectMatcher) invalidByte(entry, request redirectURI) redirectStep {
	got := request.String()
	if bare := strings.Trim(got, "\"'<>`"); bare != got && strings.Trim(entry.String(), "\"'<>`") == entry.String() {
		return stepTo(splitRedirect(bare), "special-character", bare, got)
	}
	at := m.requestFault(request)
	switch {
	case at < 0:
		return redirectStep{}
	case got[at] == '\\':
		return stepTo(splitRedirect(strings.ReplaceAll(got, `\`, "/")), "backslash", entry.String(), got)
	}
	fixed := strings.Map(func(r rune) rune {
		if r == '%' || r < 0x80 && invalidURIByte(string(r)) >= 0 {
			return -1
		}
		return r
	}, got)
	return stepTo(splitRedirect(fixed), "special-character", fixed, got)
}

// star: the entry has a star or a placeholder that does not stand for what was
// sent.
func (m *redirectMatcher) star(entry, request redirectURI) redirectStep {
	want := entry.String()
	switch {
	case m.rule.Placeholders && strings.Contains(want, "{"):
		if fitsStars(bracesToStars(want), request.String()) {
			return stepTo(entry, "placeholder", want, request.String())
		}
		return redirectStep{}
	case !strings.Contains(want, "*") || entry.user != request.user || entry.hasUser != request.hasUser:
		return redirectStep{}
	case want == "*":
		return stepTo(entry, "custom-scheme", want, request.scheme+":")
	case m.rule.Wildcard == WildcardTrailing && climbs(request.path) || !fitsStars(want, request.String()):
		return redirectStep{}
	}
	if ok, _ := m.starMayWiden(entry); ok && strings.Count(request.host, ".") > strings.Count(entry.host, ".") {
		return stepTo(entry, "wildcard-depth", entry.host, request.host)
	}
	return stepTo(entry, "wildcard", want, request.String())
}

// bracesToStars writes a star in the place of every {placeholder}.
func bracesToStars(s string) string {
	var b strings.Builder
	for {
		before, after, open := strings.Cut(s, "{")
		_, rest, shut := strings.Cut(after, "}")
		if !open || !shut {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before + "*")
		s = rest
	}
}

func (m *redirectMatcher) scheme(entry, request redirectURI) redirectStep {
	if entry.scheme == request.scheme && entry.hasScheme == request.hasScheme {
		return redirectStep{}
	}
	fixed := request
	fixed.scheme, fixed.hasScheme = entry.scheme, entry.hasScheme
	switch {
	case !request.hasScheme:
		return m.noScheme(entry, request)
	case !entry.hasScheme:
		return stepTo(entry, "scheme", entry.String(), request.scheme+":")
	case strings.EqualFold(entry.scheme, request.scheme):
		return stepTo(fixed, "scheme-case", entry.scheme+":", request.scheme+":")
	case entry.web() && fixed.hasAuthority && (strings.EqualFold(request.scheme, "http") || strings.EqualFold(request.scheme, "https")):
		return stepTo(fixed, "scheme", entry.scheme+":", request.scheme+":")
	}
	return stepTo(fixed, "custom-scheme", entry.scheme+":", request.scheme+":")
}

// noScheme: the app sent a host and path, or a path alone.
func (m *redirectMatcher) noScheme(entry, request redirectURI) redirectStep {
	fixed, got := request, request.String()
	switch {
	case strings.HasPrefix(got, "//"):
		fixed = splitRedirect(entry.scheme + ":" + got)
	case strings.HasPrefix(got, "/"):
		fixed.scheme, fixed.hasScheme, fixed.hasAuthority = entry.scheme, entry.hasScheme, entry.hasAuthority
		fixed.setAuthority(entry.authority())
	default:
		fixed = splitRedirect(entry.scheme + "://" + got)
	}
	return stepTo(fixed, "scheme", entry.scheme+":", "")
}

func (m *redirectMatcher) userinfo(entry, request redirectURI) redirectStep {
	if entry.hasUser == request.hasUser && entry.user == request.user || strings.Contains(request.authority(), `\`) {
		return redirectStep{}
	}
	fixed := request
	if strings.HasPrefix(request.user, entry.host) && entry.host != "" {
		// What should be the host stands before an "@", where it is a name for
		// whatever follows: the whole authority is wrong in one way.
		fixed.setAuthority(entry.authority())
	} else {
		fixed.user, fixed.hasUser = entry.user, entry.hasUser
	}
	return stepTo(fixed, "userinfo", entry.shownAuthority(), request.shownAuthority())
}

// authority: a backslash in it, on which parsers disagree, or no authority
// where there should be one.
func (m *redirectMatcher) authority(entry, request redirectURI) redirectStep {
	fixed := request
	switch {
	case strings.Contains(request.authority(), `\`) && !strings.Contains(entry.authority(), `\`):
		fixed.setAuthority(entry.authority())
		return stepTo(fixed, "backslash", entry.shownAuthority(), request.shownAuthority())
	case entry.hasAuthority != request.hasAuthority && entry.hasScheme == request.hasScheme:
		fixed.hasAuthority, fixed.path = entry.hasAuthority, entry.path
		fixed.setAuthority(entry.authority())
		return stepTo(fixed, "path", beforeQuery(entry), beforeQuery(request))
	}
	return redirectStep{}
}

func beforeQuery(u redirectURI) string {
	u.query, u.hasQuery, u.fragment, u.hasFragment = "", false, "", false
	return u.String()
}

func withHost(u redirectURI, host string) redirectURI {
	u.host = host
	return u
}

// hostsDiffer leaves out URIs of which one has no host to speak of.
func hostsDiffer(entry, request redirectURI) bool {
	return entry.host != request.host && entry.hasAuthority && request.hasAuthority
}

func (m *redirectMatcher) hostCase(entry, request redirectURI) redirectStep {
	if !hostsDiffer(entry, request) || !strings.EqualFold(entry.host, request.host) {
		return redirectStep{}
	}
	return stepTo(withHost(request, entry.host), "host-case", entry.host, request.host)
}

func (m *redirectMatcher) host(entry, request redirectURI) redirectStep {
	if !hostsDiffer(entry, request) || strings.EqualFold(entry.host, request.host) ||
		entry.loopback() && request.loopback() || percentDecode(request.host) == entry.host || sameIDN(entry.host, request.host) {
		return redirectStep{}
	}
	return stepTo(withHost(request, entry.host), "host", entry.host, request.host)
}

func (m *redirectMatcher) loopbackName(entry, request redirectURI) redirectStep {
	if !hostsDiffer(entry, request) || strings.EqualFold(entry.host, request.host) || !entry.loopback() || !request.loopback() {
		return redirectStep{}
	}
	return stepTo(withHost(request, entry.host), "loopback-name", entry.host, request.host)
}

func (m *redirectMatcher) hostEncoding(entry, request redirectURI) redirectStep {
	if !hostsDiffer(entry, request) || percentDecode(request.host) != entry.host {
		return redirectStep{}
	}
	return stepTo(withHost(request, entry.host), "encoding", entry.host, request.host)
}

// idn: the same name once in its own script and once in Punycode.
func (m *redirectMatcher) idn(entry, request redirectURI) redirectStep {
	if !hostsDiffer(entry, request) || strings.EqualFold(entry.host, request.host) || !sameIDN(entry.host, request.host) {
		return redirectStep{}
	}
	return stepTo(withHost(request, entry.host), "idn", entry.host, request.host)
}

func sameIDN(a, b string) bool {
	const most = 255 // bytes of a domain name
	if len(a) > most || len(b) > most || !strings.Contains(a+b, "xn--") && isASCII(a+b) {
		return false
	}
	a1, err1 := idna.Lookup.ToASCII(a)
	b1, err2 := idna.Lookup.ToASCII(b)
	return err1 == nil && err2 == nil && a1 == b1
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

func (m *redirectMatcher) port(entry, request redirectURI) redirectStep {
	if entry.port == request.port && entry.hasPort == request.hasPort || entry.hasAuthority != request.hasAuthority {
		return redirectStep{}
	}
	fixed := request
	fixed.port, fixed.hasPort = entry.port, entry.hasPort
	name := "port"
	if (!entry.hasPort || !request.hasPort) && defaultPort(request.scheme, request.port) && defaultPort(request.scheme, entry.port) {
		name = "default-port"
	}
	return stepTo(fixed, name, portName(entry), portName(request))
}

func portName(u redirectURI) string {
	if !u.hasPort {
		return ""
	}
	return ":" + u.port
}

// pathViews are the ways in which two paths may be the same to a person.
var pathViews = [...]struct {
	name string
	view func(string) string
}{
	{"trailing-slash", func(p string) string { return strings.TrimRight(p, "/") }},
	{"path-case", strings.ToLower},
	{"encoding", percentDecode},
	{"dot-segments", removeDotSegments},
	{"backslash", func(p string) string { return strings.ReplaceAll(p, `\`, "/") }},
}

func (m *redirectMatcher) path(entry, request redirectURI) redirectStep {
	want, got := entry.path, request.path
	if want == got || entry.hasAuthority != request.hasAuthority {
		return redirectStep{}
	}
	fixed := request
	fixed.path = want
	if strings.Trim(want, "/") == "" && strings.Trim(got, "/") == "" {
		return stepTo(fixed, "empty-path", want, got)
	}
	for _, v := range pathViews {
		if v.view(want) == v.view(got) {
			return stepTo(fixed, v.name, want, got)
		}
	}
	for i, v := range pathViews {
		for _, w := range pathViews[i+1:] {
			if w.view(v.view(want)) == w.view(v.view(got)) || v.view(w.view(want)) == v.view(w.view(got)) {
				return redirectStep{[]redirectDifference{{v.name, want, got}, {w.name, want, got}}, fixed}
			}
		}
	}
	return stepTo(fixed, m.oddPath(want, got), want, got)
}

// oddPath names what makes a path lead elsewhere than it seems to.
func (m *redirectMatcher) oddPath(want, got string) string {
	switch {
	case hasDotSegments(got) && !hasDotSegments(want),
		m.rule.Wildcard == WildcardTrailing && climbs(got) && !climbs(want):
		return "dot-segments"
	case hidesSeparator(got) && !hidesSeparator(want):
		return "encoding"
	case strings.Contains(got, `\`) && !strings.Contains(want, `\`):
		return "backslash"
	}
	return "path"
}

// hidesSeparator tells whether a slash, backslash or dot is encoded.
func hidesSeparator(path string) bool {
	for i := 0; i < len(path); i++ {
		if c, ok := escapedByte(path, i); ok && (c == '/' || c == '\\' || c == '.') {
			return true
		}
	}
	return false
}

func (m *redirectMatcher) query(entry, request redirectURI) redirectStep {
	if entry.query == request.query && entry.hasQuery == request.hasQuery {
		return redirectStep{}
	}
	fixed := request
	fixed.query, fixed.hasQuery = entry.query, entry.hasQuery
	want, got := queryPairs(entry.query), queryPairs(request.query)
	added, missing := minusPairs(got, want), minusPairs(want, got)
	expected, sent := queryName(entry), queryName(request)
	switch {
	case added == nil && missing == nil && want != nil:
		return stepTo(fixed, "query-order", expected, sent)
	case missing == nil && request.hasQuery:
		return stepTo(fixed, "query-added", expected, sent)
	case added == nil:
		return stepTo(fixed, "query-missing", expected, sent)
	case percentDecode(entry.query) == percentDecode(request.query):
		return stepTo(fixed, "encoding", expected, sent)
	}
	return redirectStep{[]redirectDifference{{"query-added", expected, sent}, {"query-missing", expected, sent}}, fixed}
}

func queryName(u redirectURI) string {
	if !u.hasQuery {
		return ""
	}
	return "?" + u.query
}

// queryPairs gives the pairs of a query, sorted.
func queryPairs(query string) []string {
	if query == "" {
		return nil
	}
	pairs := strings.Split(query, "&")
	slices.Sort(pairs)
	return pairs
}

// minusPairs gives what sorted a has over sorted b, counting repetitions.
func minusPairs(a, b []string) (over []string) {
	for _, pair := range a {
		for len(b) > 0 && b[0] < pair {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == pair {
			b = b[1:]
			continue
		}
		over = append(over, pair)
	}
	return over
}

func (m *redirectMatcher) fragment(entry, request redirectURI) redirectStep {
	if entry.fragment == request.fragment && entry.hasFragment == request.hasFragment {
		return redirectStep{}
	}
	fixed := request
	fixed.fragment, fixed.hasFragment = entry.fragment, entry.hasFragment
	return stepTo(fixed, "fragment", fragmentName(entry), fragmentName(request))
}

func fragmentName(u redirectURI) string {
	if !u.hasFragment {
		return ""
	}
	return "#" + u.fragment
}
