package grant_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/broker/grant"
)

// canned answers every request in the same way, without a network.
type canned struct {
	status int
	header http.Header
	body   string
}

func (c canned) Once(req *http.Request) (*http.Response, error) {
	h := c.header.Clone()
	if h == nil {
		h = http.Header{"Content-Type": {"application/json"}, "Date": {now.Format(http.TimeFormat)}}
	}
	return &http.Response{StatusCode: c.status, Header: h, Body: io.NopCloser(strings.NewReader(c.body)), Request: req}, nil
}

func answerOf(t *testing.T, c canned) (*grant.Answer, *grant.Refusal) {
	t.Helper()
	a := grant.New(grant.Options{HTTP: c, Now: func() time.Time { return now }})
	answer, err := a.Ask(t.Context(), request("https://idp.example", "client_secret_post"))
	if err != nil {
		return nil, refusalOf(t, err)
	}
	return answer, nil
}

// unsigned makes a JWT with these claims.
func unsigned(claims string) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(`{"alg":"RS256"}`)) + "." + b([]byte(claims)) + "." + b([]byte("signature"))
}

func at(d time.Duration) int64 { return now.Add(d).Unix() }

// TestLife reads how long tokens live.
func TestLife(t *testing.T) {
	jwt := func(iat, exp time.Duration) string {
		return unsigned(fmt.Sprintf(`{"iat":%d,"exp":%d}`, at(iat), at(exp)))
	}
	for _, tt := range []struct {
		name    string
		members string // beside access_token and token_type
		token   string // "" is opaque
		want    time.Duration
		note    string // a part of one of the notes; "" is that there is none
	}{
		{"a number", `"expires_in":3600`, "", time.Hour, ""},
		{"text", `"expires_in":"3600"`, "", time.Hour, "expires_in is written as text"},
		{"text with blanks", `"expires_in":" 3600 "`, "", time.Hour, "as text"},
		{"a float", `"expires_in":3599.9`, "", 3599 * time.Second, "not a whole number"},
		{"a whole float", `"expires_in":3600.0`, "", time.Hour, ""},
		{"an exponent", `"expires_in":3.6e3`, "", time.Hour, ""},
		{"half a second", `"expires_in":0.5`, "", time.Second, "not a whole number"},
		{"zero", `"expires_in":0`, "", 0, "expires_in is 0"},
		{"negative", `"expires_in":-1`, "", 0, "negative (-1)"},
		{"absent", `"x":1`, "", 0, "does not say how long"},
		{"null", `"expires_in":null`, "", 0, "does not say how long"},
		{"words", `"expires_in":"never"`, "", 0, `"never", which is no number`},
		{"infinite", `"expires_in":"Infinity"`, "", 0, "no number"},
		{"hexadecimal", `"expires_in":"0x10"`, "", 0, "no number"},
		{"a list", `"expires_in":[3600]`, "", 0, "no number"},
		{"an object", `"expires_in":{"s":1}`, "", 0, "no number"},
		{"true", `"expires_in":true`, "", 0, "no number"},
		{"ten years", `"expires_in":315360000`, "", 10 * 365 * 24 * time.Hour, ""},
		{"more than ten years", `"expires_in":315360001`, "", 0, "more than ten years"},
		{"overflow", `"expires_in":9223372036854775807`, "", 0, "more than ten years"},
		{"beyond floats", `"expires_in":1e999`, "", 0, "more than ten years"},
		{"beyond floats, negative", `"expires_in":-1e999`, "", 0, "negative"},
		{"a moment", fmt.Sprintf(`"expires_in":%d`, at(time.Hour)), "", time.Hour, "a point in time and no lifetime"},
		{"a moment in milliseconds", fmt.Sprintf(`"expires_in":%d`, 1000*at(time.Hour)), "", time.Hour, "a point in time"},
		{"a moment that is past", fmt.Sprintf(`"expires_in":%d`, at(-time.Hour)), "", 0, "more than ten years"},
		{"expires_on of Entra v1", fmt.Sprintf(`"expires_on":"%d"`, at(time.Hour)), "", time.Hour, "tells the end of the token (expires_on)"},
		{"expires_at", `"expires_at":"2026-11-25T13:00:00Z"`, "", time.Hour, "(expires_at)"},
		{"expires_at that is past", `"expires_at":"2026-11-25T11:00:00Z"`, "", 0, "not in the ten years to come"},
		{"expires_in and expires_on", fmt.Sprintf(`"expires_in":3600,"expires_on":"%d"`, at(9*time.Hour)), "", time.Hour, ""},
		{"ext_expires_in is no life", `"expires_in":3599,"ext_expires_in":7199`, "", 3599 * time.Second, ""},
		{"camel", `"expiresIn":3600`, "", time.Hour, "expiresIn for expires_in"},
		{"issued before", fmt.Sprintf(`"expires_in":3600,"issued_at":"%d"`, 1000*at(-10*time.Minute)), "", 50 * time.Minute, "issued 10m ago"},
		{"issued too long ago", fmt.Sprintf(`"expires_in":3600,"issued_at":"%d"`, at(-2*time.Hour)), "", time.Second, "issued 2h ago"},
		{"issued now", fmt.Sprintf(`"expires_in":3600,"issued_at":"%d"`, 1000*at(0)), "", time.Hour, ""},
		{"JWT that agrees", `"expires_in":3600`, jwt(0, time.Hour), time.Hour, ""},
		{"JWT that agrees but for seconds", `"expires_in":3600`, jwt(0, time.Hour-5*time.Second), time.Hour - 5*time.Second, ""},
		{"JWT that ends earlier", `"expires_in":86400`, jwt(0, 10*time.Minute), 10 * time.Minute, "ends 10m from now by its own exp, and the answer says 24h; the earlier counts"},
		{"JWT that ends later", `"expires_in":600`, jwt(0, time.Hour), 10 * time.Minute, "lives 1h by its own exp, and the answer says 10m"},
		{"JWT alone", `"x":1`, jwt(0, time.Hour), time.Hour, "read from its own exp: 1h"},
		{"JWT and an absurd life", `"expires_in":1e18`, jwt(0, time.Hour), time.Hour, "more than ten years"},
		{"JWT that has ended", `"expires_in":3600`, jwt(-3*time.Hour, -2*time.Hour), time.Hour, "one of the clocks is wrong"},
		{"JWT that has ended, and says so", `"expires_in":60`, jwt(-3*time.Hour, -2*time.Hour), time.Second, "has ended 2h ago"},
		{"JWT without exp", `"expires_in":3600`, unsigned(`{"iat":1}`), time.Hour, ""},
		{"JWT with exp as text", `"x":1`, unsigned(fmt.Sprintf(`{"exp":"%d"}`, at(time.Hour))), time.Hour, "its own exp"},
		{"JWT with an absurd exp", `"expires_in":3600`, unsigned(`{"exp":99999999999999}`), time.Hour, ""},
		{"no JWT", `"expires_in":3600`, "a.b.c", time.Hour, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := tt.token
			if token == "" {
				token = "opaque"
			}
			a, r := answerOf(t, canned{status: 200, body: `{"access_token":"` + token + `","token_type":"Bearer",` + tt.members + `}`})
			if r != nil {
				t.Fatal(r)
			}
			if a.ExpiresIn != tt.want {
				t.Errorf("lives %v, want %v; %q", a.ExpiresIn, tt.want, a.Notes)
			}
			if tt.note == "" && len(a.Notes) > 0 || tt.note != "" && !slices.ContainsFunc(a.Notes, func(n string) bool { return strings.Contains(n, tt.note) }) {
				t.Errorf("notes %q, want %q", a.Notes, tt.note)
			}
			if !a.Received.Equal(now) {
				t.Errorf("received %v", a.Received)
			}
		})
	}
}

