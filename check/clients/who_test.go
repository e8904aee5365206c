package clients_test

import (
	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

func knownCases() []kase {
	asked := func(id string) func(*check.Target) {
		return func(t *check.Target) { t.Request = &oauth.AuthorizationRequest{ClientID: id} }
	}
	probed := func(id string, a *check.ProbeAnswer) func(*check.Target) {
		return func(t *check.Target) { t.Probed = map[string]*check.ProbeAnswer{id: a} }
	}
	errorOf := func(code, text string, codes ...string) *check.ProbeAnswer {
		return &check.ProbeAnswer{Place: "GET https://login.example/authorize", Status: 302, Error: &evidence.ErrorBody{Code: code, Description: text, Codes: codes}}
	}
	native := func(r *evidence.Registration) { r.ApplicationType = "native" }
	public := func(r *evidence.Registration) { r.Public, r.AuthMethods = yes(), []string{"none"} }
	return []kase{
		{check: "client-id-known", name: "login required", target: target(asked("web"), probed("client-id-known", errorOf("login_required", ""))), want: ok, words: "login_required"},
		{check: "client-id-known", name: "probe says so itself", target: target(asked("web"), probed("client-id-known", &check.ProbeAnswer{Verdict: &check.Verdict{Outcome: wrong, Title: "no such client", Detail: "It says so.", Proof: []usher.Proof{{Place: "x"}}}})), want: wrong, words: "no such client"},
		{check: "client-id-known", name: "unknown at Entra", target: target(asked("web"), probed("client-id-known", errorOf("unauthorized_client", "AADSTS700016: Application was not found", "AADSTS700016"))), want: wrong, words: "knows no client web", cause: "client-unknown"},
		{check: "client-id-known", name: "a page", target: target(asked("web"), probed("client-id-known", &check.ProbeAnswer{Place: "x", Status: 400})), want: unknown, words: "redirect URI"},
		{check: "client-id-known", name: "skipped", target: target(asked("web"), probed("client-id-known", &check.ProbeAnswer{Skipped: "it needs a network"})), want: unknown, words: "it needs a network"},
		{check: "client-id-known", name: "another id than registered", target: target(asked("Web"), web()), want: wrong, words: "upper and lower case"},
		{check: "client-id-known", name: "ids that look like secrets", target: target(asked("AbCdEfGhIjKlMnOpQrStUvWxYz012345"), web(func(r *evidence.Registration) { r.ClientID = "ZbCdEfGhIjKlMnOpQrStUvWxYz012345" })), want: wrong, words: "The app sends the client id AbCdEfGhIjKlMnOpQrStUvWxYz012345, the registration has the client id ZbCdEfGhIjKlMnOpQrStUvWxYz012345"},
		{check: "client-id-known", name: "the name for the id", target: target(asked("Shop"), web()), want: wrong, words: "sends its name"},
		{check: "client-id-known", name: "one of many registrations", target: target(asked("other"), web(), web(func(r *evidence.Registration) { r.ClientID = "api" })), want: unknown},
		{check: "client-id-known", name: "GUIDs in either case", target: target(asked("BBBBBBBB-0000-4000-8000-000000000001"), entra()), want: unknown},
		{check: "client-id-known", name: "token given", target: target(gave(ask("client_secret", "x"))), want: ok, words: "went on"},
		{check: "client-id-known", name: "recorded refusal", target: target(refused(ask("client_secret", "x"), "invalid_client", "Client not found")), want: wrong, words: "Client not found"},
		{check: "client-id-known", name: "Keycloak leaves it open", target: target(refused(ask("client_secret", "x"), "invalid_client", "Invalid client or Invalid client credentials")), want: unknown},
		{check: "client-id-known", name: "the tenant is not known", target: target(refused(ask("client_secret", "x"), "invalid_request", "AADSTS90002: Tenant not found", "AADSTS90002")), want: unknown},
		{check: "client-id-known", name: "a wrong secret", target: target(refused(ask("client_secret", "x"), "invalid_client", "AADSTS7000215", "AADSTS7000215")), want: ok, words: "knew the client"},
		{check: "client-id-known", name: "switched off, whatever the token endpoint says", target: target(asked("web"), func(t *check.Target) {
			off := check.Wrong("switched off", "It says so.", usher.Proof{Place: "GET x"}).Because("client-disabled")
			no := check.Wrong("does not know the client", "It says so.", usher.Proof{Place: "POST x"}).Because("client-unknown")
			t.Probed = map[string]*check.ProbeAnswer{"client-id-known": {Verdict: &off}, "secret-valid": {Verdict: &no}}
		}), want: wrong, words: "switched off", cause: "client-disabled"},
		{check: "client-id-known", name: "the token endpoint says so", target: target(asked("web"), probed("secret-valid", errorOf("invalid_client", "Client not found"))), want: wrong, words: "knows no client web", cause: "client-unknown"},
		{check: "client-id-known", name: "a refusal that says nothing", target: target(refused(ask("client_secret", "x"), "invalid_client", "")), want: unknown},

		{check: "client-disabled", name: "on", target: target(web(func(r *evidence.Registration) { r.Enabled = yes() })), want: ok},
		{check: "client-disabled", name: "off", target: target(web(func(r *evidence.Registration) { r.Enabled = no() })), want: wrong, words: "Shop is switched off", cause: "client-disabled"},
		{check: "client-disabled", name: "not told", target: target(web()), want: unknown},
		{check: "client-disabled", name: "assignment", target: target(web(func(r *evidence.Registration) { r.Enabled, r.AssignmentRequired = yes(), yes() })), want: unknown, words: "assigned users only"},
		{check: "client-disabled", name: "realm off", target: target(&evidence.Registration{Shape: "keycloak-realm", Name: "shop", Enabled: no(), Place: "realm.json:1"}), want: wrong, words: "realm shop"},
		{check: "client-disabled", name: "not assigned", target: target(answered(authorize(), "error=interaction_required&error_description=AADSTS50105:+not+assigned&state=q0JRbzTzQkKpJkVQ8yBz6A")), want: wrong, words: "not assigned to it", cause: "user-not-assigned"},
		{check: "client-disabled", name: "refused as disabled", target: target(refused(ask("client_secret", "x"), "invalid_client", "AADSTS7000112: disabled", "AADSTS7000112")), want: wrong, cause: "client-disabled"},

		{check: "client-type-fits", name: "web with secret", target: target(web()), want: ok},
		{check: "client-type-fits", name: "native public", target: target(web(native, public)), want: ok},
		{check: "client-type-fits", name: "native with secret", target: target(web(native)), want: wrong, words: "native app and registered as confidential", cause: "client-type-mismatch"},
		{check: "client-type-fits", name: "web public", target: target(web(public)), want: wrong, words: "registered as public"},
		{check: "client-type-fits", name: "private scheme with secret", target: target(web(func(r *evidence.Registration) {
			r.ApplicationType = ""
			r.RedirectURIs = []evidence.RegisteredURI{{URI: "com.example.app:/cb"}}
		})), want: wrong, words: "confidential"},
		{check: "client-type-fits", name: "public with client_credentials", target: target(web(public, func(r *evidence.Registration) { r.GrantTypes = []string{"client_credentials"} })), want: wrong, words: "client_credentials"},
		{check: "client-type-fits", name: "kind not told", target: target(web(func(r *evidence.Registration) { r.ApplicationType = "" })), want: unknown},
		{check: "client-type-fits", name: "Entra platforms side by side", target: target(entra(creds(evidence.Credential{Kind: "secret"}), func(r *evidence.Registration) {
			r.RedirectURIs = append(r.RedirectURIs, evidence.RegisteredURI{URI: "https://app.example/spa", Platform: "spa"})
		})), want: ok},
		{check: "client-type-fits", name: "Entra web with public flows", target: target(entra(func(r *evidence.Registration) { r.Public = yes() })), want: wrong, words: "public client flows", severity: usher.SeverityMedium},
		{check: "client-type-fits", name: "Entra SPA with a secret", target: target(entra(creds(evidence.Credential{Kind: "secret"}), func(r *evidence.Registration) {
			r.RedirectURIs = []evidence.RegisteredURI{{URI: "https://app.example/spa", Platform: "spa"}}
		})), want: wrong, words: "browser app"},
		{check: "client-type-fits", name: "Google installed", target: target(&evidence.Registration{Provider: "google", ClientID: "g", Place: "g.json", Public: yes(), RedirectURIs: []evidence.RegisteredURI{{URI: "http://localhost", Platform: "installed"}}}), want: ok},

		{check: "secret-in-public-client", name: "public sends none", target: target(web(native, public), redeem()), want: ok},
		{check: "secret-in-public-client", name: "public sends one", target: target(web(native, public), redeem("client_secret", "s3cr3t-s3cr3t-s3cr3t")), want: wrong, words: "public client web sends a secret"},
		{check: "secret-in-public-client", name: "from a page", target: target(redeem("client_secret", "s3cr3t-s3cr3t-s3cr3t", "Origin", "https://app.example")), want: wrong, words: "page in the browser"},
		{check: "secret-in-public-client", name: "confidential", target: target(web()), want: na},
		{check: "secret-in-public-client", name: "not known whose", target: target(redeem("client_secret", "s3cr3t-s3cr3t-s3cr3t")), want: unknown},
		{check: "secret-in-public-client", name: "Google installed", target: target(&evidence.Registration{Provider: "google", ClientID: "web", Place: "g.json", Public: yes(), ApplicationType: "native"}, redeem("client_secret", "GOCSPX-AbCdEf123456GhIjKl")), want: ok},
	}
}
