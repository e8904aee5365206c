package scopes

import (
	"slices"
	"strings"

	"usher"
	"usher/check"
)

var resource = &check.Check{
	ID: "scope-resource", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "A token is for one API",
	Judged: "A request names one API by resource, audience or the part before its scopes; a token has one API in aud. Where the API publishes resource metadata, requests name it by resource, as MCP demands.",
	Cause:  "scope-invalid", Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Ask for a token for each API, with the scopes of that API alone.")},
	References: []string{"RFC 8707 section 2", "RFC 9700 section 2.3"},
	Judge:      judgeResource,
}

func judgeResource(t *check.Target) []check.Verdict {
	all := wishes(t)
	out := resourceNamed(t)
	redeemed := map[string]bool{}
	for _, w := range all {
		redeemed[w.client] = redeemed[w.client] || w.token
	}
	for _, w := range all {
		apis := apisOf(t, w)
		if len(apis) == 0 {
			continue
		}
		proof := usher.Proof{Place: w.place, Quote: w.quote(), Expected: "the scopes of one API", Got: strings.Join(apis, " ")}
		switch {
		case len(apis) > 1 && w.token:
			out = append(out, check.Wrong("One token request asks for "+show(apis[0])+" and "+show(apis[1]), "A token is for one API; providers refuse the request or leave the second out.", proof).Of(w.client))
		case len(apis) > 1 && !redeemed[w.client]:
			out = append(out, check.Unknown(check.NeedTokenRequest, "the request asks for scopes of "+show(apis[0])+" and "+show(apis[1])+" at once, which is well for consent if the token request then names one of them", proof).Of(w.client))
		default:
			out = append(out, check.OK("", usher.Proof{Place: w.place, Quote: w.quote(), Got: apis[0]}).Of(w.client))
		}
	}
	for _, tok := range t.Tokens {
		if !access(tok) {
			continue
		}
		auds := apiAudiences(tok)
		proof := usher.Proof{Place: tok.Place, Quote: "aud", Expected: "one API", Got: strings.Join(auds, " ")}
		switch {
		case len(auds) > 1:
			v := check.Wrong("The token is for "+show(auds[0])+" and "+show(auds[1]), "Whichever API gets it can use it at the other.", proof)
			out = append(out, v.Because("token-wrong-audience"))
		case len(auds) == 1:
			out = append(out, check.OK("", usher.Proof{Place: tok.Place, Quote: "aud", Got: auds[0]}))
		}
	}
	if len(out) == 0 {
		if len(all) > 0 || len(t.Tokens) > 0 {
			return []check.Verdict{check.NotApplicable("neither scopes nor tokens name an API")}
		}
		return []check.Verdict{check.Unknown(check.NeedToken, "")}
	}
	return once(out)
}

// apisOf gives the APIs that a request names. Google's scopes are all of one
// API as far as tokens go.
func apisOf(t *check.Target, w wish) []string {
	var out []string
	bare := false
	for _, s := range w.scopes {
		if strings.HasPrefix(s, "https://www.googleapis.com/") || t.Provider.Name == "google" {
			continue
		}
		i := strings.LastIndexByte(s, '/')
		if i <= 0 || !strings.Contains(s[:i], "://") {
			bare = bare || !standard(s)
			continue
		}
		api := strings.TrimSuffix(s[:i], "/")
		if t.Provider.Name != "entra" && check.HostOf(s) != "" {
			api = check.HostOf(s) // only Entra writes the API before each scope; elsewhere the path is a name like any other
		}
		if !slices.Contains(out, api) {
			out = append(out, api)
		}
	}
	const graph = "https://graph.microsoft.com"
	if bare && t.Provider.Name == "entra" && !slices.Contains(out, graph) {
		out = append(out, graph) // a scope without an API is Graph's
	}
	return out
}

// apiAudiences gives the audiences of a token that are APIs of their own: not
// the client, and not what providers add for themselves.
func apiAudiences(tok *check.Token) []string {
	auds, ok := claimWords(tok.Parsed, "aud")
	if !ok {
		return nil
	}
	client, iss := claimText(tok.Parsed, "azp"), claimText(tok.Parsed, "iss")
	if client == "" {
		client = claimText(tok.Parsed, "client_id")
	}
	return slices.DeleteFunc(auds, func(a string) bool {
		return a == client && len(auds) > 1 || a == "account" || strings.HasSuffix(a, "/userinfo") || iss != "" && strings.TrimSuffix(a, "/") == strings.TrimSuffix(iss, "/")
	})
}

// call is a request with what it names by resource, RFC 8707.
type call struct {
	client, place, what string
	resource            []string
}

// resourceNamed holds the requests against the resource metadata: each names
// the API. MCP demands it; to others it is advice.
func resourceNamed(t *check.Target) []check.Verdict {
	mcp := t.Profile != nil && t.Profile.Name == "mcp"
	if !mcp && len(t.Resources) == 0 {
		return nil
	}
	const most = 64
	var calls []call
	for _, c := range t.AuthCalls {
		if q := c.Request; q != nil && !c.Partial && q.ResponseType != "" && len(calls) < most {
			calls = append(calls, call{q.ClientID, c.Place, "The authorization request", q.Resource})
		}
	}
	for _, c := range t.TokenCalls {
		if q := c.Request; q != nil && q.GrantType != "" && len(calls) < 2*most {
			calls = append(calls, call{q.ClientID, c.Place, "The token request", q.Resource})
		}
	}
	published := ""
	if len(t.Resources) == 1 {
		published = t.Resources[0].Resource
	}
	out := make([]check.Verdict, 0, len(calls))
	for _, c := range calls {
		proof := usher.Proof{Place: c.place, Quote: "resource=" + show(strings.Join(c.resource, " ")), Expected: published}
		v := check.OK("", proof)
		switch {
		case len(c.resource) == 0:
			proof.Quote, proof.Expected = "no resource", orElse(published, "resource=(the address of the API)")
			v = check.Wrong(c.what+" does not name the API by resource", "The provider cannot put the API into aud, so that the token may be good at every other API too.", proof)
		case published != "" && !slices.ContainsFunc(c.resource, func(r string) bool { return strings.TrimSuffix(r, "/") == strings.TrimSuffix(published, "/") }):
			proof.Got = strings.Join(c.resource, " ")
			v = check.Wrong(c.what+" names the API "+show(c.resource[0])+", its metadata "+show(published), "The provider refuses it, or the token is for another API.", proof)
		}
		if v.Outcome == usher.OutcomeWrong {
			v = v.Do("Send resource=" + orElse(show(published), "the address of the API") + " with the authorization request and with the token request.")
			if !mcp && len(c.resource) == 0 {
				v = v.As(usher.SeverityInfo)
			}
		}
		out = append(out, v.Of(c.client))
	}
	return out
}
