package tokens_test

import (
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
)

func sendingRows() []row {
	answer := func(members string) func(*check.Target) {
		return redeemed("", `{"access_token":"at-0123456789","expires_in":300`+members+`}`, now)
	}
	sent := func(h string) *check.Target { return target(call(200, api, now, "Authorization: "+h)) }
	raw := access(nil).Raw.Reveal()
	bound := access(obj{"cnf": obj{"jkt": thumbprint(key)}})
	form := target(call(200, api, now, "Authorization: Bearer at-0123456789", "Content-Type: application/x-www-form-urlencoded"))
	form.APICalls[0].Exchange.RequestBody = "access_token=at-0123456789"
	return []row{
		{"token-type", "Bearer", target(answer(`,"token_type":"Bearer"`)), ok, ""},
		{"token-type", "in small letters", target(answer(`,"token_type":"bearer"`)), ok, ""},
		{"token-type", "missing", target(answer("")), wrong, "no token_type"},
		{"token-type", "Slack's own", target(provider("slack"), answer(`,"token_type":"bot"`)), ok, "Slack"},
		{"token-type", "unheard of", target(answer(`,"token_type":"bot"`)), wrong, `"bot"`},
		{"token-type", "DPoP sent as Bearer", target(answer(`,"token_type":"DPoP"`), call(200, api, now, "Authorization: Bearer at-0123456789")), wrong, "sent as Bearer"},
		{"token-type", "bound, sent as Bearer", target(tokens(bound), call(200, api, now, bearer(bound))), wrong, "sent as Bearer"},
		{"token-type", "sent as told", target(answer(`,"token_type":"Bearer"`), call(200, api, now, "Authorization: Bearer at-0123456789")), ok, ""},
		{"token-type", "sent otherwise", target(answer(`,"token_type":"Bearer"`), call(200, api, now, "Authorization: token at-0123456789")), wrong, "sent as token"},
		{"token-type", "nothing", target(call(200, api, now, "Authorization: Bearer at-0123456789")), unknown, ""},

		{"token-header-form", "good", sent("Bearer " + raw), ok, ""},
		{"token-header-form", "scheme twice", sent("Bearer Bearer " + raw), wrong, "twice"},
		{"token-header-form", "quotes", sent(`Bearer "` + raw + `"`), wrong, "quotes"},
		{"token-header-form", "a line end", sent("Bearer " + raw + "\n"), wrong, "line end"},
		{"token-header-form", "cut off", sent("Bearer " + raw[:strings.LastIndexByte(raw, '.')-20]), wrong, "cut off"},
		{"token-header-form", "no scheme", sent(raw), wrong, "without a scheme"},
		{"token-header-form", "no token", sent("Bearer "), wrong, "no token"},
		{"token-header-form", "undefined", sent("Bearer undefined"), wrong, "undefined"},
		{"token-header-form", "two blanks", sent("Bearer  " + raw), wrong, "more than one blank"},
		{"token-header-form", "a colon", sent("Bearer: " + raw), wrong, "colon"},
		{"token-header-form", "a colon behind DPoP", sent("DPoP: " + raw), wrong, "colon"},
		{"token-header-form", "masked", sent("Bearer ***"), unknown, ""},
		{"token-header-form", "masked in brackets", sent("Bearer <redacted>"), unknown, ""},
		{"token-header-form", "a variable of a shell", target(call(0, api, now, "Authorization: Bearer $TOKEN")), unknown, ""},
		{"token-header-form", "a variable in braces", target(call(0, api, now, "Authorization: Bearer ${ACCESS_TOKEN}")), unknown, ""},
		{"token-header-form", "a name of a manual", target(call(0, api, now, "Authorization: Bearer <access token>")), unknown, ""},
		{"token-header-form", "a variable that was sent", sent("Bearer $TOKEN"), wrong, "$TOKEN"},
		{"token-header-form", "Basic", sent("Basic dTpw"), na, ""},

		{"token-multiple-transport", "header", sent("Bearer " + raw), ok, ""},
		{"token-multiple-transport", "header and query", target(call(200, api+"?access_token=at-0123456789", now, "Authorization: Bearer at-0123456789")), wrong, "in a header and in the query"},
		{"token-multiple-transport", "header and form", form, wrong, "in the form"},
		{"token-multiple-transport", "none", target(call(200, api, now)), na, ""},
	}
}

