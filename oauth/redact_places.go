package oauth

import "strings"

// logical reads the character at i, which can be escaped for a URL (also
// twice), HTML, JSON or a shell, and tells how long it is in the text.
func logical(in string, i int) (c byte, n int) {
	switch in[i] {
	case '%':
		j := i + 1
		for j < i+8 && strings.HasPrefix(in[j:], "25") {
			j += 2
		}
		if j+2 <= len(in) {
			if hi, lo := hexValue(in[j]), hexValue(in[j+1]); hi < 16 && lo < 16 {
				return hi<<4 | lo, j + 2 - i
			}
		}
	case '&':
		for k := range entities {
			if e := &entities[k]; strings.HasPrefix(in[i:], e.text) {
				return e.char, len(e.text)
			}
		}
	case '\\':
		j := i + 1
		for j < len(in) && j < i+15 && in[j] == '\\' {
			j++
		}
		if j >= len(in) {
			break
		}
		switch in[j] {
		case '"', '\'', '`', '/':
			return in[j], j + 1 - i
		case 'n':
			return '\n', j + 1 - i
		case 'r':
			return '\r', j + 1 - i
		case 't':
			return '\t', j + 1 - i
		case 'u':
			if j+5 <= len(in) && in[j+1] == '0' && in[j+2] == '0' {
				if hi, lo := hexValue(in[j+3]), hexValue(in[j+4]); hi < 8 && lo < 16 {
					return hi<<4 | lo, j + 5 - i
				}
			}
		}
	}
	return in[i], 1
}

