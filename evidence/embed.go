package evidence

import (
	"strings"
)

// maxEmbedded bounds what is taken out of one text.
const maxEmbedded = 40

// embedded reads what stands inside a text: JSON objects, URLs, tokens,
// challenges, request bodies.
func (r *reader) embedded(p *piece, text string, folded *folded) {
	lower := folded.s
	if folded.has("realm") && strings.Contains(text, "type=") {
		r.keycloakLines(p, text)
	}
	if strings.IndexByte(text, '{') >= 0 {
		r.embeddedJSON(p, text)
	}
	if strings.Contains(text, "://") {
		r.embeddedURLs(p, text, lower)
	}
	if strings.Contains(lower, "error=") && strings.IndexByte(text, '/') >= 0 {
		r.embeddedPaths(p, text, lower)
	}
	if strings.Contains(text, "eyJ") {
		r.embeddedTokens(p, text)
	}
	if folded.has("grant_type") {
		r.embeddedForms(p, text, lower)
	}
	if folded.has("www-authenticate") {
		r.embeddedChallenges(p, text, lower)
	}
	if folded.has("curl ") {
		r.embeddedCurl(p, text)
	}
}

// embeddedJSON reads the objects in a text, at most once each.
func (r *reader) embeddedJSON(p *piece, text string) {
	found := 0
	for at, tries := 0, 0; at < len(text) && found < maxEmbedded && tries < 200; tries++ {
		i := strings.IndexByte(text[at:], '{')
		if i < 0 {
			return
		}
		at += i
		next, ok := r.oneEmbedded(p, text, at)
		if ok {
			found++
		}
		at = max(next, at+1)
	}
}

// oneEmbedded reads the object at offset at. It gives the offset to go on from.
func (r *reader) oneEmbedded(p *piece, text string, at int) (next int, ok bool) {
	rest := strings.TrimLeft(text[at+1:min(len(text), at+64)], " \n\t")
	switch {
	case rest == "":
		return at + 1, false
	case strings.HasPrefix(rest, `\"`), strings.HasPrefix(rest, `\\\"`):
		return r.escapedJSON(p, text, at)
	case rest[0] == '"' || rest[0] == '\'' || strings.HasPrefix(rest, "\u201c") || strings.HasPrefix(rest, "u'"):
	default:
		return at + 1, false
	}
	doc := parseJSON(text, at)
	if r.work -= doc.end - at; r.work < 0 {
		return len(text), false
	}
	if doc.failed || len(doc.root.kids) == 0 {
		return at + 1, false
	}
	if r.object(&doc.root, p, true) {
		part := p.part(at, doc.end)
		r.tellJSON(&part, &doc, at)
	} else {
		r.strings(&doc.root, p, 0)
	}
	return doc.end, true
}

// escapedJSON reads an object whose quotes are escaped, as in a log line that
// quotes a body.
func (r *reader) escapedJSON(p *piece, text string, at int) (next int, ok bool) {
	raw := text[at:min(len(text), at+64<<10)]
	if i := strings.IndexByte(raw, '\n'); i > 0 && !strings.Contains(raw[:min(len(raw), 4)], "\n") {
		raw = raw[:i]
	}
	if r.work -= 2 * len(raw); r.work < 0 {
		return len(text), false
	}
	plain := unescapeLayer(raw)
	if strings.HasPrefix(strings.TrimLeft(plain[1:], " \n\t"), `\"`) {
		plain = unescapeLayer(plain)
	}
	doc := parseJSON(plain, 0)
	if doc.failed || len(doc.root.kids) == 0 {
		return at + 1, false
	}
	inner := p.inside(at, plain[:doc.end], p.origin)
	if inner.depth > maxUnpack {
		return at + len(raw), false
	}
	if !r.object(&doc.root, &inner, true) {
		r.strings(&doc.root, &inner, 0)
	}
	return at + min(len(raw), doc.end), true
}

// unescapeLayer undoes one layer of JSON string escapes.
func unescapeLayer(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		i += unescapeOne(s[i:], &b)
	}
	return b.String()
}

// embeddedURLs reads the URLs of a text that carry a part of a flow.
func (r *reader) embeddedURLs(p *piece, text, lower string) {
	found := 0
	for at, n := 0, 0; found < maxEmbedded && n < 400; n++ {
		i := strings.Index(text[at:], "://")
		if i < 0 {
			return
		}
		i += at
		start := i
		for start > at && (isWordByte(text[start-1]) && text[start-1] < 0x80 || text[start-1] == '.' || text[start-1] == '-' || text[start-1] == '+') {
			start--
		}
		end := i + urlEnd(text[i:])
		at = max(end, i+3)
		for start < i && (text[start] < 'A' || text[start] > 'z') {
			start++
		}
		u := lower[start:end]
		if start == i || !strings.Contains(u, "=") {
			continue
		}
		if !strings.Contains(u, "error") && !strings.Contains(u, "client_id=") && !strings.Contains(u, "response_type=") && !strings.Contains(u, "code=") && !strings.Contains(u, "token=") {
			continue
		}
		part := p.part(start, end)
		if r.work -= len(part.text); r.work < 0 {
			return
		}
		if r.url(&part) {
			found++
		}
	}
}

