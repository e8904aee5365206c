package evidence_test

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"usher"
	"usher/evidence"
)

// read reads one input that must be readable.
func read(t *testing.T, name, text string) *evidence.Set {
	t.Helper()
	set, err := evidence.Read([]evidence.Input{{Name: name, Data: []byte(text)}})
	if err != nil {
		t.Fatalf("Read(%s): %v", name, err)
	}
	return set
}

func readFile(t *testing.T, path string) *evidence.Set {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, filepath.Base(path), string(data))
}

// described writes an item down as the tests ask for it: its kind, its facts as
// key=value, its error's members.
func described(it *evidence.Item) map[string]bool {
	d := map[string]bool{"kind=" + string(it.Kind): true, "at=" + it.Place: true}
	for _, f := range it.Facts {
		d[f.Key+"="+f.Value] = true
	}
	if e := it.Error; e != nil {
		d["Code="+e.Code] = true
		d["Description="+e.Description] = true
		d["Correlation="+e.Correlation] = true
		d["Claims="+e.Claims] = true
		for _, c := range e.Codes {
			d["Codes="+c] = true
		}
		for _, id := range e.PolicyIDs {
			d["Policy="+id] = true
		}
	}
	return d
}

// wantItem asks for an item that has everything that is listed, blank-separated
// ("_" stands for a blank in a value); "!x" must not be there.
func wantItem(t *testing.T, set *evidence.Set, want string) *evidence.Item {
	t.Helper()
	best, missing := -1, []string(nil)
	for i := range set.Items {
		d := described(&set.Items[i])
		var lacks []string
		for _, w := range strings.Fields(want) {
			w = strings.ReplaceAll(w, "_", " ")
			under := strings.ReplaceAll(w, " ", "_")
			if name, no := strings.CutPrefix(w, "!"); no {
				if d[name] || d[strings.TrimPrefix(under, "!")] {
					lacks = append(lacks, w)
				}
			} else if !d[w] && !d[under] {
				lacks = append(lacks, w)
			}
		}
		if len(lacks) == 0 {
			return &set.Items[i]
		}
		if best < 0 || len(lacks) < len(missing) {
			best, missing = i, lacks
		}
	}
	var got []string
	if best >= 0 {
		for k := range described(&set.Items[best]) {
			got = append(got, k)
		}
		sort.Strings(got)
	}
	t.Errorf("no item has %q;\nthe nearest lacks %q and has\n  %s", want, missing, strings.Join(got, "\n  "))
	return &evidence.Item{}
}

func TestTexts(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"code in a sentence", "login failed: aadsts50011: the redirect URI 'http://shop.example/cb' specified in the request", "kind=error-text code=entra/aadsts50011 provider=entra sent-redirect=http-public redirect-scheme=http"},
		{"spaced code", "AADSTS 53003 blocked", "code=entra/aadsts53003 Codes=AADSTS53003"},
		{"not a code", "AADSTS5 and AADSTS123456789012", "!code=entra/aadsts5 !code=entra/aadsts123456789012"},
		{"Okta code", "okta said E0000004 Authentication failed", "code=okta/e0000004"},
		{"library code", "IDX10214: Audience validation failed", "kind=error-text code=dotnet/idx10214"},
		{"OAuth word", "oauth2: \"invalid_grant\" \"Token has been expired or revoked.\"", "error=invalid_grant Code=invalid_grant"},
		{"a function is no error", "def invalid_grant(x): pass", "!error=invalid_grant"},
		{"status phrases", "request failed with status code 401", "status=401"},
		{"status and phrase", "429 Too Many Requests", "status=429"},
		{"a number is no status", "waited 401 ms for 403 items", "!status=401 !status=403"},
		{"a version is no status", "client 4.401.2 at /v403/x", "!status=401 !status=403"},
		{"ids and time", errorText, "code=entra/aadsts53003 correlation=8095dfab-2d47-4796-904f-37d31abceeaa request-id=e643e98a-cd6b-4b46-a02b-031746044800 Correlation=8095dfab-2d47-4796-904f-37d31abceeaa"},
		{"grant", "POST /token grant_type=refresh_token&client_id=a failed", "grant=refresh_token"},
		{"grant by its long name", "'grant_type': 'urn:ietf:params:oauth:grant-type:jwt-bearer'", "grant=jwt-bearer"},
		{"sentence", "Everyone in the Paris office can sign in again.", "kind=statement"},
		{"page text", "Need admin approval\nContoso needs permission", "kind=error-page provider=entra"},
		{"Google page text", "Error 400: redirect_uri_mismatch\nThe redirect URI in the request, http://localhost:8080/cb, does not match", "kind=error-page provider=google error=redirect_uri_mismatch sent-redirect=http-localhost"},
		{"percent encoding", "GET /cb?error_description=AADSTS650052%3A+The+app failed", "code=entra/aadsts650052"},
		{"Keycloak line, quoted", `2026-08-03 09:20:03,003 WARN  [org.keycloak.events] (x) type="CODE_TO_TOKEN_ERROR", realmId="shop", clientId="shop-web", userId="u1", ipAddress="198.51.100.23", error="pkce_verification_failed", grant_type="authorization_code"`, "kind=log-record code=keycloak/pkce_verification_failed grant=authorization_code client-id=shop-web ip-family=v4"},
		{"Keycloak line, bare, with a forged address", `type=LOGIN_ERROR, realmId=shop, clientId=shop-web, userId=null, ipAddress=198.51.100.27, error=user_not_found, username='dana, ipAddress=10.9.9.9'`, "event-error=user_not_found ip=198.51.100.27 !ip=10.9.9.9"},
		{"Keycloak line of an old form", "type=REFRESH_TOKEN_ERROR, realmId=portal, clientId=p, userId=x, error=invalid_token, reason=Stale token, grant_type=refresh_token", "event-reason=stale_token grant=refresh_token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantItem(t, read(t, "in.txt", tt.text), tt.want) })
	}
}

