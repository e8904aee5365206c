package check

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/oauth"
	"usher/token"
)

// KindRefresh is the kind of a refresh token that happens to be a JWT, as
// Keycloak makes them. Only its issuer may read it.
const KindRefresh token.Type = "refresh"

// memo keeps for the length of one Run what several checks ask for. Without
// one everything is worked out anew.
type memo struct {
	reports map[*Token]*token.Report
	keys    *token.KeySet
	keyed   bool
}

// Kind says what a token is: what it was sent or given as, else what its
// claims say, else what it looks like.
func (t *Target) Kind(tok *Token) token.Type {
	if tok.Type != token.TypeAny || tok.Parsed == nil {
		return tok.Type
	}
	return ClaimedKind(tok.Parsed)
}

// ClaimedKind says what a token itself claims to be: by the typ of its header,
// by the claims that some providers mark it with (Keycloak's typ, Cognito's
// token_use), else by what it looks like.
func ClaimedKind(p *token.Parsed) token.Type {
	if looks := p.Looks(); looks == token.TypeDPoP || looks == token.TypeLogout || looks == token.TypeAssertion {
		return looks
	}
	if use, _ := p.Claims["token_use"].(string); use == "id" || use == "access" {
		return token.Type(use)
	}
	switch typ, _ := p.Claims["typ"].(string); typ {
	case "ID":
		return token.TypeID
	case "Bearer", "DPoP":
		return token.TypeAccess
	case "Refresh", "Offline":
		return KindRefresh
	}
	return p.Looks()
}

// Inspected holds a token against everything that is known of what it ought to
// be, once in a Run. It gives nil where the token itself is not there.
func (t *Target) Inspected(tok *Token) *token.Report {
	if tok.Raw == "" {
		return nil
	}
	if t.memo != nil {
		if r := t.memo.reports[tok]; r != nil {
			return r
		}
	}
	r := token.Inspect(tok.Raw.Reveal(), t.ExpectOf(tok))
	if t.memo != nil {
		if t.memo.reports == nil {
			t.memo.reports = map[*Token]*token.Report{}
		}
		t.memo.reports[tok] = &r
	}
	return &r
}

// ExpectOf gives what a token is held against.
func (t *Target) ExpectOf(tok *Token) token.Expect {
	now, _ := t.ClockOf(tok)
	want := token.Expect{Type: t.Kind(tok), Keys: t.ProviderKeys(), Now: func() time.Time { return now }}
	if want.Type == KindRefresh {
		want.Type = token.TypeAny
	}
	if t.Expect != nil {
		want.Algs = t.Expect.Algs
	}
	switch want.Type {
	case token.TypeDPoP, token.TypeAssertion:
		// Their keys and audience are others; the checks of clients and of
		// proofs judge them.
		want.Keys, want.Algs = nil, nil
		return want
	}
	want.Issuer = t.issuerOf(tok)
	want.Audience = t.audiencesOf(tok)
	switch want.Type {
	case token.TypeAccess, token.TypeAny:
		// Few providers mark their access tokens as RFC 9068 asks for.
		want.Typ = []string{"JWT", ""}
	case token.TypeID, token.TypeLogout:
		want.ClientID = t.ClientOf(tok)
	}
	if want.Type == token.TypeID {
		t.expectSignIn(tok, &want)
	}
	return want
}

// expectSignIn adds what the requests and answers around an ID token say of it.
func (t *Target) expectSignIn(tok *Token, want *token.Expect) {
	call := t.SignInOf(tok)
	if call != nil && call.Request != nil && call.Request.RequestURI == "" && call.Request.Params.Get("request") == "" {
		r := call.Request
		// A refreshed ID token may leave the nonce out, and tells the time of the
		// first sign-in, OpenID Connect Core section 12.2.
		again := refreshed(tok.Call)
		if r.Nonce != "" && !again {
			want.Nonce = &r.Nonce
		}
		if age, err := strconv.ParseInt(r.MaxAge, 10, 32); err == nil && age >= 0 && !again {
			want.MaxAge = time.Duration(age) * time.Second
			if age == 0 {
				want.MaxAge = -1
			}
		}
		want.ACR = essentialACR(r.Claims)
	}
	switch {
	case tok.Call != nil && tok.Call.Response != nil:
		want.AccessToken = tok.Call.Response.AccessToken
		if tok.Call.Request != nil {
			want.Code = tok.Call.Request.Code
		}
	case call != nil && call.Response != nil && call.Response.IDToken == tok.Raw:
		want.AccessToken, want.Code = call.Response.AccessToken, call.Response.Code
	}
}

