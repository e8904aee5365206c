package evidence

import "strings"

// The keys of facts. Values are in lower case; what a key does not list here
// comes from the evidence as it stands.
//
//	error             OAuth or vendor error: invalid_grant, notauthorizedexception
//	code              provider/code as the catalog writes it: entra/aadsts53003, okta/e0000004
//	suberror          Entra's suberror, Google's error_subtype
//	status            HTTP status of an answer: 401
//	grant             grant_type: authorization_code, refresh_token, client_credentials, password, device_code, obo, token-exchange, jwt-bearer, saml2-bearer, ciba
//	response-type     of an authorization request
//	response-mode     of an authorization request
//	prompt            of an authorization request
//	pkce              s256, plain, none (an authorization request), verifier, no-verifier (a code exchange)
//	state             sent, missing
//	nonce             sent, missing
//	endpoint          authorize, token, userinfo, introspect, revoke, device, par, discovery, jwks, logout, signin, callback, api, graph
//	host              host of a request or a redirect
//	provider          identity provider that speaks
//	method            HTTP method of a request
//	auth-method       how the client authenticated: basic, post, private_key_jwt, none
//	redirect-scheme   scheme of the redirect URI that was sent
//	redirect-host     localhost, loopback-ip, private, public, none
//	sent-redirect     scheme and host kind of the redirect URI that was sent: http-public
//	tenant            common, organizations, consumers, id, name, empty
//	client-id-shape   guid, placeholder, empty, whitespace, google, okta
//	secret-shape      guid, trailing-newline, leading-space, percent, plus, quoted, empty, placeholder, jwt
//	scope             each scope that was asked for
//	scope-count       resource prefixes in one request: many
//	token-kind        jwt, jwe, opaque, broken
//	token-alg         alg of the header; token-typ typ; token-kid present, absent
//	token-has         scp, roles, cnf, nonce, at_hash, azp, scope, groups, tid, nbf
//	token-use         access, id, refresh, assertion, logout
//	token-ver         ver
//	token-iss, token-aud, token-tid   the claims
//	token-time        milliseconds: a time claim is given in milliseconds
//	token-lifetime    too-long: over six months (Apple's limit)
//	assertion-alg, assertion-kid, assertion-typ   of a client assertion or a JWT client secret
//	challenge-scheme  bearer, dpop, basic, negotiate
//	challenge-error   error of a challenge
//	challenge         claims, resource-metadata, scope, acr, none (no parameters)
//	header-missing    authorization, origin, dpop
//	header            cookie-missing, x-forwarded-proto-http
//	cors              blocked, no-header, origin-mismatch
//	flow-difference   redirect-uri, state, client-id, code-reused, code-verifier, host
//	frame             iframe
//	client-app        clientAppUsed
//	device-state      unregistered, compliant, non-compliant, managed, unmanaged, joined, ...
//	device-platform   windows 10, ios, ...
//	device-id         present, absent
//	ca-status         success, failure, notapplied
//	ca-policy-failed  name of a policy that refused; ca-policy-id its id
//	ca-condition      condition met of a policy that refused: application, users, location, clienttype, ...
//	ca-unmet          condition not met
//	ca-grant          control of a policy that refused: block, mfa, compliantdevice, ...
//	signin-category   signinlogs, noninteractiveusersigninlogs, ...
//	signin-event      interactiveuser, noninteractiveuser, serviceprincipal, managedidentity
//	ip-family         v4, v6, private
//	country           two letters, or empty when the log knows none
//	auth-requirement  multifactorauthentication, singlefactorauthentication
//	auth-protocol     devicecode, ropc, ...; transfer-method the original one
//	incoming-token    primaryrefreshtoken, ...
//	risk, user-risk   level of the sign-in and of the user
//	risk-detail       as given
//	user-type         member, guest
//	issuer-type       tokenIssuerType
//	event-type        type of a log record; event-error, event-reason, event-result what it says
//	cross-tenant      crossTenantAccessType
//	platform          spa, web, publicclient (a registration)
//	public-client     true, false
//	registration      entra, okta, auth0, keycloak, google
//	registered-redirect   none, wildcard, trailing-slash, http-public
//	client-enabled    true, false
//	audience-setting  azureadmyorg, azureadmultipleorgs, ...
//	token-version-setting   1, 2
//	client-credential expired, expiring, none
//	client-auth-setting     client_secret_basic, none, ...
//	grant-setting     grant types that a registration allows
//	issuer            issuer of metadata
//	correlation, request-id, time, user, resource, client-id, client-name, ip   for queries and subjects
type factKeys struct{} //nolint:unused // carries the table above

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

// has tells whether a fact is there, with any value when val is empty.
func (it *Item) has(key, val string) bool {
	for i := range it.Facts {
		if it.Facts[i].Key == key && (val == "" || it.Facts[i].Value == val) {
			return true
		}
	}
	return false
}