func TestErrorBodies(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"RFC 6749", `{"error":"invalid_client"}`, "kind=error-response error=invalid_client at=e.json:1"},
		{
			"Entra v2", `{"error":"interaction_required","error_description":"AADSTS53000: Device is not compliant.","error_codes":[53000],"suberror":"message_only","correlation_id":"9c751c2d-e2d8-44ce-8ade-b2a049eee0aa","claims":"{\"access_token\":{\"capolids\":{\"essential\":true,\"values\":[\"aaaaaaaa-0000-4000-8000-000000000001\"]}}}"}`,
			"provider=entra Codes=AADSTS53000 suberror=message_only ca-policy-id=aaaaaaaa-0000-4000-8000-000000000001 challenge=claims Correlation=9c751c2d-e2d8-44ce-8ade-b2a049eee0aa",
		},
		{"Entra v2, polids with value", `{"error":"invalid_grant","error_codes":[53003],"claims":"{\"access_token\":{\"polids\":{\"value\":\"aaaaaaaa-0000-4000-8000-000000000002\"}}}"}`, "ca-policy-id=aaaaaaaa-0000-4000-8000-000000000002 code=entra/aadsts53003"},
		{"Entra v1", `{"error":"invalid_grant","error_description":"AADSTS70002: Error validating credentials.\r\nTrace ID: x","error_codes":[70002,50012],"timestamp":"2026-08-03 09:15:00Z","trace_id":"98f1e66e-eb62-4938-8545-e97cd63cc6fd"}`, "code=entra/aadsts70002 code=entra/aadsts50012 request-id=98f1e66e-eb62-4938-8545-e97cd63cc6fd"},
		{"error_uri", `{"error":"invalid_client","error_uri":"https://login.microsoftonline.com/error?code=7000215"}`, "code=entra/aadsts7000215"},
		{"Graph", `{"error":{"code":"InvalidAuthenticationToken","message":"Access token has expired or is not yet valid.","innerError":{"date":"2026-08-03T09:15:00","request-id":"98f1e66e-eb62-4938-8545-e97cd63cc6fd","client-request-id":"9c751c2d-e2d8-44ce-8ade-b2a049eee0aa"}}}`, "error=invalidauthenticationtoken provider=entra request-id=98f1e66e-eb62-4938-8545-e97cd63cc6fd"},
		{"Google API", `{"error":{"code":403,"message":"Request had insufficient authentication scopes.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}}`, "provider=google status=403 error=permission_denied suberror=access_token_scope_insufficient"},
		{"Google token", `{"error":"invalid_grant","error_description":"reauth related error (invalid_rapt)","error_subtype":"invalid_rapt"}`, "suberror=invalid_rapt provider=google"},
		{"Okta", `{"errorCode":"E0000011","errorSummary":"Invalid token provided","errorLink":"E0000011","errorId":"x","errorCauses":[]}`, "provider=okta code=okta/e0000011 Codes=E0000011"},
		{"Auth0 API", `{"statusCode":401,"error":"Unauthorized","message":"Invalid token","errorCode":"invalid_token"}`, "status=401 error=unauthorized Description=Invalid_token"},
		{"Cognito", `{"__type":"com.amazonaws#NotAuthorizedException","message":"Invalid Refresh Token."}`, "code=cognito/notauthorizedexception provider=cognito"},
		{"GitHub", `{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}`, "provider=github Description=Bad_credentials status=401"},
		{"Slack", `{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"identify"}`, "provider=slack code=slack/missing_scope"},
		{"Square", `{"errors":[{"category":"AUTHENTICATION_ERROR","code":"ACCESS_TOKEN_EXPIRED","detail":"The access token has expired"}]}`, "provider=square error=access_token_expired"},
		{"Stripe", `{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such customer"}}`, "error=resource_missing"},
		{"PayPal", `{"name":"AUTHENTICATION_FAILURE","message":"Authentication failed","debug_id":"abc"}`, "provider=paypal error=authentication_failure"},
		{"QuickBooks", `{"Fault":{"Error":[{"Message":"message=AuthenticationFailed; errorCode=003200","Detail":"Token expired","code":"3200"}],"type":"AUTHENTICATION"}}`, "provider=quickbooks error=3200"},
		{"Salesforce list", `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`, "error=invalid_session_id"},
		{"Facebook", `{"error":{"message":"Error validating access token","type":"OAuthException","code":190,"error_subcode":463,"fbtrace_id":"A"}}`, "provider=facebook suberror=463 error=oauthexception"},
		{"Atlassian", `{"code":401,"message":"Unauthorized; scope does not match"}`, "status=401"},
		{"RFC 9457", `{"type":"about:blank","title":"Unsupported Authentication","detail":"Forbidden for this app","status":403}`, "status=403"},
		{"Spring", `{"timestamp":"2026-08-03T09:15:00.000+00:00","status":401,"error":"Unauthorized","path":"/orders"}`, "status=401 error=unauthorized"},
		{"OData", `{"odata.error":{"code":"x"},"error":{"code":"Authorization_RequestDenied","message":{"lang":"en","value":"Insufficient privileges"}}}`, "error=authorization_requestdenied Description=Insufficient_privileges"},
		{"API gateway", `{"message":"Unauthorized"}`, "kind=error-response Description=Unauthorized"},
		{"FastAPI", `{"detail":"Could not validate credentials"}`, "kind=error-response"},
		{"body in a body", `{"level":"error","time":"2026-08-03T09:15:00Z","msg":"token","body":"{\"error\":\"invalid_grant\",\"error_description\":\"Token is not active\"}"}`, "kind=error-response error=invalid_grant"},
		{"error in a string", `{"error":"{\"error\":\"invalid_scope\",\"error_description\":\"no\"}"}`, "error=invalid_scope"},
		{"Python", `{'error': 'invalid_grant', 'error_description': 'Bad Request', 'retry': None,}`, "error=invalid_grant"},
		{"curly quotes", "{\u201cerror\u201d: \u201cinvalid_grant\u201d}", "error=invalid_grant"},
		{"form", "error=invalid_request&error_description=redirect_uri+is+missing", "kind=error-response error=invalid_request Code=invalid_request"},
		{"in a log line", `12:00 WARN answer 400 {"error":"invalid_grant","error_description":"AADSTS70008: expired"} for user`, "kind=error-response at=e.json:1:23 code=entra/aadsts70008"},
		{"escaped in a log line", `level=error msg="answer: {\"error\":\"invalid_scope\",\"error_description\":\"unknown scope\"}"`, "kind=error-response error=invalid_scope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantItem(t, read(t, "e.json", tt.text), tt.want) })
	}
}

