package check_test

import (
	"errors"
	"strings"
	"testing"

	"usher"
	"usher/check"
)

func TestProfiles(t *testing.T) {
	var names []string
	for _, p := range check.Profiles() {
		names = append(names, p.Name)
		if p.Title == "" || p.Says == "" || len(p.References) == 0 {
			t.Errorf("%s: title, says and references must be there", p.Name)
		}
		if p.Name != "default" && len(p.Requires) == 0 {
			t.Errorf("%s demands nothing", p.Name)
		}
		for id, s := range p.Severity {
			if !s.Valid() {
				t.Errorf("%s: %s: %q is no severity", p.Name, id, s)
			}
		}
		for _, id := range p.Skips {
			if p.Counts(id) {
				t.Errorf("%s skips %s, which counts all the same", p.Name, id)
			}
		}
	}
	if got := strings.Join(names, " "); got != "default oauth2.1 rfc9700 browser-based native fapi2 mcp" {
		t.Errorf("profiles: %s", got)
	}
}

func TestProfileNamed(t *testing.T) {
	for name, want := range map[string]string{"": "default", "fapi2": "fapi2", "oauth2.1": "oauth2.1"} {
		p, err := check.ProfileNamed(name)
		if err != nil || p.Name != want {
			t.Errorf("ProfileNamed(%q) = %v, %v; want %s", name, p, err, want)
		}
	}
	for name, near := range map[string]string{
		"oauth21": "oauth2.1", "OAuth2.1": "oauth2.1", "FAPI": "fapi2", "rfc-9700": "rfc9700", "fpai2": "fapi2", "browser": "browser-based",
		"deafult": "default", "mpc": "mcp", "something": "",
	} {
		_, err := check.ProfileNamed(name)
		var e *usher.Error
		if !errors.As(err, &e) || e.Code != usher.ErrUsage {
			t.Fatalf("ProfileNamed(%q): %v, want a usage error", name, err)
		}
		if got := strings.HasPrefix(e.Hint, "did you mean "+near+"? "); got != (near != "") {
			t.Errorf("ProfileNamed(%q): hint %q, want %q in it", name, e.Hint, near)
		}
	}
	if _, err := check.ProfileNamed(strings.Repeat("x", 1<<20)); len(err.Error()) > 200 {
		t.Errorf("a long name is quoted whole: %d bytes", len(err.Error()))
	}
}

func TestProfileCounts(t *testing.T) {
	p, _ := check.ProfileNamed("native")
	if p.Counts(p.Skips[0]) || !p.Counts("pkce-sent") {
		t.Errorf("native counts %s, or does not count pkce-sent", p.Skips[0])
	}
}
