package oauth_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"usher"
	"usher/oauth"
)

func secretText() *rapid.Generator[string] {
	return rapid.StringMatching(`[A-Za-z][A-Za-z0-9~_\-]{7,20}[0-9][A-Z][a-z][A-Za-z0-9]{8,30}`)
}

// leaks finds a piece of 12 characters of a secret that survived.
func leaks(got, secret string) string {
	for i := 0; i+12 <= len(secret); i++ {
		if strings.Contains(got, secret[i:i+12]) {
			return secret[i : i+12]
		}
	}
	return ""
}

func TestRedactPlanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := secretText().Draw(t, "secret")
		for _, template := range planted {
			text := strings.ReplaceAll(template, "@S", secret)
			got := oauth.Redact(text)
			if piece := leaks(got, secret); piece != "" {
				t.Fatalf("%q survives:\n%s\n%s", piece, text, got)
			}
			if again := oauth.Redact(got); again != got {
				t.Fatalf("not idempotent:\n%s\n%s", got, again)
			}
		}
	})
}

// TestRedactTogether joins texts: what stands around a credential must not
// save it.
func TestRedactTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := secretText().Draw(t, "secret")
		parts := rapid.SliceOfN(rapid.SampledFrom(append(append([]string{}, planted...), harmless...)), 1, 6).Draw(t, "parts")
		text := strings.ReplaceAll(strings.Join(parts, "\n"), "@S", secret)
		got := oauth.Redact(text)
		if piece := leaks(got, secret); piece != "" {
			t.Fatalf("%q survives:\n%s\n%s", piece, text, got)
		}
		if again := oauth.Redact(got); again != got {
			t.Fatalf("not idempotent:\n%s\n%s", got, again)
		}
	})
}

func TestRedactHarmless(t *testing.T) {
	for _, text := range harmless {
		if got := oauth.Redact(text); got != text {
			t.Errorf("changed a harmless text:\n%s\n%s", text, got)
		}
	}
}

func TestRedactShapes(t *testing.T) {
	for _, secret := range []string{
		"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EifQ.c2lnbmF0dXJlLWJ5dGVz", "ya29.a0AfB_byC1234567890abcdef", "GOCSPX-abcdefghij1234567890", "ghp_0123456789abcdefghijABCDEFGHIJ012345",
		"xoxb-123456789012-abcdefABCDEF", "sk_live_51H0000abcdefGHIJK", "Zx88Q~abcDEF012345ghijKLMNOP6789qrstuvwx", "glpat-abcDEF0123456789xyz_", "1//0gabcdefghijklmnopqrstuvwxyz012345",
	} {
		text := "the value " + secret + " was sent"
		if got := oauth.Redact(text); strings.Contains(got, secret) || !strings.HasSuffix(got, " was sent") {
			t.Errorf("Redact(%q) = %q", text, got)
		}
	}
}

func TestRedactorKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.OneOf(rapid.StringMatching(`[a-z]{6,30}`), rapid.StringN(6, 40, 80), rapid.StringMatching(`[A-Za-z0-9 +/&<>"'%=\\:@!~äß€]{6,40}`), rapid.Just("secret"), rapid.Just("[secret 7f3"), rapid.Just("pä ss+wörd/1")).
			Filter(utf8.ValidString).Draw(t, "secret")
		id := rapid.StringMatching(`[a-z]{1,4}`).Draw(t, "id")
		var r oauth.Redactor
		r.Add(usher.Secret(secret))
		form := url.QueryEscape(secret)
		inJSON, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		lower := regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(form, strings.ToLower)
		for name, text := range map[string]string{
			"plain": secret, "form": form, "percent": strings.ReplaceAll(form, "+", "%20"), "lower": lower, "path": url.PathEscape(secret), "json": string(inJSON), "html": html.EscapeString(secret),
			"hex": hex.EncodeToString([]byte(secret)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))), "base64": base64.StdEncoding.EncodeToString([]byte(secret)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)),
			"pair": base64.StdEncoding.EncodeToString([]byte(id + ":" + secret)), "form pair": base64.StdEncoding.EncodeToString([]byte(id + ":" + form)), "pair url": base64.URLEncoding.EncodeToString([]byte(id + ":" + secret + "\n")),
		} {
			got := r.Redact("x, " + text + " , y")
			if !strings.Contains(got, usher.Secret(secret).Fingerprint()) {
				t.Fatalf("%s of %q survives: %q", name, secret, got)
			}
			if piece := leaks(got, text); piece != "" {
				t.Fatalf("a piece of the %s of %q survives: %q", name, secret, piece)
			}
			if again := r.Redact(got); again != got {
				t.Fatalf("not idempotent: %q, %q", got, again)
			}
		}
	})
}

func TestRedactEqualSecretsLookEqual(t *testing.T) {
	got := oauth.Redact("client_secret=abc123DEF456&x=1 client_secret=abc123DEF456&x=1")
	a, b, _ := strings.Cut(got, " client_secret=")
	if !strings.HasSuffix(a, b) {
		t.Errorf("two masks differ: %s", got)
	}
}

func FuzzRedact(f *testing.F) {
	for _, text := range append(append([]string{}, planted...), harmless...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := oauth.Redact(text)
		if again := oauth.Redact(got); again != got {
			t.Fatalf("not idempotent: %q, %q, %q", text, got, again)
		}
	})
}

// TestRedactLong holds hostile texts to time that grows with their length.
func TestRedactLong(t *testing.T) {
	for _, unit := range []string{
		"a", ":", "eyJ", "-----BEGIN PRIVATE KEY-----", "://a:", "%25", "%3A%2F%2F", "<password>", "&lt;password>", `"name":"client_secret",`, "Basic ", "basic+a=", `"secret":"\`, "Cookie: a", "Cookie: ", "Authorization: ",
		"a.", "a+", "a+a1", "value=", `"value":"`, "token:", "token=", `"cookies":[`, "secret='", "-u a", `\\`, `"k":"`, "[secret 7f3a]", "password,", "secret=a b", "secret=a;",
	} {
		start := time.Now()
		oauth.Redact(strings.Repeat(unit, 300_000/len(unit)))
		if d := time.Since(start); d > 15*time.Second {
			t.Errorf("%q repeated takes %v", unit, d)
		}
	}
}

func TestRedactAllocatesNothing(t *testing.T) {
	for _, text := range harmless {
		if n := testing.AllocsPerRun(10, func() { oauth.Redact(text) }); n > 0 {
			t.Errorf("%v allocations for %q", n, text)
		}
	}
}

func BenchmarkRedact(b *testing.B) {
	text := strings.Repeat(harmless[0]+" "+harmless[1]+"\n", 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		oauth.Redact(text)
	}
}

func TestRedactTold(t *testing.T) {
	for _, text := range []string{"secret is %s", "the client secret %s was sent", "Password was %s.", "tool -p %s", "my password is: %s", "The refresh token %sQm3tdSSI4w was", "secret value: %s", "the secret value is %s", "client_secret:\n  %s\n", "a secret value of '%s'"} {
		const secret = "Zz9~Abcdefghijklmnop"
		if got := oauth.Redact(fmt.Sprintf(text, secret)); strings.Contains(got, secret[:12]) {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{"the secret is wrong", "password is AADSTS50126", "secret id 04b07795-8ddb-461a-bbee-02f9e1bf7b46", "the client secret keys for app"} {
		if got := oauth.Redact(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
