package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usher"
)

// Lint gives every breach of FORMAT.md, each with its file and line.
func (d *Data) Lint() []string {
	l := &linter{labels: map[string]bool{}}
	for _, c := range d.Causes {
		if l.labels[c.Label] {
			l.say(c.File, 0, "the label %s stands twice", c.Label)
		}
		l.labels[c.Label] = true
	}
	for i := range d.Causes {
		l.cause(&d.Causes[i])
	}
	l.circles(d)
	l.codes(d)
	l.rules(d)
	return l.problems
}

type linter struct {
	labels   map[string]bool
	problems []string
}

func (l *linter) say(file string, line int, format string, args ...any) {
	place := file
	if line > 0 {
		place = fmt.Sprintf("%s:%d", file, line)
	}
	l.problems = append(l.problems, place+": "+fmt.Sprintf(format, args...))
}

func (l *linter) cause(c *Cause) {
	say := func(format string, args ...any) { l.say(c.File, 0, format, args...) }
	if !strings.HasSuffix(c.File, "/"+c.Label+".yaml") {
		say("the file is not named after the label %q", c.Label)
	}
	if n := len([]rune(c.Title)); n == 0 || n > 90 || strings.HasSuffix(c.Title, ".") {
		say("title: one line of at most 90 characters without a full stop, got %q", c.Title)
	}
	for _, field := range [...]struct{ name, text string }{{"meaning", c.Meaning}, {"verify", c.Verify}, {"decides", c.Decides}, {"how", c.How}} {
		if len(strings.TrimSpace(field.text)) < 20 {
			say("%s is empty or says too little", field.name)
		}
	}
	for _, provider := range slices.Sorted(maps.Keys(c.Query)) {
		for _, name := range places(c.Query[provider]) {
			if !slices.Contains(queryPlaces, name) {
				say("query, %s: no place {%s}; the places are %s", provider, name, strings.Join(queryPlaces, ", "))
			}
		}
	}
	if !c.Step.Valid() {
		say("step: unknown word %q", c.Step)
	}
	if !c.Fixer.Valid() {
		say("fixer: unknown word %q", c.Fixer)
	}
	if len(c.Fix) == 0 && c.Fixer != usher.FixerNobody {
		say("fix: a cause without a fix")
	}
	for _, problem := range fixProblems(c.Fix) {
		say("%s", problem)
	}
	for _, problem := range proofProblems(&c.Proof) {
		say("proof: %s", problem)
	}
	if len(c.References) == 0 {
		say("references: name an RFC section or a page")
	}
	if len(c.Questions) < 2 {
		say("questions: a ladder needs at least two")
	}
	for _, label := range c.ConsequenceOf {
		if !l.labels[label] {
			say("consequence_of: no cause %q", label)
		}
	}
	if _, err := time.Parse(time.DateOnly, c.Reviewed); err != nil {
		say("reviewed: a day like 2026-11-25, got %q", c.Reviewed)
	}
	if len(c.Examples.Match) == 0 || len(c.Examples.Pass) == 0 {
		say("examples: both match and pass need at least one text")
	}
}

// circles finds the causes that follow from themselves, by whatever way: of two
// cases each would stand behind the other, and nobody would see either.
func (l *linter) circles(d *Data) {
	of := map[string][]string{}
	for i := range d.Causes {
		of[d.Causes[i].Label] = d.Causes[i].ConsequenceOf
	}
	for i := range d.Causes {
		c := &d.Causes[i]
		seen, next := map[string]bool{}, slices.Clone(c.ConsequenceOf)
		for len(next) > 0 {
			label := next[0]
			next = next[1:]
			if label == c.Label {
				l.say(c.File, 0, "consequence_of: %s is a consequence of itself", label)
				break
			}
			if !seen[label] {
				seen[label] = true
				next = append(next, of[label]...)
			}
		}
	}
}

// queryPlaces are the places that diagnose fills in a query.
var queryPlaces = []string{"correlation", "client", "user", "time", "tenant", "ip", "policy", "request", "resource"}

// places gives the names in braces of a text. A brace that holds anything but
// small letters is the text's own.
func places(text string) (names []string) {
	for {
		_, rest, found := strings.Cut(text, "{")
		if !found {
			return names
		}
		if name, _, closed := strings.Cut(rest, "}"); closed && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == "" {
			names = append(names, name)
		}
		text = rest
	}
}

func fixProblems(fix []FixStep) (problems []string) {
	for i, step := range fix {
		switch {
		case !step.Risk.Valid():
			problems = append(problems, fmt.Sprintf("fix step %d: unknown risk %q", i+1, step.Risk))
		case i == 0 && step.Risk == usher.RiskWeakening:
			problems = append(problems, "fix: a weakening step never comes first")
		}
		if len(step.Text) < 10 {
			problems = append(problems, fmt.Sprintf("fix step %d says too little", i+1))
		}
	}
	return problems
}

// ties are the fields of which a proof needs one to be of the same thing as the
// refusal: a success of just anybody proves nothing.
var ties = []string{"client", "client.uid", "user", "user.uid", "user.name", "resource", "resource.uid", "oauth.key_uid"}

