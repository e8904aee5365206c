package tokens_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
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

// now is the clock of the tests.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const (
	iss    = "https://login.example/realms/shop"
	api    = "https://api.example"
	client = "web"
)

type obj = map[string]any

var (
	key   = ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes, one!"))
	other = ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes, two!"))
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jsonOf(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// sign makes a JWT with any header over any claims.
func sign(k ed25519.PrivateKey, header, claims obj) string {
	input := b64(jsonOf(header)) + "." + b64(jsonOf(claims))
	return input + "." + b64(ed25519.Sign(k, []byte(input)))
}

func public(k ed25519.PrivateKey) obj {
	return obj{"kty": "OKP", "crv": "Ed25519", "x": b64(k.Public().(ed25519.PublicKey))}
}

func thumbprint(k ed25519.PrivateKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + b64(k.Public().(ed25519.PublicKey)) + `"}`))
	return b64(sum[:])
}

// with gives a copy of members with others put in; nil takes one out.
func with(base obj, changes obj) obj {
	out := maps.Clone(base)
	for name, v := range changes {
		if v == nil {
			delete(out, name)
			continue
		}
		out[name] = v
	}
	return out
}

func header(changes obj) obj { return with(obj{"alg": "EdDSA", "kid": "k1", "typ": "JWT"}, changes) }

// accessClaims and idClaims are those of good tokens.
func accessClaims(changes obj) obj {
	return with(obj{
		"iss": iss, "aud": api, "sub": "u1", "azp": client, "client_id": client, "scope": "orders", "jti": "j1",
		"iat": now.Unix() - 60, "exp": now.Unix() + 540,
	}, changes)
}

func idClaims(changes obj) obj {
	return with(obj{"iss": iss, "aud": client, "sub": "u1", "nonce": "n1", "iat": now.Unix() - 60, "exp": now.Unix() + 540}, changes)
}

// made puts a token into a target.
func made(kind token.Type, raw string) *check.Token {
	p, _ := token.Parse(raw)
	return &check.Token{Parsed: p, Place: "token.txt", Type: kind, Raw: usher.Secret(raw)}
}

func access(changes obj) *check.Token {
	return made(token.TypeAccess, sign(key, header(nil), accessClaims(changes)))
}

func id(changes obj) *check.Token {
	return made(token.TypeID, sign(key, header(nil), idClaims(changes)))
}

// target makes a target with everything that parts put in.
func target(parts ...func(*check.Target)) *check.Target {
	t := &check.Target{Now: now, Provider: knowledge.Named("generic"), Profile: &check.Profile{Name: "default"}}
	for _, part := range parts {
		part(t)
	}
	return t
}

func tokens(list ...*check.Token) func(*check.Target) {
	return func(t *check.Target) { t.Tokens = append(t.Tokens, list...) }
}

func keys(t *check.Target) {
	set, err := token.ParseKeySet(jsonOf(obj{"keys": []obj{with(public(key), obj{"kid": "k1", "use": "sig", "alg": "EdDSA"})}}))
	if err != nil {
		panic(err)
	}
	t.KeySets = append(t.KeySets, &check.KeySet{KeySet: set, Place: "jwks.json", Answer: &check.Answer{At: now}})
}

func rsaKeys(t *check.Target) {
	set, err := token.ParseKeySet(jsonOf(obj{"keys": []obj{{"kty": "RSA", "kid": "k1", "n": b64([]byte(strings.Repeat("\xc3\x5a\x91\x77", 64))), "e": "AQAB"}}}))
	if err != nil {
		panic(err)
	}
	t.KeySets = append(t.KeySets, &check.KeySet{KeySet: set, Place: "jwks.json"})
}

func issuer(s string) func(*check.Target) { return func(t *check.Target) { t.Issuer = s } }

func expect(e check.Expect) func(*check.Target) { return func(t *check.Target) { t.Expect = &e } }

func provider(name string) func(*check.Target) {
	return func(t *check.Target) { t.Provider = &knowledge.Provider{Name: name, Title: name} }
}

func metadata(members obj) func(*check.Target) {
	return func(t *check.Target) {
		m, err := oauth.ParseMetadata(jsonOf(with(obj{"issuer": iss, "token_endpoint": iss + "/token", "userinfo_endpoint": iss + "/userinfo"}, members)))
		if err != nil {
			panic(err)
		}
		t.Metadata = append(t.Metadata, &check.Metadata{Metadata: m, Place: "discovery.json"})
	}
}

// asked adds an authorization request with its answer, which holds code.
func asked(params string, code string) func(*check.Target) {
	return func(t *check.Target) {
		r, err := oauth.ParseAuthorizationRequest("https://login.example/auth?response_type=code&client_id=" + client + "&" + params)
		if err != nil {
			panic(err)
		}
		c := &check.AuthCall{Place: "request 1", Request: r, Time: now.Add(-2 * time.Minute)}
		if code != "" {
			c.Response = &oauth.AuthorizationResponse{Code: usher.Secret(code)}
		}
		t.AuthCalls = append(t.AuthCalls, c)
	}
}

// later moves the last authorization request to a time after now.
func later(t *check.Target) { t.AuthCalls[len(t.AuthCalls)-1].Time = now.Add(time.Minute) }

