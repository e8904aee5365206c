package oauth

import "strings"

// span is a value that was found behind a name, and how.
type span struct {
	start, end int
	quoted     bool
	form       bool // in a query or a form: the value is a credential whatever it looks like
	colon      bool
	spaced     bool // a space stands before the value, as in prose
	list       bool // it is an element of [...]
	depth      int  // how often the text is percent-encoded
}

// longValue is a length from which on a value is no message: it is masked
// unread, so that nothing is read twice.
const longValue = 4096

// named masks the value behind the name of a credential.
func (m *masker) named(start, end int) bool {
	if !m.separated(start, end) {
		return false
	}
	if end-start == 5 && (m.in[start:end] == "value" || m.in[start:end] == "Value") {
		return m.valueFirst(start, end)
	}
	if m.in[start:end] == "cookies" {
		m.cookieList(end)
	}
	kind := nameKind(m.in[start:end])
	if kind == nameNone {
		return false
	}
	v, ok := m.valueAt(start, end, kind)
	if !ok || v.start >= v.end {
		return false
	}
	masked := m.value(kind, v)
	for v.list && v.quoted {
		if v, ok = m.nextElement(v); !ok {
			break
		}
		masked = m.value(kind, v) || masked
	}
	return masked
}

// value masks a value if it is a credential.
func (m *masker) value(kind nameClass, v span) bool {
	switch kind {
	case nameHeader:
		return m.authorization(v)
	case nameCookie:
		return m.cookiePairs(v)
	case nameKey:
		text := m.in[v.start:v.end]
		if !v.quoted || !v.colon || len(text) < 12 || !random(text) || !m.inJWK(v) {
			return false
		}
		m.mask(v.start, v.end)
		return true
	}
	text := m.in[v.start:v.end]
	if len(text) < longValue && (keepValue(text) || !m.credential(kind, v, text)) {
		return false
	}
	for v.end-v.start < longValue {
		scheme, rest, found := strings.Cut(text, " ")
		if !found || !isScheme(scheme) {
			break
		}
		text = strings.TrimLeft(rest, " ")
		if keepValue(text) || strings.Contains(text, `="`) {
			return false
		}
		v.start = v.end - len(text)
	}
	m.mask(v.start, v.end)
	return true
}

// credential tells whether the value of a name is one, by the kind of the name
// and the way it was written.
func (m *masker) credential(kind nameClass, v span, text string) bool {
	if kind == nameLoose {
		if hasMask(text) {
			return false
		}
		if v.form && !v.quoted {
			return !isErrorCode(text)
		}
		return len(text) >= 12 && random(text) && !isErrorCode(text)
	}
	if kind == nameToken && !v.form && isErrorCode(text) && !isDigit(text[0]) {
		return false
	}
	if v.quoted && isMessage(text) {
		return false
	}
	if isPath(text) && strings.Contains(strings.ToUpper(m.in[max(0, v.start-7):v.start]), "PWD=") {
		return false // the working directory
	}
	if v.colon && isStatus(text) || v.spaced && !v.quoted && isSentence(m.in, v.start, v.end) {
		return false
	}
	return true
}

// isPath tells an absolute path.
func isPath(text string) bool {
	return text[0] == '/' || text[0] == '~' || len(text) > 2 && text[1] == ':' && text[2] == '\\'
}

// inJWK tells whether the name before a value belongs to a JWK.
func (m *masker) inJWK(v span) bool {
	near := m.in[max(m.done, v.start-2048):min(len(m.in), v.end+2048)]
	return strings.Contains(near, `"kty`) || strings.Contains(near, `kty\`)
}

// separated tells cheaply whether a separator can follow a word, as every name
// of a credential has it.
func (m *masker) separated(start, end int) bool {
	in := m.in
	if end >= len(in) {
		return false
	}
	switch in[end] {
	case '=', ':', '"', '\'', '\\', '%', '>', '`', '&', ']', '(', '\n', '\r':
		return true
	case ' ', '\t':
		if in[start] == '-' || start > m.done && (in[start-1] == '<' || in[start-1] == ':') {
			return true
		}
		i := skipAny(in, end, " \t")
		return i < len(in) && strings.IndexByte("=:\"'`-", in[i]) >= 0
	}
	return false
}

