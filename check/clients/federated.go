package clients

import (
	"fmt"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/token"
)

var federatedCredentialSubject = &check.Check{
	ID: "federated-credential-subject", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The outside token fits the trust entry",
	Judged: "Issuer, subject and audience of the workload's token, byte for byte against the federated credentials of the client.",
	Cause:  causeAssertion, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Set issuer, subject and audience of the federated credential to what the token holds: the subject names the branch, tag, environment or service account, and case counts."),
	},
	References: []string{"RFC 7523 section 3"},
	Judge:      judgeFederated,
}

func judgeFederated(t *check.Target) []check.Verdict {
	var b book
	n := 0
	for c := range tokenCalls(t) {
		p := assertion(c)
		if p == nil || n == maxAssertions {
			continue
		}
		n++
		client := c.Request.ClientID
		r := registration(t, client)
		if !outside(p, client) || r != nil && len(r.Federated) == 0 && !known(r, "Federated") && !refusedTrust(c) {
			continue
		}
		b.add(client, judgeTrust(c, p, client, r))
	}
	for _, tok := range t.Tokens {
		// A token of an outside issuer, given beside the registration.
		if tok == nil || tok.Parsed == nil || tok.Claims == nil || n == maxAssertions {
			continue
		}
		for _, r := range t.Registrations {
			if r == nil || r.ClientID == "" || !meant(r, tok.Parsed) {
				continue
			}
			n++
			b.add(r.ClientID, fits(r, tok.Parsed, tok.Place))
		}
	}
	if len(b.list) > 0 {
		return b.list
	}
	for _, r := range t.Registrations {
		if r == nil || r.ClientID == "" {
			continue
		}
		switch {
		case len(r.Federated) > 0:
			b.add(r.ClientID, check.Unknown(check.NeedToken, "the client trusts outside tokens; one of them is needed to compare", proof(r.Federated[0].Place, r.Federated[0].Subject, "", "")))
		case known(r, "Federated"):
			b.add(r.ClientID, check.NotApplicable("the client trusts no outside issuer"))
		case r.Provider != "" && r.Provider != "entra" && r.Provider != "google":
			b.add(r.ClientID, check.NotApplicable("the registration has no federated credentials"))
		default:
			b.add(r.ClientID, check.Unknown(check.NeedRegistration, "the export does not hold the federated credentials"))
		}
	}
	return b.or(check.Unknown(check.NeedRegistration, ""))
}

// meant tells whether an outside token was made for a trust entry: the issuer or
// the audience is that of one.
func meant(r *evidence.Registration, p *token.Parsed) bool {
	iss, _ := p.Claims["iss"].(string)
	for i := range r.Federated {
		f := &r.Federated[i]
		if i == 100 {
			break
		}
		if iss != "" && strings.TrimSuffix(iss, "/") == strings.TrimSuffix(f.Issuer, "/") || anyOf(audiences(p), f.Audiences) {
			return true
		}
	}
	return false
}

func refusedTrust(c *check.TokenCall) bool { return trustCode(errorOf(c)) != "" }

// trustCode gives the member of a trust entry that a provider found nothing for.
func trustCode(e *evidence.ErrorBody) string {
	if e == nil {
		return ""
	}
	for i, code := range e.Codes {
		if i == 8 {
			break
		}
		switch code {
		case "AADSTS700211":
			return "issuer"
		case "AADSTS700212":
			return "audience"
		case "AADSTS700213", "AADSTS7000226":
			return "subject"
		case "AADSTS7002138":
			return "subject (it differs in case alone)"
		case "AADSTS70021":
			return "token"
		}
	}
	return ""
}

func judgeTrust(c *check.TokenCall, p *token.Parsed, client string, r *evidence.Registration) check.Verdict {
	if granted(c) {
		return check.OK("the provider took it", proof(placeOf(c), "access_token", "", ""))
	}
	if r != nil && (len(r.Federated) > 0 || known(r, "Federated")) {
		if v := fits(r, p, c.Place); v.Outcome == usher.OutcomeWrong || !refusedTrust(c) {
			return v
		}
	}
	if what := trustCode(errorOf(c)); what != "" {
		return check.Wrong("No federated credential of "+whom(client)+" has the "+what+" of the token", "The provider compares it byte for byte with the trust entries of the client, and finds none.", proof(c.Place, claimsOf(p), "", ""), proof(placeOf(c), quoteOf(c.Response.Error), "", ""))
	}
	return check.Unknown(check.NeedRegistration, "the federated credentials of the client are needed to compare", proof(c.Place, claimsOf(p), "", ""))
}

func claimsOf(p *token.Parsed) string {
	iss, _ := p.Claims["iss"].(string)
	sub, _ := p.Claims["sub"].(string)
	return "iss=" + iss + " sub=" + sub + " aud=" + strings.Join(audiences(p), " ")
}

// fits holds an outside token against the trust entries of a client, and names
// the one difference to the nearest.
func fits(r *evidence.Registration, p *token.Parsed, place string) check.Verdict {
	iss, _ := p.Claims["iss"].(string)
	sub, _ := p.Claims["sub"].(string)
	aud := audiences(p)
	if len(r.Federated) == 0 {
		return check.Wrong(theClient(nameOf(r))+" trusts no outside issuer", "A token of "+iss+" is presented for it.", proof(place, claimsOf(p), "a federated credential", "none"), proof(r.Place, "federated credentials", "", "none"))
	}
	best, score := 0, -1
	for i := range r.Federated {
		if i == 100 {
			break
		}
		f := &r.Federated[i]
		n := 0
		if f.Issuer == iss {
			n += 4
		} else if strings.TrimSuffix(f.Issuer, "/") == strings.TrimSuffix(iss, "/") {
			n += 3
		}
		if f.Subject == sub {
			n += 2
		} else if f.Subject == "" || strings.EqualFold(f.Subject, sub) {
			n++
		}
		if anyOf(aud, f.Audiences) {
			n += 2
		}
		if n > score {
			best, score = i, n
		}
	}
	f := &r.Federated[best]
	name, want, got := "", "", ""
	switch {
	case f.Issuer != iss:
		name, want, got = "issuer", f.Issuer, iss
	case f.Subject != sub && f.Subject != "":
		name, want, got = "subject", f.Subject, sub
	case len(f.Audiences) > 0 && !anyOf(aud, f.Audiences):
		name, want, got = "audience", strings.Join(f.Audiences, " "), strings.Join(aud, " ")
	case f.Subject == "":
		return check.Unknown(check.NeedNothing, "issuer and audience are those of "+f.Name+", which tells the subject by an expression that usher does not work out", proof(place, claimsOf(p), "", ""), proof(f.Place, f.Name, "", ""))
	default:
		return check.OK("issuer, subject and audience are those of "+f.Name, proof(place, claimsOf(p), "", ""), proof(f.Place, f.Name, "", ""))
	}
	detail := "The nearest federated credential is " + f.Name + "; the provider compares byte for byte."
	switch {
	case strings.EqualFold(want, got):
		detail += " They differ in upper and lower case alone."
	case strings.TrimSuffix(want, "/") == strings.TrimSuffix(got, "/"):
		detail += " They differ in the slash at the end."
	}
	return check.Wrong(fmt.Sprintf("The token's %s is %s, trusted is %s", name, got, want), detail, proof(place, claimsOf(p), want, got), proof(f.Place, want, "", "")).
		Do(fmt.Sprintf("Add a federated credential with the %s %s, or let the workload run where its token has %s.", name, got, want))
}

func anyOf(have, want []string) bool {
	for _, h := range have {
		if contains(want, h) {
			return true
		}
	}
	return false
}
