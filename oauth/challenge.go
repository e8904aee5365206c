package oauth

import (
	"encoding/base64"
	"errors"
	"strings"
)

// Challenge is one challenge of a WWW-Authenticate header, RFC 9110 section 11.6.1.
type Challenge struct {
	Scheme  string            // as written: "Bearer"
	Token68 string            // in place of parameters, as Negotiate has it
	Params  map[string]string // names in lower case; of a repeated one the first
	// Repeated are parameters that stand more than once.
	Repeated []string
}

// maxHeader bounds a header that ParseChallenges reads.
const maxHeader = 64 << 10

// ParseChallenges reads the value of a WWW-Authenticate header, which may hold
// several challenges. Values without quotes are taken up to the next comma, as
// some vendors write them. The error says what could not be read; what was
// read before it is given too.
func ParseChallenges(header string) ([]Challenge, error) {
	if len(header) > maxHeader {
		return nil, errors.New("the header is longer than 64 KiB")
	}
	p := headerParser{rest: header}
	var list []Challenge
	for {
		p.skip(" \t,\r\n")
		if p.rest == "" {
			return list, nil
		}
		scheme := p.token()
		if scheme == "" {
			return list, errors.New("a challenge must begin with a scheme")
		}
		c := Challenge{Scheme: scheme, Params: map[string]string{}}
		p.params(&c)
		list = append(list, c)
	}
}

type headerParser struct{ rest string }

func (p *headerParser) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

func (p *headerParser) token() string {
	n := 0
	for n < len(p.rest) && isTokenChar(p.rest[n]) {
		n++
	}
	token := p.rest[:n]
	p.rest = p.rest[n:]
	return token
}

func isTokenChar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// params reads the parameters of one challenge and stops before the next scheme.
func (p *headerParser) params(c *Challenge) {
	for {
		p.skip(" \t,\r\n")
		before := p.rest
		name := p.token()
		if name == "" {
			p.rest = strings.TrimLeft(p.rest, "=/+") // no parameter, no scheme: pass over it
			if p.rest == before && p.rest != "" {
				p.rest = p.rest[1:]
			}
			if p.rest == "" {
				return
			}
			continue
		}
		p.skip(" \t")
		if !strings.HasPrefix(p.rest, "=") {
			if c.Token68 == "" && len(c.Params) == 0 && !strings.Contains(before, "=") && (p.rest == "" || p.rest[0] == ',') && len(name) > 15 {
				c.Token68 = name
				continue
			}
			p.rest = before
			return // the next scheme
		}
		p.rest = p.rest[1:]
		if strings.HasPrefix(p.rest, "=") || p.rest == "" && len(c.Params) == 0 { // token68 with padding
			c.Token68 = name
			p.skip("=")
			continue
		}
		p.skip(" \t")
		value := p.value()
		name = strings.ToLower(name)
		if _, twice := c.Params[name]; twice {
			c.Repeated = append(c.Repeated, name)
			continue
		}
		c.Params[name] = value
	}
}

func (p *headerParser) value() string {
	if !strings.HasPrefix(p.rest, `"`) {
		n := strings.IndexByte(p.rest, ',')
		if n < 0 {
			n = len(p.rest)
		}
		value := strings.TrimSpace(p.rest[:n])
		p.rest = p.rest[n:]
		return value
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String()
		default:
			b.WriteByte(c)
		}
	}
	p.rest = "" // the quote never ends: take what is there
	return b.String()
}

// ClaimsChallenge gives the decoded claims parameter of a challenge, a JSON
// object in base64 or base64url (Entra, continuous access evaluation), or as
// plain JSON. Without the parameter both results are zero.
func (c Challenge) ClaimsChallenge() (string, error) {
	claims := strings.TrimSpace(c.Params["claims"])
	if claims == "" || strings.HasPrefix(claims, "{") {
		return claims, nil
	}
	plain := strings.TrimRight(claims, "=")
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if data, err := encoding.DecodeString(plain); err == nil && strings.HasPrefix(strings.TrimSpace(string(data)), "{") {
			return string(data), nil
		}
	}
	return "", errors.New("the claims of the challenge are neither JSON nor base64 of JSON")
}