func TestURLs(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"query", "https://app.example.com/cb?error=access_denied&error_description=AADSTS65004%3a+User+declined&state=x", "kind=redirect-url error=access_denied code=entra/aadsts65004 endpoint=callback"},
		{"fragment", "https://app.example.com/#error=login_required&state=x&iss=https%3A%2F%2Fsso.example.net%2Frealms%2Facme", "kind=redirect-url error=login_required provider=keycloak code=keycloak/login_required"},
		{"hash route", "https://app.example.com/#/callback?error=consent_required&state=1", "kind=redirect-url error=consent_required"},
		{"custom scheme", "com.example.app:/oauth2redirect?error=access_denied", "error=access_denied"},
		{
			"authorization request", "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=bbbbbbbb-0000-4000-8000-000000000001&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcb&scope=openid%20User.Read&prompt=none",
			"kind=authorization-request provider=entra tenant=common prompt=none pkce=none state=missing redirect-host=localhost scope=user.read client-id-shape=guid",
		},
		{"placeholder client", "https://accounts.google.com/o/oauth2/v2/auth?client_id=YOUR_CLIENT_ID&response_type=code&redirect_uri=https://a.example/cb", "client-id-shape=placeholder provider=google"},
		{"Cognito's error page", "https://acme.auth.us-east-1.amazoncognito.com/error?error=redirect_mismatch&client_id=7h2k", "provider=cognito code=cognito/redirect_mismatch"},
		{"in a sentence", "The browser ends on https://app.example.com/cb?error=invalid_scope&error_description=nope.", "kind=redirect-url error=invalid_scope"},
		{"path in an access log", `203.0.113.10 - - [03/Aug/2026:09:15:01 +0000] "GET /auth/callback?error=access_denied&error_description=AADSTS53003%3A+blocked&state=8f3c HTTP/1.1" 400 512`, "kind=redirect-url error=access_denied code=entra/aadsts53003 at=u.txt:1:52"},
		{"token endpoint", "https://appleid.apple.com/auth/token", "endpoint=token provider=apple"},
		{"token request body", "client_id=a&client_secret=7f9c2ba4-e88f-427d-916d-5f7ac5b0b2b4&grant_type=client_credentials&scope=x", "kind=token-request secret-shape=guid auth-method=post grant=client_credentials"},
		{"plus in a secret", "client_id=a&client_secret=ab+cd/efgh12&grant_type=client_credentials", "secret-shape=plus"},
		{"newline behind a secret", "client_id=a&client_secret=abcdefgh12%0A&grant_type=client_credentials", "secret-shape=trailing-newline"},
		{"code exchange without verifier", "grant_type=authorization_code&code=abcdefgh1234&client_id=a&redirect_uri=https%3A%2F%2F10.0.0.7%2Fcb", "grant=authorization_code pkce=no-verifier auth-method=none redirect-host=private"},
		{"on behalf of", "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&requested_token_use=on_behalf_of&assertion=x&client_id=a", "grant=obo"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantItem(t, read(t, "u.txt", tt.text), tt.want) })
	}
}

