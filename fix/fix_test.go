package fix_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usher"
	"usher/fix"
	"usher/provider"
)

var (
	ctx   = context.Background()
	first = time.Date(2026, 11, 25, 10, 2, 0, 0, time.UTC)
)

// refused is a case of the client shop.
func refused(change func(*usher.Event)) *usher.Case {
	c := &usher.Case{ID: 1, Kind: usher.CaseFailure, First: first, Refusal: usher.Event{
		Tenant: "shop", Provider: "keycloak", Client: usher.Party{UID: "shop"}, Source: usher.Endpoint{IP: "10.0.0.1"},
	}}
	change(&c.Refusal)
	return c
}

func mismatch(uri string) *usher.Case {
	return refused(func(e *usher.Event) { e.OAuth.RedirectURI = uri })
}

func cause(label string) usher.Cause {
	return usher.Cause{Label: label, Title: "It is refused", Fixer: usher.FixerDeveloper, Fix: []usher.FixStep{
		{Text: "Never do this. Really.", Risk: usher.RiskWeakening}, {Text: "Look first. Then act.", Risk: usher.RiskNeutral},
	}}
}

func changedAt(at time.Time, by string, kind string, fields ...string) usher.Event {
	return usher.Event{Kind: usher.EventAdmin, Time: at, Actor: usher.Party{Name: by}, Change: &usher.Change{Operation: "update", Type: kind, Fields: fields}}
}

// outline gives the actions of fixes in order; a person's is "person", and what
// weakens has an exclamation mark.
func outline(fixes []usher.Fix) string {
	var words []string
	for i, f := range fixes {
		w := "person"
		if f.Action != nil {
			w = string(f.Action.Kind)
			if f.Action.Scope != "" {
				w += " " + f.Action.Scope
			}
		}
		if f.Risk == usher.RiskWeakening {
			w += "!"
		}
		if f.ID != fmt.Sprint(i+1) {
			w += " with id " + f.ID
		}
		words = append(words, w)
	}
	return strings.Join(words, ", ")
}

