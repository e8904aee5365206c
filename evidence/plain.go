package evidence

import (
	"strings"
	"unicode/utf8"
)

// plainText undoes the encodings that a message may be wrapped in: JSON string
// escapes, percent encoding and HTML entities. Line breaks that come out of an
// escape become blanks, so that the lines of the result are those of the input.
func plainText(s string) string {
	if strings.IndexByte(s, '\\') >= 0 {
		s = plainJSON(s)
	}
	if strings.IndexByte(s, '%') >= 0 {
		s = plainPercent(s)
	}
	if strings.IndexByte(s, '&') >= 0 {
		s = plainEntities(s)
	}
	return s
}

// plainJSON undoes the escapes of JSON strings, up to three layers of them.
func plainJSON(s string) string {
	for range 3 {
		if !strings.Contains(s, `\"`) && !strings.Contains(s, `\u`) && !strings.Contains(s, `\/`) && !strings.Contains(s, `\n`) {
			return s
		}
		var b strings.Builder
		b.Grow(len(s))
		changed := false
		for i := 0; i < len(s); {
			j := strings.IndexByte(s[i:], '\\')
			if j < 0 || i+j+1 >= len(s) {
				b.WriteString(s[i:])
				break
			}
			b.WriteString(s[i : i+j])
			i += j
			switch s[i+1] {
			case '"', '/', '\\', '\'':
				b.WriteByte(s[i+1])
				i += 2
				changed = true
			case 'n', 'r', 't':
				// \new and \temp in a Windows path are no escapes; a blank does no harm in either.
				b.WriteByte(' ')
				i += 2
				changed = true
			case 'u':
				if r, ok := hex4(s[i:]); ok && r >= 0x20 {
					b.WriteRune(r)
					i += 6
					changed = true
					continue
				}
				fallthrough
			default:
				b.WriteByte('\\')
				i++
			}
		}
		s = b.String()
		if !changed {
			break
		}
	}
	return s
}

// plainPercent undoes percent encoding wherever it gives printable UTF-8. In
// the query of a URL "+" is a blank.
func plainPercent(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	query := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s):
			if r, n := percentRune(s[i:]); n > 0 {
				if r == '\n' || r == '\r' || r == '\t' {
					r = ' '
				}
				b.WriteRune(r)
				i += n - 1
				continue
			}
		case c == '=' || c == '?' || c == '&':
			query = true
		case c == ' ' || c == '\n' || c == '"' || c == '\'' || c == '\t':
			query = false
		case c == '+' && query:
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// percentRune reads one character in percent encoding; n is 0 when there is none.
func percentRune(s string) (r rune, n int) {
	var buf [utf8.UTFMax]byte
	for k := 0; k < len(buf); k++ {
		if 3*k+2 >= len(s) || s[3*k] != '%' {
			return 0, 0
		}
		hi, lo := unhex(s[3*k+1]), unhex(s[3*k+2])
		if hi < 0 || lo < 0 {
			return 0, 0
		}
		buf[k] = byte(hi<<4 | lo)
		if r, size := utf8.DecodeRune(buf[:k+1]); r != utf8.RuneError && size == k+1 {
			if r < 0x20 && r != '\n' && r != '\r' && r != '\t' || r >= 0x7f && r < 0xA0 {
				return 0, 0
			}
			return r, 3 * (k + 1)
		}
	}
	return 0, 0
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// unescapeQuery decodes one value of a query or form. Unlike net/url it takes
// what is not encoded rightly as it stands.
func unescapeQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			b.WriteByte(' ')
		case '%':
			if i+2 < len(s) {
				if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
					b.WriteByte(byte(hi<<4 | lo))
					i += 2
					continue
				}
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	out := b.String()
	if !utf8.ValidString(out) {
		out = strings.ToValidUTF8(out, "\ufffd")
	}
	return out
}

// plainEntities undoes the HTML entities that end in a semicolon; "&region="
// in a URL stays what it is.
func plainEntities(s string) string {
	if strings.IndexByte(s, ';') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '&')
		if j < 0 {
			b.WriteString(s[i:])
			break
		}
		b.WriteString(s[i : i+j])
		i += j
		end := strings.IndexByte(s[i:min(len(s), i+10)], ';')
		if end < 2 {
			b.WriteByte('&')
			i++
			continue
		}
		if text := entity(s[i+1 : i+end]); text != "" {
			b.WriteString(text)
			i += end + 1
			continue
		}
		b.WriteByte('&')
		i++
	}
	return b.String()
}

func entity(name string) string {
	switch name {
	case "amp":
		return "&"
	case "lt":
		return "<"
	case "gt":
		return ">"
	case "quot":
		return `"`
	case "apos", "rsquo", "lsquo":
		return "'"
	case "nbsp":
		return " "
	case "ldquo", "rdquo":
		return `"`
	case "ndash", "mdash":
		return "-"
	}
	if len(name) < 2 || name[0] != '#' {
		return ""
	}
	n, base := 0, 10
	digits := name[1:]
	if digits[0] == 'x' || digits[0] == 'X' {
		base, digits = 16, digits[1:]
	}
	for i := 0; i < len(digits); i++ {
		d := unhex(digits[i])
		if d < 0 || d >= base {
			return ""
		}
		if n = n*base + d; n > utf8.MaxRune {
			return ""
		}
	}
	if n == '\n' || n == '\r' || n == '\t' || n == 0xA0 {
		return " "
	}
	if n < 0x20 || n >= 0x7f && n < 0xA0 {
		return ""
	}
	return string(rune(n))
}
