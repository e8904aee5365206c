package oauth_test

import (
	"strings"
	"testing"

	"usher"
	"usher/oauth"
)

// TestShow: an id that is public is shown as a word of its own, and nothing
// else with it.
func TestShow(t *testing.T) {
	const id, secret = "Qx8Zr5Tn1Yx7Ub3Mk9Lc4Vd6Pf2Gh0Js", "Zk3Wq9Rt5Yb1Nc7Mv2Xd8Jf4Hg6Ls0Pa"
	var plain, r oauth.Redactor
	r.Show(id)
	r.Add(usher.Secret(secret))
	for _, c := range []struct{ in, want string }{
		{"The client " + id + " sends no challenge", "The client " + id + " sends no challenge"},
		{id, id},
		{"'" + id + "', '" + id + "'", "'" + id + "', '" + id + "'"},
	} {
		if got := r.Redact(c.in); got != c.want {
			t.Errorf("%q became %q", c.in, got)
		}
		if strings.Contains(plain.Redact(c.in), id) {
			t.Errorf("%q is shown without being told to", c.in)
		}
	}
	// A part of a longer word is no word of its own.
	for _, in := range []string{id + "Zr5Tn1Yx7Ub3Mk9Lc4", "Zr5Tn1Yx7Ub3Mk9Lc4" + id, id + "." + id, "Bearer " + id + "-" + id} {
		if got := r.Redact(in); strings.Contains(got, id) {
			t.Errorf("%q became %q", in, got)
		}
	}
	// What stands beside it is masked as ever, and a known secret whatever is said.
	r.Show(secret)
	for _, in := range []string{"client_id=" + id + "&client_secret=" + secret, "client " + id + " password=hunter2hunter2", id + " " + secret} {
		if got := r.Redact(in); strings.Contains(got, secret) || strings.Contains(got, "hunter2") {
			t.Errorf("%q became %q", in, got)
		}
	}
	for in, want := range map[string]bool{"a " + id + " b": true, "a " + secret: true, "nothing of either": false, id + id: false} {
		if got := r.Touches(in); got != want {
			t.Errorf("Touches(%q) = %v", in, got)
		}
	}
	// A token is never public.
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl"
	r.Show(jwt)
	if strings.Contains(r.Redact("token "+jwt), jwt) {
		t.Error("a token was shown")
	}
}

// FuzzShow: showing an id never shows more than the id, and without it the text
// is masked as ever.
func FuzzShow(f *testing.F) {
	f.Add("client Qx8Zr5Tn1Yx7Ub3Mk9Lc4Vd6 and secret", "Qx8Zr5Tn1Yx7Ub3Mk9Lc4Vd6")
	f.Fuzz(func(t *testing.T, text, id string) {
		var r oauth.Redactor
		r.Show(id)
		got := r.Redact(text)
		if !strings.Contains(text, id) {
			if want := oauth.Redact(text); got != want {
				t.Fatalf("%q became %q, not %q", text, got, want)
			}
		}
	})
}
