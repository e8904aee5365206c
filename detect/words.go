package detect

import (
	"fmt"
	"strings"
	"time"

	"usher"
)

// The causes of the findings of a Watch.
const (
	PasswordSpray = "password-spray"
	BruteForce    = "brute-force"
)

// Extent is how far an attack has gone.
type Extent struct {
	Users   []string // the first that were tried
	Count   int      // how many were tried
	Tries   int
	Sources []string // addresses
	Clients []string // sorted
	Span    time.Duration
}

func extentOf(tries []try, users, sources, clients []string) Extent {
	x := Extent{Users: users, Count: len(users), Tries: len(tries), Sources: sources, Clients: clients}
	first, last := tries[0].at, tries[0].at
	for _, t := range tries {
		last = latest(last, t.at)
		if t.at.Before(first) {
			first = t.at
		}
	}
	x.Span = last.Sub(first)
	return x
}

// Describe writes the title, the detail and the proof of an attack's finding,
// all of the same moment. A finding of another cause stays as it is.
func Describe(f *usher.Finding, x Extent) {
	from, span := addresses(len(x.Sources)), x.Span.Round(time.Second).String()
	if x.Span < time.Second {
		span = "a second"
	}
	switch f.Cause {
	case PasswordSpray:
		f.Title = "Password spray"
		switch {
		case len(x.Clients) > 0:
			f.Title += " against " + names(x.Clients)
		case f.Subject.Tenant != "":
			f.Title += " against '" + clip(f.Subject.Tenant) + "'"
		}
		f.Detail = fmt.Sprintf("%d users were tried from %s within %s, a few times each", x.Count, from, span)
		f.Proof = []usher.Proof{{
			Place: "sign-in log", Quote: clip("users tried: " + strings.Join(x.Users[:min(len(x.Users), 10)], ", ")),
			Expected: "people who know their password", Got: fmt.Sprintf("%d failed users from %s", x.Count, clip(strings.Join(x.Sources[:min(len(x.Sources), 5)], ", "))),
		}}
	case BruteForce:
		f.Title = "Passwords of '" + clip(f.Subject.User) + "' are being guessed"
		f.Detail = fmt.Sprintf("%d tries from %s within %s", x.Tries, from, span)
		if f.Confidence < usher.Confident {
			f.Title = "A program tries passwords of '" + clip(f.Subject.User) + "'"
			f.Detail += ", faster than anybody types: passwords are being guessed, or a program repeats an old one"
		}
		f.Proof = []usher.Proof{{Place: "sign-in log", Quote: fmt.Sprintf("%d failed sign-ins of %s within %s", x.Tries, clip(f.Subject.User), span)}}
	}
}

// names lists a few names: "'a', 'b' and 3 more clients".
func names(list []string) string {
	const shown = 3
	var quoted []string
	for _, name := range list[:min(len(list), shown)] {
		quoted = append(quoted, "'"+clip(name)+"'")
	}
	last := len(quoted) - 1
	switch more := len(list) - shown; {
	case more == 1:
		return strings.Join(quoted, ", ") + " and 1 more client"
	case more > 1:
		return fmt.Sprintf("%s and %d more clients", strings.Join(quoted, ", "), more)
	case last > 0:
		return strings.Join(quoted[:last], ", ") + " and " + quoted[last]
	}
	return quoted[0]
}

func addresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}

// clip bounds a text from outside.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 200 {
		return string(runes[:199]) + "…"
	}
	return s
}