func TestChallenges(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"RFC 6750", `WWW-Authenticate: Bearer realm="api", error="insufficient_scope", scope="orders.read"`, "kind=www-authenticate challenge-scheme=bearer challenge-error=insufficient_scope scope=orders.read challenge=scope"},
		{"without the name", `Bearer error="invalid_token", error_description="The access token expired"`, "kind=www-authenticate error=invalid_token"},
		{"RFC 9449", `WWW-Authenticate: DPoP error="use_dpop_nonce", error_description="nonce needed"`, "challenge-scheme=dpop error=use_dpop_nonce"},
		{"RFC 9470", `WWW-Authenticate: Bearer error="insufficient_user_authentication", acr_values="phr", max_age="5"`, "challenge=acr challenge=max-age"},
		{
			"claims", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", error=\"insufficient_claims\", claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjg0NzQ3MDAwIn19fQ==\"\r\n\r\n",
			`kind=www-authenticate challenge=claims challenge=nbf provider=entra Claims={"access_token":{"nbf":{"essential":true,"value":"1684747000"}}}`,
		},
		{"in a log line", `gateway: 401, header www-authenticate: Bearer error="invalid_token"`, "kind=www-authenticate error=invalid_token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantItem(t, read(t, "c.txt", tt.text), tt.want) })
	}
}