func TestPropose(t *testing.T) {
	registered := shop("https://shop.test/cb")
	disabled := shop()
	disabled.Disabled = true
	public := shop()
	public.Public = true
	knows := shop()
	knows.AddableScopes = []string{"orders.read", "admin"}
	edit := func(c *usher.Case, e usher.Event) *usher.Case { c.Changed = append(c.Changed, e); return c }
	asks := func(scopes ...string) *usher.Case {
		return refused(func(e *usher.Event) { e.OAuth.Requested = scopes })
	}
	just := first.Add(-time.Minute)
	masked := mismatch("https://shop.test/cb/")
	masked.Refusal.Masked = []string{"oauth.redirect_uri"}
	attack := mismatch("https://shop.test/cb/")
	attack.Kind = usher.CaseAttack
	tests := []struct {
		name  string
		c     *usher.Case
		label string
		reg   *usher.Client
		want  string
	}{
		{"both sides", mismatch("https://shop.test/cb/"), "redirect-uri-mismatch", registered, "add-redirect-uri, replace-redirect-uri, person"},
		{
			"edited shortly before", edit(mismatch("https://shop.test/cb/"), changedAt(just, "admin", "client", "redirectUris")), "redirect-uri-mismatch", registered,
			"add-redirect-uri, replace-redirect-uri, person",
		},
		{"something else was edited", edit(mismatch("https://shop.test/cb/"), changedAt(just, "admin", "client", "name")), "redirect-uri-mismatch", registered, "add-redirect-uri, replace-redirect-uri, person"},
		{"edited, fields unknown", edit(mismatch("https://shop.test/cb/"), changedAt(just, "admin", "client")), "redirect-uri-mismatch", registered, "add-redirect-uri, replace-redirect-uri, person"},
		{"edited long ago", edit(mismatch("https://shop.test/cb/"), changedAt(first.Add(-48*time.Hour), "admin", "client")), "redirect-uri-mismatch", registered, "add-redirect-uri, replace-redirect-uri, person"},
		{"a user was edited", edit(mismatch("https://shop.test/cb/"), changedAt(just, "admin", "user")), "redirect-uri-mismatch", registered, "add-redirect-uri, replace-redirect-uri, person"},
		{"two are near", mismatch("https://shop.test/cb/"), "redirect-uri-mismatch", shop("https://shop.test/cb", "https://shop.test/CB"), "add-redirect-uri, person"},
		{"foreign", mismatch("https://evil.example/cb"), "redirect-uri-mismatch", registered, "person, add-redirect-uri!"},
		{"foreign, edited", edit(mismatch("https://evil.example/cb"), changedAt(just, "admin", "client")), "redirect-uri-mismatch", registered, "person, add-redirect-uri!"},
		{"script", mismatch("javascript:alert(1)"), "redirect-uri-invalid", registered, "person"},
		{"registration unknown", mismatch("https://shop.test/cb/"), "redirect-uri-mismatch", nil, "person, add-redirect-uri!"},
		{"what is sent is unknown", mismatch(""), "redirect-uri-mismatch", registered, "person"},
		{"what is sent was masked", masked, "redirect-uri-mismatch", registered, "person"},
		{"an attack", attack, "redirect-uri-mismatch", registered, "person"},

		{"scope", asks("openid", "email", "orders.read"), "scope-invalid", knows, "allow-scope orders.read, person"},
		{"scope that the realm lacks", asks("openid", "order"), "scope-invalid", knows, "person"},
		{"powerful scope", asks("admin", "orders.read"), "scope-invalid", knows, "allow-scope orders.read, person, allow-scope admin!"},
		{"scopes of the realm unknown", asks("orders.read"), "scope-invalid", shop(), "allow-scope orders.read, person"},
		{"registration unknown, several", asks("orders.read", "other"), "scope-invalid", nil, "person"},
		{"many", asks("a", "b", "c", "d", "e"), "scope-invalid", shop(), "allow-scope a, allow-scope b, allow-scope c, person"},

		{"disabled", refused(func(*usher.Event) {}), "client-disabled", disabled, "enable-client, person"},
		{"disabled by a person", edit(refused(func(*usher.Event) {}), changedAt(just, "admin", "client", "enabled")), "client-disabled", disabled, "person, enable-client!"},
		{"it is on", refused(func(*usher.Event) {}), "client-disabled", shop(), "person"},

		{"secret expired", refused(func(*usher.Event) {}), "client-secret-expired", shop(), "replace-secret, person"},
		{"secret wrong", refused(func(*usher.Event) {}), "client-secret-invalid", shop(), "person, replace-secret"},
		{"secret leaked", refused(func(*usher.Event) {}), "client-secret-leaked", shop(), "replace-secret, person"},
		{"public", refused(func(*usher.Event) {}), "client-secret-expired", public, "person"},
		{"nothing usher does", refused(func(*usher.Event) {}), "user-locked", shop(), "person"},
	}
	for _, tt := range tests {
		got := fix.Propose(tt.c, cause(tt.label), tt.reg, "sso")
		if outline(got) != tt.want {
			t.Errorf("%s: %s; want %s", tt.name, outline(got), tt.want)
		}
		for _, f := range got {
			if f.Title == "" || f.Proof.Text == "" || len(f.Steps) == 0 || !f.Risk.Valid() || !f.Fixer.Valid() {
				t.Errorf("%s: %+v is not whole", tt.name, f)
			}
			if f.Action != nil && (f.Action.Provider != "sso" || f.Action.Client != "shop" || f.Action.Tenant != "shop") {
				t.Errorf("%s: %+v", tt.name, f.Action)
			}
		}
		// Without an admin API only people do something.
		if got := outline(fix.Propose(tt.c, cause(tt.label), tt.reg, "")); got != "person" {
			t.Errorf("%s without a provider: %s", tt.name, got)
		}
	}
	if got := fix.Propose(mismatch("x"), usher.Cause{}, nil, "sso"); got != nil {
		t.Errorf("without a cause: %v", got)
	}
}

