package clients_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/provider/knowledge"
	"usher/token"
)

func methodCases() []kase {
	public := func(r *evidence.Registration) { r.Public, r.AuthMethods = yes(), []string{"none"} }
	keycloak := func(r *evidence.Registration) {
		r.Provider, r.Shape, r.AuthMethods = "keycloak", "keycloak-client", []string{"client-secret"}
	}
	tls := func(r *evidence.Registration) { r.AuthMethods = []string{"tls_client_auth"} }
	offers := func(list string) *check.Metadata {
		return metadata(plain[:len(plain)-1] + `,"token_endpoint_auth_methods_supported":` + list + `}`)
	}
	return []kase{
		{check: "auth-method-registered", name: "as registered", target: target(web(), ask("basic", "web:"+good)), want: ok},
		{check: "auth-method-registered", name: "body for header", target: target(web(), ask("client_secret", good)), want: wrong, words: "by client_secret_post, registered is client_secret_basic", cause: "client-auth-method"},
		{check: "auth-method-registered", name: "none for header", target: target(web(), ask()), want: wrong, words: "sends no credential"},
		{check: "auth-method-registered", name: "public sends a secret", target: target(web(public), ask("client_secret", good)), want: wrong, words: "registered is none", cause: "client-type-mismatch"},
		{check: "auth-method-registered", name: "public", target: target(web(public), redeem()), want: ok},
		{check: "auth-method-registered", name: "Keycloak takes either", target: target(web(keycloak), ask("client_secret", good)), want: ok},
		{check: "auth-method-registered", name: "mutual TLS", target: target(web(tls), ask()), want: ok},
		{check: "auth-method-registered", name: "provider does not offer", target: target(offers(`["client_secret_basic"]`), ask("client_secret", good)), want: wrong, words: "does not offer"},
		{check: "auth-method-registered", name: "public clients are seldom listed", target: target(offers(`["client_secret_basic"]`), redeem()), want: unknown},
		{check: "auth-method-registered", name: "refused as public", target: target(refused(ask("client_secret", good), "invalid_client", "AADSTS700025", "AADSTS700025")), want: wrong, words: "registered as public", cause: "client-type-mismatch"},
		{check: "auth-method-registered", name: "refused without", target: target(refused(redeem(), "invalid_client", "AADSTS7000218", "AADSTS7000218")), want: wrong, words: "sends no credential", cause: "client-type-mismatch"},
		{check: "auth-method-registered", name: "accepted all the same", target: target(web(), gave(ask("client_secret", good))), want: ok},
		{check: "auth-method-registered", name: "Entra takes either", target: target(func(t *check.Target) {
			t.Registrations = append(t.Registrations, entra(creds(evidence.Credential{Kind: "secret"})))
		}, ask("client_secret", good, "client_id", "bbbbbbbb-0000-4000-8000-000000000001")), want: unknown},

		{check: "auth-method-registered", name: "the endpoint for mutual TLS", target: target(web(tls), metadata(plain[:len(plain)-1]+`,"mtls_endpoint_aliases":{"token_endpoint":"https://mtls.login.example/token"}}`), func(t *check.Target) {
			c := ask()
			c.Request.Endpoint = "https://mtls.login.example/token"
			t.TokenCalls = append(t.TokenCalls, c)
		}), want: ok, words: "tls_client_auth"},
		{check: "auth-method-registered", name: "assertion with the secret", target: target(web(func(r *evidence.Registration) { r.AuthMethods = []string{"private_key_jwt"} }), ask("client_assertion", must(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "web"}).SignedString([]byte("0123456789abcdef0123456789abcdef"))))), want: wrong, words: "by client_secret_jwt, registered is private_key_jwt"},
		{check: "auth-method-registered", name: "Entra with a key alone", target: target(entra(func(r *evidence.Registration) { r.ClientID = "web" }, creds(evidence.Credential{Kind: "certificate"})), ask("client_secret", good)), want: wrong, words: "registered is private_key_jwt"},
		{check: "auth-method-double", name: "one", target: target(ask("basic", "web:"+good)), want: ok},
		{check: "auth-method-double", name: "header and body", target: target(ask("basic", "web:"+good, "client_secret", good)), want: wrong, words: "Authorization header and client_secret in the body", cause: "client-auth-method"},
		{check: "auth-method-double", name: "secret and assertion", target: target(ask("client_secret", good, "client_assertion", signed(nil, nil))), want: wrong, words: "client_assertion in the body"},
		{check: "auth-method-double", name: "nothing", target: target(), want: unknown},

		{check: "auth-method-weak", name: "offered in the document", target: target(web(), offers(`["client_secret_basic","private_key_jwt"]`)), want: wrong, words: "takes private_key_jwt"},
		{check: "auth-method-weak", name: "known of the provider", target: target(entra(creds(evidence.Credential{Kind: "secret"})), &knowledge.Provider{Name: "entra", Title: "Entra", Can: map[string]knowledge.Ability{knowledge.CanPrivateKeyJWT: {Can: true}}}), want: wrong},
		{check: "auth-method-weak", name: "offered by another provider than the client's", target: target(web(func(r *evidence.Registration) { r.Provider = "google" }), knowledge.Named("okta"), offers(`["client_secret_basic","private_key_jwt"]`)), want: unknown},
		{check: "auth-method-weak", name: "a provider that was not recognized", target: target(web(func(r *evidence.Registration) { r.Provider = "google" }), knowledge.Named("generic"), offers(`["client_secret_basic","private_key_jwt"]`)), want: wrong, words: "takes private_key_jwt"},
		{check: "auth-method-weak", name: "not offered", target: target(web(), offers(`["client_secret_basic"]`)), want: ok},
		{check: "auth-method-weak", name: "a key", target: target(web(func(r *evidence.Registration) { r.AuthMethods = []string{"private_key_jwt"} })), want: ok},
		{check: "auth-method-weak", name: "public", target: target(web(public)), want: na},
		{check: "auth-method-weak", name: "offer not known", target: target(web()), want: unknown, words: "discovery document"},
		{check: "auth-method-weak", name: "key and secret", target: target(entra(creds(evidence.Credential{Kind: "secret"}, evidence.Credential{Kind: "certificate"}))), want: unknown},
	}
}

