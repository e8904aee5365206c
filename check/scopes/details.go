package scopes

import (
	"encoding/json"
	"slices"

	"usher"
	"usher/check"
	"usher/oauth"
)

var authorizationDetails = &check.Check{
	ID: "scope-authorization-details", Group: check.GroupScope, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "authorization_details is well formed and comes back as granted",
	Judged: "The parameter is a JSON list of objects with a type each, of the types that the provider publishes; the answer of the token endpoint repeats what was granted.",
	Cause:  "request-malformed", Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Send a JSON list of objects, each with a type that the provider knows, and compare what came back with what was sent.")},
	References: []string{"RFC 9396 section 2", "RFC 9396 section 7"},
	Judge:      judgeDetails,
}

func judgeDetails(t *check.Target) []check.Verdict {
	var out []check.Verdict
	seen := false
	look := func(client, place, raw string) {
		if raw == "" || len(out) >= 32 {
			return
		}
		seen = true
		types, why := detailTypes(t, raw)
		proof := usher.Proof{Place: place, Quote: brief("authorization_details=" + raw)}
		if why != "" {
			out = append(out, check.Wrong("authorization_details "+why, "The provider refuses the request (invalid_authorization_details).", proof).Of(client))
			return
		}
		out = append(out, echoed(t, client, types, proof).Of(client))
	}
	asked := false
	for _, c := range t.AuthCalls {
		if c.Request != nil {
			asked = true
			look(c.Request.ClientID, c.Place, c.Request.Params.Get("authorization_details"))
		}
	}
	for _, c := range t.TokenCalls {
		if c.Request != nil {
			asked = true
			look(c.Request.ClientID, c.Place, c.Request.Params.Get("authorization_details"))
		}
	}
	switch {
	case seen:
		return once(out)
	case asked:
		return []check.Verdict{check.NotApplicable("no request has authorization_details")}
	}
	return []check.Verdict{check.Unknown(check.NeedAuthRequest, "")}
}

// detailTypes gives the types of authorization_details, or what is wrong with
// it, as the rest of a sentence.
func detailTypes(t *check.Target, raw string) (types []string, why string) {
	var details []map[string]json.RawMessage
	if len(raw) > 64<<10 {
		return nil, "is far too long"
	}
	if json.Unmarshal([]byte(raw), &details) != nil || details == nil {
		return nil, "is no JSON list of objects"
	}
	for i := range details {
		var kind string
		if json.Unmarshal(details[i]["type"], &kind) != nil || kind == "" {
			return nil, "has an object without a type"
		}
		for _, m := range t.Metadata {
			if supported, ok := m.List("authorization_details_types_supported"); ok && !slices.Contains(supported, kind) {
				return nil, "has the type " + show(kind) + ", which the provider does not publish"
			}
		}
		if !slices.Contains(types, kind) {
			types = append(types, kind)
		}
	}
	return types, ""
}

// echoed judges whether the answer of the token endpoint repeats the details.
func echoed(t *check.Target, client string, types []string, proof usher.Proof) check.Verdict {
	for _, c := range t.TokenCalls {
		if c.Response == nil || c.Response.Error != nil || c.Request != nil && c.Request.ClientID != "" && c.Request.ClientID != client {
			continue
		}
		raw, ok := c.Response.Raw["authorization_details"]
		if !ok {
			return check.Wrong("The answer of the token endpoint does not say which authorization_details it grants", "The client cannot know what it may do.",
				proof, usher.Proof{Place: c.Response.Place, Quote: "no authorization_details", Expected: "what was granted"}).Because("claims-config")
		}
		granted, why := detailTypes(&check.Target{}, string(raw))
		proof := []usher.Proof{proof, {Place: c.Response.Place, Quote: brief("authorization_details=" + string(raw))}}
		if lost := oauth.MinusScope(types, granted); why == "" && len(lost) > 0 {
			return check.Wrong("Of the authorization_details the type "+show(lost[0])+" was not granted", "Calls that need it will be refused, though a token came.", proof...).Because("consent-required")
		}
		if why != "" {
			return check.Wrong("The authorization_details of the answer "+why, "The client cannot know what it may do.", proof...).Because("claims-config")
		}
		return check.OK("What was granted came back.", proof...)
	}
	return check.Unknown(check.NeedTokenResponse, "it is well formed; whether what is granted comes back shows in the answer of the token endpoint", proof)
}
