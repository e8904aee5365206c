package diagnose

import (
	"iter"
	"slices"
	"strings"

	"usher"
	"usher/catalog"
	"usher/evidence"
	"usher/oauth"
)

// situation is everything known of one failure while it is being explained.
type situation struct {
	x        *Explainer
	set      *evidence.Set
	opt      Options
	redactor *oauth.Redactor
	facts    []observation
	texts    []string        // of the items, as the patterns see them
	rules    []int32         // that can hold
	masked   []string        // the texts without credentials, made when one is quoted
	clean    map[string]bool // quotations that are masked already

	candidates []*candidate
	demotions  []demotion
	cleared    []usher.Finding // tested and found ok, unknown or not applicable
	notes      []string
	subject    usher.Subject
	inContext  bool // the item whose facts are gathered describes the setup
}

// observation is a fact with where it was seen.
type observation struct {
	key, value, place, quote string
	context                  bool // seen in the description of the setup only
}

// hit is where a pattern of the catalog was found; item < 0: nowhere.
type hit struct {
	item  int
	match catalog.Match
}

// candidate is a cause that something speaks for.
type candidate struct {
	cause      string
	confidence float64
	sources    map[string]bool // ids of the codes, rules and comparisons behind it
	step       usher.Step
	title      string
	detail     string
	fix        []usher.FixStep // before those of the cause
	ownFix     bool            // fix stands for the cause's own steps
	exact      bool            // detail comes from a comparison and says more than a general one
	verify     string
	fixer      usher.Fixer
	proof      []usher.Proof
	demotedBy  string
}

type demotion struct {
	cause, by  string // label, id of the rule
	confidence float64
	winner     string // the cause that the rule names
}

func newSituation(x *Explainer, set *evidence.Set, opt Options) *situation {
	x.reset()
	return &situation{x: x, set: set, opt: opt, redactor: redactor(set), facts: x.facts[:0], masked: make([]string, len(set.Items)), clean: map[string]bool{}}
}

func (s *situation) scanTexts() {
	for i := range s.set.Items {
		text := spoken(&s.set.Items[i])
		s.texts = append(s.texts, text)
		s.x.scanner.Scan(catalog.Fold(text), func(p int32, m catalog.Match) {
			s.x.hit(p, hit{i, m})
		})
	}
}

// spoken is what an item says in words. Signatures are for messages: a
// registration, a key set or a page that answered well has none, and the names
// in a log record's policies are not what happened.
func spoken(it *evidence.Item) string {
	switch it.Kind {
	case usher.KindRegistration, usher.KindDiscovery, usher.KindKeySet, usher.KindPolicy:
		if !it.Context {
			return ""
		}
	case usher.KindToken, usher.KindHAR:
		return ""
	case usher.KindContext:
		if strings.Contains(it.Place, "#entry") { // a body in a recording, with no error in it
			return ""
		}
	case usher.KindAuthRequest:
		if strings.Contains(it.Place, "#entry") && it.AuthRequest != nil {
			return "client_id=" + it.AuthRequest.ClientID // its other parameters are values, no words
		}
	case usher.KindLogRecord:
		if strings.HasPrefix(strings.TrimSpace(it.Text), "{") {
			return recordWords(it)
		}
	}
	if x := it.Exchange; x != nil && x.Status >= 200 && x.Status < 400 {
		if it.Error == nil {
			return ""
		}
		return it.Error.Code + "\n" + it.Error.Description
	}
	if e := it.Error; e != nil && e.Description != "" && !strings.Contains(it.Text, e.Description) {
		return it.Text + "\n" + e.Description // the text has it encoded
	}
	return it.Text
}

// recordWords are the words of a log record in JSON: its error and reason.
func recordWords(it *evidence.Item) string {
	var words []string
	if e := it.Error; e != nil {
		words = append(words, e.Code, e.Description)
	}
	for _, f := range it.Facts {
		switch f.Key {
		case "event-reason", "event-error", "event-type", "client-name", "client-app":
			words = append(words, first(f.Quote, f.Value))
		}
	}
	return strings.Join(words, "\n")
}

// hit notes where a pattern was found first.
func (x *Explainer) hit(p int32, h hit) {
	if x.hits[p].item >= 0 {
		return
	}
	x.hits[p] = h
	x.found = append(x.found, p)
	for _, g := range catalog.GroupsOf(p) {
		if x.groups[g].item < 0 {
			x.groups[g] = h
		}
	}
}