func refreshed(call *TokenCall) bool {
	return call != nil && call.Request != nil && call.Request.GrantType == oauth.GrantRefreshToken
}

// essentialACR gives the values of acr that a claims parameter demands of the
// ID token, OpenID Connect Core section 5.5.1.1.
func essentialACR(claims string) []string {
	if claims == "" || len(claims) > 16<<10 {
		return nil
	}
	var asked struct {
		IDToken struct {
			ACR *struct {
				Essential bool     `json:"essential"`
				Value     string   `json:"value"`
				Values    []string `json:"values"`
			} `json:"acr"`
		} `json:"id_token"`
	}
	if json.Unmarshal([]byte(claims), &asked) != nil || asked.IDToken.ACR == nil || !asked.IDToken.ACR.Essential {
		return nil
	}
	if v := asked.IDToken.ACR.Value; v != "" {
		return []string{v}
	}
	return asked.IDToken.ACR.Values
}

// ProviderKeys gives the keys that providers publish, those of all sets
// together; nil when no set was given.
func (t *Target) ProviderKeys() *token.KeySet {
	if t.memo != nil && t.memo.keyed {
		return t.memo.keys
	}
	var all *token.KeySet
	for _, s := range t.KeySets {
		switch {
		case s.Client != "" || s.KeySet == nil:
		case all == nil:
			all = s.KeySet
		default:
			all = &token.KeySet{Keys: slices.Concat(all.Keys, s.Keys), Left: slices.Concat(all.Left, s.Left)}
		}
	}
	if t.memo != nil {
		t.memo.keys, t.memo.keyed = all, true
	}
	return all
}

// ClockOf gives the time at which a token is judged: that of the last call it
// was sent in, of the answer it came in, else now. when says which of the
// former it is, and is empty for now.
func (t *Target) ClockOf(tok *Token) (at time.Time, when string) {
	for _, c := range t.APICalls {
		if (c.Token == tok || c.Token != nil && tok.Raw != "" && c.Token.Raw == tok.Raw) && c.Time.After(at) {
			at, when = c.Time, "when it was sent to the API"
		}
	}
	if at.IsZero() && tok.Call != nil && !tok.Call.Time.IsZero() {
		at, when = tok.Call.Time, "when it came"
	}
	if at.IsZero() {
		at = t.Now
	}
	return at, when
}

// ClientOf gives the client id that a token was asked for with; empty when
// nothing tells.
func (t *Target) ClientOf(tok *Token) string {
	if tok.Call != nil && tok.Call.Request != nil && tok.Call.Request.ClientID != "" {
		return tok.Call.Request.ClientID
	}
	if c := t.SignInOf(tok); c != nil && c.Request != nil && c.Request.ClientID != "" {
		return c.Request.ClientID
	}
	return t.SoleClient()
}

// SoleClient gives the client id when all that was given speaks of one client
// only: what the operator named, else the one of requests and registrations.
func (t *Target) SoleClient() string {
	if t.Request != nil && t.Request.ClientID != "" {
		return t.Request.ClientID
	}
	sole := ""
	one := func(id string) bool {
		if id != "" && sole != "" && id != sole {
			return false
		}
		sole = cmp.Or(sole, id)
		return true
	}
	for _, c := range t.AuthCalls {
		if c.Request != nil && !one(c.Request.ClientID) {
			return ""
		}
	}
	for _, c := range t.TokenCalls {
		if c.Request != nil && !one(c.Request.ClientID) {
			return ""
		}
	}
	for _, r := range t.Registrations {
		if !one(r.ClientID) {
			return ""
		}
	}
	return sole
}

