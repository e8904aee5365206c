package preset

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Lint gives every breach of FORMAT.md in a preset. It is what the tests hold
// data to, and what somebody who writes a preset asks.
func Lint(p *Preset) (problems []error) {
	say := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s: %s", p.Name, field, fmt.Sprintf(format, args...)))
	}
	if p.Title == "" {
		say("title", "is missing")
	}
	if !slices.Contains(Kinds, p.Kind) {
		say("kind", "%q is none of %s", p.Kind, strings.Join(Kinds, ", "))
	}
	known := lintValues(p, say)
	lintEndpoints(p, known, say)
	lintGrants(p, say)
	lintTokens(p, say)
	lintQuirks(p, say)
	return problems
}

type sayer func(field, format string, args ...any)

func lintValues(p *Preset, say sayer) (known []string) {
	for _, v := range p.Values {
		if v.Name == "" || v.Means == "" {
			say("values", "one has no name or no meaning")
		}
		switch {
		case len(v.Choices) > 0:
			for _, c := range v.Choices {
				if c.Name == "" || len(c.Set) == 0 || len(c.Set) != len(v.Choices[0].Set) {
					say("values."+v.Name, "each choice needs a name and sets the same braces")
				}
				for name, text := range c.Set {
					if v.Choices[0].Set[name] == "" {
						say("values."+v.Name, "%s is not set by every choice", name)
					}
					if !fits("label", text) && !fits("host", text) {
						say("values."+v.Name, "%q is no part of a host", text)
					}
					if !slices.Contains(known, name) {
						known = append(known, name)
					}
				}
			}
		case formWords[v.Form] == "":
			say("values."+v.Name, "form %q is none of label, host, segment", v.Form)
		case !fits(v.Form, v.Example):
			say("values."+v.Name, "its example %q does not fit its form", v.Example)
		case v.Default != "" && !fits(v.Form, v.Default):
			say("values."+v.Name, "its default %q does not fit its form", v.Default)
		default:
			known = append(known, v.Name)
		}
	}
	return known
}

func lintEndpoints(p *Preset, known []string, say sayer) {
	if p.Endpoints.Token == "" {
		say("endpoints.token_endpoint", "is missing")
	}
	used := map[string]bool{}
	for field, address := range map[string]string{
		"issuer": p.Issuer, "audience": p.Aud, "endpoints.token_endpoint": p.Endpoints.Token, "endpoints.authorization_endpoint": p.Endpoints.Authorization,
		"endpoints.device_authorization_endpoint": p.Endpoints.DeviceAuthorization, "endpoints.revocation_endpoint": p.Endpoints.Revocation,
		"endpoints.introspection_endpoint": p.Endpoints.Introspection, "endpoints.jwks_uri": p.Endpoints.JWKS,
	} {
		if address == "" {
			continue
		}
		for name := range braces(address) {
			used[name] = true
			if !slices.Contains(known, name) {
				say(field, "nothing sets {%s}", name)
			}
		}
		plain := address
		for _, name := range known {
			plain = strings.ReplaceAll(plain, "{"+name+"}", "x")
		}
		if why := badURL(plain); why != "" {
			say(field, "%s %s", address, why)
		}
	}
	for _, name := range known {
		if !used[name] {
			say("values", "{%s} is set and stands nowhere", name)
		}
	}
	switch {
	case p.Body != "" && p.Body != "json":
		say("body", "%q is neither empty nor json", p.Body)
	case p.Body == "json" && slices.ContainsFunc(p.Values, func(v Value) bool { return len(v.Choices) == 0 }):
		say("body", "json goes to addresses that are known beforehand: without values, or with choices alone")
	}
	if p.PKCE != "" && p.PKCE != "off" {
		say("pkce", "%q is neither empty nor off", p.PKCE)
	}
}

// braces gives the names that stand in braces.
func braces(text string) map[string]bool {
	names := map[string]bool{}
	for {
		_, rest, ok := strings.Cut(text, "{")
		if !ok {
			return names
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			names[rest] = true
			return names
		}
		names[name], text = true, after
	}
}

// badURL tells what is wrong with the address of an endpoint; empty: nothing.
func badURL(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "is no URL"
	case u.Scheme != "https":
		return "is not https: a secret goes there"
	case u.Host == "" || u.Port() != "":
		return "has no plain host"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "has a user, a query or a fragment"
	case strings.ContainsAny(address, " \t\n\"<>\\{}"):
		return "has characters that are no part of a URL"
	}
	return ""
}

