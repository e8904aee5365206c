package usher_test

import (
	"strings"
	"testing"

	"usher"
)

// TestFieldName: every field that a proof compares has words, not a path.
func TestFieldName(t *testing.T) {
	for _, path := range usher.FieldPaths() {
		name := usher.FieldName(path)
		if name == "" || strings.ContainsAny(name, "._") || strings.Contains(name, "uid") || strings.HasPrefix(name, "the ") {
			t.Errorf("%s is named %q", path, name)
		}
	}
	for path, want := range map[string]string{
		"oauth.redirect_uri": "redirect URI", "oauth.grant_type": "grant type", "user_agent": "user agent", "provider": "provider", "device": "device",
		"none.such_thing": "such thing", "": "",
	} {
		if got := usher.FieldName(path); got != want {
			t.Errorf("%q is named %q, not %q", path, got, want)
		}
	}
}
