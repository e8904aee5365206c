package credential_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker/credential"
	"usher/broker/grant"
)

// TestWarnings: 30, 7 and 1 days before its end, once each, and a later version
// closes the case.
func TestWarnings(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	c := shop()
	w.must(w.m.Add(ctx, c, credential.Handed{Value: "first-value", Ends: w.clock.now().Add(40 * 24 * time.Hour)}))
	var told []string
	for day := range 42 {
		w.clock.pass(24 * time.Hour)
		for range 3 { // often, and by another process
			w.start(0, false)
			w.must(w.m.Tick(ctx))
		}
		for _, f := range w.found(credential.CheckExpiry, usher.OutcomeWrong)[len(told):] {
			told = append(told, fmt.Sprintf("%d %s", day+1, f.Severity))
			if !strings.Contains(f.Detail, "payments team") {
				t.Errorf("no owner is named: %s", f.Detail)
			}
		}
	}
	if want := []string{"10 medium", "33 high", "39 critical"}; !slices.Equal(told, want) {
		t.Errorf("told on %q, want %q", told, want)
	}
	if len(w.found(credential.CheckExpiry, usher.OutcomeOK)) > 0 {
		t.Error("it is ok")
	}
	w.fetch("key a", 0)
	_, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	w.fetch("key a", 0)
	w.run(time.Hour, time.Minute)
	if n := len(w.found(credential.CheckExpiry, usher.OutcomeOK)); n != 1 {
		t.Errorf("the case is closed %d times: %s", n, w.get().Next)
	}
}

// TestVerifiedOnSchedule: wrong twice is wrong, once and unknown are not, and
// unknown is no ok.
func TestVerifiedOnSchedule(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	w.add(shop())
	if v := w.get(); v.Health.Outcome != usher.OutcomeOK {
		t.Fatalf("%+v", v.Health)
	}
	w.idp.silent = true
	w.run(24*time.Hour, 5*time.Minute)
	if v := w.get(); v.Health.Outcome != usher.OutcomeUnknown || len(w.found(credential.CheckValid, usher.OutcomeWrong)) > 0 {
		t.Errorf("what is not known is told as %+v", v.Health)
	}
	w.idp.silent = false
	w.must(w.idp.RetireSecret(ctx, "", "id-1")) // by hand
	w.clock.pass(time.Hour)
	w.must(w.m.Tick(ctx))
	if n := len(w.found(credential.CheckValid, usher.OutcomeWrong)); n != 0 {
		t.Error("one refusal is no answer")
	}
	w.run(time.Minute, 10*time.Second)
	if n := len(w.found(credential.CheckValid, usher.OutcomeWrong)); n != 1 {
		t.Errorf("%d findings", n)
	}
}

