package report

import (
	"bytes"
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"sync"

	"usher"
)

//go:embed check.html.tmpl
var checkTemplate string

// parsedCheck is the page of check; it borrows the proof of the page of explain.
var parsedCheck = sync.OnceValue(func() *template.Template {
	t := template.Must(parsedPage().Clone())
	return template.Must(t.New("check").Parse(checkTemplate))
})

type checkHTMLPage struct {
	*checkPage
	Wanted    []missingView
	Tone      string
	Style     template.CSS
	StyleHash string
}

func checkHTML(w io.Writer, a *usher.Answer, opt CheckOptions) error {
	p := newCheckPage(a, opt)
	page := checkHTMLPage{checkPage: p, Wanted: p.Later, Style: template.CSS(pageStyle), StyleHash: styleHash(pageStyle), Tone: "open"}
	if p.Next != nil {
		page.Wanted = append([]missingView{*p.Next}, p.Later...)
	}
	switch {
	case p.Wrong > 0:
		page.Tone = "wrong"
	case len(p.Fine) > 0:
		page.Tone = "fine"
	}
	var b bytes.Buffer
	if err := parsedCheck().ExecuteTemplate(&b, "check", page); err != nil {
		return fmt.Errorf("render the answer as HTML: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