func proofProblems(p *Proof) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if p.None != "" {
		if len(p.Equal)+len(p.Differ) > 0 || p.Applied || p.Text != "" {
			say("none stands alone")
		}
		if len(p.None) < 20 {
			say("none says too little")
		}
		return problems
	}
	paths := usher.FieldPaths()
	for _, path := range slices.Concat(p.Equal, p.Differ) {
		if !slices.Contains(paths, path) {
			say("no field %q; the fields are %s", path, strings.Join(paths, ", "))
		}
	}
	if !slices.ContainsFunc(p.Equal, func(path string) bool { return slices.Contains(ties, path) }) {
		say("equal: name the client, the user, the resource or the key that must be the same, or say under none why no success can prove it")
	}
	for _, path := range p.Differ {
		if slices.Contains(p.Equal, path) {
			say("%s cannot be equal and differ", path)
		}
	}
	if len(p.Text) < 20 || strings.HasSuffix(p.Text, ".") {
		say("text: one clause without a full stop, got %q", p.Text)
	}
	return problems
}

func (l *linter) codes(d *Data) {
	seen := map[string]bool{}
	for i := range d.Codes {
		c := &d.Codes[i]
		say := func(format string, args ...any) { l.say(c.File, c.Line, format, args...) }
		key := c.Provider + "/" + strings.ToLower(c.Code)
		if seen[key] {
			say("the code %s stands twice", c.Code)
		}
		seen[key] = true
		if c.Code == "" || c.Meaning == "" || c.Source == "" {
			say("code, meaning and source must be there")
		}
		if !l.labels[c.Cause] {
			say("cause: no cause %q", c.Cause)
		}
		if !c.Fixer.Valid() {
			say("fixer: unknown word %q", c.Fixer)
		}
		if c.Confidence < 0 || c.Confidence > 1 {
			say("confidence lies in (0, 1], or is left out, got %v", c.Confidence)
		}
		if c.Kind != "error" && c.Kind != "interrupt" {
			say("kind: error or interrupt, got %q", c.Kind)
		}
		if c.Step != "" && !c.Step.Valid() {
			say("step: unknown word %q", c.Step)
		}
		for _, problem := range fixProblems(c.Fix) {
			say("%s", problem)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.Confidence)) {
		value := d.Confidence[key]
		provider, code, _ := strings.Cut(key, "/")
		if !seen[key] && code != "*" {
			l.say("codes/confidence.yaml", 0, "no code %q of provider %q", code, provider)
		}
		if value <= 0 || value > 1 {
			l.say("codes/confidence.yaml", 0, "%s: a confidence lies in (0, 1]", key)
		}
	}
}

func (l *linter) rules(d *Data) {
	seen := map[string]bool{}
	for i := range d.Rules {
		r := &d.Rules[i]
		say := func(format string, args ...any) { l.say(r.File, r.Line, r.ID+": "+format, args...) }
		if r.ID == "" || seen[r.ID] {
			say("the id is missing or stands twice")
		}
		seen[r.ID] = true
		switch {
		case r.Fact != "" && r.Cause != "":
			say("a rule names a cause or a fact, not both")
		case r.Fact != "":
			if !strings.Contains(r.Fact, "=") {
				say("fact: write key=value")
			}
			if len(r.Given)+len(r.Demotes)+len(r.Says)+len(r.Fix)+len(r.Step) > 0 || r.Confidence != 0 {
				say("a rule that adds a fact names no cause: given, demotes, says, fix, step and confidence mean nothing")
			}
		default:
			if !l.labels[r.Cause] {
				say("cause: no cause %q", r.Cause)
			}
			if r.Confidence <= 0 || r.Confidence > 0.99 {
				say("confidence: 0.01 to 0.99")
			}
			if len(r.Examples.Match) == 0 && len(r.Facts) == 0 {
				say("examples: a signature needs a text that must match")
			}
			if len(r.Examples.Match) > 0 && len(r.Examples.Pass) == 0 {
				say("examples: a signature needs a text that must pass")
			}
		}
		if r.Step != "" && !usher.Step(r.Step).Valid() {
			say("step: unknown word %q", r.Step)
		}
		captured := map[string]bool{}
		for _, group := range r.All {
			if len(group) == 0 {
				say("all: an empty group never holds")
			}
			for _, pattern := range group {
				for _, name := range places(pattern) {
					captured[name] = true
				}
			}
		}
		for _, name := range places(r.Says + " " + r.Fix + " " + r.Fact) {
			if !captured[name] {
				say("says, fix, fact: no pattern captures {%s}", name)
			}
		}
		if len(r.All) == 0 && len(r.Facts) == 0 {
			say("a rule without a condition")
		}
		for _, label := range append(append([]string{}, r.Given...), r.Demotes...) {
			if !l.labels[label] {
				say("given, demotes: no cause %q", label)
			}
		}
		for _, group := range append(append([]Group{}, r.All...), r.None) {
			for _, pattern := range group {
				l.pattern(pattern, say)
			}
		}
		for _, fact := range r.Facts {
			if !strings.Contains(fact, "=") {
				say("facts: write key=value, got %q", fact)
			}
		}
	}
}

func (l *linter) pattern(pattern string, say func(string, ...any)) {
	if strings.Count(pattern, "*")+strings.Count(pattern, "{") > 4 {
		say("pattern %q: at most four gaps", pattern)
	}
	if strings.Count(pattern, "{") != strings.Count(pattern, "}") {
		say("pattern %q: a brace is open", pattern)
	}
	if strings.HasPrefix(pattern, "*") || strings.HasPrefix(pattern, "{") {
		say("pattern %q: begins with a gap", pattern)
	}
	if digits := strings.Trim(pattern, "<>"); digits != "" && strings.Trim(digits, "0123456789") == "" &&
		(!strings.HasSuffix(pattern, ">") || len(digits) < 5 && !strings.HasPrefix(pattern, "<")) {
		say("pattern %q: a number stands in ids and keys as well: end it with >, and begin a short one with <", pattern)
	}
	if len(strings.Trim(pattern, "<> *'")) < 2 {
		say("pattern %q is too short", pattern)
	}
}
