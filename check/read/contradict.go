package read

import (
	"fmt"
	"slices"
	"strings"

	"usher/check"
	"usher/evidence"
)

// maxContradictions bounds what is told: a recording of a busy day has the same
// contradiction a thousand times.
const maxContradictions = 10

// Contradictions names pieces of the target that cannot both be true of one
// configuration. Each was judged by itself.
func Contradictions(t *check.Target) []string {
	var out []string
	told := map[[3]string]bool{}
	say := func(what, a, placeA, b, placeB string) {
		if a == "" || b == "" || a == b || told[[3]string{what, a, b}] || len(out) == maxContradictions {
			return
		}
		told[[3]string{what, a, b}] = true
		out = append(out, fmt.Sprintf("%s and %s contradict each other: %s is %s in the one and %s in the other; each was judged by itself", placeA, placeB, what, clip(a), clip(b)))
	}
	for i := 1; i < len(t.Metadata); i++ {
		first, m := t.Metadata[0], t.Metadata[i]
		say("the issuer", first.Issuer, first.Place, m.Issuer, m.Place)
		if first.Issuer != m.Issuer {
			continue // documents of two providers differ in everything
		}
		for _, a := range first.Addresses() {
			say("the "+a.Name, a.URL, first.Place, m.Text(a.Name), m.Place)
		}
	}
	for i, r := range t.Registrations {
		for _, other := range t.Registrations[:i] {
			if r.ClientID == "" || r.ClientID != other.ClientID {
				continue
			}
			say("public client of "+r.ClientID, truth(other.Public), other.Place, truth(r.Public), r.Place)
			say("enabled of "+r.ClientID, truth(other.Enabled), other.Place, truth(r.Enabled), r.Place)
			say("the provider of "+r.ClientID, other.Provider, other.Place, r.Provider, r.Place)
			say("the redirect URIs of "+r.ClientID, uris(other.RedirectURIs), other.Place, uris(r.RedirectURIs), r.Place)
		}
	}
	ids := map[string]string{}
	for _, r := range t.Registrations {
		if r.ClientID != "" { // a realm or a tenant has none
			ids[r.ClientID] = r.Place
		}
	}
	if len(ids) == 1 {
		for _, c := range t.AuthCalls {
			if c.Request != nil {
				for id, place := range ids {
					say("the client", id, place, c.Request.ClientID, c.Place)
				}
			}
		}
	}
	return out
}

// clip keeps a note to what a person reads.
func clip(s string) string {
	const most = 400
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

func truth(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "yes"
	}
	return "no"
}

func uris(list []evidence.RegisteredURI) string {
	all := make([]string, 0, len(list))
	for _, u := range list {
		all = append(all, u.URI)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