// TestClocks: the provider's clock lies, or ours does.
func TestClocks(t *testing.T) {
	for _, tt := range []struct {
		name     string
		date     time.Duration // of the answer, from our clock
		iat, exp time.Duration // of the token
		want     time.Duration
		note     string
	}{
		{"both agree", 0, 0, time.Hour, time.Hour, ""},
		{"half a minute is nothing", 30 * time.Second, 0, time.Hour, time.Hour, ""},
		// We are behind: by our clock the token ends in three hours, by theirs in one.
		{"theirs is ahead", 2 * time.Hour, 2 * time.Hour, 3 * time.Hour, time.Hour, "2h ahead of ours"},
		// We are ahead: by our clock it has ended, and it is good.
		{"theirs is behind", -2 * time.Hour, -2 * time.Hour, -time.Hour, time.Hour, "2h behind ours"},
		// The Date is a proxy's; the clock that signs is behind.
		{"only the signer's is behind", 0, -2 * time.Hour, -time.Hour, time.Hour, "one of the clocks is wrong"},
		{"only the Date is wrong", 24 * time.Hour, 0, time.Hour, time.Hour, "24h ahead of ours"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, unsigned(fmt.Sprintf(`{"iat":%d,"exp":%d}`, at(tt.iat), at(tt.exp))))
			a, r := answerOf(t, canned{status: 200, body: body, header: http.Header{"Content-Type": {"application/json"}, "Date": {now.Add(tt.date).Format(http.TimeFormat)}}})
			if r != nil {
				t.Fatal(r)
			}
			if a.ExpiresIn < tt.want-time.Minute || a.ExpiresIn > tt.want {
				t.Errorf("lives %v, want %v; %q", a.ExpiresIn, tt.want, a.Notes)
			}
			// The same where only the token tells, unless nothing tells which clock is wrong.
			alone, r := answerOf(t, canned{status: 200, body: strings.Replace(body, `,"expires_in":3600`, "", 1), header: http.Header{"Content-Type": {"application/json"}, "Date": {now.Add(tt.date).Format(http.TimeFormat)}}})
			if r != nil {
				t.Fatal(r)
			}
			if unsure := tt.name == "only the signer's is behind"; !unsure && (alone.ExpiresIn < tt.want-time.Minute || alone.ExpiresIn > tt.want) {
				t.Errorf("alone it lives %v, want %v; %q", alone.ExpiresIn, tt.want, alone.Notes)
			}
			if tt.note == "" && len(a.Notes) > 0 || !strings.Contains(strings.Join(a.Notes, "\n"), tt.note) {
				t.Errorf("notes %q, want %q", a.Notes, tt.note)
			}
		})
	}
}

