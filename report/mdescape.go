package report

import "strings"

// mdText escapes running text for Markdown. A word that a renderer could turn
// into a link, a mention or a reference to an issue becomes code, for those are
// made after the escapes are gone.
func mdText(s string) string {
	if s == "" {
		return ""
	}
	words := strings.Split(s, " ")
	for i, word := range words {
		if linkable(word) || identifier(word) {
			words[i] = mdCodeWord(word)
		} else {
			words[i] = mdEscape(word)
		}
	}
	return strings.Join(words, " ")
}

// linkable tells whether a renderer makes something of a word by itself:
// scheme://, www., mail addresses and @mentions, #1 and GH-1.
func linkable(word string) bool {
	if strings.ContainsAny(word, "@#") {
		return true
	}
	lower := strings.ToLower(word)
	return strings.Contains(lower, "www.") || strings.Contains(lower, ":") && strings.Contains(lower, "/") ||
		strings.Contains(lower, "mailto:") || strings.Contains(lower, "xmpp:") || strings.Contains(lower, "gh-")
}

// identifier tells whether a word is a name like redirect_uri, which reads
// better as code than with its underscores escaped.
func identifier(word string) bool {
	return strings.Contains(strings.Trim(word, "_"), "_") && !strings.ContainsAny(word, "`\\")
}

// mdCodeWord keeps the punctuation of the sentence out of the code.
func mdCodeWord(word string) string {
	core := strings.TrimRight(word, ".,;:!?)\"'")
	lead := core[:len(core)-len(strings.TrimLeft(core, "(\"'"))]
	return mdEscape(lead) + mdCode(core[len(lead):]) + mdEscape(word[len(core):])
}

// mdEscape escapes every character that means something in Markdown,
// wherever it stands: a list item that begins with it would be enough.
func mdEscape(s string) string {
	if !strings.ContainsAny(s, mdSpecial) && !leadsList(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '<': // an entity holds where a renderer does not know escapes
			b.WriteString("&lt;")
			continue
		case '&':
			b.WriteString("&amp;")
			continue
		}
		if strings.IndexByte(mdSpecial, s[i]) >= 0 {
			b.WriteByte('\\')
		} else if i > 0 && leadsList(s[:i+1]) && (s[i] == '.' || s[i] == ')') {
			b.WriteByte('\\')
		} else if i == 0 && leadsList(s) && (s[i] == '-' || s[i] == '+' || s[i] == '=') {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mdSpecial are characters that are always escaped: emphasis, code, links,
// HTML, entities, tables, headings, strikethrough and mathematics.
const mdSpecial = "\\`*_[]<>&|#~$"

// leadsList tells whether a word would begin a list or underline a heading.
func leadsList(s string) bool {
	if s == "" {
		return false
	}
	if s[0] == '-' || s[0] == '+' || s[0] == '=' {
		return true
	}
	digits := strings.TrimLeft(s, "0123456789")
	return len(digits) < len(s) && (digits == "." || digits == ")")
}

// mdCode writes a string as a code span that its own backticks cannot end.
func mdCode(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	if strings.TrimSpace(s) == "" {
		return "(empty)"
	}
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " "
	}
	return fence + s + fence
}

// mdCell is mdText for a cell of a table, and mdCellCode is mdCode: a table is
// cut at its pipes before code is looked for.
func mdCell(s string) string { return guardPipes(mdText(s)) }

func mdCellCode(s string) string { return guardPipes(mdCode(s)) }

// guardPipes escapes the pipes that nothing escapes yet.
func guardPipes(s string) string {
	if !strings.Contains(s, "|") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '|' {
			before := len(b.String()) - len(strings.TrimRight(b.String(), `\`))
			if before%2 == 0 {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// webLink gives the address of a reference that is one: a plain https URL
// without a character that could end it.
func webLink(reference string) (url string, ok bool) {
	if len(reference) > 300 || !strings.HasPrefix(reference, "https://") {
		return "", false
	}
	for i := 0; i < len(reference); i++ {
		c := reference[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("-_:/?#=&.,;%+~", c) < 0 {
			return "", false
		}
	}
	host := strings.TrimPrefix(reference, "https://")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return reference, strings.Contains(host, ".") && !strings.HasPrefix(host, ".") && !strings.Contains(host, ":")
}
