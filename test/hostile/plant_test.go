package hostile_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// plants makes secrets of the shapes that providers give them, and remembers them.
type plants struct {
	rand    *rand.Rand
	secrets []string
}

func newPlants(seed uint64) *plants {
	return &plants{rand: rand.New(rand.NewPCG(seed, 7))} //nolint:gosec // they protect nothing, and must come again
}

const (
	digits  = "0123456789"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	letters = lower + upper + digits
)

func (p *plants) keep(s string) string {
	p.secrets = append(p.secrets, s)
	return s
}

// of draws n characters. It draws again until digits, small and capital
// letters are among them, as far as the alphabet has them and there is room, as
// in real secrets.
func (p *plants) of(alphabet string, n int) string {
	b := make([]byte, n)
	for {
		for i := range b {
			b[i] = alphabet[p.rand.IntN(len(alphabet))]
		}
		s, ok := string(b), true
		for _, kind := range []string{digits, lower, upper} {
			if n >= 8 && strings.ContainsAny(alphabet, kind) && !strings.ContainsAny(s, kind) {
				ok = false
			}
		}
		if ok {
			return s
		}
	}
}

func (p *plants) between(least, most int) int { return least + p.rand.IntN(most-least+1) }

// The shapes. Every call is another secret.

// word is letters and digits, as Auth0 and Keycloak make them.
func (p *plants) word() string { return p.keep(p.of(letters, p.between(24, 64))) }

// url64 is base64url: codes, refresh tokens, signatures.
func (p *plants) url64() string { return p.keep(p.of(letters+"-_", p.between(32, 86))) }

// std64 is base64 with its plus, slash and equals sign.
func (p *plants) std64() string {
	b := make([]byte, p.between(24, 48))
	for i := range b {
		b[i] = byte(p.rand.Uint32())
	}
	return p.keep(base64.StdEncoding.EncodeToString(b))
}

// hex is what openssl rand -hex gives.
func (p *plants) hex() string {
	return p.keep(p.of(digits+"abcdef", []int{32, 40, 48, 64}[p.rand.IntN(4)]))
}

// guid is a GUID: Keycloak's old client secrets and the parts of its codes.
func (p *plants) guid() string {
	h := p.of(digits+"abcdef", 32)
	return p.keep(h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:])
}

// entra is a client secret as Entra makes it: abc8Q~...
func (p *plants) entra() string {
	return p.keep(p.of(letters, 3) + "8Q~" + p.of(letters+"-_.~", 34))
}

// google is one of Google's.
func (p *plants) google() string { return p.keep("GOCSPX-" + p.of(letters+"-_", 28)) }

// symbols is what a password manager makes. It holds no quote, blank or
// backslash, which end a value in most forms.
func (p *plants) symbols() string {
	return p.keep(p.of(letters, 4) + p.of(letters+"!#*+/=?@^_.~%-", p.between(20, 40)) + p.of(letters, 2))
}

// any is one of the shapes.
func (p *plants) any() string {
	return []func() string{p.word, p.url64, p.std64, p.hex, p.guid, p.entra, p.google, p.symbols}[p.rand.IntN(8)]()
}

// code is an authorization code.
func (p *plants) code() string {
	switch p.rand.IntN(4) {
	case 0: // Keycloak
		return p.guid() + "." + p.guid() + "." + p.guid()
	case 1: // Google
		return p.keep("4/0A" + p.of(letters+"-_", 60))
	case 2: // Entra
		return p.keep("0.A" + p.of(letters+"-_", 50) + "." + p.of(letters+"-_", 90))
	}
	return p.url64()
}

// id is a GUID that is no secret.
func (p *plants) id() string {
	s := p.guid()
	p.secrets = p.secrets[:len(p.secrets)-1]
	return s
}