// TestAnswers reads answers as providers write them, and worse.
func TestAnswers(t *testing.T) {
	const life = `,"expires_in":3600`
	bearer := func(more string) string {
		return `{"access_token":"at-1","token_type":"Bearer"` + life + more + `}`
	}
	is := func(want grant.Answer) func(*grant.Answer) bool {
		return func(a *grant.Answer) bool {
			want.Received, want.Notes = a.Received, a.Notes
			if want.ExpiresIn == 0 {
				want.ExpiresIn = a.ExpiresIn
			}
			return reflect.DeepEqual(*a, want)
		}
	}
	plain := grant.Answer{Access: "at-1", TokenType: "Bearer"}
	with := func(change func(*grant.Answer)) func(*grant.Answer) bool {
		a := plain
		change(&a)
		return is(a)
	}
	for _, tt := range []struct {
		name, kind, body string
		ok               func(*grant.Answer) bool
		note             string // "" is none at all
	}{
		{"plain", "application/json", bearer(""), is(plain), ""},
		{"charset", "application/json; charset=utf-8", bearer(""), is(plain), ""},
		{"vendor type", "application/vnd.idp+json", bearer(""), is(plain), ""},
		{"lower case type", "application/json", strings.Replace(bearer(""), "Bearer", "bearer", 1), is(plain), ""},
		{"no type", "application/json", `{"access_token":"at-1"` + life + `}`, is(plain), "names no token type"},
		{"odd type", "application/json", strings.Replace(bearer(""), "Bearer", "BearerToken", 1), is(plain), `"BearerToken" is not one that is registered`},
		{"Slack's type", "application/json", strings.Replace(bearer(""), "Bearer", "bot", 1), is(plain), `"bot"`},
		{"mac", "application/json", strings.Replace(bearer(""), "Bearer", "MAC", 1), with(func(a *grant.Answer) { a.TokenType = "mac" }), "cannot be sent as a Bearer"},
		{"DPoP", "application/json", strings.Replace(bearer(""), "Bearer", "dpop", 1), with(func(a *grant.Answer) { a.TokenType = "DPoP" }), "bound to a key"},
		{"N_A", "application/json", strings.Replace(bearer(""), "Bearer", "N_A", 1), with(func(a *grant.Answer) { a.TokenType = "N_A" }), "cannot be sent as a Bearer"},
		{"null type", "application/json", strings.Replace(bearer(""), `"Bearer"`, "null", 1), is(plain), "names no token type"},
		{"refresh token", "application/json", bearer(`,"refresh_token":"rt-2"`), with(func(a *grant.Answer) { a.Refresh = "rt-2" }), ""},
		{"empty refresh token", "application/json", bearer(`,"refresh_token":""`), is(plain), ""},
		{"null refresh token", "application/json", bearer(`,"refresh_token":null`), is(plain), ""},
		{"GitHub's refresh life", "application/json", bearer(`,"refresh_token":"rt-2","refresh_token_expires_in":15897600`), with(func(a *grant.Answer) { a.Refresh, a.RefreshExpiresIn = "rt-2", 184*24*time.Hour }), ""},
		{"Keycloak's refresh life", "application/json", bearer(`,"refresh_token":"rt-2","refresh_expires_in":1800,"not-before-policy":0,"session_state":"x"`), with(func(a *grant.Answer) { a.Refresh, a.RefreshExpiresIn = "rt-2", 30*time.Minute }), ""},
		{"Keycloak's offline token", "application/json", bearer(`,"refresh_token":"rt-2","refresh_expires_in":0`), with(func(a *grant.Answer) { a.Refresh = "rt-2" }), ""},
		{"Intuit's refresh life", "application/json", bearer(`,"refresh_token":"rt-2","x_refresh_token_expires_in":8726400`), with(func(a *grant.Answer) { a.Refresh, a.RefreshExpiresIn = "rt-2", 101*24*time.Hour }), ""},
		{"refresh life as text", "application/json", bearer(`,"refresh_token":"rt-2","refresh_token_expires_in":"60"`), with(func(a *grant.Answer) { a.Refresh, a.RefreshExpiresIn = "rt-2", time.Minute }), "written as text"},
		{"absurd refresh life", "application/json", bearer(`,"refresh_token":"rt-2","refresh_token_expires_in":1e30`), with(func(a *grant.Answer) { a.Refresh = "rt-2" }), "more than ten years"},
		{"ID token", "application/json", bearer(`,"id_token":"` + unsigned(`{"sub":"dana"}`) + `"`), func(a *grant.Answer) bool { return a.User == "dana" && a.ID != "" }, ""},
		{"user beside", "application/json", bearer(`,"user_id":4711`), with(func(a *grant.Answer) { a.User = "4711" }), ""},
		{"scope as asked", "application/json", bearer(`,"scope":"b a"`), with(func(a *grant.Answer) { a.Scopes = []string{"b", "a"} }), ""},
		{"scope narrower", "application/json", bearer(`,"scope":"a"`), with(func(a *grant.Answer) { a.Scopes = []string{"a"} }), "less was granted than was asked for: b is missing"},
		{"scope empty", "application/json", bearer(`,"scope":""`), with(func(a *grant.Answer) { a.Scopes = []string{} }), "a b is missing"},
		{"scope wider", "application/json", bearer(`,"scope":"a b c"`), with(func(a *grant.Answer) { a.Scopes = []string{"a", "b", "c"} }), ""},
		{"scope null", "application/json", bearer(`,"scope":null`), is(plain), ""},
		{"scope with commas", "application/json", bearer(`,"scope":"a,b"`), with(func(a *grant.Answer) { a.Scopes = []string{"a", "b"} }), "divided by commas"},
		{"scope with commas and blanks", "application/json", bearer(`,"scope":"a, b"`), with(func(a *grant.Answer) { a.Scopes = []string{"a", "b"} }), "divided by commas"},
		{"scope as list", "application/json", bearer(`,"scope":["a","b"]`), with(func(a *grant.Answer) { a.Scopes = []string{"a", "b"} }), "written as a list"},
		{"scopes", "application/json", bearer(`,"scopes":"a b"`), with(func(a *grant.Answer) { a.Scopes = []string{"a", "b"} }), "scopes for scope"},
		{"scope as number", "application/json", bearer(`,"scope":7`), is(plain), "neither text nor a list"},
		{"long scopes of Entra", "application/json", bearer(`,"scope":"https://graph.microsoft.com/A https://graph.microsoft.com/b"`), func(a *grant.Answer) bool { return len(a.Scopes) == 2 }, ""},
		{"form of old GitHub", "application/x-www-form-urlencoded; charset=utf-8", "access_token=at-1&expires_in=3600&scope=a%2Cb&token_type=bearer", with(func(a *grant.Answer) { a.Scopes = []string{"a", "b"} }), "written as a form"},
		{"form of old Facebook", "text/plain; charset=UTF-8", "access_token=at-1&expires=5183944", func(a *grant.Answer) bool { return a.Access == "at-1" }, "written as a form"},
		{"JSON as text/html", "text/html", bearer(""), is(plain), "JSON and is text/html"},
		{"JSON as text/javascript", "text/javascript", bearer(""), is(plain), "text/javascript"},
		{"JSON without type", "", bearer(""), is(plain), "has no content type"},
		{"byte order mark", "application/json", "\xef\xbb\xbf" + bearer(""), is(plain), "byte order mark"},
		{"white space", "application/json", "\n\n " + bearer("") + "\r\n\r\n", is(plain), ""},
		{"something behind", "application/json", bearer("") + "<!-- 0.1 s -->", is(plain), "something follows"},
		{"twice the same", "application/json", bearer(`,"access_token":"at-1"`), is(plain), ""},
		{"twice another", "application/json", bearer(`,"access_token":"at-2"`), with(func(a *grant.Answer) { a.Access = "at-2" }), "members twice, of which the last counts: access_token"},
		{"camel", "application/json", `{"accessToken":"at-1","tokenType":"Bearer","expiresIn":3600,"refreshToken":"rt-2"}`, with(func(a *grant.Answer) { a.Refresh = "rt-2" }), "accessToken for access_token"},
		{"nested like TikTok", "application/json", `{"message":"success","data":{"access_token":"at-1","token_type":"Bearer","expires_in":3600}}`, is(plain), "stands in the member data"},
		{"nested like Slack", "application/json", `{"ok":true,"app_id":"A","authed_user":{"id":"U","scope":"a,b","access_token":"at-1","token_type":"user","expires_in":43200}}`, func(a *grant.Answer) bool { return a.Access == "at-1" && a.ExpiresIn == 12*time.Hour }, "authed_user"},
		{"token with white space", "application/json", strings.Replace(bearer(""), "at-1", `at-1\n`, 1), is(plain), "white space around it"},
		{"token as number", "application/json", strings.Replace(bearer(""), `"at-1"`, `12345`, 1), with(func(a *grant.Answer) { a.Access = "12345" }), "is a number"},
		{"an error too", "application/json", bearer(`,"error":"partial"`), is(plain), "an error too"},
		{"empty error", "application/json", bearer(`,"error":"","error_description":null`), is(plain), ""},
		{"success said", "application/json", bearer(`,"ok":true,"message":"success","code":0`), is(plain), ""},
		{"a large token", "application/json", strings.Replace(bearer(""), "at-1", strings.Repeat("a", 20<<10), 1), func(a *grant.Answer) bool { return len(a.Access) == 20<<10 }, "larger than 16 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Content-Type": {tt.kind}}
			if tt.kind == "" {
				h = http.Header{}
			}
			a, r := answerOf(t, canned{status: 200, header: h, body: tt.body})
			if r != nil {
				t.Fatalf("%v\n%+v", r, r)
			}
			if !tt.ok(a) {
				t.Errorf("got %#v", *a)
			}
			if tt.note == "" && len(a.Notes) > 0 || !strings.Contains(strings.Join(a.Notes, "\n"), tt.note) {
				t.Errorf("notes %q, want %q", a.Notes, tt.note)
			}
		})
	}
}

