package report

import (
	"io"
	"strings"

	"usher"
)

// Format is a form in which an answer can be written.
type Format string

// The formats of an answer.
const (
	FormatText     Format = "text"     // for a person at a terminal
	FormatJSON     Format = "json"     // the contract of docs/reference/explain-json.md
	FormatMarkdown Format = "markdown" // for an issue or a chat
	FormatHTML     Format = "html"     // one page that needs nothing else
)

// Formats lists every format in the order in which help names them.
var Formats = []Format{FormatText, FormatJSON, FormatMarkdown, FormatHTML}

// ParseFormat reads the value of a --format flag. Its error is a *usher.Error
// with the code usher.ErrUsage.
func ParseFormat(s string) (Format, error) {
	names := make([]string, len(Formats))
	for i, f := range Formats {
		if string(f) == s {
			return f, nil
		}
		names[i] = string(f)
	}
	return "", &usher.Error{
		Code:    usher.ErrUsage,
		Message: "no format " + Inert(shorten(s, 40)),
		Hint:    "use --format " + strings.Join(names, ", --format "),
	}
}

// Write renders an answer in one of the formats. The options matter to
// FormatText only.
func Write(w io.Writer, a *usher.Answer, format Format, opt TextOptions) error {
	switch format {
	case FormatText, "":
		return Text(w, a, opt)
	case FormatJSON:
		return JSON(w, a)
	case FormatMarkdown:
		return Markdown(w, a)
	case FormatHTML:
		return HTML(w, a)
	}
	_, err := ParseFormat(string(format))
	return err
}
