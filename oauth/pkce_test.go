package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"usher/oauth"
)

// The pair of RFC 7636 appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestPKCEChallenge(t *testing.T) {
	for method, want := range map[string]string{"S256": challenge, "plain": verifier, "": verifier} {
		if got, err := oauth.PKCEChallenge(method, verifier); got != want || err != nil {
			t.Errorf("%q: %q, %v", method, got, err)
		}
	}
	for _, method := range []string{"s256", "PLAIN", "S512", "sha256"} {
		if got, err := oauth.PKCEChallenge(method, verifier); got != "" || err == nil {
			t.Errorf("%q: %q, no error", method, got)
		}
	}
}

func TestValidVerifier(t *testing.T) {
	for _, good := range []string{verifier, strings.Repeat("a", 43), strings.Repeat("Z9-._~", 21) + "aa"} {
		if err := oauth.ValidVerifier(good); err != nil {
			t.Errorf("%d characters: %v", len(good), err)
		}
	}
	for bad, want := range map[string]string{
		"":                               "empty",
		strings.Repeat("a", 42):          "42 characters",
		strings.Repeat("a", 129):         "129 characters",
		verifier[:42] + "+":              "base64 instead of base64url) at position 43",
		verifier[:42] + "/":              "base64 instead",
		verifier + "=":                   "padding) at position 44",
		verifier[:20] + "%2B" + verifier: "once too often) at position 21",
		verifier + "\n":                  "line break",
		verifier + " ":                   "blank",
		verifier + "é":                   "outside ASCII",
		verifier + "\x00":                "not allowed",
	} {
		if err := oauth.ValidVerifier(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", bad, err, want)
		}
	}
}

func TestMatchPKCE(t *testing.T) {
	sum := sha256.Sum256([]byte(verifier))
	hexed := base64.RawURLEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))
	other := strings.Repeat("b", 43)
	for _, c := range []struct{ name, challenge, method, verifier, want string }{
		{"S256", challenge, "S256", verifier, ""},
		{"plain", verifier, "plain", verifier, ""},
		{"plain by default", verifier, "", verifier, ""},
		{"neither sent", "", "", "", ""},
		{"no challenge", "", "", verifier, "had no code_challenge"},
		{"no verifier", challenge, "S256", "", "code_verifier is missing"},
		{"method left out", challenge, "", verifier, "send code_challenge_method=S256"},
		{"method plain for a hash", challenge, "plain", verifier, "send code_challenge_method=S256"},
		{"verifier as challenge", verifier, "S256", verifier, "equals code_verifier"},
		{"padding", challenge + "=", "S256", verifier, "wrong alphabet"},
		{"base64", strings.ReplaceAll(challenge, "-", "+"), "S256", verifier, "wrong alphabet"},
		{"hex before base64", hexed, "S256", verifier, "86 characters"},
		{"other verifier", challenge, "S256", other, "another sign-in"},
		{"other plain", verifier, "plain", other, "another sign-in"},
		{"short", challenge, "S256", "short", "5 characters"},
		{"short but equal", "short", "plain", "short", "5 characters"},
		{"unknown method", challenge, "S512", verifier, "unknown"},
	} {
		err := oauth.MatchPKCE(c.challenge, c.method, c.verifier)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		case err != nil && len(c.verifier) > 10 && strings.Contains(err.Error(), c.verifier):
			t.Errorf("%s: the verifier is shown", c.name)
		}
	}
}

// TestPKCEProperties: a verifier redeems its own challenge and no other one.
func TestPKCEProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		valid := rapid.StringMatching(`[A-Za-z0-9._~-]{43,128}`)
		a, b := valid.Draw(t, "a"), valid.Draw(t, "b")
		method := rapid.SampledFrom([]string{"S256", "plain", ""}).Draw(t, "method")
		made, err := oauth.PKCEChallenge(method, a)
		if err != nil {
			t.Fatal(err)
		}
		if err := oauth.MatchPKCE(made, method, a); err != nil {
			t.Fatalf("its own verifier: %v", err)
		}
		if a != b && oauth.MatchPKCE(made, method, b) == nil {
			t.Fatal("another verifier redeems it")
		}
	})
}

func FuzzMatchPKCE(f *testing.F) {
	f.Add(challenge, "S256", verifier)
	f.Add(verifier, "", verifier)
	f.Add("", "S512", "=")
	f.Fuzz(func(t *testing.T, challenge, method, verifier string) {
		err := oauth.MatchPKCE(challenge, method, verifier)
		if err == nil && verifier != "" && oauth.ValidVerifier(verifier) != nil {
			t.Errorf("an invalid verifier passes")
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("the error grows with the input: %d bytes", len(err.Error()))
		}
	})
}
