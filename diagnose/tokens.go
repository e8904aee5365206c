package diagnose

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"usher"
	"usher/evidence"
	"usher/token"
)

// inspectTokens holds every token against the clock, the keys, and the issuer
// and audience that the rest of the evidence names.
func (s *situation) inspectTokens() {
	for i := range s.set.Items {
		it := &s.set.Items[i]
		if it.Token == nil {
			continue
		}
		switch {
		case it.Token.Form == token.FormJWE && !it.Context && len(s.set.Items) > 1:
			s.encryptedToken(it)
		case it.Token.Claims == nil:
			continue
		case s.isAssertion(it):
			s.inspectAssertion(it)
		default:
			s.inspectTimes(it)
			s.inspectSignature(it)
			s.inspectAudience(it)
			s.inspectIssuer(it)
			s.inspectKind(it)
		}
	}
}

func (s *situation) encryptedToken(it *evidence.Item) {
	s.propose("token/encrypted", candidate{
		cause: "token-wrong-type", confidence: 0.7, step: usher.StepValidation,
		detail: "The token is encrypted (JWE): only its audience can read it, and an API that expects a signed JWT cannot.",
		proof:  []usher.Proof{{Place: it.Place, Quote: it.Summary, Expected: "a signed JWT (JWS)", Got: "a JWE"}},
	})
}

// isAssertion tells whether the token authenticates a client.
func (s *situation) isAssertion(it *evidence.Item) bool {
	for _, f := range it.Facts {
		if f.Key == "token-use" && f.Value == "assertion" {
			return true
		}
	}
	aud, _ := it.Token.Claims["aud"].(string)
	return it.Token.Looks() == token.TypeAssertion || strings.HasPrefix(aud, "https://appleid.apple.com")
}

// claimTime reads a NumericDate, RFC 7519 section 2.
func claimTime(claims map[string]any, name string) (t time.Time, milliseconds, ok bool) {
	n, isNumber := claims[name].(json.Number)
	if !isNumber {
		return time.Time{}, false, false
	}
	seconds, err := n.Float64()
	if err != nil || seconds < 0 || seconds > 1e15 {
		return time.Time{}, false, false
	}
	if seconds > 1e11 { // the year 5138 in seconds, 1973 in milliseconds
		return time.UnixMilli(int64(seconds)).UTC(), true, true
	}
	return time.Unix(int64(seconds), 0).UTC(), false, true
}

// moment is when the token was used: the evidence's time, else the clock given.
func (s *situation) moment(it *evidence.Item) time.Time {
	if !it.Time.IsZero() {
		return it.Time
	}
	for i := range s.set.Items {
		if t := s.set.Items[i].Time; !t.IsZero() && !s.set.Items[i].Context {
			return t
		}
	}
	return s.opt.Now
}

const leeway = time.Minute

func (s *situation) inspectTimes(it *evidence.Item) {
	now := s.moment(it)
	claims := it.Token.Claims
	for _, name := range [...]string{"exp", "nbf", "iat"} {
		t, milliseconds, ok := claimTime(claims, name)
		if !ok {
			continue
		}
		quote := fmt.Sprintf("%s %v", name, claims[name])
		switch {
		case milliseconds:
			s.propose("token/milliseconds", candidate{
				cause: "token-malformed", confidence: 0.8, step: usher.StepValidation,
				detail: "A time claim is given in milliseconds; RFC 7519 wants seconds.",
				proof:  []usher.Proof{{Place: it.Place, Quote: quote, Expected: "seconds since 1970", Got: "milliseconds"}},
			})
		case now.IsZero():
			continue
		case name == "exp" && now.After(t.Add(leeway)):
			s.propose("token/exp", candidate{
				cause: "token-expired", confidence: s.expiredConfidence(), step: usher.StepAPICall,
				detail: fmt.Sprintf("The token ended %s before it was used.", roundTime(now.Sub(t))),
				proof:  []usher.Proof{{Place: it.Place, Quote: quote, Expected: "later than " + now.UTC().Format(time.RFC3339), Got: t.Format(time.RFC3339)}},
			})
		case name == "exp":
			s.clear(usher.Finding{
				Cause: "token-expired", Outcome: usher.OutcomeOK, Confidence: 0.95, Title: "The token has not expired",
				Proof: []usher.Proof{{Place: it.Place, Quote: quote, Expected: "later than " + now.UTC().Format(time.RFC3339), Got: t.Format(time.RFC3339)}},
			})
		case now.Add(leeway).Before(t):
			s.propose("token/"+name, candidate{
				cause: "clock-skew", confidence: 0.8, step: usher.StepValidation,
				detail: fmt.Sprintf("%s lies %s in the future of the clock that checks it.", name, roundTime(t.Sub(now))),
				proof:  []usher.Proof{{Place: it.Place, Quote: quote, Expected: "not after " + now.UTC().Format(time.RFC3339), Got: t.Format(time.RFC3339)}},
			})
		}
	}
}

