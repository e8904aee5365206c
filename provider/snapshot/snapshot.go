// Package snapshot keeps looks at a provider: what it published and when, and
// says what a difference between two looks means for its clients.
package snapshot

import (
	"encoding/json"
	"slices"
	"time"
)

// Look is what a provider published at one moment.
type Look struct {
	At       time.Time                  `json:"at"`
	Issuer   string                     `json:"issuer"` // as it was asked for
	Metadata map[string]json.RawMessage `json:"metadata,omitzero"`
	Keys     []Key                      `json:"keys,omitzero"` // nil: not read; empty: none are published
}

// Key is one published key, without its value.
type Key struct {
	Kid        string `json:"kid,omitempty"`
	Kty        string `json:"kty,omitempty"`
	Alg        string `json:"alg,omitempty"`
	Use        string `json:"use,omitempty"`
	Thumbprint string `json:"thumbprint,omitempty"` // RFC 7638
}

// Kids gives the key ids, sorted.
func (l *Look) Kids() []string {
	out := make([]string, 0, len(l.Keys))
	for _, k := range l.Keys {
		out = append(out, k.Kid)
	}
	slices.Sort(out)
	return out
}

// OfKids makes a look of which only the ids of keys are known.
func OfKids(at time.Time, kids ...string) *Look {
	l := &Look{At: at}
	for _, kid := range kids {
		l.Keys = append(l.Keys, Key{Kid: kid})
	}
	return l
}

// Text gives a member that is a string, or the empty string.
func (l *Look) Text(name string) string {
	var s string
	_ = json.Unmarshal(l.Metadata[name], &s)
	return s
}

// List gives a member that is a list of strings, or nil.
func (l *Look) List(name string) []string {
	var s []string
	_ = json.Unmarshal(l.Metadata[name], &s)
	return s
}
