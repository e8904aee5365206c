package fix

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"usher"
)

// Judgement is what registering or allowing a value would do to security.
type Judgement struct {
	// Weakens says why it would let something through that must not be let
	// through unasked; empty: it is as safe as what is registered.
	Weakens []string
	// Never says why usher does not do it at all.
	Never string
	// Near are the registered values that it differs from by nothing that
	// matters: a slash at the end, upper case, the scheme's own port.
	Near []string
}

// maxURI is the longest redirect URI, in bytes, that usher registers.
const maxURI = 2000

// JudgeRedirect judges a redirect URI that is to be registered for a client.
// Whoever starts a sign-in chooses the URI that the log shows, so a stranger's
// is assumed: it is neutral only when it leads to where codes go already, the
// same page of the same host by the same scheme, written otherwise (RFC 9700
// section 4.1). A client that is nil is unknown, so nothing is near.
func JudgeRedirect(uri string, c *usher.Client) Judgement {
	u, why := takeApart(uri)
	if why != "" {
		return Judgement{Never: "the redirect URI " + clip(uri) + " " + why}
	}
	var j Judgement
	j.Weakens = suspicious(uri, u)
	registered := registeredURIs(c)
	j.Near = near(u, registered)
	if len(j.Near) == 0 {
		j.Weakens = append(j.Weakens, strange(u, registered))
	}
	if len(j.Near) == 0 && c != nil && slices.Contains(c.WebOrigins, "+") && u.web() && !slices.ContainsFunc(registered, func(r redirect) bool { return r.origin() == u.origin() }) {
		j.Weakens = append(j.Weakens, "the client's web origins are '+', so that scripts of "+u.origin()+" could call the provider's endpoints too")
	}
	if len(j.Weakens) > 0 {
		j.Near = nil
	}
	return j
}

// redirect is a redirect URI taken apart, as it stands.
type redirect struct {
	whole      string
	scheme     string // lower case
	user       bool
	host, port string // host in lower case; the port as written, or the scheme's own
	path       string // not decoded
	query      string
	hasQuery   bool
	fragment   bool
}

// takeApart splits a URI without decoding anything. why says, as the rest of a
// sentence, why nobody should register it: then browsers, libraries and the
// provider may read it each in their own way.
func takeApart(raw string) (u redirect, why string) {
	switch {
	case raw == "":
		return u, "is empty"
	case len(raw) > maxURI:
		return u, "is too long"
	case !utf8.ValidString(raw):
		return u, "is no text"
	case strings.ContainsFunc(raw, hidden):
		return u, "has blanks, control characters or invisible ones in it"
	case strings.ContainsAny(raw, "\\\"<>^`{|}"):
		return u, "has characters in it that no URI has"
	}
	if _, err := url.Parse(raw); err != nil {
		return u, "is no URI"
	}
	scheme, rest, ok := strings.Cut(raw, ":")
	u.whole, u.scheme = raw, strings.ToLower(scheme)
	if !ok || !isScheme(u.scheme) {
		return u, "is not absolute: it has no scheme"
	}
	if slices.Contains(runs, u.scheme) {
		return u, "has the scheme " + u.scheme + ", which runs or reads what follows"
	}
	rest, _, u.fragment = strings.Cut(rest, "#")
	rest, u.query, u.hasQuery = strings.Cut(rest, "?")
	after, hasAuthority := strings.CutPrefix(rest, "//")
	if !hasAuthority {
		if u.web() {
			return u, "names no host"
		}
		u.path = rest
		return u, ""
	}
	authority := after
	if i := strings.IndexByte(after, '/'); i >= 0 {
		authority, u.path = after[:i], after[i:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		u.user, authority = true, authority[i+1:]
	}
	return u, u.setHost(authority)
}

// runs are schemes that a browser does not go to but acts on.
var runs = []string{"javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source", "jar", "ws", "wss", "ftp", "mailto", "tel", "sms", "intent"}

func isScheme(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || (r < '0' || r > '9') && r != '+' && r != '-' && r != '.') {
			return false
		}
	}
	return s != ""
}

