package oauth

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// say writes the explanation and masks what is shown.
func (m *redirectMatcher) say(r RedirectResult, entries []redirectEntry, requested string) RedirectResult {
	var sentence string
	switch r.Verdict {
	case RedirectMatch:
		sentence = m.sayMatch(r, requested)
	case RedirectRefused:
		sentence = m.sayRefused(r, entries)
	default:
		sentence = m.sayMismatch(r, entries, requested)
	}
	if m.rule.Unknown != "" {
		sentence = "by the standard, since " + clip(m.rule.Unknown) + " has no rule of its own here: " + sentence
	}
	r.Explanation, r.Expected, r.Got = Redact(withoutControls(sentence)), Redact(cut(withoutPassword(r.Expected))), Redact(cut(withoutPassword(r.Got)))
	return r
}

func (m *redirectMatcher) sayMatch(r RedirectResult, requested string) string {
	registered, sent := shorten(r.Closest, 0), shorten(requested, 0)
	switch {
	case r.Explanation != "":
		return r.Explanation
	case requested == "" && r.Closest != "":
		return "redirect_uri was left out, and the one registered entry " + registered + " is used"
	case requested == "":
		return "redirect_uri was left out, which this provider allows"
	case r.Closest == "":
		return sent + " needs no entry for this kind of client"
	}
	switch r.Difference {
	case "wildcard":
		return sent + " is covered by the wildcard of " + registered + ", as is everything else that it covers: prefer exact entries"
	case "placeholder":
		return sent + " is " + registered + " with the organization of this sign-in filled in"
	case "double-encoding":
		return sent + " is covered by the wildcard of " + registered + " though it is encoded twice, which an app may decode into another path"
	case "subpath", "subdomain":
		return sent + " lies below the registered " + registered + ", which this provider lets pass"
	}
	if r.Closest == requested {
		return "the app sends exactly what is registered, " + registered
	}
	if a, b := splitRedirect(r.Closest), splitRedirect(requested); a.loopback() && a.port != b.port {
		return "the app sends " + sent + ", registered is " + registered + ", and the port of a loopback address is not compared"
	}
	return "the app sends " + sent + ", registered is " + registered + ", and this provider does not count the difference"
}

func (m *redirectMatcher) sayRefused(r RedirectResult, entries []redirectEntry) string {
	why := "is not allowed"
	for _, e := range entries {
		if e.URI == r.Closest && e.why != "" {
			why = e.why
		}
	}
	return "the entry " + shorten(r.Closest, 0) + " cannot be registered with " + providerName(m.rule) + ", because it " + why
}

func providerName(rule RedirectRule) string {
	if rule.Name == "standard" || rule.Name == "" {
		return "a provider that keeps to the standard"
	}
	return rule.Name
}

func (m *redirectMatcher) sayMismatch(r RedirectResult, entries []redirectEntry, requested string) string {
	switch {
	case r.Difference == "missing":
		return m.sayMissing(entries)
	case r.Difference == "oob":
		return "the app sends " + outOfBand + ", which this provider has switched off: use a loopback address such as http://127.0.0.1 with any port"
	case r.Difference == "unregistered" && len(entries) == 0:
		return "the app sends " + shorten(requested, 0) + ", and no redirect URI is registered"
	case r.Difference == "unregistered":
		return "the app sends " + shorten(requested, 0) + ", and nothing like it is registered: the nearest entry is " + shorten(r.Closest, 0) + ", and once anything is registered only that counts"
	case r.Difference == "too-long":
		return "the app sends a redirect URI of " + strconv.Itoa(len(requested)) + " bytes that is not equal to an entry, and none that long is looked into"
	}
	sentence := "the app sends " + shorten(requested, r.Position) + ", registered is " + shorten(r.Closest, r.Position)
	details := m.detail(r.Difference, r, requested)
	if r.Second != "" {
		details += "; besides, " + secondWords(r.Second)
	}
	return sentence + " (" + details + ")"
}

func (m *redirectMatcher) sayMissing(entries []redirectEntry) string {
	switch {
	case len(entries) == 0:
		return "the request has no redirect_uri, and none is registered"
	case m.ctx.OpenID:
		return "the request has no redirect_uri, which OpenID Connect always needs (Core section 3.1.2.1)"
	case len(entries) > 1:
		return "the request has no redirect_uri, and it is needed because " + strconv.Itoa(len(entries)) + " are registered (RFC 6749 section 3.1.2.3)"
	}
	return "the request has no redirect_uri, and this provider needs it"
}