// TestLeak: what a leak starts, by policy, signals and bound.
func TestLeak(t *testing.T) {
	leak := func(w *world, source string) credential.Leaked {
		list, err := w.m.Leaked(ctx, credential.Seen{Value: "first-value", Source: source, Detail: "a repository"})
		w.must(err)
		if len(list) != 1 {
			t.Fatalf("%d secrets", len(list))
		}
		return list[0]
	}
	t.Run("ask", func(t *testing.T) {
		w := newWorld(t, kinds["okta"])
		w.add(shop())
		for _, source := range []string{"scanner", "scanner", "log"} {
			if l := leak(w, source); l.Begun || l.State != credential.LeakLive {
				t.Errorf("%+v", l)
			}
		}
		w.run(24*time.Hour, time.Hour)
		if v := w.get(); v.Rotation != nil || v.Turn != usher.FixerTenantAdmin || !strings.Contains(v.Next, "leaked") {
			t.Errorf("nobody was asked: %s", v.Next)
		}
		if f := w.found(credential.CheckLeaked, usher.OutcomeWrong); len(f) != 3 || f[0].Severity != usher.SeverityCritical || len(f[0].Fix) == 0 {
			t.Errorf("%+v", f)
		}
	})
	t.Run("automatic", func(t *testing.T) {
		w := newWorld(t, kinds["okta"])
		c := shop()
		c.OnLeak = credential.LeakAutomatic
		w.add(c)
		w.fetch("key a", 0)
		if l := leak(w, "scanner"); l.Begun {
			t.Error("one signal began a rotation")
		}
		w.run(2*time.Minute, 30*time.Second)
		if w.get().Rotation != nil {
			t.Error("one signal began a rotation later")
		}
		if l := leak(w, "scanner"); l.Begun || len(l.Signals) != 1 {
			t.Error("the same signal twice began a rotation")
		}
		if l := leak(w, "log"); !l.Begun {
			t.Errorf("two signals began none: %+v", l)
		}
		w.run(time.Minute, 5*time.Second)
		w.fetch("key a", 0)
		w.run(time.Hour, time.Minute)
		if v := w.get(); v.Version != 2 || v.Rotation != nil || len(w.found(credential.CheckLeaked, usher.OutcomeOK)) != 1 {
			t.Errorf("%s; the case is not closed", v.Next)
		}
		if l := leak(w, "log"); l.State != credential.LeakDead || l.Begun {
			t.Errorf("a dead one: %+v", l)
		}
	})
	t.Run("the bound", func(t *testing.T) {
		w := newWorld(t, kinds["okta"])
		w.cap = credential.Cap{PerHour: 1}
		w.start(0, false)
		c := shop()
		c.OnLeak = credential.LeakAutomatic
		w.add(c)
		other := c
		other.Name = "other"
		w.must(w.m.Add(ctx, other, credential.Handed{Value: "of-another"}))
		_, err := w.m.Rotate(ctx, "other", "", "ann")
		w.must(err)
		leak(w, "scanner")
		if l := leak(w, "log"); l.Begun || l.Turn == "" {
			t.Errorf("the bound does not hold: %+v", l)
		}
		w.run(2*time.Hour, 10*time.Minute)
		if v := w.get(); v.Rotation == nil && v.Version == 1 {
			t.Errorf("it does not begin when it may: %s", v.Next)
		}
	})
	t.Run("live, but blocked here", func(t *testing.T) {
		w := newWorld(t, kinds["entra"])
		w.add(shop())
		w.idp.blocked = true
		l := leak(w, "scanner")
		if l.State != credential.LeakBlocked {
			t.Errorf("%+v", l)
		}
		f := w.found(credential.CheckLeaked, usher.OutcomeWrong)
		if len(f) != 1 || !strings.Contains(f[0].Detail, "53003") || !strings.Contains(f[0].Title, "live, but blocked here") {
			t.Errorf("%+v", f)
		}
	})
	t.Run("by sum, by client, by nobody", func(t *testing.T) {
		w := newWorld(t, kinds["okta"])
		w.add(shop())
		sum := sha256.Sum256([]byte("first-value"))
		for seen, want := range map[*credential.Seen]int{
			{Sum: "sha256:" + hex.EncodeToString(sum[:]), Source: "s"}: 1,
			{Client: "shop-client", Source: "s"}:                       1,
			{Client: "other-client", Source: "s"}:                      0,
			{Value: "first-valu", Source: "s"}:                         0,
			{Value: "first-value", Name: "other", Source: "s"}:         0,
		} {
			if list, err := w.m.Leaked(ctx, *seen); err != nil || len(list) != want {
				t.Errorf("%d found, want %d: %v", len(list), want, err)
			}
		}
		for _, seen := range []credential.Seen{{Source: "s"}, {Value: "x"}, {Sum: "12", Source: "s"}, {Value: usher.Secret(strings.Repeat("x", 9000)), Source: "s"}} {
			if _, err := w.m.Leaked(ctx, seen); err == nil {
				t.Error("taken")
			}
		}
	})
}

// TestNothingShows: no secret stands in a view, a plan, a finding, an event or
// the store.
func TestNothingShows(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	w.add(shop())
	w.fetch("key a", 0)
	_, err := w.m.Leaked(ctx, credential.Seen{Value: "first-value", Source: "s", Detail: "x"})
	w.must(err)
	plan, err := w.m.Rotate(ctx, "shop", "", "ann")
	w.must(err)
	w.run(time.Minute, 5*time.Second)
	blobs, err := w.store.Blobs(ctx, credential.Kind)
	w.must(err)
	text := fmt.Sprintf("%+v", blobs)
	for _, b := range blobs {
		text += string(b.Body)
	}
	for _, v := range []any{w.get(), plan, w.reports, w.events} {
		body, err := json.Marshal(v)
		w.must(err)
		text += string(body) + fmt.Sprintf("%+v", v)
	}
	for _, secret := range []string{"first-value", "value-2-of-the-provider"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows", secret)
		}
	}
}

