package ingest

import (
	"bytes"
	"hash/maphash"
	"strings"
	"unicode/utf8"

	"usher/oauth"
)

// Limits of the strings of an event.
const (
	maxText    = 2048 // bytes of one string
	maxList    = 64   // entries of a list
	maxUnknown = 64   // entries of Unmapped
)

// masked stands for a secret in an event. It is the same in every process, so
// that events of before and after a restart still compare.
const masked = "[secret]"

// words remembers strings that come again and again (names of policies and
// clients, user agents), so that each is cleaned and kept once. A string that
// falls into a taken place replaces what was there: its size is bounded.
type words struct {
	seed maphash.Seed
	slot [1 << 11]word
}

type word struct {
	raw, clean string
	id, masked bool
}

// maxWord is the length up to which a string is remembered.
const maxWord = 256

// get gives the clean form of b. id says that the field holds an identifier:
// random by nature, and no secret unless it is a token.
func (w *words) get(b []byte, id bool) (clean string, wasMasked bool) {
	if len(b) > maxWord {
		return cleaned(string(b), id)
	}
	s := &w.slot[maphash.Bytes(w.seed, b)%uint64(len(w.slot))]
	if s.id == id && s.raw == string(b) {
		return s.clean, s.masked
	}
	raw := string(b)
	s.clean, s.masked = cleaned(raw, id)
	s.raw, s.id = raw, id
	return s.clean, s.masked
}

// cleaned makes s fit for an event: valid UTF-8, on one line, no control
// characters, no secrets, not too long.
func cleaned(s string, id bool) (clean string, wasMasked bool) {
	s = visible(strings.TrimSpace(s))
	if !id || len(s) > 128 || strings.Contains(s, "eyJ") {
		s, wasMasked = mask(s)
	}
	return cut(s, maxText), wasMasked
}

// cut shortens s to n bytes without cutting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// visible puts a mark in the place of each character that would steer a
// terminal or the direction of the text, and of bytes that are no UTF-8.
func visible(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\r' || c == '\t' || c == 0x2028 || c == 0x2029 || c == 0x85:
			return ' '
		case c < 0x20, c >= 0x7f && c < 0xa0, c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069, c == 0xfeff:
			return utf8.RuneError
		}
		return c
	}, s)
}

// mask puts a mark in the place of every credential of a text.
func mask(s string) (string, bool) {
	if len(s) < 16 && strings.IndexByte(s, '=') < 0 && strings.IndexByte(s, ':') < 0 {
		return s, false // too short for a token, and nothing is assigned
	}
	told := maskState(oauth.Redact(s))
	if told == s {
		return s, false
	}
	return unmark(told), true
}

// maskState masks the parameter state of URLs: the proof that an answer belongs
// to a request, which no log should keep.
func maskState(s string) string {
	const name = "state="
	for from := 0; ; {
		i := strings.Index(s[from:], name)
		if i < 0 {
			return s
		}
		i += from
		from = i + len(name)
		if i == 0 || strings.IndexByte("?&#;", s[i-1]) < 0 {
			continue
		}
		n := strings.IndexAny(s[from:], "&# \"'")
		if n < 0 {
			n = len(s) - from
		}
		if n > 0 && s[from:from+n] != masked {
			s = s[:from] + masked + s[from+n:]
		}
	}
}

// unmark makes fingerprints, which only this process can compare, the same.
func unmark(s string) string {
	const lead = "[secret "
	if !strings.Contains(s, lead) {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, lead)
		if i < 0 {
			break
		}
		end := strings.IndexByte(s[i:], ']')
		if end < 0 || end > len(lead)+8 {
			b.WriteString(s[:i+len(lead)])
			s = s[i+len(lead):]
			continue
		}
		b.WriteString(s[:i])
		b.WriteString(masked)
		s = s[i+end+1:]
	}
	b.WriteString(s)
	return b.String()
}

// text gives b as a string of the event's field, and notes when a secret was in it.
func (d *Decoder) text(field string, b []byte) string { return d.clean(field, b, false) }

// id is text for identifiers.
func (d *Decoder) id(field string, b []byte) string { return d.clean(field, b, true) }

func (d *Decoder) clean(field string, b []byte, id bool) string {
	if len(b) == 0 || bytes.Equal(b, []byte("null")) {
		return ""
	}
	s, wasMasked := d.words.get(b, id)
	if wasMasked {
		d.masked = append(d.masked, field)
	}
	return s
}