func TestProofs(t *testing.T) {
	fixes := fix.Propose(mismatch("https://shop.test/cb/"), cause("redirect-uri-mismatch"), shop("https://shop.test/cb"), "sso")
	if p := fixes[0].Proof; !slices.Equal(p.Equal, []string{"client", "oauth.redirect_uri"}) || p.Applied || p.Differ != nil {
		t.Errorf("registering: %+v", p)
	}
	if p := fixes[2].Proof; !slices.Equal(p.Equal, []string{"client", "src_endpoint.ip"}) || !p.Applied || !slices.Equal(p.Differ, []string{"oauth.redirect_uri"}) {
		t.Errorf("changing the app: %+v", p)
	}
	if fixes[2].Title != "Make the app send https://shop.test/cb" || fixes[1].Title != "Correct the registered https://shop.test/cb to https://shop.test/cb/" {
		t.Errorf("titles %q, %q", fixes[2].Title, fixes[1].Title)
	}
	for _, f := range fixes {
		for _, field := range slices.Concat(f.Proof.Equal, f.Proof.Differ) {
			if !slices.Contains(usher.FieldPaths(), field) {
				t.Errorf("%s is no field", field)
			}
		}
	}
	if steps := fixes[2].Steps; steps[len(steps)-1].Risk != usher.RiskWeakening {
		t.Errorf("the step that weakens does not come last: %v", steps)
	}
}

func fixer(m *memory) *fix.Fixer {
	return fix.New(fix.Options{Admins: map[string]provider.Admin{"sso": m}, Now: func() time.Time { return first }})
}

// propose makes the case that a fix is planned for.
func propose(c *usher.Case, label string, reg *usher.Client) *usher.Case {
	c.Fixes = fix.Propose(c, cause(label), reg, "sso")
	return c
}

// act makes a case with one fix of one action.
func act(a usher.Action) *usher.Case {
	a.Provider, a.Client = "sso", "shop"
	return &usher.Case{ID: 1, Fixes: []usher.Fix{{ID: "1", Title: "x", Risk: usher.RiskNeutral, Action: &a}}}
}

func plan(t testing.TB, f *fix.Fixer, c *usher.Case, id string) usher.FixPlan {
	t.Helper()
	p, err := f.Plan(ctx, c, id)
	if err != nil {
		t.Fatal(err)
	}
	// As a store keeps it.
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var kept usher.FixPlan
	if err := json.Unmarshal(text, &kept); err != nil || !reflect.DeepEqual(p, kept) {
		t.Fatalf("the plan changes on its way through JSON: %v\n%+v\n%+v", err, p, kept)
	}
	return kept
}

func yes(p usher.FixPlan) fix.Confirm { return fix.Confirm{Plan: p.ID} }

func code(err error) string {
	var told *usher.Error
	if errors.As(err, &told) {
		return told.Code
	}
	return fmt.Sprint(err)
}