func TestFiles(t *testing.T) {
	tests := []struct {
		file  string
		wants []string
	}{
		{"entra-page.html", []string{"kind=error-page provider=entra code=entra/aadsts50105 client-name=contoso_shop ip-family=v6 correlation=9c751c2d-e2d8-44ce-8ade-b2a049eee0aa"}},
		{"keycloak-page.html", []string{"kind=error-page provider=keycloak"}},
		{"details.txt", []string{"kind=error-details code=entra/aadsts53003 device-state=unregistered device-platform=windows_10 device-id=absent client-name=contoso_shop_admin ip=203.0.113.10"}},
		{"curl-verbose.txt", []string{"kind=token-request secret-shape=guid grant=client_credentials", "kind=http-exchange status=401 method=post endpoint=token", "kind=error-response at=curl-verbose.txt:18 code=entra/aadsts7000215"}},
		{"exchange.txt", []string{"kind=token-request auth-method=basic grant=refresh_token client-id=shop-web", "kind=error-response at=exchange.txt:11", "kind=http-exchange header-missing=authorization endpoint=userinfo status=401", "kind=www-authenticate at=exchange.txt:18:19"}},
		{"entra-manifest.json", []string{"kind=registration registration=entra platform=spa platform=web platform=publicclient token-version-setting=1 client-credential=secret credential-id=7f9c2ba4-e88f-427d-916d-5f7ac5b0b2b4"}},
		{"graph-application.json", []string{"kind=registration public-client=true token-version-setting=2 audience-setting=azureadmultipleorgs registered-redirect=trailing-slash"}},
		{"okta-app.json", []string{"kind=registration registration=okta client-enabled=false pkce-required=true registered-redirect=wildcard client-auth-setting=client_secret_post"}},
		{"auth0-client.json", []string{"kind=registration registration=auth0 public-client=true web-origin=trailing-slash registered-redirect=http-public"}},
		{"keycloak-realm.json", []string{"kind=registration client-id=shop-web grant-setting=client_credentials pkce-required=true at=keycloak-realm.json:3", "kind=registration tenant-id=shop"}},
		{"google-client.json", []string{"kind=registration registration=google platform=web public-client=false"}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			set := readFile(t, tt.file)
			for _, w := range tt.wants {
				wantItem(t, set, w)
			}
		})
	}
}

