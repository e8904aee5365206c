package diagnose

import (
	"strings"

	"usher"
	"usher/catalog"
	"usher/oauth"
)

// umbrella are codes that say only that something failed and ride together
// with the code that says what.
var umbrella = map[string]bool{"aadsts70002": true, "aadsts70000": true}

// applyCodes proposes the causes of the error codes that were met.
func (s *situation) applyCodes() {
	s.bareNumber()
	codes := s.count("code")
	for o := range s.each("code") {
		provider, code, _ := strings.Cut(o.value, "/")
		known := catalog.LookupCode(provider, code)
		if known == nil || known.Provider != provider {
			s.unknownCode(provider, code)
			continue
		}
		confidence := known.Confidence
		if umbrella[code] && codes > 1 {
			confidence *= 0.5
		}
		s.proposeCode(known, confidence, o)
	}
	provider := s.provider()
	for o := range s.each("error") {
		if codes > 0 && oauth.KnownError(o.value) {
			continue // the provider's own code says more
		}
		if known := catalog.LookupCode(provider, o.value); known != nil {
			s.proposeCode(known, known.Confidence, o)
		} else if matched := s.withDescription(provider, o.value); matched != nil {
			s.proposeCode(matched, matched.Confidence, o)
		}
	}
	for o := range s.each("suberror") {
		for _, code := range [...]string{"suberror:" + o.value, "invalid_grant/" + o.value} {
			if known := catalog.LookupCode(provider, code); known != nil && known.Provider == provider && known.Confidence >= 0.3 {
				s.proposeCode(known, known.Confidence, o)
			}
		}
	}
	for _, key := range [...]string{"event-error", "event-type", "event-reason"} {
		for o := range s.each(key) {
			for _, prefix := range [...]string{"", "log:", "event:", "oauth:"} {
				if known := catalog.LookupCode(provider, prefix+o.value); known != nil && known.Provider == provider {
					s.proposeCode(known, known.Confidence, o)
				}
			}
		}
	}
}

// bareNumber reads "53003", "error 53003" and "Error Code: 53003" when nothing
// else was given: people type what the page shows.
func (s *situation) bareNumber() {
	if len(s.set.Items) != 1 || s.has("code") {
		return
	}
	it := &s.set.Items[0]
	text := strings.ToLower(strings.TrimSpace(it.Text))
	for _, word := range [...]string{"error", "code", ":", "#", "=", "no."} {
		text = strings.TrimSpace(strings.TrimPrefix(text, word))
	}
	if len(text) < 5 || len(text) > 7 || strings.Trim(text, "0123456789") != "" {
		return
	}
	if known := catalog.LookupCode("entra", "AADSTS"+text); known != nil {
		s.observe("code", "entra/aadsts"+text, it.Place, strings.TrimSpace(it.Text))
	}
}

// provider is the one whose codes are meant: the first that a piece of failure
// evidence names.
func (s *situation) provider() string {
	for i := range s.set.Items {
		if it := &s.set.Items[i]; it.Provider != "" && !it.Context {
			return it.Provider
		}
	}
	o, _ := s.fact("provider")
	return o.value
}

func (s *situation) proposeCode(known *catalog.Code, confidence float64, o observation) {
	entry := catalog.Cause(known.Cause)
	if entry == nil {
		return
	}
	if o.context && s.failureElsewhere() {
		confidence *= 0.7 // named in the description of the setup
	}
	c := candidate{
		cause: known.Cause, confidence: confidence, step: known.Step, title: known.Title,
		verify: known.Verify, fix: known.Fix, ownFix: len(known.Fix) > 0, fixer: known.Fixer,
		detail: known.Code + ": " + known.Meaning,
		proof:  []usher.Proof{{Place: o.place, Quote: short(first(o.quote, o.value))}},
	}
	s.propose(known.Provider+"/"+known.Code, c)
}

// failureElsewhere tells whether there is evidence beside the description of
// the setup.
func (s *situation) failureElsewhere() bool {
	for i := range s.set.Items {
		if !s.set.Items[i].Context {
			return true
		}
	}
	return false
}

// withDescription finds entries of the form "error: fragment", where the error
// alone is not enough and a fragment of its description decides.
func (s *situation) withDescription(provider, code string) *catalog.Code {
	for i := range s.set.Items {
		e := s.set.Items[i].Error
		if e == nil || !strings.EqualFold(e.Code, code) {
			continue
		}
		for _, known := range catalog.CodesOf(provider) {
			name, fragment, ok := strings.Cut(known.Code, ": ")
			if ok && strings.EqualFold(name, code) && strings.Contains(strings.ToLower(e.Description), strings.ToLower(fragment)) {
				return known
			}
		}
	}
	return nil
}

// unknownCode says honestly that a code is not described here.
func (s *situation) unknownCode(provider, code string) {
	if provider != "entra" {
		return
	}
	number := strings.TrimPrefix(code, "aadsts")
	if catalog.KnownNumber(number) {
		s.notes = append(s.notes, "AADSTS"+number+" exists, but nothing more is known of it here; look it up at https://login.microsoftonline.com/error?code="+number)
	} else {
		s.notes = append(s.notes, "AADSTS"+number+" is in no list known here; look it up at https://login.microsoftonline.com/error?code="+number)
	}
}