// detail says the one difference, with both values.
func (m *redirectMatcher) detail(name string, r RedirectResult, requested string) string {
	expected, got := quoteShort(r.Expected), quoteShort(r.Got)
	switch name {
	case "double-encoding":
		return "it is encoded once too often, so that one decode leaves %25 or %3A"
	case "whitespace":
		return lengthWords(r.Closest, requested) + ": blanks, line breaks or invisible characters, as copying brings along"
	case "scheme":
		if r.Got == "" {
			return "the scheme " + expected + " is missing, so that it is no absolute URI"
		}
		return "the scheme is " + got + " instead of " + expected + m.proxyWords("scheme", "X-Forwarded-Proto")
	case "scheme-case":
		return "the scheme is written " + got + " instead of " + expected
	case "custom-scheme":
		if r.Expected == "*" {
			return "a lone star covers http and https only, and not " + got
		}
		return "the scheme is " + got + " instead of " + expected
	case "userinfo":
		return "the part before the path is " + got + " instead of " + expected + ", and what stands before an @ is a user name and not the host"
	case "host-case":
		return "the host is written " + got + " instead of " + expected + ", and the comparison is by the letter"
	case "host":
		return m.hostDetail(r, requested)
	case "loopback-name":
		return "both name this machine, but " + got + " is not " + expected + " to the provider: use the registered form"
	case "default-port":
		return "the port " + first(r.Got, r.Expected) + " is the scheme's own, but it is written on one side only"
	case "port":
		return "the port is " + portWords(r.Got) + " instead of " + portWords(r.Expected)
	case "trailing-slash":
		if len(r.Got) > len(r.Expected) {
			return lengthWords(r.Expected, r.Got) + ": a slash at the end"
		}
		return lengthWords(r.Expected, r.Got) + ": the slash at the end is missing"
	case "empty-path":
		return lengthWords(r.Expected, r.Got) + ": one has the path / and the other none"
	case "path-case":
		return "upper and lower case differ: " + got + " instead of " + expected
	case "encoding":
		return got + " is percent-encoded otherwise than " + expected + ", and nothing is decoded for the comparison"
	case "dot-segments":
		return "the path " + got + " has dot segments and leads to " + quoteShort(removeDotSegments(percentDecode(r.Got)))
	case "backslash":
		return got + " has a backslash, which parsers read differently"
	case "path":
		return "the path is " + got + " instead of " + expected
	case "query-added":
		if r.Expected == "" {
			return "the query " + got + " was added; carry such values in state"
		}
		return "the query is " + got + " instead of " + expected + "; carry what varies in state"
	case "query-missing":
		if r.Got == "" {
			return "the query " + expected + " is missing"
		}
		return "of the query " + expected + " only " + got + " was sent"
	case "query-order":
		return "the parameters stand in another order: " + got + " instead of " + expected
	case "fragment":
		if r.Expected == "" {
			return "the fragment " + got + " was added, and a redirect URI may have none (RFC 6749 section 3.1.2)"
		}
		return "the fragment is " + got + " instead of " + expected + ", and a redirect URI may have none (RFC 6749 section 3.1.2)"
	case "idn":
		return "the host is " + got + " and " + expected + " is the same name in another writing: register the Punycode form (xn--)"
	case "wildcard":
		return "the star does not cover it: this provider " + m.starWords(r.Closest)
	case "wildcard-depth":
		return "a star stands for one label, and " + got + " has more than " + expected
	case "placeholder":
		if m.ctx.Organization == "" {
			return "the placeholder is filled in only when the sign-in names an organization"
		}
		return "the placeholder was filled with " + clip(m.ctx.Organization)
	case "special-character":
		return "it has characters that must not stand there, such as quotes, or blanks and brackets that are not encoded"
	}
	return got + " instead of " + expected
}

