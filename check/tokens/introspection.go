package tokens

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/token"
)

var introspectionActive = &check.Check{
	ID: "introspection-active", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The introspection answer is in order and is read right",
	Judged: "active is there and is true or false; false comes with 200 and tells nothing more; an active token has neither ended nor another audience, and no API takes an inactive one.",
	Needs:  []check.Need{check.NeedIntrospection}, Cause: "", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Look at active before anything else: a 200 with active false is a refusal, not a success."),
		check.Tightening("Compare aud and scope too; active only says that the token is good for somebody."),
	},
	References: []string{"RFC 7662 section 2.2", "RFC 9701 section 5"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, in := range t.Introspected {
			if i == maxCalls {
				all.add(tooMany)
				break
			}
			all.add(judgeIntrospection(t, in))
		}
		return all.end()
	},
}

func judgeIntrospection(t *check.Target, in *check.Introspection) check.Verdict {
	raw := in.Raw
	if in.JWT != nil && raw["active"] == nil {
		raw = signedMembers(in.JWT)
	}
	var active bool
	there := raw["active"] != nil
	p := usher.Proof{Place: in.Place, Quote: "active: " + token.Printable(string(raw["active"])), Expected: "true or false", Got: token.Printable(string(raw["active"]))}
	switch {
	case !there && in.JWT != nil && in.JWT.Claims == nil:
		return check.Unknown(check.NeedNothing, "the answer is encrypted or cannot be read")
	case !there:
		p.Quote, p.Got = "no active", "nothing"
		return check.Wrong("The introspection answer has no active", "Nothing in it says whether the token is good.", p)
	case json.Unmarshal(raw["active"], &active) != nil:
		return check.Wrong(fmt.Sprintf("active is %s, not true or false", token.Printable(string(raw["active"]))), `A reader that takes "false" for something true lets every token in.`, p)
	}
	client := check.Member(raw, "client_id")
	p.Expected, p.Got = "", ""
	if !active {
		return inactive(t, in, raw, p).Of(client)
	}
	now := t.Now
	if in.Exchange != nil && !in.Exchange.Started.IsZero() {
		now = in.Exchange.Started
	}
	if exp, ok := number(string(raw["exp"])); ok && now.After(time.Unix(int64(min(exp, 1e12)), 0).Add(leeway)) && in.Exchange != nil && !in.Exchange.Started.IsZero() {
		end := time.Unix(int64(exp), 0).UTC().Format(time.RFC3339)
		return check.Wrong("Introspection calls a token active that has ended", "It ended at "+end+".", p, usher.Proof{Place: in.Place, Quote: "exp: " + token.Printable(string(raw["exp"])), Expected: "a time after " + now.UTC().Format(time.RFC3339), Got: end}).Of(client)
	}
	if aud := audienceOf(raw); t.Expect != nil && len(t.Expect.Audiences) > 0 && len(aud) > 0 && !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(t.Expect.Audiences, a) }) {
		return check.Wrong(fmt.Sprintf("The token is active, but for %s", quoted(aud)), "Active says that it is good for somebody, not for this API.", p,
			usher.Proof{Place: in.Place, Quote: "aud: " + quoted(aud), Expected: "one of " + quoted(t.Expect.Audiences), Got: quoted(aud)}).Because("token-wrong-audience").Of(client)
	}
	return check.OK("active is true.", p).Of(client)
}

