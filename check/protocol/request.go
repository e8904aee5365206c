package protocol

import (
	"maps"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/oauth"
	"usher/token"
)

var jarObject = &check.Check{
	ID: "jar-object", Group: check.GroupProtocol, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The request object is right",
	Judged: "The JWT in the parameter request: signed, aud the issuer, an end, iss and client_id the client, and no parameter outside that says something else.",
	Needs:  []check.Need{check.NeedAuthRequest}, Cause: "request-malformed",
	Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix:        []usher.FixStep{check.Neutral("Mend the named member where the request object is made.")},
	References: []string{"RFC 9101 section 5", "RFC 9101 section 6", "RFC 9101 section 10.2"},
	Judge: func(t *check.Target) []check.Verdict {
		var out []check.Verdict
		for i, c := range t.AuthCalls {
			if c.Request == nil || c.Request.Params.Get("request") == "" || i > 200 {
				continue
			}
			out = append(out, requestObject(t, c).Of(c.Request.ClientID))
		}
		if len(out) == 0 {
			return check.Only(check.NotApplicable("no request has a request object"))
		}
		return out
	},
}

func requestObject(t *check.Target, c *check.AuthCall) check.Verdict {
	r := c.Request
	raw := r.Params.Get("request")
	place := usher.Proof{Place: c.Place, Quote: "request=(a JWT)"}
	p, err := token.Parse(raw)
	switch {
	case err != nil || p.Form == token.FormBroken || p.Form == token.FormOpaque:
		return check.Wrong("The request object is no JWT", "The provider refuses the request.", place)
	case p.Form == token.FormJWE:
		return check.Unknown(check.NeedNothing, "the request object is encrypted, and nothing is decrypted here", place)
	}
	if p.Header == nil || p.Claims == nil {
		return check.Wrong("The request object cannot be read: "+p.Why, "The provider refuses the request.", place)
	}
	place.Quote = "request object: " + check.Clip(p.Describe(), 160)
	issuers := issuersOf(t, r.Endpoint)
	aud := audiences(p.Claims["aud"])
	wrong := func(title, expected, got string) check.Verdict {
		place.Expected, place.Got = expected, got
		return check.Wrong(title, "A provider that keeps to RFC 9101 refuses the request.", place)
	}
	text := func(name string) string { s, _ := p.Claims[name].(string); return s }
	switch {
	case strings.EqualFold(p.Alg, "none") || !p.Signed:
		return wrong("The request object is not signed", "a signature", "alg "+check.Clip(p.Alg, 20)).As(usher.SeverityHigh)
	case text("client_id") != "" && text("client_id") != r.ClientID && r.ClientID != "":
		return wrong("client_id inside is "+check.Clip(text("client_id"), 80)+", outside "+check.Clip(r.ClientID, 80), r.ClientID, text("client_id"))
	case text("iss") != "" && r.ClientID != "" && text("iss") != r.ClientID:
		return wrong("iss of the request object is "+check.Clip(text("iss"), 80)+", the client is "+check.Clip(r.ClientID, 80), r.ClientID, text("iss"))
	case p.Claims["request"] != nil || p.Claims["request_uri"] != nil:
		return wrong("The request object holds another request object", "neither request nor request_uri inside", "one of them")
	case len(issuers) > 0 && len(aud) > 0 && !anyOf(aud, issuers):
		return wrong("The request object is addressed to "+check.Clip(check.Names(aud), 120), check.Names(issuers), check.Names(aud))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		inside, values := text(name), r.Params[name]
		if name != "request" && len(values) > 0 && inside != "" && inside != values[0] {
			return wrong(check.Clip(name, 60)+" says one thing inside the request object and another outside", check.Clip(inside, 80), check.Clip(values[0], 80))
		}
	}
	if exp, ok := clock(p.Claims["exp"]); ok && !c.Time.IsZero() && exp.Before(c.Time) {
		return wrong("The request object had ended when it was sent", "an end after "+c.Time.UTC().Format(time.RFC3339), exp.UTC().Format(time.RFC3339))
	}
	var soft []string
	if len(aud) == 0 {
		soft = append(soft, "aud")
	}
	if text("iss") == "" {
		soft = append(soft, "iss")
	}
	if p.Claims["exp"] == nil {
		soft = append(soft, "exp")
	}
	if len(soft) > 0 {
		return wrong("The request object lacks "+check.Names(soft), "iss, aud and exp", "absent").As(usher.SeverityLow)
	}
	keys := clientKeys(t, r.ClientID)
	if keys == nil || strings.HasPrefix(p.Alg, "HS") {
		return check.Unknown(check.NeedNothing, "its members are right; its signature was not verified: what it was made with was not given", place)
	}
	if why, bad := verify(raw, keys, t.Now); bad {
		return wrong("The request object does not verify: "+why, "a signature by a registered key of the client", why).As(usher.SeverityHigh).Because("client-assertion-invalid")
	}
	return check.OK("", place)
}

