package knowledge

var github = &Provider{
	Name: "github", Title: "GitHub", AsOf: "2026-11-25", Redirect: "github",
	Sources: []string{"https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps"},
	Issuers: []string{"github.com/login/oauth", "github.com", "token.actions.githubusercontent.com"},
	Can: map[string]Ability{
		CanPKCE: {Can: true, Since: "2025-07", From: "authorizing OAuth apps, code_challenge"}, CanDevice: {Can: true, Note: "off until it is switched on for the app", From: "device flow"},
		CanRevoke: {Can: true, Note: "by an API of its own, not RFC 7009", From: "REST API, delete an app token"}, CanIntrospect: {Can: true, Note: "by an API of its own, not RFC 7662", From: "REST API, check a token"},
		CanPassword: {Can: false, From: "authorizing OAuth apps"}, CanImplicit: {Can: false, From: "authorizing OAuth apps"}, CanClientCredentials: {Can: false, From: "authorizing OAuth apps"},
		CanTwoSecrets: {Can: true, From: "managing client secrets"}, CanJWTAccessToken: {Can: false, From: "token formats"}, CanRegister: {Can: false, From: "creating an OAuth app"},
		CanRotateRefresh: {Can: true, Note: "GitHub Apps with expiring tokens", From: "refreshing user access tokens"},
	},
	Limits: map[string]Limit{
		LimitCodeSeconds: {Value: 600, From: "authorizing OAuth apps: 10 minutes"}, LimitGrantTokens: {Value: 10, From: "authorizing OAuth apps: ten tokens for each user, app and scope"},
		LimitRedirectURIs: {Value: 1, Note: "of an OAuth app; a GitHub App has ten", From: "redirect URLs"}, LimitRefreshMaxDays: {Value: 184, Note: "GitHub Apps: six months", From: "refreshing user access tokens"},
		LimitRefreshIdleDays: {Value: 365, Note: "tokens of OAuth apps that were not used for a year", From: "token expiration and revocation"},
	},
	Scopes: []Scope{
		{Name: "admin:*", Risk: "admin"},
		{Name: "delete_repo", Risk: "admin"},
		{Name: "site_admin", Risk: "admin"},
		{Name: "repo", Risk: "broad", Note: "all repositories, private ones too"},
		{Name: "workflow", Risk: "broad"},
		{Name: "write:*", Risk: "broad"},
		{Name: "read:user", Risk: "low"},
		{Name: "user:email", Risk: "low"},
	},
	Ended: []Ended{{What: "passwords and tokens in the query of its API", Match: []string{"api.github.com/?access_token=", "api.github.com?access_token="}, On: "2021-09-08", Instead: "the Authorization header", From: "deprecating API authentication through query parameters"}},
	Quirks: []Quirk{
		{ID: "error-with-200", Says: "errors of the token endpoint come with status 200", Standard: "RFC 6749 section 5.2", Effect: "look for error in the body whatever the status says", From: "troubleshooting token requests", Checks: []string{"token-type"}},
		{ID: "form-by-default", Says: "the token answer is a form unless JSON is asked for", Standard: "RFC 6749 section 5.1", Effect: "send Accept: application/json", From: "authorizing OAuth apps", Checks: []string{"token-type"}},
		{ID: "comma-scopes", Says: "granted scopes are separated by commas", Standard: "RFC 6749 section 3.3", Effect: "split at both", From: "scopes for OAuth apps", Checks: []string{"scope-syntax", "scope-granted-less"}},
		{ID: "prefix-redirect", Says: "a redirect URI matches sub-paths of the registered one", Standard: "RFC 9700 section 2.1", Effect: "register the longest path", From: "redirect URLs", Checks: []string{"redirect-server-exact", "redirect-registered"}},
	},
}

