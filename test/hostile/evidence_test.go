package hostile_test

import (
	"encoding/base64"
	"fmt"
	"strings"

	core "usher"
	"usher/evidence"
)

// specimen is one kind of evidence with secrets in every place that can hold one.
type specimen struct {
	name string
	kind core.EvidenceKind // that must be among what is recognised; empty: any
	make func(*plants) string
	// context is the setup that goes with it.
	context func(*plants) string
	utf16   bool
}

func (s *specimen) inputs(p *plants) []evidence.Input {
	text := []byte(s.make(p))
	if s.utf16 {
		text = encodeUTF16(string(text), false, true)
	}
	in := []evidence.Input{{Name: "planted", Data: text}}
	if s.context != nil {
		in = append(in, evidence.Input{Name: "setup", Data: []byte(s.context(p)), Context: true})
	}
	return in
}

func basic(p *plants) string {
	return base64.StdEncoding.EncodeToString([]byte(p.id() + ":" + esc(p.any())))
}

func tokenResponse(p *plants) string {
	return fmt.Sprintf(`{"token_type":"Bearer","scope":"openid","expires_in":3599,"access_token":"%s","refresh_token":"%s","id_token":"%s"}`, p.access(), quote(p.code()), p.jwt(`{"iss":"https://accounts.google.com","aud":"a","sub":"1","exp":1700000000}`))
}

func tokenForm(p *plants) string {
	return "grant_type=authorization_code&client_id=" + p.id() + "&code=" + esc(p.code()) + "&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&client_secret=" + esc(p.any()) + "&code_verifier=" + p.url64()
}

