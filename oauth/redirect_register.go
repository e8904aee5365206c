package oauth

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
)

// scripts are schemes that run what follows; nobody may register them (RFC
// 9700 section 4.1, OAuth 2.1 section 2.3.1).
var scripts = [...]string{"javascript", "data", "vbscript", "file", "blob"}

// registrationFault tells why the provider does not take an entry: the name of
// the fault and the rest of a sentence that begins with the entry. Both are
// empty for an entry that may be registered.
func (m *redirectMatcher) registrationFault(raw string, u redirectURI) (name, why string) {
	r, star := m.rule, strings.Contains(raw, "*")
	ip, isIP := u.ip()
	switch {
	case isScript(u.scheme):
		return "custom-scheme", "has the scheme " + u.scheme + ", which runs what follows"
	case r.MaxLength > 0 && utf8.RuneCountInString(raw) > r.MaxLength:
		return "too-long", "has " + strconv.Itoa(utf8.RuneCountInString(raw)) + " characters, and at most " + strconv.Itoa(r.MaxLength) + " are allowed"
	case r.NoFragment && u.hasFragment:
		return "fragment", "has a fragment (#), which RFC 6749 section 3.1.2 forbids"
	case r.NoUserinfo && u.hasUser:
		return "userinfo", "has a user name before the host"
	case r.NoLoopback && u.loopback():
		return "loopback-name", "names this machine, and a domain name is needed"
	case r.NoIPv6Loopback && isIP && ip.Is6() && ip.IsLoopback():
		return "loopback-name", "uses the IPv6 loopback address, which is not supported: use http://localhost or 127.0.0.1"
	case r.NoWildcard && star:
		return "wildcard", "has a star, and no wildcards are allowed: register every URI"
	case r.WildcardSetting && star && !strings.EqualFold(m.ctx.WildcardRedirect, "SUBDOMAIN"):
		return "wildcard", "has a star, and the app's wildcard_redirect is not SUBDOMAIN"
	case r.OneWildcard && strings.Count(raw, "*") > 1:
		return "wildcard", "has more than one star"
	case r.NoPersonalWildcard && star && m.personal():
		return "wildcard", "has a star, which is not allowed when personal accounts may sign in"
	case r.NoPersonalQuery && u.hasQuery && m.personal():
		return "query-added", "has a query, which is not allowed when personal accounts may sign in"
	case r.HTTPForLoopbackOnly && strings.EqualFold(u.scheme, "http") && !u.loopback():
		return "scheme", "is http, which is allowed for this machine (localhost) only: use https"
	case r.NoIP && isIP && !ip.IsLoopback():
		return "ip-literal", "has an IP address in place of a domain name"
	case r.NoDotSegments && hasDotSegments(u.path):
		return "dot-segments", "has . or .. as a segment of its path"
	}
	if at := strings.IndexAny(raw, r.ForbiddenCharacters); r.ForbiddenCharacters != "" && at >= 0 {
		return "special-character", "has the character " + raw[at:at+1] + ", and none of " + strings.Join(strings.Split(r.ForbiddenCharacters, ""), " ") + " may stand there"
	}
	if at := invalidURIByte(raw); r.ValidURI && at >= 0 {
		return "special-character", "is no valid URI: " + byteName(raw[at]) + " has to be encoded"
	}
	return "", ""
}

func (m *redirectMatcher) personal() bool { return strings.Contains(m.ctx.Audience, "Personal") }

func isScript(scheme string) bool {
	for _, script := range scripts {
		if strings.EqualFold(scheme, script) {
			return true
		}
	}
	return false
}

// invalidURIByte gives the place of the first byte that no URI has (RFC 3986
// section 2), or -1. Characters outside ASCII pass, as Java lets them.
func invalidURIByte(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c <= ' ' || c == 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return i
		}
		if _, ok := escapedByte(s, i); c == '%' && !ok {
			return i
		}
	}
	return -1
}

func byteName(c byte) string {
	switch {
	case c == ' ':
		return "the blank"
	case c == '\\':
		return "the backslash"
	case c < ' ' || c == 0x7f:
		return "the control character"
	}
	return "the character " + string(rune(c))
}

// starMayWiden tells whether the star in the host of an entry is one that the
// provider fills in, and if not, why.
func (m *redirectMatcher) starMayWiden(u redirectURI) (ok bool, why string) {
	label, rest, _ := strings.Cut(u.host, ".")
	switch {
	case m.rule.Wildcard != WildcardLabel:
		return false, "takes a star in the host as it stands"
	case m.rule.ThirdPartyExact && m.ctx.ThirdParty:
		return false, "lets a third-party app have no wildcards"
	case !u.web():
		return false, "fills in a star for http and https only"
	case !strings.Contains(label, "*") || strings.Contains(rest, "*"):
		return false, "fills in a star in the first label of the host only"
	case rest == "":
		return false, "fills in no star that stands for a whole domain"
	}
	if suffix, _ := publicsuffix.PublicSuffix(rest); m.rule.NotRegistrableDomain && suffix == rest {
		return false, "fills in no star that stands for a whole domain"
	}
	return true, ""
}