// verify checks a signature alone.
func verify(raw string, keys *token.KeySet, now time.Time) (why string, bad bool) {
	report := token.Inspect(raw, token.Expect{Type: token.TypeJWS, Keys: keys, Now: func() time.Time { return now }})
	for _, p := range report.Problems {
		switch p.Code {
		case token.CodeSignature, token.CodeKeyNotFound, token.CodeKeyUnfit, token.CodeAlgNone, token.CodeAlgNotAllowed:
			return p.Text, true
		}
	}
	return "", false
}

func clientKeys(t *check.Target, client string) *token.KeySet {
	for _, k := range t.KeySets {
		if k.Client != "" && k.Client == client {
			return k.KeySet
		}
	}
	return nil
}

// issuersOf gives the issuers that a request may be addressed to.
func issuersOf(t *check.Target, endpoint string) (out []string) {
	for _, m := range t.Metadata {
		if m.Issuer != "" && !strings.Contains(m.Issuer, "{") && (len(t.Metadata) == 1 || check.SameAddress(endpoint, m.AuthorizationEndpoint)) {
			out = append(out, m.Issuer)
		}
	}
	if t.Issuer != "" {
		out = append(out, t.Issuer)
	}
	return out
}

func audiences(v any) (out []string) {
	switch v := v.(type) {
	case string:
		out = append(out, v)
	case []any:
		for i, e := range v {
			if s, ok := e.(string); ok && i < 50 {
				out = append(out, s)
			}
		}
	}
	return out
}

func anyOf(a, b []string) bool {
	for _, s := range a {
		if slices.Contains(b, s) {
			return true
		}
	}
	return false
}

// clock reads a time of a token.
func clock(v any) (time.Time, bool) {
	n, ok := v.(interface{ Float64() (float64, error) })
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f <= 0 || f > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

var parUsedRight = &check.Check{
	ID: "par-used-right", Group: check.GroupProtocol, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "A pushed request is used once, in time, and alone",
	Judged: "Requests with a pushed request_uri: nothing but client_id beside it, each used once, none answered as ended. In the profile fapi2 a request that was not pushed is wrong.",
	Needs:  []check.Need{check.NeedAuthRequest}, Cause: "request-malformed",
	Step: usher.StepAuthRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Push a request for each attempt, also when the person goes back or opens a second tab, and send the browser off at once."),
		check.Neutral("Put every parameter into the pushed request; the browser carries client_id and request_uri alone."),
	},
	References: []string{"RFC 9126 section 2.2", "RFC 9126 section 4"},
	Judge: func(t *check.Target) []check.Verdict {
		used := map[string]string{}
		var out []check.Verdict
		for i, c := range t.AuthCalls {
			if c.Request == nil || !strings.HasPrefix(c.Request.RequestURI, "urn:") || i > 2000 {
				continue
			}
			r := c.Request
			proof := usher.Proof{Place: c.Place, Quote: "request_uri=" + check.Clip(r.RequestURI, 80)}
			var beside []string
			for name := range r.Params {
				if name != "client_id" && name != "request_uri" {
					beside = append(beside, check.Clip(name, 60))
				}
			}
			first, again := used[r.RequestURI]
			used[r.RequestURI] = c.Place
			v := check.OK("", proof)
			switch {
			case again:
				proof.Expected, proof.Got = "once", "also at "+first
				v = check.Wrong("A pushed request is used twice", "The provider takes it once; the second attempt ends with an error page.", proof)
			case c.Response != nil && c.Response.Error == oauth.ErrInvalidRequestURI:
				proof.Got = oauth.ErrInvalidRequestURI
				v = check.Wrong("A pushed request was used too late, or was used before", "The provider keeps it for expires_in seconds, often 60.", proof)
			case len(beside) > 0:
				slices.Sort(beside)
				proof.Expected, proof.Got = "client_id and request_uri alone", check.Names(beside)
				v = check.Wrong("Beside the pushed request stands "+check.Names(beside), "The provider passes over it: what counts was pushed.", proof).As(usher.SeverityLow)
			}
			if len(out) < 50 {
				out = append(out, v.Of(r.ClientID))
			}
		}
		if t.Profile != nil && t.Profile.Name == "fapi2" {
			out = append(out, notPushed(t)...)
		}
		if len(out) == 0 {
			return check.Only(check.NotApplicable("no request was pushed"))
		}
		return out
	},
}