// valueAt finds the value that belongs to a name: name=value, name: value,
// "name":"value", name%3Dvalue, <name>value</name>, ("name", "value"),
// name("value"), --name value, {"name":N,"value":V}, and the part of a
// multipart form.
func (m *masker) valueAt(start, end int, kind nameClass) (span, bool) {
	in := m.in
	if kind == nameKey && in[end] != '"' && in[end] != '\\' {
		return span{}, false
	}
	if m.inTag(start) {
		return tagValue(in, end)
	}
	i := end
	for i < len(in) {
		c, n := logical(in, i)
		if c != '"' && c != '\'' && c != '`' && c != ']' {
			break
		}
		i += n
	}
	quoted := i > end
	j := skipAny(in, i, " \t")
	if j >= len(in) {
		return span{}, false
	}
	sep, n := logical(in, j)
	v := span{depth: percentDepth(in, j, n)}
	switch {
	case sep == '=' || sep == ':':
	case sep == '\n' || sep == '\r':
		k := skipAny(in, j, "\r\n")
		if quoted && strings.Count(in[j:k], "\n") > 1 && m.keyed(start) {
			return span{start: k, end: lineEnd(in, k), form: true}, true
		}
		return m.pairValue(start, i)
	case sep == ',' && quoted:
		if m.keyed(start) {
			return m.pairValue(start, i)
		}
		return m.argument(start, j+n)
	case sep == '(' && j == end:
		return quotedAt(in, skipAny(in, j+1, " \t\r\n"))
	case quoted && m.keyed(start):
		return m.pairValue(start, i)
	case j > end && !quoted:
		return m.spacedValue(start, end, j)
	default:
		return span{}, false
	}
	v.colon = sep == ':'
	v.form = sep == '=' && n == 1 && i == end && j == i && (start == 0 || strings.IndexByte("?&#;\n\"' ", in[start-1]) >= 0) || v.depth > 0 && sep == '='
	j += n
	if j < len(in) && in[j] == ':' && v.colon { // Token::Error
		return span{}, false
	}
	if j < len(in) && (in[j] == '>' || in[j] == '=') { // =>, == and :=
		j++
	}
	before := j
	j = skipAny(in, j, " \t")
	v.spaced = j > before
	if v.spaced && v.form && start > 0 && (in[start-1] == '?' || in[start-1] == '&') {
		return span{}, false // a parameter without value
	}
	if j < len(in) && in[j] == '[' && maskAt(in, j) == 0 {
		v.list = true
		j = skipAny(in, j+1, " \t\r\n")
		if j >= len(in) || in[j] == ']' || strings.EqualFold(in[start:end], "pass") { // as against fail
			return span{}, false
		}
	}
	if j < len(in) && (in[j] == '|' || in[j] == '>') { // a YAML block
		if k := skipAny(in, j, "|>-+"); k < len(in) && (in[k] == '\n' || in[k] == '\r') {
			v.start = skipAny(in, k, " \t\r\n")
			v.end = lineEnd(in, v.start)
			return v, true
		}
	}
	if q, ok := quotedAt(in, j); ok {
		v.start, v.end, v.quoted = q.start, q.end, true
		return v, true
	}
	if j < len(in) && in[j] == '<' && keepValue(in[j:min(j+1+upTo(in[j:min(len(in), j+64)], ">"), len(in))]) {
		return span{}, false
	}
	v.start = j
	if kind == nameHeader || kind == nameCookie {
		if j < m.header {
			return span{}, false
		}
		v.end = m.headerEnd(start, j, v.list)
		return v, true
	}
	v.end = bareEnd(in, j, v.depth)
	if kind == nameStrict || kind == nameToken {
		v.end = withRest(in, v.end, v.depth)
	}
	return v, true
}

// argument reads ("password", "..."); in ["password", "refresh_token"] the
// second is no value of the first.
func (m *masker) argument(start, i int) (span, bool) {
	v, ok := quotedAt(m.in, skipAny(m.in, i, " \t\r\n"))
	open := start - 1
	if !ok || open < m.done || strings.IndexByte("\"'`", m.in[open]) < 0 {
		return v, false
	}
	for open > m.done && strings.IndexByte(`"'\`, m.in[open]) >= 0 {
		open--
	}
	text := m.in[v.start:v.end]
	call := open >= m.done && open >= 0 && m.in[open] == '(' && !isErrorCode(text)
	return v, call || strings.IndexByte(text, ' ') < 0 && likeSecret(text) && random(strings.TrimRight(text, "0123456789"))
}

// spacedValue reads --client-secret X, ConvertTo-SecureString "X", and
// the client secret 'X'.
func (m *masker) spacedValue(start, end, j int) (span, bool) {
	in := m.in
	if strings.HasSuffix(in[start:end], "SecureString") && strings.HasPrefix(in[j:], "-String ") {
		j = skipAny(in, j+8, " ")
	}
	v, ok := quotedAt(in, j)
	if in[start] == '-' {
		if !ok && j < len(in) && in[j] != '-' {
			v, ok = span{start: j, end: bareEnd(in, j, 0)}, true
		}
		return v, ok && !isStatus(in[v.start:v.end]) && (v.quoted || !isProse(in[v.start:v.end]))
	}
	return v, ok && (likeSecret(in[v.start:v.end]) || strings.HasSuffix(in[start:end], "SecureString"))
}

// nextElement reads the next quoted element of a list.
func (m *masker) nextElement(v span) (span, bool) {
	_, n := logical(m.in, min(v.end, len(m.in)-1))
	i := skipAny(m.in, v.end+n, " \t\r\n")
	if i >= len(m.in) || m.in[i] != ',' {
		return v, false
	}
	q, ok := quotedAt(m.in, skipAny(m.in, i+1, " \t\r\n"))
	v.start, v.end = q.start, q.end
	return v, ok && q.end > q.start
}