func TestOtherJSON(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"discovery", `{"issuer":"https://sso.example.net/realms/a","authorization_endpoint":"https://sso.example.net/a","token_endpoint":"https://sso.example.net/t","code_challenge_methods_supported":["S256"]}`, "kind=discovery issuer=https://sso.example.net/realms/a supports-pkce=s256"},
		{"resource metadata", `{"resource":"https://api.example.com","authorization_servers":["https://sso.example.net"]}`, "kind=discovery resource=https://api.example.com"},
		{"key set", `{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`, "kind=jwks key-kid=k1 key-alg=es256"},
		{"policy", `{"displayName":"Block","state":"enabled","conditions":{"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}}`, "kind=policy policy-state=enabled policy-grant=block"},
		{"policy list", `{"value":[{"displayName":"A","state":"disabled","conditions":{"users":{}},"grantControls":null}]}`, "kind=policy policy-state=disabled"},
		{"claims", `{"iss":"https://sts.windows.net/11111111-2222-4333-8444-000000000001/","aud":"api://a","ver":"1.0","cnf":{"kid":"x"},"scp":"a b"}`, "kind=token token-has=cnf token-ver=1.0 token-use=access provider=entra"},
		{"token answer", `{"token_type":"Bearer","expires_in":3599,"access_token":"ya29.a0AfB_byC1234567890abcdefghijklmnop","scope":"openid"}`, "endpoint=token answer-lacks=refresh_token granted-scope=openid"},
		{
			"Okta log", `{"uuid":"u1","published":"2026-08-03T09:15:00.123Z","eventType":"app.oauth2.as.token.grant","displayMessage":"OAuth2 access token request","outcome":{"result":"FAILURE","reason":"invalid_client"},"actor":{"id":"0oa1","type":"PublicClientApp","alternateId":"0oa1","displayName":"Shop"},"client":{"ipAddress":"203.0.113.9"},"debugContext":{"debugData":{"grantType":"client_credentials","clientAuthType":"client_secret_basic"}}}`,
			"kind=log-record provider=okta event-type=app.oauth2.as.token.grant event-error=invalid_client grant=client_credentials auth-method=basic error=invalid_client",
		},
		{"Okta log, lower-case keys", `{"eventtype":"user.account.lock","published":"2022-11-22 18:48:49.177","outcome":{"reason":"LOCKED_OUT","result":"FAILURE"},"actor":{"alternateId":"a@b.example"},"uuid":"x"}`, "kind=log-record event-error=locked_out user=a@b.example"},
		{"Auth0 log", `{"log_id":"l1","data":{"date":"2026-08-03T09:15:00.000Z","type":"ferrt","description":"Unsuccessful exchange of a rotated token","client_id":"abc","client_name":"Shop","ip":"203.0.113.9","details":{"error":{"message":"invalid_grant"}}}}`, "kind=log-record provider=auth0 code=auth0/ferrt grant=refresh_token error=invalid_grant"},
		{"Keycloak event", `{"time":1785748800000,"type":"CODE_TO_TOKEN_ERROR","realmId":"shop","clientId":"shop-web","error":"invalid_code","ipAddress":"198.51.100.22","details":{"grant_type":"authorization_code"}}`, "kind=log-record code=keycloak/invalid_code grant=authorization_code"},
		{"Google activity", `{"kind":"admin#reports#activity","id":{"time":"2026-08-03T09:15:00.000Z","applicationName":"login"},"actor":{"email":"a@b.example"},"ipAddress":"2001:db8::9","events":[{"type":"login","name":"login_failure","parameters":[{"name":"login_failure_type","value":"login_failure_invalid_password"}]}]}`, "kind=log-record provider=google event-error=login_failure_invalid_password ip-family=v6"},
		{"CloudTrail of Cognito", `{"eventTime":"2026-08-03T09:15:00Z","eventSource":"cognito-idp.amazonaws.com","eventName":"InitiateAuth","errorCode":"NotAuthorizedException","errorMessage":"Refresh Token has been revoked","requestParameters":{"clientId":"abc","authFlow":"REFRESH_TOKEN_AUTH"}}`, "kind=log-record provider=cognito code=cognito/notauthorizedexception client-id=abc"},
		{"logger", `{"level":"error","time":"2026-08-03T09:15:00Z","msg":"exchange failed","error":"oauth2: \"invalid_grant\" \"AADSTS70008: expired\""}`, "kind=log-record code=entra/aadsts70008 error=invalid_grant"},
		{"access log", `{"time":"2026-08-03T09:15:00Z","request":"GET /userinfo HTTP/1.1","status":401,"sent_http_www_authenticate":"Bearer error=\"invalid_token\""}`, "kind=log-record status=401 endpoint=userinfo"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantItem(t, read(t, "o.json", tt.text), tt.want) })
	}
}

func TestTokens(t *testing.T) {
	const jwt = "eyJhbGciOiJFUzI1NiIsImtpZCI6IktFWTEyMzQ1NjcifQ.eyJpc3MiOiJURUFNMTIzNDU2IiwiaWF0IjoxNjQ5NzY0ODAwMDAwLCJleHAiOjE2NjUzMTY4MDAwMDAsImF1ZCI6Imh0dHBzOi8vYXBwbGVpZC5hcHBsZS5jb20iLCJzdWIiOiJjb20uZXhhbXBsZS5hcHAifQ.bm90LWEtcmVhbC1zaWduYXR1cmUtanVzdC1maWxsZXItYnl0ZXMtMDAw"
	tests := []struct{ name, text, want string }{
		{"bare", jwt, "kind=token token-kind=jwt token-alg=es256 token-kid=present"},
		{"header", "Authorization: Bearer " + jwt, "kind=token token-alg=es256"},
		{"client secret", `{"client_secret":"` + jwt + `"}`, "kind=token assertion-alg=es256 token-time=milliseconds provider=apple"},
		{"assertion in a form", "grant_type=client_credentials&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=" + jwt, "kind=token assertion-kid=present"},
		{"encrypted", `the header is {"alg":"dir","enc":"A256GCM","iss":"https://x.eu.auth0.com/"}`, "kind=token token-kind=jwe provider=auth0"},
		{"in a log", "token=" + jwt + " refused", "kind=token at=t.txt:1:7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := read(t, "t.txt", tt.text)
			wantItem(t, set, tt.want)
			if strings.Contains(tt.text, jwt) && !holdsSecret(set, jwt) {
				t.Errorf("the token is not among the secrets")
			}
			for _, it := range set.Items {
				if strings.Contains(it.Summary, jwt[:60]) {
					t.Errorf("summary %q shows the token", it.Summary)
				}
			}
		})
	}
}