func TestStory(t *testing.T) {
	m := newMemory(shop("https://shop.test/cb"))
	f := fixer(m)
	c := propose(mismatch("https://shop.test/cb/"), "redirect-uri-mismatch", m.clients["shop"])
	p := plan(t, f, c, "1")
	want := usher.FixPlan{
		ID: p.ID, Case: 1, Fix: c.Fixes[0], Made: first, Object: "client 'shop' of realm 'shop' at http://sso.test",
		Diff: []usher.Difference{{Field: "redirectUris", To: "https://shop.test/cb/"}}, Request: "PUT /clients/u-1/add-redirect-uri/", Right: "manage-clients",
		Undo: "usher takes https://shop.test/cb/ out of the list again",
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("the plan is\n%+v\nwant\n%+v", p, want)
	}
	if m.writes != 0 {
		t.Error("a plan wrote")
	}
	run := usher.FixRun{ID: "1", Plan: p, State: usher.RunApplying}
	if applied, _, err := f.Resume(ctx, run); applied || err != nil {
		t.Errorf("before: %v, %v", applied, err)
	}
	for i := range 2 {
		r, err := f.Apply(ctx, p, yes(p))
		if err != nil || r.Already != (i == 1) || i == 1 && len(r.Plan.Diff) != 0 || i == 0 && !reflect.DeepEqual(r.Plan, p) {
			t.Errorf("%d: %+v, %v", i, r, err)
		}
	}
	if m.writes != 1 {
		t.Errorf("%d writes", m.writes)
	}
	if applied, _, err := f.Resume(ctx, run); !applied || err != nil {
		t.Errorf("after: %v, %v", applied, err)
	}
	for range 2 {
		if err := f.Undo(ctx, run); err != nil || !same(m.clients["shop"].RedirectURIs, []string{"https://shop.test/cb"}) {
			t.Errorf("%v, %v", m.clients["shop"].RedirectURIs, err)
		}
	}
	// The plan of the other fix, by one who sends the new address and one the old.
	p = plan(t, f, c, "2")
	if !reflect.DeepEqual(p.Diff, []usher.Difference{{Field: "redirectUris", From: "https://shop.test/cb"}, {Field: "redirectUris", To: "https://shop.test/cb/"}}) {
		t.Errorf("%+v", p.Diff)
	}
	if _, err := f.Apply(ctx, p, yes(p)); err != nil || !same(m.clients["shop"].RedirectURIs, []string{"https://shop.test/cb/"}) {
		t.Errorf("%v, %v", m.clients["shop"].RedirectURIs, err)
	}
	// What others add meanwhile stays.
	m.clients["shop"].RedirectURIs = append(m.clients["shop"].RedirectURIs, "https://theirs.test/")
	if err := f.Undo(ctx, usher.FixRun{Plan: p}); err != nil || !same(m.clients["shop"].RedirectURIs, []string{"https://shop.test/cb", "https://theirs.test/"}) {
		t.Errorf("%v, %v", m.clients["shop"].RedirectURIs, err)
	}
}

// TestChangedSinceYouLooked: nothing is written on what nobody looked at.
func TestChangedSinceYouLooked(t *testing.T) {
	for name, change := range map[string]func(*usher.Client){
		"another URI":     func(c *usher.Client) { c.RedirectURIs = append(c.RedirectURIs, "https://x.test/") },
		"switched off":    func(c *usher.Client) { c.Disabled = true },
		"became public":   func(c *usher.Client) { c.Public = true },
		"made anew":       func(c *usher.Client) { c.UID = "u-2" },
		"another web":     func(c *usher.Client) { c.WebOrigins = []string{"+"} },
		"another root":    func(c *usher.Client) { c.RootURL = "https://x.test" },
		"the near one is": func(c *usher.Client) { c.RedirectURIs = []string{"https://other.test/"} },
	} {
		m := newMemory(shop("https://shop.test/cb"))
		f := fixer(m)
		p := plan(t, f, propose(mismatch("https://shop.test/cb/"), "redirect-uri-mismatch", m.clients["shop"]), "1")
		change(m.clients["shop"])
		_, err := f.Apply(ctx, p, fix.Confirm{Plan: p.ID, Weaken: true})
		if !errors.Is(err, fix.ErrStale) || code(err) != usher.ErrChanged || m.writes != 0 {
			t.Errorf("%s: %v, %d writes", name, err, m.writes)
		}
	}
	// Between the last look and the write.
	m := newMemory(shop("https://shop.test/cb"))
	f := fixer(m)
	p := plan(t, f, propose(mismatch("https://shop.test/cb/"), "redirect-uri-mismatch", m.clients["shop"]), "1")
	m.before = func() { m.clients["shop"].RedirectURIs = []string{"https://theirs.test/"} }
	if _, err := f.Apply(ctx, p, yes(p)); !errors.Is(err, provider.ErrChanged) || m.writes != 0 {
		t.Errorf("got %v", err)
	}
}