// inactive judges an answer that calls a token inactive.
func inactive(t *check.Target, in *check.Introspection, raw map[string]json.RawMessage, p usher.Proof) check.Verdict {
	if in.Exchange != nil && in.Exchange.Status >= 400 {
		p.Expected, p.Got = "200 with active false", fmt.Sprint(in.Exchange.Status)
		return check.Wrong(fmt.Sprintf("Introspection answers %d for a token that is not active", in.Exchange.Status), "Clients take that for a failure of the endpoint and try again.", p).As(usher.SeverityLow)
	}
	if in.Exchange != nil {
		sent := formValue(in.Exchange.RequestBody, "token")
		for i, c := range t.APICalls {
			if i == maxCalls {
				break
			}
			if sent != "" && sentToken(c.Exchange) == sent && c.Exchange.Status >= 200 && c.Exchange.Status < 300 && !in.Exchange.Started.IsZero() && c.Time.After(in.Exchange.Started) {
				return check.Wrong("An API takes a token that introspection calls inactive", "It reads the 200 of the introspection answer, not active, or does not ask.", p,
					usher.Proof{Place: c.Place, Quote: fmt.Sprintf("the API answers %d", c.Exchange.Status), Expected: "401", Got: fmt.Sprint(c.Exchange.Status)}).As(usher.SeverityCritical)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		switch name {
		case "active", "iss", "iat", "jti":
			continue
		}
		return check.Wrong("An inactive token is described", "The answer should say active false and nothing else; what is known of a token that ended is nobody's business.", p,
			usher.Proof{Place: in.Place, Quote: token.Printable(name) + " is there", Expected: "active only", Got: fmt.Sprintf("%d members", len(raw))}).As(usher.SeverityLow)
	}
	return check.OK("The token is not active, and the answer says just that.", p)
}

// formValue gives a value of a form.
func formValue(body, name string) string {
	for _, pair := range strings.Split(body, "&") {
		if k, v, _ := strings.Cut(pair, "="); k == name {
			return v
		}
	}
	return ""
}

func audienceOf(raw map[string]json.RawMessage) []string {
	var one string
	var many []string
	if json.Unmarshal(raw["aud"], &one) == nil && one != "" {
		return []string{one}
	}
	_ = json.Unmarshal(raw["aud"], &many)
	return many
}

// signedMembers gives what a signed introspection answer says of the token.
func signedMembers(p *token.Parsed) map[string]json.RawMessage {
	inner, _ := p.Claims["token_introspection"].(map[string]any)
	out := make(map[string]json.RawMessage, len(inner))
	for name, value := range inner {
		if data, err := json.Marshal(value); err == nil {
			out[name] = data
		}
	}
	return out
}

var introspectionJWT = &check.Check{
	ID: "introspection-jwt", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A signed introspection answer verifies",
	Judged: "It has the typ token-introspection+jwt, iss, aud, iat and token_introspection, and one of the provider's keys made its signature.",
	Needs:  []check.Need{check.NeedIntrospection}, Cause: "token-signature-invalid", Step: usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Tightening("Verify the answer before it is used: typ, iss, aud and signature. Refuse it when one does not fit.")},
	References: []string{"RFC 9701 section 5"},
	Judge: func(t *check.Target) []check.Verdict {
		var all verdicts
		for i, in := range t.Introspected {
			if i == maxTokens {
				break
			}
			if in.JWT != nil {
				all.add(judgeSignedAnswer(t, in))
			}
		}
		return all.or(check.NotApplicable("the introspection answers are not signed"))
	},
}

func judgeSignedAnswer(t *check.Target, in *check.Introspection) check.Verdict {
	jwt := in.JWT
	if jwt.Form == token.FormJWE {
		return check.NotApplicable("the answer is encrypted: only its reader can read it")
	}
	tok := &check.Token{Parsed: jwt, Place: in.Place}
	if mediaType(jwt.Typ) != "token-introspection+jwt" {
		return check.Wrong(fmt.Sprintf("The signed introspection answer has the typ %s", show(jwt.Header["typ"])), "Without its own typ, another token of the provider could pass for an answer.", headerProof(tok, "typ", `"token-introspection+jwt"`))
	}
	var found []usher.Proof
	var lacking []string
	for _, name := range [...]string{"iss", "aud", "iat", "token_introspection"} {
		if _, there := jwt.Claims[name]; !there {
			lacking = append(lacking, name)
			found = append(found, usher.Proof{Place: at(in.Place, "claims"), Quote: "no " + name, Expected: name, Got: "nothing"})
		}
	}
	if len(lacking) > 0 {
		return check.Wrong("The signed introspection answer lacks "+words(lacking), "It cannot be told for whom and when it was made.", found...)
	}
	if want := t.IssuerWanted(); want != "" && !strings.Contains(want, "{") && text(tok, "iss") != want {
		return check.Wrong(fmt.Sprintf("The signed introspection answer is from %s", show(text(tok, "iss"))), "It is not from the provider that was asked.", claim(tok, "iss", show(want)))
	}
	keys := t.ProviderKeys()
	if keys == nil {
		return check.Unknown(check.NeedKeys, "")
	}
	if in.Exchange == nil || !strings.HasPrefix(strings.TrimSpace(in.Exchange.Body), "eyJ") {
		return check.Unknown(check.NeedIntrospection, "the answer itself, with its signature, is not there")
	}
	r := token.Inspect(strings.TrimSpace(in.Exchange.Body), token.Expect{Type: token.TypeJWS, Keys: keys})
	if p := defect(&r, token.CodeAlgNone, token.CodeAlgNotAllowed, token.CodeSignature, token.CodeKeyUnfit, token.CodeKeyNotFound); p != nil {
		return check.Wrong("The signed introspection answer does not verify: "+lower(p.Text), "Anybody between could have written it.", proof(tok, p)).As(usher.SeverityHigh)
	}
	if c := looked(&r, "signature"); c == nil || c.Outcome != usher.OutcomeOK {
		return check.Unknown(check.NeedKeys, "its signature could not be looked at")
	}
	return check.OK("The answer is signed by the provider.", headerProof(tok, "typ", ""))
}
