package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"usher"
	"usher/oauth"
	"usher/token"
)

// Names of the protected API.
const (
	apiName    = "https://orders.lab.test" // audience in Keycloak's dialect
	apiEntra   = "api://orders"            // audience in Entra's
	apiEntraID = "0c8b7a51-4d2f-4e6a-9b1c-2f3d4e5a6b70"
	apiShort   = "orders"
)

// orders is the protected API: it gives a list of orders for an access token
// that is for it and has the scope orders, and otherwise a challenge of
// RFC 6750 section 3.
func (l *Lab) orders(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.judge(r)
	l.tellCall(r, v)
	w.Header().Set("Cache-Control", "no-store")
	if v.status != http.StatusOK {
		w.Header().Set("WWW-Authenticate", v.challenge())
		body := map[string]string{"error": v.error, "error_description": v.description}
		if v.error == "" {
			body = map[string]string{"message": "this needs an access token: Authorization: Bearer ..."}
		}
		writeJSON(w, v.status, body)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"orders": []map[string]any{
		{"id": 1001, "item": "Lamp", "state": "sent"}, {"id": 1002, "item": "Chair", "state": "paid"},
	}})
}

// verdict is what the API says to one call.
type verdict struct {
	status      int
	error       string // RFC 6750 section 3.1
	description string
	scope       string
	parsed      *token.Parsed
	verified    bool // the signature is good, so the claims are the issuer's
}

// challenge is the WWW-Authenticate header.
func (v verdict) challenge() string {
	parts := []string{`Bearer realm="` + apiShort + `"`}
	if v.error != "" {
		parts = append(parts, `error="`+v.error+`"`, `error_description="`+v.description+`"`)
	}
	if v.scope != "" {
		parts = append(parts, `scope="`+v.scope+`"`)
	}
	return strings.Join(parts, ", ")
}

// judge holds the token of a request against what the API expects.
func (l *Lab) judge(r *http.Request) verdict {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return verdict{status: http.StatusUnauthorized}
	}
	keys, err := l.keys.verifier()
	if err != nil {
		return verdict{status: http.StatusInternalServerError}
	}
	issuer := l.issuer(r, DialectKeycloak)
	parsed, err := token.Parse(raw)
	if err != nil {
		return verdict{status: http.StatusUnauthorized, error: oauth.ErrInvalidToken, description: "The token is malformed: it is no JWT"}
	}
	if iss, _ := parsed.Claims["iss"].(string); iss == l.issuer(r, DialectEntra) {
		issuer = iss
	}
	rep := token.Inspect(raw, token.Expect{
		Type: token.TypeAccess, Typ: []string{"JWT"}, Keys: keys, Algs: []string{"RS256"}, Issuer: issuer,
		Audience: []string{apiName, apiEntra}, Now: l.opt.Now,
	})
	v := verdict{status: http.StatusOK, parsed: parsed, verified: !wrongWith(rep, token.CodeSignature, token.CodeKeyNotFound, token.CodeAlgNotAllowed, token.CodeAlgNone)}
	if rep.Verdict != token.Accept {
		v.status, v.error, v.description = http.StatusUnauthorized, oauth.ErrInvalidToken, quotable(describe(rep, parsed))
		return v
	}
	if !oauth.ContainsScope(tokenScopes(parsed), scopeOrders) {
		v.status, v.error, v.scope = http.StatusForbidden, oauth.ErrInsufficientScope, scopeOrders
		v.description = "The request requires the scope " + scopeOrders
	}
	return v
}

func wrongWith(rep token.Report, codes ...string) bool {
	return slices.ContainsFunc(rep.Problems, func(p token.Problem) bool { return !p.Weakness && slices.Contains(codes, p.Code) })
}

// describe says the first thing that is wrong, in the words that verifiers use.
func describe(rep token.Report, parsed *token.Parsed) string {
	for _, p := range rep.Problems {
		// A token from the future has two defects; when it was made says more
		// than from when on it is good.
		if p.Weakness || p.Code == token.CodeNotYetValid && wrongWith(rep, token.CodeFutureIssue) {
			continue
		}
		switch p.Code {
		case token.CodeKeyNotFound:
			return "No key with the key id " + plain(parsed.Header["kid"]) + " is known: unable to find a signing key that matches"
		case token.CodeExpired:
			return "The token is expired: exp is " + p.Got
		case token.CodeNotYetValid:
			return "The token is not yet valid: nbf is " + p.Got
		case token.CodeFutureIssue:
			return "The token was issued in the future: iat is " + p.Got
		case token.CodeAudience:
			return "Invalid audience: expected " + apiName + ", got " + p.Got
		case token.CodeIssuer:
			return "Invalid issuer: expected " + p.Expected + ", got " + p.Got
		case token.CodeSignature:
			return "The signature is invalid"
		}
		return p.Text
	}
	return "The token cannot be accepted"
}