// jwt is a signed token; its signature is the secret.
func (p *plants) jwt(claims string) string {
	return jwtHeader(`{"alg":"RS256","typ":"JWT","kid":"k1"}`) + "." + jwtHeader(claims) + "." + p.keep(p.of(letters+"-_", 342))
}

// access is an access token whose time has passed, so that it is spoken of.
func (p *plants) access() string {
	return p.jwt(`{"iss":"https://login.microsoftonline.com/` + p.id() + `/v2.0","aud":"api://orders","exp":1700000000,"iat":1699996400,"appid":"` + p.id() + `","scp":"read"}`)
}

// esc is a secret in a query or a form.
func esc(s string) string { return url.QueryEscape(s) }

// quote is a secret in JSON, without the quotes.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b[1 : len(b)-1])
}

// grain is how much of a secret may be shown: less than this.
const grain = 12

// search finds secrets, and parts of them, in outputs.
type search struct{ grains map[string]string }

func newSearch(secrets []string) *search {
	s := &search{grains: map[string]string{}}
	for _, secret := range secrets {
		for _, form := range forms(secret) {
			for i := 0; i+grain <= len(form); i++ {
				s.grains[form[i:i+grain]] = secret
			}
		}
	}
	return s
}

// forms are the ways in which a secret can be written.
func forms(secret string) []string {
	out := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ToLower(url.QueryEscape(secret)), html.EscapeString(secret), quote(secret), strings.ReplaceAll(secret, "/", `\/`)}
	if plain, err := url.QueryUnescape(secret); err == nil {
		out = append(out, plain)
	}
	for shift := range 3 { // behind something else, base64 starts at any of three places
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if b := enc.EncodeToString([]byte(strings.Repeat("x", shift) + secret)); len(b) > 8 {
				out = append(out, b[4:len(b)-4])
			}
		}
	}
	return out
}

var tags = regexp.MustCompile(`<[^<>]*>`)

// laidOut undoes what a format does to a text: lines are broken and framed,
// marks are escaped, tags stand between.
func laidOut(s string) string {
	s = html.UnescapeString(tags.ReplaceAllString(s, ""))
	return strings.NewReplacer(" ", "", "\n", "", "\t", "", "│", "", "|", "", "\\", "", "`", "", "␠", "").Replace(s)
}

// in finds the first secret that an output shows a part of.
func (s *search) in(output string) (secret, part string, found bool) {
	for _, text := range [...]string{output, laidOut(output)} {
		for i := 0; i+grain <= len(text); i++ {
			if secret, hit := s.grains[text[i:i+grain]]; hit {
				return secret, text[max(0, i-40):min(len(text), i+60)], true
			}
		}
	}
	return "", "", false
}

// TestSearchFinds: the search finds what it looks for in every form.
func TestSearchFinds(t *testing.T) {
	p := newPlants(1)
	for range 50 {
		for _, secret := range []string{p.word(), p.url64(), p.std64(), p.hex(), p.guid(), p.entra(), p.google(), p.symbols()} {
			s := newSearch([]string{secret})
			for name, text := range map[string]string{
				"plain": "x=" + secret, "part": "x " + secret[3:3+grain], "query": esc(secret), "JSON": quote(secret), "HTML": html.EscapeString(secret),
				"Basic": base64.StdEncoding.EncodeToString([]byte("client:" + secret)), "Basic with a longer name": base64.StdEncoding.EncodeToString([]byte("client-1:" + secret)),
				"wrapped": secret[:8] + "\n  │ " + secret[8:], "tagged": secret[:8] + "<wbr>" + secret[8:], "Markdown": strings.ReplaceAll(secret, "_", `\_`),
			} {
				if _, _, found := s.in(text); !found {
					t.Errorf("%s: %q is not found in %q", name, secret, text)
				}
			}
			if _, part, found := s.in(fmt.Sprintf("harmless %s… (%d more)", secret[:grain-1], len(secret))); found {
				t.Errorf("found in %q", part)
			}
		}
	}
}
