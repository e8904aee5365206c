package tokens

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/check"
	"usher/token"
)

// called names a kind of token.
func called(kind token.Type) string {
	switch kind {
	case token.TypeAccess:
		return "access token"
	case token.TypeID:
		return "ID token"
	case token.TypeDPoP:
		return "DPoP proof"
	case token.TypeLogout:
		return "logout token"
	case token.TypeAssertion:
		return "client assertion"
	case check.KindRefresh:
		return "refresh token"
	}
	return "token"
}

func withArticle(kind token.Type) string {
	if kind == token.TypeAccess || kind == token.TypeID {
		return "an " + called(kind)
	}
	return "a " + called(kind)
}

// show writes a JSON value for a person: short, on one line, without tokens.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		return strconv.Quote(token.Printable(v))
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "something else"
	}
	return token.Printable(string(data))
}

// span writes a length of time for a person, in its largest two units.
func span(d time.Duration) string {
	d = d.Abs()
	units := [...]struct {
		size time.Duration
		name string
	}{{365 * 24 * time.Hour, "year"}, {24 * time.Hour, "day"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, u := range units {
		n := d / u.size
		if n == 0 {
			continue
		}
		out := counted(int64(n), u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				out += " " + counted(int64(rest), units[i+1].name)
			}
		}
		return out
	}
	return "0 s"
}

func counted(n int64, unit string) string {
	if n != 1 && (unit == "year" || unit == "day") {
		unit += "s"
	}
	return strconv.FormatInt(n, 10) + " " + unit
}

// quoted lists words for a person.
func quoted(words []string) string {
	var out []string
	for i, w := range words {
		if i == 8 {
			out = append(out, "…")
			break
		}
		out = append(out, strconv.Quote(token.Printable(w)))
	}
	return strings.Join(out, ", ")
}

// words joins names for a person: "iss, aud and exp".
func words(names []string) string {
	if len(names) > 1 {
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return strings.Join(names, "")
}

// sorted lists names in the order of the alphabet, at most eight.
func sorted(names []string) string {
	slices.Sort(names)
	if len(names) > 8 {
		names = append(names[:8:8], "…")
	}
	return strings.Join(names, ", ")
}

// lower makes a clause of a sentence: it begins small, unless with a name, and
// has no full stop.
func lower(s string) string {
	s = strings.TrimSuffix(s, ".")
	for _, first := range [...]string{"The ", "It ", "A ", "An ", "There ", "This ", "No ", "Only ", "Part ", "Its "} {
		if strings.HasPrefix(s, first) {
			return strings.ToLower(s[:1]) + s[1:]
		}
	}
	return s
}

// sentence makes a sentence of a clause.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
