package systems_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/provider/snapshot"
	"usher/test/systems/keycloak"
)

// checkedRealm is a realm with clients as they should be and as they should not.
type checkedRealm struct {
	kc     *keycloak.Server
	name   string
	issuer string
	secret string // of the client web
}

func newCheckedRealm(t *testing.T) *checkedRealm {
	t.Helper()
	kc := theKeycloak(t)
	r := &checkedRealm{kc: kc, name: "checked", secret: "Vq3mT8sWz5LkY1nRc7HxJd0BfGu2PaE9"}
	r.issuer = kc.Issuer(r.name)
	client := func(id string, more map[string]any) map[string]any {
		c := map[string]any{
			"clientId": id, "secret": r.secret, "redirectUris": []string{"https://shop.example/cb"}, "webOrigins": []string{}, "standardFlowEnabled": true,
			"implicitFlowEnabled": false, "directAccessGrantsEnabled": false, "fullScopeAllowed": false,
			"attributes": map[string]string{"pkce.code.challenge.method": "S256"},
		}
		for name, value := range more {
			c[name] = value
		}
		return c
	}
	realm, err := json.Marshal(map[string]any{
		"realm": r.name, "enabled": true, "sslRequired": "none", "revokeRefreshToken": true,
		"users": []any{map[string]any{
			"username": "ann", "enabled": true, "email": "ann@shop.example", "emailVerified": true, "firstName": "Ann", "lastName": "Archer",
			"credentials": []any{map[string]any{"type": "password", "value": "ann's password"}}, "realmRoles": []string{"offline_access"},
		}},
		"clients": []any{
			client("web", nil),
			client("best", map[string]any{"clientAuthenticatorType": "client-jwt", "attributes": map[string]string{"pkce.code.challenge.method": "S256", "use.jwks.url": "true", "jwks.url": "https://shop.example/jwks"}}),
			client("no-pkce", map[string]any{"attributes": map[string]string{}}),
			client("job", map[string]any{"standardFlowEnabled": false, "serviceAccountsEnabled": true, "redirectUris": []string{}}),
			client("off", map[string]any{"enabled": false}),
			client("implicit", map[string]any{"implicitFlowEnabled": true}),
			client("password", map[string]any{"directAccessGrantsEnabled": true}),
			client("star", map[string]any{"redirectUris": []string{"https://shop.example/*"}}),
			client("anywhere", map[string]any{"redirectUris": []string{"*"}}),
			client("full", map[string]any{"fullScopeAllowed": true}),
			client("origins", map[string]any{"webOrigins": []string{"*"}}),
			client("plain", map[string]any{"redirectUris": []string{"http://shop.example/cb"}}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := kc.CreateRealm(t.Context(), realm); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kc.DeleteRealm(context.Background(), r.name) })
	return r
}

// exported writes the registration of a client to a file, as the admin console
// and kcadm export it.
func (r *checkedRealm) exported(t *testing.T, client string) string {
	t.Helper()
	rep, err := r.kc.Client(t.Context(), r.name, client)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return fileOf(t, client+".json", text)
}

// ask looks at a client by asking the provider as it would.
func (r *checkedRealm) ask(t *testing.T, client, redirect, secret string, more ...string) *looked {
	t.Helper()
	args := []string{r.issuer, "--client-id", client, "--secret-file", fileOf(t, "secret", []byte(secret)), "--wait", "0s", "--probe"}
	if redirect != "" {
		args = append(args, "--redirect-uri", redirect)
	}
	l := look(t, append(args, more...)...)
	l.keeps(secret)
	return l
}

// alwaysAtKeycloak is what Keycloak's document has whatever the realm is set to.
var alwaysAtKeycloak = []string{"alg-none-announced", "grant-implicit", "grant-password", "pkce-plain-announced", "discovery-cache"}

func TestCheckKeycloak(t *testing.T) {
	r := newCheckedRealm(t)
	var rows []pageRow
	said := func(setting string, l *looked, wrong ...string) {
		t.Helper()
		l.says(wrong...)
		rows = append(rows, pageRow{setting, wrong})
	}

	said("a realm", look(t, r.issuer), alwaysAtKeycloak...)
	asked := func(more ...string) []string { return append(more, alwaysAtKeycloak...) }
	const callback = "https://shop.example/cb"
	l := r.ask(t, "web", callback, r.secret)
	said("asked, right secret and redirect URI", l, asked()...)
	l.is("secret-valid", usher.OutcomeOK)
	l.is("client-id-known", usher.OutcomeOK)
	l.is("pkce-enforced", usher.OutcomeOK)
	l = r.ask(t, "web", callback, "Xq3mT8sWz5LkY1nRc7HxJd0BfGu2PaE9")
	said("asked, wrong secret", l, asked("secret-valid")...)
	cause(t, l, "secret-valid", "client-secret-invalid")
	l = r.ask(t, "web", callback+"/", r.secret)
	said("asked, redirect URI with a slash too many", l, asked("redirect-registered")...)
	cause(t, l, "redirect-registered", "redirect-uri-mismatch")
	l = r.ask(t, "nobody", callback, r.secret)
	said("asked, client id that is nobody's", l, asked("client-id-known")...)
	cause(t, l, "client-id-known", "client-unknown")
	l.is("secret-valid", usher.OutcomeUnknown)
	l = r.ask(t, "off", callback, r.secret)
	said("asked, client that is switched off", l, asked("client-id-known")...)
	cause(t, l, "client-id-known", "client-disabled")
	l.is("secret-valid", usher.OutcomeUnknown)
	said("asked, client without PKCE", r.ask(t, "no-pkce", callback, r.secret), asked("pkce-enforced")...)
	said("asked, redirect URI with a star", r.ask(t, "star", callback, r.secret), asked("redirect-server-exact")...)
	said("asked, redirect URI that is a star", r.ask(t, "anywhere", callback, r.secret), asked("redirect-server-exact", "redirect-error-no-redirect")...)

	for _, c := range []struct {
		setting, client string
		wrong           []string
	}{
		{"exported, as it should be", "best", nil},
		{"exported, with a secret", "web", []string{"auth-method-weak"}},
		{"exported, implicit flow on", "implicit", []string{"auth-method-weak", "grant-implicit"}},
		{"exported, direct access grants on", "password", []string{"auth-method-weak", "grant-password"}},
		{"exported, redirect URI with a star", "star", []string{"auth-method-weak", "redirect-wildcard"}},
		{"exported, redirect URI that is a star", "anywhere", []string{"auth-method-weak", "redirect-wildcard-global"}},
		{"exported, full scope allowed", "full", []string{"auth-method-weak", "scope-full-allowed"}},
		{"exported, web origins are a star", "origins", []string{"auth-method-weak", "redirect-logout-cors-origins"}},
		{"exported, redirect URI by http", "plain", []string{"auth-method-weak", "redirect-https"}},
	} {
		file := r.exported(t, c.client)
		l := look(t, file)
		said(c.setting, l, c.wrong...)
		l.keeps(r.secret)
	}

	holdPage(t, "Keycloak", rows)
	t.Run("three sides", r.threeSides)
	t.Run("refresh tokens", r.refreshed)
	t.Run("changes are undone", r.undone)
}

// refreshed: a person signs in for the probes, and nothing is left of it.
func (r *checkedRealm) refreshed(t *testing.T) {
	for _, revoke := range []bool{true, false} {
		r.admin(t, http.MethodPut, "", map[string]any{"realm": r.name, "revokeRefreshToken": revoke}, nil)
		before := r.state(t)
		cmd := checkCommand(t, r.issuer, "--client-id", "web", "--redirect-uri", "https://shop.example/cb", "--secret-file", fileOf(t, "secret", []byte(r.secret)), "--wait", "0s", "--probe", "--change", "--yes")
		l := atTerminal(t, cmd, r.signIn)
		l.keeps(r.secret, "ann's password")
		l.is("refresh-bound", usher.OutcomeOK)
		l.is("pkce-downgrade", usher.OutcomeOK)
		if revoke {
			l.is("refresh-reuse-detected", usher.OutcomeOK)
		} else {
			l.is("refresh-reuse-detected", usher.OutcomeWrong)
		}
		if after := r.state(t); after != before {
			t.Errorf("usher leaves the realm as\n%s\nit was\n%s\n%s", after, before, l.Stderr)
		}
	}
}

// loginForm is where Keycloak's sign-in page sends name and password.
var loginForm = regexp.MustCompile(`<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"`)

// signIn is a browser with ann before it.
func (r *checkedRealm) signIn(address string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(address)
	if err != nil {
		return "", err
	}
	page, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	form := loginForm.FindSubmatch(page)
	if err != nil || form == nil {
		return "", fmt.Errorf("no sign-in page: %v, %s, %.300s", err, res.Status, page)
	}
	res, err = browser.PostForm(html.UnescapeString(string(form[1])), url.Values{"username": {"ann"}, "password": {"ann's password"}})
	if err != nil {
		return "", err
	}
	_ = res.Body.Close()
	back, err := res.Location()
	if err != nil {
		return "", fmt.Errorf("the sign-in ends with %s: %w", res.Status, err)
	}
	return back.String(), nil
}

func cause(t *testing.T, l *looked, check, want string) {
	t.Helper()
	if f := l.of(check); f.Cause != want {
		t.Errorf("the cause of %s is %q, want %q: %s. %s %+v", check, f.Cause, want, f.Title, f.Detail, f.Proof)
	}
}

// threeSides: what is registered, what is sent and what the provider's rule says
// are compared, and the one difference is named.
func (r *checkedRealm) threeSides(t *testing.T) {
	file := r.exported(t, "web")
	look(t, file, "--client-id", "web", "--redirect-uri", "https://shop.example/cb").is("redirect-registered", usher.OutcomeOK)
	l := look(t, file, "--client-id", "web", "--redirect-uri", "https://shop.example/cb/")
	f := l.is("redirect-registered", usher.OutcomeWrong)
	for _, part := range []string{"https://shop.example/cb/", "https://shop.example/cb"} {
		if !strings.Contains(f.Title+f.Detail+fmt.Sprint(f.Proof), part) {
			t.Errorf("redirect-registered does not name %s: %+v", part, f)
		}
	}
	l.is("redirect-slash", usher.OutcomeWrong)
	// Keycloak lets a star at the end stand for anything: sent is what is registered.
	look(t, r.exported(t, "star"), "--client-id", "star", "--redirect-uri", "https://shop.example/any/where").is("redirect-registered", usher.OutcomeOK)
}

// undone: what --change makes at Keycloak is gone afterwards.
func (r *checkedRealm) undone(t *testing.T) {
	before := r.state(t)
	l := r.ask(t, "job", "", r.secret, "--change", "--yes")
	// Keycloak's default policies let nobody register from an unknown host.
	l.is("dcr-open", usher.OutcomeOK)
	l.is("revocation-works", usher.OutcomeOK)
	if after := r.state(t); after != before {
		t.Errorf("usher leaves the realm as\n%s\nit was\n%s", after, before)
	}

	// Without the policy of trusted hosts anybody may register.
	var components []map[string]any
	r.admin(t, http.MethodGet, "/components?type=org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy", nil, &components)
	for _, c := range components {
		if c["providerId"] == "trusted-hosts" && c["subType"] == "anonymous" {
			r.admin(t, http.MethodDelete, fmt.Sprintf("/components/%v", c["id"]), nil, nil)
		}
	}
	before = r.state(t)
	r.ask(t, "job", "", r.secret, "--change", "--yes").is("dcr-open", usher.OutcomeWrong)
	if after := r.state(t); after != before {
		t.Errorf("usher leaves the realm as\n%s\nit was\n%s", after, before)
	}
}

// state tells which clients and sessions a realm has.
func (r *checkedRealm) state(t *testing.T) string {
	t.Helper()
	var clients []struct {
		ID       string `json:"id"`
		ClientID string `json:"clientId"`
	}
	r.admin(t, http.MethodGet, "/clients?max=1000", nil, &clients)
	var lines []string
	for _, c := range clients {
		var online, offline struct {
			Count int `json:"count"`
		}
		r.admin(t, http.MethodGet, "/clients/"+c.ID+"/session-count", nil, &online)
		r.admin(t, http.MethodGet, "/clients/"+c.ID+"/offline-session-count", nil, &offline)
		lines = append(lines, fmt.Sprintf("%s: %d sessions, %d offline", c.ClientID, online.Count, offline.Count))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// admin calls the admin API below the realm.
func (r *checkedRealm) admin(t *testing.T, method, path string, in, out any) {
	t.Helper()
	if err := r.kc.Admin(t.Context(), method, r.name+path, in, out); err != nil {
		t.Fatal(err)
	}
}

// watched is what `usher watch` says.
type watched struct {
	Status  int
	Before  *time.Time        `json:"before"`
	Changes []snapshot.Change `json:"changes"`
	Keys    []snapshot.Key    `json:"keys"`
}

func watch(t *testing.T, issuer, state string, more ...string) (w watched, text string) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"watch", issuer, "--state", state}, more...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		w.Status = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("usher watch: %v\n%s", err, errs.String())
	}
	if slices.Contains(more, "json") {
		if err := json.Unmarshal(out.Bytes(), &w); err != nil {
			t.Fatalf("the answer of usher watch (status %d): %v\n%s%s", w.Status, err, out.String(), errs.String())
		}
	}
	return w, out.String()
}

// TestWatchKeycloak: a realm is changed between looks, and each look names what
// changed and what it means.
func TestWatchKeycloak(t *testing.T) {
	r := newCheckedRealm(t)
	state := t.TempDir()
	next := func() watched {
		t.Helper()
		w, _ := watch(t, r.issuer, state, "--format", "json")
		for _, c := range w.Changes {
			if c.Title == "" || c.Means == "" || c.Severity == "" {
				t.Errorf("a change without words: %+v", c)
			}
		}
		t.Logf("status %d, %d keys, %+v", w.Status, len(w.Keys), w.Changes)
		return w
	}
	names := func(w watched, member string, words ...string) {
		t.Helper()
		for _, c := range w.Changes {
			said := c.Title + " " + c.Old + " " + c.New
			if c.Member == member && !slices.ContainsFunc(words, func(s string) bool { return !strings.Contains(said, s) }) {
				return
			}
		}
		t.Errorf("no change of %s names %q: %+v", member, words, w.Changes)
	}

	if w := next(); w.Before != nil || len(w.Changes) > 0 || len(w.Keys) == 0 || w.Status != 0 {
		t.Errorf("the first look: status %d, before %v, changes %v, %d keys", w.Status, w.Before, w.Changes, len(w.Keys))
	}
	if w := next(); w.Before == nil || len(w.Changes) > 0 || w.Status != 0 {
		t.Errorf("nothing changed, and the status is %d, changes are %v", w.Status, w.Changes)
	}

	// A new key is made, with a higher priority.
	realm := map[string]any{}
	r.admin(t, http.MethodGet, "", nil, &realm)
	r.admin(t, http.MethodPost, "/components", map[string]any{
		"name": "rsa-next", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider", "parentId": realm["id"],
		"config": map[string]any{"priority": []string{"200"}, "enabled": []string{"true"}, "active": []string{"true"}, "keySize": []string{"2048"}, "algorithm": []string{"RS256"}},
	}, nil)
	kids := r.signingKeys(t)
	if len(kids) != 2 {
		t.Fatalf("the realm has the keys %v for RS256, want two", kids)
	}
	w := next()
	names(w, "keys", kids["rsa-next"])
	if w.Status != 0 {
		t.Errorf("a new key breaks nothing, and the status is %d", w.Status)
	}

	// The old one is taken away while its tokens live.
	var old string
	var components []map[string]any
	r.admin(t, http.MethodGet, "/components?type=org.keycloak.keys.KeyProvider", nil, &components)
	for _, c := range components {
		if c["providerId"] == "rsa-generated" && c["name"] != "rsa-next" {
			old = kids[c["name"].(string)]
			r.admin(t, http.MethodDelete, fmt.Sprintf("/components/%v", c["id"]), nil, nil)
		}
	}
	if old == "" {
		t.Fatalf("no key is the old one: %v", kids)
	}
	w = next()
	names(w, "keys", old)
	if w.Status != 1 {
		t.Errorf("a key that vanished at once may break clients, and the status is %d", w.Status)
	}

	// A new scope of the realm stands in the document.
	r.admin(t, http.MethodPost, "/client-scopes", map[string]any{"name": "orders", "protocol": "openid-connect"}, nil)
	names(next(), "scopes_supported", "orders")

	// The issuer moves: the realm has an address of its own.
	r.admin(t, http.MethodPut, "", map[string]any{"realm": r.name, "attributes": map[string]string{"frontendUrl": "https://login.shop.example"}}, nil)
	w = next()
	names(w, "issuer", "https://login.shop.example")
	names(w, "token_endpoint", "https://login.shop.example")
	if w.Status != 1 {
		t.Errorf("the issuer moved, and the status is %d", w.Status)
	}
	r.admin(t, http.MethodPut, "", map[string]any{"realm": r.name, "attributes": map[string]string{"frontendUrl": ""}}, nil)
	_, text := watch(t, r.issuer, state)
	for _, want := range []string{"changes at " + r.issuer, "to do:"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	t.Logf("as text:\n%s", text)
}

// signingKeys gives the key ids for RS256 by the name of the component that they
// are of.
func (r *checkedRealm) signingKeys(t *testing.T) map[string]string {
	t.Helper()
	var keys struct {
		Keys []struct {
			Kid, Algorithm, Use, ProviderID string
		}
	}
	r.admin(t, http.MethodGet, "/keys", nil, &keys)
	var components []struct{ ID, Name string }
	r.admin(t, http.MethodGet, "/components?type=org.keycloak.keys.KeyProvider", nil, &components)
	found := map[string]string{}
	for _, k := range keys.Keys {
		for _, c := range components {
			if k.Algorithm == "RS256" && c.ID == k.ProviderID {
				found[c.Name] = k.Kid
			}
		}
	}
	return found
}
