package grant_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/broker/grant"
)

// FuzzRead: whatever an endpoint answers, there is a token that can be sent or a
// refusal that can be shown, and nothing of what is secret in it.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		good, `{"access_token":"a","expires_in":"3600.5","scope":["a",7,null],"token_type":"N_A"}`,
		`{"access_token":"` + unsigned(`{"iat":1,"exp":2}`) + `","id_token":"` + unsigned(`{"sub":"x"}`) + `","issued_at":"1278448384422"}`,
		`{"error":{"message":"m","type":"t","code":190}}`, `{"errors":[{"message":"m"}]}`, `{"fault":{"faultstring":"x","detail":{"errorcode":"y"}}}`,
		`access_token=a&scope=b%2Cc&expires_in=-1`, `<html>`, ``, `{`, `{"ok":false}`, `{"data":{"access_token":"a"}}`, "\xef\xbb\xbf{}",
		`{"access_token":"a","access_token":"b","expires_in":1e400,"expires_on":"9999999999","refresh_expires_in":0}`,
	} {
		for _, status := range []int{200, 400, 503} {
			f.Add(status, "application/json", seed, int64(0))
		}
		f.Add(200, "application/x-www-form-urlencoded", seed, int64(-7200))
		f.Add(302, "text/html", seed, int64(1<<40))
	}
	const planted = "tea-for-two-and-two"
	f.Fuzz(func(t *testing.T, status int, kind, body string, skew int64) {
		body = strings.ReplaceAll(body, "PLANTED", planted)
		h := http.Header{"Content-Type": {kind}, "Date": {now.Add(time.Duration(skew%1e6) * time.Second).Format(http.TimeFormat)}, "Retry-After": {kind}}
		a := grant.New(grant.Options{HTTP: canned{status: 100 + (status&0x7fffffff)%500, header: h, body: body}, Now: func() time.Time { return now }})
		r := request("https://idp.example", "client_secret_post")
		r.Params.Set("refresh_token", planted)
		answer, err := a.Ask(t.Context(), r)
		if (answer == nil) == (err == nil) {
			t.Fatalf("%v and %v", answer, err)
		}
		told := shownOf(answer, err)
		if strings.Contains(told, planted) || strings.Contains(told, r.Secret.Reveal()) {
			t.Fatalf("a secret is told: %s", told)
		}
		if err != nil {
			refusal := err.(*grant.Refusal)
			if refusal.Kind == "" || refusal.RetryAfter < 0 || refusal.RetryAfter > 24*time.Hour || len(told) > 16<<10 || strings.ContainsAny(refusal.Error(), "\r\n\x00") {
				t.Fatalf("refusal: %+v", refusal)
			}
			return
		}
		token := answer.Access.Reveal()
		switch {
		case token == "" || strings.ContainsFunc(token, func(c rune) bool { return c < ' ' || c > '~' }):
			t.Fatalf("a token that cannot be sent: %q", token)
		case answer.ExpiresIn < 0 || answer.ExpiresIn > 3650*24*time.Hour || answer.RefreshExpiresIn < 0 || answer.RefreshExpiresIn > 3650*24*time.Hour:
			t.Fatalf("lives %v, %v", answer.ExpiresIn, answer.RefreshExpiresIn)
		case len(answer.Notes) > 16 || len(answer.Scopes) > 256 || len(answer.User) > 200:
			t.Fatalf("unbounded: %d notes, %d scopes", len(answer.Notes), len(answer.Scopes))
		case answer.TokenType == "" || !answer.Received.Equal(now):
			t.Fatalf("answer: %+v", answer)
		}
		for _, note := range answer.Notes {
			if len(note) > 500 || strings.ContainsAny(note, "\r\n\x00") || strings.HasSuffix(note, ".") && !strings.HasSuffix(note, "...") {
				t.Fatalf("note: %q", note)
			}
		}
	})
}