// hidden tells what a person would not see.
func hidden(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError || r == 0x115f || r == 0x3164
}

func (u *redirect) setHost(authority string) (why string) {
	host, port := authority, ""
	if strings.HasPrefix(authority, "[") {
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return "has a host that cannot be read"
		}
		host, port = authority[:end+1], authority[end+1:]
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil {
			return "has a host that cannot be read"
		}
	} else if i := strings.IndexByte(authority, ':'); i >= 0 {
		host, port = authority[:i], authority[i:]
	}
	if port != "" && (port[0] != ':' || strings.Trim(port[1:], "0123456789") != "" || len(port) > 6) {
		return "has a port that is no number"
	}
	if u.web() && host == "" {
		return "names no host"
	}
	if !strings.HasPrefix(host, "[") && strings.ContainsFunc(host, func(r rune) bool {
		return r < 0x80 && !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*", r)
	}) {
		return "has characters in its host that no name has"
	}
	u.host, u.port = strings.ToLower(host), strings.TrimPrefix(port, ":")
	if u.port == "" {
		u.port = map[string]string{"http": "80", "https": "443"}[u.scheme]
	}
	u.port = strings.TrimLeft(u.port, "0")
	return ""
}

func (u redirect) web() bool { return u.scheme == "http" || u.scheme == "https" }

func (u redirect) origin() string {
	if u.port == "" || u.scheme == "https" && u.port == "443" || u.scheme == "http" && u.port == "80" {
		return u.scheme + "://" + u.host
	}
	return u.scheme + "://" + u.host + ":" + u.port
}

// loopback tells whether it leads to the person's own machine (RFC 8252 section
// 7.3).
func (u redirect) loopback() bool {
	a, err := netip.ParseAddr(strings.Trim(u.host, "[]"))
	return u.host == "localhost" || err == nil && a.IsLoopback()
}

// number tells whether a host is an address, in whatever form a browser takes
// one: its last label begins with a digit (WHATWG URL, "ends in a number").
func (u redirect) number() bool {
	labels := strings.Split(strings.TrimSuffix(u.host, "."), ".")
	last := labels[len(labels)-1]
	return strings.HasPrefix(u.host, "[") || last != "" && last[0] >= '0' && last[0] <= '9'
}

// suspicious lists what is wrong with a URI whatever is registered.
func suspicious(raw string, u redirect) (list []string) {
	add := func(bad bool, why string) {
		if bad {
			list = append(list, why)
		}
	}
	add(strings.Contains(raw, "*"), "the star in "+clip(raw)+" lets codes be sent to every address that it stands for")
	add(u.fragment, "it has a fragment, which RFC 6749 section 3.1.2 forbids: what comes back would stand behind it")
	add(u.user, "it has a user name before its host, which makes one host look like another")
	add(u.scheme == "http" && !u.loopback(), "it is http: whoever is on the way reads the code")
	add(u.web() && u.number() && !u.loopback(), "its host is a number: no certificate ties an address to an owner")
	add(strings.ContainsFunc(u.host, func(r rune) bool { return r >= 0x80 }), "its host has letters outside ASCII, which can look like others")
	add(strings.HasPrefix(u.host, "xn--") || strings.Contains(u.host, ".xn--"), "its host is an internationalised name (xn--), which can look like another")
	add(strings.HasSuffix(u.host, "."), "its host ends in a dot, which is another host to browsers")
	add(strings.ContainsFunc(u.path+u.query, func(r rune) bool { return r >= 0x80 }), "it has letters outside ASCII, which programs encode differently")
	add(dotted(u.path), "its path has .. or . in it, so that it leads elsewhere than it says")
	if what := trickyEscape(u.path + "?" + u.query); what != "" {
		list = append(list, "it has "+what+" in encoded form, which programs read differently")
	}
	add(strings.ContainsAny(u.path, ";@:") && u.web(), "its path has "+strings.Trim(strings.Map(keep(";@:"), u.path), " ")+" in it, which servers read in special ways")
	add(forwards(u.query), "its query holds an address, as pages have that send people on")
	return list
}

