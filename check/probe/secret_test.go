package probe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"usher"
	"usher/check/probe"
	"usher/evidence"
	"usher/guard"
	"usher/oauth"
	"usher/provider/knowledge"
)

// answers has the token endpoint say one thing to the right secret and another
// to any other.
func answers(s *as, right, other func(w http.ResponseWriter)) {
	s.token = func(w http.ResponseWriter, r *http.Request) bool {
		_, secret, basic := r.BasicAuth()
		if !basic {
			secret = r.Form.Get("client_secret")
		}
		if secret == s.secret {
			right(w)
		} else {
			other(w)
		}
		return true
	}
}

func says(status int, code, text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { fail(w, status, code, text) }
}

func aadsts(status int, code, text string) func(http.ResponseWriter) {
	return says(status, code, text+" Trace ID: 1c4f0b5e-3a29-4a68-9d7a-9a7a8c9c0d00 Correlation ID: 2c4f0b5e-3a29-4a68-9d7a-9a7a8c9c0d00 Timestamp: 2026-07-01 10:00:00Z")
}

func TestSecret(t *testing.T) {
	invalidClient := says(401, oauth.ErrInvalidClient, "")
	invalidGrant := says(400, oauth.ErrInvalidGrant, "")
	keycloak := says(401, oauth.ErrUnauthorizedClient, "Invalid client or Invalid client credentials")
	wrongEntra := aadsts(401, oauth.ErrInvalidClient, "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app 'web'.")
	for _, c := range []struct {
		name     string
		provider string
		right    func(http.ResponseWriter)
		other    func(http.ResponseWriter)
		opt      func(*probe.Options)
		outcome  usher.Outcome
		cause    string
		words    string
	}{
		{"right", "generic", invalidGrant, invalidClient, nil, usher.OutcomeOK, "", "refuses a made-up credential"},
		{"right, but the grant is not allowed", "generic", says(400, oauth.ErrUnauthorizedClient, "The client may not use this grant type"), invalidClient, nil, usher.OutcomeOK, "", "made-up code alone"},
		{"right, and no such grant", "generic", says(400, oauth.ErrUnsupportedGrantType, ""), invalidClient, nil, usher.OutcomeOK, "", "made-up code alone"},
		{"the code is looked at first", "generic", invalidGrant, invalidGrant, nil, usher.OutcomeUnknown, "", "looks at the code first"},
		{"Entra looks at the grant first", "entra", aadsts(400, oauth.ErrInvalidGrant, "AADSTS9002313: Invalid request. Request is malformed or invalid."), aadsts(400, oauth.ErrInvalidGrant, "AADSTS9002313: Invalid request. Request is malformed or invalid."), nil, usher.OutcomeUnknown, "", "looks at the scope first"},
		{"wrong", "generic", invalidClient, invalidClient, nil, usher.OutcomeWrong, "client-secret-invalid", "refuses the secret of web"},
		{"wrong at Keycloak", "keycloak", keycloak, keycloak, nil, usher.OutcomeWrong, "client-secret-invalid", "refuses the secret"},
		{"unknown at Keycloak", "keycloak", says(401, oauth.ErrInvalidClient, "Invalid client or Invalid client credentials"), keycloak, nil, usher.OutcomeWrong, "client-unknown", "does not know the client"},
		{"none got through to Keycloak", "keycloak", says(401, oauth.ErrUnauthorizedClient, "Client secret not provided in request"), keycloak, nil, usher.OutcomeWrong, "client-auth-method", "does not look"},
		{"right at Keycloak", "keycloak", says(400, oauth.ErrInvalidGrant, "Code not valid"), keycloak, nil, usher.OutcomeOK, "", "made-up code alone"},
		{"wrong at Entra", "entra", wrongEntra, wrongEntra, nil, usher.OutcomeWrong, "client-secret-invalid", "AADSTS7000215"},
		{"the id at Entra", "entra", wrongEntra, wrongEntra, func(o *probe.Options) { o.Secret = "8f7c1a52-3b60-4c0e-9a57-3f6d0e2b8c41" }, usher.OutcomeWrong, "client-secret-id-used", "the secret's id"},
		{"expired at Entra", "entra", aadsts(401, oauth.ErrInvalidClient, "AADSTS7000222: The provided client secret keys for app 'web' are expired."), wrongEntra, nil, usher.OutcomeWrong, "client-secret-expired", "has expired"},
		{"a public client at Entra", "entra", aadsts(401, oauth.ErrInvalidClient, "AADSTS700025: Client is public so neither 'client_assertion' nor 'client_secret' should be presented."), wrongEntra, nil, usher.OutcomeWrong, "client-type-mismatch", "registered as public"},
		{"unknown at Entra", "entra", aadsts(400, oauth.ErrUnauthorizedClient, "AADSTS700016: Application with identifier 'web' was not found in the directory 'x'."), wrongEntra, nil, usher.OutcomeWrong, "client-unknown", "does not know"},
		{"wrong at Auth0", "auth0", says(401, oauth.ErrAccessDenied, "Unauthorized"), says(401, oauth.ErrAccessDenied, "Unauthorized"), nil, usher.OutcomeWrong, "client-secret-invalid", "refuses the secret"},
		{"wrong at Okta", "okta", says(401, oauth.ErrInvalidClient, "The client secret supplied for a confidential client is invalid."), invalidClient, nil, usher.OutcomeWrong, "client-secret-invalid", "refuses the secret"},
		{"right at GitHub", "github", says(200, "bad_verification_code", "The code passed is incorrect or expired."), says(200, "incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect."), nil, usher.OutcomeOK, "", "made-up code alone"},
		{"wrong at GitHub", "github", says(200, "incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect."), says(200, "incorrect_client_credentials", ""), nil, usher.OutcomeWrong, "client-secret-invalid", "refuses the secret"},
		{"right, said by code alone", "generic", says(403, "invalid_code", ""), says(403, oauth.ErrUnauthorizedClient, ""), nil, usher.OutcomeOK, "", "made-up code alone"},
		{"the same by code alone", "generic", says(403, "invalid_code", ""), says(403, "invalid_code", ""), nil, usher.OutcomeUnknown, "", "looks at the code first"},
		{"throttled", "generic", says(429, "slow_down", ""), invalidClient, nil, usher.OutcomeUnknown, "", "says nothing of the credential"},
		{"in trouble", "generic", says(503, "server_error", ""), invalidClient, nil, usher.OutcomeUnknown, "", "says nothing of the credential"},
		{"a login page", "generic", func(w http.ResponseWriter) { _, _ = w.Write([]byte("<p>hello</p>")) }, invalidClient, nil, usher.OutcomeUnknown, "", "says nothing of the credential"},
		{"a code that nobody gave", "generic", func(w http.ResponseWriter) { writeJSON(w, 200, map[string]any{"access_token": "t0ken-s3cr3t"}) }, invalidClient, nil, usher.OutcomeWrong, "", "made up"},
		{"with a blank", "generic", invalidClient, invalidClient, func(o *probe.Options) { o.Secret += "\n" }, usher.OutcomeWrong, "client-secret-invalid", "ends with a blank"},
		{"in quotes", "generic", invalidClient, invalidClient, func(o *probe.Options) { o.Secret = `"` + o.Secret + `"` }, usher.OutcomeWrong, "client-secret-invalid", "quotes"},
		{"a placeholder", "generic", invalidClient, invalidClient, func(o *probe.Options) { o.Secret = "${CLIENT_SECRET}" }, usher.OutcomeWrong, "client-secret-invalid", "placeholder"},
		{"none", "generic", invalidClient, invalidClient, func(o *probe.Options) { o.Secret = "" }, "skipped", "", "--secret-file"},
		{"a method that nobody tries", "generic", invalidClient, invalidClient, func(o *probe.Options) { o.AuthMethod = "tls_client_auth" }, "skipped", "", "does not try"},
	} {
		s := newAS(t)
		answers(s, c.right, c.other)
		opt := s.options("secret-valid")
		if c.opt != nil {
			c.opt(&opt)
		}
		target := s.target()
		target.Provider = &knowledge.Provider{Name: c.provider}
		run(t, s, target, opt)
		got := target.Probed["secret-valid"]
		want(t, c.name, got, c.outcome, c.words)
		if got.Verdict != nil && got.Verdict.Cause != c.cause {
			t.Errorf("%s: cause %q, want %q", c.name, got.Verdict.Cause, c.cause)
		}
		for _, text := range texts(got) {
			if opt.Secret != "" && strings.Contains(text, strings.TrimSpace(opt.Secret.Reveal())) || strings.Contains(text, "t0ken-s3cr3t") {
				t.Errorf("%s shows a secret: %s", c.name, text)
			}
		}
		for _, r := range s.requests {
			code := r.Form.Get("grant_type") == oauth.GrantAuthorizationCode && strings.HasPrefix(r.Form.Get("code"), "usher")
			nobodys := c.provider == "entra" && r.Form.Get("resource") == "https://usher-probe.invalid"
			if !code && !nobodys {
				t.Errorf("%s: sent %v", c.name, r.Form)
			}
		}
		if most := map[bool]int{true: 4, false: 2}[c.provider == "entra"]; len(s.requests) > most {
			t.Errorf("%s: %d requests", c.name, len(s.requests))
		}
	}
}