// notPushed gives a verdict for each client that sends its requests through the
// browser, which FAPI 2.0 does not let it.
func notPushed(t *check.Target) []check.Verdict {
	var out []check.Verdict
	for i, c := range t.AuthCalls {
		if c.Request == nil || c.Partial || c.Request.RequestURI != "" || c.Request.ResponseType == "" || i > 2000 || len(out) == 50 {
			continue
		}
		client := c.Request.ClientID
		if slices.ContainsFunc(out, func(v check.Verdict) bool { return v.Subject.Client == client }) {
			continue
		}
		out = append(out, check.Wrong("The authorization request was not pushed", "Its parameters go through the browser, where a person or a page can change and read them.",
			usher.Proof{Place: c.Place, Quote: "a request without request_uri", Expected: "client_id and request_uri alone"}).Of(client).
			Do("Send the parameters to pushed_authorization_request_endpoint, authenticated, and the browser off with the request_uri that comes back."))
	}
	return out
}

var parRequired = &check.Check{
	ID: "par-required", Group: check.GroupProtocol, Mode: check.Active, Severity: usher.SeverityMedium,
	Title:  "Where pushing is demanded, a plain request is refused",
	Judged: "require_pushed_authorization_requests against the answer to a request that was not pushed.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Switch require_pushed_authorization_requests on at the provider or for the client, so that it is kept to.")},
	References: []string{"RFC 9126 section 5"},
	Probe:      &check.Probe{What: "an authorization request of the client with prompt=none that was not pushed", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		var demands *check.Metadata
		for _, m := range t.Metadata {
			if must, _ := m.Bool("require_pushed_authorization_requests"); must {
				demands = m
			}
		}
		if t.Probed["par-required"] != nil {
			return t.FromProbe("par-required", check.NeedProbe)
		}
		if len(t.Metadata) > 0 && demands == nil {
			return check.Only(check.NotApplicable("the provider does not demand pushed requests"))
		}
		if demands != nil {
			for _, c := range t.AuthCalls {
				if c.Request == nil || c.Partial || c.Request.RequestURI != "" || c.Response == nil || len(t.Metadata) > 1 && !check.SameAddress(c.Request.Endpoint, demands.AuthorizationEndpoint) {
					continue
				}
				proof := usher.Proof{Place: c.Place, Quote: "a request that was not pushed", Expected: "an error"}
				if c.Response.Code != "" {
					proof.Got = "a code"
					return check.Only(check.Wrong("The provider demands pushed requests, and takes a plain one", "What it announces is not kept to: whoever changes a request in the browser is not noticed.", proof, member(demands, "require_pushed_authorization_requests")).Of(c.Request.ClientID))
				}
			}
		}
		return t.FromProbe("par-required", check.NeedProbe)
	},
}

var jarmResponse = &check.Check{
	ID: "jarm-response", Group: check.GroupProtocol, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The answer as a JWT verifies",
	Judged: "An answer with response_mode jwt: iss the issuer, aud the client, not past its end, signed by the provider, before the code is read.",
	Step:   usher.StepAuthResponse, Fixer: usher.FixerDeveloper,
	Cause: "token-signature-invalid",
	Fix: []usher.FixStep{
		check.Tightening("Verify the JWT (iss, aud, exp, signature) before reading anything in it, and drop answers that do not verify."),
	},
	References: []string{"JARM section 2.4"},
	Judge:      func(t *check.Target) []check.Verdict { return jarm(t) },
}