var gitlab = &Provider{
	Name: "gitlab", Title: "GitLab", AsOf: "2026-11-25", Redirect: "gitlab",
	Sources: []string{"https://docs.gitlab.com/api/oauth2/"},
	Issuers: []string{"gitlab.com"},
	Can: map[string]Ability{
		CanPKCE: {Can: true, From: "OAuth 2.0 identity provider API"}, CanRevoke: {Can: true, From: "revoke a token"}, CanIntrospect: {Can: true, From: "its metadata"},
		CanPassword: {Can: false, Since: "19.0", Note: "of gitlab.com since 18.5; older servers of your own may still have it", From: "deprecation of the resource owner password grant"}, CanImplicit: {Can: false, Since: "15.0", From: "deprecations"},
		CanDevice: {Can: true, Since: "17.2", From: "device authorization grant flow"}, CanClientCredentials: {Can: true, From: "its metadata"}, CanLogout: {Can: false, From: "its metadata"},
		CanRotateRefresh: {Can: true, From: "access tokens expire after two hours; refresh tokens are used once"},
	},
	Limits: map[string]Limit{LimitAccessMinutes: {Value: 120, From: "OAuth 2.0 identity provider API"}, LimitCodeSeconds: {Value: 600, From: "its library's default"}},
	Scopes: []Scope{
		{Name: "api", Risk: "admin", Note: "everything that the user can"},
		{Name: "sudo", Risk: "admin"},
		{Name: "admin_mode", Risk: "admin"},
		{Name: "read_api", Risk: "broad"},
		{Name: "write_repository", Risk: "broad"},
		{Name: "openid", Risk: "low"},
		{Name: "profile", Risk: "low"},
		{Name: "email", Risk: "low"},
		{Name: "read_user", Risk: "low"},
	},
	Quirks: []Quirk{{ID: "plain-pkce", Says: "PKCE with plain is announced", Standard: "RFC 9700 section 2.1.1", Effect: "use S256", From: "its metadata", Checks: []string{"pkce-plain-announced"}}},
}

var apple = &Provider{
	Name: "apple", Title: "Sign in with Apple", AsOf: "2026-11-25", Redirect: "apple",
	Sources: []string{"https://developer.apple.com/documentation/signinwithapplerestapi"},
	Issuers: []string{"appleid.apple.com", "account.apple.com"},
	Can: map[string]Ability{
		CanRevoke: {Can: true, From: "revoke tokens"}, CanIntrospect: {Can: false, From: "its list of endpoints"}, CanLogout: {Can: false, From: "its list of endpoints"}, CanPAR: {Can: false, From: "its list of endpoints"},
		CanPassword: {Can: false, From: "generate and validate tokens"}, CanImplicit: {Can: false, From: "generate and validate tokens"}, CanFormPost: {Can: true, From: "request an authorization"}, CanRegister: {Can: false, From: "its list of endpoints"},
		CanRotateRefresh: {Can: false, From: "verifying a user: the refresh token stays"},
	},
	Limits: map[string]Limit{
		LimitCodeSeconds: {Value: 300, From: "authorization codes are valid for five minutes"}, LimitSecretDays: {Value: 180, Note: "the client secret is a JWT that lives six months at most", From: "creating a client secret"},
		LimitRedirectURIs: {Value: 100, Note: "website URLs of an organization; an individual has 10", From: "configure Sign in with Apple for the web"},
	},
	Scopes: []Scope{{Name: "name", Risk: "low"}, {Name: "email", Risk: "low"}, {Name: "openid", Risk: "low"}},
	Quirks: []Quirk{
		{ID: "form-post-with-scopes", Says: "name and email need response_mode=form_post", Standard: "OAuth 2.0 Form Post Response Mode", Effect: "a SameSite=Lax cookie with the state is not sent along: use SameSite=None", From: "request an authorization", Checks: []string{"response-mode-fits", "samesite-state"}},
		{ID: "secret-is-jwt", Says: "the client secret is an ES256 assertion that the app signs itself", Standard: "RFC 7523 section 2.2", Effect: "make a new one before six months are over", From: "creating a client secret", Checks: []string{"secret-expiry", "assertion-claims", "assertion-audience"}},
		{ID: "refresh-once-a-day", Says: "refresh tokens are to be verified once a day at most", Standard: "RFC 6749 section 6", Effect: "more often is throttled", From: "verifying a user", Checks: []string{"refresh-idle", "refresh-early"}},
		{ID: "no-localhost", Says: "redirect URIs need https and a domain", Standard: "RFC 8252 section 7.3", Effect: "develop behind a name of your own", From: "configure Sign in with Apple for the web", Checks: []string{"redirect-localhost-name", "redirect-https", "redirect-registered"}},
	},
}

