// Package read sorts evidence into a target for checks.
package read

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/token"
)

// Target makes a target of what was read, to be judged at a moment, held to no
// profile yet. provider names the provider where the operator says it; empty
// leaves it to the evidence.
func Target(set *evidence.Set, now time.Time, provider string) *check.Target {
	t := &check.Target{Now: now, Profile: &check.Profile{Name: "default"}}
	if set != nil {
		Add(t, set)
	}
	Settle(t, provider)
	return t
}

// Add sorts evidence into the target, beside what is there.
func Add(t *check.Target, set *evidence.Set) {
	s := sorter{t: t, auth: map[*evidence.Exchange]*check.AuthCall{}, token: map[*evidence.Exchange]*check.TokenCall{}, introspect: map[*evidence.Exchange]bool{}}
	for i := range set.Items {
		s.item(&set.Items[i])
	}
	s.pair()
	t.Secrets = append(t.Secrets, set.Secrets...)
}

// Settle decides whose the configuration is: the provider that was named, else
// that of the issuer, the metadata or the registration.
func Settle(t *check.Target, provider string) {
	t.Provider = knowledge.Named(provider)
	if t.Provider.Name != "generic" {
		return
	}
	issuers := []string{t.Issuer}
	for _, m := range t.Metadata {
		issuers = append(issuers, m.Issuer)
	}
	for _, iss := range issuers {
		if p := knowledge.Of(iss); iss != "" && p.Name != "generic" {
			t.Provider = p
			return
		}
	}
	for _, r := range t.Registrations {
		if p := knowledge.Named(r.Provider); p.Name != "generic" {
			t.Provider = p
			return
		}
	}
}

// sorter puts the pieces of one set where they belong. What was found in an
// exchange joins the call that the exchange is.
type sorter struct {
	t     *check.Target
	auth  map[*evidence.Exchange]*check.AuthCall
	token map[*evidence.Exchange]*check.TokenCall
	last  *check.TokenCall // that tokens which follow came in
	// introspect are the exchanges with an introspection endpoint.
	introspect map[*evidence.Exchange]bool
}

func (s *sorter) item(it *evidence.Item) {
	t := s.t
	for _, f := range it.Facts {
		if settingFact(f.Key) {
			t.Settings = append(t.Settings, f)
		}
	}
	switch {
	case it.Metadata != nil:
		t.Metadata = append(t.Metadata, &check.Metadata{
			Metadata: it.Metadata, Place: it.Place, Answer: s.answerOf(it),
			Locate: func(words string) string { place, _ := it.PlaceOf(words); return place },
		})
	case it.Kind == usher.KindDiscovery:
		if r := resource(it); r != nil {
			t.Resources = append(t.Resources, r)
		}
	case it.Keys != nil:
		t.KeySets = append(t.KeySets, &check.KeySet{KeySet: it.Keys, Place: it.Place, Raw: it.JSON, Client: it.KeysOf, Answer: s.answerOf(it)})
	case it.Registration != nil:
		s.registration(it)
	case it.Event != nil:
		t.Events = append(t.Events, it.Event)
		if it.Kind == usher.KindLogRecord && it.Text != "" {
			t.Logs = append(t.Logs, &check.LogText{Place: it.Place, Text: it.Text})
		}
	case it.AuthRequest != nil:
		call := s.authCall(it)
		call.Request = it.AuthRequest
		call.RequestURL, _ = url.Parse(it.AuthRequest.Endpoint)
	case it.AuthResponse != nil:
		call := s.authCall(it)
		call.Response, call.ResponsePlace = it.AuthResponse, it.Place
		call.Returned = it.Time
		if it.Of != nil {
			call.Returned = it.Of.Started
		}
	case it.TokenRequest != nil:
		call := s.tokenCall(it)
		call.Request = it.TokenRequest
		if call.Exchange == nil {
			call.Exchange = it.Exchange
		}
	case it.Token != nil && s.answersIntrospection(it):
		t.Introspected = append(t.Introspected, &check.Introspection{Place: it.Place, JWT: it.Token, Exchange: it.Of})
	case it.Token != nil:
		t.Tokens = append(t.Tokens, &check.Token{Parsed: it.Token, Place: it.Place, Raw: it.Raw, Type: typeOf(it), Call: s.callOf(it)})
	case it.Exchange != nil:
		s.exchange(it)
	case it.JSON != nil && fact(it, "endpoint") == "token":
		call := s.tokenCall(it)
		call.Response = tokenResponse(it)
		s.last = call
	case it.JSON != nil && fact(it, "endpoint") == "introspect":
		t.Introspected = append(t.Introspected, &check.Introspection{Place: it.Place, Raw: members(it.JSON), Exchange: it.Of})
	case it.Error != nil:
		s.refusal(it)
	case it.Kind == usher.KindStatement:
		t.Logs = append(t.Logs, accessLog(it)...)
	}
}