// TestServeFetch holds the door to its protocol.
func TestServeFetch(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	c := shop()
	c.Callers = []string{"checkout"}
	w.add(c)
	get := func(caller, tag, instance string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/secrets/shop", nil)
		if tag != "" {
			r.Header.Set("If-None-Match", tag)
		}
		r.Header.Set("Usher-Instance", instance)
		rec := httptest.NewRecorder()
		w.m.ServeFetch(rec, r, "shop", caller, "192.0.2.1")
		return rec
	}
	rec := get("key checkout", "", "one")
	var body struct {
		Version int64  `json:"version"`
		Secret  string `json:"client_secret"`
	}
	w.must(json.Unmarshal(rec.Body.Bytes(), &body))
	if rec.Code != 200 || rec.Header().Get("ETag") != `"1"` || rec.Header().Get("Cache-Control") != "no-store" || body.Secret != "first-value" || body.Version != 1 {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	for tag, want := range map[string]int{`"1"`: 304, `W/"1"`: 304, `"9"`: 200, `*`: 200, `"x"`: 200, `"-1"`: 200} {
		if rec := get("key checkout", tag, "one"); rec.Code != want {
			t.Errorf("%s: %d, want %d", tag, rec.Code, want)
		}
	}
	if rec := get("key other", "", ""); rec.Code != 403 || strings.Contains(rec.Body.String(), "first-value") {
		t.Errorf("another key: %d", rec.Code)
	}
	if rec := get("", "", ""); rec.Code != 403 {
		t.Errorf("nobody: %d", rec.Code)
	}
	get("key checkout", "", "in valid\n")
	var names []string
	for _, u := range w.get().Users {
		names = append(names, u.Name)
	}
	if !slices.Equal(names, []string{"key checkout@192.0.2.1", "key checkout@one"}) {
		t.Errorf("callers %q", names)
	}
	w.life.dead = true
	if rec := get("key checkout", "", "one"); rec.Code != 503 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("without a store: %d", rec.Code)
	}
}

// answers is a token endpoint by the secret that is sent; "" is any other.
type answers map[string]*grant.Refusal

func (a answers) Ask(_ context.Context, r grant.Request) (*grant.Answer, error) {
	refusal, ok := a[r.Secret.Reveal()]
	if !ok {
		refusal = a[""]
	}
	if refusal == nil {
		return &grant.Answer{Access: "t"}, nil
	}
	return nil, refusal
}