// embeddedPaths reads ways back of which only path and query are there, as
// access logs have them.
func (r *reader) embeddedPaths(p *piece, text, lower string) {
	for at, n := 0, 0; n < maxEmbedded; n++ {
		i := strings.Index(lower[at:], "error=")
		if i < 0 {
			return
		}
		i += at
		start := i
		for start > at && i-start < 2048 && strings.IndexByte(" \t\n\"'<>", text[start-1]) < 0 {
			start--
		}
		end := i + urlEnd(text[i:])
		at = max(end, i+1)
		if text[start] != '/' || strings.IndexByte(text[start:i], '?') < 0 {
			continue
		}
		part := p.part(start, end)
		if r.work -= len(part.text); r.work < 0 {
			return
		}
		r.url(&part)
	}
}

// urlEnd gives the length of the URL at the start of s.
func urlEnd(s string) int {
	end := min(len(s), maxWord)
	for i := 0; i < end; i++ {
		if c := s[i]; c <= ' ' || c == '"' || c == '<' || c == '>' || c == '`' || c == '\'' || c == '\\' || c == '|' || c == '^' {
			end = i
			break
		}
	}
	return len(strings.TrimRight(s[:end], ".,;)]}"))
}

// embeddedTokens reads the tokens of a text.
func (r *reader) embeddedTokens(p *piece, text string) {
	seen := map[string]bool{}
	for at := 0; len(seen) < maxEmbedded; {
		i := strings.Index(text[at:], "eyJ")
		if i < 0 {
			return
		}
		at += i
		end := at
		for end < len(text) && (isTokenByte(text[end]) || text[end] == '.') {
			end++
		}
		t := strings.TrimRight(text[at:end], ".")
		if len(t) >= 20 && strings.IndexByte(t, '.') > 0 && !seen[t] && (at == 0 || !isTokenByte(text[at-1])) {
			seen[t] = true
			part := p.part(at, at+len(t))
			part.origin = nameBefore(text, at)
			r.part(part)
		}
		at = end
	}
}

// nameBefore gives the name that a value at offset at is assigned to.
func nameBefore(text string, at int) string {
	end := at
	for end > 0 && at-end < 8 && strings.IndexByte("\"'= :\\", text[end-1]) >= 0 {
		end--
	}
	start := end
	for start > 0 && end-start < 40 && (isWordByte(text[start-1]) || text[start-1] == '-') {
		start--
	}
	name := lowerASCII(text[start:end])
	switch name {
	case "client_assertion", "assertion", "client_secret", "id_token", "access_token", "refresh_token", "logout_token":
		return name
	case "dpop":
		return "DPoP"
	case "bearer":
		return "access_token"
	}
	return ""
}

// embeddedForms reads request bodies that a text quotes.
func (r *reader) embeddedForms(p *piece, text, lower string) {
	for at, n := 0, 0; n < 8; n++ {
		i := strings.Index(lower[at:], "grant_type=")
		if i < 0 {
			return
		}
		i += at
		start := i
		for start > at && i-start < maxWord && strings.IndexByte(" \t\n\"'`<>?({[,", text[start-1]) < 0 {
			start--
		}
		end := i + wordlessEnd(text[i:])
		at = max(end, i+1)
		if !strings.Contains(text[start:end], "&") {
			continue
		}
		part := p.part(start, end)
		if sniffForm(&part) > 0 {
			readForm(r, &part)
		}
	}
}

// wordlessEnd gives the length of the form body at the start of s.
func wordlessEnd(s string) int {
	s = s[:min(len(s), maxWord)]
	if i := strings.IndexAny(s, " \t\n\"'`<>\\"); i >= 0 {
		return i
	}
	return len(s)
}

// embeddedChallenges reads the WWW-Authenticate headers of a text.
func (r *reader) embeddedChallenges(p *piece, text, lower string) {
	const name = "www-authenticate"
	for at, n := 0, 0; n < maxChallenges; n++ {
		i := strings.Index(lower[at:], name)
		if i < 0 {
			return
		}
		at += i + len(name)
		rest := text[at:]
		skip := len(rest) - len(strings.TrimLeft(rest, "\"'\\ :=[>"))
		if skip == 0 || skip > 16 {
			continue
		}
		start := at + skip
		end := start + headerEnd(text[start:min(len(text), start+maxWord)])
		val := text[start:end]
		known := false
		for _, scheme := range authSchemes {
			known = known || len(val) >= len(scheme) && strings.EqualFold(val[:len(scheme)], scheme)
		}
		if known {
			r.challenge(p.part(start, end), val)
			at = end
		}
	}
}
