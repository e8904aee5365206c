package evidence

import "strings"

// FactKey is a word of the vocabulary of facts, with its meaning.
type FactKey struct{ Key, Means string }

// FactKeys lists every key that a fact can have. Values are in lower case; what
// is not spelled out here comes from the evidence as it stands.
var FactKeys = [...]FactKey{
	{"error", "OAuth error code or the vendor's own: invalid_grant, notauthorizedexception"},
	{"code", "provider/code as the catalog writes it: entra/aadsts53003, okta/e0000004, dotnet/idx10214"},
	{"suberror", "Entra's suberror, Google's error_subtype and reason, Facebook's error_subcode"},
	{"status", "HTTP status of an answer: 401"},
	{"provider", "the identity provider that speaks"},
	{"host", "host of a request or of a redirect"},
	{"endpoint", "authorize, token, userinfo, introspect, revoke, device, par, discovery, jwks, logout, signin, callback, api"},
	{"method", "HTTP method of a request"},
	{"grant", "grant_type in short: authorization_code, refresh_token, client_credentials, password, device_code, obo, token-exchange, jwt-bearer, saml2-bearer, ciba"},
	{"flow", "what the grant belongs to: code-exchange, refresh, client-credentials, ropc, device-code, obo, jwt-bearer, silent"},
	{"response-type", "response_type of an authorization request"},
	{"response-mode", "response_mode of an authorization request"},
	{"prompt", "prompt of an authorization request"},
	{"acr", "acr_values of an authorization request"},
	{"pkce", "of an authorization request: s256, plain, none; of a code exchange: verifier, no-verifier"},
	{"state", "sent or missing in an authorization request"},
	{"nonce", "sent or missing in an authorization request"},
	{"scope", "each scope that was asked for"},
	{"scope-count", "many: scopes of several resources in one request"},
	{"auth-method", "how the client authenticated: basic, post, private_key_jwt, none; several beside them when it did so twice"},
	{"client-auth", "the method in the provider's own word"},
	{"client-id-shape", "guid, google, okta, placeholder, empty, whitespace"},
	{"secret-shape", "guid, trailing-newline, leading-space, trailing-space, percent, plus, quoted, empty, placeholder, jwt"},
	{"content-type", "of a token request that is no form: multipart, json"},
	{"redirect-scheme", "scheme of the redirect URI that was sent"},
	{"redirect-host", "localhost, loopback-ip, private, public, custom, none"},
	{"sent-redirect", "scheme and host kind together: http-public"},
	{"tenant", "in the path of an Entra address: common, organizations, consumers, id, name, empty"},
	{"tenant-id", "tenant, realm or organisation"},
	{"issuer", "issuer of metadata, or iss of a redirect"},
	{"token-kind", "jwt, jwe, opaque, broken"},
	{"token-alg", "alg of the header"},
	{"token-typ", "typ of the header"},
	{"token-kid", "present or absent"},
	{"token-has", "claims that are there: scp, roles, cnf, nonce, at_hash, azp, scope, groups, tid, nbf, ..."},
	{"token-use", "access, id, assertion, logout, or token_use as it stands"},
	{"token-ver", "the claim ver"},
	{"token-iss", "the claim iss"},
	{"token-aud", "the claim aud"},
	{"token-tid", "the claim tid"},
	{"token-scope", "each scope of scp and scope"},
	{"token-time", "milliseconds: a time claim is given in milliseconds"},
	{"token-lifetime", "too-long: over six months, Apple's limit"},
	{"assertion-alg", "alg of a client assertion or of a client secret that is a JWT"},
	{"assertion-typ", "its typ"},
	{"assertion-kid", "its kid: present or absent"},
	{"answer-has", "tokens in the answer of a token endpoint"},
	{"answer-lacks", "tokens that are not in it"},
	{"granted-scope", "each scope that was granted"},
	{"token-type", "token_type of an answer"},
	{"challenge-scheme", "bearer, dpop, basic, negotiate"},
	{"challenge-error", "error of a challenge"},
	{"challenge", "what it holds: claims, scope, acr, max-age, resource-metadata, ip-address, nbf, acrs; none: no parameters"},
	{"header-missing", "authorization: the request to an API had no such header"},
	{"header", "cookie-missing, retry-after, dpop-nonce"},
	{"authorization-scheme", "scheme of the Authorization header that was sent"},
	{"authorization-shape", "empty, scheme-twice"},
	{"cors", "blocked, no-header, origin-mismatch"},
	{"frame", "iframe: the request was made in a frame"},
	{"failed-step", "step of the flow that failed"},
	{"flow-difference", "between the steps of a flow: redirect-uri, state, client-id, code-reused, code-verifier, code-verifier-missing, code-challenge-missing"},
	{"token-request", "browser: the page itself sent it"},
	{"event-type", "type of a log record"},
	{"event-result", "success, failure and what the provider says"},
	{"event-error", "error of a log record"},
	{"event-reason", "reason of a log record"},
	{"signin-category", "signinlogs, noninteractiveusersigninlogs, ..."},
	{"signin-event", "interactiveuser, noninteractiveuser, serviceprincipal"},
	{"client-app", "Entra's clientAppUsed"},
	{"device-state", "unregistered, compliant, non-compliant, managed, unmanaged, or the trust type"},
	{"device-platform", "operating system: windows 10, ios"},
	{"device-id", "present or absent"},
	{"browser-name", "browser of the device"},
	{"ca-status", "conditionalAccessStatus"},
	{"ca-policy-failed", "name of a policy that refused; report-only policies never do"},
	{"ca-policy-id", "its id, also from a claims challenge"},
	{"ca-condition", "condition that was met of it: application, users, location, clienttype, deviceplatform, signinrisk, authenticationflows, ..."},
	{"ca-unmet", "condition that was not met"},
	{"ca-grant", "control that it asks for: block, mfa, compliantdevice, domainjoineddevice, approvedapplication, ..."},
	{"ca-session", "session control that it asks for"},
	{"ca-report-only", "name and result of a policy in report-only mode"},
	{"ip", "address the request came from"},
	{"ip-family", "v4, v6, private"},
	{"ip-difference", "resource: the API saw another address than the provider"},
	{"resource-ip", "address that the API saw"},
	{"country", "two letters, or empty when the log knows none"},
	{"network-location", "kind of the named location"},
	{"named-location", "name of the named location"},
	{"auth-requirement", "singlefactorauthentication, multifactorauthentication"},
	{"auth-requirement-policy", "what asked for it"},
	{"auth-step", "method and result of a step: password:ok"},
	{"auth-protocol", "devicecode, ropc, openid-connect, ..."},
	{"auth-flow", "authFlow of Cognito"},
	{"transfer-method", "originalTransferMethod: how the session began"},
	{"incoming-token", "primaryrefreshtoken, ..."},
	{"request-type", "RequestType of the Microsoft 365 audit log"},
	{"response-detail", "why a gateway refused: jwt_authn_access_denied{...}"},
	{"client-credential-type", "how an app signed in"},
	{"service-principal", "name of the app that signed in"},
	{"refresh-token-type", "refresh, offline"},
	{"connection", "connection of Auth0"},
	{"risk", "risk of the sign-in"},
	{"user-risk", "risk of the user"},
	{"risk-detail", "why"},
	{"risk-event", "each detection"},
	{"threat-suspected", "Okta's word on it"},
	{"policy", "policy or rule that a record names"},
	{"user-type", "member, guest"},
	{"cross-tenant", "crossTenantAccessType"},
	{"issuer-type", "tokenIssuerType, when it is not Entra itself"},
	{"correlation", "correlation id"},
	{"request-id", "request or trace id"},
	{"user", "user name"},
	{"client-id", "client id"},
	{"client-name", "client name"},
	{"resource", "API by id or address"},
	{"resource-name", "API by name"},
	{"registration", "whose registration it is"},
	{"platform", "of a registered redirect URI: web, spa, publicclient, native"},
	{"public-client", "true or false"},
	{"client-enabled", "true or false"},
	{"pkce-required", "true or false"},
	{"registered-redirect", "none, wildcard, trailing-slash, http-public, malformed"},
	{"web-origin", "trailing-slash, none, * or +"},
	{"audience-setting", "azureadmyorg, azureadmultipleorgs, ..."},
	{"token-version-setting", "1 or 2"},
	{"client-credential", "secret, certificate"},
	{"credential-id", "id of a secret or certificate"},
	{"client-auth-setting", "authentication method that a registration sets"},
	{"grant-setting", "grant that a registration allows"},
	{"response-type-setting", "response type that it allows"},
	{"scope-setting", "scope that it defines or asks for"},
	{"realm-setting", "name=value of a realm"},
	{"policy-state", "enabled, disabled, enabledforreportingbutnotenforced"},
	{"policy-grant", "control of a policy"},
	{"supports-pkce", "each method in metadata"},
	{"supports-grant", "each grant in metadata"},
	{"supports-response-type", "each response type in metadata"},
	{"supports-auth-method", "each client authentication method in metadata"},
	{"supports-alg", "each signature algorithm of ID tokens in metadata"},
	{"authorization-server", "of a protected resource"},
	{"key-alg", "alg of each key of a set"},
	{"key-kid", "kid of each key of a set"},
	{"key-count", "number of keys of a set"},
	{"key", "private: a key set or a file holds a private key"},
}

