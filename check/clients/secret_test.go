package clients_test

import (
	"encoding/json"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

const (
	good  = "Zx8Q~7abcDEF0123456789ghijkLMNOPqrstuvwx" // 40 characters, made up
	keyID = "7f9c2ba4-e88f-427d-916d-5f7ac5b0b2b4"
)

func secretCases() []kase {
	id := "bbbbbbbb-0000-4000-8000-000000000001"
	own := func(s string) func(*check.Target) {
		return func(t *check.Target) {
			t.Secret, t.Secrets = usher.Secret(s), append(t.Secrets, usher.Secret(s))
			t.Request = &oauth.AuthorizationRequest{ClientID: id}
		}
	}
	probed := func(status int, code, text string, codes ...string) func(*check.Target) {
		return func(t *check.Target) {
			e := &evidence.ErrorBody{Code: code, Description: text, Codes: codes}
			if code == "" {
				e = nil
			}
			if t.Request == nil {
				t.Request = &oauth.AuthorizationRequest{ClientID: "web"}
			}
			t.Probed = map[string]*check.ProbeAnswer{"secret-valid": {Place: "POST https://login.example/token", Status: status, Error: e, Sent: "a made-up code"}}
		}
	}
	hint := func(h string, ends time.Time) evidence.Credential {
		return evidence.Credential{Kind: "secret", Hint: h, ID: keyID, Expires: ends, Name: "pipeline"}
	}
	next, past := now.AddDate(1, 0, 0), now.AddDate(0, 0, -3)
	value := func(s string) func(*evidence.Registration) {
		return creds(evidence.Credential{Kind: "secret", Value: usher.Secret(s)})
	}
	return []kase{
		{check: "secret-valid", name: "right", target: target(probed(400, "invalid_grant", "Code not valid")), want: ok, words: "after the client is authenticated"},
		{check: "secret-valid", name: "right, grant not offered", target: target(probed(400, "unsupported_grant_type", "")), want: ok},
		{check: "secret-valid", name: "Entra looks at the code first", target: target(probed(400, "invalid_grant", "AADSTS9002313", "AADSTS9002313")), want: unknown, words: "before it looks at the secret"},
		{check: "secret-valid", name: "a token", target: target(probed(200, "", "")), want: ok},
		{check: "secret-valid", name: "no probe", target: target(), want: unknown},
		{check: "secret-valid", name: "wrong", target: target(probed(401, "invalid_client", "")), want: wrong, words: "is not the one that the provider holds", cause: "client-secret-invalid"},
		{check: "secret-valid", name: "wrong at Keycloak", target: target(probed(401, "unauthorized_client", "Invalid client or Invalid client credentials")), want: wrong, cause: "client-secret-invalid"},
		{check: "secret-valid", name: "wrong at Entra", target: target(probed(401, "invalid_client", "AADSTS7000215: Invalid client secret", "AADSTS7000215")), want: wrong, cause: "client-secret-invalid"},
		{check: "secret-valid", name: "expired", target: target(probed(401, "invalid_client", "AADSTS7000222: expired", "AADSTS7000222")), want: wrong, words: "has expired", cause: "client-secret-expired"},
		{check: "secret-valid", name: "expired by its words", target: target(probed(400, "invalid_client", "client secret has expired")), want: wrong, cause: "client-secret-expired"},
		{check: "secret-valid", name: "expired by the registration", target: target(own(good), entra(creds(hint("Zx8", past))), probed(401, "invalid_client", "")), want: wrong, words: "has expired", cause: "client-secret-expired"},
		{check: "secret-valid", name: "id for value", target: target(own(keyID), vendor("entra"), probed(401, "invalid_client", "AADSTS7000215", "AADSTS7000215")), want: wrong, words: "id of the secret", cause: "client-secret-id-used"},
		{check: "secret-valid", name: "id for value, not asked", target: target(own(keyID), entra(creds(hint("Zx8", next)))), want: wrong, words: "in place of its value", cause: "client-secret-id-used"},
		{check: "secret-valid", name: "id for value, the probe skipped", target: target(own(keyID), entra(creds(hint("Zx8", next))), func(t *check.Target) {
			t.Probed = map[string]*check.ProbeAnswer{"secret-valid": {Skipped: "no network"}}
		}), want: wrong, cause: "client-secret-id-used"},
		{check: "secret-valid", name: "the probe judges", target: target(own(good), func(t *check.Target) {
			v := check.OK("the provider complains of the code alone", usher.Proof{Place: "POST"})
			t.Probed = map[string]*check.ProbeAnswer{"secret-valid": {Verdict: &v, Status: 400}}
		}), want: ok, words: "complains of the code alone"},
		{check: "secret-valid", name: "method by its words", target: target(probed(401, "invalid_client", "The OAuth 2.0 Client supports client authentication method 'client_secret_basic', but method 'client_secret_post' was requested.")), want: wrong, words: "may not authenticate by", cause: "client-auth-method"},
		{check: "secret-valid", name: "method by the registration", target: target(web(), refused(ask("client_secret", good), "invalid_client", "")), want: wrong, words: "may not authenticate by client_secret_post", cause: "client-auth-method"},
		{check: "secret-valid", name: "list of causes is no cause", target: target(probed(401, "invalid_client", "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.")), want: wrong, cause: "client-secret-invalid"},
		{check: "secret-valid", name: "unknown client", target: target(probed(401, "invalid_client", "AADSTS700016", "AADSTS700016")), want: unknown, words: "see client-id-known"},
		{check: "secret-valid", name: "unknown client, told by the probe of the id", target: target(probed(401, "invalid_client", ""), func(t *check.Target) {
			v := check.Wrong("The provider does not know the client web", "", usher.Proof{Place: "GET x"})
			t.Probed["client-id-known"] = &check.ProbeAnswer{Verdict: &v}
		}), want: unknown, words: "see client-id-known"},
		{check: "secret-valid", name: "unknown client, by the probe's own verdict", target: target(probed(401, "invalid_client", ""), func(t *check.Target) {
			v := check.Wrong("The provider does not know the client web", "", usher.Proof{Place: "POST x"}).Because("client-unknown")
			t.Probed["secret-valid"].Verdict = &v
		}), want: unknown, words: "see client-id-known"},
		{check: "secret-valid", name: "the probe could not tell", target: target(own(good), func(t *check.Target) {
			v := check.Unknown(check.NeedNothing, "it looks at the code first")
			t.Probed = map[string]*check.ProbeAnswer{"secret-valid": {Verdict: &v, Status: 400}}
		}), want: unknown, words: "it looks at the code first"},
		{check: "secret-valid", name: "the probe was not sent", target: target(own(good), func(t *check.Target) {
			t.Probed = map[string]*check.ProbeAnswer{"secret-valid": {Skipped: "another origin"}}
		}), want: unknown, words: "another origin"},
		{check: "secret-valid", name: "a client that is switched off", target: target(own(good), func(t *check.Target) {
			off := check.Wrong("switched off", "It says so.", usher.Proof{Place: "GET x"}).Because("client-disabled")
			no := check.Wrong("does not know the client", "It says so.", usher.Proof{Place: "POST x"}).Because("client-unknown")
			t.Probed = map[string]*check.ProbeAnswer{"client-id-known": {Verdict: &off}, "secret-valid": {Verdict: &no}}
		}), want: unknown, words: "see client-id-known"},
		{check: "secret-valid", name: "a client that is known", target: target(own(good), func(t *check.Target) {
			yes := check.OK("", usher.Proof{Place: "GET x"})
			no := check.Wrong("does not take the key", "It says so.", usher.Proof{Place: "POST x"}).Because("client-unknown")
			t.Probed = map[string]*check.ProbeAnswer{"client-id-known": {Verdict: &yes}, "secret-valid": {Verdict: &no}}
		}), want: wrong},
		{check: "secret-valid", name: "wrong at Auth0", target: target(vendor("auth0"), refused(ask("client_secret", good), "access_denied", "Unauthorized")), want: wrong, cause: "client-secret-invalid"},
		{check: "secret-valid", name: "access_denied of somebody", target: target(refused(ask("client_secret", good), "access_denied", "")), want: unknown},
		{check: "secret-valid", name: "a device that was denied", target: target(refused(ask("client_secret", good, "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", "d"), "access_denied", "")), want: ok},
		{check: "secret-valid", name: "Keycloak looks at the grant first", target: target(vendor("keycloak"), probed(400, "unsupported_grant_type", "")), want: unknown},
		{check: "secret-valid", name: "public client", target: target(probed(401, "invalid_client", "AADSTS700025", "AADSTS700025")), want: wrong, words: "takes no secret", cause: "client-type-mismatch"},
		{check: "secret-valid", name: "disabled client", target: target(probed(401, "invalid_client", "AADSTS7000112", "AADSTS7000112")), want: wrong, words: "switched off", cause: "client-disabled"},
		{check: "secret-valid", name: "throttled", target: target(probed(429, "invalid_client", "")), want: unknown},
		{check: "secret-valid", name: "broken request", target: target(probed(400, "invalid_request", "")), want: unknown},
		{check: "secret-valid", name: "recorded success", target: target(gave(ask("client_secret", good))), want: ok},
		{check: "secret-valid", name: "hint of another", target: target(own(good), entra(creds(hint("abc", next)))), want: wrong, words: "begins as the hint says", cause: "client-secret-invalid"},
		{check: "secret-valid", name: "hint of an ended one", target: target(own(good), entra(creds(hint("Zx8", past), evidence.Credential{Kind: "secret", Hint: "new", Expires: next}))), want: wrong, cause: "client-secret-expired"},
		{check: "secret-valid", name: "hint fits", target: target(own(good), entra(creds(hint("Zx8", next)))), want: unknown, words: "nothing speaks against it"},
		{check: "secret-valid", name: "value cut off", target: target(web(value(good)), ask("basic", "web:"+good[:9])), want: wrong, words: "cut off: 9 of 40"},
		{check: "secret-valid", name: "value with line break", target: target(web(value(good)), ask("client_secret", good+"\n")), want: wrong, words: "blank or a line break"},
		{check: "secret-valid", name: "value in quotes", target: target(web(value(good)), ask("client_secret", `"`+good+`"`)), want: wrong, words: "quotes around it"},
		{check: "secret-valid", name: "value with more", target: target(web(value(good)), ask("client_secret", good+"xy")), want: wrong, words: "with 2 characters more"},
		{check: "secret-valid", name: "value encoded twice", target: target(web(value("ab+cd/ef0123456789")), ask("client_secret", "ab%2Bcd%2Fef0123456789")), want: wrong, words: "encoded once more"},
		{check: "secret-valid", name: "value decoded on the way", target: target(web(value("ab+cdef0123456789")), ask("client_secret", "ab cdef0123456789")), want: wrong, words: "decoded on the way"},
		{check: "secret-valid", name: "value in other case", target: target(web(value(good)), ask("client_secret", strings.ToUpper(good))), want: wrong, words: "upper and lower case"},
		{check: "secret-valid", name: "value fits", target: target(web(value(good)), ask("basic", "web:"+good)), want: ok, words: "the one in the registration"},

		{check: "secret-valid", name: "the answer alone", target: target(alone("invalid_client", "AADSTS7000222", "AADSTS7000222")), want: wrong, words: "The secret of the client has expired", cause: "client-secret-expired"},
		{check: "secret-valid", name: "an answer beside the request", target: target(ask("client_secret", good), alone("invalid_client", "")), want: wrong, words: "The secret of web is not", cause: "client-secret-invalid"},
		{check: "secret-valid", name: "a refusal of something else", target: target(alone("invalid_client", "AADSTS50011", "AADSTS50011")), want: unknown},
		{check: "secret-valid", name: "a GUID to Entra", target: target(func() *check.TokenCall {
			c := refused(ask("client_secret", keyID), "invalid_client", "AADSTS7000215", "AADSTS7000215")
			c.Request.Endpoint = "https://login.microsoftonline.com/t/oauth2/v2.0/token"
			return c
		}()), want: wrong, cause: "client-secret-id-used"},

		{check: "secret-entropy", name: "long", target: target(ask("client_secret", good)), want: ok},
		{check: "secret-entropy", name: "short", target: target(ask("client_secret", "x7Kq2mP9")), want: wrong, words: "bits"},
		{check: "secret-entropy", name: "words", target: target(ask("client_secret", "my-very-own-client-secret-for-the-big-shop")), want: wrong, words: "made of words"},
		{check: "secret-entropy", name: "the same again", target: target(web(value("ababababababababababababababababababababab"))), want: wrong},
		{check: "secret-entropy", name: "UUID", target: target(web(value(keyID))), want: wrong, words: "UUID", severity: usher.SeverityLow},
		{check: "secret-entropy", name: "hexadecimal", target: target(web(value("0123456789abcdef0123456789abcdef"))), want: ok, words: "128 bits"},
		{check: "secret-entropy", name: "key of HS256", target: target(web(value("Zx8Q7abcDEF0123456789ghijk"), func(r *evidence.Registration) { r.AuthMethods = []string{"client_secret_jwt"} })), want: wrong, words: "HS256"},
		{check: "secret-entropy", name: "value not there", target: target(entra(creds(hint("abc", next)))), want: unknown},

		{check: "secret-exposed", name: "in the browser", target: target(authorize("client_secret", good)), want: wrong, words: "goes through the browser"},
		{check: "secret-exposed", name: "in the query", target: target(func() *check.TokenCall {
			c := ask("client_secret", good)
			c.Exchange.URL += "?client_secret=" + good
			return c
		}()), want: wrong, words: "in its address"},
		{check: "secret-exposed", name: "in a redirect", target: target(&check.Answer{Place: "a", Header: map[string][]string{"Location": {"https://x.example/?a=b&client_secret=" + good}}}), want: wrong, words: "redirect carries"},
		{check: "secret-exposed", name: "in a log", target: target(event(func(e *usher.Event) { e.Masked = []string{"unmapped.client_secret"} })), want: wrong, words: "log holds"},
		{check: "secret-exposed", name: "in an access log", target: target(event(func(e *usher.Event) { e.Request.Path = "/token?grant_type=x&client_secret=[secret]" })), want: wrong, words: "in its address"},
		{check: "secret-exposed", name: "an empty parameter", target: target(event(func(e *usher.Event) { e.Request.Path = "/token?client_secret=&x=1" })), want: ok},
		{check: "secret-exposed", name: "nowhere", target: target(event(nil), authorize()), want: ok},
		{check: "secret-exposed", name: "a request that was told of only", target: target(func(t *check.Target) {
			t.AuthCalls = append(t.AuthCalls, &check.AuthCall{Partial: true, Request: &oauth.AuthorizationRequest{ClientID: "web"}})
		}), want: unknown},
		{check: "secret-exposed", name: "nothing to look in", target: target(web()), want: unknown},

		{check: "secret-shared", name: "two clients", target: target(web(value(good)), web(value(good), func(r *evidence.Registration) { r.ClientID = "api" })), want: wrong, words: "web and api have the same secret"},
		{check: "secret-shared", name: "one client twice", target: target(web(value(good)), ask("client_secret", good)), want: ok},
		{check: "secret-shared", name: "two services", target: target(
			event(func(e *usher.Event) { e.OAuth.Credential, e.UserAgent, e.Source.ASN = keyID, "python-requests/2", 100 }),
			event(func(e *usher.Event) { e.OAuth.Credential, e.UserAgent, e.Source.ASN = keyID, "Go-http-client/1.1", 200 })), want: wrong, words: "Several services"},
		{check: "secret-shared", name: "one service moves", target: target(
			event(func(e *usher.Event) { e.OAuth.Credential, e.UserAgent, e.Source.ASN = keyID, "python-requests/2", 100 }),
			event(func(e *usher.Event) { e.OAuth.Credential, e.UserAgent, e.Source.ASN = keyID, "python-requests/3", 200 })), want: ok},
		{check: "secret-shared", name: "nothing", target: target(web()), want: unknown},

		{check: "secret-chars", name: "plus in Basic", target: target(ask("basic", "web:abc+def0123456789")), want: wrong, words: "has a +", cause: "client-secret-invalid"},
		{check: "secret-chars", name: "plus in Basic, accepted", target: target(gave(ask("basic", "web:abc+def0123456789"))), want: ok},
		{check: "secret-chars", name: "percent in Basic", target: target(ask("basic", "web:abc%zz0123456789")), want: wrong, words: "has a %"},
		{check: "secret-chars", name: "encoded", target: target(ask("basic", "web:abc%2Bdef0123456789")), want: ok},
		{check: "secret-chars", name: "plain", target: target(ask("basic", "web:"+good)), want: ok},
		{check: "secret-chars", name: "raw plus in a form", target: target(&check.TokenCall{Place: "curl.txt:1", Request: must(oauth.ParseTokenRequest("https://login.example/token", nil, "grant_type=client_credentials&client_id=web&client_secret=abc+def0123456789"))}), want: wrong, words: "unencoded"},
		{check: "secret-chars", name: "blank", target: target(ask("client_secret", " abcdef0123456789")), want: wrong, words: "blank"},
		{check: "secret-chars", name: "post passes, Basic does not", target: target(refused(ask("basic", "web:ab/cdef012345678"), "invalid_client", ""), gave(ask("client_secret", "ab/cdef012345678"))), want: wrong, words: "passes in the body"},
		{check: "secret-chars", name: "no secret", target: target(redeem()), want: unknown},
	}
}

func expiryCases() []kase {
	secret := func(starts, ends int) evidence.Credential {
		return evidence.Credential{Kind: "secret", ID: keyID, Name: "pipeline", Starts: now.AddDate(0, 0, starts), Expires: now.AddDate(0, 0, ends)}
	}
	second := func(starts, ends int) evidence.Credential {
		c := secret(starts, ends)
		c.ID, c.Name = "11111111-e88f-427d-916d-5f7ac5b0b2b4", "second"
		return c
	}
	cert := secret(-300, -1)
	cert.Kind = "certificate"
	used := func(id string, ago int) *usher.Event {
		return event(func(e *usher.Event) {
			e.Client.UID, e.OAuth.Credential, e.Time = "bbbbbbbb-0000-4000-8000-000000000001", id, now.AddDate(0, 0, -ago)
		})
	}
	return []kase{
		{check: "secret-expiry", name: "a name that looks like a secret", target: target(entra(creds(evidence.Credential{Kind: "secret", Name: "pipeline-2026", Expires: now.AddDate(0, 0, 3)}))), want: wrong, words: "The secret named pipeline-2026 of"},
		{check: "secret-expiry", name: "a year off", target: target(entra(creds(secret(-10, 365)))), want: ok, words: "2027-11-25"},
		{check: "secret-expiry", name: "three weeks", target: target(entra(creds(secret(-10, 21)))), want: wrong, words: "ends in 21 days", severity: usher.SeverityMedium},
		{check: "secret-expiry", name: "three days", target: target(entra(creds(secret(-10, 3)))), want: wrong, words: "ends in 3 days", severity: usher.SeverityHigh},
		{check: "secret-expiry", name: "past", target: target(entra(creds(secret(-400, -20)))), want: wrong, words: "ended 20 days ago", severity: usher.SeverityCritical, cause: "client-secret-expired"},
		{check: "secret-expiry", name: "certificate past", target: target(entra(creds(cert))), want: wrong, words: "certificate", cause: "client-assertion-invalid"},
		{check: "secret-expiry", name: "rest of a rotation", target: target(entra(creds(secret(-400, -20), second(-30, 300)))), want: wrong, words: "still listed", severity: usher.SeverityLow},
		{check: "secret-expiry", name: "rotation under way", target: target(entra(creds(secret(-400, 5), second(-30, 300)))), want: wrong, words: "second, which lives until", severity: usher.SeverityLow},
		{check: "secret-expiry", name: "the old one is in use", target: target(entra(creds(secret(-400, 5), second(-30, 300))), used(keyID, 1)), want: wrong, words: "ends in 5 days", severity: usher.SeverityHigh},
		{check: "secret-expiry", name: "both end", target: target(entra(creds(secret(-400, -5), second(-30, 2)))), want: wrong, words: "second of Shop ends in 2 days", severity: usher.SeverityHigh},
		{check: "secret-expiry", name: "no dates", target: target(entra(creds(evidence.Credential{Kind: "secret"}))), want: unknown},
		{check: "secret-expiry", name: "no end", target: target(&evidence.Registration{Provider: "auth0", ClientID: "a", Place: "a.json", Credentials: []evidence.Credential{{Kind: "secret", Place: "a.json"}}}), want: ok, words: "no end date"},
		{check: "secret-expiry", name: "of a dynamic registration", target: target(&check.DCRAnswer{Place: "dcr.json", SecretExpires: now.AddDate(0, 0, -1)}), want: wrong, severity: usher.SeverityCritical},
		{check: "secret-expiry", name: "of a dynamic registration without end", target: target(&check.DCRAnswer{Place: "dcr.json", Raw: map[string]json.RawMessage{"client_secret_expires_at": json.RawMessage("0")}}), want: ok},
		{check: "secret-expiry", name: "nothing", target: target(web()), want: unknown},

		{check: "secret-age", name: "young", target: target(entra(creds(secret(-10, 365)))), want: ok},
		{check: "secret-age", name: "old", target: target(entra(creds(secret(-200, 365)))), want: wrong, words: "200 days old"},
		{check: "secret-age", name: "old by the operator's rule", target: target(entra(creds(secret(-40, 365))), func(t *check.Target) { t.Expect = &check.Expect{SecretMaxAge: usher.Duration(30 * 24 * time.Hour)} }), want: wrong, words: "40 days"},
		{check: "secret-age", name: "ended", target: target(entra(creds(secret(-400, -3)))), want: na},
		{check: "secret-age", name: "not told", target: target(entra(creds(evidence.Credential{Kind: "secret", Expires: now.AddDate(1, 0, 0)}))), want: unknown},

		{check: "secret-overlap", name: "overlap", target: target(entra(creds(secret(-400, 5), second(-30, 300)))), want: ok},
		{check: "secret-overlap", name: "gap", target: target(entra(creds(secret(-400, -20), second(-10, 300)))), want: wrong, words: "For 10 days"},
		{check: "secret-overlap", name: "one secret", target: target(entra(creds(secret(-40, 300)))), want: unknown},
		{check: "secret-overlap", name: "removed in use", target: target(entra(creds(secret(-40, 300))),
			event(func(e *usher.Event) {
				e.Kind, e.Time, e.Change = usher.EventAdmin, now.Add(-2*time.Hour), &usher.Change{Operation: "delete", Type: "secret", Target: usher.Party{UID: "bbbbbbbb-0000-4000-8000-000000000001"}}
			}),
			event(func(e *usher.Event) {
				e.Client.UID, e.Status, e.StatusCode = "bbbbbbbb-0000-4000-8000-000000000001", usher.StatusFailure, "AADSTS7000215"
			})), want: wrong, words: "removed while it was in use"},

		{check: "secret-unused", name: "used", target: target(entra(creds(secret(-300, 300))), used(keyID, 1), used(keyID, 90)), want: ok},
		{check: "secret-unused", name: "unused", target: target(entra(creds(secret(-300, 300), second(-300, 300))), used(keyID, 1), used(keyID, 90)), want: wrong, words: "Nothing uses the secret named second"},
		{check: "secret-unused", name: "too new to tell", target: target(entra(creds(secret(-300, 300), second(-5, 300))), used(keyID, 1), used(keyID, 90)), want: ok},
		{check: "secret-unused", name: "short log", target: target(entra(creds(secret(-300, 300))), used(keyID, 1)), want: unknown, words: "60 days"},
		{check: "secret-unused", name: "log without credentials", target: target(entra(creds(secret(-300, 300))), used("", 90)), want: unknown},

		{check: "secret-count", name: "two", target: target(entra(creds(secret(-1, 1), second(-1, 2)))), want: ok},
		{check: "secret-count", name: "three", target: target(entra(creds(secret(-1, 1), second(-1, 2), second(-1, 3)))), want: wrong, words: "3 valid secrets"},
		{check: "secret-count", name: "three with a dead one", target: target(entra(creds(secret(-1, 1), second(-1, 2), second(-10, -3)))), want: ok},
		{check: "secret-count", name: "nothing", target: target(web()), want: unknown},
	}
}
