package token

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// shownHeader are the header members that are shown without being asked for.
var shownHeader = [...]string{"alg", "typ", "kid", "cty", "enc", "zip", "crit", "b64", "x5t", "x5t#S256", "jku", "x5u", "p2c"}

// shownClaims are the claims that say what a token is for, and nothing of a person.
var shownClaims = [...]string{
	"iss", "aud", "azp", "appid", "client_id", "cid", "exp", "nbf", "iat", "auth_time", "scp", "scope", "roles", "tid", "ver",
	"amr", "acr", "idtyp", "token_use", "azpacr", "appidacr", "gty", "typ", "htm", "events",
}

// Shown gives the header and claims for a person to look at. Unless all is set,
// only what says what the token is for keeps its value; of the rest, which may
// be of a person, the kind and length are told. Private and secret parts of keys,
// and tokens within the token, are masked in any case. Either may be nil.
func (p *Parsed) Shown(all bool) (header, claims map[string]any) {
	return masked(p.Header, shownHeader[:], all), masked(p.Claims, shownClaims[:], all)
}

func masked(members map[string]any, open []string, all bool) map[string]any {
	if members == nil {
		return nil
	}
	out := make(map[string]any, len(members))
	for name, value := range members {
		switch {
		case all || slices.Contains(open, name):
			out[Printable(name)] = redact(value)
		default:
			out[Printable(name)] = hidden(value)
		}
	}
	return out
}

func hidden(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("[hidden, %s]", count(utf8.RuneCountInString(v), "character"))
	case []any:
		return fmt.Sprintf("[hidden, an array of %d]", len(v))
	case map[string]any:
		return fmt.Sprintf("[hidden, an object of %d]", len(v))
	}
	return "[hidden, " + kindOf(v) + "]"
}

// redact masks what is secret whatever a person asks for.
func redact(v any) any {
	switch v := v.(type) {
	case string:
		if hasToken(v) {
			return Printable(v)
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = redact(item)
		}
		return out
	case map[string]any:
		_, isKey := v["kty"]
		out := make(map[string]any, len(v))
		for name, value := range v {
			if isKey && slices.Contains([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}, name) {
				out[name] = "[secret]"
				continue
			}
			out[name] = redact(value)
		}
		return out
	}
	return v
}

// Names gives the names of members in the order in which a person reads them:
// the known ones first, the others by name.
func Names(members map[string]any) []string {
	rank := func(name string) int {
		for i, n := range shownHeader {
			if n == name {
				return i
			}
		}
		for i, n := range [...]string{"iss", "sub", "aud", "azp", "appid", "client_id", "cid", "iat", "nbf", "exp", "auth_time", "scp", "scope", "roles"} {
			if n == name {
				return 100 + i
			}
		}
		return 1000
	}
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := rank(names[i]), rank(names[j])
		return a < b || a == b && names[i] < names[j]
	})
	return names
}

// ShowTime shows a time claim, a json.Number, as time and as distance from now
// (in seconds since 1970); ok is false when it is none.
func ShowTime(value any, now float64) (text string, ok bool) {
	number, isNumber := value.(json.Number)
	if !isNumber {
		return "", false
	}
	at, err := number.Float64()
	switch {
	case err != nil:
		return "", false
	case at >= 1e12:
		return moment(at), true
	case at > now:
		return moment(at) + ", in " + span(at-now), true
	}
	return moment(at) + ", " + span(now-at) + " ago", true
}

// Describe says in one line what the token is.
func (p *Parsed) Describe() string {
	size := count(p.Size, "byte")
	switch p.Form {
	case FormJWS:
		text := "JWT, signed with " + Printable(p.Alg)
		switch {
		case !p.Signed && p.Header != nil:
			text = "JWT without a signature"
		case p.Alg == "":
			text = "JWT"
		}
		if looks := p.Looks(); looks != TypeAny {
			text += ", looks like " + strings.TrimSuffix(looks.name(), " (RFC 9068)")
		}
		return text + ", " + size
	case FormJWE:
		return "JWE, encrypted, " + size
	case FormJSON:
		return "token in the JSON serialization, " + size
	case FormOpaque:
		if p.Vendor != "" {
			return "opaque: " + p.Vendor + ", " + size
		}
		return "opaque token, " + size
	case FormMissing:
		return "no token"
	}
	return "broken token, " + size
}
