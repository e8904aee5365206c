package tokens

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

var challenge401 = &check.Check{
	ID: "api-401-challenge", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A 401 says what is wrong",
	Judged: "Every 401 has WWW-Authenticate with a scheme, where a token was sent with an error, and with resource_metadata where the API publishes metadata.",
	Needs:  []check.Need{check.NeedAPIResponse}, Cause: "", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral(`Have the API answer 401 with WWW-Authenticate: Bearer error="invalid_token", error_description="...": callers then know whether to refresh, to step up or to stop.`),
		check.Neutral("Let a gateway before the API pass the header on, and name it in Access-Control-Expose-Headers for browsers."),
	},
	References: []string{"RFC 6750 section 3", "RFC 9728 section 5.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, c := range t.APICalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if c.Exchange != nil && c.Exchange.Status == 401 {
				all.add(judge401(t, c))
			}
		}
		return all.or(check.NotApplicable("no API answers 401"))
	},
}

func judge401(t *check.Target, c *check.APICall) check.Verdict {
	h := c.Exchange.Header
	p := usher.Proof{Place: c.Place, Quote: "401"}
	if len(h) == 0 && len(c.Challenges) == 0 {
		return check.Unknown(check.NeedHeaders, "the headers of the 401 are not there", p)
	}
	if len(c.Challenges) == 0 {
		p.Expected, p.Got = "WWW-Authenticate: Bearer ...", "no WWW-Authenticate"
		if raw := h.Get("Www-Authenticate"); raw != "" {
			p.Got = "WWW-Authenticate: " + token.Printable(raw)
			return check.Wrong("The WWW-Authenticate header of the 401 cannot be read", "Callers learn nothing from it.", p)
		}
		return check.Wrong("The API answers 401 without WWW-Authenticate", "The caller cannot tell a token that has ended from one that is not good here, or from no token at all.", p)
	}
	var bearer *oauth.Challenge
	for i := range c.Challenges {
		if s := strings.ToLower(c.Challenges[i].Scheme); s == "bearer" || s == "dpop" {
			bearer = &c.Challenges[i]
			break
		}
	}
	if bearer == nil {
		p.Expected, p.Got = "Bearer or DPoP", token.Printable(c.Challenges[0].Scheme)
		return check.Wrong(fmt.Sprintf("The 401 asks for %s, not for a token", token.Printable(c.Challenges[0].Scheme)), "Callers do not learn that a token is wanted.", p)
	}
	p.Quote = "401, " + challengeText(bearer)
	if sentToken(c.Exchange) != "" && bearer.Params["error"] == "" {
		p.Expected, p.Got = `error="invalid_token"`, "no error"
		return check.Wrong("The 401 to a call with a token does not say what is wrong with it", "Without error the caller cannot tell whether a refresh would help.", p).As(usher.SeverityLow)
	}
	if (publishes(t, c.Exchange) || t.Profile != nil && t.Profile.Name == "mcp") && bearer.Params["resource_metadata"] == "" {
		p.Expected, p.Got = "resource_metadata", "none"
		return check.Wrong("The 401 does not say where the API's metadata is", "Clients that find their way by it cannot begin.", p)
	}
	return check.OK("The 401 says what is wrong.", p)
}

// publishes tells whether metadata is there of the API that was called.
func publishes(t *check.Target, x *evidence.Exchange) bool {
	return slices.ContainsFunc(t.Resources, func(r *check.ResourceMetadata) bool {
		return hostOf(&evidence.Exchange{URL: cmp.Or(r.Resource, r.URL)}) == hostOf(x)
	})
}

var status401or403 = &check.Check{
	ID: "api-401-vs-403", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "401 and 403 say what they are for",
	Judged: "401 for no token or a bad one and for too weak a sign-in, 403 for a good token that lacks a scope.",
	Needs:  []check.Need{check.NeedAPIResponse}, Cause: "", Step: usher.StepAPICall, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Swap them at the API: on 401 callers get a new token and try again, on 403 they stop or ask for more.")},
	References: []string{"RFC 6750 section 3.1", "RFC 9470 section 3"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, c := range t.APICalls {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			if c.Exchange != nil && (c.Exchange.Status == 401 || c.Exchange.Status == 403) {
				all.add(judgeStatus(t, c))
			}
		}
		return all.or(check.NotApplicable("no API answers 401 or 403"))
	},
}