// specimens are all kinds.
func specimens() []specimen {
	return []specimen{
		{name: "error text with a curl line", kind: core.KindErrorText, make: func(p *plants) string {
			return "2026-01-05T10:00:00Z ERROR AADSTS7000215: Invalid client secret provided. invalid_client\n" +
				"retry with: curl -X POST https://login.microsoftonline.com/common/oauth2/v2.0/token -d 'client_id=" + p.id() + "&client_secret=" + esc(p.any()) + "&grant_type=client_credentials' -H 'Authorization: Bearer " + p.access() + "'\n"
		}},
		{name: "stack trace", kind: core.KindErrorText, make: func(p *plants) string {
			return "oauthlib.oauth2.rfc6749.errors.InvalidGrantError: (invalid_grant) Bad Request\n  File \"app.py\", line 10, in get\n    fetch_token(client_secret='" + p.any() + "', code='" + p.code() + "', refresh_token=\"" + p.url64() + "\")\n"
		}},
		{name: "error JSON", kind: core.KindErrorResponse, make: func(p *plants) string {
			return `{"error":"invalid_grant","error_description":"AADSTS70008: The provided authorization code or refresh token has expired. refresh_token=` + p.url64() + `","error_codes":[70008],"refresh_token":"` + p.url64() + `","client_secret":"` + quote(p.any()) + `"}`
		}},
		{name: "redirect URL with a query", kind: core.KindRedirectURL, make: func(p *plants) string {
			return "https://app.example/cb?error=access_denied&error_description=no&state=abc&code=" + esc(p.code()) + "&access_token=" + p.access()
		}},
		{name: "redirect URL with a fragment", kind: core.KindRedirectURL, make: func(p *plants) string {
			return "https://app.example/cb#access_token=" + p.access() + "&id_token=" + p.jwt(`{"iss":"x","aud":"y"}`) + "&code=" + esc(p.code()) + "&state=xyz&token_type=Bearer"
		}},
		{name: "redirect URL in a log", make: func(p *plants) string {
			return `10.0.0.1 - - [05/Jan/2026:10:00:00 +0000] "GET /cb?code=` + esc(p.code()) + `&state=x HTTP/1.1" 400 12 "https://login.example/auth?id_token_hint=` + p.jwt(`{"iss":"x"}`) + `" "Mozilla"` + "\nerror: invalid_grant Code not valid\n"
		}},
		{name: "authorization request", kind: core.KindAuthRequest, make: func(p *plants) string {
			return "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=" + p.id() + "&response_type=code&redirect_uri=https%3A%2F%2Fapp.example&scope=openid&client_secret=" + esc(p.any()) + "&id_token_hint=" + p.jwt(`{"iss":"x"}`)
		}},
		{name: "token request", kind: core.KindTokenRequest, make: tokenForm},
		{name: "token request by assertion", kind: core.KindTokenRequest, make: func(p *plants) string {
			return "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=" + p.jwt(`{"iss":"c","sub":"c","aud":"https://login.example/token","exp":1700000000,"jti":"1"}`)
		}},
		{name: "token request by password", kind: core.KindTokenRequest, make: func(p *plants) string {
			return "grant_type=password&username=ann&password=" + esc(p.symbols()) + "&client_id=app&client_secret=" + esc(p.any())
		}},
		{name: "token request by refresh", kind: core.KindTokenRequest, make: func(p *plants) string {
			return "grant_type=refresh_token&client_id=app&refresh_token=" + esc(p.code()) + "&assertion=" + p.jwt(`{"iss":"x"}`) + "&subject_token=" + p.url64()
		}},
		{name: "device code", make: func(p *plants) string {
			return "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=app&device_code=" + p.url64() + "\n{\"error\":\"expired_token\"}"
		}},
		{name: "curl command", make: func(p *plants) string {
			return "curl -u 'app:" + p.word() + "' https://login.example/oauth2/token \\\n  --data-urlencode 'client_secret=" + p.word() + "' \\\n  -d refresh_token=" + p.url64() + " --oauth2-bearer " + p.url64() + "\n{\"error\":\"invalid_client\"}"
		}},
		{name: "curl -v", kind: core.KindExchange, make: func(p *plants) string {
			return "* Connected to login.example\n> POST /oauth2/token HTTP/1.1\n> Host: login.example\n> Authorization: Basic " + basic(p) + "\n> Cookie: sid=" + p.url64() + "\n> Content-Type: application/x-www-form-urlencoded\n>\n< HTTP/1.1 401 Unauthorized\n< Set-Cookie: AUTH=" + p.url64() + "; Path=/; HttpOnly\n< Content-Type: application/json\n<\n{\"error\":\"invalid_client\",\"hint\":\"" + "client_secret=" + p.word() + "\"}\n"
		}},
		{name: "challenge", kind: core.KindChallenge, make: func(p *plants) string {
			return `WWW-Authenticate: Bearer realm="api", error="invalid_token", error_description="The token ` + p.access() + ` has expired"`
		}},
		{name: "exchange", kind: core.KindExchange, make: func(p *plants) string {
			return "POST /token HTTP/1.1\r\nHost: login.example\r\nAuthorization: Bearer " + p.access() + "\r\nDPoP: " + p.jwt(`{"jti":"1"}`) + "\r\nX-Api-Key: " + p.word() + "\r\nCookie: session=" + p.url64() + "; theme=dark; AppServiceAuthSession=" + esc(p.std64()) + "\r\nProxy-Authorization: Basic " + basic(p) + "\r\n\r\n" + tokenForm(p) +
				"\r\n\r\nHTTP/1.1 400 Bad Request\r\nSet-Cookie: KC=" + p.word() + "; Path=/\r\nContent-Type: application/json\r\n\r\n{\"error\":\"invalid_grant\"}"
		}},
		{name: "exchange with an opaque token", kind: core.KindExchange, make: func(p *plants) string {
			return "GET /me HTTP/1.1\nHost: api.example\nAuthorization: Bearer " + p.url64() + "\n\nHTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer error=\"invalid_token\"\n"
		}},
		{name: "response with tokens", make: func(p *plants) string {
			return "HTTP/1.1 200 OK\nContent-Type: application/json\n\n" + tokenResponse(p)
		}},
		{name: "HAR", kind: core.KindHAR, make: func(p *plants) string {
			form := tokenForm(p)
			return fmt.Sprintf(`{"log":{"version":"1.2","entries":[{"startedDateTime":"2026-01-05T10:00:00Z","request":{"method":"POST","url":"https://login.example/token?client_secret=%s","headers":[{"name":"Authorization","value":"Basic %s"},{"name":"Cookie","value":"sid=%s"}],"cookies":[{"name":"sid","value":"%s"}],"queryString":[{"name":"client_secret","value":"%s"}],"postData":{"mimeType":"application/x-www-form-urlencoded","text":"%s","params":[{"name":"client_secret","value":"%s"},{"name":"code","value":"%s"}]}},"response":{"status":400,"headers":[{"name":"Set-Cookie","value":"AUTH=%s; Path=/"},{"name":"Location","value":"https://app.example/cb?code=%s"}],"cookies":[{"name":"AUTH","value":"%s"}],"content":{"mimeType":"application/json","text":"{\"error\":\"invalid_grant\",\"refresh_token\":\"%s\"}"}}},{"request":{"method":"POST","url":"https://login.example/token","headers":[]},"response":{"status":200,"headers":[],"content":{"mimeType":"application/json","text":"%s"}}},{"request":{"method":"GET","url":"https://login.example/x","headers":[]},"response":{"status":200,"headers":[],"content":{"mimeType":"application/json","encoding":"base64","text":"%s"}}}]}}`,
				esc(p.word()), basic(p), p.url64(), p.url64(), quote(p.any()), quote(form), quote(p.any()), quote(p.code()), p.url64(), esc(p.code()), p.url64(), p.url64(), quote(tokenResponse(p)), base64.StdEncoding.EncodeToString([]byte(tokenResponse(p))))
		}},
		{name: "HAR cut off", make: func(p *plants) string {
			s := fmt.Sprintf(`{"log":{"version":"1.2","entries":[{"request":{"method":"POST","url":"https://login.example/token","headers":[{"name":"Authorization","value":"Bearer %s"}],"postData":{"text":"%s"}},"response":{"status":400,"content":{"text":"{\"error\":\"invalid_grant\"}"}}},{"request":{"postData":{"params":[{"name":"client_secret","value":"%s"}`, p.access(), quote(tokenForm(p)), quote(p.any()))
			return s
		}},
		{name: "JWT", kind: core.KindToken, make: func(p *plants) string { return p.access() }},
		{name: "JWT in a header", make: func(p *plants) string { return "Authorization: Bearer " + p.access() }},
		{name: "JWT cut off", make: func(p *plants) string { t := p.access(); return t[:len(t)-100] }},
		{name: "JWE", make: func(p *plants) string {
			return jwtHeader(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + "." + p.keep(p.of(letters+"-_", 300)) + "." + p.of(letters, 16) + "." + p.keep(p.of(letters+"-_", 400)) + "." + p.keep(p.of(letters, 22))
		}},
		{name: "JWT with secret claims", kind: core.KindToken, make: func(p *plants) string {
			return p.jwt(`{"iss":"x","exp":1700000000,"client_secret":"` + p.word() + `","refresh_token":"` + p.url64() + `","access_token":"` + p.jwt(`{"iss":"y"}`) + `","nested":{"password":"` + p.word() + `","list":[{"api_key":"` + p.word() + `"}]}}`)
		}},
		{name: "vendors' tokens", make: func(p *plants) string {
			return "invalid_token: xoxb-" + p.keep(p.of(digits, 12)+"-"+p.of(letters, 24)) + " ghp_" + p.keep(p.of(letters, 36)) + " ya29.a0" + p.keep(p.of(letters+"-_", 80)) + " Authorization: SSWS " + p.keep("00"+p.of(letters+"-_", 40))
		}},
		{name: "Entra record", make: func(p *plants) string {
			return `{"createdDateTime":"2026-01-05T10:00:00Z","id":"` + p.id() + `","correlationId":"` + p.id() + `","userPrincipalName":"ann@example.com","appId":"` + p.id() + `","appDisplayName":"Orders","status":{"errorCode":7000215,"failureReason":"Invalid client secret provided: ` + p.entra() + `"},"additionalDetails":"redirect https://app.example/cb?code=` + esc(p.code()) + `","authenticationProcessingDetails":[{"key":"access_token","value":"` + p.access() + `"}]}`
		}},
		{name: "Okta record", make: func(p *plants) string {
			return `{"uuid":"` + p.id() + `","published":"2026-01-05T10:00:00.000Z","eventType":"app.oauth2.as.token.grant","outcome":{"result":"FAILURE","reason":"invalid_client_credentials"},"actor":{"id":"0oa1","type":"PublicClientApp"},"debugContext":{"debugData":{"requestUri":"/oauth2/default/v1/token","url":"/oauth2/default/v1/token?client_secret=` + esc(p.any()) + `&code=` + esc(p.code()) + `","clientSecret":"` + p.word() + `"}},"target":[]}`
		}},
		{name: "Auth0 record", make: func(p *plants) string {
			return `{"date":"2026-01-05T10:00:00.000Z","type":"feacft","description":"Invalid authorization code","client_id":"abc","client_name":"Shop","details":{"code":"` + quote(p.code()) + `","qs":{"code":"` + quote(p.code()) + `","client_secret":"` + quote(p.any()) + `"},"body":{"client_secret":"` + quote(p.any()) + `","password":"` + quote(p.symbols()) + `","refresh_token":"` + p.url64() + `"}},"log_id":"1"}`
		}},
		{name: "Keycloak record", make: func(p *plants) string {
			return `2026-01-05 10:00:00,000 WARN  [org.keycloak.events] (executor-thread-1) type="CODE_TO_TOKEN_ERROR", realmId="shop", clientId="web", userId="null", ipAddress="10.0.0.1", error="invalid_code", grant_type="authorization_code", code_id="` + p.id() + `", client_secret="` + p.word() + `", redirect_uri="https://app.example/cb?code=` + esc(p.code()) + `"`
		}},
		{name: "record with an unknown shape", make: func(p *plants) string {
			return `{"level":"error","msg":"token refresh failed: invalid_grant","req":{"url":"/cb?code=` + esc(p.code()) + `","headers":{"authorization":"Bearer ` + p.url64() + `","cookie":"sid=` + p.url64() + `"},"body":"` + quote(tokenForm(p)) + `"},"config":{"clientSecret":"` + quote(p.any()) + `","CLIENT-SECRET":"` + p.word() + `"}}`
		}},
		{name: "Keycloak client", kind: core.KindRegistration, make: func(p *plants) string {
			return `{"id":"` + p.id() + `","clientId":"web","enabled":true,"protocol":"openid-connect","clientAuthenticatorType":"client-secret","secret":"` + quote(p.any()) + `","registrationAccessToken":"` + p.jwt(`{"iss":"x"}`) + `","redirectUris":["https://app.example/*"],"webOrigins":["+"],"standardFlowEnabled":true,"publicClient":false,"attributes":{"client.secret.rotated":"` + p.word() + `"}}`
		}},
		{name: "Auth0 client", kind: core.KindRegistration, make: func(p *plants) string {
			return `{"tenant":"t","client_id":"abcdefghij","name":"Shop","client_secret":"` + p.url64() + `","callbacks":["https://app.example/cb"],"grant_types":["authorization_code"],"token_endpoint_auth_method":"client_secret_post","app_type":"regular_web","signing_keys":[{"cert":"x"}],"encryption_key":{"pub":"x"},"client_metadata":{"api_key":"` + p.word() + `"}}`
		}},
		{name: "Google client", kind: core.KindRegistration, make: func(p *plants) string {
			return `{"web":{"client_id":"1.apps.googleusercontent.com","project_id":"x","auth_uri":"https://accounts.google.com/o/oauth2/auth","token_uri":"https://oauth2.googleapis.com/token","client_secret":"` + p.google() + `","redirect_uris":["https://app.example/cb"]}}`
		}},
		{name: "Google service account", make: func(p *plants) string {
			return `{"type":"service_account","project_id":"x","private_key_id":"` + p.of(digits+"abcdef", 40) + `","private_key":"-----BEGIN PRIVATE KEY-----\n` + p.keep(p.of(letters+"+/", 64)) + `\n` + p.keep(p.of(letters+"+/", 64)) + `\n-----END PRIVATE KEY-----\n","client_email":"a@x.iam.gserviceaccount.com","token_uri":"https://oauth2.googleapis.com/token"}`
		}},
		{name: "Entra application", kind: core.KindRegistration, make: func(p *plants) string {
			return `{"id":"` + p.id() + `","appId":"` + p.id() + `","displayName":"Orders","signInAudience":"AzureADMyOrg","passwordCredentials":[{"keyId":"` + p.id() + `","displayName":"old","hint":"abc","secretText":"` + p.entra() + `","startDateTime":"2024-01-01T00:00:00Z","endDateTime":"2025-01-01T00:00:00Z"}],"keyCredentials":[{"keyId":"` + p.id() + `","type":"AsymmetricX509Cert","key":"` + p.std64() + `","endDateTime":"2025-01-01T00:00:00Z"}],"web":{"redirectUris":["https://app.example/cb"]},"spa":{"redirectUris":[]},"publicClient":{"redirectUris":[]}}`
		}},
		{name: "Okta application", kind: core.KindRegistration, make: func(p *plants) string {
			return `{"id":"0oa1","name":"oidc_client","label":"Shop","status":"ACTIVE","signOnMode":"OPENID_CONNECT","credentials":{"oauthClient":{"client_id":"0oa1","client_secret":"` + p.url64() + `","token_endpoint_auth_method":"client_secret_basic"}},"settings":{"oauthClient":{"redirect_uris":["https://app.example/cb"],"grant_types":["authorization_code"],"response_types":["code"],"application_type":"web"}}}`
		}},
		{name: "dynamic registration", make: func(p *plants) string {
			return `{"client_id":"s6BhdRkqt3","client_secret":"` + quote(p.any()) + `","client_secret_expires_at":1577858400,"registration_access_token":"` + p.url64() + `","redirect_uris":["https://app.example/cb"],"grant_types":["authorization_code"],"token_endpoint_auth_method":"client_secret_basic"}`
		}},
		{name: "discovery", kind: core.KindDiscovery, make: func(p *plants) string {
			return `{"issuer":"https://login.example","authorization_endpoint":"https://login.example/authorize?api_key=` + p.word() + `","token_endpoint":"https://svc:` + p.word() + `@login.example/token","jwks_uri":"https://login.example/keys","response_types_supported":["code"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"],"client_secret":"` + p.word() + `"}`
		}},
		{name: "private keys", kind: core.KindKeySet, make: func(p *plants) string {
			k := func() string { return p.keep(p.of(letters+"-_", 172)) }
			return `{"keys":[{"kty":"RSA","kid":"a","alg":"RS256","use":"sig","n":"` + p.of(letters+"-_", 342) + `","e":"AQAB","d":"` + k() + `","p":"` + k() + `","q":"` + k() + `","dp":"` + k() + `","dq":"` + k() + `","qi":"` + k() + `"},{"kty":"oct","kid":"b","alg":"HS256","k":"` + p.keep(p.of(letters+"-_", 43)) + `"},{"kty":"EC","crv":"P-256","kid":"c","x":"` + p.of(letters+"-_", 43) + `","y":"` + p.of(letters+"-_", 43) + `","d":"` + p.keep(p.of(letters+"-_", 43)) + `"}]}`
		}},
		{name: "one private key", make: func(p *plants) string {
			return `{"kty":"OKP","crv":"Ed25519","kid":"c","x":"` + p.of(letters+"-_", 43) + `","d":"` + p.keep(p.of(letters+"-_", 43)) + `"}`
		}},
		{name: "PEM key", make: func(p *plants) string {
			return "invalid_client: client assertion is not within its valid time range\n-----BEGIN RSA PRIVATE KEY-----\n" + p.keep(p.of(letters+"+/", 64)) + "\n" + p.keep(p.of(letters+"+/", 64)) + "\n-----END RSA PRIVATE KEY-----\n"
		}},
		{name: ".env", make: func(p *plants) string {
			return "ISSUER=https://login.example\nCLIENT_ID=web\nCLIENT_SECRET=" + p.word() + "\nexport OAUTH_CLIENT_SECRET=\"" + p.symbols() + "\"\nREFRESH_TOKEN='" + p.url64() + "'\nSESSION_SECRET=" + p.hex() + "\nDATABASE_URL=postgres://app:" + p.word() + "@db/app\n# error: invalid_client\n"
		}},
		{name: "YAML", make: func(p *plants) string {
			return "spring:\n  security:\n    oauth2:\n      client:\n        registration:\n          web:\n            client-id: web\n            client-secret: " + p.word() + "\n            password: \"" + p.symbols() + "\"\n            clientSecret: '" + p.std64() + "'\n            api_key: " + p.hex() + "\nerror: invalid_client\n"
		}},
		{name: "code", make: func(p *plants) string {
			return "invalid_client\nconst client = new Client({ client_id: 'web', client_secret: '" + p.symbols() + "', token: `" + p.url64() + "` })\nvar clientSecret = \"" + p.word() + "\";\noptions.ClientSecret = \"" + p.word() + "\";\nos.environ['CLIENT_SECRET'] = '" + p.word() + "'\n"
		}},
		{name: "XML", make: func(p *plants) string {
			return "invalid_client\n<configuration><add key=\"ClientSecret\" value=\"" + p.word() + "\"/><clientSecret>" + p.word() + "</clientSecret><password>" + p.word() + "</password></configuration>"
		}},
		{name: "SAML", make: func(p *plants) string {
			return "AADSTS50011 https://app.example/acs?SAMLResponse=" + esc(p.std64()) + "&RelayState=x\nSAMLResponse=" + esc(p.std64())
		}},
		{name: "sentence", make: func(p *plants) string {
			return "I get invalid_client from Entra. The client secret is " + p.entra() + " and my password is: " + p.word() + ". The refresh token " + p.url64() + " was made today."
		}},
		{name: "sentences with other words", make: func(p *plants) string {
			return "invalid_client although I copied the secret value: " + p.word() + "\nthe secret " + p.entra() + " expires next year\nmy client_secret = " + p.std64() + "\naccess token: " + p.url64() + "\n"
		}},
		{name: "error page", make: func(p *plants) string {
			return "<html><head><title>Sign in to your account</title></head><body><form action=\"https://app.example/cb?code=" + esc(p.code()) + "\"><input type=\"hidden\" name=\"id_token\" value=\"" + p.jwt(`{"iss":"x"}`) + "\"><input type=\"hidden\" name=\"code\" value=\"" + p.code() + "\"><input name=\"client_secret\" value=\"" + p.word() + "\"></form><div>AADSTS50011: The redirect URI does not match</div><script>var t={\"sFT\":\"" + p.url64() + "\",\"canary\":\"" + p.std64() + "\"}</script></body></html>"
		}},
		{name: "setup", make: func(p *plants) string { return "invalid_client" }, context: func(p *plants) string {
			return `{"client_secret":"` + quote(p.any()) + `","CLIENT_SECRET":"` + p.word() + `","config":"client_secret=` + p.word() + `","command":"curl -u app:` + p.word() + ` https://login.example/token","env":"OAUTH_SECRET=` + p.word() + `"}`
		}},
		{name: "JSON in JSON in JSON", make: func(p *plants) string {
			return `{"message":"` + quote(`{"body":"`+quote(`{"error":"invalid_grant","refresh_token":"`+quote(p.any())+`","client_secret":"`+quote(p.any())+`"}`)+`"}`) + `"}`
		}},
		{name: "percent on percent", make: func(p *plants) string {
			return "https://login.example/continue?next=" + esc("https://app.example/cb?error=access_denied&code="+esc(p.code())+"&client_secret="+esc(p.any()))
		}},
		{name: "JSON cut off", make: func(p *plants) string {
			return `{"error":"invalid_grant","client_secret":"` + quote(p.any()) + `","refresh_token":"` + p.url64() + `","access_token":"` + p.url64()
		}},
		{name: "JSON with a trailing comma", make: func(p *plants) string {
			return `{"error":"invalid_client","client_secret":"` + quote(p.any()) + `",}`
		}},
		{name: "UTF-16 error JSON", utf16: true, make: func(p *plants) string {
			return `{"error":"invalid_grant","client_secret":"` + quote(p.any()) + `","refresh_token":"` + p.url64() + `"}`
		}},
		{name: "UTF-16 log", utf16: true, make: func(p *plants) string {
			return "ERROR invalid_client client_secret=" + p.word() + "\r\nAuthorization: Basic " + basic(p) + "\r\n"
		}},
		{name: "many lines", make: func(p *plants) string {
			var b strings.Builder
			for i := range 50 {
				fmt.Fprintf(&b, "2026-01-05T10:00:%02dZ INFO POST /token client_secret=%s status=200\n", i, p.word())
			}
			return b.String() + "2026-01-05T10:01:00Z ERROR invalid_grant code=" + p.code() + "\n"
		}},
	}
}