func keep(set string) func(rune) rune {
	return func(r rune) rune {
		if strings.ContainsRune(set, r) {
			return r
		}
		return -1
	}
}

// dotted tells whether a segment of the path is a step elsewhere, also encoded,
// also with a parameter behind it ("..;").
func dotted(path string) bool {
	for range 3 {
		for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' }) {
			name, _, _ := strings.Cut(segment, ";")
			if name == "." || name == ".." {
				return true
			}
		}
		plain, err := url.PathUnescape(path)
		if err != nil || plain == path {
			return err != nil
		}
		path = strings.ReplaceAll(plain, "\\", "/")
	}
	return true // encoded more than twice: nobody means well
}

// trickyEscape names the first escape that stands for something that need not,
// or must not, be encoded: it hides what a comparison should see.
func trickyEscape(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		if i+2 >= len(s) {
			return "half an escape"
		}
		plain, err := url.PathUnescape(s[i : i+3])
		if err != nil {
			return "half an escape"
		}
		c := plain[0]
		switch {
		case c < ' ' || c == 0x7f:
			return "a control character"
		case c < 0x80 && (c == '-' || c == '_' || c == '~' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'):
			return "the plain character " + plain
		case strings.IndexByte(`/\.@:;?#%*&=+`, c) >= 0:
			return plain
		}
	}
	return ""
}

// forwards tells whether a query holds something like an address.
func forwards(query string) bool {
	for range 3 {
		lower := strings.ToLower(query)
		if strings.Contains(lower, "//") || strings.Contains(lower, "http:") || strings.Contains(lower, "https:") || strings.Contains(lower, "javascript:") || strings.Contains(lower, "\\") {
			return true
		}
		plain, err := url.QueryUnescape(query)
		if err != nil || plain == query {
			return err != nil
		}
		query = plain
	}
	return true
}

// registeredURIs takes the entries apart; what Keycloak has relative to the
// root URL is made absolute. What cannot be read is left out.
func registeredURIs(c *usher.Client) (list []redirect) {
	if c == nil {
		return nil
	}
	for _, raw := range c.RedirectURIs {
		whole := raw
		if strings.HasPrefix(raw, "/") {
			whole = strings.TrimSuffix(c.RootURL, "/") + raw
		}
		if u, why := takeApart(whole); why == "" {
			u.whole = raw
			list = append(list, u)
		}
	}
	return list
}

// near gives the registered URIs that lead to the same page.
func near(u redirect, registered []redirect) (list []string) {
	for _, r := range registered {
		if !strings.Contains(r.whole, "*") && sameHost(u, r) && sameScheme(u, r) && samePort(u, r) && samePath(u.path, r.path) && (!u.hasQuery || u.query == r.query) && !r.fragment && !r.user {
			list = append(list, r.whole)
		}
	}
	return list
}

// sameScheme: the same, or https where http is registered.
func sameScheme(u, r redirect) bool {
	return u.scheme == r.scheme || u.scheme == "https" && r.scheme == "http" && !u.loopback()
}

// sameHost: the same name, with or without www., or this machine by another name.
func sameHost(u, r redirect) bool {
	if u.host == r.host {
		return true
	}
	if u.web() && strings.TrimPrefix(u.host, "www.") == strings.TrimPrefix(r.host, "www.") {
		// www. before a public suffix is somebody else's name.
		bare := strings.TrimPrefix(u.host, "www.")
		suffix, _ := publicsuffix.PublicSuffix(bare)
		return suffix != bare
	}
	return u.loopback() && r.loopback()
}

// samePort: the same, with the scheme's own written or not; on this machine any,
// since an app there takes the port that it gets.
func samePort(u, r redirect) bool {
	if u.loopback() && r.loopback() {
		return true
	}
	if u.scheme != r.scheme && r.port == "80" && u.port == "443" {
		return true
	}
	return u.scheme == r.scheme && u.port == r.port
}

