package oauth

import (
	"strings"

	"usher"
)

// Redact masks every credential in a text of any form: URLs, forms, JSON,
// headers, command lines, configuration, stack traces. A credential is known
// by the name before it (client_secret=...), by its scheme (Bearer ...), by its
// shape (a JWT, a vendor's prefix), or because it is a long random run. Error
// words, codes, GUIDs, client ids and plain words stay. A mask is the
// fingerprint of usher.Secret, so equal secrets look equal. Redact(Redact(s))
// is Redact(s).
func Redact(s string) string {
	// A mask changes what the text around it means, so a text in which
	// something was masked is read again; nearly always that finds nothing.
	for range mostPasses {
		m := masker{in: s}
		m.scan()
		if m.done == 0 {
			break
		}
		m.out.WriteString(s[m.done:])
		s = m.out.String()
	}
	return s
}

// mostPasses bounds the rereading of hostile texts.
const mostPasses = 6

// masker walks over a text once. done is how far the input has been copied.
type masker struct {
	in   string
	out  strings.Builder
	done int
	at   int

	run     int // end of the run that shape looked at last
	header  int // end of the header value that was looked at last
	cookies int // end of the list "cookies":[...]
}

// mask replaces in[start:end], except for the masks in it, and goes on behind it.
func (m *masker) mask(start, end int) {
	piece, masks := start, 0
	for i := start; i < end; i++ {
		if n := maskAt(m.in, i); n > 0 {
			m.piece(piece, i, true)
			i += n - 1
			piece = i + 1
			masks++
		}
	}
	m.piece(piece, end, masks > 0)
	m.at = max(m.at, end)
}

// piece masks a part of a value. What stands between masks is only masked if it
// has a letter or a digit.
func (m *masker) piece(start, end int, part bool) {
	if start >= end || part && !hasWord(m.in[start:end]) {
		return
	}
	m.out.WriteString(m.in[m.done:start])
	m.out.WriteString(usher.Secret(m.in[start:end]).Fingerprint())
	m.done = end
}

// maskAt gives the length of the mask that starts at i, 0 if there is none.
func maskAt(in string, i int) int {
	if i >= len(in) || in[i] != '[' {
		return 0
	}
	rest := in[i:]
	if strings.HasPrefix(rest, "[no secret]") {
		return len("[no secret]")
	}
	const size = len("[secret 7f3a]")
	if len(rest) < size || rest[:8] != "[secret " || rest[size-1] != ']' {
		return 0
	}
	for _, c := range []byte(rest[8 : size-1]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return 0
		}
	}
	return size
}

// isMasked tells whether nothing but masks is left of a value.
func isMasked(text string) bool {
	masks := 0
	for i := 0; i < len(text); i++ {
		if n := maskAt(text, i); n > 0 {
			i += n - 1
			masks++
		} else if wordByte(text[i]) {
			return false
		}
	}
	return masks > 0
}

// hasMask tells whether a part of a value is masked.
func hasMask(text string) bool {
	for i := 0; i < len(text); i++ {
		if maskAt(text, i) > 0 {
			return true
		}
	}
	return false
}

func hasWord(text string) bool {
	for i := 0; i < len(text); i++ {
		if wordByte(text[i]) {
			return true
		}
	}
	return false
}

