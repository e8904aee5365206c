package oauth_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"usher"
	"usher/oauth"
)

// planted are texts in which %s stands for a secret.
var planted = []string{
	"client_secret=%s", "grant_type=refresh_token&refresh_token=%s&client_id=shop", "https://app.example/cb?code=%s&state=1", "https://app.example/cb#access_token=%s&token_type=Bearer",
	`{"client_secret":"%s"}`, `{"access_token": "%s", "expires_in": 3600}`, `{\"refresh_token\":\"%s\"}`, "Authorization: Bearer %s", "authorization: Basic %s", "Authorization: DPoP %s\r\nHost: a",
	"Cookie: sid=%s; theme=dark", "Set-Cookie: session=%s; Path=/; HttpOnly", "curl -u shop:%s https://a.example/token", "curl --user 'shop:%s'", "curl --oauth2-bearer %s https://a.example",
	"CLIENT_SECRET=%s", "OFFICE365_SECRET_APP_KEY=%s", "password: %s", "db_password = '%s'", "clientSecret: \"%s\"", "client_secret%%3D%s%%26x%%3D1", "<client_secret>%s</client_secret>",
	`{"name":"client_secret","value":"%s"}`, `{"name": "Authorization", "value": "Bearer %s"}`, "name=\"client_secret\"\r\n\r\n%s\r\n--boundary", "https://user:%s@host.example/x", "postgres://u:%s@db/x",
	"client_assertion=%s", "assertion=%s&x=1", "code_verifier=%s", "'password' => '%s'", "id_token_hint=%s", "device_code=%s", "SAMLResponse=%s", "x-api-key: %s", "got header \"Bearer %s\"", "subject_token=%s", "api_key=%s",
	"-----BEGIN PRIVATE KEY-----\\n%s\\n-----END PRIVATE KEY-----", "logout_token=%s", "{'client_secret': '%s'}", "apiToken: %s", "DPoP: %s", "Proxy-Authorization: Basic %s",
}

// harmless are texts in which nothing is a credential.
var harmless = []string{
	"AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
	`{"error":"invalid_grant","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215],"trace_id":"e59a364a-19fc-4c8b-8a93-97fb50dcda00","correlation_id":"6243ff61-4242-4a94-b045-7d37fe3d0321"}`,
	"error=invalid_token", "grant_type=refresh_token", `"token_type":"Bearer"`, "token_endpoint: https://login.example/oauth2/token", "code=53003", `"code": 401`, `"code":"InvalidAuthenticationToken"`, "code_challenge_method=S256",
	"token_endpoint_auth_method=client_secret_basic", "token: expired", "the token is expired", "WWW-Authenticate: Bearer realm=\"api\", error=\"invalid_token\", error_description=\"The access token expired\"",
	"client_id=04b07795-8ddb-461a-bbee-02f9e1bf7b46", "iss https://login.microsoftonline.com/8f1d2c3b-1111-4222-8333-444455556666/v2.0", "Microsoft.IdentityModel.Tokens.SecurityTokenInvalidAudienceException: IDX10214",
	"exp 1767225600", "client_secret is missing", "Invalid client secret: the client is unknown", "token_use=access", "secret id", "client_secret=", "client_secret=CLIENT_SECRET_GOES_HERE", `client_secret: null`,
	"https://keycloak.example/realms/acme/protocol/openid-connect/token", "kid \"hBLe8Pk0HtpKnAeQ2LYKzA3XYhWTZJpxlkF-1OCr4bo\"", "Trace ID: ec7eafe6-5ba2-4f71-99ac-01adc26a5200", "refresh_token_type=Refresh", "code=invalid_grant", "Error Code: 53003",
	"prompt=none&response_type=code", "Bearer authentication is required", "Basic auth", "node_modules/@auth0/nextjs-auth0/dist/handlers/callback.js:18:19", "password=", "secretKeyRef:\n  name: app",
}

func secretText() *rapid.Generator[string] {
	return rapid.StringMatching(`[A-Za-z][A-Za-z0-9~_\-]{7,20}[0-9][A-Z][a-z][A-Za-z0-9]{8,30}`)
}

func TestRedactPlanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := secretText().Draw(t, "secret")
		for _, template := range planted {
			text := fmt.Sprintf(template, secret)
			got := oauth.Redact(text)
			if strings.Contains(got, secret) || strings.Contains(got, secret[:len(secret)-4]) {
				t.Fatalf("the secret survives:\n%s\n%s", text, got)
			}
			if again := oauth.Redact(got); again != got {
				t.Fatalf("not idempotent:\n%s\n%s", got, again)
			}
		}
	})
}

func TestRedactHarmless(t *testing.T) {
	for _, text := range harmless {
		if got := oauth.Redact(text); got != text {
			t.Errorf("changed a harmless text:\n%s\n%s", text, got)
		}
	}
}

func TestRedactShapes(t *testing.T) {
	for _, secret := range []string{
		"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EifQ.c2lnbmF0dXJlLWJ5dGVz", "ya29.a0AfB_byC1234567890abcdef", "GOCSPX-abcdefghij1234567890", "ghp_0123456789abcdefghijABCDEFGHIJ012345",
		"xoxb-123456789012-abcdefABCDEF", "sk_live_51H0000abcdefGHIJK", "Zx88Q~abcDEF012345ghijKLMNOP6789qrstuvwx", "glpat-abcDEF0123456789xyz_", "1//0gabcdefghijklmnopqrstuvwxyz012345",
	} {
		text := "the value " + secret + " was sent"
		if got := oauth.Redact(text); strings.Contains(got, secret) || !strings.HasSuffix(got, " was sent") {
			t.Errorf("Redact(%q) = %q", text, got)
		}
	}
}

func TestRedactorKnown(t *testing.T) {
	secret := "pä ss+wörd/1"
	var r oauth.Redactor
	r.Add(usher.Secret(secret))
	for _, text := range []string{secret, "p%C3%A4+ss%2Bw%C3%B6rd%2F1", "cMOkIHNzK3fDtnJkLzE", `p\u00e4`} {
		got := r.Redact("x " + text + " y")
		if masked := strings.Contains(got, "[secret "); masked != (text != `p\u00e4`) {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestRedactEqualSecretsLookEqual(t *testing.T) {
	got := oauth.Redact("client_secret=abc123DEF456&x=1 client_secret=abc123DEF456&x=1")
	a, b, _ := strings.Cut(got, " client_secret=")
	if !strings.HasSuffix(a, b) {
		t.Errorf("two masks differ: %s", got)
	}
}

func FuzzRedact(f *testing.F) {
	for _, text := range append(append([]string{}, planted...), harmless...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := oauth.Redact(text)
		if again := oauth.Redact(got); len(again) > 2*len(got)+64 {
			t.Fatalf("masking grows: %q, %q", got, again)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	text := strings.Repeat(harmless[0]+" "+harmless[1]+"\n", 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		oauth.Redact(text)
	}
}