// TestEntraScope: where Entra reads a made-up code before it looks at who sends
// it, a scope of nobody's API tells the secret.
func TestEntraScope(t *testing.T) {
	for _, c := range []struct {
		secret  string
		path    string
		outcome usher.Outcome
		cause   string
		words   string
	}{
		{"", "/token", usher.OutcomeOK, "", "complains of the made-up scope alone"},
		{"", "/oauth2/v2.0/token", usher.OutcomeOK, "", "complains of the made-up scope alone"},
		{"an0ther", "/token", usher.OutcomeWrong, "client-secret-invalid", "refuses the secret of web"},
	} {
		s := newAS(t)
		s.token = func(w http.ResponseWriter, r *http.Request) bool {
			_, secret, _ := r.BasicAuth()
			nobodys := "https://usher-probe.invalid"
			switch {
			case r.Form.Get("code") != "":
				aadsts(400, oauth.ErrInvalidGrant, "AADSTS9002313: Invalid request. Request is malformed or invalid.")(w)
			case secret != s.secret:
				aadsts(401, oauth.ErrInvalidClient, "AADSTS7000215: Invalid client secret provided.")(w)
			case c.path == "/token" && r.Form.Get("resource") == nobodys, c.path != "/token" && r.Form.Get("scope") == nobodys+"/.default":
				aadsts(400, "invalid_resource", "AADSTS500011: The resource principal named https://usher-probe.invalid was not found in the tenant.")(w)
			default:
				fail(w, 400, oauth.ErrInvalidRequest, "")
			}
			return true
		}
		s.mux.HandleFunc("POST /oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) { s.token(w, r) })
		opt := s.options("secret-valid")
		if c.secret != "" {
			opt.Secret = usher.Secret(c.secret)
		}
		target := s.target()
		target.Provider = &knowledge.Provider{Name: "entra"}
		target.Metadata[0].TokenEndpoint = s.URL + c.path
		run(t, s, target, opt)
		got := target.Probed["secret-valid"]
		want(t, c.path+" "+c.secret, got, c.outcome, c.words)
		if got.Verdict != nil && got.Verdict.Cause != c.cause {
			t.Errorf("%s: cause %q", c.path, got.Verdict.Cause)
		}
	}
}

// TestKeyUnknown: a key id that is not registered is not taken for a client
// that there is not.
func TestKeyUnknown(t *testing.T) {
	_, text := newKey(t)
	for said, words := range map[string]string{
		"Unable to load public key":                             "The kid nokid is none of the keys of web",
		"Invalid client or Invalid client credentials":          "refuses the assertion of web",
		"Signature on JWT token failed validation":              "does not know the key",
		"No signing key was found for the assertion of this id": "The kid nokid is none of the keys of web",
	} {
		s := newAS(t)
		answers(s, says(401, oauth.ErrInvalidClient, said), says(401, oauth.ErrInvalidClient, said))
		opt := s.options("client-id-known", "secret-valid")
		opt.Secret, opt.Key, opt.KeyID = "", text, "nokid"
		target := s.target()
		target.Provider = &knowledge.Provider{Name: "keycloak"}
		run(t, s, target, opt)
		got := target.Probed["secret-valid"]
		want(t, said, got, usher.OutcomeWrong, words)
		if got.Verdict.Cause != "client-assertion-invalid" {
			t.Errorf("%s: %s", said, got.Verdict.Cause)
		}
	}
}

// TestMethod: Basic and post are told apart, the other one only when it is wished.
func TestMethod(t *testing.T) {
	for _, c := range []struct {
		takes, sends string
		try          bool
		supported    []string
		outcome      usher.Outcome
		cause, words string
		requests     int
	}{
		{oauth.AuthBasic, oauth.AuthBasic, false, nil, usher.OutcomeOK, "", oauth.AuthBasic, 2},
		{oauth.AuthPost, oauth.AuthPost, false, nil, usher.OutcomeOK, "", oauth.AuthPost, 2},
		{oauth.AuthPost, oauth.AuthBasic, false, nil, usher.OutcomeWrong, "client-secret-invalid", "refuses the secret", 1},
		{oauth.AuthPost, oauth.AuthBasic, true, nil, usher.OutcomeWrong, "client-auth-method", "by client_secret_post, not by client_secret_basic", 2},
		{oauth.AuthBasic, oauth.AuthPost, true, nil, usher.OutcomeWrong, "client-auth-method", "by client_secret_basic, not by client_secret_post", 2},
		{oauth.AuthPost, oauth.AuthBasic, false, []string{"client_secret_post"}, usher.OutcomeWrong, "client-auth-method", "Offered are: client_secret_post", 1},
		{oauth.AuthPost, "", false, []string{"client_secret_post"}, usher.OutcomeOK, "", oauth.AuthPost, 2},
	} {
		s := newAS(t)
		if c.supported != nil {
			s.doc["token_endpoint_auth_methods_supported"] = c.supported
		}
		s.token = func(w http.ResponseWriter, r *http.Request) bool {
			_, secret, basic := r.BasicAuth()
			method := oauth.AuthBasic
			if !basic {
				secret, method = r.Form.Get("client_secret"), oauth.AuthPost
			}
			if method == c.takes && secret == s.secret {
				fail(w, 400, oauth.ErrInvalidGrant, "")
			} else {
				fail(w, 401, oauth.ErrInvalidClient, "")
			}
			return true
		}
		opt := s.options("secret-valid")
		opt.AuthMethod, opt.TryMethods = c.sends, c.try
		got := ask(t, s, opt)
		name := c.sends + " to " + c.takes
		want(t, name, got, c.outcome, c.words)
		if got.Verdict.Cause != c.cause || len(s.requests) != c.requests {
			t.Errorf("%s: cause %q, %d requests, want %q, %d", name, got.Verdict.Cause, len(s.requests), c.cause, c.requests)
		}
	}
}

// TestKnownSecrets: what a registration tells of its secrets is held against
// the one that is sent.
func TestKnownSecrets(t *testing.T) {
	s := newAS(t)
	answers(s, says(401, oauth.ErrInvalidClient, ""), says(401, oauth.ErrInvalidClient, ""))
	for _, c := range []struct{ secret, cause, words string }{
		{"some-id-of-a-secret", "client-secret-id-used", "the secret's id"},
		{"Zzz-value", "client-secret-invalid", "begins like none"},
		{"abc-value", "client-secret-invalid", "another one than"},
	} {
		target := s.target()
		target.Registrations = []*evidence.Registration{{ClientID: clientID, Credentials: []evidence.Credential{{ID: "some-id-of-a-secret", Kind: "secret", Hint: "abc"}}}}
		opt := s.options("secret-valid")
		opt.Secret = usher.Secret(c.secret)
		run(t, s, target, opt)
		got := target.Probed["secret-valid"]
		want(t, c.secret, got, usher.OutcomeWrong, c.words)
		if got.Verdict.Cause != c.cause {
			t.Errorf("%s: %s", c.secret, got.Verdict.Cause)
		}
	}
}

// verifier takes assertions of one key, for one audience, for two minutes at most.
type verifier struct {
	key      *ecdsa.PrivateKey
	audience func(s *as) string
	longest  time.Duration
	tells    bool // says what is wrong
	seen     map[string]bool
	replay   bool // is refused
}

func (v *verifier) on(s *as) {
	v.seen = map[string]bool{}
	s.token = func(w http.ResponseWriter, r *http.Request) bool {
		refuse := func(text string) bool {
			if !v.tells {
				text = "client authentication failed"
			}
			fail(w, 401, oauth.ErrInvalidClient, text)
			return true
		}
		jws, err := jose.ParseSignedCompact(r.Form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return refuse("the client_assertion cannot be read")
		}
		body, err := jws.Verify(&v.key.PublicKey)
		if err != nil {
			return refuse("the signature of the client assertion is invalid")
		}
		var c struct {
			Iss, Sub, Aud, Jti string
			Iat, Exp           int64
		}
		_ = json.Unmarshal(body, &c)
		switch {
		case c.Iss != clientID || c.Sub != clientID || c.Jti == "":
			return refuse("the assertion lacks iss, sub or jti")
		case c.Aud != v.audience(s):
			return refuse("the audience of the client assertion is not this server")
		case time.Duration(c.Exp-c.Iat)*time.Second > v.longest:
			return refuse("the lifetime of the client assertion is too long")
		case v.replay && v.seen[c.Jti]:
			return refuse("the client assertion has already been used (jti)")
		}
		v.seen[c.Jti] = true
		fail(w, 400, oauth.ErrInvalidGrant, "")
		return true
	}
}

func newKey(t *testing.T) (*ecdsa.PrivateKey, usher.Secret) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, usher.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestAssertion(t *testing.T) {
	key, text := newKey(t)
	_, otherText := newKey(t)
	jwk, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	issuer := func(s *as) string { return s.URL }
	endpoint := func(s *as) string { return s.URL + "/token" }
	for _, tells := range []bool{true, false} {
		for _, c := range []struct {
			name     string
			key      usher.Secret
			takes    func(s *as) string
			audience string
			life     time.Duration
			outcome  usher.Outcome
			words    string
		}{
			{"right", text, issuer, "", 0, usher.OutcomeOK, "made-up code alone"},
			{"right, a JWK", usher.Secret(jwk), issuer, "", 0, usher.OutcomeOK, "made-up code alone"},
			{"another key", otherText, issuer, "", 0, usher.OutcomeWrong, map[bool]string{true: "does not know the key", false: "It does not say why"}[tells]},
			{"another audience", text, issuer, "https://old.example", 0, usher.OutcomeWrong, "only with another audience than https://old.example"},
			{"the token endpoint as audience", text, endpoint, "", 0, usher.OutcomeWrong, "only with another audience"},
			{"too long", text, issuer, "", time.Hour, usher.OutcomeWrong, "only with another lifetime than 1h0m0s"},
			{"no key", "-----BEGIN X-----\ns3cr3tk3y\n-----END X-----", issuer, "", 0, "skipped", "the client's key"},
			{"a public key", `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`, issuer, "", 0, "skipped", "public key"},
		} {
			s := newAS(t)
			(&verifier{key: key, audience: c.takes, longest: 2 * time.Minute, tells: tells}).on(s)
			opt := s.options("secret-valid")
			opt.Secret, opt.Key, opt.Audience, opt.Lifetime = "", c.key, c.audience, c.life
			got := ask(t, s, opt)
			want(t, c.name, got, c.outcome, c.words)
			if got.Verdict != nil && got.Verdict.Outcome == usher.OutcomeWrong && got.Verdict.Cause != "client-assertion-invalid" {
				t.Errorf("%s: %s", c.name, got.Verdict.Cause)
			}
			for _, said := range texts(got) {
				if strings.Contains(said, "s3cr3tk3y") || strings.Contains(said, "eyJ") {
					t.Errorf("%s shows the key or an assertion: %s", c.name, said)
				}
			}
		}
	}
}

// TestNoPlainHTTP: a credential goes over TLS, unless it stays on this machine.
func TestNoPlainHTTP(t *testing.T) {
	s := newAS(t)
	target := s.target()
	target.Issuer = "http://sso.example"
	target.Metadata[0].Issuer, target.Metadata[0].TokenEndpoint = target.Issuer, target.Issuer+"/token"
	if err := probe.Run(context.Background(), guard.New(guard.Options{Trusted: []string{target.Issuer}}), target, s.options("secret-valid")); err != nil {
		t.Fatal(err)
	}
	want(t, "http", target.Probed["secret-valid"], "skipped", "not https")
}

// TestUnknownClient: a provider that says invalid_client of an unknown client
// and of a wrong secret alike is understood by what its authorization endpoint
// says.
func TestUnknownClient(t *testing.T) {
	s := newAS(t)
	opt := s.options("client-id-known", "secret-valid")
	opt.ClientID = "nobody"
	target := s.target()
	run(t, s, target, opt)
	got := target.Probed["secret-valid"]
	want(t, "unknown", got, usher.OutcomeWrong, "does not know the client nobody")
	if got.Verdict.Cause != "client-unknown" {
		t.Error(got.Verdict.Cause)
	}
}
