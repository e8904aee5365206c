package redirects

import (
	"cmp"
	"net/url"
	"strings"

	"usher"
	"usher/check"
)

var serverExact = &check.Check{
	ID: "redirect-server-exact", Group: check.GroupRedirectURI, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "The provider compares redirect URIs exactly",
	Judged: "Authorization requests of the own client with an altered redirect URI (path, query, case, encoding) and prompt=none are all refused without leading there.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Have the provider compare letter for letter, or take the wildcard or prefix out of the registration.")},
	References: []string{"RFC 9700 section 4.1.3", "RFC 6749 section 3.1.2.4"},
	Probe:      &check.Probe{What: "sends up to ten authorization requests of the own client with an altered redirect URI and prompt=none; never follows the answer", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		return probed(t, func(p *check.ProbeAnswer) check.Verdict {
			if leadsTo(p) {
				return check.Wrong("The provider answers to a redirect URI that is not registered", "",
					usher.Proof{Place: p.Place, Quote: p.Sent, Expected: "an error page", Got: p.Where})
			}
			return check.OK("No altered redirect URI was answered.", usher.Proof{Place: p.Place, Quote: p.Sent, Got: p.Where})
		}, "redirect-server-exact")
	},
}

var errorNoRedirect = &check.Check{
	ID: "redirect-error-no-redirect", Group: check.GroupRedirectURI, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "The provider shows a page of its own for a bad redirect URI",
	Judged: "The answer to a redirect URI that is not registered has no Location that leads there, not even with an error.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Tightening("Update the provider: with a redirect URI that it does not know it must tell the person of the error, and not send the browser there.")},
	References: []string{"RFC 6749 section 4.1.2.1", "RFC 9700 section 4.11.2"},
	Probe:      &check.Probe{What: "looks at the answers to the requests of redirect-server-exact", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		return probed(t, func(p *check.ProbeAnswer) check.Verdict {
			if leadsTo(p) {
				return check.Wrong("The provider sends the browser to a redirect URI that is not registered", "A link to the provider then leads to any host, with the provider's name on it.",
					usher.Proof{Place: p.Place, Quote: p.Sent, Expected: "a page of the provider", Got: p.Where})
			}
			return check.OK("The provider did not lead there.", usher.Proof{Place: p.Place, Quote: p.Sent, Got: cmp.Or(p.Where, "no Location")})
		}, "redirect-error-no-redirect", "redirect-server-exact")
	},
}

// probed judges by the first answer that there is of the probes with these ids.
func probed(t *check.Target, judge func(p *check.ProbeAnswer) check.Verdict, ids ...string) []check.Verdict {
	for i, id := range ids {
		p := t.Probed[id]
		switch {
		case p == nil:
			continue
		case p.Skipped != "":
			return []check.Verdict{check.Unknown(check.NeedProbe, "not asked: "+p.Skipped)}
		case p.Verdict != nil && i == 0:
			return []check.Verdict{*p.Verdict}
		case p.Status == 0:
			return []check.Verdict{check.Unknown(check.NeedProbe, "no answer came: "+p.Note)}
		}
		return []check.Verdict{judge(p)}
	}
	return []check.Verdict{check.Unknown(check.NeedProbe, "")}
}

// leadsTo tells whether an answer leads to the redirect URI that was sent.
func leadsTo(p *check.ProbeAnswer) bool {
	if p.Status/100 != 3 || p.Where == "" {
		return false
	}
	_, after, ok := strings.Cut(p.Sent, "redirect_uri=")
	if !ok {
		return false
	}
	if i := strings.IndexAny(after, "& \r\n#"); i >= 0 {
		after = after[:i]
	}
	bad, err := url.QueryUnescape(after)
	if err != nil {
		bad = after
	}
	a, b := split(bad), split(p.Where)
	return a.host != "" && strings.EqualFold(a.scheme, b.scheme) && strings.EqualFold(a.host, b.host) && a.port == b.port && (a.path == b.path || strings.HasPrefix(b.path, a.path))
}
