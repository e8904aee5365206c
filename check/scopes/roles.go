package scopes

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/token"
)

var roleMap = &check.Check{
	ID: "scope-role-map", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The token's scopes fit the person's roles",
	Judged: "Each scope of an access token is one that the expectations give to a role of the token.",
	Needs:  []check.Need{check.NeedToken, check.NeedPolicy},
	Step:   usher.StepTokenRequest, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Have the provider cut the scopes down to the person's roles when it issues the token, and the API look at both.")},
	References: []string{"RFC 9068 section 2.2.3.1", "RFC 9700 section 2.3"},
	Judge: func(t *check.Target) []check.Verdict {
		if len(t.Expect.Roles) == 0 {
			return []check.Verdict{check.Unknown(check.NeedPolicy, "the expectations give no scopes of roles (roles:)")}
		}
		var out []check.Verdict
		for _, tok := range t.Tokens {
			if access(tok) && len(out) < 64 {
				v := judgeRole(t, tok)
				v.Subject.Client, v.Subject.User = claimText(tok.Parsed, "azp"), claimText(tok.Parsed, "sub")
				out = append(out, v)
			}
		}
		if out == nil {
			return []check.Verdict{check.NotApplicable("no access token that can be read was given")}
		}
		return once(out)
	},
}

func judgeRole(t *check.Target, tok *check.Token) check.Verdict {
	scopes, _ := claimed(tok.Parsed)
	roles := rolesOf(tok.Parsed)
	var allowedScopes []string
	known := false
	for _, role := range roles {
		if list, ok := t.Expect.Roles[role]; ok {
			known = true
			allowedScopes = append(allowedScopes, list...)
		}
	}
	scopes = slices.DeleteFunc(scopes, standard)
	switch {
	case len(scopes) == 0:
		return check.NotApplicable("the token holds no scopes of an API")
	case len(roles) == 0:
		return check.Unknown(check.NeedNothing, "the token names no role", usher.Proof{Place: tok.Place, Quote: "roles"})
	case !known:
		return check.Unknown(check.NeedPolicy, "the expectations know none of the roles of the token: "+list(roles))
	}
	proof := usher.Proof{Place: tok.Place, Quote: "scope of a token with the roles " + strings.Join(roles, " "), Expected: strings.Join(allowedScopes, " "), Got: strings.Join(scopes, " ")}
	if more := without(t, scopes, allowedScopes); len(more) > 0 {
		v := check.Wrong("The roles "+list(roles)+" do not give "+list(more), "The API lets the person do what the role was not meant to give, unless it looks at both.", proof)
		v.Subject.Scope = strings.Join(more, " ")
		return v
	}
	return check.OK("", proof)
}

// rolesOf gives the roles that a token names, in the claims of RFC 9068 and of
// Keycloak.
func rolesOf(tok *token.Parsed) []string {
	var out []string
	add := func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, strings.Fields(v)...)
		case []any:
			for _, e := range v {
				if s, ok := e.(string); ok && len(out) < 500 && !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
	}
	add(tok.Claims["roles"])
	add(tok.Claims["role"])
	if realm, ok := tok.Claims["realm_access"].(map[string]any); ok {
		add(realm["roles"])
	}
	if clients, ok := tok.Claims["resource_access"].(map[string]any); ok {
		for _, of := range [...]string{claimText(tok, "azp"), claimText(tok, "client_id")} {
			if c, ok := clients[of].(map[string]any); ok {
				add(c["roles"])
			}
		}
	}
	return out
}

var roleChange = &check.Check{
	ID: "scope-role-change", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A change of roles reaches the tokens",
	Judged: "No token that was issued before the log tells a change of the person's roles was used after it.",
	Needs:  []check.Need{check.NeedToken, check.NeedLogs},
	Step:   usher.StepAPICall, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Revoke the person's refresh tokens when a role is taken away, and keep access tokens short."),
		check.Tightening("Or use continuous access evaluation, so that the API hears of the change at once."),
	},
	References: []string{"RFC 9700 section 2.3", "OpenID CAEP section 3"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for _, tok := range t.Tokens {
			if access(tok) && len(out) < 64 {
				v := judgeRoleChange(t, tok)
				v.Subject.Client, v.Subject.User = claimText(tok.Parsed, "azp"), claimText(tok.Parsed, "sub")
				out = append(out, v)
			}
		}
		if out == nil {
			return []check.Verdict{check.NotApplicable("no access token that can be read was given")}
		}
		return once(out)
	},
}

func judgeRoleChange(t *check.Target, tok *check.Token) check.Verdict {
	issued, ok := when(tok.Parsed, "iat")
	if !ok {
		return check.Unknown(check.NeedNothing, "the token does not tell when it was issued (iat)")
	}
	told := false
	var changed *usher.Event
	for _, e := range t.Events {
		if e.Change == nil || e.Change.Type != "role" || e.Status == usher.StatusFailure {
			continue
		}
		told = true
		if e.Time.After(issued) && (changed == nil || e.Time.Before(changed.Time)) && (ofPerson(tok.Parsed, e.User) || ofPerson(tok.Parsed, e.Change.Target)) {
			changed = e
		}
	}
	switch {
	case changed == nil && !told:
		return check.Unknown(check.NeedLogs, "the log tells no changes of roles: give the provider's audit log too")
	case changed == nil:
		return check.OK("The log tells no change of the person's roles since the token was issued.", usher.Proof{Place: tok.Place, Quote: "iat " + issued.Format(time.RFC3339)})
	}
	proof := []usher.Proof{
		{Place: tok.Place, Quote: "iat " + issued.Format(time.RFC3339), Expected: "a token of after the change"},
		{Place: check.RecordPlace(changed), Quote: "the roles were changed at " + changed.Time.Format(time.RFC3339)},
	}
	if place, at, ok := usedAfter(t, tok, changed.Time); ok {
		proof = append(proof, usher.Proof{Place: place, Quote: "used at " + at.Format(time.RFC3339)})
		return check.Wrong("A token of before the change of roles was used after it", "It carries what the person was allowed before.", proof...)
	}
	if exp, ok := when(tok.Parsed, "exp"); ok && exp.Before(changed.Time) {
		return check.OK("The token had run out before the change.", proof...)
	}
	return check.Unknown(check.NeedLogs, "the person's roles were changed while the token was good; whether it was used after that shows in the API's log", proof...)
}

// when reads a time claim.
func when(tok *token.Parsed, claim string) (time.Time, bool) {
	n, ok := tok.Claims[claim].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f <= 0 || f > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0).UTC(), true
}

// ofPerson tells whether a party of the log is the person of a token.
func ofPerson(tok *token.Parsed, p usher.Party) bool {
	for _, claim := range [...]string{"sub", "oid", "preferred_username", "upn", "email", "username"} {
		if v := claimText(tok, claim); v != "" && (v == p.UID || v == p.Name) {
			return true
		}
	}
	return false
}

// usedAfter finds a use of the token after a moment.
func usedAfter(t *check.Target, tok *check.Token, moment time.Time) (place string, at time.Time, ok bool) {
	for _, c := range t.APICalls {
		if c.Token == tok && c.Time.After(moment) && (c.Exchange == nil || c.Exchange.Status/100 == 2) {
			return c.Place, c.Time, true
		}
	}
	jti := claimText(tok.Parsed, "jti")
	for _, e := range t.Events {
		if jti != "" && e.OAuth.TokenUID == jti && e.Time.After(moment) && e.Status == usher.StatusSuccess {
			return check.RecordPlace(e), e.Time, true
		}
	}
	return "", at, false
}
