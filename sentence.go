package usher

import "strings"

// The sentences that usher writes about cases (titles, summaries, the lines of a
// timeline, the comment of a proof) hold values that others chose. One that is
// to be shown as a value stands between backticks, and so does every one that
// has a backtick itself: that is doubled, so that no value can begin or end the
// place of one.

// MarkValue gives a value as it stands within a sentence that shows it as one.
func MarkValue(value string) string {
	return "`" + strings.ReplaceAll(value, "`", "``") + "`"
}

// EscapeValue gives a value as it stands within a sentence that says it in
// passing.
func EscapeValue(value string) string {
	if strings.Contains(value, "`") {
		return MarkValue(value)
	}
	return value
}

// SentencePart is a part of a sentence: words, or a value that is shown as one.
type SentencePart struct {
	Text  string
	Value bool
}

// SentenceParts takes a sentence apart. A backtick that begins no value, or
// one without an end, as in a sentence that was cut, stands for itself.
func SentenceParts(s string) []SentencePart {
	var parts []SentencePart
	for s != "" {
		words, rest, marked := strings.Cut(s, "`")
		if words != "" {
			parts = append(parts, SentencePart{Text: words})
		}
		if !marked {
			break
		}
		value, after, ended := cutValue(rest)
		switch {
		case !ended:
			value = "`" + value
		case value == "":
			value, ended = "``", false
		}
		parts = append(parts, SentencePart{value, ended})
		s = after
	}
	return parts
}

// cutValue reads a value up to its closing backtick.
func cutValue(s string) (value, rest string, ended bool) {
	var b strings.Builder
	for {
		text, after, ok := strings.Cut(s, "`")
		b.WriteString(text)
		if !ok {
			return b.String(), "", false
		}
		if s, ok = strings.CutPrefix(after, "`"); !ok {
			return b.String(), after, true
		}
		b.WriteByte('`')
	}
}

// PlainSentence gives a sentence without its marks, where nothing can be shown
// as a value: in the title of a window.
func PlainSentence(s string) string {
	var b strings.Builder
	for _, p := range SentenceParts(s) {
		b.WriteString(p.Text)
	}
	return b.String()
}