var salesforce = &Provider{
	Name: "salesforce", Title: "Salesforce", AsOf: "2026-11-25", Redirect: "salesforce",
	Sources: []string{"https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flows.htm"},
	Issuers: []string{"login.salesforce.com", "test.salesforce.com", "*.my.salesforce.com", "*.sandbox.my.salesforce.com"},
	Can: map[string]Ability{
		CanPKCE: {Can: true, From: "web server flow, PKCE"}, CanRevoke: {Can: true, From: "revoke OAuth tokens"}, CanIntrospect: {Can: true, From: "OpenID Connect token introspection"},
		CanDevice: {Can: true, Note: "being switched off by default", From: "device flow"}, CanPassword: {Can: true, Note: "blocked in new orgs", From: "username-password flow"}, CanImplicit: {Can: true, From: "user-agent flow"},
		CanClientCredentials: {Can: true, From: "client credentials flow"}, CanRegister: {Can: true, Note: "needs a token", From: "dynamic client registration"}, CanTokenExchange: {Can: true, From: "token exchange flow"},
		CanRotateRefresh: {Can: true, Note: "as a setting of the app", From: "refresh token rotation"}, CanJWTAccessToken: {Can: true, Note: "as a setting of the app", From: "JWT-based access tokens"},
	},
	Limits: map[string]Limit{LimitCodeSeconds: {Value: 900, From: "web server flow: 15 minutes"}, LimitGrantTokens: {Value: 5, From: "each user may approve an app five times; the oldest grant dies"}, LimitAccessMinutes: {Value: 120, Note: "the org's session timeout", From: "session settings"}},
	Scopes: []Scope{
		{Name: "full", Risk: "admin", Note: "everything but refresh_token"}, {Name: "web", Risk: "broad"}, {Name: "api", Risk: "broad"}, {Name: "refresh_token", Risk: "low"}, {Name: "openid", Risk: "low"}, {Name: "profile", Risk: "low"}, {Name: "email", Risk: "low"},
	},
	Quirks: []Quirk{
		{ID: "no-expires-in", Says: "the token answer has no expires_in", Standard: "RFC 6749 section 5.1", Effect: "refresh when the API answers 401, or ask the introspection endpoint", From: "web server flow", Checks: []string{"token-expires-in"}},
		{ID: "instance-url", Says: "the token answer names the API's address in instance_url", Standard: "RFC 6749 section 5.1", Effect: "call that address, not the login host", From: "web server flow"},
		{ID: "five-grants", Says: "a sixth approval of an app by one user ends the first", Standard: "RFC 6749 section 6", Effect: "keep one refresh token for each user and app", From: "manage OAuth access", Checks: []string{"refresh-revoked-cause"}},
	},
}

