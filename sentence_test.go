package usher_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"usher"
)

func TestSentenceParts(t *testing.T) {
	type parts = []usher.SentencePart
	tests := []struct {
		sentence string
		want     parts
	}{
		{"", nil},
		{"No value.", parts{{"No value.", false}}},
		{"sends `https://shop.test/cb/`, not `x`", parts{{"sends ", false}, {"https://shop.test/cb/", true}, {", not ", false}, {"x", true}}},
		{"sign-ins to '`c``x```'", parts{{"sign-ins to '", false}, {"c`x`", true}, {"'", false}}},
		{"`a``b```", parts{{"a`b`", true}}},
		{"```a`", parts{{"`a", true}}},
		{"````", parts{{"`", true}}},
		{"nothing ``", parts{{"nothing ", false}, {"``", false}}},
		{"it was cut `https://sh…", parts{{"it was cut ", false}, {"`https://sh…", false}}},
		{"it was cut `a`…", parts{{"it was cut ", false}, {"a", true}, {"…", false}}},
	}
	for _, test := range tests {
		if got := usher.SentenceParts(test.sentence); !slices.Equal(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.sentence, got, test.want)
		}
	}
}

// TestValuesStay: whatever a value holds, it comes out as it went in, at its
// place, and marks nothing beside it.
func TestValuesStay(t *testing.T) {
	value := rapid.OneOf(rapid.StringOfN(rapid.RuneFrom([]rune("`'ab \\")), 1, 12, -1), rapid.StringN(1, 20, -1))
	rapid.Check(t, func(t *rapid.T) {
		quoted, marked := value.Draw(t, "quoted"), value.Draw(t, "marked")
		s := "Sign-ins to '" + usher.EscapeValue(quoted) + "': the app sends " + usher.MarkValue(marked) + ", registered is " + usher.MarkValue(quoted) + "."
		want := []usher.SentencePart{
			{Text: "Sign-ins to '" + quoted + "': the app sends "}, {Text: marked, Value: true}, {Text: ", registered is "}, {Text: quoted, Value: true}, {Text: "."},
		}
		if strings.Contains(quoted, "`") {
			want = append([]usher.SentencePart{{Text: "Sign-ins to '"}, {Text: quoted, Value: true}, {Text: "': the app sends "}}, want[1:]...)
		}
		if got := usher.SentenceParts(s); !slices.Equal(got, want) {
			t.Fatalf("%+v", got)
		}
		if plain := usher.PlainSentence(s); !strings.Contains(plain, "'"+quoted+"': the app sends "+marked+", registered is "+quoted+".") {
			t.Fatalf("plain: %s", plain)
		}
	})
}
