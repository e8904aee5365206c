package clients

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/token"
)

// maxAssertions bounds how many assertions one check reads.
const maxAssertions = 100

// assertion reads the client assertion of a token request; nil is none.
func assertion(c *check.TokenCall) *token.Parsed {
	if c.Request.ClientAssertion == "" {
		return nil
	}
	return parsed(c.Request.ClientAssertion.Reveal())
}

// parsed reads a token; nil is none that can be read.
func parsed(s string) *token.Parsed {
	p, err := token.Parse(s)
	if err != nil || p.Claims == nil {
		return nil
	}
	return p
}

// outside tells whether an assertion is of another issuer that stands for the
// client: a workload identity, which federated-credential-subject judges.
func outside(p *token.Parsed, client string) bool {
	iss, _ := p.Claims["iss"].(string)
	return strings.HasPrefix(iss, "https://") && iss != client
}

// assertions walks the client assertions of the client's own, and gives the
// verdicts, or that there is none. A refusal by the provider for what the check
// looks at counts also where nothing strange is seen, or only the refusal is.
func assertions(t *check.Target, about fault, judge func(c *check.TokenCall, p *token.Parsed, client string) check.Verdict) []check.Verdict {
	var b book
	n, calls := 0, 0
	for _, c := range t.TokenCalls {
		if c == nil {
			continue
		}
		told := faultOf(errorOf(c)) == about
		if c.Request == nil {
			if told {
				client := t.SoleClient()
				b.add(client, about.refused(client, placeOf(c), errorOf(c)))
			}
			continue
		}
		calls++
		if c.Request.ClientAssertion == "" {
			continue
		}
		if n == maxAssertions {
			b.add(c.Request.ClientID, check.Unknown(check.NeedNothing, "only the first 100 assertions are looked at"))
			break
		}
		n++
		p := assertion(c)
		if p == nil && about != faultClaims {
			b.add(c.Request.ClientID, check.Unknown(check.NeedTokenRequest, "the assertion cannot be read, see assertion-claims"))
			continue
		}
		if p == nil {
			b.add(c.Request.ClientID, check.Wrong("The client assertion cannot be read", "It is no signed JWT.", proof(c.Place, "client_assertion", "a signed JWT", "something else")).Because(causeAssertion))
			continue
		}
		client := c.Request.ClientID
		if client == "" {
			client, _ = p.Claims["sub"].(string)
		}
		if outside(p, client) {
			b.add(client, check.NotApplicable("the assertion is of an outside issuer that stands for the client"))
			continue
		}
		v := judge(c, p, client)
		if told && v.Outcome != usher.OutcomeWrong {
			v = about.refused(client, placeOf(c), errorOf(c))
		}
		b.add(client, v)
	}
	switch {
	case len(b.list) > 0:
		return b.list
	case calls > 0:
		return []check.Verdict{check.NotApplicable("no token request that was given has a client assertion")}
	}
	return []check.Verdict{check.Unknown(check.NeedTokenRequest, "")}
}

// inspect holds an assertion against its standard, at the time of its request.
// told is false where that time is not known and expiry cannot be judged.
func inspect(c *check.TokenCall, p *token.Parsed, client string, keys *token.KeySet, now time.Time) (r token.Report, told bool) {
	at := c.Time
	told = !at.IsZero()
	if !told {
		at = now
		if iat, ok := number(p.Claims["iat"]); ok {
			at = time.Unix(iat, 0)
		}
	}
	return token.Inspect(c.Request.ClientAssertion.Reveal(), token.Expect{
		Type: token.TypeAssertion, ClientID: client, Keys: keys, Now: func() time.Time { return at },
	}), told
}

func number(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1e12 {
		return 0, false
	}
	return int64(f), true
}

var assertionAudience = &check.Check{
	ID: "assertion-audience", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The client assertion is for this provider alone",
	Judged: "Whether aud of the client assertion is one value, and the issuer; the token endpoint's address is the older form.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Set aud to the issuer identifier, exactly as the discovery document writes it, as a single string."),
	},
	References: []string{"RFC 7523 section 3", "draft-ietf-oauth-rfc7523bis"},
	Judge: func(t *check.Target) []check.Verdict {
		return assertions(t, faultAudience, func(c *check.TokenCall, p *token.Parsed, client string) check.Verdict {
			return judgeAudience(t, c, p, client)
		})
	},
}