// answersIntrospection tells whether a token is the answer of an introspection
// endpoint, RFC 9701, rather than a token that somebody has.
func (s *sorter) answersIntrospection(it *evidence.Item) bool {
	if it.Of == nil {
		typ := strings.TrimPrefix(strings.ToLower(it.Token.Typ), "application/")
		return typ == "token-introspection+jwt"
	}
	return s.introspect[it.Of] && strings.TrimSpace(it.Of.Body) == it.Raw.Reveal()
}

// settingFact tells which facts are of the setup of a client's own software.
func settingFact(key string) bool {
	switch key {
	case "client-auth-setting", "grant-setting", "response-type-setting", "audience-setting", "token-version-setting", "scope-setting":
		return false // of registrations, which are there as such
	}
	return strings.HasSuffix(key, "-setting") || key == "setting" || key == "command" || key == "library"
}

func fact(it *evidence.Item, key string) string {
	for _, f := range it.Facts {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

// exchange keeps an HTTP exchange as the call that it is.
func (s *sorter) exchange(it *evidence.Item) {
	x, role := it.Exchange, fact(it, "endpoint")
	if len(x.Header) > 0 {
		s.t.Answers = append(s.t.Answers, answer(it.Place, role, x))
	}
	switch role {
	case "token":
		s.tokenCall(it)
	case "introspect":
		s.introspect[x] = true
	case "authorize", "callback", "discovery", "jwks", "revoke", "par", "device", "logout":
	default:
		if x.Request.Get("Authorization") != "" || len(it.Challenges) > 0 || x.Status == 401 || x.Status == 403 || role == "api" || role == "userinfo" {
			call := &check.APICall{Place: it.Place, Exchange: x, Time: x.Started}
			for _, h := range x.Header.Values("Www-Authenticate") {
				if list, err := oauth.ParseChallenges(h); err == nil {
					call.Challenges = append(call.Challenges, list...)
				}
			}
			s.t.APICalls = append(s.t.APICalls, call)
		}
	}
}

func answer(place, role string, x *evidence.Exchange) *check.Answer {
	if role == "authorize" {
		role = "authorization"
	}
	return &check.Answer{Place: place, URL: x.URL, Role: role, Status: x.Status, Header: x.Header, Size: len(x.Body), At: x.Started}
}

func (s *sorter) answerOf(it *evidence.Item) *check.Answer {
	if it.Of == nil || len(it.Of.Header) == 0 {
		return nil
	}
	for _, a := range s.t.Answers {
		if a.URL == it.Of.URL && a.At.Equal(it.Of.Started) {
			return a
		}
	}
	return nil
}

func (s *sorter) authCall(it *evidence.Item) *check.AuthCall {
	if c := s.auth[it.Of]; c != nil && it.Of != nil {
		return c
	}
	c := &check.AuthCall{Place: it.Place, Exchange: it.Of, Time: it.Time}
	if it.Of != nil {
		s.auth[it.Of] = c
		c.Time = it.Of.Started
		if ref := it.Of.Request.Get("Referer"); ref != "" {
			c.StartURL, _ = url.Parse(ref)
		}
	}
	s.t.AuthCalls = append(s.t.AuthCalls, c)
	return c
}

func (s *sorter) tokenCall(it *evidence.Item) *check.TokenCall {
	x := it.Of
	if it.Exchange != nil {
		x = it.Exchange
	}
	if c := s.token[x]; c != nil && x != nil {
		return c
	}
	c := &check.TokenCall{Place: it.Place, Exchange: x, Time: it.Time}
	if x != nil {
		s.token[x] = c
		c.Time = x.Started
	}
	s.t.TokenCalls = append(s.t.TokenCalls, c)
	return c
}

// callOf gives the answer that a token came in.
func (s *sorter) callOf(it *evidence.Item) *check.TokenCall {
	if it.Of != nil {
		return s.token[it.Of]
	}
	if s.last == nil {
		return nil
	}
	raw := it.Raw.Reveal()
	if r := s.last.Response; raw != "" && r != nil && (r.AccessToken.Reveal() == raw || r.IDToken.Reveal() == raw) {
		return s.last
	}
	return nil
}

// typeOf says what a token was given as.
func typeOf(it *evidence.Item) token.Type {
	switch it.Origin {
	case "id_token", "id_token_hint":
		return token.TypeID
	case "access_token", "authorization":
		return token.TypeAccess
	case "client_assertion", "assertion":
		return token.TypeAssertion
	case "logout_token":
		return token.TypeLogout
	case "DPoP", "dpop":
		return token.TypeDPoP
	}
	return token.TypeAny
}

// refusal keeps an error answer: of the token endpoint, or of an API.
func (s *sorter) refusal(it *evidence.Item) {
	switch it.Kind {
	case usher.KindErrorResponse:
	default:
		return
	}
	if c := s.token[it.Of]; it.Of != nil && c == nil {
		return
	} else if c != nil {
		c.Response = &check.TokenResponse{Place: it.Place, Status: it.Of.Status, Error: it.Error}
		return
	}
	if it.Error.Code == "" {
		return
	}
	s.t.TokenCalls = append(s.t.TokenCalls, &check.TokenCall{
		Place: it.Place, Time: it.Time, Response: &check.TokenResponse{Place: it.Place, Status: it.Error.Status, Error: it.Error},
	})
}

// registration keeps what a provider knows of a client, and the documents that
// have the same shape: a client's own, and the answer of a registration endpoint.
func (s *sorter) registration(it *evidence.Item) {
	raw := members(it.JSON)
	if raw["registration_access_token"] != nil || raw["client_id_issued_at"] != nil || raw["registration_client_uri"] != nil {
		s.t.Registered = append(s.t.Registered, &check.DCRAnswer{Place: it.Place, Raw: raw, SecretExpires: seconds(raw["client_secret_expires_at"]), Exchange: it.Of})
	}
	if strings.HasPrefix(it.Registration.ClientID, "https://") {
		s.t.Documents = append(s.t.Documents, &check.ClientDocument{Place: it.Place, Raw: raw, Size: len(it.JSON), Answer: s.answerOf(it)})
	}
	s.t.Registrations = append(s.t.Registrations, it.Registration)
}

func resource(it *evidence.Item) *check.ResourceMetadata {
	raw := members(it.JSON)
	if raw["resource"] == nil {
		return nil
	}
	r := &check.ResourceMetadata{Place: it.Place, Raw: raw}
	_ = json.Unmarshal(raw["resource"], &r.Resource)
	_ = json.Unmarshal(raw["authorization_servers"], &r.AuthorizationServers)
	_ = json.Unmarshal(raw["scopes_supported"], &r.Scopes)
	_ = json.Unmarshal(raw["bearer_methods_supported"], &r.BearerMethods)
	return r
}

func tokenResponse(it *evidence.Item) *check.TokenResponse {
	raw := members(it.JSON)
	r := &check.TokenResponse{Place: it.Place, Raw: raw}
	if it.Of != nil {
		r.Status = it.Of.Status
	}
	for name, field := range map[string]*usher.Secret{"access_token": &r.AccessToken, "id_token": &r.IDToken, "refresh_token": &r.RefreshToken} {
		var text string
		if json.Unmarshal(raw[name], &text) == nil {
			*field = usher.Secret(text)
		}
		delete(raw, name)
	}
	_ = json.Unmarshal(raw["token_type"], &r.TokenType)
	r.ExpiresIn = strings.Trim(string(raw["expires_in"]), `"`)
	var scope string
	if s, ok := raw["scope"]; ok && json.Unmarshal(s, &scope) == nil {
		r.HasScope, r.Scope = true, oauth.ParseScope(scope)
	}
	return r
}

func members(data json.RawMessage) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	_ = json.Unmarshal(data, &m)
	return m
}

func seconds(raw json.RawMessage) time.Time {
	var n int64
	if json.Unmarshal(raw, &n) != nil || n <= 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// pair joins what belongs to one sign-in: a way back to the request with its
// state, an answer of the token endpoint that stands alone to the one request
// without an answer, and a token to the call of an API that sent it.
func (s *sorter) pair() {
	t := s.t
	kept := t.AuthCalls[:0]
	for _, c := range t.AuthCalls {
		if c.Request == nil && c.Response != nil && s.joined(c) {
			continue
		}
		kept = append(kept, c)
	}
	t.AuthCalls = kept
	var asks, answers []*check.TokenCall
	for _, c := range t.TokenCalls {
		switch {
		case c.Request != nil && c.Response == nil:
			asks = append(asks, c)
		case c.Request == nil && c.Response != nil && c.Exchange == nil:
			answers = append(answers, c)
		}
	}
	if len(asks) == 1 && len(answers) == 1 {
		asks[0].Response = answers[0].Response
		for _, tok := range t.Tokens {
			if tok.Call == answers[0] {
				tok.Call = asks[0]
			}
		}
		t.TokenCalls = without(t.TokenCalls, answers[0])
	}
	for _, c := range t.APICalls {
		_, sent, _ := strings.Cut(c.Exchange.Request.Get("Authorization"), " ")
		for _, tok := range t.Tokens {
			if sent != "" && tok.Raw.Reveal() == sent {
				c.Token = tok
			}
		}
	}
}

// joined puts a way back to its request: the same state, or, where neither
// tells a state, the only request there is.
func (s *sorter) joined(back *check.AuthCall) bool {
	var fit *check.AuthCall
	for _, c := range s.t.AuthCalls {
		if c.Request == nil || c.Response != nil || c.Request.State != back.Response.State {
			continue
		}
		if fit != nil {
			return false
		}
		fit = c
	}
	if fit == nil {
		return false
	}
	fit.Response, fit.ResponsePlace, fit.Returned = back.Response, back.Place, back.Returned
	return true
}

func without(list []*check.TokenCall, gone *check.TokenCall) []*check.TokenCall {
	kept := list[:0]
	for _, c := range list {
		if c != gone {
			kept = append(kept, c)
		}
	}
	return kept
}
