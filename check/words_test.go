package check_test

import (
	"strings"
	"testing"

	"usher/check"
)

func TestWords(t *testing.T) {
	many := strings.Split("a b c d e f g h i j k l m n", " ")
	for _, c := range []struct{ got, want string }{
		{check.Clip("Grüße", 3), "Gr..."},
		{check.Clip("abc", 3), "abc"},
		{check.Names(many), "a, b, c, d, e, f, g, h, i, j, k, l and 2 more"},
		{check.Names(nil), ""},
		{check.Count(1, "key", "keys"), "1 key"},
		{check.Count(0, "key", "keys"), "0 keys"},
		{check.HostOf("https://u:p@ID.example.:8443/a?b#c"), "id.example"},
		{check.HostOf("http://[::1]:8080/x"), "::1"},
		{check.HostOf("id.example/x"), "id.example"},
		{check.HostOf(""), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestSameAddress(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://id.example/token", "HTTPS://ID.example:443/token", true},
		{"https://id.example/token", "https://id.example/token/", false},
		{"https://id.example/token", "https://id.example:8443/token", false},
		{"https://id.example/token", "http://id.example/token", false},
		{"", "", false},
		{"urn:a", "urn:b", false},
	} {
		if got := check.SameAddress(c.a, c.b); got != c.same {
			t.Errorf("%q and %q: %t", c.a, c.b, got)
		}
	}
	if !check.Directive("private, No-Store", "no-store") || check.Directive("no-storex", "no-store") {
		t.Error("directives are read wrong")
	}
}
