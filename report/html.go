package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"usher"
)

//go:embed page.html.tmpl
var pageTemplate string

//go:embed page.css
var pageStyle string

// HTML writes an answer as one page that needs nothing else: no script, no
// font, no picture from outside, and a policy that lets none in.
func HTML(w io.Writer, a *usher.Answer) error {
	p := newPage(a)
	page := htmlPage{page: p, Drawing: draw(p.Flow), Style: template.CSS(pageStyle), StyleHash: styleHash(pageStyle)}
	switch {
	case p.Answered:
		page.Tone = "wrong"
	case len(p.Cleared) > 0 && len(p.Others)+len(p.Untested) == 0:
		page.Tone = "fine"
	default:
		page.Tone = "open"
	}
	var b bytes.Buffer
	if err := parsedPage().Execute(&b, page); err != nil {
		return fmt.Errorf("render the answer as HTML: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

type htmlPage struct {
	*page
	Drawing   *drawing
	Tone      string // class of the headline: wrong, open or fine
	Style     template.CSS
	StyleHash string
}

// parsedPage parses the page when the first one is asked for, for most runs
// never write HTML.
var parsedPage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(pageFuncs()).Parse(pageTemplate))
})

func pageFuncs() template.FuncMap {
	return template.FuncMap{
		"quote":    markQuote,
		"compare":  compare,
		"shows":    func(p proofView) bool { return p.Expected != "" || p.Got != "" && !p.told() },
		"capital":  capital,
		"link":     func(s string) string { url, _ := webLink(s); return url },
		"sentence": sentence,
	}
}

// styleHash names the only style that the page's policy lets in.
func styleHash(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// marked is a string with offending words in its middle.
type marked struct{ Before, Hit, After string }

// markQuote marks the offending words of a quotation, and leaves the quotation
// out where it says no more than the got value.
func markQuote(p proofView) marked {
	if start, end, ok := p.hit(); ok {
		return marked{p.Quote[:start], p.Quote[start:end], p.Quote[end:]}
	}
	if p.Got != "" && strings.TrimSpace(p.Quote) == p.Got {
		return marked{}
	}
	return marked{Before: p.Quote}
}

// compare marks where the got value leaves the expected one.
func compare(p proofView) marked {
	if at, ok := p.divergence(); ok {
		if at == len(p.Got) {
			return marked{Before: p.Got, Hit: "…"}
		}
		return marked{Before: p.Got[:at], Hit: p.Got[at:]}
	}
	return marked{Before: p.Got}
}
