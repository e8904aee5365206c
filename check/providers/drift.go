package providers

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
)

// Change is one difference between two looks at a discovery document.
type Change struct {
	Member        string
	Before, After string // as they stood there, shortened; empty: absent
	// Removed and Added are the elements that a list lost and gained.
	Removed, Added []string
	Means          string // for a client, a sentence
	Severity       usher.Severity
}

// Changes compares two looks at a discovery document, of members that clients
// configure themselves by. The order is that of a reading person: what breaks
// clients first.
func Changes(before, after map[string]json.RawMessage) []Change {
	var out []Change
	for name, old := range before {
		if now, ok := after[name]; watched(name) && (!ok || !sameRaw(old, now)) {
			out = append(out, change(name, old, now))
		}
	}
	for name, now := range after {
		if _, ok := before[name]; !ok && watched(name) {
			out = append(out, change(name, nil, now))
		}
	}
	out = slices.DeleteFunc(out, func(c Change) bool { return c.Member == "" })
	slices.SortFunc(out, func(a, b Change) int {
		if d := a.Severity.Rank() - b.Severity.Rank(); d != 0 {
			return d
		}
		return strings.Compare(a.Member, b.Member)
	})
	return out
}

// watched tells which members matter to clients.
func watched(name string) bool {
	switch name {
	case "issuer", "jwks_uri", "scopes_supported", "response_types_supported", "response_modes_supported", "grant_types_supported",
		"code_challenge_methods_supported", "subject_types_supported", "acr_values_supported",
		"authorization_response_iss_parameter_supported", "require_pushed_authorization_requests", "require_signed_request_object",
		"tls_client_certificate_bound_access_tokens", "client_id_metadata_document_supported",
		"backchannel_logout_supported", "frontchannel_logout_supported", "mtls_endpoint_aliases", "claims_parameter_supported":
		return true
	}
	return strings.HasSuffix(name, "_endpoint") || strings.HasSuffix(name, "_alg_values_supported") || strings.HasSuffix(name, "_auth_methods_supported")
}

func sameRaw(a, b json.RawMessage) bool {
	if string(a) == string(b) {
		return true
	}
	la, ok1 := strs(a)
	lb, ok2 := strs(b)
	if ok1 && ok2 {
		slices.Sort(la)
		slices.Sort(lb)
		return slices.Equal(la, lb)
	}
	var va, vb any
	if json.Unmarshal(a, &va) != nil || json.Unmarshal(b, &vb) != nil {
		return false
	}
	ta, _ := json.Marshal(va)
	tb, _ := json.Marshal(vb)
	return string(ta) == string(tb)
}

func change(name string, before, after json.RawMessage) Change {
	c := Change{Member: name, Before: shorten(string(before), 160), After: shorten(string(after), 160), Severity: usher.SeverityMedium}
	la, oldList := strs(before)
	lb, newList := strs(after)
	if (oldList || len(before) == 0) && (newList || len(after) == 0) && (oldList || newList) {
		for _, s := range la {
			if !contains(lb, s) {
				c.Removed = append(c.Removed, s)
			}
		}
		for _, s := range lb {
			if !contains(la, s) {
				c.Added = append(c.Added, s)
			}
		}
	}
	c.Means, c.Severity = meaning(name, &c)
	return c
}

