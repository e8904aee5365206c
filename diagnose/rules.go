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

// proofAt quotes the line around a hit. The item is masked before it is cut: a
// cut could part a credential from the name that gives it away.
func (s *situation) proofAt(h hit) usher.Proof {
	it := &s.set.Items[h.item]
	text := s.texts[h.item]
	place := it.Place
	if at, ok := it.PlaceOf(text[h.match.Start:h.match.End]); ok {
		place = at
	} else if line := strings.Count(text[:h.match.Start], "\n"); line > 0 {
		if name, n, ok := splitPlace(place); ok {
			place = fmt.Sprintf("%s:%d", name, n+line)
		}
	}
	masked := s.maskedText(h.item)
	start, end := locate(text, masked, h.match)
	quote := cut(masked, start, end)
	s.clean[quote] = true
	return usher.Proof{Place: place, Quote: quote}
}

// mostMasked bounds the part of a text that is masked for quotations: what
// lies further out than this from a hit is not quoted.
const mostMasked = 256 << 10

// maskedText gives the text of an item with every credential masked.
func (s *situation) maskedText(item int) string {
	if s.masked[item] == "" {
		text := s.texts[item]
		if len(text) > mostMasked {
			text = text[:mostMasked]
		}
		s.masked[item] = s.redactor.Redact(text)
	}
	return s.masked[item]
}

// locate finds the words of a match again in the masked text: the occurrence
// with the same number as in the text itself.
func locate(text, masked string, m catalog.Match) (start, end int) {
	words := text[m.Start:m.End]
	if len(text) == len(masked) || words == "" {
		return min(m.Start, len(masked)), min(m.End, len(masked))
	}
	at := 0
	for range strings.Count(text[:m.Start], words) {
		if n := strings.Index(masked[at:], words); n >= 0 {
			at += n + len(words)
		}
	}
	if n := strings.Index(masked[at:], words); n >= 0 {
		return at + n, at + n + len(words)
	}
	if n := strings.Index(masked, words); n >= 0 {
		return n, n + len(words)
	}
	start = min(m.Start, len(masked))
	return start, min(m.End, len(masked))
}

// cut gives the line around a part of a text, shortened when it is long.
func cut(text string, start, end int) string {
	lineStart := strings.LastIndexByte(text[:start], '\n') + 1
	lineEnd := end + strings.IndexByte(text[end:]+"\n", '\n')
	lead, tail := "", ""
	if lineEnd-lineStart > 240 {
		if start-lineStart > 60 {
			lineStart, lead = wordStart(text, start-60, start), "…"
		}
		if lineEnd-end > 120 {
			lineEnd, tail = wordEnd(text, end, end+120), "…"
		}
	}
	return lead + strings.TrimSpace(text[lineStart:lineEnd]) + tail
}

// wordStart moves a cut forward to the next blank, so that no word is parted.
func wordStart(text string, at, most int) int {
	if n := strings.IndexAny(text[at:most], " ,&;"); n >= 0 {
		return at + n + 1
	}
	for at < most && !utf8.RuneStart(text[at]) {
		at++
	}
	return at
}

// wordEnd moves a cut back to the last blank.
func wordEnd(text string, least, at int) int {
	if n := strings.LastIndexAny(text[least:at], " ,&;"); n > 0 {
		return least + n
	}
	for at > least && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
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