const maxFacts = 256

// fact adds an observation; a repeated one and an empty key are left out.
func (it *Item) fact(key, val, place, quote string) {
	val = strings.ToLower(strings.TrimSpace(val))
	if key == "" || len(it.Facts) >= maxFacts || len(val) > 2048 {
		return
	}
	for i := range it.Facts {
		if it.Facts[i].Key == key && it.Facts[i].Value == val {
			return
		}
	}
	it.Facts = append(it.Facts, Fact{Key: key, Value: val, Place: place, Quote: quote})
}

// factIf is fact for a value that may be missing.
func (it *Item) factIf(key, val, place, quote string) {
	if val != "" {
		it.fact(key, val, place, quote)
	}
}

// flowOfGrant says what a grant belongs to, in the words that knowledge uses.
func flowOfGrant(grant string) string {
	switch grant {
	case "authorization_code":
		return "code-exchange"
	case "refresh_token":
		return "refresh"
	case "client_credentials":
		return "client-credentials"
	case "password":
		return "ropc"
	case "device_code":
		return "device-code"
	case "obo", "jwt-bearer":
		return grant
	}
	return ""
}

// derive adds the facts that follow from others.
func (it *Item) derive() {
	for i := range it.Facts {
		f := it.Facts[i]
		switch {
		case f.Key == "grant":
			it.factIf("flow", flowOfGrant(f.Value), f.Place, f.Quote)
		case f.Key == "prompt" && f.Value == "none":
			it.fact("flow", "silent", f.Place, f.Quote)
		case f.Key == "auth-protocol" && f.Value == "devicecode", f.Key == "transfer-method" && f.Value == "devicecodeflow":
			it.fact("flow", "device-code", f.Place, f.Quote)
		case f.Key == "auth-protocol" && f.Value == "ropc":
			it.fact("flow", "ropc", f.Place, f.Quote)
		}
	}
	if it.Provider != "" {
		it.fact("provider", it.Provider, it.Place, "")
	}
}

// has tells whether a fact is there, with any value when val is empty.
func (it *Item) has(key, val string) bool {
	for i := range it.Facts {
		if it.Facts[i].Key == key && (val == "" || it.Facts[i].Value == val) {
			return true
		}
	}
	return false
}