// TestConfirmation: what is done is what was shown and confirmed.
func TestConfirmation(t *testing.T) {
	m := newMemory(shop("https://shop.test/cb"))
	f := fixer(m)
	p := plan(t, f, propose(mismatch("https://shop.test/cb/"), "redirect-uri-mismatch", m.clients["shop"]), "1")
	for _, confirm := range []string{"", "x", strings.ToUpper(p.ID)} {
		if _, err := f.Apply(ctx, p, fix.Confirm{Plan: confirm}); !errors.Is(err, fix.ErrStale) {
			t.Errorf("%q confirms: %v", confirm, err)
		}
	}
	for name, forge := range map[string]func(*usher.FixPlan){
		"another URI":  func(p *usher.FixPlan) { a := *p.Fix.Action; a.URI = "https://shop.test/CB"; p.Fix.Action = &a },
		"another case": func(p *usher.FixPlan) { p.Case = 2 },
		"another fix":  func(p *usher.FixPlan) { p.Fix.Title = "Something harmless" },
	} {
		forged := p
		forge(&forged)
		if _, err := f.Apply(ctx, forged, yes(p)); !errors.Is(err, fix.ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m.writes != 0 {
		t.Errorf("%d writes", m.writes)
	}
	if _, err := f.Apply(ctx, usher.FixPlan{}, fix.Confirm{}); code(err) != usher.ErrUsage {
		t.Errorf("an empty plan: %v", err)
	}
}

// TestWeakeningIsSaidTwice: no plan that weakens is carried out by one yes.
func TestWeakeningIsSaidTwice(t *testing.T) {
	off := shop("https://shop.test/cb")
	off.Disabled = true
	onPurpose := propose(refused(func(*usher.Event) {}), "client-disabled", off)
	onPurpose.Changed = []usher.Event{changedAt(first, "ada", "client", "enabled")}
	builtIn := act(usher.Action{Kind: usher.ActionAddRedirectURI, URI: "https://shop.test/cb/"})
	builtIn.Fixes[0].Action.Client = "account"
	for name, tt := range map[string]struct {
		c    *usher.Case
		want string
	}{
		"foreign":        {act(usher.Action{Kind: usher.ActionAddRedirectURI, URI: "https://evil.example/cb"}), "may be an attacker"},
		"wildcard":       {act(usher.Action{Kind: usher.ActionReplaceRedirectURI, From: "https://shop.test/cb", URI: "https://shop.test/*"}), "the star"},
		"http":           {act(usher.Action{Kind: usher.ActionAddRedirectURI, URI: "http://shop.test/cb"}), "it is http"},
		"offline":        {act(usher.Action{Kind: usher.ActionAllowScope, Scope: "offline_access"}), "refresh tokens"},
		"roles in scope": {act(usher.Action{Kind: usher.ActionAllowScope, Scope: "innocent"}), "manage-users"},
		"on purpose":     {onPurpose, "'ada' changed the client"},
		"built in":       {builtIn, "its own consoles"},
	} {
		m := newMemory(shop("https://shop.test/cb"))
		m.clients["shop"].Disabled = true
		m.clients["account"] = shop("https://shop.test/cb")
		f := fixer(m)
		p := plan(t, f, tt.c, "1")
		if len(p.Weakens) == 0 || !strings.Contains(strings.Join(p.Weakens, "; "), tt.want) || p.Fix.Risk != usher.RiskWeakening {
			t.Errorf("%s: weakens %q, risk %s; want %q", name, p.Weakens, p.Fix.Risk, tt.want)
		}
		if _, err := f.Apply(ctx, p, yes(p)); code(err) != usher.ErrRefused || m.writes != 0 {
			t.Errorf("%s: one yes: %v, %d writes", name, err, m.writes)
		}
		silent := p
		silent.Weakens = nil
		if _, err := f.Apply(ctx, silent, yes(p)); err == nil || m.writes != 0 {
			t.Errorf("%s: the reasons were struck out, and it was done", name)
		}
		if _, err := f.Apply(ctx, p, fix.Confirm{Plan: p.ID, Weaken: true}); err != nil || m.writes != 1 {
			t.Errorf("%s: twice: %v, %d writes", name, err, m.writes)
		}
	}
}

func TestNever(t *testing.T) {
	m := newMemory(shop("https://shop.test/cb"))
	m.clients["usher"] = shop()
	public := shop()
	public.ID, public.Public = "spa", true
	m.clients["spa"] = public
	f := fixer(m)
	on := func(client string, a usher.Action) *usher.Case {
		c := act(a)
		c.Fixes[0].Action.Client = client
		return c
	}
	for name, tt := range map[string]struct {
		c    *usher.Case
		code string
	}{
		"a script":            {act(usher.Action{Kind: usher.ActionAddRedirectURI, URI: "javascript:alert(1)"}), usher.ErrRefused},
		"usher's own client":  {on("usher", usher.Action{Kind: usher.ActionReplaceSecret}), usher.ErrRefused},
		"secret of a public":  {on("spa", usher.Action{Kind: usher.ActionReplaceSecret}), usher.ErrRefused},
		"an unknown action":   {act(usher.Action{Kind: "delete-realm"}), usher.ErrRefused},
		"a person's fix":      {&usher.Case{ID: 1, Fixes: []usher.Fix{{ID: "1"}}}, usher.ErrUsage},
		"no such fix":         {&usher.Case{ID: 1}, usher.ErrNotFound},
		"no such provider":    {&usher.Case{ID: 1, Fixes: []usher.Fix{{ID: "1", Action: &usher.Action{Provider: "x"}}}}, usher.ErrRefused},
		"no name for a scope": {act(usher.Action{Kind: usher.ActionAllowScope, Scope: "a b"}), ""},
	} {
		_, err := f.Plan(ctx, tt.c, "1")
		if err == nil || tt.code != "" && code(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Plan(ctx, on("gone", usher.Action{Kind: usher.ActionEnableClient}), "1"); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("a client that is gone: %v", err)
	}
	if err := f.Undo(ctx, usher.FixRun{}); code(err) != usher.ErrUsage {
		t.Errorf("undo of nothing: %v", err)
	}
}

func TestSecret(t *testing.T) {
	m := newMemory(shop())
	f := fixer(m)
	c := propose(refused(func(*usher.Event) {}), "client-secret-expired", shop())
	p := plan(t, f, c, "1")
	run := usher.FixRun{Plan: p, State: usher.RunApplying}
	if applied, note, _ := f.Resume(ctx, run); applied || !strings.Contains(note, "still the old one") {
		t.Errorf("before: %v, %s", applied, note)
	}
	r, err := f.Apply(ctx, p, yes(p))
	if err != nil || r.Secret.Reveal() != "a-new-secret-1" {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(r); strings.Contains(string(text)+fmt.Sprintf("%+v", r), "a-new-secret") {
		t.Errorf("the secret is in %s", text)
	}
	if _, err := f.Apply(ctx, p, yes(p)); !errors.Is(err, fix.ErrStale) || m.secrets != 1 {
		t.Errorf("one plan makes %d secrets: %v", m.secrets, err)
	}
	// Set by hand, which leaves the time of its making as it is.
	p2 := plan(t, f, c, "1")
	m.clients["shop"].SecretMark = "[secret ffff]"
	if _, err := f.Apply(ctx, p2, yes(p2)); !errors.Is(err, fix.ErrStale) || m.secrets != 1 {
		t.Errorf("set by hand in between: %v", err)
	}
	if applied, note, _ := f.Resume(ctx, run); !applied || !strings.Contains(note, "interrupted") {
		t.Errorf("after: %v, %s", applied, note)
	}
	if err := f.Undo(ctx, run); code(err) != usher.ErrRefused || !strings.Contains(err.Error(), "cannot be taken back") {
		t.Errorf("undo: %v", err)
	}
}

// TestCrash: whether a write was made is found out from the provider.
func TestCrash(t *testing.T) {
	for _, a := range []usher.Action{
		{Kind: usher.ActionAddRedirectURI, URI: "https://shop.test/cb/"},
		{Kind: usher.ActionReplaceRedirectURI, From: "https://shop.test/cb", URI: "https://shop.test/cb/"},
		{Kind: usher.ActionAllowScope, Scope: "orders.read"},
		{Kind: usher.ActionEnableClient},
		{Kind: usher.ActionReplaceSecret},
	} {
		m := newMemory(shop("https://shop.test/cb"))
		m.clients["shop"].Disabled = true
		f := fixer(m)
		p := plan(t, f, act(a), "1")
		run := usher.FixRun{Plan: p, State: usher.RunApplying}
		m.fail = fmt.Errorf("down: %w", provider.ErrUnreachable)
		if _, err := f.Apply(ctx, p, yes(p)); !errors.Is(err, provider.ErrUnreachable) {
			t.Errorf("%s: %v", a.Kind, err)
		}
		if _, _, err := f.Resume(ctx, run); !errors.Is(err, provider.ErrUnreachable) {
			t.Errorf("%s: an answer of a provider that is down: %v", a.Kind, err)
		}
		m.fail = nil
		if applied, _, err := f.Resume(ctx, run); applied || err != nil {
			t.Errorf("%s: %v, %v; nothing was written", a.Kind, applied, err)
		}
		m.lost = true
		if _, err := f.Apply(ctx, p, yes(p)); !errors.Is(err, provider.ErrUnreachable) {
			t.Errorf("%s: %v", a.Kind, err)
		}
		if applied, _, err := f.Resume(ctx, run); !applied || err != nil {
			t.Errorf("%s: %v, %v; it was written", a.Kind, applied, err)
		}
		delete(m.clients, "shop")
		if applied, note, err := f.Resume(ctx, run); applied || err != nil || note == "" {
			t.Errorf("%s of a client that is gone: %v, %v", a.Kind, applied, err)
		}
	}
}

func TestUndoLeavesWhatOthersDid(t *testing.T) {
	m := newMemory(shop("https://shop.test/cb"))
	f := fixer(m)
	p := plan(t, f, act(usher.Action{Kind: usher.ActionReplaceRedirectURI, From: "https://shop.test/cb", URI: "https://shop.test/cb/"}), "1")
	if _, err := f.Apply(ctx, p, yes(p)); err != nil {
		t.Fatal(err)
	}
	m.clients["shop"].RedirectURIs = []string{"https://new.test/"}
	if err := f.Undo(ctx, usher.FixRun{Plan: p}); !errors.Is(err, provider.ErrChanged) || !same(m.clients["shop"].RedirectURIs, []string{"https://new.test/"}) {
		t.Errorf("%v, %v", err, m.clients["shop"].RedirectURIs)
	}
	// What was so already is not ours.
	m.clients["shop"].RedirectURIs = []string{"https://shop.test/cb/"}
	p = plan(t, f, act(usher.Action{Kind: usher.ActionAddRedirectURI, URI: "https://shop.test/cb/"}), "1")
	r, err := f.Apply(ctx, p, yes(p))
	if err != nil || !r.Already {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := f.Undo(ctx, usher.FixRun{Plan: r.Plan}); err != nil || len(m.clients["shop"].RedirectURIs) != 1 {
		t.Errorf("%v, %v", err, m.clients["shop"].RedirectURIs)
	}
	// A scope that is given by default by now.
	p = plan(t, f, act(usher.Action{Kind: usher.ActionAllowScope, Scope: "orders.read"}), "1")
	if _, err := f.Apply(ctx, p, yes(p)); err != nil {
		t.Fatal(err)
	}
	m.clients["shop"].DefaultScopes, m.clients["shop"].OptionalScopes = []string{"orders.read"}, nil
	if err := f.Undo(ctx, usher.FixRun{Plan: p}); !errors.Is(err, provider.ErrChanged) {
		t.Errorf("got %v", err)
	}
}

// drawn gives a client and an action that fits it.
func drawn(t *rapid.T) (*usher.Client, usher.Action) {
	uri := rapid.SampledFrom([]string{"https://shop.test/cb", "https://shop.test/cb/", "https://shop.test/CB", "https://evil.example/", "https://shop.test/*", "http://shop.test/cb"})
	c := shop(rapid.SliceOfNDistinct(uri, 0, 4, rapid.ID[string]).Draw(t, "registered")...)
	c.Disabled = rapid.Bool().Draw(t, "disabled")
	if rapid.Bool().Draw(t, "has the scope") {
		c.OptionalScopes = append(c.OptionalScopes, "orders.read")
	}
	return c, usher.Action{
		Kind: rapid.SampledFrom([]usher.ActionKind{usher.ActionAddRedirectURI, usher.ActionReplaceRedirectURI, usher.ActionAllowScope, usher.ActionEnableClient}).Draw(t, "kind"),
		URI:  uri.Draw(t, "uri"), From: uri.Draw(t, "from"), Scope: rapid.SampledFrom([]string{"orders.read", "email", "offline_access"}).Draw(t, "scope"),
	}
}

func stateOf(m *memory) string {
	c := copyOf(m.clients["shop"])
	slices.Sort(c.RedirectURIs)
	slices.Sort(c.OptionalScopes)
	text, _ := json.Marshal(c)
	return string(text)
}

// TestApplyUndo: apply and undo give back the state; apply twice is apply; undo
// twice is undo.
func TestApplyUndo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c, a := drawn(rt)
		m := newMemory(c)
		f := fixer(m)
		before := stateOf(m)
		p := plan(t, f, act(a), "1")
		confirm := fix.Confirm{Plan: p.ID, Weaken: true}
		r, err := f.Apply(ctx, p, confirm)
		if err != nil {
			rt.Fatal(err)
		}
		after := stateOf(m)
		if (after == before) != r.Already {
			rt.Fatalf("already %v, %s to %s", r.Already, before, after)
		}
		if again, err := f.Apply(ctx, p, confirm); err != nil || stateOf(m) != after || !again.Already {
			rt.Fatalf("applied twice: %v, %s to %s", err, after, stateOf(m))
		}
		for range 2 {
			if err := f.Undo(ctx, usher.FixRun{Plan: r.Plan}); err != nil || stateOf(m) != before {
				rt.Fatalf("undone: %v, %s, was %s", err, stateOf(m), before)
			}
		}
	})
}

// TestWhatComesFirst: whatever a log says, the fix in front does not weaken, and
// there is one for a person.
func TestWhatComesFirst(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		reg, a := drawn(rt)
		if rapid.Bool().Draw(rt, "unknown") {
			reg = nil
		}
		c := mismatch(a.URI)
		c.Refusal.OAuth.Requested = []string{a.Scope, rapid.String().Draw(rt, "another scope")}
		if rapid.Bool().Draw(rt, "edited") {
			c.Changed = []usher.Event{changedAt(first, "ada", "client")}
		}
		label := rapid.SampledFrom([]string{"redirect-uri-mismatch", "scope-invalid", "client-disabled", "client-secret-invalid", "client-secret-expired", "other"}).Draw(rt, "label")
		fixes := fix.Propose(c, cause(label), reg, "sso")
		if len(fixes) == 0 || fixes[0].Risk == usher.RiskWeakening || !slices.ContainsFunc(fixes, func(f usher.Fix) bool { return f.Action == nil }) {
			rt.Fatalf("%s: %s", label, outline(fixes))
		}
	})
}

// TestRace: of fixers that race for one client none loses another's update.
func TestRace(t *testing.T) {
	m := newMemory(shop("https://shop.test/cb"))
	var wg sync.WaitGroup
	const n = 20
	for i := range n {
		f := fixer(m)
		wg.Go(func() {
			c := act(usher.Action{Kind: usher.ActionAddRedirectURI, URI: fmt.Sprintf("https://shop.test/%c", 'a'+i)})
			for {
				p, err := f.Plan(ctx, c, "1")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = f.Apply(ctx, p, fix.Confirm{Plan: p.ID, Weaken: true})
				if err == nil {
					return
				}
				if !errors.Is(err, provider.ErrChanged) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := m.clients["shop"].RedirectURIs; len(got) != n+1 {
		t.Errorf("%d of %d are there", len(got)-1, n)
	}
}