var entities = [...]struct {
	text string
	char byte
}{
	{"&quot;", '"'}, {"&#34;", '"'}, {"&#x22;", '"'}, {"&apos;", '\''}, {"&#39;", '\''}, {"&#x27;", '\''}, {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&#61;", '='}, {"&#x3D;", '='},
}

// hexValue gives the value of a hexadecimal digit, 255 if it is none.
func hexValue(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// percentDepth tells how often a character of length n was percent-encoded.
func percentDepth(in string, i, n int) int {
	if in[i] != '%' || n < 3 {
		return 0
	}
	return (n - 1) / 2
}

// inTag tells whether a word is the name of an element: <name, <ns:name, &lt;name.
func (m *masker) inTag(start int) bool {
	i := start
	if i > m.done && m.in[i-1] == ':' {
		i--
		for i > m.done && byteClass[m.in[i-1]]&inWord != 0 {
			i--
		}
	}
	if i > m.done && m.in[i-1] == '<' {
		return true
	}
	return i-4 >= m.done && m.in[i-4:i] == "&lt;"
}

// tagValue reads the text of an element, behind its attributes.
func tagValue(in string, i int) (span, bool) {
	for limit := min(len(in), i+512); i < limit; {
		c, n := logical(in, i)
		i += n
		if c == '<' || c == '\n' && in[i-1] != '\n' {
			return span{}, false
		}
		if c != '>' {
			continue
		}
		if n == 1 && i >= 2 && in[i-2] == '/' {
			return span{}, false
		}
		i = skipAny(in, i, " \t\r\n")
		if strings.HasPrefix(in[i:], "<![CDATA[") {
			return span{start: i + 9, end: i + 9 + upTo(in[i+9:], "]]>"), form: true}, true
		}
		open := "<"
		if n > 1 {
			open = "&lt;"
		}
		end := i + upTo(in[i:], open)
		for end > i && strings.IndexByte(" \t\r\n", in[end-1]) >= 0 {
			end--
		}
		if !strings.HasPrefix(in[i+upTo(in[i:], open):], open+"/") && (end-i >= longValue || strings.IndexByte(in[i:end], ' ') >= 0 || !likeSecret(in[i:end])) {
			return span{}, false // a placeholder: <token> beside the header
		}
		// An element is as sure as a form; quoted, its text can be a message.
		return span{start: i, end: end, form: true, quoted: true}, true
	}
	return span{}, false
}

func upTo(text, mark string) int {
	if n := strings.Index(text, mark); n >= 0 {
		return n
	}
	return len(text)
}

// mostPair bounds how far a name and its value can be from each other.
const mostPair = 512

// keyed tells whether a word is a value itself, of "name", "key" or the like.
func (m *masker) keyed(start int) bool {
	in, i := m.in, start
	back := func(set string) int {
		from := i
		for i > m.done && strings.IndexByte(set, in[i-1]) >= 0 {
			i--
		}
		return from - i
	}
	back("\"'\\ \t")
	if i > m.done && in[i-1] == ';' && i-6 >= m.done && in[i-6:i] == "&quot;" {
		i -= 6
	}
	if back(":=") != 1 {
		return false
	}
	back("\"'\\ \t")
	end := i
	for i > m.done && byteClass[in[i-1]]&inWord != 0 {
		i--
	}
	switch in[i:end] {
	case "name", "key", "Name", "Key", "id", "header", "field", "nkey":
		return true
	}
	return false
}

// pairValue reads {"name":"client_secret","value":"..."}, as HAR and Postman
// have it, <input name="client_secret" value="...">, and the two lines of YAML.
// i is the end of the name.
func (m *masker) pairValue(start, i int) (span, bool) {
	if !m.keyed(start) {
		return span{}, false
	}
	in := m.in
	limit := min(len(in), i+mostPair)
	for i < limit {
		switch in[i] {
		case '}', '>':
			return span{}, false
		case 'v', 'V':
			if i+5 <= len(in) && in[i+1:i+5] == "alue" && byteClass[in[i-1]]&inWord == 0 {
				return pairedAt(in, i+5, false)
			}
		}
		i++
	}
	return span{}, false
}

// pairedAt reads what stands behind the key of a pair: ": value" or ="value".
func pairedAt(in string, i int, quoted bool) (span, bool) {
	for i < len(in) {
		c, n := logical(in, i)
		if c != '"' && c != '\'' {
			break
		}
		i += n
	}
	i = skipAny(in, i, " \t")
	if i >= len(in) || in[i] != ':' && in[i] != '=' {
		return span{}, false
	}
	i = skipAny(in, i+1, " \t\r\n")
	v, ok := quotedAt(in, i)
	if !ok && quoted {
		return v, false
	}
	if !ok {
		v = span{start: i, end: bareEnd(in, i, 0)}
	}
	v.form, v.quoted = true, true
	return v, v.end > v.start
}

// cookieList notes where the list "cookies":[...] of a HAR ends: every value in
// it is a credential, whatever its name.
func (m *masker) cookieList(end int) {
	i := skipAny(m.in, end, "\"'\\")
	i = skipAny(m.in, i, ": \t")
	if i == end || i >= len(m.in) || m.in[i] != '[' || i < m.cookies {
		return
	}
	m.cookies = i + upTo(m.in[i:], "]")
}

// valueFirst masks the value of {"value":"...","key":"client_secret"}.
func (m *masker) valueFirst(start, end int) bool {
	in := m.in
	v, ok := pairedAt(in, end, true)
	if !ok {
		return false
	}
	if start < m.cookies {
		return m.value(nameStrict, v)
	}
	if v.end-v.start > 1<<16 {
		return false
	}
	for i := v.end; i < min(len(in), v.end+mostPair); i++ {
		switch in[i] {
		case '}', '>':
			return false
		case 'n', 'k', 'N', 'K':
			if byteClass[in[i-1]]&inWord != 0 || !strings.HasPrefix(in[i+1:], "ame") && !strings.HasPrefix(in[i+1:], "ey") {
				continue
			}
			n := 3
			if in[i] == 'n' || in[i] == 'N' {
				n = 4
			}
			name, ok := pairedAt(in, i+n, true)
			if !ok {
				continue
			}
			if kind := nameKind(in[name.start:name.end]); kind != nameNone && kind != nameKey {
				return m.value(kind, v)
			}
			return false
		}
	}
	return false
}

// authorization masks the credentials behind a scheme.
func (m *masker) authorization(v span) bool {
	if v.start < m.header {
		return false
	}
	m.header = v.end
	in, scheme := m.in, false
	challenge := true
	for {
		v.start = skipAny(in[:v.end], v.start, " ")
		n := strings.IndexByte(in[v.start:v.end], ' ')
		if n < 0 || !isScheme(in[v.start:v.start+n]) {
			break
		}
		scheme = true
		challenge = !strings.EqualFold(in[v.start:v.start+n], "digest") && !strings.EqualFold(in[v.start:v.start+n], "oauth")
		v.start += n
	}
	text := in[v.start:v.end]
	if keepValue(text) || isScheme(text) || strings.HasPrefix(text, "[object") {
		return false
	}
	if strings.Contains(text, `="`) || strings.Contains(text, `=\"`) || strings.Contains(text, "=") && strings.Contains(text, ", ") {
		if challenge && (strings.Contains(text, "realm=") || strings.Contains(text, "error=")) {
			return false
		}
		m.mask(v.start, v.end)
		return true
	}
	first := text
	if n := strings.IndexAny(text, " \t\"'`,"); n >= 0 {
		first = text[:n]
	}
	if first == "" || !wordByte(first[0]) && strings.IndexByte("+/-_.", first[0]) < 0 {
		return false
	}
	rest := text[len(first):]
	for word := range strings.FieldsSeq(rest) {
		if likeSecret(word) {
			m.mask(v.start, v.end)
			return true
		}
	}
	if isErrorWord(first) && (scheme || rest != "" || isStatus(first)) || !scheme && rest != "" && !likeSecret(first) || keepValue(first) {
		return false
	}
	m.mask(v.start, v.start+len(first))
	return true
}

// cookiePairs masks the values of cookies; the attributes of Set-Cookie stay.
func (m *masker) cookiePairs(v span) bool {
	if v.start < m.header {
		return false
	}
	m.header = v.end
	masked := false
	for start := v.start; start < v.end; {
		end := start + upTo(m.in[start:v.end], ";")
		if m.cookiePair(start, end) {
			masked = true
		}
		start = end + 1
	}
	if masked {
		m.at = max(m.at, v.end)
	}
	return masked
}

func (m *masker) cookiePair(start, end int) bool {
	name, value, found := strings.Cut(m.in[start:end], "=")
	if !found {
		for word := range strings.FieldsSeq(name) {
			if likeSecret(word) {
				m.mask(start, end)
				return true
			}
		}
		return false
	}
	if isMasked(value) || !hasWord(value) {
		return false
	}
	var buf [mostName]byte
	switch string(lower(&buf, strings.TrimSpace(name))) {
	case "path", "domain", "expires", "max-age", "samesite", "priority", "version", "comment":
		if len(value) < 64 && strings.IndexByte(value, '=') < 0 {
			return false
		}
	}
	m.mask(end-len(value), end)
	return true
}

// flag masks the password of -u user:password and the cookies of -b.
func (m *masker) flag(start, end int) bool {
	in, word := m.in, m.in[start:end]
	if len(word) < 2 || end >= len(in) || start > m.done && strings.IndexByte(" \t\r\n\"'`(", in[start-1]) < 0 {
		return false
	}
	i := end
	switch word {
	case "-u", "-U", "--user", "--proxy-user", "-b", "--cookie":
		if in[end] != ' ' && in[end] != '=' {
			if len(word) != 2 || in[end] != '\'' && in[end] != '"' {
				return false
			}
		} else {
			i = skipAny(in, end+1, " ")
		}
	default:
		if in[end] != ':' && in[end] != '.' && in[end] != '@' || word[1] != 'u' && word[1] != 'U' || strings.HasPrefix(in[end:], "://") {
			return false
		}
		i = start + 2
	}
	v, quoted := quotedAt(in, i)
	if !quoted {
		v = span{start: i, end: i + strings.IndexAny(in[i:]+" ", " \t\r\n\"'`")}
	}
	if word == "-b" || word == "--cookie" {
		return strings.IndexByte(in[v.start:v.end], '=') >= 0 && m.cookiePairs(v)
	}
	colon := strings.IndexByte(in[v.start:v.end], ':')
	if colon < 0 {
		return false
	}
	user, password := in[v.start:v.start+colon], in[v.start+colon+1:v.end]
	if keepValue(password) || strings.HasPrefix(password, "//") || strings.Trim(user+password, "0123456789") == "" {
		return false
	}
	m.mask(v.start+colon+1, v.end)
	return true
}
