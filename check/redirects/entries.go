package redirects

import (
	"slices"
	"strconv"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/token"
)

// maxProofs is how many entries of one client a verdict quotes.
const maxProofs = 8

// isClient leaves out what was exported beside clients: a whole realm, and keys
// of accounts that never send a browser anywhere.
func isClient(r *evidence.Registration) bool {
	return r != nil && r.Shape != "keycloak-realm" && r.Shape != "google-service-account"
}

// knowsNone tells whether the export says that nothing is registered, rather
// than nothing of it.
func knowsNone(r *evidence.Registration) bool {
	if slices.Contains(r.Known, "RedirectURIs") {
		return true
	}
	switch r.Shape {
	case "entra-manifest", "okta-app", "auth0-client", "keycloak-client", "client-metadata":
		return true
	}
	return false
}

// ruleFor gives the rule by which the provider of a registration compares.
func ruleFor(t *check.Target, r *evidence.Registration) oauth.RedirectRule {
	if p := providerOf(t, r); p.Redirect != "" && p.Name != "generic" {
		return p.RedirectRule()
	}
	if r != nil && r.Provider != "" {
		return oauth.RedirectRuleFor(r.Provider)
	}
	return t.Provider.RedirectRule()
}

// providerOf gives what is known of the provider that holds a registration.
func providerOf(t *check.Target, r *evidence.Registration) *knowledge.Provider {
	if r == nil || r.Provider == "" || r.Provider == t.Provider.Name {
		return t.Provider
	}
	return knowledge.Named(r.Provider)
}

// fault is what is wrong with one entry; says is the rest of a sentence that
// begins with the entry. An empty one is none.
type fault struct {
	says     string
	means    string // what follows from it, a sentence
	expected string
	severity usher.Severity // empty: the check's
	left     bool           // another check judges the entry
}

// eachEntry judges the entries of each client by themselves. skip tells of
// entries to which the question does not apply; a client with no other entry is
// not applicable, for the reason given.
func eachEntry(t *check.Target, none string, skip func(u uri) bool, look func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault) []check.Verdict {
	var out []check.Verdict
	for _, r := range t.Registrations {
		if isClient(r) {
			out = append(out, entriesOf(r, none, skip, look))
		}
	}
	return out
}

func entriesOf(r *evidence.Registration, none string, skip func(u uri) bool, look func(r *evidence.Registration, e evidence.RegisteredURI, u uri) fault) check.Verdict {
	if len(r.RedirectURIs) == 0 {
		return withoutEntries(r)
	}
	judged, f := 0, faults{}
	for _, e := range r.RedirectURIs {
		u := split(e.URI)
		if skip != nil && skip(u) {
			continue
		}
		found := look(r, e, u)
		if found.left {
			continue
		}
		judged++
		if found.says != "" {
			f.add(e, found)
		}
	}
	switch {
	case judged == 0:
		return check.NotApplicable(none).Of(r.ClientID)
	case f.n == 0:
		return check.OK("", usher.Proof{Place: r.RedirectURIs[0].Place, Quote: r.RedirectURIs[0].URI}).Of(r.ClientID)
	}
	return f.verdict(r)
}

// withoutEntries is the verdict over a client of which no entry is known.
func withoutEntries(r *evidence.Registration) check.Verdict {
	if knowsNone(r) {
		return check.NotApplicable("no redirect URI is registered").Of(r.ClientID)
	}
	return check.Unknown(check.NeedRegistration, "the export of this client does not hold its redirect URIs").Of(r.ClientID)
}

// faults collects what is wrong with the entries of one client.
type faults struct {
	n        int
	title    string
	means    string
	proof    []usher.Proof
	severity usher.Severity
}

func (f *faults) add(e evidence.RegisteredURI, found fault) {
	f.n++
	if f.n == 1 {
		f.title, f.means, f.severity = "The entry "+show(e.URI)+" "+found.says, found.means, found.severity
	}
	if found.severity == "" || f.severity != "" && found.severity.Rank() < f.severity.Rank() {
		f.severity = found.severity // the worst counts; the check's own is the worst
	}
	if len(f.proof) < maxProofs {
		f.proof = append(f.proof, usher.Proof{Place: e.Place, Quote: e.URI, Expected: found.expected})
	}
}

func (f *faults) verdict(r *evidence.Registration) check.Verdict {
	title := f.title
	if f.n > 1 {
		title += ", and " + strconv.Itoa(f.n-1) + " more"
	}
	return check.Wrong(title, f.means, f.proof...).Of(r.ClientID).As(f.severity)
}

// show makes a foreign text fit a sentence.
func show(s string) string { return token.Printable(s) }