func judgeStatus(t *check.Target, c *check.APICall) check.Verdict {
	code := ""
	for _, ch := range c.Challenges {
		code = cmp.Or(code, ch.Params["error"])
	}
	p := usher.Proof{Place: c.Place, Quote: strings.TrimSpace(fmt.Sprintf("%d %s", c.Exchange.Status, token.Printable(code)))}
	swap := func(title, detail, want string) check.Verdict {
		p.Expected, p.Got = want, fmt.Sprint(c.Exchange.Status)
		return check.Wrong(title, detail, p)
	}
	switch {
	case c.Exchange.Status == 401 && code == oauth.ErrInsufficientScope:
		return swap("The API answers 401 where the token lacks a scope", "Callers refresh and try again, for ever: a new token of the same grant has the same scopes.", "403")
	case c.Exchange.Status == 403 && code == oauth.ErrInvalidToken:
		return swap("The API answers 403 to a token that is not good", "Callers take it for final and do not get a new token.", "401")
	case c.Exchange.Status == 403 && code == oauth.ErrInsufficientUserAuth:
		return swap("The API answers 403 where it asks for a better sign-in", "Clients look for the step-up challenge in a 401.", "401")
	case c.Exchange.Status == 403 && code == "" && ended(t, c):
		return swap("The API answers 403 to a token that has ended", "Callers take it for final and do not get a new token.", "401")
	case code != "":
		return check.OK("The status fits the error.", p)
	case c.Exchange.Status == 401 && sentToken(c.Exchange) == "" && len(c.Challenges) > 0:
		return check.OK("401 to a call without a token.", p)
	}
	return check.Unknown(check.NeedAPIResponse, "the answer does not say what is wrong, so that it cannot be told whether the status fits", p)
}

// ended tells whether the token of a call had ended by then.
func ended(t *check.Target, c *check.APICall) bool {
	if c.Token == nil || c.Token.Parsed == nil || c.Time.IsZero() {
		return false
	}
	exp, there := seconds(c.Token, "exp")
	return there && float64(c.Time.Unix()) > exp+leeway.Seconds()
}

var resourceMetadata = &check.Check{
	ID: "resource-metadata", Group: check.GroupToken, Mode: check.Passive, Severity: usher.SeverityHigh,
	Title:  "The API's metadata is sound",
	Judged: "resource is the address that was asked for, authorization_servers names at least one issuer over https, and bearer_methods_supported knows header, body and query only.",
	Needs:  []check.Need{check.NeedResource}, Cause: "", Step: usher.StepDiscovery, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Publish it at the well-known path of the resource (https://host/.well-known/oauth-protected-resource/path), with resource exactly as clients address the API."),
		check.Neutral("Name the issuer in authorization_servers exactly as its own metadata does."),
	},
	References: []string{"RFC 9728 section 2", "RFC 9728 section 3.3"},
	Probe:      &check.Probe{What: "GET of the API's public metadata", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, r := range t.Resources {
			if i == maxTokens {
				break
			}
			v := judgeResource(t, r)
			v.Subject.Resource = cmp.Or(r.Resource, r.URL)
			all.add(v)
		}
		return all.end()
	},
}