func judgeAudience(t *check.Target, c *check.TokenCall, p *token.Parsed, client string) check.Verdict {
	aud := audiences(p)
	here := proof(c.Place, "aud="+strings.Join(aud, " "), "", strings.Join(aud, " "))
	if len(aud) == 0 {
		return check.Wrong("The client assertion of "+whom(client)+" names no audience", "Any server that gets it could use it, so the provider refuses it.", proof(c.Place, "aud", "the issuer", "nothing")).
			As(usher.SeverityHigh).Because(causeAssertion)
	}
	issuer, endpoint := t.Issuer, c.Request.Endpoint
	if m := metadataOf(t, c.Request.Endpoint); m != nil {
		issuer = m.Issuer
		if endpoint == "" {
			endpoint = m.TokenEndpoint
		}
	}
	here.Expected = issuer
	if len(aud) > 1 {
		return check.Wrong(fmt.Sprintf("The client assertion of %s is for %d servers", client, len(aud)), "Each of them can use it at the others in the client's name.", here)
	}
	entra := providerIs(t, "entra") || entraAt(endpoint)
	switch {
	case aud[0] == issuer && issuer != "":
		return check.OK("it is for the issuer", here)
	case sameEndpoint(aud[0], endpoint) && entra:
		return check.OK("it is for the token endpoint, as Entra asks for", here)
	case endpoint != "" && aud[0] == endpoint && issuer == "":
		return check.Unknown(check.NeedDiscovery, "it is for the token endpoint; whether the issuer would be better stands in the discovery document", here)
	case endpoint != "" && aud[0] == endpoint:
		return check.Wrong("The client assertion of "+whom(client)+" is for the token endpoint "+endpoint, "That is the older form: providers come to take the issuer alone, since an endpoint's address can be forged in a document.", here).As(usher.SeverityLow)
	case issuer == "":
		return check.Unknown(check.NeedDiscovery, "", here)
	case aud[0] == strings.TrimSuffix(issuer, "/"), strings.TrimSuffix(aud[0], "/") == issuer:
		return check.Wrong("The client assertion of "+whom(client)+" is for "+aud[0]+", the issuer is "+issuer, "They differ in the slash at the end, which counts.", here).As(usher.SeverityHigh).Because(causeAssertion).Do("Set aud to " + issuer + ".")
	case entra && entraAt(aud[0]), strings.Contains(issuer, "{"):
		return check.Unknown(check.NeedTokenResponse, "the issuer of this document stands for every tenant, so the audience cannot be compared", here)
	}
	if m := metadataOf(t, c.Request.Endpoint); m != nil && strings.HasPrefix(aud[0], "https://") {
		for name, u := range m.Endpoints() {
			if u == aud[0] {
				return check.Wrong("The client assertion of "+whom(client)+" is for "+name, "Some providers take the address of any of their endpoints; the issuer alone is right everywhere.", here).As(usher.SeverityLow).Do("Set aud to " + issuer + ".")
			}
		}
	}
	if granted(c) {
		return check.Wrong("The client assertion of "+whom(client)+" is for "+aud[0]+", the issuer is "+issuer, "This provider took it all the same; the issuer alone is right everywhere.", here).As(usher.SeverityLow).Do("Set aud to " + issuer + ".")
	}
	return check.Wrong("The client assertion of "+whom(client)+" is for "+aud[0]+", the issuer is "+issuer, "The provider must refuse an assertion that is not for it.", here).As(usher.SeverityHigh).Because(causeAssertion).Do("Set aud to " + issuer + ".")
}

// sameEndpoint compares endpoints of Entra, which takes those of its versions alike.
func sameEndpoint(a, b string) bool {
	cut := func(s string) string {
		s = strings.TrimSuffix(strings.TrimSuffix(s, "/"), "/token")
		return strings.TrimSuffix(s, "/v2.0")
	}
	return b != "" && cut(a) == cut(b)
}