var slack = &Provider{
	Name: "slack", Title: "Slack", AsOf: "2026-11-25", Redirect: "standard",
	Sources: []string{"https://docs.slack.dev/authentication/installing-with-oauth"},
	Issuers: []string{"slack.com"},
	Can: map[string]Ability{
		CanPKCE: {Can: true, Since: "2026-03-30", Note: "for apps that opt in, which makes them public for good", From: "using PKCE"}, CanRevoke: {Can: true, Note: "by auth.revoke, not RFC 7009", From: "auth.revoke"}, CanIntrospect: {Can: false, From: "Web API methods"},
		CanPassword: {Can: false, From: "installing with OAuth"}, CanImplicit: {Can: false, From: "installing with OAuth"}, CanClientCredentials: {Can: false, From: "installing with OAuth"}, CanRegister: {Can: false, From: "creating an app"},
		CanRotateRefresh: {Can: true, Note: "for apps that opt in, and it cannot be switched off again", From: "token rotation"}, CanJWTAccessToken: {Can: false, From: "tokens"},
	},
	Limits: map[string]Limit{LimitCodeSeconds: {Value: 600, From: "installing with OAuth: 10 minutes"}, LimitAccessMinutes: {Value: 720, Note: "with rotation; without it tokens do not end", From: "token rotation: 12 hours"}, LimitRefreshMaxDays: {Value: 30, Note: "of apps with PKCE; others' do not end", From: "using PKCE"}},
	Scopes: []Scope{
		{Name: "admin", Risk: "admin"}, {Name: "admin.*", Risk: "admin"}, {Name: "*:history", Risk: "broad", Note: "reads messages"}, {Name: "files:read", Risk: "broad"}, {Name: "openid", Risk: "low"}, {Name: "profile", Risk: "low"}, {Name: "email", Risk: "low"},
	},
	Quirks: []Quirk{
		{ID: "ok-false", Says: "errors come with status 200 and ok=false", Standard: "RFC 6749 section 5.2", Effect: "look at ok before anything else", From: "Web API, responses", Checks: []string{"token-type"}},
		{ID: "comma-scopes", Says: "scopes are separated by commas", Standard: "RFC 6749 section 3.3", Effect: "split at both", From: "installing with OAuth", Checks: []string{"scope-syntax", "scope-granted-less"}},
		{ID: "classic-apps", Says: "classic apps (oauth.access, the scope bot) go on to work, new ones cannot be made", Standard: "RFC 9700 section 2.3", Effect: "move to oauth.v2.access and granular scopes; their end was put off without a day", From: "migrating classic apps", Checks: []string{"scope-broad"}},
		{ID: "two-tokens", Says: "one answer holds a bot's token and, in authed_user, a person's", Standard: "RFC 6749 section 5.1", Effect: "take the one that you need", From: "oauth.v2.access", Checks: []string{"token-type"}},
	},
}