// TestRefusals reads refusals as providers write them, and worse.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   grant.Refusal // Kind, Code, Description
	}{
		{"RFC 6749", 400, "application/json", `{"error":"invalid_grant","error_description":"Token is not active","error_uri":"https://x.example/e"}`, grant.Refusal{Kind: grant.Refused, Code: "invalid_grant", Description: "Token is not active"}},
		{"no description", 401, "application/json", `{"error":"invalid_client"}`, grant.Refusal{Kind: grant.Refused, Code: "invalid_client"}},
		{"GitHub", 200, "application/json", `{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired.","error_uri":"https://docs.github.com"}`, grant.Refusal{Kind: grant.Refused, Code: "bad_refresh_token", Description: "The refresh token passed is incorrect or expired."}},
		{"GitHub as form", 200, "application/x-www-form-urlencoded", `error=bad_refresh_token&error_description=The+refresh+token+passed+is+incorrect`, grant.Refusal{Kind: grant.Refused, Code: "bad_refresh_token", Description: "The refresh token passed is incorrect"}},
		{"Slack", 200, "application/json", `{"ok":false,"error":"invalid_refresh_token"}`, grant.Refusal{Kind: grant.Refused, Code: "invalid_refresh_token"}},
		{"Slack, no reason", 200, "application/json", `{"ok":false}`, grant.Refusal{Kind: grant.Refused}},
		{"Facebook", 400, "application/json", `{"error":{"message":"Error validating access token","type":"OAuthException","code":190,"error_subcode":460,"fbtrace_id":"x"}}`, grant.Refusal{Kind: grant.Refused, Code: "OAuthException", Description: "190 460 Error validating access token"}},
		{"Google", 403, "application/json", `{"error":{"code":403,"message":"Disabled","status":"PERMISSION_DENIED"}}`, grant.Refusal{Kind: grant.Refused, Code: "PERMISSION_DENIED", Description: "403 Disabled"}},
		{"Okta", 401, "application/json", `{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id'","errorId":"x"}`, grant.Refusal{Kind: grant.Refused, Code: "invalid_client", Description: "Invalid value for 'client_id'"}},
		{"Apigee", 401, "application/json", `{"fault":{"faultstring":"Invalid Access Token","detail":{"errorcode":"keymanagement.service.invalid_access_token"}}}`, grant.Refusal{Kind: grant.Refused, Code: "keymanagement.service.invalid_access_token", Description: "Invalid Access Token"}},
		{"Fitbit", 401, "application/json", `{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid"}],"success":false}`, grant.Refusal{Kind: grant.Refused, Code: "invalid_grant", Description: "Refresh token invalid"}},
		{"list of texts", 400, "application/json", `{"errors":["broken"]}`, grant.Refusal{Kind: grant.Refused, Description: "broken"}},
		{"message alone", 403, "application/json", `{"message":"Forbidden"}`, grant.Refusal{Kind: grant.Refused, Description: "Forbidden"}},
		{"Withings", 200, "application/json", `{"status":503,"error":"Invalid Params: invalid refresh_token"}`, grant.Refusal{Kind: grant.Refused, Code: "Invalid Params: invalid refresh_token"}},
		{"WeChat", 200, "application/json", `{"errcode":40030,"errmsg":"invalid refresh_token"}`, grant.Refusal{Kind: grant.Refused, Code: "40030", Description: "invalid refresh_token"}},
		{"throttled", 429, "application/json", `{"error":"rate_limited"}`, grant.Refusal{Kind: grant.Busy, Code: "rate_limited"}},
		{"throttled page", 429, "text/html", `<html>slow down</html>`, grant.Refusal{Kind: grant.Busy}},
		{"away", 503, "application/json", `{"error":"temporarily_unavailable"}`, grant.Refusal{Kind: grant.Busy, Code: "temporarily_unavailable"}},
		{"maintenance page", 200, "text/html", `<!doctype html><title>Maintenance</title>`, grant.Refusal{Kind: grant.Unreadable}},
		{"page without type", 200, "", `<html>`, grant.Refusal{Kind: grant.Unreadable}},
		{"page that says JSON", 200, "application/json", `<html>`, grant.Refusal{Kind: grant.Unreadable}},
		{"captive portal", 302, "text/html", `<a href="http://portal">`, grant.Refusal{Kind: grant.Unreadable}},
		{"XML", 400, "application/xml", `<?xml version="1.0"?><error/>`, grant.Refusal{Kind: grant.Unreadable}},
		{"empty", 200, "application/json", ``, grant.Refusal{Kind: grant.Unreadable}},
		{"empty object", 200, "application/json", `{}`, grant.Refusal{Kind: grant.Unreadable}},
		{"a list", 200, "application/json", `[{"access_token":"at-1"}]`, grant.Refusal{Kind: grant.Unreadable}},
		{"a text", 200, "application/json", `"at-1"`, grant.Refusal{Kind: grant.Unreadable}},
		{"broken JSON", 200, "application/json", `{"access_token":"at-1","token_ty`, grant.Refusal{Kind: grant.Unreadable}},
		{"token as list", 200, "application/json", `{"access_token":["at-1"]}`, grant.Refusal{Kind: grant.Unreadable}},
		{"token null", 200, "application/json", `{"access_token":null}`, grant.Refusal{Kind: grant.Unreadable}},
		{"token that breaks headers", 200, "application/json", `{"access_token":"at-1\r\nX-Admin: 1"}`, grant.Refusal{Kind: grant.Unreadable}},
		{"token that is no ASCII", 200, "application/json", `{"access_token":"ät"}`, grant.Refusal{Kind: grant.Unreadable}},
		{"token with status 400", 400, "application/json", `{"access_token":"at-1"}`, grant.Refusal{Kind: grant.Unreadable}},
		{"deep JSON", 200, "application/json", strings.Repeat(`{"a":`, 20000), grant.Refusal{Kind: grant.Unreadable}},
		{"many members", 200, "application/json", many(5000), grant.Refusal{Kind: grant.Unreadable}},
		{"a page with a token in a form", 200, "text/html", `access_token=at-1`, grant.Refusal{Kind: grant.Unreadable}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, r := answerOf(t, canned{status: tt.status, header: http.Header{"Content-Type": {tt.kind}}, body: tt.body})
			if a != nil {
				t.Fatalf("a token: %+v", a)
			}
			if r.Kind != tt.want.Kind || r.Code != tt.want.Code || r.Description != tt.want.Description || r.Status != tt.status || r.Endpoint != "https://idp.example/token" {
				t.Errorf("got %s %q %q", r.Kind, r.Code, r.Description)
			}
			if strings.Contains(r.Error()+r.Body, "at-1") {
				t.Errorf("the token is told: %v\n%s", r, r.Body)
			}
			if r.Error() == "" || len(r.Error()) > 3000 || strings.ContainsAny(r.Error(), "\n\r\x00") {
				t.Errorf("says %q", r.Error())
			}
		})
	}
}

