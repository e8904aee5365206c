package oauth

import (
	"slices"
	"strings"
)

// Bounds of what is shown.
const (
	leastShown = 12 // a shorter id is never taken for a secret
	maxShown   = 256
)

// Show makes an id public: a client's id, the id of a published key. Where it
// stands as a word of its own it is not masked, whatever it looks like. A known
// secret is masked all the same.
func (r *Redactor) Show(id string) {
	if len(id) < leastShown || len(id) > 200 || len(r.shown) == maxShown || strings.HasPrefix(id, "eyJ") || slices.Contains(r.shown, id) {
		return
	}
	for i := range len(id) {
		if !tokenPart(id[i]) {
			return
		}
	}
	r.shown = append(r.shown, id)
}

// Touches tells whether s holds a known secret or an id that is shown: whether
// this redactor may mask it otherwise than Redact.
func (r *Redactor) Touches(s string) bool {
	if len(r.shown) > 0 {
		if at, _ := r.nextShown(s); at >= 0 {
			return true
		}
	}
	if len(r.known) == 0 {
		return false
	}
	if r.replacer == nil {
		r.build()
	}
	return r.replace(s) != s
}

// around masks what stands around the ids that are shown.
func (r *Redactor) around(s string) string {
	var out strings.Builder
	for {
		at, id := r.nextShown(s)
		if at < 0 {
			if out.Len() == 0 {
				return Redact(s)
			}
			out.WriteString(Redact(s))
			return out.String()
		}
		out.WriteString(Redact(s[:at]))
		out.WriteString(id)
		s = s[at+len(id):]
	}
}

// nextShown finds the first id that stands as a word of its own.
func (r *Redactor) nextShown(s string) (at int, id string) {
	at = -1
	for _, one := range r.shown {
		for from := 0; ; {
			i := strings.Index(s[from:], one)
			if i < 0 || at >= 0 && from+i > at {
				break
			}
			i += from
			if (i == 0 || !tokenPart(s[i-1])) && (i+len(one) == len(s) || !tokenPart(s[i+len(one)])) {
				if at < 0 || i < at || len(one) > len(id) {
					at, id = i, one
				}
				break
			}
			from = i + 1
		}
	}
	return at, id
}

// tokenPart tells whether a byte may belong to a token: what touches it is a part
// of the same word.
func tokenPart(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("-._~+/", c) >= 0
}