var keycloak = &Provider{
	Name: "keycloak", Title: "Keycloak", AsOf: "2026-11-25", Redirect: "keycloak",
	Sources: []string{"https://www.keycloak.org/docs/latest/server_admin/", "https://www.keycloak.org/securing-apps/oidc-layers"},
	Issuers: []string{"*/realms/*", "*/auth/realms/*", "*/*/realms/*"},
	Can: map[string]Ability{
		CanPKCE: {Can: true, From: "securing applications, PKCE"}, CanEnforcePKCE: {Can: true, Note: "as a setting of the client", From: "advanced settings, PKCE"}, CanIssResponse: {Can: true, Since: "21", From: "release notes"},
		CanPAR: {Can: true, From: "PAR"}, CanJAR: {Can: true, From: "request object"}, CanJARM: {Can: true, From: "FAPI"}, CanDPoP: {Can: true, Since: "26.4", Note: "a preview since 23", From: "release notes"}, CanMTLS: {Can: true, From: "mutual TLS"},
		CanPrivateKeyJWT: {Can: true, From: "client authentication"}, CanRevoke: {Can: true, From: "endpoints"}, CanIntrospect: {Can: true, From: "endpoints"}, CanLogout: {Can: true, From: "endpoints"}, CanBackchannelLogout: {Can: true, From: "logout"},
		CanDevice: {Can: true, From: "device authorization grant"}, CanPassword: {Can: true, From: "direct access grants"}, CanImplicit: {Can: true, From: "implicit flow"}, CanTokenExchange: {Can: true, Since: "26.2", From: "standard token exchange"},
		CanRegister: {Can: true, Note: "by policies of the realm", From: "client registration"}, CanFormPost: {Can: true, From: "its metadata"}, CanClientCredentials: {Can: true, From: "service accounts"}, CanTwoSecrets: {Can: true, Note: "with the secret rotation policy", From: "client secret rotation"},
		CanRotateRefresh: {Can: true, Note: "revoke refresh token, a setting of the realm", From: "tokens tab"}, CanJWTAccessToken: {Can: true, Note: "typ is at+jwt when the client is set so", From: "advanced settings"},
	},
	Limits: map[string]Limit{LimitCodeSeconds: {Value: 60, Note: "client login timeout, a setting of the realm", From: "timeouts"}, LimitAccessMinutes: {Value: 5, Note: "a setting of the realm", From: "timeouts"}},
	Scopes: []Scope{
		{Name: "openid", Risk: "low"}, {Name: "profile", Risk: "low"}, {Name: "email", Risk: "low"}, {Name: "address", Risk: "low"}, {Name: "phone", Risk: "low"}, {Name: "offline_access", Risk: "low"}, {Name: "roles", Risk: "low"}, {Name: "web-origins", Risk: "low"}, {Name: "microprofile-jwt", Risk: "low"}, {Name: "acr", Risk: "low"}, {Name: "basic", Risk: "low"},
	},
	Ended: []Ended{
		{What: "its Java adapters", Match: []string{"keycloak-servlet-filter-adapter", "keycloak-spring-boot-starter", "keycloak-tomcat-adapter"}, On: "2024-06-10", Instead: "the OpenID Connect support of the framework", From: "release notes, 25"},
	},
	Quirks: []Quirk{
		{ID: "aud-account", Says: "access tokens have the audience account unless a mapper adds another", Standard: "RFC 9068 section 2.2", Effect: "add an audience mapper for the API", From: "audience support", Checks: []string{"token-aud"}},
		{ID: "hostname", Says: "the issuer follows the address that was asked, unless hostname is set", Standard: "RFC 8414 section 3.3", Effect: "set hostname, and X-Forwarded headers at the proxy", From: "configuring the hostname", Checks: []string{"issuer-identical", "token-iss", "proxy-forwarded", "discovery-internal-host"}},
		{ID: "full-scope", Says: "tokens hold every role of the user while full scope is allowed", Standard: "RFC 9700 section 2.3", Effect: "switch it off and give roles by scope", From: "role scope mappings", Checks: []string{"scope-full-allowed"}},
		{ID: "auth-path", Says: "issuers had /auth before /realms until version 17, and still have where http-relative-path says so", Standard: "RFC 8414 section 3.3", Effect: "after a move to 17 or later, change the issuer in every client, or set http-relative-path=/auth", From: "migrating to Quarkus", Checks: []string{"issuer-identical", "discovery-reachable"}},
		{ID: "star-at-end", Says: "a star at the end of a redirect URI covers every path", Standard: "RFC 9700 section 2.1", Effect: "register whole URIs", From: "client settings", Checks: []string{"redirect-wildcard"}},
	},
}

var ping = &Provider{
	Name: "ping", Title: "Ping Identity", AsOf: "2026-11-25", Redirect: "standard",
	Sources: []string{"https://docs.pingidentity.com/pingfederate/latest/developers_reference_guide/pf_openid_connect.html", "https://apidocs.pingidentity.com/pingone/"},
	Issuers: []string{"auth.pingone.com/*/as", "auth.pingone.eu/*/as", "auth.pingone.asia/*/as", "auth.pingone.ca/*/as", "auth.pingone.com.au/*/as"},
	Can: map[string]Ability{
		CanPKCE: {Can: true, From: "OAuth clients, PKCE"}, CanPAR: {Can: true, From: "PAR endpoint"}, CanPrivateKeyJWT: {Can: true, From: "client authentication"}, CanRevoke: {Can: true, From: "token revocation endpoint"}, CanIntrospect: {Can: true, From: "introspection endpoint"},
		CanLogout: {Can: true, From: "signoff"}, CanDevice: {Can: true, From: "device authorization endpoint"}, CanImplicit: {Can: true, From: "grant types"}, CanClientCredentials: {Can: true, From: "grant types"}, CanTokenExchange: {Can: true, From: "token exchange"},
		CanRotateRefresh: {Can: true, Note: "rolling refresh tokens, a setting", From: "authorization server settings"}, CanMTLS: {Can: true, Note: "PingFederate", From: "mutual TLS"}, CanDPoP: {Can: true, Note: "PingFederate 11.3 and newer", From: "DPoP"},
	},
	Limits: map[string]Limit{LimitCodeSeconds: {Value: 60, Note: "default of PingFederate", From: "authorization server settings"}},
	Scopes: []Scope{{Name: "p1:*", Risk: "broad", Note: "the API of PingOne"}, {Name: "openid", Risk: "low"}, {Name: "profile", Risk: "low"}, {Name: "email", Risk: "low"}},
	Quirks: []Quirk{{ID: "opaque-by-default", Says: "PingFederate's access tokens are references unless a JWT manager is chosen", Standard: "RFC 9068", Effect: "ask the introspection endpoint, or choose a JWT access token manager", From: "access token management", Checks: []string{"token-well-formed"}}},
}