// rules gives the indexes of the rules that can hold, in their order: those
// whose first condition was found, and those that ask for facts alone.
func (x *Explainer) rules() []int32 {
	x.ruleList = append(x.ruleList[:0], catalog.RulesOfFacts()...)
	for _, p := range x.found {
		for _, g := range catalog.GroupsOf(p) {
			x.ruleList = append(x.ruleList, catalog.RulesBehind(g)...)
		}
	}
	slices.Sort(x.ruleList)
	return slices.Compact(x.ruleList)
}

// observe adds a value of a fact; equal ones are kept once.
func (s *situation) observe(key, value, place, quote string) {
	value = strings.ToLower(value)
	for i := range s.facts {
		if s.facts[i].key == key && s.facts[i].value == value {
			return
		}
	}
	s.facts = append(s.facts, observation{key, value, place, quote, s.inContext})
}

// each gives the observations of a key in the order in which they were made.
func (s *situation) each(key string) iter.Seq[observation] {
	return func(yield func(observation) bool) {
		for i := 0; i < len(s.facts); i++ { // the list may grow meanwhile
			if s.facts[i].key == key && !yield(s.facts[i]) {
				return
			}
		}
	}
}

func (s *situation) count(key string) (n int) {
	for range s.each(key) {
		n++
	}
	return n
}

// fact gives the first observation of a key with one of the values, or of any
// value when none is given.
func (s *situation) fact(key string, values ...string) (observation, bool) {
	for i := range s.facts {
		if s.facts[i].key == key && (len(values) == 0 || slices.Contains(values, s.facts[i].value)) {
			return s.facts[i], true
		}
	}
	return observation{}, false
}

func (s *situation) has(key string, values ...string) bool {
	_, ok := s.fact(key, values...)
	return ok
}

// value gives the first value of a fact as it was quoted, or "".
func (s *situation) value(key string) string {
	o, _ := s.fact(key)
	if o.quote != "" && strings.EqualFold(o.quote, o.value) {
		return o.quote
	}
	return o.value
}

func (s *situation) candidate(cause string) *candidate {
	for _, c := range s.candidates {
		if c.cause == cause {
			return c
		}
	}
	return nil
}

// propose speaks for a cause. The strongest voice gives the step, the title
// and the proof that comes first; independent voices add up.
func (s *situation) propose(source string, p candidate) {
	c := s.candidate(p.cause)
	if c == nil {
		p.sources = map[string]bool{source: true}
		s.candidates = append(s.candidates, &p)
		return
	}
	if c.sources[source] {
		return
	}
	if p.exact && !c.exact && p.detail != "" {
		c.detail, c.exact = p.detail, true
	}
	strong, weak := c.confidence, p.confidence
	if weak > strong {
		strong, weak = weak, strong
		c.step, c.proof = first(p.step, c.step), append(p.proof, c.proof...)
		c.title, c.detail = first(p.title, c.title), first(p.detail, c.detail)
		c.verify, c.fixer = first(p.verify, c.verify), first(p.fixer, c.fixer)
		c.fix, c.ownFix = mergeFix(p.fix, c.fix, p.ownFix, c.ownFix)
	} else {
		c.step, c.proof = first(c.step, p.step), append(c.proof, p.proof...)
		c.title, c.detail = first(c.title, p.title), first(c.detail, p.detail)
		c.verify, c.fixer = first(c.verify, p.verify), first(c.fixer, p.fixer)
		c.fix, c.ownFix = mergeFix(c.fix, p.fix, c.ownFix, p.ownFix)
	}
	c.confidence = min(strong+(1-strong)*weak*0.25, 0.99)
	c.sources[source] = true
}

// mergeFix keeps the steps of only one code: two codes of one cause say the same.
func mergeFix(a, b []usher.FixStep, ownA, ownB bool) ([]usher.FixStep, bool) {
	if ownA && ownB {
		return a, true
	}
	return append(append([]usher.FixStep{}, a...), b...), ownA || ownB
}

func first[T ~string](a, b T) T {
	if a != "" {
		return a
	}
	return b
}

// demote puts a cause behind the one that a rule names.
func (s *situation) demote(rule, winner string, confidence float64, causes ...string) {
	for _, cause := range causes {
		s.demotions = append(s.demotions, demotion{cause, rule, confidence, winner})
	}
}

// clear notes a hypothesis that was tested and does not hold, or could not be.
func (s *situation) clear(f usher.Finding) { s.cleared = append(s.cleared, f) }