func holdsSecret(set *evidence.Set, want string) bool {
	for _, s := range set.Secrets {
		if s.Reveal() == want {
			return true
		}
	}
	return false
}

func TestSecrets(t *testing.T) {
	tests := []struct{ name, text, secret string }{
		{"form", "client_id=a&client_secret=s3cr3t~Val.ue&grant_type=client_credentials", "s3cr3t~Val.ue"},
		{"form, decoded", "client_id=a&client_secret=s3cr%2Ft2026&grant_type=client_credentials", "s3cr/t2026"},
		{"JSON", `{"client_secret": "s3cr3tValue99"}`, "s3cr3tValue99"},
		{"YAML", "client_secret: s3cr3tValue99", "s3cr3tValue99"},
		{"quoted with blanks", `password: "correct horse battery"`, "correct horse battery"},
		{"code in a redirect", "https://app.example.com/cb?code=0.AXkA8s9dF3kq7T&state=1", "0.AXkA8s9dF3kq7T"},
		{"bearer", "Authorization: Bearer ya29.A0ARrdaM1234567890", "ya29.A0ARrdaM1234567890"},
		{"basic", "Authorization: Basic c2hvcC13ZWI6czNjcjN0VmFsdWUyMDI2", "s3cr3tValue2026"},
		{"cookie", "Cookie: session=abcdefgh12345678; theme=dark", "abcdefgh12345678"},
		{"curl", "curl -u shop:s3cr3tValue99 https://a.example/token -d grant_type=client_credentials", "s3cr3tValue99"},
		{"verifier", "grant_type=authorization_code&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&code=x", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := read(t, "s.txt", tt.text)
			if !holdsSecret(set, tt.secret) {
				t.Errorf("%q is not among the secrets of %q", tt.secret, tt.text)
			}
			for _, it := range set.Items {
				if strings.Contains(it.Summary, tt.secret) {
					t.Errorf("summary %q shows the secret", it.Summary)
				}
			}
		})
	}
	set := read(t, "s.txt", "the password is wrong; invalid token: signature has expired; client_secret=YOUR_SECRET_HERE")
	if len(set.Secrets) != 0 {
		t.Errorf("words and placeholders were taken for secrets: %d", len(set.Secrets))
	}
}

func TestContext(t *testing.T) {
	set, err := evidence.Read([]evidence.Input{
		{Name: "evidence", Data: []byte(`{"error":"invalid_client"}`)},
		{Name: "context", Data: []byte("The secret was rotated; POST https://appleid.apple.com/auth/token"), Context: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if set.Items[0].Context || set.Items[0].Kind != usher.KindErrorResponse {
		t.Errorf("first item = %+v, want the error response, no context", set.Items[0].Evidence)
	}
	if last := set.Items[len(set.Items)-1]; !last.Context || last.Kind != usher.KindContext {
		t.Errorf("last item = %+v, want context", last.Evidence)
	}
}

func TestTextIsDecoded(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"JSON escapes", `{"error":"invalid_grant","error_description":"can\u0027t use \"x\" at https:\/\/a.example"}`, `can't use "x" at https://a.example`},
		{"percent", "https://a.example/cb?error=access_denied&error_description=Service%20not+found%3A%20x", "Service not found: x"},
		{"entities", "Error: couldn&#39;t match &quot;redirect&quot; &amp; more", `couldn't match "redirect" & more`},
		{"no entity without a semicolon", "failed: /a?x=1&region=us&copy=2", "&region=us&copy=2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := read(t, "x", tt.text).Items[0].Text; !strings.Contains(got, tt.want) {
				t.Errorf("text = %q, want it to hold %q", got, tt.want)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	text := "first line\nsecond line\n  {\"error\":\"invalid_grant\",\n   \"error_codes\":[53003]}\n"
	set := read(t, "log.txt", text)
	it := wantItem(t, set, "kind=error-response")
	if it.Place != "log.txt:3:3" || it.Line != 3 {
		t.Errorf("place = %q, line %d; want log.txt:3:3 and 3", it.Place, it.Line)
	}
}
