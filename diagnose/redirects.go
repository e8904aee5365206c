package diagnose

import (
	"net/url"
	"strings"

	"usher"
	"usher/evidence"
	"usher/oauth"
)

// compareRedirects holds the redirect URI that was sent against what is
// registered, by the provider's rule, and names the one difference.
func (s *situation) compareRedirects() {
	sent, ok := s.sentURI()
	if !ok {
		return
	}
	registered, place := s.registeredURIs()
	if len(registered) == 0 {
		return
	}
	rule := oauth.RedirectRuleFor(s.provider())
	result := oauth.CompareRedirect(rule, registered, sent.quote, oauth.RedirectContext{OpenID: s.has("scope", "openid")})
	explanation := s.redactor.Redact(result.Explanation)
	proof := usher.Proof{Place: first(sent.place, place), Quote: sent.quote, Expected: first(result.Closest, registered[0].URI), Got: sent.quote}
	if result.Verdict == oauth.RedirectMatch {
		if s.candidate("redirect-uri-mismatch") == nil {
			s.clear(usher.Finding{
				Cause: "redirect-uri-mismatch", Outcome: usher.OutcomeOK, Confidence: 0.95,
				Title: "The redirect URI is registered", Proof: []usher.Proof{proof},
			})
		}
		return
	}
	c := candidate{
		cause: "redirect-uri-mismatch", confidence: 0.9, step: usher.StepAuthRequest,
		detail: explanation, exact: true, proof: s.withRegistered(proof),
	}
	if s.candidate("redirect-uri-mismatch") == nil && (s.has("code") || s.has("error")) {
		c.confidence = 0.5 // the failure at hand says something else
	}
	s.propose("redirect/compare", c)
	if result.Difference == "scheme" && s.has("sent-redirect", "http-public") {
		s.propose("redirect/scheme", candidate{
			cause: "redirect-scheme-proxy", confidence: 0.9, step: usher.StepAuthRequest,
			detail: explanation, exact: true, proof: s.withRegistered(proof),
		})
		s.demote("redirect/scheme", "redirect-scheme-proxy", 0.9, "redirect-uri-mismatch")
	}
}

// sentURI is the redirect URI of the request, or the one that an error names.
func (s *situation) sentURI() (observation, bool) {
	for i := range s.set.Items {
		it := &s.set.Items[i]
		switch {
		case it.AuthRequest != nil && it.AuthRequest.RedirectURI != "":
			return observation{value: it.AuthRequest.RedirectURI, place: it.Place, quote: it.AuthRequest.RedirectURI}, true
		case it.Event != nil && it.Event.OAuth.RedirectURI != "":
			return observation{value: it.Event.OAuth.RedirectURI, place: it.Place, quote: it.Event.OAuth.RedirectURI}, true
		case it.TokenRequest != nil && it.TokenRequest.RedirectURI != "":
			return observation{value: it.TokenRequest.RedirectURI, place: it.Place, quote: it.TokenRequest.RedirectURI}, true
		}
	}
	for o := range s.each("redirect-uri") {
		if strings.Contains(o.quote, "://") {
			return o, true
		}
	}
	if o, ok := s.fact("sent-uri"); ok && s.candidate("redirect-uri-mismatch") != nil {
		if plain, err := url.QueryUnescape(o.quote); err == nil && strings.Contains(plain, "://") {
			o.quote = plain
			return o, true
		}
	}
	return observation{}, false
}

// withRegistered adds the entry of the registration that the proof expects.
func (s *situation) withRegistered(p usher.Proof) []usher.Proof {
	for i := range s.set.Items {
		r := s.set.Items[i].Registration
		if r == nil {
			continue
		}
		for _, u := range r.RedirectURIs {
			if u.URI == p.Expected {
				return []usher.Proof{p, {Place: first(u.Place, s.set.Items[i].Place), Quote: u.URI}}
			}
		}
	}
	return []usher.Proof{p}
}

func (s *situation) registeredURIs() (list []oauth.RegisteredRedirect, place string) {
	for i := range s.set.Items {
		if r := s.set.Items[i].Registration; r != nil {
			for _, u := range r.RedirectURIs {
				list = append(list, oauth.RegisteredRedirect{URI: u.URI, Platform: u.Platform})
			}
			place = first(place, s.set.Items[i].Place)
		}
	}
	if len(list) > 0 {
		return list, place
	}
	for o := range s.each("registered-uri") {
		list = append(list, oauth.RegisteredRedirect{URI: first(o.quote, o.value)})
		place = first(place, o.place)
	}
	return list, place
}

// registration gives the first registration in the evidence.
func (s *situation) registration() *evidence.Item {
	for i := range s.set.Items {
		if s.set.Items[i].Registration != nil {
			return &s.set.Items[i]
		}
	}
	return nil
}