// SignInOf gives the authorization request and answer that a token goes back
// to, or nil when that cannot be told.
func (t *Target) SignInOf(tok *Token) *AuthCall {
	for _, c := range t.AuthCalls {
		if c.Response != nil && tok.Raw != "" && (c.Response.IDToken == tok.Raw || c.Response.AccessToken == tok.Raw) {
			return c
		}
	}
	if tok.Call == nil {
		return nil
	}
	return t.SignInBefore(tok.Call)
}

// SignInBefore gives the authorization request and answer whose code a token
// request redeems, or the only one of the same client; nil when that cannot be
// told. Of a refresh it gives the only one of the client.
func (t *Target) SignInBefore(call *TokenCall) *AuthCall {
	var only *AuthCall
	count := 0
	for _, c := range t.AuthCalls {
		r := call.Request
		if r != nil && r.Code != "" && c.Response != nil && c.Response.Code == r.Code {
			return c
		}
		if c.Request == nil || r != nil && r.ClientID != "" && c.Request.ClientID != "" && r.ClientID != c.Request.ClientID {
			continue
		}
		if r != nil && r.Code != "" && c.Response != nil && c.Response.Code != "" {
			continue // its code is another one
		}
		only, count = c, count+1
	}
	if count != 1 || call.Request == nil || call.Request.GrantType != oauth.GrantAuthorizationCode && call.Request.GrantType != oauth.GrantRefreshToken {
		return nil
	}
	return only
}

// IssuerWanted gives the issuer that tokens must name; it may be a template
// with {tenantid}. Empty when nothing tells.
func (t *Target) IssuerWanted() string {
	if t.Expect != nil && t.Expect.Issuer != "" {
		return t.Expect.Issuer
	}
	for _, m := range t.Metadata {
		if m.Metadata != nil && strings.Contains(m.Issuer, "{tenant") && (t.Issuer == "" || sameHost(t.Issuer, m.Issuer)) {
			return m.Issuer
		}
	}
	if t.Issuer != "" {
		for _, any := range [...]string{"/common/", "/organizations/", "/consumers/"} {
			if strings.Contains(t.Issuer, "://login.microsoftonline.") && strings.Contains(t.Issuer, any) {
				return strings.Replace(t.Issuer, any, "/{tenantid}/", 1)
			}
		}
		return t.Issuer
	}
	sole := ""
	for _, m := range t.Metadata {
		if m.Metadata == nil || m.Issuer == "" || m.Issuer == sole {
			continue
		}
		if sole != "" {
			return ""
		}
		sole = m.Issuer
	}
	return sole
}

func sameHost(a, b string) bool {
	_, a, _ = strings.Cut(a, "://")
	_, b, _ = strings.Cut(b, "://")
	a, _, _ = strings.Cut(a, "/")
	b, _, _ = strings.Cut(b, "/")
	return strings.EqualFold(a, b)
}

// issuerOf fills the tenant of the token into the issuer that is wanted.
func (t *Target) issuerOf(tok *Token) string {
	want := t.IssuerWanted()
	if tok.Parsed == nil {
		return want
	}
	if iss, _ := tok.Claims["iss"].(string); iss != "" && iss != want && t.Kind(tok) == token.TypeAccess {
		for _, m := range t.Metadata {
			// AD FS has another issuer for access tokens, and says so.
			if m.Metadata != nil && m.Text("access_token_issuer") == iss && (t.Issuer == "" || m.Issuer == t.Issuer) {
				return iss
			}
		}
	}
	if !strings.Contains(want, "{") {
		return want
	}
	tid, _ := tok.Claims["tid"].(string)
	if !oauth.IsGUID(tid) {
		return want
	}
	for _, hole := range [...]string{"{tenantid}", "{tenantId}", "{tenant}"} {
		want = strings.ReplaceAll(want, hole, tid)
	}
	return want
}

// audiencesOf gives the audiences of which a token must have one.
func (t *Target) audiencesOf(tok *Token) []string {
	if t.Kind(tok) == token.TypeID || t.Expect == nil {
		return nil
	}
	return t.Expect.Audiences
}