func keepingRows() []row {
	use := func(uid, ip, country, agent string, after time.Duration) *usher.Event {
		return &usher.Event{UID: uid, Time: now.Add(after), Kind: usher.EventAPI, Source: usher.Endpoint{IP: ip, Country: country}, UserAgent: agent, OAuth: usher.OAuthFacts{TokenUID: "j1"}}
	}
	tok := access(nil)
	two := access(obj{"aud": []string{api, "https://other.test"}})
	spa := evidence.Registration{ClientID: client, RedirectURIs: []evidence.RegisteredURI{{URI: "https://app.example/cb", Platform: "spa", Place: "app.json"}}}
	implicit := spa
	implicit.ResponseTypes = []string{"token id_token"}
	server := spa
	server.RedirectURIs = []evidence.RegisteredURI{{URI: "https://app.example/cb", Platform: "web"}}
	storage := func(t *check.Target) {
		t.Settings = append(t.Settings, evidence.Fact{Key: "setting", Value: "cachelocation=localstorage", Place: "auth.ts:4", Quote: "cacheLocation: 'localstorage'"})
	}
	note := func(e usher.Event) *check.Target {
		e.UID, e.Time, e.Kind = "e1", now, usher.EventAPI
		return target(events(&e))
	}
	return []row{
		{"token-replay", "one place", target(events(use("1", "192.0.2.1", "DE", "curl", 0), use("2", "192.0.2.1", "DE", "curl", time.Minute))), ok, ""},
		{"token-replay", "two countries", target(events(use("1", "192.0.2.1", "DE", "curl", 0), use("2", "198.51.100.1", "BR", "curl", time.Minute))), wrong, "DE and BR"},
		{"token-replay", "two networks and programs", target(events(use("1", "192.0.2.1", "", "curl", 0), use("2", "198.51.100.1", "", "Firefox", time.Minute))), wrong, "two networks"},
		{"token-replay", "a phone that moves", target(events(use("1", "192.0.2.1", "", "app", 0), use("2", "198.51.100.1", "", "app", time.Minute))), ok, ""},
		{"token-replay", "hours between", target(events(use("1", "192.0.2.1", "DE", "curl", 0), use("2", "198.51.100.1", "BR", "curl", 9*time.Hour))), ok, ""},
		{"token-replay", "no ids", note(usher.Event{}), unknown, ""},

		{"token-in-logs", "none", note(usher.Event{Message: "GET /orders 200"}), ok, ""},
		{"token-in-logs", "in a path", note(usher.Event{Request: usher.Request{Path: "/cb?access_token=[secret]"}}), wrong, "http_request.path"},
		{"token-in-logs", "a header", note(usher.Event{Message: "sent Authorization: Bearer [secret]"}), wrong, "access tokens"},
		{"token-in-logs", "a code", note(usher.Event{Request: usher.Request{Path: "/cb?code=[secret]&state=x"}}), wrong, "authorization codes"},
		{"token-in-logs", "in the record as it stands", target(events(&usher.Event{UID: "e1", Time: now}), func(t *check.Target) {
			t.Logs = []*check.LogText{{Place: "access.log:8", Text: `"GET /api/orders?access_token=eyJhbGciOiJub25lIn0.e30. HTTP/1.1" 401`}}
		}), wrong, "access.log:8"},
		{"token-in-logs", "nothing in the record as it stands", target(events(&usher.Event{UID: "e1", Time: now}), func(t *check.Target) {
			t.Logs = []*check.LogText{{Place: "access.log:8", Text: `"GET /api/orders?page=2 HTTP/1.1" 401`}}
		}), ok, ""},
		{"token-in-logs", "texts are not there", note(usher.Event{}), unknown, ""},
		{"token-in-logs", "in two fields", note(usher.Event{Unmapped: map[string]string{"b": "access_token=[secret]", "a": "refresh_token=[secret]", "c": "id_token=[secret]"}}), wrong, "refresh tokens, in a"},
		{"token-in-logs", "an id that was masked", note(usher.Event{Unmapped: map[string]string{"session": "[secret]"}}), ok, ""},

		{"token-storage-browser", "local storage", target(registered(spa), storage), wrong, "local storage"},
		{"token-storage-browser", "implicit", target(registered(implicit)), wrong, "in the address"},
		{"token-storage-browser", "a browser app", target(registered(spa)), unknown, ""},
		{"token-storage-browser", "in memory", target(registered(spa), func(t *check.Target) {
			t.Settings = append(t.Settings, evidence.Fact{Key: "setting", Value: "cachelocation=memory", Place: "auth.ts:4", Quote: "cacheLocation: 'memory'"})
		}), ok, ""},
		{"token-storage-browser", "local storage switched off", target(registered(spa), func(t *check.Target) {
			t.Settings = append(t.Settings, evidence.Fact{Key: "useLocalStorage", Value: "false", Place: "auth.ts:4"})
		}), unknown, ""},
		{"token-storage-browser", "a server", target(registered(server)), na, ""},

		{"passthrough", "one API", target(tokens(tok), call(200, api, now, bearer(tok)), call(200, api+"/b", now, bearer(tok))), ok, ""},
		{"passthrough", "two sites", target(tokens(tok), call(200, api, now, bearer(tok)), call(200, "https://other.test", now, bearer(tok))), wrong, "other.test"},
		{"passthrough", "one site", target(tokens(tok), call(200, api, now, bearer(tok)), call(200, "https://files.api.example", now, bearer(tok))), ok, ""},
		{"passthrough", "nobody knows whom it is for", target(call(200, api, now, "Authorization: Bearer at-0123456789"), call(200, "https://other.test", now, "Authorization: Bearer at-0123456789")), unknown, ""},
		{"passthrough", "for both", target(tokens(two), call(200, api, now, bearer(two)), call(200, "https://other.test", now, bearer(two))), ok, ""},
		{"passthrough", "the provider's userinfo", target(tokens(tok), metadata(nil), call(200, iss+"/userinfo", now, bearer(tok)), call(200, api, now, bearer(tok))), ok, ""},
		{"passthrough", "no token", target(call(200, api, now)), unknown, ""},
	}
}