// plain is a claim, short.
func plain(v any) string {
	s, _ := v.(string)
	return s[:min(len(s), 100)]
}

// quotable leaves the characters that an error_description may have, RFC 6750
// section 3: no quotes, no backslash. Claims may hold anything.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < ' ' || r > '~' || r == '\\':
			return -1
		}
		return r
	}, s[:min(len(s), 400)])
}

// tokenScopes gives scope, scp and, of an application, roles.
func tokenScopes(p *token.Parsed) []string {
	var list []string
	for _, name := range []string{"scope", "scp"} {
		if s, ok := p.Claims[name].(string); ok {
			list = append(list, oauth.ParseScope(s)...)
		}
	}
	if roles, ok := p.Claims["roles"].([]any); ok {
		for _, role := range roles {
			if s, ok := role.(string); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

// tellCall writes an event of usher's own doors.
func (l *Lab) tellCall(r *http.Request, v verdict) {
	ev := usher.Event{
		Class: usher.ClassAPIActivity, Kind: usher.EventAPI, Code: "API", Provider: "usher", LogName: "usher",
		Tenant: l.opt.Realm, Time: l.now(), Resource: usher.Party{UID: apiName, Name: apiShort},
		Source: usher.Endpoint{IP: address(r)}, UserAgent: oauth.Redact(r.UserAgent()),
		Request:  usher.Request{Method: r.Method, Host: r.Host, Path: r.URL.Path, Status: v.status},
		Protocol: "oauth2", Status: usher.StatusSuccess,
		OAuth: usher.OAuthFacts{Endpoint: "api", Error: v.error, Description: v.description},
	}
	if v.status != http.StatusOK {
		ev.Status, ev.StatusCode, ev.StatusDetail = usher.StatusFailure, v.error, v.description
		ev.Message = fmt.Sprintf("%s %s: %d %s", r.Method, r.URL.Path, v.status, v.challenge())
	}
	if v.scope != "" {
		ev.OAuth.Requested = []string{v.scope}
	}
	if v.parsed != nil {
		l.tellToken(&ev, v)
	}
	sum := sha256.Sum256([]byte(randomID()))
	ev.UID = hex.EncodeToString(sum[:16])
	data, err := json.Marshal(ev)
	if err != nil {
		return // an event always marshals
	}
	l.events.line(data)
}

// tellToken adds what the token says of itself. Claims whose signature was not
// checked are marked: anybody can write them.
func (l *Lab) tellToken(ev *usher.Event, v verdict) {
	claim := func(name string) string { s, _ := v.parsed.Claims[name].(string); return oauth.Redact(s) }
	ev.OAuth.TokenIn, ev.OAuth.TokenUID = "access_token", claim("jti")
	ev.OAuth.KeyID, _ = v.parsed.Header["kid"].(string)
	ev.OAuth.Granted = tokenScopes(v.parsed)
	ev.Session = claim("sid")
	ev.Client.UID = claim("azp")
	if c := l.client(ev.Client.UID); c != nil {
		ev.Client = usher.Party{UID: c.ID, Name: c.Name}
	}
	ev.User = usher.Party{UID: claim("sub"), Name: claim("preferred_username")}
	if strings.HasPrefix(ev.User.Name, "service-account-") {
		ev.UserType = "service-principal"
	}
	switch aud := v.parsed.Claims["aud"].(type) {
	case string:
		ev.OAuth.Audiences = []string{oauth.Redact(aud)}
	case []any:
		for _, a := range aud[:min(len(aud), 10)] {
			if s, ok := a.(string); ok {
				ev.OAuth.Audiences = append(ev.OAuth.Audiences, oauth.Redact(s))
			}
		}
	}
	if exp, ok := number(v.parsed.Claims["exp"]); ok {
		ev.OAuth.Expires = unix(exp)
	}
	if !v.verified {
		ev.Unmapped = map[string]string{"claims": "unverified"}
	}
}
