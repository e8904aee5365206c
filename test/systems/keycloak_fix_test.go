package systems_test

import (
	"net/http"
	"testing"

	"usher"
	"usher/fix"
	"usher/provider"
)

// TestKeycloakFix plans, carries out and takes back every action of fix.
func TestKeycloakFix(t *testing.T) {
	r := newRealm(t, "manage-clients")
	r.make(map[string]any{
		"clientId": "shop", "secret": "old", "redirectUris": []string{"https://shop.test/cb"}, "authorizationServicesEnabled": true, "serviceAccountsEnabled": true, "enabled": false,
	})
	r.must(http.MethodPost, "/client-scopes", map[string]any{"name": "orders.read", "protocol": "openid-connect"}, nil)
	ctx := t.Context()
	f := fix.New(fix.Options{Admins: map[string]provider.Admin{"sso": r.admin}})
	shop := r.uid("shop")
	before := r.raw(shop)
	for _, a := range []usher.Action{
		{Kind: usher.ActionAddRedirectURI, URI: "https://shop.test/cb/"},
		{Kind: usher.ActionReplaceRedirectURI, From: "https://shop.test/cb", URI: "https://shop.test/cb/"},
		{Kind: usher.ActionAllowScope, Scope: "orders.read"},
		{Kind: usher.ActionEnableClient},
	} {
		p := planned(t, f, a)
		if len(p.Diff) == 0 || len(p.Weakens) > 0 {
			t.Errorf("%s: %+v", a.Kind, p)
		}
		for i := range 2 {
			if done, err := f.Apply(ctx, p, fix.Confirm{Plan: p.ID}); err != nil || done.Already != (i == 1) {
				t.Errorf("%s: %+v, %v", a.Kind, done, err)
			}
		}
		if len(changed(before, r.raw(shop))) == 0 {
			t.Errorf("%s changed nothing", a.Kind)
		}
		if applied, _, err := f.Resume(ctx, usher.FixRun{Plan: p}); !applied || err != nil {
			t.Errorf("%s: %v, %v", a.Kind, applied, err)
		}
		if err := f.Undo(ctx, usher.FixRun{Plan: p}); err != nil {
			t.Errorf("%s: %v", a.Kind, err)
		}
		if diff := changed(before, r.raw(shop)); len(diff) > 0 {
			t.Errorf("%s was not taken back: %q", a.Kind, diff)
		}
	}
	p := planned(t, f, usher.Action{Kind: usher.ActionReplaceSecret})
	done, err := f.Apply(ctx, p, fix.Confirm{Plan: p.ID})
	if err != nil || r.raw(shop)["secret"] != done.Secret.Reveal() {
		t.Errorf("the secret: %v", err)
	}
	p = planned(t, f, usher.Action{Kind: usher.ActionAllowScope, Scope: "offline_access"})
	if len(p.Diff) != 0 {
		t.Errorf("a scope that the client may ask for already: %+v", p.Diff)
	}
}

// planned is the plan of one action on the client shop.
func planned(t *testing.T, f *fix.Fixer, a usher.Action) usher.FixPlan {
	t.Helper()
	a.Provider, a.Client = "sso", "shop"
	p, err := f.Plan(t.Context(), &usher.Case{ID: 1, Fixes: []usher.Fix{{ID: "1", Risk: usher.RiskNeutral, Action: &a}}}, "1")
	if err != nil {
		t.Fatal(err)
	}
	return p
}
