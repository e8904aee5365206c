package oauth_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"usher/oauth"
)

func TestParseScope(t *testing.T) {
	for in, want := range map[string][]string{
		"":                              nil,
		"   ":                           nil,
		"openid":                        {"openid"},
		"openid profile":                {"openid", "profile"},
		" openid  profile\topenid\n":    {"openid", "profile"},
		"Read read":                     {"Read", "read"},
		"https://api.test/.default a,b": {"https://api.test/.default", "a,b"},
	} {
		if got := oauth.ParseScope(in); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestMinusAndContainsScope(t *testing.T) {
	for _, c := range []struct{ a, b, minus string }{
		{"openid profile mail", "profile", "openid mail"},
		{"openid", "openid profile", ""},
		{"", "openid", ""},
		{"openid", "", "openid"},
		{"Read", "read", "Read"},
	} {
		a, b := oauth.ParseScope(c.a), oauth.ParseScope(c.b)
		if got := strings.Join(oauth.MinusScope(a, b), " "); got != c.minus {
			t.Errorf("%q - %q: %q, want %q", c.a, c.b, got, c.minus)
		}
		if got := oauth.ContainsScope(b, a...); got != (c.minus == "") {
			t.Errorf("%q in %q: %v", c.a, c.b, got)
		}
	}
}

func TestValidScope(t *testing.T) {
	for _, good := range []string{"", "openid", "openid profile", "https://api.test/.default", "a,b", "!#[]~"} {
		if err := oauth.ValidScope(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		" openid":         "blank too many at position 1",
		"openid ":         "blank too many at position 7",
		"openid  profile": "blank too many at position 8",
		"a\tb":            "tab",
		`a"b`:             `a " at position 2`,
		`a\b`:             `a \ at position 2`,
		"é":               "outside ASCII at position 1",
		"a\x7f":           "control",
	} {
		if err := oauth.ValidScope(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", bad, err, want)
		}
	}
}

// TestScopeProperties: sets behave as sets.
func TestScopeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"openid", "profile", "a", "A", "b:c", "https://x/y"})
		a := oauth.ParseScope(strings.Join(rapid.SliceOf(word).Draw(t, "a"), " "))
		b := oauth.ParseScope(strings.Join(rapid.SliceOf(word).Draw(t, "b"), " "))
		over := oauth.MinusScope(a, b)
		for _, scope := range over {
			if slices.Contains(b, scope) || !slices.Contains(a, scope) {
				t.Fatalf("%q is in %q - %q", scope, a, b)
			}
		}
		if !oauth.ContainsScope(slices.Concat(b, over), a...) {
			t.Fatalf("%q and %q do not hold %q", b, over, a)
		}
		if err := oauth.ValidScope(strings.Join(a, " ")); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzScope(f *testing.F) {
	f.Add("openid profile")
	f.Add(" a\"\\\x00é")
	f.Fuzz(func(t *testing.T, s string) {
		scopes := oauth.ParseScope(s)
		if again := oauth.ParseScope(strings.Join(scopes, " ")); !slices.Equal(again, scopes) {
			t.Errorf("%q and again %q", scopes, again)
		}
		if oauth.ValidScope(s) == nil && strings.Join(strings.Fields(s), " ") != s {
			t.Errorf("%q passes with blanks too many", s)
		}
	})
}