func (m *redirectMatcher) hostDetail(r RedirectResult, requested string) string {
	got, expected := strings.ToLower(r.Got), strings.ToLower(r.Expected)
	said := "the host is " + quoteShort(r.Got) + " instead of " + quoteShort(r.Expected)
	switch {
	case got == "www."+expected || expected == "www."+got:
		return said + ": one has www. and the other not" + m.proxyWords("host", "X-Forwarded-Host")
	case strings.HasPrefix(got, expected+"."):
		return said + ", a name that belongs to somebody else"
	case withHost(splitRedirect(requested), r.Got).internal():
		return said + ": a name that is known inside only" + m.proxyWords("host", "X-Forwarded-Host")
	case strings.HasSuffix(got, "."+expected) || strings.HasSuffix(expected, "."+got):
		return said + ": one is a sub-domain of the other" + m.proxyWords("host", "X-Forwarded-Host")
	}
	return said + m.proxyWords("host", "X-Forwarded-Host")
}

// proxyWords point to the usual reason on a server; an app on a person's
// device has no proxy before it.
func (m *redirectMatcher) proxyWords(what, header string) string {
	if m.ctx.ApplicationType == "native" || m.ctx.ClientType == "desktop" || m.ctx.Platform == "native" || m.ctx.Platform == "spa" || m.ctx.RedeemedFrom == "browser" {
		return ""
	}
	return "; on a server app look for a proxy that does not pass on the outer " + what + " (" + header + "), or an app that does not trust it"
}

func (m *redirectMatcher) starWords(closest string) string {
	u := splitRedirect(shorten(closest, 0))
	if m.rule.Wildcard == WildcardTrailing {
		if strings.ContainsAny(closest, "?#") {
			return "takes the star as it stands once the entry has a question mark"
		}
		return "takes a star at the end of the path or the port only, and it never widens the host"
	}
	_, why := m.starMayWiden(u)
	return first(why, "does not take it so")
}

// secondWords names a second difference in short.
func secondWords(name string) string {
	return "there is a second difference: " + strings.ReplaceAll(name, "-", " ")
}

func portWords(port string) string {
	if port == "" {
		return "none"
	}
	return strings.TrimPrefix(quoteShort(port), ":")
}

// lengthWords says how much longer or shorter the request is, in characters.
func lengthWords(expected, got string) string {
	n := utf8.RuneCountInString(got) - utf8.RuneCountInString(expected)
	unit := " characters"
	if n == 1 || n == -1 {
		unit = " character"
	}
	if n < 0 {
		return strconv.Itoa(-n) + unit + " less"
	}
	return strconv.Itoa(n) + unit + " more"
}

func quoteShort(s string) string {
	if s == "" {
		return "none"
	}
	return shorten(s, 0)
}

// shorten makes a foreign text fit a sentence: on one line, visible, and cut to
// the stretch around a place.
func shorten(s string, around int) string {
	const most = 160
	s = withoutPassword(s)
	if len(s) > most {
		from := min(max(around-most/2, 0), len(s)-most)
		head, tail := "", ""
		if from > 0 {
			head = "..."
		}
		if from+most < len(s) {
			tail = "..."
		}
		s = head + strings.ToValidUTF8(s[from:from+most], "") + tail
	}
	return visible(s)
}

// withoutPassword hides what stands between ":" and "@" before the path, also
// where "//" was forgotten and no mask would look for a password.
func withoutPassword(s string) string {
	start := 0
	if at := strings.Index(s, "//"); at >= 0 {
		start = at + 2
	}
	end := len(s)
	if n := strings.IndexAny(s[start:], "/?#"); n >= 0 {
		end = start + n
	}
	at := strings.LastIndexByte(s[start:end], '@')
	if at < 0 {
		return s
	}
	colon := strings.IndexByte(s[start:start+at], ':')
	if colon < 0 {
		return s
	}
	return s[:start+colon] + ":..." + s[start+at:]
}

// cut bounds a part that is shown beside the sentence.
func cut(s string) string {
	const most = 512
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// visible writes what a person would not see as an escape.
func visible(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == ' ' && i > 0 && i < len(s)-1:
			b.WriteRune(r)
		case r == ' ':
			b.WriteString("[blank]")
		case invisible(r) || r == utf8.RuneError:
			b.WriteString("[" + strings.Trim(strconv.QuoteRuneToASCII(r), "'") + "]")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// withoutControls puts a mark in the place of control characters, so that a URI cannot
// break the sentence that names it.
func withoutControls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\u2423'
		}
		return r
	}, s)
}
