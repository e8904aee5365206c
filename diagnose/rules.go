package diagnose

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"usher"
	"usher/catalog"
)

// holds tells whether the conditions of a rule hold, and gives the hits that
// made its groups hold.
func (s *situation) holds(r *catalog.Rule) ([]hit, bool) {
	var where []hit
	for _, g := range r.All {
		h, ok := s.group(g)
		if !ok {
			return nil, false
		}
		where = append(where, h)
	}
	if r.Within > 0 && len(r.All) == 2 {
		var ok bool
		if where, ok = s.near(r.All[0], r.All[1], r.Within); !ok {
			return nil, false
		}
	}
	for _, g := range r.None {
		if _, ok := s.group(g); ok {
			return nil, false
		}
	}
	for _, condition := range r.Facts {
		key, values, _ := strings.Cut(condition, "=")
		if key, not := strings.CutPrefix(key, "!"); not == s.has(key, strings.Split(values, "|")...) {
			return nil, false
		}
	}
	if len(r.Given) > 0 {
		for _, cause := range r.Given {
			if c := s.candidate(cause); c != nil && c.confidence >= 0.3 {
				return where, true
			}
		}
		return nil, false
	}
	return where, true
}

func (s *situation) group(g int32) (hit, bool) {
	h := s.x.groups[g]
	return h, h.item >= 0
}

// near finds a hit of each of two groups in one text, at most within bytes apart.
func (s *situation) near(a, b int32, within int) ([]hit, bool) {
	for _, p := range catalog.Group(a) {
		ha := s.x.hits[p]
		if ha.item < 0 {
			continue
		}
		for _, q := range catalog.Group(b) {
			hb := s.x.hits[q]
			if hb.item != ha.item {
				continue
			}
			if max(ha.match.End, hb.match.End)-min(ha.match.Start, hb.match.Start) <= within {
				return []hit{ha, hb}, true
			}
		}
	}
	return nil, false
}

// applySignatures proposes the causes of the rules that ask for no candidate.
func (s *situation) applySignatures() { s.applyRules(false) }

// applySituations proposes the causes of the rules that refine a candidate.
func (s *situation) applySituations() { s.applyRules(true) }

func (s *situation) applyRules(refining bool) {
	all := catalog.Rules()
	for _, i := range s.rules {
		r := &all[i]
		if r.Fact != "" || refining != (len(r.Given) > 0) {
			continue
		}
		where, ok := s.holds(r)
		if !ok {
			continue
		}
		c := candidate{cause: r.Cause, confidence: r.Confidence, step: usher.Step(r.Step)}
		if !refining && len(where) > 0 && s.onlyContext(where) {
			c.confidence *= 0.6 // the words stand in the description of the setup, not in the failure
		}
		captures := map[string]string{}
		for _, h := range where {
			p := s.proofAt(h)
			s.capture(r.Cause, h, captures, &p)
			c.proof = append(c.proof, p)
		}
		for _, condition := range r.Facts {
			key, values, _ := strings.Cut(condition, "=")
			if o, ok := s.fact(key, strings.Split(values, "|")...); ok && o.quote != "" {
				c.proof = append(c.proof, usher.Proof{Place: o.place, Quote: short(o.quote)})
			}
		}
		c.detail = s.fill(r.Says, captures)
		if r.Fix != "" {
			c.fix = []usher.FixStep{{Text: s.fill(r.Fix, captures), Risk: usher.RiskNeutral}}
		}
		s.propose(r.ID, c)
		s.demote(r.ID, r.Cause, c.confidence, r.Demotes...)
	}
}

// onlyContext tells whether all hits lie in facts of the setup although there
// is evidence of the failure itself.
func (s *situation) onlyContext(where []hit) bool {
	for _, h := range where {
		if !s.set.Items[h.item].Context {
			return false
		}
	}
	return s.failureElsewhere()
}

// capture takes the named parts of a match into the subject, the proof and the
// facts, from the text as it was written.
func (s *situation) capture(cause string, h hit, captures map[string]string, p *usher.Proof) {
	text := s.texts[h.item]
	for _, c := range h.match.Captures {
		value := strings.Trim(text[c.Start:c.End], " '\"`\u2018\u2019\u201c\u201d")
		if value == "" || captures[c.Name] != "" {
			continue
		}
		captures[c.Name] = value
		switch c.Name {
		case "expected":
			p.Expected = short(value)
		case "got":
			p.Got = short(value)
			if cause == "redirect-uri-mismatch" && strings.Contains(value, "://") {
				s.observe("redirect-uri", value, p.Place, value)
				s.sentRedirect(value, p.Place, value)
			}
		case "client":
			s.subject.Client = first(s.subject.Client, value)
		case "resource":
			s.subject.Resource = first(s.subject.Resource, value)
		case "scope":
			s.subject.Scope = first(s.subject.Scope, value)
		}
	}
}

// fill puts captures into a sentence. A sentence with an empty place is not said.
func (s *situation) fill(sentence string, captures map[string]string) string {
	if !strings.Contains(sentence, "{") {
		return sentence
	}
	for name, value := range captures {
		sentence = strings.ReplaceAll(sentence, "{"+name+"}", s.redactor.Redact(value))
	}
	if strings.Contains(sentence, "{") {
		return ""
	}
	return sentence
}

// proofAt quotes the line around a hit.
func (s *situation) proofAt(h hit) usher.Proof {
	it := &s.set.Items[h.item]
	text := s.texts[h.item]
	start, end := h.match.Start, h.match.End
	for start > 0 && text[start-1] != '\n' && h.match.Start-start < 60 {
		start--
	}
	for end < len(text) && text[end] != '\n' && end-h.match.End < 100 {
		end++
	}
	for start < len(text) && !utf8.RuneStart(text[start]) {
		start++
	}
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end++
	}
	place := it.Place
	if line := strings.Count(text[:h.match.Start], "\n"); line > 0 {
		if name, n, ok := splitPlace(place); ok {
			place = fmt.Sprintf("%s:%d", name, n+line)
		}
	}
	return usher.Proof{Place: place, Quote: strings.TrimSpace(text[start:end])}
}

// splitPlace cuts FILE:LINE.
func splitPlace(place string) (name string, line int, ok bool) {
	name, number, ok := strings.Cut(place, ":")
	if !ok {
		return "", 0, false
	}
	if _, err := fmt.Sscanf(number, "%d", &line); err != nil {
		return "", 0, false
	}
	return name, line, true
}

// short bounds a quotation.
func short(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	end := most
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