func many(n int) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range n {
		fmt.Fprintf(&b, `"m%d":1,`, i)
	}
	return b.String() + `"access_token":"at-1"}`
}

// TestRetryAfter reads when it may be asked again.
func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		status int
		header http.Header
		body   string
		want   time.Duration
	}{
		{429, http.Header{"Retry-After": {"30"}}, "", 30 * time.Second},
		{503, http.Header{"Retry-After": {now.Add(time.Minute).Format(http.TimeFormat)}}, "", time.Minute},
		// By the provider's clock, which is an hour ahead.
		{503, http.Header{"Retry-After": {now.Add(61 * time.Minute).Format(http.TimeFormat)}, "Date": {now.Add(time.Hour).Format(http.TimeFormat)}}, "", time.Minute},
		{503, http.Header{"Retry-After": {now.Add(-time.Minute).Format(http.TimeFormat)}}, "", 0},
		{429, http.Header{"Retry-After": {"-5"}}, "", 0},
		{429, http.Header{"Retry-After": {"1e300"}}, "", 24 * time.Hour},
		{429, http.Header{"Retry-After": {"soon"}}, "", 0},
		{429, http.Header{"Retry-After": {"1.5"}}, "", 1500 * time.Millisecond},
		{429, http.Header{"X-Rate-Limit-Reset": {fmt.Sprint(at(45 * time.Second))}}, "", 45 * time.Second}, // Okta
		{429, http.Header{"Ratelimit-Reset": {"12"}}, "", 12 * time.Second},
		{200, http.Header{"X-Rate-Limit-Reset": {fmt.Sprint(at(45 * time.Second))}}, "", 0},
		{429, nil, `{"message":"You are being rate limited.","retry_after":64.57,"global":false}`, 64570 * time.Millisecond}, // Discord
		{400, http.Header{"Retry-After": {"30"}}, `{"error":"slow_down"}`, 30 * time.Second},
	} {
		h := http.Header{"Content-Type": {"application/json"}}
		for name, list := range tt.header {
			h[name] = list
		}
		_, r := answerOf(t, canned{status: tt.status, header: h, body: tt.body})
		if r == nil || r.RetryAfter != tt.want {
			t.Errorf("%d %v %s: got %v, want %v", tt.status, tt.header, tt.body, r.RetryAfter, tt.want)
		}
	}
}

