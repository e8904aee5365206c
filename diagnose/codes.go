package diagnose

import (
	"strings"

	"usher"
	"usher/catalog"
)

// umbrella are codes that say only that something failed and ride together
// with the code that says what.
var umbrella = map[string]bool{"aadsts70002": true, "aadsts70000": true}

// applyCodes proposes the causes of the error codes that were met.
func (s *situation) applyCodes() {
	codes := s.count("code")
	for o := range s.each("code") {
		provider, code, _ := strings.Cut(o.value, "/")
		known := catalog.LookupCode(provider, code)
		if known == nil || known.Provider != provider {
			s.unknownCode(provider, code, o)
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
		if known := catalog.LookupCode(provider, o.value); known != nil {
			s.proposeCode(known, known.Confidence, o)
		} else if matched := s.withDescription(provider, o.value); matched != nil {
			s.proposeCode(matched, matched.Confidence, o)
		}
	}
	for o := range s.each("suberror") {
		for _, code := range [...]string{"suberror:" + o.value, "invalid_grant/" + o.value} {
			if known := catalog.LookupCode(provider, code); known != nil && known.Provider == provider {
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
		verify: known.Verify, fix: known.Fix, fixer: known.Fixer,
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
func (s *situation) unknownCode(provider, code string, o observation) {
	if provider != "entra" {
		return
	}
	number := strings.TrimPrefix(code, "aadsts")
	if catalog.KnownNumber(number) {
		s.notes = append(s.notes, "AADSTS"+number+" exists, but nothing more is known of it here; look it up at https://login.microsoftonline.com/error?code="+number)
	} else {
		s.notes = append(s.notes, "AADSTS"+number+" is in no list known here; look it up at https://login.microsoftonline.com/error?code="+number)
	}
	_ = o
}
