package oauth

import "strings"

// withRest lets a bare value go on behind a space if what follows looks like
// the rest of a secret.
func withRest(in string, end, depth int) int {
	for end+1 < len(in) && in[end] == ' ' && in[end+1] != ' ' {
		next := bareEnd(in, end+1, depth)
		word := in[end+1 : next]
		if len(word) > longValue || !likeSecret(word) || strings.ContainsAny(word, "=:/.[") {
			break
		}
		end = next
	}
	return end
}

// bareEnd finds the end of a value without quotes. A mark such as & or " only
// ends it if what follows is no rest of the value.
func bareEnd(in string, i, depth int) int {
	for i < len(in) {
		if n := maskAt(in, i); n > 0 {
			i += n
			continue
		}
		c, n := in[i], 1
		switch c {
		case '\\', '&':
			c, n = logical(in, i)
		case '%':
			if depth > 0 {
				c, n = logical(in, i)
				if percentDepth(in, i, n) > depth {
					c = 'x'
				}
			}
		}
		encoded := n > 1 && in[i] == '%'
		switch c {
		case ' ', '\t', '\r', '\n', '>':
			return i
		case '<':
			if !goesOn(in, i+n) || inLine(in, i+n, '>') {
				return i
			}
		case '&', ';', ',':
			if encoded || nextPair(in, i+n, c) {
				return i
			}
		case '"', '\'', '`', ')', ']', '}', '|':
			if encoded || !goesOn(in, i+n) {
				return i
			}
		}
		i += n
	}
	return len(in)
}

func goesOn(in string, i int) bool { return i < len(in) && wordByte(in[i]) }

// inLine tells whether a mark follows before the next space.
func inLine(in string, i int, mark byte) bool {
	for end := min(len(in), i+64); i < end && in[i] > ' '; i++ {
		if in[i] == mark {
			return true
		}
	}
	return i < len(in) && in[i] == '/'
}

// nextPair tells whether behind a & , or ; the value ends: a name with its
// separator follows, or a space, the end, or a closing mark.
func nextPair(in string, i int, mark byte) bool {
	if i >= len(in) || !wordByte(in[i]) && strings.IndexByte("_!@#$^*+/~.-", in[i]) < 0 {
		return true
	}
	for end := min(len(in), i+64); i < end; i++ {
		switch c := in[i]; {
		case c == '=' || c == ':' && mark != '&' || c == '%' && strings.HasPrefix(in[i:], "%5B"):
			return true
		case !wordByte(c) && strings.IndexByte("_.-[]", c) < 0 && (c != ' ' || mark != ';'):
			return false
		}
	}
	return false
}

// headerEnd finds the end of a header's value: the line's, the quote's in which
// the header stands, or the list's.
func (m *masker) headerEnd(name, i int, list bool) int {
	in := m.in
	quote := byte(0)
	if name > m.done && strings.IndexByte("\"'`", in[name-1]) >= 0 {
		quote = in[name-1]
	}
	for i < len(in) {
		if n := maskAt(in, i); n > 0 {
			i += n
			continue
		}
		c, n := in[i], 1
		if c == '\\' {
			c, n = logical(in, i)
		}
		switch {
		case c == '\r' || c == '\n' || c == ']' && list:
			return i
		case c != '"' && c != '\'' && c != '`':
		case c == quote:
			return i
		case quote == 0 && in[i-1] != '=' && !goesOn(in, i+n) && (i+n >= len(in) || strings.IndexByte(";,", in[i+n]) < 0) && strings.Count(in[max(name, i-64):i], string(c))%2 == 0:
			return i
		}
		i += n
	}
	return len(in)
}

func lineEnd(in string, i int) int {
	if n := strings.IndexAny(in[i:], "\r\n"); n >= 0 {
		return i + n
	}
	return len(in)
}

// quotedAt reads a quoted value, also one whose quotes are escaped.
func quotedAt(in string, i int) (span, bool) {
	if i >= len(in) {
		return span{}, false
	}
	c, n := logical(in, i)
	if c != '"' && c != '\'' && c != '`' {
		return span{}, false
	}
	return span{start: i + n, end: quoteEnd(in, i+n, in[i:i+n]), quoted: true}, true
}

// quoteEnd finds the quote that closes a value as it was opened, or the end of
// the line.
func quoteEnd(in string, start int, quote string) int {
	if quote[0] == '%' || quote[0] == '&' || len(quote) > 5 && quote[len(quote)-5] == 'u' {
		if n := strings.Index(in[start:], quote); n >= 0 {
			return start + n
		}
		return lineEnd(in, start)
	}
	level, mark := len(quote)-1, quote[len(quote)-1]
	for i, slashes := start, 0; i < len(in); i++ {
		switch c := in[i]; {
		case c == '\\':
			slashes++
			continue
		case c == mark && (level == 0 && slashes%2 == 0 || level > 0 && slashes <= level):
			return i - slashes*min(level, 1)
		}
		slashes = 0
	}
	return lineEnd(in, start)
}

func skipAny(in string, at int, set string) int {
	for at < len(in) && strings.IndexByte(set, in[at]) >= 0 {
		at++
	}
	return at
}