func lintGrants(p *Preset, say sayer) {
	if len(p.Grants) == 0 {
		say("grants", "there is none")
	}
	for _, name := range p.Grants {
		grant, ok := GrantType(name)
		switch {
		case !ok:
			say("grants", "%q is no grant that a connection can live by", name)
		case name == "authorization_code" && p.Endpoints.Authorization == "":
			say("grants", "authorization_code needs an authorization_endpoint")
		case name == "device_code" && p.Endpoints.DeviceAuthorization == "":
			say("grants", "device_code needs a device_authorization_endpoint")
		case grant == "":
			say("grants", "%q", name)
		}
	}
	if len(p.Auth) == 0 {
		say("auth", "there is none")
	}
	for _, method := range p.Auth {
		if !slices.Contains(AuthMethods, method) {
			say("auth", "%q is none of %s", method, strings.Join(AuthMethods, ", "))
		}
	}
	if s := p.Scopes.Separator; s != "" && s != " " && s != "," {
		say("scopes.separator", "%q is neither a blank nor a comma", s)
	}
	for _, scope := range append(slices.Concat(p.Scopes.Default, p.Scopes.ClientCredentials), p.Scopes.Refresh) {
		if strings.ContainsAny(scope, " ,\"\\\t\n") {
			say("scopes", "%q is no scope", scope)
		}
	}
	for _, params := range []Params{p.Ask, p.Token} {
		for name := range params {
			if slices.Contains(ownParams, name) {
				say("parameters", "%s is usher's own to set", name)
			}
		}
	}
}

// ownParams are parameters that no data may set.
var ownParams = []string{
	"state", "nonce", "code", "code_verifier", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "response_mode",
	"client_id", "client_secret", "client_assertion", "client_assertion_type", "grant_type", "refresh_token", "scope", "request", "request_uri",
}

func lintTokens(p *Preset, say sayer) {
	if !slices.Contains([]Told{ToldIn, ToldAt, ToldNot, ToldUnknown}, p.Access.Told) {
		say("access.told", "%q is none of expires_in, expires_at, no, unknown", p.Access.Told)
	}
	if p.Access.NeverEnds && p.Access.Life > 0 {
		say("access", "it cannot both end and never end")
	}
	for field, value := range map[string][2]string{
		"refresh.given":      {p.Refresh.Given, "always scope parameter setting never unknown"},
		"refresh.rotates":    {p.Refresh.Rotates, "always sometimes never setting unknown"},
		"refresh.single_use": {p.Refresh.SingleUse, "yes no setting unknown"},
	} {
		if !slices.Contains(strings.Fields(value[1]), value[0]) {
			say(field, "%q is none of %s", value[0], value[1])
		}
	}
	if p.Refresh.Given == "scope" && p.Scopes.Refresh == "" {
		say("scopes.refresh", "which scope brings a refresh token is missing")
	}
	if p.Refresh.Given == "parameter" && len(p.Ask)+len(p.Token) == 0 {
		say("authorize", "which parameter brings a refresh token is missing")
	}
	if p.Refresh.NeverEnds && (p.Refresh.Life > 0 || p.Refresh.Idle > 0) {
		say("refresh", "it cannot both end and never end")
	}
	if p.Refresh.Rotates == "never" && p.Refresh.SingleUse == "yes" {
		say("refresh", "a token that is used once and not replaced is of no use")
	}
}

func lintQuirks(p *Preset, say sayer) {
	seen := map[string]bool{}
	for _, q := range p.Quirks {
		if q.ID == "" || q.Says == "" || q.Effect == "" || seen[q.ID] {
			say("quirks", "%q: id (once), says and effect are needed", q.ID)
		}
		if why := badPage(q.From); why != "" {
			say("quirks."+q.ID, "%s", why)
		}
		seen[q.ID] = true
	}
	if len(p.Sources) == 0 {
		say("sources", "there is none: nothing may be claimed without one")
	}
	for _, s := range p.Sources {
		if why := badPage(s.URL); why != "" {
			say("sources", "%s", why)
		}
		if _, err := time.Parse(time.DateOnly, s.Checked); err != nil {
			say("sources", "%s: checked is no day", s.URL)
		}
		if s.For == "" {
			say("sources", "%s: for what?", s.URL)
		}
	}
}

func badPage(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Sprintf("%q is no page", address)
	}
	return ""
}
