package token

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxShown is how many characters of a value a report quotes.
const maxShown = 120

// Printable makes text of a token safe for a terminal and for one line, and
// shortens it to 120 characters. A token in it is not quoted.
func Printable(s string) string {
	if hasToken(s) {
		return fmt.Sprintf("[token, %d characters]", utf8.RuneCountInString(s))
	}
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == maxShown {
			b.WriteString("…")
			break
		}
		n++
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// hasToken tells whether s holds what looks like a JWT.
func hasToken(s string) bool {
	at := strings.Index(s, "eyJ")
	return at >= 0 && len(s)-at > 20 && strings.Contains(s[at:], ".")
}

// show quotes a JSON value for a person: shortened, printable, without tokens.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if hasToken(v) {
			return Printable(v)
		}
		return `"` + Printable(v) + `"`
	case json.Number:
		return Printable(v.String())
	case bool:
		return strconv.FormatBool(v)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return kindOf(v)
	}
	return Printable(string(data))
}

// kindOf names the JSON type of v, with its article.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return "something else"
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// sentence begins s with a capital letter and ends it with a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// moment shows a NumericDate as a time, as far as the calendar goes.
func moment(seconds float64) string {
	if math.Abs(seconds) > 253402300799 {
		return strconv.FormatFloat(seconds, 'f', -1, 64) + " (beyond the year 9999)"
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC().Format("2006-01-02 15:04:05Z")
}

// span shows a length of time in the two units that matter.
func span(seconds float64) string {
	s := int64(math.Min(math.Round(math.Abs(seconds)), math.MaxInt64/2))
	units := []struct {
		size int64
		name string
	}{{365 * 86400, "year"}, {86400, "day"}, {3600, "h"}, {60, "min"}, {1, "s"}}
	for i, u := range units {
		if s < u.size {
			continue
		}
		text := unit(s/u.size, u.name)
		if i+1 < len(units) {
			if rest := s % u.size / units[i+1].size; rest > 0 {
				text += " " + unit(rest, units[i+1].name)
			}
		}
		return text
	}
	return "0 s"
}

func unit(n int64, name string) string {
	if (name == "day" || name == "year") && n != 1 {
		name += "s"
	}
	return fmt.Sprintf("%d %s", n, name)
}
