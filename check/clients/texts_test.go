package clients_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/check/clients"
	"usher/check/read"
	"usher/evidence"
)

// judged reads texts as a person gives them and holds them to every check.
func judged(t testing.TB, texts ...string) []usher.Finding {
	t.Helper()
	var in []evidence.Input
	for i, text := range texts {
		name := "given." + string(rune('a'+i))
		if !strings.ContainsAny(text, "{\n ") {
			data, err := os.ReadFile(text)
			if err != nil {
				t.Fatal(err)
			}
			name, text = text[strings.LastIndexByte(text, '/')+1:], string(data)
		}
		in = append(in, evidence.Input{Name: name, Data: []byte(text)})
	}
	set, err := evidence.Read(in)
	if err != nil {
		t.Fatal(err)
	}
	findings, _ := check.Run(read.Target(set, now, ""), clients.Checks)
	return findings
}

func wrongs(list []usher.Finding) (out []string) {
	for _, f := range list {
		if f.Outcome == usher.OutcomeWrong {
			out = append(out, f.Check)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestTexts holds exports and recordings to what is wrong with them, and nothing else.
func TestTexts(t *testing.T) {
	const dir = "../../evidence/testdata/"
	for _, k := range []struct {
		file   string
		want   []string
		causes map[string]string
	}{
		{"entra-manifest.json", []string{"auth-method-weak", "secret-expiry"}, map[string]string{"secret-expiry": "client-secret-expired"}},
		{"graph-application.json", []string{"client-type-fits"}, nil},
		{"okta-app.json", []string{"auth-method-weak", "client-disabled"}, nil},
		{"auth0-client.json", []string{"grant-implicit"}, nil},
		{"keycloak-realm.json", []string{"auth-method-weak", "secret-entropy", "service-account-mixed"}, nil},
		{"google-client.json", nil, nil},
		{"code-flow.har", []string{"token-endpoint-redirect-uri"}, nil},
		{"silent.har", []string{"nonce-present", "pkce-sent", "state-present"}, nil},
		{"curl-verbose.txt", []string{"secret-valid"}, map[string]string{"secret-valid": "client-secret-id-used"}},
		{"exchange.txt", []string{"secret-entropy"}, nil},
	} {
		got := judged(t, dir+k.file)
		if w := wrongs(got); !slices.Equal(w, k.want) {
			t.Errorf("%s: wrong are %q, want %q", k.file, w, k.want)
		}
		for _, f := range got {
			if want := k.causes[f.Check]; want != "" && f.Outcome == usher.OutcomeWrong && f.Cause != want {
				t.Errorf("%s: %s has the cause %q, want %q", k.file, f.Check, f.Cause, want)
			}
		}
	}
}

// TestGood holds sound configurations of each provider to nothing wrong.
func TestGood(t *testing.T) {
	const (
		okta = `{"id":"0oa1b2c3d4e5f6g7h8i9","label":"Shop","status":"ACTIVE","signOnMode":"OPENID_CONNECT","credentials":{"oauthClient":{"client_id":"0oa1b2c3d4e5f6g7h8i9","token_endpoint_auth_method":"private_key_jwt","pkce_required":true}},
			"settings":{"oauthClient":{"redirect_uris":["https://shop.example/cb"],"post_logout_redirect_uris":["https://shop.example/"],"response_types":["code"],"grant_types":["authorization_code","refresh_token"],"application_type":"web"}}}`
		oktaService = `{"id":"0oa9b2c3d4e5f6g7h8i9","label":"Sync","status":"ACTIVE","signOnMode":"OPENID_CONNECT","credentials":{"oauthClient":{"client_id":"0oa9b2c3d4e5f6g7h8i9","token_endpoint_auth_method":"private_key_jwt"}},
			"settings":{"oauthClient":{"redirect_uris":[],"response_types":["token"],"grant_types":["client_credentials"],"application_type":"service"}}}`
		auth0          = `{"client_id":"zdIKyq4ngefIcRtcU83mYK4xAbCdEfGh","name":"Shop","app_type":"spa","callbacks":["https://shop.example/cb"],"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none","client_secret":"short"}`
		auth0Web       = `{"client_id":"adIKyq4ngefIcRtcU83mYK4xAbCdEfGh","name":"Shop","app_type":"regular_web","callbacks":["https://shop.example/cb"],"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"private_key_jwt"}`
		keycloak       = `{"clientId":"shop-web","name":"Shop","enabled":true,"publicClient":false,"clientAuthenticatorType":"client-jwt","redirectUris":["https://shop.example/cb"],"standardFlowEnabled":true,"implicitFlowEnabled":false,"directAccessGrantsEnabled":false,"serviceAccountsEnabled":false,"attributes":{"pkce.code.challenge.method":"S256","oauth2.device.authorization.grant.enabled":"false"}}`
		keycloakPublic = `{"clientId":"shop-app","enabled":true,"publicClient":true,"clientAuthenticatorType":"client-secret","redirectUris":["https://shop.example/app"],"standardFlowEnabled":true,"implicitFlowEnabled":false,"directAccessGrantsEnabled":false,"serviceAccountsEnabled":false}`
		entraSPA       = `{"appId":"bbbbbbbb-0000-4000-8000-000000000001","displayName":"Shop","signInAudience":"AzureADMyOrg","isFallbackPublicClient":false,"web":{"redirectUris":[],"implicitGrantSettings":{"enableIdTokenIssuance":false,"enableAccessTokenIssuance":false}},"spa":{"redirectUris":["https://shop.example/"]},"publicClient":{"redirectUris":[]},"passwordCredentials":[],"keyCredentials":[]}`
		entraWeb       = `{"appId":"bbbbbbbb-0000-4000-8000-000000000002","displayName":"Orders","signInAudience":"AzureADMyOrg","isFallbackPublicClient":false,"web":{"redirectUris":["https://shop.example/cb"],"implicitGrantSettings":{"enableIdTokenIssuance":true,"enableAccessTokenIssuance":false}},"spa":{"redirectUris":[]},"publicClient":{"redirectUris":[]},"passwordCredentials":[],
			"keyCredentials":[{"keyId":"7f9c2ba4-e88f-427d-916d-5f7ac5b0b2b4","type":"AsymmetricX509Cert","usage":"Verify","customKeyIdentifier":"MDEyMzQ1Njc4OTAxMjM0NTY3ODk=","startDateTime":"2026-06-01T00:00:00Z","endDateTime":"2027-06-01T00:00:00Z","displayName":"CN=orders"}]}`
		google   = `{"installed":{"client_id":"1234567890-abc123def456.apps.googleusercontent.com","project_id":"shop","auth_uri":"https://accounts.google.com/o/oauth2/auth","token_uri":"https://oauth2.googleapis.com/token","client_secret":"GOCSPX-AbCdEf123456GhIjKlMnOpQrStUv","redirect_uris":["http://localhost"]}}`
		standard = `{"client_id":"s6BhdRkqt3","client_name":"Shop","redirect_uris":["https://shop.example/cb"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"response_types":["code"]}`
		// The flow of RFC 7636 appendix B, with everything that it should have.
		request = `https://login.example/authorize?response_type=code&client_id=s6BhdRkqt3&redirect_uri=https%3A%2F%2Fshop.example%2Fcb&scope=openid&state=q0JRbzTzQkKpJkVQ8yBz6A&nonce=nRu0YXvY3cTg4bQeS1zVfA&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256 `
		back    = `https://shop.example/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=q0JRbzTzQkKpJkVQ8yBz6A&iss=https%3A%2F%2Flogin.example `
		curl    = `curl https://login.example/token -d 'grant_type=authorization_code&client_id=s6BhdRkqt3&code=SplxlOBeZQQYbYS6WxSbIA&redirect_uri=https%3A%2F%2Fshop.example%2Fcb&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'`
		server  = `{"issuer":"https://login.example","authorization_endpoint":"https://login.example/authorize","token_endpoint":"https://login.example/token","jwks_uri":"https://login.example/jwks","response_types_supported":["code","token"],"grant_types_supported":["authorization_code","refresh_token","password"],"authorization_response_iss_parameter_supported":true,"code_challenge_methods_supported":["S256"],"token_endpoint_auth_methods_supported":["client_secret_basic","private_key_jwt"]}`
	)
	for name, texts := range map[string][]string{
		"okta": {okta}, "okta service": {oktaService}, "auth0": {auth0}, "auth0 web": {auth0Web}, "keycloak": {keycloak}, "keycloak public": {keycloakPublic},
		"entra spa": {entraSPA}, "entra web": {entraWeb}, "google": {google}, "standard": {standard},
		"flow": {standard, server, request, back, curl},
	} {
		got := judged(t, texts...)
		if w := wrongs(got); w != nil {
			t.Errorf("%s: wrong are %q", name, w)
			for _, f := range got {
				if f.Outcome == usher.OutcomeWrong {
					t.Errorf("  %s: %s %s", f.Check, f.Title, f.Detail)
				}
			}
		}
		if name != "flow" {
			continue
		}
		oks := map[string]bool{}
		for _, f := range got {
			oks[f.Check] = oks[f.Check] || f.Outcome == usher.OutcomeOK
		}
		for _, id := range []string{"pkce-sent", "pkce-matches", "state-present", "iss-response-checked", "token-endpoint-redirect-uri", "grant-registered", "auth-method-registered", "grant-implicit", "grant-password"} {
			if !oks[id] {
				t.Errorf("a sound flow: %s is not ok", id)
			}
		}
	}
}

func BenchmarkOffline(b *testing.B) {
	reg := web(creds(evidence.Credential{Kind: "secret", Expires: now.AddDate(1, 0, 0), Starts: now}))
	x := target(reg, metadata(plain[:len(plain)-1]+`,"token_endpoint_auth_methods_supported":["client_secret_basic","private_key_jwt"],"response_types_supported":["code"]}`))
	for b.Loop() {
		check.Run(x, clients.Checks)
	}
}