// redeemed adds a token request and its answer; every token of the answer
// becomes a token of the target.
func redeemed(form, answer string, when time.Time) func(*check.Target) {
	return func(t *check.Target) {
		c := &check.TokenCall{Place: "request " + string(rune('2'+len(t.TokenCalls))), Time: when}
		if form != "" {
			values, _ := url.ParseQuery(form)
			r, err := oauth.ParseTokenRequest("https://login.example/token", nil, values.Encode())
			if err != nil {
				panic(err)
			}
			c.Request = r
		}
		if answer != "" {
			c.Response = response(answer)
			for name, kind := range map[string]token.Type{"access_token": token.TypeAccess, "id_token": token.TypeID} {
				var raw string
				var all map[string]json.RawMessage
				_ = json.Unmarshal([]byte(answer), &all)
				if json.Unmarshal(all[name], &raw) == nil && raw != "" {
					tok := made(kind, raw)
					tok.Call = c
					t.Tokens = append(t.Tokens, tok)
				}
			}
		}
		t.TokenCalls = append(t.TokenCalls, c)
	}
}

func response(answer string) *check.TokenResponse {
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(answer), &raw); err != nil {
		panic(err)
	}
	r := &check.TokenResponse{Place: "answer", Raw: raw, Status: 200}
	for name, field := range map[string]*usher.Secret{"access_token": &r.AccessToken, "id_token": &r.IDToken, "refresh_token": &r.RefreshToken} {
		var s string
		if json.Unmarshal(raw[name], &s) == nil {
			*field = usher.Secret(s)
		}
		delete(raw, name)
	}
	_ = json.Unmarshal(raw["token_type"], &r.TokenType)
	r.ExpiresIn = strings.Trim(string(raw["expires_in"]), `"`)
	var scope string
	if json.Unmarshal(raw["scope"], &scope) == nil && scope != "" {
		r.HasScope, r.Scope = true, oauth.ParseScope(scope)
	}
	return r
}

// refused adds a token request and an error as its answer.
func refused(form string, e evidence.ErrorBody) func(*check.Target) {
	return func(t *check.Target) {
		redeemed(form, "", now)(t)
		t.TokenCalls[len(t.TokenCalls)-1].Response = &check.TokenResponse{Place: "answer", Status: 400, Error: &e}
	}
}

// call adds a call of an API. headers are "Name: value" of the request; those
// after a blank line are of the answer.
func call(status int, address string, when time.Time, headers ...string) func(*check.Target) {
	return func(t *check.Target) {
		x := &evidence.Exchange{Method: "GET", URL: address, Status: status, Request: http.Header{}, Header: http.Header{}, Started: when}
		to := x.Request
		for _, h := range headers {
			if h == "" {
				to = x.Header
				continue
			}
			name, value, _ := strings.Cut(h, ": ")
			to.Add(name, value)
		}
		c := &check.APICall{Place: "call " + string(rune('1'+len(t.APICalls))), Exchange: x, Time: when}
		for _, h := range x.Header.Values("Www-Authenticate") {
			list, _ := oauth.ParseChallenges(h)
			c.Challenges = append(c.Challenges, list...)
		}
		_, sent, _ := strings.Cut(x.Request.Get("Authorization"), " ")
		for _, tok := range t.Tokens {
			if sent != "" && tok.Raw.Reveal() == sent {
				c.Token = tok
			}
		}
		t.APICalls = append(t.APICalls, c)
	}
}

// body sets the content of the last answer of an API.
func body(text string) func(*check.Target) {
	return func(t *check.Target) { t.APICalls[len(t.APICalls)-1].Exchange.Body = text }
}

// bearer is the header with a token.
func bearer(tok *check.Token) string { return "Authorization: Bearer " + tok.Raw.Reveal() }

func events(list ...*usher.Event) func(*check.Target) {
	return func(t *check.Target) { t.Events = append(t.Events, list...) }
}

func registered(r evidence.Registration) func(*check.Target) {
	return func(t *check.Target) {
		if r.Place == "" {
			r.Place = "app.json"
		}
		t.Registrations = append(t.Registrations, &r)
	}
}

func introspected(answer string, status int, form string) func(*check.Target) {
	return func(t *check.Target) {
		raw := map[string]json.RawMessage{}
		_ = json.Unmarshal([]byte(answer), &raw)
		in := &check.Introspection{Place: "introspection.json", Raw: raw}
		if status != 0 {
			in.Exchange = &evidence.Exchange{Status: status, Body: answer, RequestBody: form, Started: now.Add(-time.Minute)}
		}
		if strings.HasPrefix(answer, "eyJ") {
			in.JWT, _ = token.Parse(answer)
		}
		t.Introspected = append(t.Introspected, in)
	}
}

func probed(id string, a check.ProbeAnswer) func(*check.Target) {
	return func(t *check.Target) {
		a.Place, a.Sent = "POST https://login.example/x", "token=made-up"
		t.Probed = map[string]*check.ProbeAnswer{id: &a}
	}
}

// proof makes a DPoP proof.
func proof(k ed25519.PrivateKey, changes obj, at time.Time) string {
	claims := with(obj{"jti": "p1", "htm": "GET", "htu": api + "/orders", "iat": at.Unix()}, changes)
	return sign(k, obj{"typ": "dpop+jwt", "alg": "EdDSA", "jwk": public(k)}, claims)
}

func ath(tok *check.Token) string {
	sum := sha256.Sum256([]byte(tok.Raw.Reveal()))
	return b64(sum[:])
}
