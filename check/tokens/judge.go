package tokens

import (
	"encoding/json"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/token"
)

// kinds is a set of kinds of tokens.
type kinds []token.Type

var (
	signed  = kinds{token.TypeAccess, token.TypeID, token.TypeLogout, token.TypeAny}                                      // by the provider
	every   = kinds{token.TypeAccess, token.TypeID, token.TypeLogout, token.TypeAny, token.TypeDPoP, token.TypeAssertion} // whoever signed
	readers = kinds{token.TypeAccess, token.TypeID, token.TypeAny}                                                        // that say who and for whom
)

// tooMany stands beside what was found of the first calls.
var tooMany = check.Unknown(check.NeedNothing, "only the first 1000 calls are looked at")

const noSuchToken = "no token of this kind is there"

// each judges every distinct token of the given kinds. r is nil where only the
// claims of the token are there.
func each(t *check.Target, of kinds, judge func(tok *check.Token, kind token.Type, r *token.Report) check.Verdict) []check.Verdict {
	var all verdicts
	judged := make([]*check.Token, 0, min(len(t.Tokens), maxTokens))
	for _, tok := range t.Tokens {
		kind := t.Kind(tok)
		if tok.Parsed == nil || !slices.Contains(of, kind) || twice(judged, tok) {
			continue
		}
		if len(judged) == maxTokens {
			all.add(check.Unknown(check.NeedNothing, "only the first 64 tokens are looked at"))
			break
		}
		judged = append(judged, tok)
		v := judge(tok, kind, t.Inspected(tok))
		if v.Subject.Client == "" {
			v.Subject.Client = clientOf(tok, kind)
		}
		all.add(v)
	}
	return all.or(check.NotApplicable(noSuchToken))
}

func twice(judged []*check.Token, tok *check.Token) bool {
	return slices.ContainsFunc(judged, func(o *check.Token) bool {
		return o == tok || o.Raw != "" && o.Raw == tok.Raw && o.Type == tok.Type
	})
}

// clientOf gives the client that a token names as the one it was issued to.
func clientOf(tok *check.Token, kind token.Type) string {
	for _, name := range [...]string{"azp", "client_id", "appid", "cid"} {
		if s := text(tok, name); s != "" {
			return s
		}
	}
	if kind == token.TypeID {
		if aud := list(tok.Claims["aud"]); len(aud) == 1 {
			return aud[0]
		}
	}
	return ""
}

// readable tells whether the claims of the token can be read; otherwise it
// gives the verdict that says why nothing can be judged.
func readable(tok *check.Token) (check.Verdict, bool) {
	switch {
	case tok.Claims != nil:
		return check.Verdict{}, true
	case tok.Form == token.FormOpaque:
		return check.NotApplicable("the token is opaque: only its issuer can read it"), false
	case tok.Form == token.FormJWE:
		return check.NotApplicable("the token is encrypted: only its reader can read it"), false
	}
	return check.Unknown(check.NeedToken, "the token cannot be read, see token-well-formed"), false
}

// whole is readable for what only a token that is all there can be held to.
func whole(tok *check.Token) (check.Verdict, bool) {
	if tok.Form == token.FormBroken {
		return check.Unknown(check.NeedToken, "the token is not whole, see token-well-formed"), false
	}
	return readable(tok)
}

// stray tells whether a token, of which nothing says what it is, is not known
// to be of the provider whose keys are there: the session of some app may be a
// JWT, too.
func stray(t *check.Target, tok *check.Token, kind token.Type) bool {
	iss := text(tok, "iss")
	return kind == token.TypeAny && (iss == "" || iss != t.ExpectOf(tok).Issuer)
}

const strayToken = "nothing says that the token is of the provider whose keys are there"

// defect gives the first problem of a report with one of the codes that is not
// only a weakness.
func defect(r *token.Report, codes ...string) *token.Problem {
	if r == nil {
		return nil
	}
	for i := range r.Problems {
		if p := &r.Problems[i]; !p.Weakness && slices.Contains(codes, p.Code) {
			return p
		}
	}
	return nil
}

// looked gives what a report says of one thing that was looked at, or nil.
func looked(r *token.Report, what string) *token.Check {
	if r == nil {
		return nil
	}
	for i := range r.Checks {
		if r.Checks[i].What == what {
			return &r.Checks[i]
		}
	}
	return nil
}

// proof makes a proof of a problem of a token.
func proof(tok *check.Token, p *token.Problem) usher.Proof {
	return usher.Proof{Place: at(tok.Place, p.Place), Quote: name(p.Place) + ": " + p.Got, Expected: p.Expected, Got: p.Got}
}

// claim makes a proof of a claim as it stands in the token.
func claim(tok *check.Token, of, expected string) usher.Proof {
	got := show(tok.Claims[of])
	return usher.Proof{Place: at(tok.Place, "claims."+of), Quote: of + ": " + got, Expected: expected, Got: got}
}

// header makes a proof of a header member as it stands in the token.
func headerProof(tok *check.Token, of, expected string) usher.Proof {
	got := show(tok.Header[of])
	return usher.Proof{Place: at(tok.Place, "header."+of), Quote: of + ": " + got, Expected: expected, Got: got}
}

func at(place, within string) string {
	if place == "" {
		return within
	}
	return place + ", " + within
}

// name gives the last part of a place within a token.
func name(place string) string { return place[strings.LastIndexByte(place, '.')+1:] }

// text gives a claim that is a string.
func text(tok *check.Token, name string) string {
	if tok.Parsed == nil {
		return ""
	}
	s, _ := tok.Claims[name].(string)
	return s
}

// list gives a claim that is a string or a list of strings.
func list(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, item := range v {
			if s, isString := item.(string); isString {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// scopes gives the scopes of a token, in either form.
func scopes(tok *check.Token) []string {
	for _, name := range [...]string{"scope", "scp"} {
		if s, isString := tok.Claims[name].(string); isString {
			return strings.Fields(s)
		}
		if l := list(tok.Claims[name]); l != nil {
			return l
		}
	}
	return nil
}

// seconds gives a claim that is a number of seconds.
func seconds(tok *check.Token, name string) (float64, bool) {
	n, isNumber := tok.Claims[name].(json.Number)
	if !isNumber {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil && f == f
}

// same tells whether two are the same token.
func same(a, b *check.Token) bool {
	return a == b || a != nil && b != nil && a.Raw != "" && a.Raw == b.Raw
}
