package redirects

import (
	"slices"

	"usher"
	"usher/check"
	"usher/oauth"
)

// The checks of this file each stand for one kind of difference. They are wrong
// only where it is the one that explains the refusal.

var slash = &check.Check{
	ID: "redirect-slash", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "No slash more or less at the end",
	Judged: "The redirect URI that is sent and the nearest entry differ by the slash at the end of the path alone.",
	Needs:  []check.Need{check.NeedAuthRequest, check.NeedRegistration},
	Cause:  "redirect-uri-mismatch", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Write both sides with the same ending; frameworks that add or drop a slash have a setting for it.")},
	References: []string{"RFC 9700 section 4.1.3"},
	Judge:      differsBy(anywhere, "trailing-slash", "empty-path"),
}

var letterCase = &check.Check{
	ID: "redirect-case", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Upper and lower case agree",
	Judged: "The redirect URI that is sent and the nearest entry differ by upper and lower case of scheme, host or path alone.",
	Needs:  []check.Need{check.NeedAuthRequest, check.NeedRegistration},
	Cause:  "redirect-uri-mismatch", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Write scheme and host in lower case on both sides, and the path with the same letters.")},
	References: []string{"RFC 9700 section 4.1.3"},
	Judge:      differsBy(anywhere, "scheme-case", "host-case", "path-case"),
}

var scheme = &check.Check{
	ID: "redirect-scheme", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "http and https agree",
	Judged: "The redirect URI that is sent and the nearest entry differ by http and https alone, as behind a proxy that ends TLS.",
	Needs:  []check.Need{check.NeedAuthRequest, check.NeedRegistration},
	Cause:  "redirect-scheme-proxy", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Have the app see the outer scheme: let the proxy set X-Forwarded-Proto or Forwarded, and the framework trust it from that proxy alone; or set the app's public address.")},
	References: []string{"RFC 9700 section 2.6", "RFC 7239 section 5.4"},
	Judge:      differsBy(anywhere, "scheme"),
}

var hostPort = &check.Check{
	ID: "redirect-host-port", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "Host and port agree",
	Judged: "The redirect URI that is sent and the nearest entry differ by host or port alone: www, a name that is known inside only, the scheme's own port written out.",
	Needs:  []check.Need{check.NeedAuthRequest, check.NeedRegistration},
	Cause:  "redirect-uri-mismatch", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Set the public address of the app, or have the proxy pass on the outer host (X-Forwarded-Host or Forwarded) and the app trust that proxy alone.")},
	References: []string{"RFC 9700 section 4.1.3"},
	Judge:      differsBy(notThisMachine, "host", "port", "default-port"),
}

var query = &check.Check{
	ID: "redirect-query", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The query of the redirect URI agrees",
	Judged: "The redirect URI that is sent and the nearest entry differ by their query alone: added, missing or in another order.",
	Needs:  []check.Need{check.NeedAuthRequest, check.NeedRegistration},
	Cause:  "redirect-uri-mismatch", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Carry what varies from request to request in state, or in the session that state points to, and send the registered redirect URI as it is.")},
	References: []string{"RFC 6749 section 3.1.2", "RFC 9700 section 4.1.3"},
	Judge:      differsBy(anywhere, "query-added", "query-missing", "query-order"),
}

var encoding = &check.Check{
	ID: "redirect-encoding", Group: check.GroupRedirectURI, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Both sides are encoded alike",
	Judged: "The redirect URI that is sent and the nearest entry differ by their writing alone: percent-encoding, one encoding too many, dot segments, a name in its own script.",
	Needs:  []check.Need{check.NeedAuthRequest, check.NeedRegistration},
	Cause:  "redirect-uri-mismatch", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Send and register one spelling: encode the value once when the query is built, register host names as xn--, and write no dot segments.")},
	References: []string{"RFC 3986 section 6.2.1", "RFC 9700 section 4.1.3"},
	Judge:      differsBy(anywhere, "encoding", "double-encoding", "dot-segments", "idn", "backslash"),
}

func anywhere(*look) bool         { return true }
func notThisMachine(l *look) bool { return !thisMachine(l) }

// thisMachine tells whether both sides are of this machine, which has checks of
// its own.
func thisMachine(l *look) bool { return split(l.uri).loopback() && split(l.result.Closest).loopback() }

// differsBy judges by the one difference of a comparison.
func differsBy(where func(*look) bool, names ...string) func(*check.Target) []check.Verdict {
	return func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, c := range compare(t) {
			out = append(out, judgeDifference(c, where, names).Of(c.client))
		}
		return out
	}
}

func judgeDifference(c compared, where func(*look) bool, names []string) check.Verdict {
	if len(c.looks) == 0 {
		return c.unknown
	}
	var bad *look
	var proof []usher.Proof
	nothing := true
	for i := range c.looks {
		l := &c.looks[i]
		nothing = nothing && (l.uri == "" || l.result.Closest == "")
		if l.isThe(names) && where(l) {
			if bad == nil {
				bad = l
			}
			if len(proof) < 3*maxProofs {
				proof = append(proof, l.threeSides()...)
			}
		}
	}
	switch {
	case bad != nil:
		v := check.Wrong(bad.title(), sentence(bad.result.Explanation), proof...)
		v.Fix = bad.fix()
		return v.Because(bad.cause())
	case nothing:
		return check.NotApplicable("there are no two redirect URIs to compare")
	}
	return check.OK("", c.looks[0].threeSides()...)
}

// isThe tells whether one of the differences alone explains a refusal.
func (l *look) isThe(names []string) bool {
	return l.result.Verdict == oauth.RedirectMismatch && l.result.Second == "" && slices.Contains(names, l.result.Difference)
}