// TestLarge: a megabyte and more, packed or not, stays bounded.
func TestLarge(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write([]byte(`{"access_token":"at-1","x":"`))
	zeros := make([]byte, 1<<20)
	for range 64 {
		_, _ = z.Write(zeros)
	}
	_ = z.Close()
	for name, write := range map[string]func(http.ResponseWriter){
		"a megabyte of blanks": func(w http.ResponseWriter) { _, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20+1)) },
		"a megabyte of token": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"access_token":"` + strings.Repeat("a", 1<<20) + `"}`))
		},
		"without end": func(w http.ResponseWriter) {
			for range 100 {
				if _, err := w.Write(zeros); err != nil {
					return
				}
			}
		},
		"a bomb": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				write(w)
			}))
			defer s.Close()
			_, err := asker(s).Ask(t.Context(), request(s.URL, "client_secret_post"))
			r := refusalOf(t, err)
			if r.Kind != grant.Unreadable && r.Kind != grant.Lost || !r.Unsure() {
				t.Errorf("got %s: %v", r.Kind, err)
			}
			if len(r.Body) > 4<<10 {
				t.Errorf("%d bytes of it are kept", len(r.Body))
			}
		})
	}
	var packed bytes.Buffer
	z = gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(good))
	_ = z.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	}))
	defer s.Close()
	if a, err := asker(s).Ask(t.Context(), request(s.URL, "client_secret_post")); err != nil || a.Access != "at-1" {
		t.Errorf("packed: %v %v", a, err)
	}
}

// TestForeignSender: what another client than guard says is not passed on, since
// it quotes URLs and answers.
func TestForeignSender(t *testing.T) {
	a := grant.New(grant.Options{HTTP: failing{errors.New(`Post "https://x/?client_secret=planted": boom`)}})
	_, err := a.Ask(t.Context(), request("https://idp.example", "client_secret_post"))
	// Nor does it say how far the request got.
	if r := refusalOf(t, err); r.Kind != grant.Lost || strings.Contains(err.Error(), "planted") {
		t.Errorf("got %s: %v", r.Kind, err)
	}
}

type failing struct{ err error }

func (f failing) Once(*http.Request) (*http.Response, error) { return nil, f.err }