// expiredConfidence: an expired token is the cause when a resource refused it
// or nothing else is there; beside a refusal of the token endpoint it is a
// circumstance.
func (s *situation) expiredConfidence() float64 {
	if s.has("code") || s.has("error", "invalid_grant", "invalid_client") {
		return 0.35
	}
	return 0.9
}

func roundTime(d time.Duration) string {
	if d > 48*time.Hour {
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
	return d.Round(time.Second).String()
}

// inspectAssertion tells what is wrong with the JWT by which a client proves
// itself (RFC 7523; Apple calls it the client secret).
func (s *situation) inspectAssertion(it *evidence.Item) {
	claims, header := it.Token.Claims, it.Token.Header
	wrong := func(id, detail, quote, expected, got string) {
		s.propose("assertion/"+id, candidate{
			cause: "client-assertion-invalid", confidence: 0.9, step: usher.StepTokenRequest, detail: detail,
			proof: []usher.Proof{{Place: it.Place, Quote: quote, Expected: expected, Got: got}},
		})
		s.demote("assertion/"+id, "client-assertion-invalid", 0.9, "client-secret-invalid", "client-unknown")
	}
	for _, name := range [...]string{"iat", "exp"} {
		if _, milliseconds, _ := claimTime(claims, name); milliseconds {
			wrong("milliseconds", "A time of the assertion is given in milliseconds; seconds are wanted.", fmt.Sprintf("%s %v", name, claims[name]), "seconds since 1970", "milliseconds")
		}
	}
	if _, ok := header["kid"]; !ok {
		wrong("kid", "The assertion's header names no key (kid).", "header without kid", "kid of the registered key", "none")
	}
	iat, _, okIat := claimTime(claims, "iat")
	exp, _, okExp := claimTime(claims, "exp")
	if aud, _ := claims["aud"].(string); strings.HasPrefix(aud, "https://appleid.apple.com") && okIat && okExp && exp.Sub(iat) > 15777000*time.Second {
		wrong("lifetime", "Apple accepts client secrets of at most six months.", fmt.Sprintf("exp %v", claims["exp"]), "at most 15777000 s after iat", exp.Sub(iat).String())
	}
	if now := s.moment(it); okExp && !now.IsZero() && now.After(exp.Add(leeway)) {
		wrong("expired", "The assertion had ended when it was sent.", fmt.Sprintf("exp %v", claims["exp"]), "later than "+now.UTC().Format(time.RFC3339), exp.Format(time.RFC3339))
	}
}

func audiences(claims map[string]any) []string {
	switch aud := claims["aud"].(type) {
	case string:
		return []string{aud}
	case []any:
		var list []string
		for _, a := range aud {
			if text, ok := a.(string); ok {
				list = append(list, text)
			}
		}
		return list
	}
	return nil
}

// inspectSignature verifies the token with the keys in the evidence.
func (s *situation) inspectSignature(it *evidence.Item) {
	keys, place := s.keySet()
	if keys == nil || it.Token.Form != token.FormJWS || it.Raw == "" {
		return
	}
	report := token.Inspect(it.Raw.Reveal(), token.Expect{Type: token.TypeJWS, Keys: keys})
	for _, p := range report.Problems {
		var cause string
		switch p.Code {
		case token.CodeKeyNotFound:
			cause = "token-key-not-found"
		case token.CodeSignature, token.CodeAlgNotAllowed, token.CodeAlgNone, token.CodeKeyUnfit:
			cause = "token-signature-invalid"
		default:
			continue
		}
		s.propose("token/"+p.Code, candidate{
			cause: cause, confidence: 0.92, step: usher.StepValidation, detail: p.Text,
			proof: []usher.Proof{{Place: it.Place, Quote: first(p.Place, "signature"), Expected: first(p.Expected, "a key of "+place), Got: p.Got}},
		})
		return
	}
	if report.Key == nil || report.Key.Thumbprint == "" {
		return
	}
	s.clear(usher.Finding{
		Cause: "token-signature-invalid", Outcome: usher.OutcomeOK, Confidence: 0.95, Title: "The signature is good",
		Proof: []usher.Proof{{Place: it.Place, Quote: "kid " + it.Token.Kid, Expected: "a key of " + place, Got: "verified"}},
	})
}

// keySet gives the first key set in the evidence.
func (s *situation) keySet() (*token.KeySet, string) {
	for i := range s.set.Items {
		if k := s.set.Items[i].Keys; k != nil && len(k.Keys) > 0 {
			return k, s.set.Items[i].Place
		}
	}
	return nil, ""
}

// inspectAudience compares aud with the API that refused the token, as far as
// a registration, a host or an expectation in the evidence names it.
func (s *situation) inspectAudience(it *evidence.Item) {
	have := audiences(it.Token.Claims)
	var want []string
	for o := range s.each("expected-audience") {
		want = append(want, o.value)
	}
	for i := range s.set.Items {
		if r := s.set.Items[i].Registration; r != nil && it.Token.Looks() == token.TypeAccess {
			want = append(want, r.IdentifierURIs...)
			if r.ClientID != "" && len(r.IdentifierURIs) > 0 {
				want = append(want, r.ClientID)
			}
		}
	}
	if len(have) == 0 || len(want) == 0 {
		return
	}
	for _, h := range have {
		for _, w := range want {
			if strings.EqualFold(h, w) {
				s.clear(usher.Finding{
					Cause: "token-wrong-audience", Outcome: usher.OutcomeOK, Confidence: 0.9, Title: "The token is for this API",
					Proof: []usher.Proof{{Place: it.Place, Quote: "aud " + h, Expected: w, Got: h}},
				})
				return
			}
		}
	}
	s.propose("token/aud", candidate{
		cause: "token-wrong-audience", confidence: 0.85, step: usher.StepValidation,
		proof: []usher.Proof{{Place: it.Place, Quote: "aud " + strings.Join(have, " "), Expected: strings.Join(want, " or "), Got: strings.Join(have, " ")}},
	})
}

// inspectIssuer compares iss with an issuer that the evidence expects.
func (s *situation) inspectIssuer(it *evidence.Item) {
	iss, _ := it.Token.Claims["iss"].(string)
	if iss == "" {
		return
	}
	want, ok := s.expectedIssuer()
	if !ok {
		return
	}
	proof := []usher.Proof{{Place: it.Place, Quote: "iss " + iss, Expected: first(want.quote, want.value), Got: iss}}
	if want.value == strings.ToLower(iss) {
		s.clear(usher.Finding{Cause: "token-wrong-issuer", Outcome: usher.OutcomeOK, Confidence: 0.9, Title: "The token is from the expected issuer", Proof: proof})
		return
	}
	if want.place != "" {
		proof = append(proof, usher.Proof{Place: want.place, Quote: first(want.quote, want.value)})
	}
	s.propose("token/iss", candidate{
		cause: "token-wrong-issuer", confidence: 0.88, step: usher.StepValidation, exact: true,
		detail: issuerDetail(iss, want.value), proof: proof,
	})
}

// expectedIssuer is the issuer that a setting or the provider's metadata names.
func (s *situation) expectedIssuer() (observation, bool) {
	if o, ok := s.fact("expected-issuer"); ok {
		return o, true
	}
	for i := range s.set.Items {
		if m := s.set.Items[i].Metadata; m != nil && m.Issuer != "" {
			return observation{key: "issuer", value: strings.ToLower(m.Issuer), place: s.set.Items[i].Place, quote: m.Issuer}, true
		}
	}
	return observation{}, false
}

// issuerDetail explains Entra's two token versions, the most frequent reason
// for two issuers of one tenant.
func issuerDetail(iss, want string) string {
	if strings.HasPrefix(iss, "https://sts.windows.net/") && strings.Contains(want, "/v2.0") {
		return "This is a version 1 token where a version 2 token is expected; the version is set in the registration of the API (accessTokenAcceptedVersion, requestedAccessTokenVersion), not in that of the client."
	}
	return ""
}

// inspectKind recognises a token of the wrong kind beside a refusal.
func (s *situation) inspectKind(it *evidence.Item) {
	refused := s.has("status", "401", "403") || s.has("challenge-error", "invalid_token") || s.has("error", "invalid_token")
	if _, bound := it.Token.Claims["cnf"]; bound && refused && !s.has("challenge-scheme", "dpop") {
		s.propose("token/cnf", candidate{
			cause: "token-wrong-type", confidence: 0.86, step: usher.StepAPICall,
			detail: "The token is bound to a key (cnf) and was sent as a plain Bearer token, without the proof of possession.",
			proof:  []usher.Proof{{Place: it.Place, Quote: "cnf", Expected: "a bearer token, or the proof beside it", Got: "a key-bound token"}},
		})
		s.demote("token/cnf", "token-wrong-type", 0.86, "token-expired", "token-malformed")
	}
	if it.Token.Looks() == token.TypeID && refused && !s.has("token-has", "scp", "scope") {
		s.propose("token/id", candidate{
			cause: "token-wrong-type", confidence: 0.8, step: usher.StepAPICall,
			detail: "An ID token was sent to an API; it is for the app, not for the API.",
			proof:  []usher.Proof{{Place: it.Place, Quote: "nonce, at_hash or auth_time without scopes", Expected: "an access token", Got: "an ID token"}},
		})
	}
}
