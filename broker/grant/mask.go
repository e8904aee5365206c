package grant

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"usher"
	"usher/oauth"
)

// secretParams are the parameters of requests to token, introspection and
// revocation endpoints that hold a secret.
var secretParams = []string{
	"client_secret", "client_assertion", "refresh_token", "code", "code_verifier", "assertion", "password", "device_code",
	"subject_token", "actor_token", "token", "auth_req_id", "access_token", "id_token", "requested_token",
}

// hider masks what was sent and received, and everything that looks like a
// credential.
type hider struct {
	known  oauth.Redactor
	length int // of the longest known secret
	values []string
}

func newHider(r *Request, form url.Values) *hider {
	h := &hider{}
	h.known.Show(r.ClientID)
	h.add(r.Secret)
	h.add(r.Key)
	for _, name := range secretParams {
		for _, value := range form[name] {
			h.add(usher.Secret(value))
		}
	}
	return h
}

func (h *hider) add(s usher.Secret) {
	if s == "" || slices.Contains(h.values, s.Reveal()) {
		return
	}
	h.known.Add(s)
	h.values = append(h.values, s.Reveal())
	h.length = max(h.length, len(s))
	// The signature of a JWT alone, or its claims, are not for others either.
	if parts := strings.Split(s.Reveal(), "."); len(parts) >= 3 {
		for _, part := range parts {
			if len(part) >= 16 {
				h.known.Add(usher.Secret(part))
			}
		}
	}
}

// text masks a text of the other side for a person, in one line of at most n
// bytes.
func (h *hider) text(s string, n int) string { return clip(h.bounded(s, n, h.known.Redact), n) }

// quote is text in quotation marks.
func (h *hider) quote(s string) string { return strconv.Quote(h.text(s, 60)) }

// word is a name that the other side gives, of at most n bytes. It is masked
// only where it holds a known secret: what a provider calls its scopes and codes
// is nobody's secret, whatever it looks like.
func (h *hider) word(s string, n int) string {
	return clip(h.bounded(s, n, func(s string) string {
		if h.known.Touches(s) {
			return h.known.Redact(s)
		}
		return s
	}), n)
}

// encoded is how many times as long a secret may become when it is encoded: six,
// with each byte as \u0061.
const encoded = 6

// bounded masks the beginning of s from which n bytes are shown. It masks before
// it cuts, since half a secret is known to nobody; and what the bound itself may
// have halved, at the end, is left out.
func (h *hider) bounded(s string, n int, mask func(string) string) string {
	tail := encoded * h.length
	most := 4*n + 2*tail
	if len(s) <= most {
		return mask(s)
	}
	s = mask(strings.ToValidUTF8(s[:most], ""))
	return strings.ToValidUTF8(s[:max(len(s)-tail, 0)], "")
}

// clip cuts a text to n bytes and makes one line of it.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t':
			return ' '
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n {
		return s
	}
	s = s[:n-3]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "..."
}

// quoted is a name of our own side in quotation marks.
func quoted(s string) string { return strconv.Quote(clip(s, 60)) }
