package diagnose

import (
	"strings"

	"usher"
	"usher/catalog"
	"usher/evidence"
)

// comparePairs holds what is said twice in the evidence against each other:
// scopes of a token and of a challenge, the two redirect URIs of a code flow,
// configured and published issuers.
func (s *situation) comparePairs() {
	s.scopesOfChallenge()
	s.redirectOfExchange()
	s.flowDifferences()
}

// scopesOfChallenge compares the scopes that a challenge asks for with those
// in the token, RFC 6750 section 3.1.
func (s *situation) scopesOfChallenge() {
	for i := range s.set.Items {
		for _, c := range s.set.Items[i].Challenges {
			wanted := strings.Fields(c.Params["scope"])
			if len(wanted) == 0 || c.Params["error"] != "insufficient_scope" {
				continue
			}
			have := s.tokenScopes()
			var lacking []string
			for _, w := range wanted {
				if !have[strings.ToLower(w)] {
					lacking = append(lacking, w)
				}
			}
			p := usher.Proof{Place: s.set.Items[i].Place, Quote: `scope="` + c.Params["scope"] + `"`, Expected: strings.Join(wanted, " ")}
			if len(have) > 0 {
				p.Got = "without " + strings.Join(lacking, " ")
			}
			s.subject.Scope = first(s.subject.Scope, c.Params["scope"])
			s.propose("challenge/scope", candidate{cause: "scope-insufficient", confidence: 0.95, step: usher.StepAPICall, proof: []usher.Proof{p}})
		}
	}
}

func (s *situation) tokenScopes() map[string]bool {
	have := map[string]bool{}
	for i := range s.set.Items {
		t := s.set.Items[i].Token
		if t == nil {
			continue
		}
		for _, name := range [...]string{"scp", "scope"} {
			switch v := t.Claims[name].(type) {
			case string:
				for _, w := range strings.Fields(v) {
					have[strings.ToLower(w)] = true
				}
			case []any:
				for _, w := range v {
					if text, ok := w.(string); ok {
						have[strings.ToLower(text)] = true
					}
				}
			}
		}
	}
	return have
}

// redirectOfExchange compares the redirect URI of the token request with that
// of the authorization request, RFC 6749 section 4.1.3.
func (s *situation) redirectOfExchange() {
	var asked, exchanged string
	var place string
	exchange := false
	for i := range s.set.Items {
		it := &s.set.Items[i]
		if it.AuthRequest != nil {
			asked = first(asked, it.AuthRequest.RedirectURI)
		}
		if r := it.TokenRequest; r != nil && r.GrantType == "authorization_code" {
			exchange, exchanged, place = true, r.RedirectURI, it.Place
		}
	}
	if !exchange || asked == "" || asked == exchanged {
		return
	}
	s.propose("exchange/redirect", candidate{
		cause: "redirect-uri-mismatch", confidence: 0.9, step: usher.StepTokenRequest,
		detail: "The token request must repeat the redirect URI of the authorization request, byte for byte.",
		proof:  []usher.Proof{{Place: place, Quote: "redirect_uri=" + exchanged, Expected: asked, Got: first(exchanged, "none")}},
	})
	s.demote("exchange/redirect", "redirect-uri-mismatch", 0.9, "code-expired")
}

// differences maps what the reader of whole flows found between two steps.
var differences = map[string]string{
	"redirect-uri": "redirect-uri-mismatch", "state": "state-mismatch", "client-id": "code-wrong-client",
	"code-reused": "code-reused", "code-verifier": "pkce-mismatch", "code-verifier-missing": "pkce-missing", "code-challenge-missing": "pkce-missing",
}

func (s *situation) flowDifferences() {
	for o := range s.each("flow-difference") {
		cause := differences[o.value]
		if entry := catalog.Cause(cause); entry != nil {
			s.propose("flow/"+o.value, candidate{
				cause: cause, confidence: 0.88, step: entry.Step,
				proof: []usher.Proof{{Place: o.place, Quote: short(o.quote)}},
			})
		}
	}
	if s.has("cors", "blocked") {
		o, _ := s.fact("cors", "blocked")
		s.propose("flow/cors", candidate{cause: "cors-blocked", confidence: 0.85, step: usher.StepTokenRequest, proof: []usher.Proof{{Place: o.place, Quote: short(o.quote)}}})
	}
	if o, ok := s.fact("header-missing", "authorization"); ok && s.has("status", "401") {
		s.propose("flow/no-authorization", candidate{cause: "token-missing", confidence: 0.85, step: usher.StepAPICall, proof: []usher.Proof{{Place: o.place, Quote: short(o.quote), Expected: "an Authorization header", Got: "none"}}})
	}
}

// dropPassedInterrupts takes out what was only a step on the way: a record whose
// correlation shows a later success is no failure any more.
func (s *situation) dropPassedInterrupts() {
	success := map[string]int{} // correlation to the number of the record
	for i := range s.set.Items {
		if ok, correlation := record(s.set.Items[i].Facts); ok && correlation != "" {
			success[correlation] = i
		}
	}
	passed := map[string]bool{} // codes of records that were passed
	for i := range s.set.Items {
		it := &s.set.Items[i]
		_, correlation := record(it.Facts)
		at, ok := success[correlation]
		if !ok || at == i || !it.Time.IsZero() && s.set.Items[at].Time.Before(it.Time) {
			continue
		}
		for _, f := range it.Facts {
			if f.Key == "code" || f.Key == "event-error" || f.Key == "error" {
				_, code, found := strings.Cut(f.Value, "/")
				if !found {
					code = f.Value
				}
				passed[code] = true
			}
		}
	}
	if len(passed) == 0 || s.otherFailure(success) {
		return
	}
	for _, c := range s.candidates {
		c.confidence, c.demotedBy = 0.05, "passed"
	}
	s.notes = append(s.notes, "A step of the sign-in was refused or interrupted and then passed in the same correlation: that is no failure.")
}

// otherFailure tells whether there is evidence of a failure beside the records
// whose correlation ended well.
func (s *situation) otherFailure(success map[string]int) bool {
	for i := range s.set.Items {
		it := &s.set.Items[i]
		_, correlation := record(it.Facts)
		if _, ok := success[correlation]; !ok && !it.Context && it.Error != nil {
			return true
		}
	}
	return false
}

// record tells whether facts are those of a successful log record, and its correlation.
func record(facts []evidence.Fact) (success bool, correlation string) {
	for _, f := range facts {
		switch {
		case f.Key == "correlation":
			correlation = f.Value
		case f.Key == "event-result" && (f.Value == "success" || f.Value == "allow"):
			success = true
		}
	}
	return success, correlation
}
