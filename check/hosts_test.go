package check_test

import (
	"testing"

	"usher/check"
)

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "app.localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "[::1]": true, "::ffff:127.0.0.1": true,
		"": false, "127.evil.example": false, "localhost.example": false, "10.0.0.1": false, "notlocalhost": false,
	} {
		if check.Loopback(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

func TestSameSite(t *testing.T) {
	for _, r := range []struct {
		a, b string
		want bool
	}{
		{"app.example.com", "LOGIN.example.com", true},
		{"localhost", "localhost", true},
		{"10.0.0.1", "10.0.0.1", true},
		{"a.github.io", "b.github.io", false},
		{"example.com", "example.org", false},
		{"10.0.0.1", "10.0.0.2", false},
		{"", "", false},
	} {
		if check.SameSite(r.a, r.b) != r.want || check.SameSite(r.b, r.a) != r.want {
			t.Errorf("%q, %q: %v", r.a, r.b, !r.want)
		}
	}
}