func jarm(t *check.Target) []check.Verdict {
	asked, asks := 0, 0
	client := ""
	for _, c := range t.AuthCalls {
		if c.Request == nil {
			continue
		}
		asks++
		if m := c.Request.ResponseMode; m == "jwt" || strings.HasSuffix(m, ".jwt") {
			asked++
			client = c.Request.ClientID
		}
	}
	var out []check.Verdict
	for _, tok := range t.Tokens {
		if tok.Parsed == nil || !isJARM(tok.Claims) || len(out) == 50 {
			continue
		}
		out = append(out, jarmAnswer(t, tok, client))
	}
	switch {
	case len(out) > 0:
		return out
	case asked > 0:
		return check.Only(check.Unknown(check.NeedAuthResponse, "an answer as a JWT was asked for and not seen").Of(client))
	case asks > 0:
		return check.Only(check.NotApplicable("no request asks for an answer as a JWT"))
	}
	return check.Only(check.Unknown(check.NeedAuthRequest, ""))
}

// isJARM tells whether claims are those of an authorization response.
func isJARM(claims map[string]any) bool {
	_, code := claims["code"].(string)
	_, failed := claims["error"].(string)
	return (code || failed) && claims["iss"] != nil && claims["aud"] != nil && claims["sub"] == nil
}

func jarmAnswer(t *check.Target, tok *check.Token, client string) check.Verdict {
	proof := usher.Proof{Place: tok.Place, Quote: "the answer as a JWT: " + check.Clip(tok.Describe(), 120)}
	iss, _ := tok.Claims["iss"].(string)
	aud := audiences(tok.Claims["aud"])
	issuers := issuersOf(t, "")
	wrong := func(title, expected, got string) check.Verdict {
		proof.Expected, proof.Got = expected, got
		return check.Wrong(title, "The answer is not for this client, not of this provider, or was changed on its way: its code must not be used.", proof).Of(client)
	}
	exp, hasExp := clock(tok.Claims["exp"])
	at := t.Now
	if tok.Call != nil && !tok.Call.Time.IsZero() {
		at = tok.Call.Time
	}
	switch {
	case strings.EqualFold(tok.Alg, "none") || !tok.Signed:
		return wrong("The answer is not signed", "a signature", "alg "+check.Clip(tok.Alg, 20)).As(usher.SeverityHigh)
	case len(issuers) > 0 && !slices.Contains(issuers, iss):
		return wrong("The answer is of the issuer "+check.Clip(iss, 120), check.Names(issuers), iss).Because("token-wrong-issuer")
	case client != "" && !slices.Contains(aud, client):
		return wrong("The answer is for "+check.Clip(check.Names(aud), 120)+", not for this client", client, check.Names(aud)).Because("token-wrong-audience")
	case !hasExp:
		return wrong("The answer has no end", "exp", "absent")
	case !at.IsZero() && exp.Before(at.Add(-time.Minute)) && tok.Call != nil:
		return wrong("The answer had ended when it came", "an end after "+at.UTC().Format(time.RFC3339), exp.UTC().Format(time.RFC3339)).Because("token-expired")
	}
	keys := t.ProviderKeys()
	if keys == nil || len(keys.Keys) == 0 {
		return check.Unknown(check.NeedKeys, "its members are right; its signature was not verified", proof).Of(client)
	}
	if why, bad := verify(tok.Raw.Reveal(), keys, t.Now); bad {
		return wrong("The answer does not verify: "+why, "a signature by a key of the provider", why).As(usher.SeverityHigh)
	}
	return check.OK("", proof).Of(client)
}

var unknownParameters = &check.Check{
	ID: "unknown-parameters", Group: check.GroupProtocol, Mode: check.Active, Severity: usher.SeverityLow,
	Title:  "Unknown parameters are passed over, doubled ones refused",
	Judged: "A request with a parameter that nobody knows must go on; one with the same parameter twice must be an error.",
	Step:   usher.StepAuthRequest, Fixer: usher.FixerProvider,
	Fix:        []usher.FixStep{check.Neutral("Update the provider; until then leave out what it does not know, and never send a parameter twice.")},
	References: []string{"RFC 6749 section 3.1", "RFC 6749 section 3.2"},
	Probe:      &check.Probe{What: "two authorization requests of the client with prompt=none", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		return t.FromProbe("unknown-parameters", check.NeedProbe)
	},
}