func judgeResource(t *check.Target, r *check.ResourceMetadata) check.Verdict {
	var found []usher.Proof
	title, detail := "", ""
	say := func(what, means string, p usher.Proof) {
		if title == "" {
			title, detail = what, means
		}
		p.Place = cmp.Or(p.Place, r.Place, r.URL)
		found = append(found, p)
	}
	if a := r.Answer; a != nil && a.Status != 0 && a.Status != 200 {
		say(fmt.Sprintf("The API's metadata answers %d", a.Status), "Clients cannot find out who issues tokens for it.", usher.Proof{Place: a.Place, Quote: fmt.Sprint(a.Status), Expected: "200", Got: fmt.Sprint(a.Status)})
		return check.Wrong(title, detail, found...)
	}
	switch {
	case r.Resource == "":
		say("The API's metadata has no resource", "A client must not use it: anybody could have put it there.", usher.Proof{Quote: "no resource", Expected: "resource", Got: "nothing"})
	case r.URL != "" && r.Resource != r.URL:
		only := strings.TrimSuffix(r.Resource, "/") == strings.TrimSuffix(r.URL, "/")
		means := "A client must not use metadata of another resource: it could be led to get tokens for somebody else."
		if only {
			means = "The two differ in the slash at the end only, which counts."
		}
		say(fmt.Sprintf("The metadata is of %q, asked for was %q", token.Printable(r.Resource), token.Printable(r.URL)), means, usher.Proof{Quote: "resource: " + show(r.Resource), Expected: show(r.URL), Got: show(r.Resource)})
	}
	if u, err := url.Parse(r.Resource); r.Resource != "" && (err != nil || u.Scheme == "" || u.Fragment != "") {
		say("resource is no address without a fragment", "It cannot be sent as a resource parameter.", usher.Proof{Quote: "resource: " + show(r.Resource), Expected: "an absolute address", Got: show(r.Resource)})
	} else if r.Resource != "" && u.Scheme == "http" && !check.Loopback(u.Hostname()) {
		say("The resource is addressed without TLS", "Tokens for it go over the wire in the clear.", usher.Proof{Quote: "resource: " + show(r.Resource), Expected: "https", Got: "http"})
	}
	if len(r.AuthorizationServers) == 0 {
		say("The API's metadata names no authorization server", "Clients do not know where to get a token.", usher.Proof{Quote: "authorization_servers: " + show(rawOf(r, "authorization_servers")), Expected: "at least one issuer", Got: "none"})
	}
	for i, as := range r.AuthorizationServers {
		if i == 16 {
			break
		}
		if u, err := url.Parse(as); err != nil || u.Host == "" || u.Scheme != "https" && !check.Loopback(u.Hostname()) {
			say(fmt.Sprintf("The authorization server %q is no https address", token.Printable(as)), "An issuer is an https address.", usher.Proof{Quote: "authorization_servers: " + show(as), Expected: "https", Got: show(as)})
		}
	}
	if want := t.Issuer; want != "" && len(r.AuthorizationServers) > 0 && !slices.Contains(r.AuthorizationServers, want) && title == "" {
		say(fmt.Sprintf("The API takes tokens of %s, not of %q", quoted(r.AuthorizationServers), token.Printable(want)), "Tokens of the issuer that was asked for are refused.", usher.Proof{Quote: "authorization_servers: " + quoted(r.AuthorizationServers), Expected: show(want), Got: quoted(r.AuthorizationServers)})
	}
	for _, m := range r.BearerMethods {
		if m != "header" && m != "body" && m != "query" {
			say(fmt.Sprintf("bearer_methods_supported has %q, which is no way to send a token", token.Printable(m)), "It knows header, body and query.", usher.Proof{Quote: "bearer_methods_supported: " + quoted(r.BearerMethods), Expected: "header", Got: show(m)})
			break
		}
	}
	if title != "" {
		return check.Wrong(title, detail, found...)
	}
	p := usher.Proof{Place: cmp.Or(r.Place, r.URL), Quote: "resource: " + show(r.Resource)}
	if r.URL == "" {
		return check.Unknown(check.NeedNetwork, "the metadata is sound in itself; whether it is published under the address of its resource cannot be told from a file", p)
	}
	return check.OK("It is of the resource that was asked for, and names who issues tokens for it.", p)
}

func rawOf(r *check.ResourceMetadata, name string) any {
	if raw, there := r.Raw[name]; there {
		return string(raw)
	}
	return nil
}