var keyPair = sync.OnceValue(func() [2]*ecdsa.PrivateKey {
	a, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	b, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return [2]*ecdsa.PrivateKey{a, b}
})

// signed is a client assertion that is sound but for what is changed: a nil
// value takes a claim out.
func signed(changes, header map[string]any) string {
	claims := jwt.MapClaims{"iss": "web", "sub": "web", "aud": "https://login.example", "jti": fmt.Sprint(time.Now().UnixNano()), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	for k, v := range changes {
		claims[k] = v
		if v == nil {
			delete(claims, k)
		}
	}
	tok := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	tok.Header["kid"] = "k1"
	key := keyPair()[0]
	for k, v := range header {
		if k == "other" {
			key = keyPair()[1]
			continue
		}
		tok.Header[k] = v
	}
	return must(tok.SignedString(key))
}

func assertionCall(changes, header map[string]any) *check.TokenCall {
	return ask("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", signed(changes, header))
}

func clientKeySet(kid string, which int) *check.KeySet {
	pub := must(keyPair()[which].PublicKey.Bytes()) // 4, X, Y
	enc := base64.RawURLEncoding.EncodeToString
	raw := must(json.Marshal(map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": enc(pub[1:33]), "y": enc(pub[33:])}}}))
	return &check.KeySet{KeySet: must(token.ParseKeySet(raw)), Raw: raw, Client: "web", Place: "client-jwks.json"}
}

func assertionCases() []kase {
	type m = map[string]any
	hmac := func() *check.TokenCall {
		t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "web", "sub": "web", "aud": "https://login.example", "jti": "a", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
		return ask("client_assertion", must(t.SignedString([]byte("0123456789abcdef0123456789abcdef"))))
	}
	none := ask("client_assertion", must(jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"iss": "web", "sub": "web", "aud": "https://login.example", "jti": "a", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)))
	twice := assertionCall(nil, nil)
	later := func(c *check.TokenCall) *check.TokenCall {
		l := *c
		l.Time = c.Time.Add(5 * time.Second)
		return &l
	}
	thumb := []byte("01234567890123456789")
	x5t := m{"x5t": base64.RawURLEncoding.EncodeToString(thumb)}
	cert := func(sum []byte, ends time.Time) func(*evidence.Registration) {
		return creds(evidence.Credential{Kind: "certificate", Thumbprint: base64.StdEncoding.EncodeToString(sum), Expires: ends})
	}
	year := now.AddDate(1, 0, 0)
	asEntra := func(r *evidence.Registration) { r.ClientID = "web" }
	probe := func(status int, code string) func(*check.Target) {
		return func(t *check.Target) {
			a := &check.ProbeAnswer{Place: "POST https://login.example/token", Status: status, Sent: "the same assertion"}
			if code != "" {
				a.Error = &evidence.ErrorBody{Code: code}
			}
			t.Probed = map[string]*check.ProbeAnswer{"assertion-replay": a}
		}
	}
	return []kase{
		{check: "assertion-audience", name: "the issuer", target: target(metadata(plain), assertionCall(nil, nil)), want: ok},
		{check: "assertion-audience", name: "the token endpoint", target: target(metadata(plain), assertionCall(m{"aud": "https://login.example/token"}, nil)), want: wrong, words: "older form", severity: usher.SeverityLow},
		{check: "assertion-audience", name: "the token endpoint at Entra", target: target(metadata(plain), vendor("entra"), assertionCall(m{"aud": "https://login.example/token"}, nil)), want: ok},
		{check: "assertion-audience", name: "two", target: target(metadata(plain), assertionCall(m{"aud": []string{"https://login.example", "https://other.example"}}, nil)), want: wrong, words: "for 2 servers"},
		{check: "assertion-audience", name: "another", target: target(metadata(plain), assertionCall(m{"aud": "https://other.example"}, nil)), want: wrong, words: "is for https://other.example, the issuer is https://login.example", cause: "client-assertion-invalid"},
		{check: "assertion-audience", name: "another, accepted", target: target(metadata(plain), gave(assertionCall(m{"aud": "https://other.example"}, nil))), want: wrong, words: "took it all the same", severity: usher.SeverityLow},
		{check: "assertion-audience", name: "a slash", target: target(metadata(plain), assertionCall(m{"aud": "https://login.example/"}, nil)), want: wrong, words: "slash at the end"},
		{check: "assertion-audience", name: "none", target: target(metadata(plain), assertionCall(m{"aud": nil}, nil)), want: wrong, words: "names no audience"},
		{check: "assertion-audience", name: "issuer not known", target: target(assertionCall(nil, nil)), want: unknown},
		{check: "assertion-audience", name: "no assertion", target: target(ask("client_secret", good)), want: na},

		{check: "assertion-claims", name: "sound", target: target(assertionCall(nil, nil)), want: ok},
		{check: "assertion-claims", name: "expired when sent", target: target(assertionCall(m{"iat": now.Add(-time.Hour).Unix(), "exp": now.Add(-55 * time.Minute).Unix()}, nil)), want: wrong, words: "had expired when it was sent", cause: "client-assertion-invalid"},
		{check: "assertion-claims", name: "expired by now, sent in time", target: target(func(t *check.Target) { t.Now = now.AddDate(0, 1, 0) }, assertionCall(nil, nil)), want: ok},
		{check: "assertion-claims", name: "from the future", target: target(assertionCall(m{"iat": now.Add(time.Hour).Unix(), "exp": now.Add(61 * time.Minute).Unix()}, nil)), want: wrong, words: "from the future", cause: "clock-skew"},
		{check: "assertion-claims", name: "long", target: target(assertionCall(m{"exp": now.Add(30 * time.Minute).Unix()}, nil)), want: wrong, words: "lives 30 minutes", severity: usher.SeverityLow},
		{check: "assertion-claims", name: "very long", target: target(assertionCall(m{"exp": now.Add(48 * time.Hour).Unix()}, nil)), want: wrong, words: "lives 2 days", severity: usher.SeverityMedium},
		{check: "assertion-claims", name: "for centuries", target: target(assertionCall(m{"exp": now.Unix() + 10_000_000_000}, nil)), want: wrong, words: "days", severity: usher.SeverityMedium},
		{check: "assertion-audience", name: "no JWT", target: target(ask("client_assertion", "opaque-value-0123456789")), want: unknown},
		{check: "assertion-key-registered", name: "no JWT", target: target(ask("client_assertion", "opaque-value-0123456789")), want: unknown},
		{check: "assertion-claims", name: "no jti", target: target(assertionCall(m{"jti": nil}, nil)), want: wrong, words: "jti"},
		{check: "assertion-claims", name: "no exp", target: target(assertionCall(m{"exp": nil}, nil)), want: wrong, words: "exp"},
		{check: "assertion-claims", name: "another client", target: target(assertionCall(m{"sub": "api"}, nil)), want: wrong, words: "another client"},
		{check: "assertion-claims", name: "unsigned", target: target(none), want: wrong, words: "not signed"},
		{check: "assertion-claims", name: "twice", target: target(twice, later(twice)), want: wrong, words: "one assertion twice"},
		{check: "assertion-claims", name: "given twice", target: target(twice, twice), want: ok},
		{check: "assertion-claims", name: "with the secret", target: target(hmac()), want: ok},
		{check: "assertion-claims", name: "no JWT", target: target(ask("client_assertion", "opaque-value-0123456789")), want: wrong, words: "cannot be read"},
		{check: "assertion-claims", name: "none", target: target(ask()), want: na},

		{check: "assertion-key-registered", name: "registered", target: target(clientKeySet("k1", 0), assertionCall(nil, nil)), want: ok, words: "verifies"},
		{check: "assertion-key-registered", name: "another kid", target: target(clientKeySet("k2", 0), assertionCall(nil, nil)), want: wrong, words: "is not registered", cause: "client-assertion-invalid"},
		{check: "assertion-key-registered", name: "another key", target: target(clientKeySet("k1", 1), assertionCall(nil, nil)), want: wrong, words: "another key than the registered one"},
		{check: "assertion-key-registered", name: "refused at Entra", target: target(refused(assertionCall(nil, nil), "invalid_client", "AADSTS700027: signature", "AADSTS700027")), want: wrong, words: "no key that verifies"},
		{check: "assertion-key-registered", name: "certificate registered", target: target(entra(asEntra, cert(thumb, year)), assertionCall(nil, x5t)), want: ok},
		{check: "assertion-key-registered", name: "certificate not registered", target: target(entra(asEntra, cert([]byte("98765432109876543210"), year)), assertionCall(nil, x5t)), want: wrong, words: "certificate that is not registered"},
		{check: "assertion-key-registered", name: "certificate not registered, both shown", target: target(entra(asEntra, cert([]byte("98765432109876543210"), year)), assertionCall(nil, x5t)), want: wrong, words: "thumbprint " + hex.EncodeToString([]byte("98765432109876543210"))},
		{check: "assertion-key-registered", name: "certificate past", target: target(entra(asEntra, cert(thumb, now.AddDate(0, 0, -2))), assertionCall(nil, x5t)), want: wrong, words: "ended on"},
		{check: "assertion-key-registered", name: "only secrets registered", target: target(entra(asEntra, creds(evidence.Credential{Kind: "secret"})), assertionCall(nil, x5t)), want: wrong, words: "none is registered"},
		{check: "assertion-key-registered", name: "keys not known", target: target(web(), assertionCall(nil, nil)), want: unknown},
		{check: "assertion-key-registered", name: "with the secret", target: target(hmac()), want: na},

		{check: "assertion-audience", name: "the provider says so", target: target(refused(assertionCall(nil, nil), "invalid_client", "The audience claim for client_assertion must be the endpoint invoked for the request.")), want: wrong, words: "is not for it", cause: "client-assertion-invalid"},
		{check: "assertion-claims", name: "the provider says it is late", target: target(refused(assertionCall(nil, nil), "invalid_client", "AADSTS700024: not within its valid time range", "AADSTS700024")), want: wrong, words: "outside its time", cause: "client-assertion-invalid"},
		{check: "assertion-claims", name: "the provider says it was used", target: target(refused(assertionCall(nil, nil), "invalid_client", "The client_assertion JWT has already been used.")), want: wrong, words: "used before"},
		{check: "assertion-claims", name: "refused for its key", target: target(refused(assertionCall(nil, nil), "invalid_client", "AADSTS700027", "AADSTS700027")), want: ok},
		{check: "assertion-key-registered", name: "the answer alone", target: target(alone("invalid_client", "AADSTS700027: signature", "AADSTS700027")), want: wrong, words: "no key that verifies"},
		{check: "assertion-key-registered", name: "the provider's words", target: target(refused(assertionCall(nil, nil), "invalid_client", "Unable to verify the signature of the client assertion JWT")), want: wrong, words: "no key that verifies"},

		{check: "assertion-replay", name: "refused", target: target(probe(401, "invalid_client")), want: ok},
		{check: "assertion-replay", name: "accepted", target: target(probe(200, "")), want: wrong, words: "takes an assertion twice"},
		{check: "assertion-replay", name: "recorded", target: target(gave(twice), gave(later(twice))), want: wrong, words: "took one assertion twice"},
		{check: "assertion-replay", name: "unclear", target: target(probe(400, "invalid_request")), want: unknown},
		{check: "assertion-replay", name: "not asked", target: target(), want: unknown},
	}
}

func bindingCases() []kase {
	der := sync.OnceValue(func() []byte {
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop", Organization: []string{"Contoso"}}, DNSNames: []string{"shop.example"}, EmailAddresses: []string{"ops@shop.example"}, URIs: []*url.URL{must(url.Parse("spiffe://shop/web"))}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}, NotAfter: now.AddDate(1, 0, 0)}
		return must(x509.CreateCertificate(rand.Reader, tmpl, tmpl, &keyPair()[0].PublicKey, keyPair()[0]))
	})
	header := ":" + base64.StdEncoding.EncodeToString(der()) + ":"
	mtls := func(names map[string]string) *evidence.Registration {
		return web(func(r *evidence.Registration) { r.AuthMethods, r.TLSNames = []string{"tls_client_auth"}, names })
	}
	own := func(r *evidence.Registration) { r.AuthMethods = []string{"self_signed_tls_client_auth"} }
	chain := func(der []byte) *check.KeySet {
		ks := clientKeySet("k1", 0)
		var doc struct{ Keys []map[string]any }
		_ = json.Unmarshal(ks.Raw, &doc)
		doc.Keys[0]["x5c"] = []string{base64.StdEncoding.EncodeToString(der)}
		return &check.KeySet{KeySet: ks.KeySet, Raw: must(json.Marshal(map[string]any{"keys": doc.Keys})), Client: "web", Place: "client-jwks.json"}
	}
	github := evidence.Federated{Name: "main", Issuer: "https://token.actions.githubusercontent.com", Subject: "repo:contoso/shop:ref:refs/heads/main", Audiences: []string{"api://AzureADTokenExchange"}, Place: "fic.json:1"}
	trust := func(list ...evidence.Federated) *evidence.Registration {
		return entra(func(r *evidence.Registration) { r.Federated = list })
	}
	outside := func(sub, aud string) *check.Token {
		return jwtToken(unsigned(fmt.Sprintf(`{"iss":"https://token.actions.githubusercontent.com","sub":%q,"aud":%q}`, sub, aud)), token.TypeAny)
	}
	call := func(sub string) *check.TokenCall {
		return ask("client_id", "bbbbbbbb-0000-4000-8000-000000000001", "client_assertion", unsigned(fmt.Sprintf(`{"iss":"https://token.actions.githubusercontent.com","sub":%q,"aud":"api://AzureADTokenExchange"}`, sub)))
	}
	return []kase{
		{check: "mtls-binding-registered", name: "subject fits", target: target(mtls(map[string]string{"tls_client_auth_subject_dn": "o=Contoso, cn=shop"}), ask("Client-Cert", header)), want: ok},
		{check: "mtls-binding-registered", name: "another subject", target: target(mtls(map[string]string{"tls_client_auth_subject_dn": "CN=api,O=Contoso"}), ask("Client-Cert", header)), want: wrong, words: "registered is CN=api"},
		{check: "mtls-binding-registered", name: "name fits", target: target(mtls(map[string]string{"tls_client_auth_san_dns": "shop.example"}), ask("Client-Cert", header)), want: ok},
		{check: "mtls-binding-registered", name: "another name", target: target(mtls(map[string]string{"tls_client_auth_san_dns": "api.example"}), ask("Client-Cert", header)), want: wrong, words: "presents shop.example"},
		{check: "mtls-binding-registered", name: "nothing registered", target: target(mtls(nil)), want: wrong, words: "no subject is registered"},
		{check: "mtls-binding-registered", name: "an export without the subject", target: target(mtls(nil), func(t *check.Target) { t.Registrations[0].Provider = "okta" }), want: unknown},
		{check: "mtls-binding-registered", name: "two registered", target: target(mtls(map[string]string{"tls_client_auth_subject_dn": "CN=a", "tls_client_auth_san_dns": "a"})), want: wrong, words: "2 names"},
		{check: "mtls-binding-registered", name: "certificate not seen", target: target(mtls(map[string]string{"tls_client_auth_san_dns": "shop.example"})), want: unknown},
		{check: "mtls-binding-registered", name: "own certificate", target: target(web(own), chain(der()), ask("Client-Cert", header)), want: ok},
		{check: "mtls-binding-registered", name: "another own certificate", target: target(web(own), chain([]byte("another")), ask("Client-Cert", header)), want: wrong, words: "not among its keys"},
		{check: "mtls-binding-registered", name: "own certificate without keys", target: target(web(own)), want: wrong, words: "no key of it is registered"},
		{check: "mtls-binding-registered", name: "bound token", target: target(web(own, creds(evidence.Credential{Kind: "certificate", Thumbprint: hex.EncodeToString([]byte("01234567890123456789012345678901"))})),
			jwtToken(unsigned(`{"iss":"https://login.example","client_id":"web","cnf":{"x5t#S256":"`+base64.RawURLEncoding.EncodeToString([]byte("01234567890123456789012345678901"))+`"}}`), token.TypeAccess)), want: ok},
		{check: "mtls-binding-registered", name: "address", target: target(mtls(map[string]string{"tls_client_auth_san_uri": "spiffe://shop/web"}), ask("Client-Cert", header)), want: ok},
		{check: "mtls-binding-registered", name: "IP", target: target(mtls(map[string]string{"tls_client_auth_san_ip": "192.0.2.9"}), ask("Client-Cert", header)), want: wrong, words: "192.0.2.1"},
		{check: "mtls-binding-registered", name: "mail", target: target(mtls(map[string]string{"tls_client_auth_san_email": "ops@shop.example"}), ask("Client-Cert", header)), want: ok},
		{check: "mtls-binding-registered", name: "other method", target: target(web()), want: na},

		{check: "federated-credential-subject", name: "fits", target: target(trust(github), outside(github.Subject, github.Audiences[0])), want: ok},
		{check: "federated-credential-subject", name: "another branch", target: target(trust(github), outside("repo:contoso/shop:ref:refs/heads/dev", github.Audiences[0])), want: wrong, words: "subject is repo:contoso/shop:ref:refs/heads/dev, trusted is", cause: "client-assertion-invalid"},
		{check: "federated-credential-subject", name: "a subject by an expression", target: target(trust(evidence.Federated{Name: "any branch", Issuer: github.Issuer, Audiences: github.Audiences, Place: "app.json:9"}), outside("repo:contoso/shop:ref:refs/heads/dev", github.Audiences[0])), want: unknown, words: "by an expression"},
		{check: "federated-credential-subject", name: "by an expression and by name", target: target(trust(evidence.Federated{Name: "any branch", Issuer: github.Issuer, Audiences: github.Audiences}, github), outside(github.Subject, github.Audiences[0])), want: ok},
		{check: "federated-credential-subject", name: "case", target: target(trust(github), outside("repo:Contoso/shop:ref:refs/heads/main", github.Audiences[0])), want: wrong, words: "upper and lower case"},
		{check: "federated-credential-subject", name: "another audience", target: target(trust(github), outside(github.Subject, "https://other.example")), want: wrong, words: "audience is https://other.example"},
		{check: "federated-credential-subject", name: "another issuer", target: target(trust(github), jwtToken(unsigned(`{"iss":"https://token.actions.githubusercontent.com/contoso","sub":"repo:contoso/shop:ref:refs/heads/main","aud":"api://AzureADTokenExchange"}`), token.TypeAny)), want: wrong, words: "issuer is https://token.actions.githubusercontent.com/contoso"},
		{check: "federated-credential-subject", name: "presented", target: target(trust(github), call("repo:contoso/shop:environment:prod")), want: wrong, words: "environment:prod"},
		{check: "federated-credential-subject", name: "accepted", target: target(trust(github), gave(call("anything"))), want: ok},
		{check: "federated-credential-subject", name: "refused", target: target(refused(call("anything"), "invalid_client", "AADSTS700213: subject", "AADSTS700213")), want: wrong, words: "has the subject of the token"},
		{check: "federated-credential-subject", name: "no token", target: target(trust(github)), want: unknown},
		{check: "federated-credential-subject", name: "no trust", target: target(web(func(r *evidence.Registration) { r.Provider = "okta" })), want: na},
	}
}

func grantCases() []kase {
	grants := func(list ...string) func(*evidence.Registration) {
		return func(r *evidence.Registration) { r.GrantTypes = list }
	}
	keycloak := func(r *evidence.Registration) {
		r.Provider, r.Shape, r.ApplicationType, r.ResponseTypes = "keycloak", "keycloak-client", "", nil
	}
	native := func(r *evidence.Registration) { r.ApplicationType = "native" }
	okta := func(r *evidence.Registration) { r.Provider = "okta" }
	types := func(list ...string) func(*evidence.Registration) {
		return func(r *evidence.Registration) { r.ResponseTypes = list }
	}
	poll := func(after time.Duration, err string) *check.TokenCall {
		c := ask("grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS")
		c.Time = now.Add(after)
		if err != "" {
			refused(c, err, "")
		}
		return c
	}
	device := func(country string) *usher.Event {
		return event(func(e *usher.Event) { e.OAuth.GrantType, e.Source.Country = "device_code", country })
	}
	at := func(country string) *usher.Event { return event(func(e *usher.Event) { e.Source.Country = country }) }
	discovery := func(members string) *check.Metadata { return metadata(plain[:len(plain)-1] + "," + members + "}") }
	return []kase{
		{check: "grant-registered", name: "registered", target: target(web(), redeem()), want: ok},
		{check: "grant-registered", name: "not registered", target: target(web(), ask("client_secret", good)), want: wrong, words: "uses client_credentials, registered is authorization_code, refresh_token", cause: "grant-not-allowed"},
		{check: "grant-registered", name: "refused", target: target(refused(ask("client_secret", good), "unauthorized_client", "")), want: wrong, words: "refuses the grant client_credentials"},
		{check: "grant-registered", name: "wrong secret is no grant", target: target(refused(ask("client_secret", good), "unauthorized_client", "Invalid client or Invalid client credentials")), want: unknown},
		{check: "grant-registered", name: "given", target: target(web(), gave(ask("client_secret", good))), want: ok},
		{check: "grant-registered", name: "Keycloak has no switch for refresh", target: target(web(keycloak), ask("grant_type", "refresh_token", "refresh_token", "abcdefabcdef0123")), want: unknown},
		{check: "grant-registered", name: "implicit", target: target(web(okta), authorize("response_type", "token")), want: wrong, words: "implicit"},
		{check: "grant-registered", name: "provider does not offer", target: target(discovery(`"grant_types_supported":["authorization_code","refresh_token"]`), ask("grant_type", "password", "username", "kim", "password", "pw")), want: wrong, words: "does not offer the grant password"},
		{check: "grant-registered", name: "Entra's switches", target: target(entra(func(r *evidence.Registration) { r.ClientID, r.Known = "web", []string{"ResponseTypes"} }), authorize("response_type", "code id_token")), want: wrong, words: "ID tokens are switched off", cause: "response-type-not-allowed"},
		{check: "grant-registered", name: "Entra's switch is on", target: target(entra(func(r *evidence.Registration) { r.ClientID, r.ResponseTypes = "web", []string{"id_token"} }), authorize("response_type", "code id_token")), want: unknown},
		{check: "grant-registered", name: "client_credentials where much is listed", target: target(discovery(`"grant_types_supported":["authorization_code","refresh_token","password","implicit"]`), ask("client_secret", good)), want: wrong, words: "does not offer"},
		{check: "grant-registered", name: "not told", target: target(ask("client_secret", good)), want: unknown},

		{check: "grant-implicit", name: "off", target: target(web()), want: ok},
		{check: "grant-implicit", name: "registered", target: target(web(okta, grants("authorization_code", "implicit"), types("code", "token"))), want: wrong, words: "may get access tokens", severity: usher.SeverityHigh},
		{check: "grant-implicit", name: "for ID tokens alone", target: target(web(okta, grants("authorization_code", "implicit"), types("code", "id_token"))), want: wrong, severity: usher.SeverityMedium},
		{check: "grant-implicit", name: "Keycloak's switch", target: target(web(keycloak, grants("authorization_code", "implicit"))), want: wrong, words: "implicit grant is on", severity: usher.SeverityHigh},
		{check: "grant-implicit", name: "Entra's switch", target: target(entra(types("token"))), want: wrong},
		{check: "grant-implicit", name: "Entra's switch for ID tokens", target: target(entra(types("id_token"))), want: ok},
		{check: "grant-implicit", name: "a request", target: target(authorize("response_type", "id_token token")), want: wrong, words: "asks for an access token"},
		{check: "grant-implicit", name: "a request for a code", target: target(authorize()), want: ok},
		{check: "grant-implicit", name: "the provider's document", target: target(discovery(`"response_types_supported":["code","id_token token"]`)), want: wrong, words: "gives access tokens"},
		{check: "grant-implicit", name: "the provider's document with a client", target: target(web(), discovery(`"response_types_supported":["code","token"]`)), want: ok},
		{check: "grant-implicit", name: "a document without", target: target(discovery(`"response_types_supported":["code"]`)), want: ok},

		{check: "grant-password", name: "off", target: target(web()), want: ok},
		{check: "grant-password", name: "on", target: target(web(keycloak, grants("authorization_code", "password"))), want: wrong, words: "password grant is on"},
		{check: "grant-password", name: "Auth0's own name", target: target(web(grants("http://auth0.com/oauth/grant-type/password-realm"))), want: wrong},
		{check: "grant-password", name: "a request", target: target(ask("grant_type", "password", "username", "kim", "password", "pw")), want: wrong, words: "sends people's passwords"},
		{check: "grant-password", name: "the log", target: target(event(func(e *usher.Event) { e.OAuth.GrantType = "password" })), want: wrong, words: "with their passwords"},
		{check: "grant-password", name: "the provider's document", target: target(discovery(`"grant_types_supported":["authorization_code","password"]`)), want: wrong, words: "The provider offers"},
		{check: "grant-password", name: "among the response types", target: target(discovery(`"response_types_supported":["code","password"],"grant_types_supported":["authorization_code"]`)), want: wrong, words: "The provider offers"},
		{check: "grant-password", name: "Entra does not say", target: target(entra()), want: unknown},

		{check: "grant-device-exposure", name: "off", target: target(web()), want: ok},
		{check: "grant-device-exposure", name: "on for a web app", target: target(web(grants("authorization_code", "urn:ietf:params:oauth:grant-type:device_code"))), want: wrong, words: "which has a browser"},
		{check: "grant-device-exposure", name: "on for a native app", target: target(web(native, grants("urn:ietf:params:oauth:grant-type:device_code"))), want: ok},
		{check: "grant-device-exposure", name: "Keycloak's web client", target: target(web(keycloak, grants("authorization_code", "device_code"))), want: wrong},
		{check: "grant-device-exposure", name: "abroad", target: target(at("DE"), device("NG")), want: wrong, words: "came from NG"},
		{check: "grant-device-exposure", name: "at home", target: target(at("DE"), device("DE")), want: ok},
		{check: "grant-device-exposure", name: "user not seen otherwise", target: target(device("NG")), want: unknown},

		{check: "device-polling", name: "in time", target: target(poll(0, "authorization_pending"), poll(5*time.Second, "authorization_pending"), poll(10*time.Second, "")), want: ok},
		{check: "device-polling", name: "hasty", target: target(poll(0, "authorization_pending"), poll(200*time.Millisecond, "")), want: wrong, words: "every 0.2 s"},
		{check: "device-polling", name: "does not slow down", target: target(poll(0, "authorization_pending"), poll(5*time.Second, "slow_down"), poll(10*time.Second, "")), want: wrong, words: "does not slow down", cause: "throttled"},
		{check: "device-polling", name: "slows down", target: target(poll(0, "authorization_pending"), poll(5*time.Second, "slow_down"), poll(15*time.Second, "")), want: ok},
		{check: "device-polling", name: "does not stop", target: target(poll(0, "expired_token"), poll(5*time.Second, "")), want: wrong, words: "after expired_token"},
		{check: "device-polling", name: "one request", target: target(poll(0, "")), want: unknown},
		{check: "device-polling", name: "other grants", target: target(redeem()), want: na},

		{check: "response-grant-consistent", name: "agree", target: target(web()), want: ok},
		{check: "response-grant-consistent", name: "token without implicit", target: target(web(types("code", "token"))), want: wrong, words: "without the grant implicit"},
		{check: "response-grant-consistent", name: "code without its grant", target: target(web(grants("client_credentials"))), want: wrong, words: "code without the grant authorization_code"},
		{check: "response-grant-consistent", name: "grant without its type", target: target(web(types("id_token"), grants("authorization_code", "implicit"))), want: wrong, words: "without the response type code"},
		{check: "response-grant-consistent", name: "both left out", target: target(web(types(), grants())), want: ok},
		{check: "response-grant-consistent", name: "a service", target: target(web(okta, types("token"), grants("client_credentials"), func(r *evidence.Registration) { r.ApplicationType = "service" })), want: na},
		{check: "response-grant-consistent", name: "Keycloak", target: target(web(keycloak)), want: na},
	}
}
