package report

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"usher"
)

// CodeRow is one error code of a provider, as a list of causes shows it.
type CodeRow struct {
	Provider string // "entra"
	Code     string // "AADSTS50011"
	Name     string // the provider's own name of it, may be empty
	Meaning  string // one sentence
}

// Causes writes the causes as a table for a terminal: label, title, who can fix
// it, and by how many codes of which providers it is known. The order of the
// causes stays. Then every code has a line of its own, to be searched.
func Causes(w io.Writer, causes []usher.Cause, codes map[string][]CodeRow) error {
	t := newTyping(TextOptions{})
	widest := 0
	for _, c := range causes {
		widest = max(widest, columns(label(c.Label)))
	}
	for _, c := range causes {
		text := sentence(prose(c.Title)) + " To fix: " + FixerName(c.Fixer) + "."
		if counted := countCodes(codes[c.Label]); counted != "" {
			text += " (" + counted + ")"
		}
		t.para(padded(label(c.Label), widest)+"  ", text)
	}
	t.line("")
	t.line(plural(len(causes), "cause", "causes") + ", " + plural(totalCodes(causes, codes), "code", "codes") + ".")
	if totalCodes(causes, codes) > 0 {
		t.line("")
	}
	for _, c := range causes {
		for _, row := range sortedCodes(codes[c.Label]) {
			t.line(padded(label(c.Label), widest) + "  " + label(row.Provider) + " " + label(row.Code) + "  " + prose(row.Meaning))
		}
	}
	_, err := w.Write(t.out.Bytes())
	return err
}

func padded(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-columns(s)))
}

// CausesMarkdown writes docs/reference/causes.md: a table of the causes, then
// each with its meaning, fixes, questions, references and codes. The codes are
// keyed by the label of the cause.
func CausesMarkdown(w io.Writer, causes []usher.Cause, codes map[string][]CodeRow) error {
	var m marking
	m.line("# Causes")
	m.line("\nEvery cause that `usher explain` can name, with who can fix it. ",
		plural(len(causes), "cause", "causes"), ", ", plural(totalCodes(causes, codes), "error code", "error codes"), " of providers.\n")
	m.line("| cause | what is wrong | who can fix it | codes |")
	m.line("|---|---|---|---:|")
	for _, c := range causes {
		name := mdCellCode(label(c.Label))
		if anchored(c.Label) {
			name = "[" + name + "](#" + c.Label + ")"
		}
		m.line("| ", name, " | ", mdCell(prose(c.Title)), " | ", mdCell(FixerName(c.Fixer)), " | ", fmt.Sprint(len(codes[c.Label])), " |")
	}
	for _, c := range causes {
		m.cause(c, codes[c.Label])
	}
	_, err := w.Write(m.out.Bytes())
	return err
}

func (m *marking) cause(c usher.Cause, codes []CodeRow) {
	m.heading(mdText(label(c.Label)))
	m.line("**", mdText(sentence(prose(c.Title))), "** ", whoFixes(c.Fixer))
	if c.Step != "" {
		m.line("It shows at: ", mdText(StepName(c.Step)), ".")
	}
	if c.Meaning != "" {
		m.line("\n", mdText(prose(c.Meaning)))
	}
	if len(c.Questions) > 0 {
		m.line("\nQuestions that decide it:\n")
		for i, q := range c.Questions {
			m.line(ordinal(i), " ", mdText(prose(q)))
		}
	}
	if len(c.Fix) > 0 {
		m.line("\nFixes:\n")
		for i, f := range c.Fix {
			text := mdText(prose(f.Text))
			if Weakening(f) {
				text += " **(weakens security)**"
			}
			m.line(ordinal(i), " ", text)
		}
	}
	if c.Verify != "" {
		m.line("\nFixed when: ", mdText(prose(c.Verify)))
	}
	if len(c.References) > 0 {
		m.line("\nReferences:\n")
		for _, r := range c.References {
			m.line("- ", mdReference(prose(r)))
		}
	}
	if len(codes) == 0 {
		return
	}
	m.line("\n| code | name | meaning |")
	m.line("|---|---|---|")
	for _, row := range sortedCodes(codes) {
		name := ""
		if row.Name != "" {
			name = mdCellCode(prose(row.Name))
		}
		m.line("| ", mdCell(ProviderName(row.Provider)), " ", mdCellCode(prose(row.Code)), " | ", name, " | ", mdCell(prose(row.Meaning)), " |")
	}
}

// countCodes says how many codes of each provider there are: "entra 12, okta 3".
func countCodes(codes []CodeRow) string {
	count := map[string]int{}
	for _, c := range codes {
		count[c.Provider]++
	}
	providers := make([]string, 0, len(count))
	for p := range count {
		providers = append(providers, p)
	}
	sort.Strings(providers)
	for i, p := range providers {
		providers[i] = fmt.Sprintf("%s %d", label(p), count[p])
	}
	return strings.Join(providers, ", ")
}

// sortedCodes orders codes by provider, then by code; the caller's stay as
// they are.
func sortedCodes(codes []CodeRow) []CodeRow {
	codes = slices.Clone(codes)
	slices.SortStableFunc(codes, func(a, b CodeRow) int {
		if a.Provider != b.Provider {
			return strings.Compare(a.Provider, b.Provider)
		}
		if len(a.Code) != len(b.Code) { // so that numbers stand in their order
			return len(a.Code) - len(b.Code)
		}
		return strings.Compare(a.Code, b.Code)
	})
	return codes
}

func totalCodes(causes []usher.Cause, codes map[string][]CodeRow) int {
	n := 0
	for _, c := range causes {
		n += len(codes[c.Label])
	}
	return n
}

// anchored tells whether a heading of this text gets the text itself as its
// anchor.
func anchored(s string) bool {
	for i := 0; i < len(s); i++ {
		if !(s[i] >= 'a' && s[i] <= 'z' || s[i] >= '0' && s[i] <= '9' || s[i] == '-') {
			return false
		}
	}
	return s != "" && len(s) <= maxLabel
}