func audiences(p *token.Parsed) []string {
	switch aud := p.Claims["aud"].(type) {
	case string:
		if aud != "" {
			return []string{aud}
		}
	case []any:
		var out []string
		for i, a := range aud {
			if s, ok := a.(string); ok && i < 20 {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

var assertionClaims = &check.Check{
	ID: "assertion-claims", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The client assertion is whole and short-lived",
	Judged: "iss and sub are the client id, exp is at most five minutes off and not past, jti is there and fresh, iat is not in the future, alg is one for signatures.",
	Cause:  causeAssertion, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Make an assertion for each request, with iss and sub the client id, aud the issuer, a random jti, iat now and exp one minute later."),
	},
	References: []string{"RFC 7523 section 3", "OpenID Connect Core section 9"},
	Judge: func(t *check.Target) []check.Verdict {
		seen := map[string]*check.TokenCall{}
		return assertions(t, faultClaims, func(c *check.TokenCall, p *token.Parsed, client string) check.Verdict {
			return judgeClaims(t, c, p, client, seen)
		})
	},
}

// mostLifetime is how long an assertion may live.
const mostLifetime = 5 * time.Minute

func judgeClaims(t *check.Target, c *check.TokenCall, p *token.Parsed, client string, seen map[string]*check.TokenCall) check.Verdict {
	report, told := inspect(c, p, client, nil, t.Now)
	var worst *token.Problem
	var proofs []usher.Proof
	for i := range report.Problems {
		pr := &report.Problems[i]
		switch pr.Code {
		case token.CodeAudience, token.CodeKeyNotFound, token.CodeKeyUnfit, token.CodeKeyAmbiguous, token.CodeSignature:
			continue // other checks' matter
		case token.CodeExpired, token.CodeNotYetValid, token.CodeFutureIssue:
			if !told {
				continue
			}
		case token.CodeMissingClaim:
			if pr.Place == "claims.aud" {
				continue
			}
		case token.CodeTyp:
			continue // RFC 7523 asks for none
		case token.CodeAlgNotAllowed:
			if p.Alg == "HS256" || p.Alg == "HS384" || p.Alg == "HS512" {
				continue // client_secret_jwt
			}
		}
		if pr.Weakness {
			continue
		}
		if worst == nil {
			worst = pr
		}
		if len(proofs) < maxProofs {
			proofs = append(proofs, proof(c.Place, pr.Place, pr.Expected, pr.Got))
		}
	}
	if worst != nil {
		v := check.Wrong(claimsTitle(worst, client), worst.Text, proofs...)
		if worst.Code == token.CodeFutureIssue || worst.Code == token.CodeNotYetValid {
			v = v.Because(causeClock).Do("Set the clock of the machine that makes the assertion (NTP), and give no nbf in the future.")
		}
		if worst.Code == token.CodeExpired {
			v = v.Do("Make a new assertion for each token request, and set the clock of the machine that makes it (NTP).")
		}
		return v
	}
	jti, _ := p.Claims["jti"].(string)
	if jti == "" {
		return check.Wrong("The client assertion of "+whom(client)+" has no jti", "The provider cannot tell a second use of it, and OpenID Connect asks for one.", proof(c.Place, "claims.jti", "a random value for each assertion", "nothing")).
			As(usher.SeverityMedium).Do("Add jti with a random value, new for each assertion.")
	}
	if was := seen[jti]; was != nil && !sameCall(was, c) {
		return check.Wrong("The client sends one assertion twice", "A provider that looks for replays refuses the second.", proof(was.Place, "jti", "", ""), proof(c.Place, "jti", "a new one", "that of the earlier request")).
			As(usher.SeverityMedium).Do("Make a new assertion for each token request; do not keep it in a cache.")
	}
	seen[jti] = c
	iat, hasIat := number(p.Claims["iat"])
	exp, hasExp := number(p.Claims["exp"])
	from := c.Time.Unix()
	if hasIat {
		from = iat
	}
	const most = 100 * 365 * 24 * 60 * 60 // what a Duration holds
	life := time.Duration(min(exp-from, most)) * time.Second
	if hasExp && (hasIat || told) && life > mostLifetime {
		sev := usher.SeverityLow
		if life > time.Hour {
			sev = usher.SeverityMedium
		}
		return check.Wrong("The client assertion of "+whom(client)+" lives "+days(life), "As long as it lives, whoever gets hold of it can be the client; five minutes are plenty.", proof(c.Place, "claims.exp", "at most 5 minutes after iat", days(life))).As(sev).
			Do("Set exp to one minute after iat; make a new assertion for each request.")
	}
	return check.OK("iss, sub, exp, jti and alg are as they should be", proof(c.Place, report.Parsed.Describe(), "", ""))
}

func claimsTitle(p *token.Problem, client string) string {
	who := "The client assertion of " + client
	switch p.Code {
	case token.CodeExpired:
		return who + " had expired when it was sent"
	case token.CodeFutureIssue, token.CodeNotYetValid:
		return who + " is from the future"
	case token.CodeAlgNone:
		return who + " is not signed"
	case token.CodeAlgNotAllowed:
		return who + " is signed with " + p.Got + ", which is no algorithm for it"
	case token.CodeSubject, token.CodeIssuer:
		return who + " names another client: " + strings.TrimPrefix(p.Place, "claims.") + " is " + p.Got
	case token.CodeMissingClaim:
		return who + " has no " + strings.TrimPrefix(p.Place, "claims.")
	}
	return who + " is not whole: " + p.Place
}

var assertionReplay = &check.Check{
	ID: "assertion-replay", Group: check.GroupClient, Mode: check.Active, Severity: usher.SeverityMedium,
	Title:  "An assertion works once",
	Judged: "The answer to a second token request with the same assertion.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Tightening("Ask the provider to remember jti for the life of an assertion; until then let assertions live for less than a minute."),
	},
	References: []string{"RFC 7523 section 3"},
	Probe:      &check.Probe{What: "two token requests with one assertion, signed with the client's own key", Safety: check.S2},
	Judge:      judgeReplay,
}

func judgeReplay(t *check.Target) []check.Verdict {
	var b book
	first := map[usher.Secret]*check.TokenCall{}
	for c := range tokenCalls(t) {
		if c.Request.ClientAssertion == "" || len(first) > maxAssertions {
			continue
		}
		was := first[c.Request.ClientAssertion]
		switch {
		case was == nil && granted(c):
			first[c.Request.ClientAssertion] = c
		case was == nil || sameCall(was, c):
		case granted(c):
			b.add(c.Request.ClientID, check.Wrong("The provider took one assertion twice", "Whoever gets hold of an assertion can use it until it expires.", proof(placeOf(was), "a token", "", "accepted"), proof(placeOf(c), "a token", "a refusal", "accepted again")))
		case c.Response != nil && c.Response.Error != nil && c.Response.Error.Code == oauth.ErrInvalidClient:
			b.add(c.Request.ClientID, check.OK("the provider refused the second use", proof(placeOf(c), quoteOf(c.Response.Error), "", "")))
		}
	}
	if len(b.list) > 0 && t.Probed["assertion-replay"] == nil {
		return b.list
	}
	client := askedClient(t)
	for _, v := range probed(t, "assertion-replay", check.NeedChange, func(a *check.ProbeAnswer) check.Verdict {
		switch {
		case a.Error == nil && a.Status/100 == 2:
			return check.Wrong("The provider takes an assertion twice", "Whoever gets hold of an assertion can use it until it expires.", proof(a.Place, a.Sent, "a refusal", fmt.Sprintf("status %d", a.Status)))
		case a.Error != nil && (a.Error.Code == oauth.ErrInvalidClient || causeOf(t, a.Error) == causeAssertion):
			return check.OK("the provider refused the second use", proof(a.Place, quoteOf(a.Error), "", ""))
		}
		return check.Unknown(check.NeedNothing, "the answer does not tell whether the assertion or something else was refused", proof(a.Place, quoteOf(a.Error), "", ""))
	}) {
		b.add(client, v)
	}
	return b.list
}