// meaning says what a change does to clients, and how much it weighs.
func meaning(name string, c *Change) (string, usher.Severity) {
	gone, came := c.After == "", c.Before == ""
	lost := len(c.Removed) > 0
	switch {
	case name == "issuer":
		return "Clients compare the issuer and refuse the provider, and its tokens, until they are configured anew.", usher.SeverityHigh
	case name == "jwks_uri" && !gone:
		return "Verifiers that keep the old address see no new key, and fail at the next rotation.", usher.SeverityHigh
	case strings.HasSuffix(name, "_endpoint") && gone:
		return "What used this endpoint fails as soon as it is switched off.", usher.SeverityHigh
	case strings.HasSuffix(name, "_endpoint") && came:
		return "Something new can be used.", usher.SeverityInfo
	case strings.HasSuffix(name, "_endpoint"):
		return "Clients that have the old address by hand go on to it; firewalls must let the new one through.", usher.SeverityMedium
	case name == "code_challenge_methods_supported" && came:
		return "The provider now announces PKCE: send S256.", usher.SeverityInfo
	case name == "code_challenge_methods_supported" && (gone || contains(c.Removed, "S256")):
		return "Clients that look for S256 (MCP among them) stop.", usher.SeverityHigh
	case name == "authorization_response_iss_parameter_supported":
		if strings.TrimSpace(c.After) == "true" {
			return "Answers now carry iss: compare it with the issuer that the request went to.", usher.SeverityInfo
		}
		return "Answers carry no iss any more: a client that insists on it, as it must where it was announced, refuses them.", usher.SeverityMedium
	case name == "require_pushed_authorization_requests" && strings.TrimSpace(c.After) == "true":
		return "Plain authorization requests will be refused: push them first.", usher.SeverityHigh
	case name == "require_signed_request_object" && strings.TrimSpace(c.After) == "true":
		return "Unsigned authorization requests will be refused.", usher.SeverityHigh
	case strings.HasSuffix(name, "_auth_methods_supported") && lost:
		return "Clients that authenticate by " + names(c.Removed) + " will be refused, on a day that is not yours to choose.", usher.SeverityMedium
	case strings.HasSuffix(name, "_alg_values_supported") && lost:
		return "Tokens or requests with " + names(c.Removed) + " end; verifiers pinned to it fail.", usher.SeverityMedium
	case lost:
		return "What uses " + names(c.Removed) + " will fail.", usher.SeverityMedium
	case len(c.Added) > 0:
		return "New: " + names(c.Added) + ".", usher.SeverityInfo
	}
	return "Look at what uses it.", usher.SeverityLow
}

var discoveryDrift = &check.Check{
	ID: "discovery-drift", Group: check.GroupProvider, Mode: check.Passive, Severity: usher.SeverityMedium,
	Title:  "The discovery document is as it was",
	Judged: "The document is compared with the one of the last look: issuer, endpoints, algorithms, methods of authentication, grants, PKCE.",
	Needs:  []check.Need{check.NeedDiscovery, check.NeedHistory},
	Step:   usher.StepDiscovery, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Read what changed and hold your clients against it before the provider switches the old way off."),
		check.Neutral("If nobody announced the change, ask the provider: a document that was tampered with looks like that."),
	},
	References: []string{"RFC 8414 section 6"},
	Probe:      getPublic,
	Judge:      func(t *check.Target) []check.Verdict { return drift(t) },
}

func drift(t *check.Target) []check.Verdict {
	var last *check.Seen
	for _, s := range t.Previous {
		if len(s.Metadata) > 0 {
			last = s
		}
	}
	if last == nil {
		return one(check.Unknown(check.NeedHistory, ""))
	}
	m := t.Metadata[0]
	for _, other := range t.Metadata {
		if raw, ok := other.Raw["issuer"]; ok && sameRaw(raw, last.Metadata["issuer"]) {
			m = other
			break
		}
	}
	changes := Changes(last.Metadata, m.Raw)
	if len(changes) == 0 {
		return one(check.OK("as on "+last.At.UTC().Format(time.DateTime), usher.Proof{Place: m.Place, Quote: "the document"}))
	}
	var proof []usher.Proof
	var words, means []string
	for i, c := range changes {
		if i == 12 {
			break
		}
		words = append(words, c.Member)
		means = append(means, c.Member+": "+c.Means)
		proof = append(proof, member(m, c.Member, orAbsent(c.Before), orAbsent(c.After)))
	}
	if len(means) > 4 {
		means = means[:4]
	}
	v := check.Wrong("Since "+last.At.UTC().Format(time.DateOnly)+" the provider changed "+names(words), strings.Join(means, " "), proof...)
	return one(v.As(changes[0].Severity))
}

func orAbsent(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}