var adfs = &Provider{
	Name: "adfs", Title: "Active Directory Federation Services", AsOf: "2026-11-25", Redirect: "standard",
	Sources: []string{"https://learn.microsoft.com/windows-server/identity/ad-fs/overview/ad-fs-openid-connect-oauth-concepts"},
	Issuers: []string{"*/adfs"},
	Can: map[string]Ability{
		CanPKCE: {Can: true, Since: "2019", From: "what's new in AD FS"}, CanDevice: {Can: true, Since: "2019", From: "device flow"}, CanPassword: {Can: true, From: "ROPC"}, CanImplicit: {Can: true, From: "implicit flow"}, CanPrivateKeyJWT: {Can: true, From: "confidential clients"},
		CanClientCredentials: {Can: true, From: "client credentials"}, CanRevoke: {Can: false, From: "its metadata"}, CanIntrospect: {Can: false, From: "its metadata"}, CanLogout: {Can: true, Since: "2016", From: "single log-out"}, CanPAR: {Can: false, From: "its metadata"}, CanRegister: {Can: false, From: "its metadata"},
		CanJWTAccessToken: {Can: true, Note: "without typ at+jwt; its issuer is the federation service's identifier (access_token_issuer)", From: "its metadata"},
	},
	Limits: map[string]Limit{LimitAccessMinutes: {Value: 60, From: "AD FS settings, TokenLifetime"}, LimitCodeSeconds: {Value: 600, From: "OAuth concepts"}},
	Scopes: []Scope{{Name: "user_impersonation", Risk: "broad"}, {Name: "logon_cert", Risk: "admin", Note: "a certificate to log on with"}, {Name: "winhello_cert", Risk: "admin"}, {Name: "vpn_cert", Risk: "broad"}, {Name: "openid", Risk: "low"}, {Name: "profile", Risk: "low"}, {Name: "email", Risk: "low"}, {Name: "allatclaims", Risk: "broad"}},
	Quirks: []Quirk{
		{ID: "two-issuers", Says: "access tokens have access_token_issuer as iss, ID tokens the issuer", Standard: "RFC 8414 section 3.3", Effect: "expect both", From: "its metadata", Checks: []string{"token-iss", "issuer-identical"}},
		{ID: "resource-in-scope", Says: "before 2019 the API is named by resource, later by the scope resource/scope", Standard: "RFC 8707", Effect: "send resource to old servers", From: "OAuth concepts", Checks: []string{"scope-resource", "scope-known"}},
	},
}

// generic is the provider that nothing is known of.
var generic = &Provider{
	Name: "generic", Title: "an OpenID provider", AsOf: "2026-11-25", Redirect: "standard",
	Sources: []string{"RFC 6749", "RFC 8414", "OpenID Connect Discovery"},
	Scopes: []Scope{
		{Name: "openid", Risk: "low"},
		{Name: "profile", Risk: "low"},
		{Name: "email", Risk: "low"},
		{Name: "address", Risk: "low"},
		{Name: "phone", Risk: "low"},
		{Name: "offline_access", Risk: "low"},
		{Name: "admin", Risk: "admin"},
		{Name: "*", Risk: "admin"},
		{Name: "*:admin", Risk: "admin"},
		{Name: "*.All", Risk: "broad"},
		{Name: "full_access", Risk: "admin"},
	},
}