// wordByte tells letters and digits, also of other scripts.
func wordByte(c byte) bool {
	return isLetter(c) || isDigit(c) || c >= 0x80
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Classes of bytes: of a word, of a credential's run, and of what can begin a
// mask or a URL's authority.
const (
	inWord = 1 << iota
	inRun
	inSign
)

var byteClass = func() (table [256]uint8) {
	for c := range table {
		b := byte(c)
		switch {
		case isLetter(b) || isDigit(b) || b == '_' || b == '-':
			table[c] = inWord | inRun
		case strings.IndexByte("+/.~", b) >= 0:
			table[c] = inRun
		case b == ':' || b == '%' || b == '[':
			table[c] = inSign
		}
	}
	return table
}()

func (m *masker) scan() {
	in := m.in
	for m.at < len(in) {
		i := m.at
		for i < len(in) {
			class := byteClass[in[i]]
			if class&inWord != 0 {
				break
			}
			if class&inSign != 0 {
				if n := maskAt(in, i); n > 0 {
					i += n
					continue
				}
				if n := authorityAt(in, i); n > 0 {
					m.at = i + n
					m.userinfo(in[i] == '%')
					i = m.at
					continue
				}
			}
			i++
		}
		start := i
		for i < len(in) && byteClass[in[i]]&inWord != 0 {
			i++
		}
		m.at = i
		if start < i {
			m.escaped(start, i)
		}
	}
}

// escaped looks at a word, without what an escape before it left on it:
// %22client_secret, \u0026client_secret, \nclient_secret.
func (m *masker) escaped(start, end int) {
	if start > m.done {
		switch m.in[start-1] {
		case '%':
			if _, n := logical(m.in, start-1); n > 1 && start-1+n < end {
				start += n - 1
			}
		case '\\':
			if _, n := logical(m.in, start-1); n > 2 && start-1+n < end {
				start += n - 1
			} else if strings.IndexByte("nrt", m.in[start]) >= 0 && start+1 < end {
				if !m.word(start, end) {
					m.word(start+1, end)
				}
				return
			}
		}
	}
	m.word(start, end)
}

// word looks at one word: is it a name with a credential behind it, a scheme,
// a flag, a key block, a known shape, or random?
func (m *masker) word(start, end int) bool {
	if m.in[start] == '-' && (m.block(start, end) || m.flag(start, end)) {
		return true
	}
	return m.named(start, end) || m.scheme(start, end) || m.shape(start, end) || m.told(start, end)
}

// block masks a PEM private key, also with escaped line ends.
func (m *masker) block(start, end int) bool {
	if !strings.HasPrefix(m.in[start:end], "-----BEGIN") {
		return false
	}
	rest := m.in[start:]
	if !strings.Contains(rest[:min(len(rest), 64)], "PRIVATE KEY") {
		return false
	}
	end = len(m.in)
	if i := strings.Index(rest[10:], "-----END"); i >= 0 {
		end = start + 10 + i
		if j := strings.Index(m.in[end+8:], "-----"); j >= 0 {
			end += 8 + j + 5
		}
	}
	m.mask(start, end)
	return true
}

// authorityAt gives the length of ://, :\/\/ or %3A%2F%2F at i.
func authorityAt(in string, i int) int {
	rest := in[i:]
	if rest[0] == ':' {
		if strings.HasPrefix(rest, "://") {
			return 3
		}
		if strings.HasPrefix(rest, `:\/\/`) {
			return 5
		}
		return 0
	}
	if rest[0] != '%' || len(rest) < 9 || rest[1] != '3' && rest[1] != '2' {
		return 0
	}
	at := i
	for _, want := range []byte("://") {
		if at >= len(in) {
			return 0
		}
		c, n := logical(in, at)
		if c != want || n == 1 {
			return 0
		}
		at += n
	}
	return at - i
}

// mostUserinfo bounds the search for the @ behind a password.
const mostUserinfo = 4096

// userinfo masks the password of scheme://user:password@host, up to the last @
// of the authority. In an encoded URL the marks are encoded too.
func (m *masker) userinfo(encoded bool) {
	in, colon, at := m.in, -1, -1
	for i := m.at; i < len(in) && i < m.at+mostUserinfo; {
		c, n := in[i], 1
		if encoded && c == '%' {
			c, n = logical(in, i)
		}
		switch {
		case c == ':' && colon < 0:
			colon = i + n
		case c == '@':
			at = i
		}
		if c <= ' ' || strings.IndexByte(`/?#"'<>\`, c) >= 0 {
			break
		}
		i += n
	}
	if colon >= 0 && at > colon && !isMasked(in[colon:at]) && !keepValue(in[colon:at]) {
		m.mask(colon, at)
	}
}
