package report

import (
	"strings"

	"usher"
)

// SentenceText writes a sentence about a case as text: values stand between
// backticks, but for those that have some themselves. It is harmless to a
// terminal.
func SentenceText(s string) string {
	var b strings.Builder
	for _, p := range usher.SentenceParts(s) {
		if p.Value && !strings.Contains(p.Text, "`") {
			p.Text = "`" + p.Text + "`"
		}
		b.WriteString(p.Text)
	}
	return Inert(b.String())
}

// mdSentence writes a sentence about a case for Markdown, its values as code.
func mdSentence(s string) string {
	var b strings.Builder
	for _, p := range usher.SentenceParts(s) {
		text := mdText(p.Text)
		if p.Value {
			text = mdCode(p.Text)
		}
		if strings.HasSuffix(b.String(), "`") && strings.HasPrefix(text, "`") {
			b.WriteByte(' ') // or the two would be read as one
		}
		b.WriteString(text)
	}
	return b.String()
}