// TestVerifier reads what token endpoints answer.
func TestVerifier(t *testing.T) {
	refused := func(status int, code, text string) *grant.Refusal {
		return &grant.Refusal{Kind: grant.Refused, Status: status, Code: code, Description: text}
	}
	wrong := refused(401, "invalid_client", "AADSTS7000215: Invalid client secret provided. Trace ID: 1-2")
	tests := map[string]struct {
		grant   string
		own     *grant.Refusal
		other   *grant.Refusal
		outcome usher.Outcome
		cause   string
		blocked bool
	}{
		"a token":                 {"client_credentials", nil, wrong, usher.OutcomeOK, "", false},
		"a token for no code":     {"", nil, nil, usher.OutcomeUnknown, "", false},
		"the code alone":          {"", refused(400, "invalid_grant", "Code not valid"), wrong, usher.OutcomeOK, "", false},
		"looks at the code first": {"", refused(400, "invalid_grant", "Code not valid"), refused(400, "invalid_grant", "Code not valid"), usher.OutcomeUnknown, "", false},
		"wrong":                   {"", refused(401, "invalid_client", "AADSTS7000215: Invalid client secret provided. Trace ID: 3-4"), wrong, usher.OutcomeWrong, "client-secret-invalid", false},
		"Keycloak's wrong":        {"", refused(401, "unauthorized_client", "Invalid client or Invalid client credentials"), refused(401, "unauthorized_client", "Invalid client or Invalid client credentials"), usher.OutcomeWrong, "client-secret-invalid", false},
		"no service account":      {"client_credentials", refused(401, "unauthorized_client", "Client not enabled to retrieve service account"), refused(401, "unauthorized_client", "Invalid client or Invalid client credentials"), usher.OutcomeOK, "", false},
		"expired":                 {"client_credentials", refused(401, "invalid_client", "AADSTS7000222: The provided client secret keys are expired."), wrong, usher.OutcomeWrong, "client-secret-expired", false},
		"blocked":                 {"client_credentials", refused(400, "invalid_grant", "AADSTS53003: Access has been blocked by Conditional Access policies."), wrong, usher.OutcomeOK, "", true},
		"another 53003":           {"client_credentials", refused(400, "invalid_grant", "code 153003"), refused(400, "invalid_grant", "code 153003"), usher.OutcomeUnknown, "", false},
		"a scope":                 {"client_credentials", refused(400, "invalid_scope", "no such scope"), wrong, usher.OutcomeOK, "", false},
		"no answer":               {"", &grant.Refusal{Kind: grant.Unreachable}, wrong, usher.OutcomeUnknown, "", false},
		"busy":                    {"", &grant.Refusal{Kind: grant.Busy, Status: 429}, wrong, usher.OutcomeUnknown, "", false},
		"then busy":               {"", refused(401, "invalid_client", "x"), &grant.Refusal{Kind: grant.Busy, Status: 503}, usher.OutcomeUnknown, "", false},
		"HTML":                    {"", &grant.Refusal{Kind: grant.Unreadable, Status: 200}, wrong, usher.OutcomeUnknown, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := shop()
			c.Grant = tt.grant
			v := credential.Verifier(answers{"own": tt.own, "": tt.other})(ctx, c, "own")
			if v.Outcome != tt.outcome || v.Cause != tt.cause || v.Blocked != tt.blocked || v.Title == "" {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestOwnTrials: what usher tries itself is no refusal of anybody's, and hides
// none.
func TestOwnTrials(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	w.add(shop()) // is verified at once
	own := func() bool { return w.m.Own(event(w, "", usher.StatusFailure)) }
	for i, want := range []bool{true, true, false} {
		if own() != want {
			t.Errorf("refusal %d of one trial: of its refusals two are its own", i+1)
		}
	}
	w.clock.pass(time.Minute)
	_, err := w.m.Verify(ctx, "shop")
	w.must(err)
	w.clock.pass(10 * time.Second)
	if own() {
		t.Error("a refusal ten seconds later is somebody's")
	}
	ev := event(w, "", usher.StatusFailure)
	ev.Time, ev.Client.UID = w.clock.now().Add(-10*time.Second), "another"
	if w.m.Own(ev) {
		t.Error("a refusal of another client")
	}
}

// TestConfig refuses what makes no sense.
func TestConfig(t *testing.T) {
	for name, spoil := range map[string]func(*credential.Config){
		"no name":        func(c *credential.Config) { c.Name = "" },
		"a long name":    func(c *credential.Config) { c.Name = strings.Repeat("a", 41) },
		"capitals":       func(c *credential.Config) { c.Name = "Shop" },
		"a path":         func(c *credential.Config) { c.Name = "../shop" },
		"no client":      func(c *credential.Config) { c.ClientID = " " },
		"a method":       func(c *credential.Config) { c.AuthMethod = "none" },
		"a grant":        func(c *credential.Config) { c.Grant = "password" },
		"a policy":       func(c *credential.Config) { c.OnLeak = "never" },
		"a time":         func(c *credential.Config) { c.QuietFor = -1 },
		"an address":     func(c *credential.Config) { c.TokenEndpoint = "sso.test/token" },
		"user info":      func(c *credential.Config) { c.TokenEndpoint = "https://a:b@sso.test/token" },
		"rotated nohow":  func(c *credential.Config) { c.Provider, c.RotateEvery = "", usher.Duration(time.Hour) },
		"a nameless one": func(c *credential.Config) { c.Callers = []string{""} },
	} {
		c := shop()
		spoil(&c)
		var told *usher.Error
		if err := c.Validate(); !errors.As(err, &told) || told.Code != usher.ErrUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := shop(); c.Validate() != nil {
		t.Error(c.Validate())
	}
}
