// Package catalog is what we know: causes with their fixes, providers' error
// codes and message signatures, as reviewed data.
//
// The data lies in data/ in the form that FORMAT.md describes; gen turns it
// into zz_data.go, so that a start of the program parses nothing.
package catalog

import (
	"sort"
	"strings"
	"sync"

	"usher"
)

//go:generate go run ./gen

// Entry is one cause with what only the diagnosis needs of it.
type Entry struct {
	usher.Cause
	// Decides names the evidence that would confirm the cause while it is only
	// a candidate; How is the way to get it.
	Decides string
	How     string
	// Query holds ready queries by provider, with the placeholders
	// of FORMAT.md: {correlation}, {client} and so on.
	Query map[string]string
	// ConsequenceOf lists causes behind which this one stands back.
	ConsequenceOf []string
}

// Code is one error code of a provider.
type Code struct {
	Provider string
	Code     string // as it appears in answers: "AADSTS50011", "E0000004", "invalid_grant"
	Name     string // the provider's symbolic name, may be empty
	Meaning  string // one sentence
	Cause    string // label of the taxonomy
	Fixer    usher.Fixer
	// Interrupt marks a normal step of a sign-in: no failure when a success
	// follows in the same correlation.
	Interrupt bool
	// AfterFirstFactor marks a code that is given only after the password was
	// accepted: in the hands of an attacker it proves a valid password.
	AfterFirstFactor bool
	OAuthError       string // the member error it usually rides on
	// Confidence that the code alone names the cause, 0 to 1.
	Confidence float64
	// Title, Step, Fix and Verify are set where the code has something better
	// to say than its cause.
	Title  string
	Step   usher.Step
	Fix    []usher.FixStep
	Verify string
	Source string
}

var causeIndex = sync.OnceValue(func() map[string]*Entry {
	index := make(map[string]*Entry, len(causes))
	for i := range causes {
		index[causes[i].Label] = &causes[i]
	}
	return index
})

// Causes gives every cause, sorted by label. The slice is shared: read only.
func Causes() []Entry { return causes }

// Cause gives the cause with a label, or nil.
func Cause(label string) *Entry { return causeIndex()[label] }

// codeKey folds a code so that "aadsts50011" and "AADSTS50011" meet.
func codeKey(provider, code string) string {
	return provider + "/" + strings.ToLower(code)
}

var codeIndex = sync.OnceValue(func() map[string]*Code {
	index := make(map[string]*Code, len(codes))
	for i := range codes {
		index[codeKey(codes[i].Provider, codes[i].Code)] = &codes[i]
	}
	return index
})

// Codes gives every provider code, by provider, then code. Read only.
func Codes() []Code { return codes }

// LookupCode gives what is known of a provider's code, or nil. Case does not
// count. A provider that has no such entry falls back to the protocol's own
// ("oidc", then "rfc").
func LookupCode(provider, code string) *Code {
	index := codeIndex()
	for _, p := range [...]string{provider, "oidc", "rfc"} {
		if c := index[codeKey(p, code)]; c != nil {
			return c
		}
	}
	return nil
}

// KnownNumber tells whether an AADSTS number exists although nothing more is
// known of it.
func KnownNumber(code string) bool {
	number := strings.TrimPrefix(strings.ToUpper(code), "AADSTS")
	i := sort.SearchStrings(knownNumbers, number)
	return i < len(knownNumbers) && knownNumbers[i] == number
}

var providerIndex = sync.OnceValue(func() map[string][]*Code {
	index := map[string][]*Code{}
	for i := range codes {
		index[codes[i].Provider] = append(index[codes[i].Provider], &codes[i])
	}
	return index
})

// CodesOf gives the codes of one provider. Read only.
func CodesOf(provider string) []*Code { return providerIndex()[provider] }
