package lab_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"usher/lab"
)

var (
	changing = regexp.MustCompile(`"([^"]*:)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"`)
	inPath   = regexp.MustCompile(`/[0-9a-f]{8}-[0-9a-f-]{27}`)
	tabID    = regexp.MustCompile(`authSessionTabId="[^"]*"`)
	stamp    = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} `)
	thread   = regexp.MustCompile(`\(executor-thread-\d+\)`)
	realm    = regexp.MustCompile(`realmName="labref"`)
)

// shape is a line without what differs from one sign-in to the next.
func shape(t *testing.T, line string) string {
	t.Helper()
	if !stamp.MatchString(line) {
		t.Errorf("a line does not begin with its time: %s", line)
	}
	line = thread.ReplaceAllString(line, "(executor-thread-1)")
	line = stamp.ReplaceAllString(line, "TIME ")
	line = changing.ReplaceAllString(line, `"ID"`)
	line = inPath.ReplaceAllString(line, "/ID")
	line = tabID.ReplaceAllString(line, `authSessionTabId="TAB"`)
	return realm.ReplaceAllString(line, `realmName="shop"`)
}

// TestKeycloakLines plays what a real Keycloak was asked, and wants the lines
// that it wrote.
func TestKeycloakLines(t *testing.T) {
	data, err := os.ReadFile("testdata/keycloak-26.4.0.log")
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, lab.Options{
		Clients: []lab.Client{{
			ID: "web", Secret: "the-secret-of-web", RedirectURIs: []string{"https://shop.test/cb"}, Service: true,
			Scopes: []string{"email", "profile"}, Optional: []string{"orders"}, Roles: []string{"manage-clients"},
		}},
		Users: []lab.User{{Name: "dana", Given: "Dana", Family: "Example", Password: "pw-dana"}},
	})
	b.conf.ClientID, b.conf.ClientSecret = "web", "the-secret-of-web"
	played := b.playLikeTheReal()
	for _, real := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		want := shape(t, real)
		if !slices.Contains(played, want) {
			t.Errorf("Keycloak writes\n  %s\nwhich the lab does not; the nearest is\n  %s", want, nearest(played, want))
		}
	}
}

// nearest gives the line with the same beginning, for the person who reads the failure.
func nearest(lines []string, want string) string {
	best, most := "nothing", 0
	for _, line := range lines {
		n := 0
		for n < len(line) && n < len(want) && line[n] == want[n] {
			n++
		}
		if n > most {
			best, most = line, n
		}
	}
	return best
}

func (b *bench) playLikeTheReal() []string {
	t := b.t
	b.hint = ""
	auth := func(q url.Values) reply { return b.get(b.browser, b.conf.Endpoint.AuthURL+"?"+q.Encode()) }
	request := func(change ...string) url.Values {
		q := url.Values{"response_type": {"code"}, "client_id": {"web"}, "scope": {"openid"}, "state": {"abc"}, "redirect_uri": {"https://shop.test/cb"}}
		for i := 0; i < len(change); i += 2 {
			q.Set(change[i], change[i+1])
		}
		return q
	}
	auth(request("redirect_uri", "https://shop.test/cb/"))
	auth(request("client_id", "nobody"))
	auth(request("scope", "openid nosuch"))

	b.post(auth(request()), "username", url.QueryEscape("da\"n\\a\n2026-11-25 x\ttab")+"&password=nope")
	b.newBrowser()
	signIn := func(scope string) string {
		r := b.post(auth(request("scope", scope)), "username", "dana&password=pw-dana")
		if r.to == nil {
			t.Fatalf("the sign-in page is not left: %d\n%s", r.status, r.body)
		}
		b.newBrowser()
		return r.to.Query().Get("code")
	}
	code := signIn("openid orders")
	if _, err := b.conf.Exchange(b.ctx, code); err != nil {
		t.Fatal(err)
	}
	_, err := b.conf.Exchange(b.ctx, code)
	refused(t, err, http.StatusBadRequest, "invalid_grant")

	tok, err := b.conf.Exchange(b.ctx, signIn("openid"))
	if err != nil {
		t.Fatal(err)
	}
	next, err := b.renew(tok)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.renew(tok)
	refused(t, err, http.StatusBadRequest, "invalid_grant")
	_, err = b.renew(next)
	refused(t, err, http.StatusBadRequest, "invalid_grant")

	code = signIn("openid")
	good := b.conf.ClientSecret
	post := func(form ...string) reply {
		q := url.Values{}
		for i := 0; i < len(form); i += 2 {
			q.Set(form[i], form[i+1])
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.conf.Endpoint.TokenURL, strings.NewReader(q.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return b.do(b.browser, req)
	}
	post("client_id", "web", "client_secret", "wrong", "grant_type", "authorization_code", "code", code)
	post("client_id", "web", "client_secret", "wrong", "grant_type", "refresh_token", "refresh_token", "x")
	post("client_id", "web", "client_secret", "wrong", "grant_type", "client_credentials")
	post("client_id", "nobody", "client_secret", "wrong", "grant_type", "client_credentials")
	b.conf.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	post("client_id", "web", "client_secret", good, "grant_type", "client_credentials")

	b.adminLines()
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(b.log.take()), "\n") {
		lines = append(lines, shape(t, line))
	}
	return lines
}
