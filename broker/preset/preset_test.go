package preset_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/preset"
)

// TestData holds every preset to FORMAT.md.
func TestData(t *testing.T) {
	presets, problems := preset.Load()
	for _, err := range problems {
		t.Error(err)
	}
	payments := 0
	for _, p := range presets {
		for _, err := range preset.Lint(p) {
			t.Error(err)
		}
		if p.Kind == "payments" {
			payments++
		}
	}
	if len(presets) < 20 || payments < 5 {
		t.Errorf("%d presets, %d of them for payments; want 20 and 5 at least", len(presets), payments)
	}
	if len(preset.All()) != len(presets) {
		t.Errorf("All gives %d of %d", len(preset.All()), len(presets))
	}
}

// TestEveryGrantMakesAConfig: whatever a preset says it can is a configuration
// without braces left in it.
func TestEveryGrantMakesAConfig(t *testing.T) {
	for _, p := range preset.All() {
		values := map[string]string{}
		for _, v := range p.Values {
			if len(v.Choices) > 0 {
				values[v.Name] = v.Choices[len(v.Choices)-1].Name
			} else {
				values[v.Name] = v.Example
			}
		}
		for _, grant := range p.Grants {
			for _, auth := range p.Auth {
				c, err := p.Config(preset.Wish{ID: "x", ClientID: "c", Grant: grant, AuthMethod: auth, Values: values})
				if err != nil {
					t.Errorf("%s %s %s: %v", p.Name, grant, auth, err)
					continue
				}
				if e := c.Endpoints; strings.Contains(c.Issuer+c.Audience+e.Token+e.Authorization+e.DeviceAuthorization+e.Revocation+e.Introspection+e.JWKS, "{") {
					t.Errorf("%s: braces are left: %+v", p.Name, c)
				}
				if c.Preset != p.Name || c.AuthMethod != auth || !slices.Contains(broker.Grants, c.Grant) || c.Endpoints.Token == "" {
					t.Errorf("%s: %+v", p.Name, c)
				}
			}
		}
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct {
		name string
		wish preset.Wish
		want func(broker.Config) string
	}{
		{"paypal", preset.Wish{Values: map[string]string{"environment": "sandbox"}}, func(c broker.Config) string {
			return is(c.Endpoints.Token, "https://api-m.sandbox.paypal.com/v1/oauth2/token") + is(c.Grant, broker.GrantClientCredentials) + is(c.AuthMethod, "client_secret_basic")
		}},
		{"paypal", preset.Wish{}, func(c broker.Config) string {
			return is(c.Endpoints.Token, "https://api-m.paypal.com/v1/oauth2/token")
		}},
		{"xero", preset.Wish{Scopes: []string{"accounting.transactions"}}, func(c broker.Config) string {
			return is(strings.Join(c.Scopes, " "), "accounting.transactions offline_access")
		}},
		{"xero", preset.Wish{Grant: "client_credentials", Scopes: []string{"accounting.transactions"}}, func(c broker.Config) string {
			return is(strings.Join(c.Scopes, " "), "accounting.transactions")
		}},
		{"microsoft-graph", preset.Wish{Values: map[string]string{"tenant": "contoso.onmicrosoft.com"}}, func(c broker.Config) string {
			return is(strings.Join(c.Scopes, " "), "https://graph.microsoft.com/.default") + is(c.Endpoints.Token, "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token")
		}},
		{"auth0-management", preset.Wish{Values: map[string]string{"domain": "acme.eu.auth0.com"}}, func(c broker.Config) string {
			return is(c.Audience, "https://acme.eu.auth0.com/api/v2/") + is(c.Issuer, "https://acme.eu.auth0.com/")
		}},
		{"shopify", preset.Wish{Values: map[string]string{"shop": "my-shop"}}, func(c broker.Config) string { return is(c.Extra["expiring"], "1") }},
		{"box", preset.Wish{Grant: "client_credentials", Params: map[string]string{"box_subject_type": "enterprise"}}, func(c broker.Config) string {
			return is(c.Extra["box_subject_type"], "enterprise")
		}},
		{"slack", preset.Wish{Grant: "refresh_token"}, func(c broker.Config) string { return is(c.Grant, broker.GrantRefresh) }},
	} {
		p, err := preset.Named(tc.name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.Config(tc.wish)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if why := tc.want(c); why != "" {
			t.Errorf("%s %+v: %s", tc.name, tc.wish, why)
		}
	}
}

func is(got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %q, want %q; ", got, want)
}

// TestConfigRefuses: what somebody types may not lead to another host, and every
// error names its field and says what to give.
func TestConfigRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		wish  preset.Wish
		field string
	}{
		{"shopify", preset.Wish{}, "shop:"},
		{"shopify", preset.Wish{Values: map[string]string{"shop": "evil.example/"}}, "shop:"},
		{"shopify", preset.Wish{Values: map[string]string{"shop": "evil.example#"}}, "shop:"},
		{"shopify", preset.Wish{Values: map[string]string{"shop": "a.b"}}, "shop:"},
		{"shopify", preset.Wish{Values: map[string]string{"shop": "-a"}}, "shop:"},
		{"shopify", preset.Wish{Values: map[string]string{"shop": strings.Repeat("a", 64)}}, "shop:"},
		{"gitlab", preset.Wish{Values: map[string]string{"host": "127.0.0.1"}}, "host:"},
		{"gitlab", preset.Wish{Values: map[string]string{"host": "localhost"}}, "host:"},
		{"gitlab", preset.Wish{Values: map[string]string{"host": "user@gitlab.com"}}, "host:"},
		{"gitlab", preset.Wish{Values: map[string]string{"host": "gitlab.com:443"}}, "host:"},
		{"gitlab", preset.Wish{Values: map[string]string{"host": "https://gitlab.com"}}, "host:"},
		{"microsoft-graph", preset.Wish{Values: map[string]string{"tenant": "../evil"}}, "tenant:"},
		{"microsoft-graph", preset.Wish{Values: map[string]string{"tenant": "a..b"}}, "tenant:"},
		{"microsoft-graph", preset.Wish{Values: map[string]string{"tenant": "a/b"}}, "tenant:"},
		{"microsoft-graph", preset.Wish{Values: map[string]string{"tenant": "a?b"}}, "tenant:"},
		{"microsoft-graph", preset.Wish{Values: map[string]string{"tenant": "a%2fb"}}, "tenant:"},
		{"paypal", preset.Wish{Values: map[string]string{"environment": "staging"}}, "environment:"},
		{"paypal", preset.Wish{Values: map[string]string{"tenant": "x"}}, "tenant:"},
		{"paypal", preset.Wish{Grant: "password"}, "grant_type:"},
		{"paypal", preset.Wish{Grant: "device_code"}, "grant_type:"},
		{"auth0-management", preset.Wish{Grant: "refresh_token", Values: map[string]string{"domain": "a.auth0.com"}}, "grant_type:"},
		{"paypal", preset.Wish{AuthMethod: "client_secret_post"}, "token_endpoint_auth_method:"},
	} {
		p, err := preset.Named(tc.name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Config(tc.wish)
		var told *usher.Error
		if !errors.As(err, &told) || !strings.HasPrefix(told.Message, tc.field) || told.Hint == "" {
			t.Errorf("%s %+v: %v, want an error that starts with %s and has a hint", tc.name, tc.wish, err, tc.field)
		}
	}
}

func TestNamed(t *testing.T) {
	if _, err := preset.Named("paypal"); err != nil {
		t.Error(err)
	}
	for name, hint := range map[string]string{"stripe": "stripe-connect", "github": "github-app", "nothing-like-it": "--issuer", "": "--issuer", strings.Repeat("x", 10000): "--issuer"} {
		_, err := preset.Named(name)
		var told *usher.Error
		if !errors.As(err, &told) || told.Code != usher.ErrNotFound || !strings.Contains(told.Hint, hint) || len(told.Message) > 200 {
			t.Errorf("%q: %v, want a hint at %s", clipped(name), err, hint)
		}
	}
}

func clipped(s string) string { return s[:min(len(s), 20)] }

const good = `
title: An API
kind: payments
values:
  - {name: shop, means: the shop, example: my-shop, form: label}
endpoints:
  token_endpoint: "https://{shop}.example/token"
  authorization_endpoint: "https://{shop}.example/authorize"
grants: [authorization_code]
auth: [client_secret_basic]
access: {life: 1h, told: expires_in}
refresh: {given: always, rotates: always, single_use: "yes", idle: 60d}
sources:
  - {url: "https://docs.example/oauth", checked: 2026-11-25, for: "all of it"}
`

// TestLint: the linter can fail, once for each rule.
func TestLint(t *testing.T) {
	p, err := preset.Parse("good", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if problems := preset.Lint(p); len(problems) > 0 {
		t.Fatal(problems)
	}
	if p.Refresh.Idle.Duration() != 60*24*time.Hour || p.Access.Life.Duration() != time.Hour {
		t.Errorf("times: %+v %+v", p.Access, p.Refresh)
	}
	for _, tc := range []struct{ from, to, want string }{
		{"https://{shop}.example/token", "http://{shop}.example/token", "is not https"},
		{"https://{shop}.example/token", "{shop}.example/token", "is not https"},
		{"https://{shop}.example/token", "https://", "has no plain host"},
		{"https://{shop}.example/token", "https://u:p@{shop}.example/token", "has a user"},
		{"https://{shop}.example/token", "https://{shop}.example/token?x=1", "a query"},
		{"https://{shop}.example/token", "https://{shop}.example:8443/token", "has no plain host"},
		{"https://{shop}.example/token", "https://{tenant}.example/token", "nothing sets {tenant}"},
		{"https://{shop}.example/token", "https://{shop.example/token", "nothing sets"},
		{"https://{shop}.example/token", "https://%zz/token", "is no URL"},
		{"{shop}", "a", "stands nowhere"},
		{"grants: [authorization_code]", "grants: [password]", "is no grant"},
		{"grants: [authorization_code]", "grants: [device_code]", "needs a device_authorization_endpoint"},
		{"grants: [authorization_code]", "grants: []", "grants: there is none"},
		{"  authorization_endpoint: \"https://{shop}.example/authorize\"\n", "", "needs an authorization_endpoint"},
		{"auth: [client_secret_basic]", "auth: [basic]", "is none of"},
		{"auth: [client_secret_basic]", "auth: []", "auth: there is none"},
		{"kind: payments", "kind: money", "is none of"},
		{"title: An API", "title: \"\"", "title: is missing"},
		{"told: expires_in", "told: maybe", "access.told"},
		{"rotates: always", "rotates: perhaps", "refresh.rotates"},
		{"single_use: \"yes\"", "single_use: once", "refresh.single_use"},
		{"given: always", "given: scope", "which scope brings"},
		{"given: always", "given: parameter", "which parameter brings"},
		{"rotates: always", "rotates: never", "is of no use"},
		{"idle: 60d", "idle: 60d, never_ends: true", "both end and never end"},
		{"life: 1h", "life: 1h, never_ends: true", "both end and never end"},
		{"form: label", "form: word", "is none of label"},
		{"example: my-shop", "example: my.shop", "does not fit"},
		{"example: my-shop", "example: my-shop, default: a/b", "does not fit"},
		{"checked: 2026-11-25", "checked: yesterday", "is no day"},
		{"https://docs.example/oauth", "docs.example/oauth", "is no page"},
		{"for: \"all of it\"", "for: \"\"", "for what?"},
		{"sources:\n  - {url: \"https://docs.example/oauth\", checked: 2026-11-25, for: \"all of it\"}\n", "", "nothing may be claimed"},
		{"grants:", "authorize: {state: x}\ngrants:", "state is usher's own"},
		{"grants:", "token: {client_secret: x}\ngrants:", "client_secret is usher's own"},
		{"grants:", "pkce: plain\ngrants:", "neither empty nor off"},
		{"grants:", "body: xml\ngrants:", "neither empty nor json"},
		{"grants:", "body: json\ngrants:", "known beforehand"},
		{"grants:", "scopes: {separator: \";\"}\ngrants:", "neither a blank nor a comma"},
		{"grants:", "scopes: {default: [\"a b\"]}\ngrants:", "is no scope"},
		{"grants:", "quirks: [{id: a, says: b}]\ngrants:", "are needed"},
		{"grants:", "quirks: [{id: a, says: b, effect: c, from: here}]\ngrants:", "is no page"},
	} {
		text := strings.ReplaceAll(good, tc.from, tc.to)
		if text == good {
			t.Fatalf("%q does not stand in the example", tc.from)
		}
		p, err := preset.Parse("bad", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", tc.to, err)
			continue
		}
		if got := fmt.Sprint(preset.Lint(p)); !strings.Contains(got, tc.want) {
			t.Errorf("%s: the linter says %s, want %q", tc.to, got, tc.want)
		}
	}
	for _, text := range []string{
		good + "\nunknown_field: 1\n", strings.Replace(good, "60d", "sixty", 1), strings.Replace(good, "60d", "-1d", 1), strings.Replace(good, "1h", "0s", 1),
		strings.Replace(good, "1h", "99999d", 1), good + "\ntitle: again\n", ":::", "- a",
	} {
		if _, err := preset.Parse("bad", []byte(text)); err == nil {
			t.Errorf("it can be read:\n%s", text)
		}
	}
}

// TestTakesJSON: token requests to Square and Notion are JSON, whichever
// environment was chosen, and those to others are not.
func TestTakesJSON(t *testing.T) {
	for name, want := range map[string]bool{"square": true, "notion": true, "paypal": false, "slack": false} {
		p, err := preset.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		environments := []string{""}
		if len(p.Values) > 0 && len(p.Values[0].Choices) > 1 {
			environments = append(environments, p.Values[0].Choices[1].Name)
		}
		for _, environment := range environments {
			w := preset.Wish{ID: "shop", ClientID: "c"}
			if environment != "" {
				w.Values = map[string]string{p.Values[0].Name: environment}
			}
			c, err := p.Config(w)
			if err != nil {
				t.Fatal(err)
			}
			if got := preset.TakesJSON(c.Endpoints.Token); got != want {
				t.Errorf("%s: %v", c.Endpoints.Token, got)
			}
		}
	}
	if preset.TakesJSON("") || preset.TakesJSON("https://api.notion.com/v1/oauth/introspect") {
		t.Error("another endpoint takes JSON")
	}
}

// TestAuthorizeParams: a preset's parameters, the connection's over them, and
// none of those that usher sets itself.
func TestAuthorizeParams(t *testing.T) {
	got := preset.AuthorizeParams(broker.Config{Preset: "google", Authorize: map[string]string{"prompt": "select_account", "state": "x", "redirect_uri": "https://evil.example", "hd": "shop.example"}})
	if got.Encode() != "access_type=offline&hd=shop.example&prompt=select_account" {
		t.Error(got.Encode())
	}
	if got := preset.AuthorizeParams(broker.Config{}); len(got) != 0 {
		t.Error(got)
	}
}
