package providers

import (
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/provider/snapshot"
)

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
	var last *snapshot.Look
	for _, s := range t.Previous {
		if len(s.Metadata) > 0 {
			last = s
		}
	}
	if last == nil {
		return check.Only(check.Unknown(check.NeedHistory, ""))
	}
	m := t.Metadata[0]
	for _, other := range t.Metadata {
		if other.Issuer != "" && other.Issuer == last.Text("issuer") {
			m = other
			break
		}
	}
	changes := slices.DeleteFunc(snapshot.Diff(&snapshot.Look{Metadata: last.Metadata}, &snapshot.Look{Metadata: m.Raw}), func(c snapshot.Change) bool { return !watched(c.Member) })
	if len(changes) == 0 {
		return check.Only(check.OK("as on "+last.At.UTC().Format(time.DateTime), usher.Proof{Place: m.Place, Quote: "the document"}))
	}
	const most, told = 12, 4
	var proof []usher.Proof
	var words, means, todo []string
	for _, c := range changes {
		if len(means) < told {
			means = append(means, c.Title+": "+c.Means+".")
			if c.Do != "" && !slices.Contains(todo, c.Do) {
				todo = append(todo, c.Do)
			}
		}
		if !slices.Contains(words, c.Member) && len(words) < most { // several words of one list are one member
			words = append(words, c.Member)
			proof = append(proof, member(m, c.Member, orAbsent(check.Clip(c.Old, 160)), orAbsent(check.Clip(c.New, 160))))
		}
	}
	v := check.Wrong("Since "+last.At.UTC().Format(time.DateOnly)+" the provider changed "+check.Names(words), strings.Join(means, " "), proof...)
	return check.Only(v.As(changes[0].Severity).Do(append(todo, "If nobody announced the change, ask the provider: a document that was tampered with looks like that.")...))
}

func orAbsent(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}
