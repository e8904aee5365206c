package report

import (
	"bytes"
	_ "embed" // the page and its style
	"fmt"
	"html/template"
	"io"
	"sync"

	"usher"
)

//go:embed case.html.tmpl
var caseTemplate string

//go:embed case.css
var caseStyle string

// htmlCasePage is the page of a case or of a list of cases.
type htmlCasePage struct {
	Headline  string
	Case      *casePage
	List      *listPage
	Drawing   *drawing
	Style     template.CSS
	StyleHash string
}

func casePageOf(headline string, c *casePage, list *listPage) htmlCasePage {
	style := pageStyle + caseStyle
	p := htmlCasePage{Headline: headline, Case: c, List: list, Style: template.CSS(style), StyleHash: styleHash(style)}
	if c != nil {
		p.Drawing = draw(c.Flow)
	}
	return p
}

// parsedCasePage holds the pages of cases beside the parts of the page of an
// answer: the drawing, the proof and the meter.
var parsedCasePage = sync.OnceValue(func() *template.Template {
	t := template.Must(template.New("page").Funcs(pageFuncs()).Funcs(template.FuncMap{
		"mark": entryClass,
		"rich": usher.SentenceParts,
		// A title of a window shows no values as such.
		"plain": usher.PlainSentence,
	}).Parse(pageTemplate))
	return template.Must(t.Parse(caseTemplate))
})

func writeCasePage(w io.Writer, name string, p htmlCasePage) error {
	var b bytes.Buffer
	if err := parsedCasePage().ExecuteTemplate(&b, name, p); err != nil {
		return fmt.Errorf("render the case as HTML: %w", err)
	}
	return writeAll(w, b.Bytes())
}

// entryClass is the class of a line of the timeline.
func entryClass(k usher.EntryKind) string {
	switch entryInk(k) {
	case green:
		return "passed"
	case red:
		return "failed"
	case yellow:
		return "unknown"
	}
	return "other"
}