// samePath: the same but for case, slashes at the end and doubled ones.
func samePath(a, b string) bool { return plainPath(a) == plainPath(b) }

// slipped tells whether two paths differ by one letter in a word of five or
// more: the app's slip of the hand, or a neighbour's page with a name like it.
func slipped(a, b string) bool {
	as, bs := strings.Split(plainPath(a), "/"), strings.Split(plainPath(b), "/")
	if len(as) != len(bs) {
		return false
	}
	differ := 0
	for i := range as {
		if as[i] == bs[i] {
			continue
		}
		if differ++; !oneLetter(as[i], bs[i]) {
			return false
		}
	}
	return differ == 1
}

func plainPath(p string) string {
	p = strings.ToLower(p)
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return strings.Trim(p, "/")
}

// oneLetter tells whether two words of five letters and more differ by one
// letter left out, put in or changed: a slip of the hand. Digits number things,
// so one is no slip.
func oneLetter(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(a) < 5 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	letter := func(s string) bool { return i < len(s) && s[i] >= 'a' && s[i] <= 'z' }
	if len(a) == len(b) {
		return letter(a) && letter(b) && a[i+1:] == b[i+1:]
	}
	return letter(b) && a[i:] == b[i+1:]
}

// strange says why a URI that is near none of the registered ones weakens.
func strange(u redirect, registered []redirect) string {
	if len(registered) == 0 {
		return "nothing is registered that " + clip(u.whole) + " could be held against: make sure that the app's owner asks for it"
	}
	switch {
	case u.loopback() && !slices.ContainsFunc(registered, redirect.loopback):
		return "no registered redirect URI leads to the person's own machine: any program there could take the code"
	case !slices.ContainsFunc(registered, func(r redirect) bool { return r.scheme == u.scheme || sameScheme(u, r) }):
		return "no registered redirect URI has the scheme " + u.scheme + ": any program that claims it would be given codes"
	case !u.web():
		return "it is none of the registered ones: any program that claims it would be given codes"
	case !slices.ContainsFunc(registered, func(r redirect) bool { return sameHost(u, r) }):
		return strangeHost(u, registered)
	case !slices.ContainsFunc(registered, func(r redirect) bool { return sameHost(u, r) && sameScheme(u, r) }):
		return "the host is registered with another scheme than " + u.scheme
	case !slices.ContainsFunc(registered, func(r redirect) bool { return sameHost(u, r) && sameScheme(u, r) && samePort(u, r) }):
		return "it leads to another port of " + u.host + ", which may be another program"
	case u.hasQuery && slices.ContainsFunc(registered, func(r redirect) bool { return sameHost(u, r) && samePath(u.path, r.path) }):
		return "it has a query that is not registered: what varies belongs into state"
	}
	if i := slices.IndexFunc(registered, func(r redirect) bool {
		return !strings.Contains(r.whole, "*") && sameHost(u, r) && sameScheme(u, r) && samePort(u, r) && slipped(u.path, r.path)
	}); i >= 0 {
		return "it differs by one letter from " + clip(registered[i].whole) + ": a slip of the hand, or a page of somebody else with a name like it"
	}
	return "it leads to another page of " + u.host + " than those registered: if that page can be written by others or sends people on, it hands out codes"
}

func strangeHost(u redirect, registered []redirect) string {
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(u.host, "."))
	if err == nil && slices.ContainsFunc(registered, func(r redirect) bool {
		d, err := publicsuffix.EffectiveTLDPlusOne(r.host)
		return err == nil && d == domain
	}) {
		return "it leads to another host of " + domain + ", " + u.host + ", and not every host of a domain is equally well kept"
	}
	return "it leads to " + u.host + ", a host of which nothing is registered: whoever starts a sign-in chooses the redirect URI, so this may be an attacker who would be given the codes of users"
}
