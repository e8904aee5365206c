package evidence

import (
	"strings"

	"golang.org/x/net/html"

	"usher"
)

func sniffPage(p *piece) int {
	h := p.start()
	if len(h) < 4 || h[0] != '<' {
		return 0
	}
	l := lowerASCII(h[:min(len(h), 1024)])
	for _, tag := range [...]string{"<!doctype", "<html", "<head", "<body", "<div", "<h1", "<title", "<p>", "<table", "<section", "<main", "<form", "<script", "<meta", "<!--"} {
		if strings.HasPrefix(l, tag) {
			return 80
		}
	}
	if strings.HasPrefix(l, "<?xml") && strings.Contains(l, "html") {
		return 80
	}
	return 0
}

// Limits of a page.
const (
	maxPageText  = 256 << 10
	maxPageToken = 1 << 20
)

// readPage reads an HTML page: its title, its visible text, and what Entra's
// and others' pages carry in their scripts and hidden fields.
func readPage(r *reader, p *piece) bool {
	z := html.NewTokenizer(strings.NewReader(p.text[:min(len(p.text), 8<<20)]))
	z.SetMaxBuf(maxPageToken)
	var text, title strings.Builder
	var hidden params
	var scripts []string
	skip, inTitle := "", false
	tags := 0
loop:
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); err == html.ErrBufferExceeded {
				r.ignore(p.place(0), "the page holds an element of more than 1 MiB; the rest was left out")
			}
			break loop
		case html.StartTagToken, html.SelfClosingTagToken:
			tags++
			name, more := z.TagName()
			switch tag := string(name); tag {
			case "script", "style", "noscript", "svg":
				skip = tag
			case "title":
				inTitle = true
			case "br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "td", "section", "pre":
				newline(&text)
			case "input", "meta":
				hidden = append(hidden, field(z, more, len(hidden))...)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			switch tag := string(name); tag {
			case skip:
				skip = ""
			case "title":
				inTitle = false
			case "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "section", "pre":
				newline(&text)
			}
		case html.TextToken:
			t := string(z.Text())
			switch {
			case skip == "script":
				if len(scripts) < 32 && (strings.Contains(t, "$Config") || strings.Contains(lowerASCII(t), "error")) && len(t) < 256<<10 {
					scripts = append(scripts, t)
				}
			case skip != "":
			case inTitle:
				if title.Len() < 512 {
					title.WriteString(t)
				}
			case text.Len() < maxPageText:
				writeWords(&text, t)
			}
		}
	}
	if tags == 0 {
		return false
	}
	visible := strings.TrimSpace(text.String())
	name := strings.Join(strings.Fields(title.String()), " ")
	full := visible
	if name != "" {
		full = name + "\n" + visible
	}
	for _, s := range scripts {
		full += "\n" + pageConfig(s)
	}
	for _, q := range hidden {
		if q.key == "error" || q.key == "error_description" || strings.Contains(lowerASCII(q.key), "error") {
			full += "\n" + q.key + "=" + q.val
		}
	}
	full, _ = cleanText([]byte(full))
	r.paramSecrets(hidden)
	lower := fold(full)
	r.secretsIn(full, lower)
	raw := p.text[:min(len(p.text), 32<<10)]
	it := &Item{Line: p.line(0), Text: plainText(full)}
	it.Kind, it.Place = usher.KindErrorPage, p.place(0)
	it.Provider = pageProvider(lower, fold(raw))
	inner := piece{src: p.src, text: full, base: p.off(0), fixed: true, depth: p.depth}
	scanText(it, &inner, full, lower)
	if hidden.has("error") {
		e := it.body()
		e.Code, e.Description = hidden.get("error"), hidden.get("error_description")
		it.fact("error", e.Code, it.Place, e.Code)
	}
	detailFacts(it, full, lower)
	if hidden.has("SAMLResponse") || hidden.has("code") && hidden.has("state") {
		it.fact("response-mode", "form_post", it.Place, "")
	}
	if name == "" {
		name = visible
	}
	it.Summary = summary("page: " + name)
	if r.add(it) {
		r.embedded(&inner, full, lower)
	}
	return true
}

func newline(b *strings.Builder) {
	if s := b.String(); s != "" && s[len(s)-1] != '\n' && b.Len() < maxPageText {
		b.WriteByte('\n')
	}
}

// writeWords adds text with its white space run together, as a browser shows it.
func writeWords(b *strings.Builder, t string) {
	for _, w := range strings.Fields(t) {
		if b.Len() > maxPageText {
			return
		}
		if s := b.String(); s != "" && s[len(s)-1] != '\n' && s[len(s)-1] != ' ' {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
}

// field reads an input or a meta element as name and value.
func field(z *html.Tokenizer, more bool, have int) params {
	var q param
	for more && have < maxParams {
		var key, val []byte
		key, val, more = z.TagAttr()
		switch string(key) {
		case "name", "property", "http-equiv":
			q.key = string(val)
		case "value", "content":
			q.val = string(val)
			q.raw = q.val
		}
	}
	if q.key == "" || q.val == "" || len(q.val) > 256<<10 {
		return nil
	}
	return params{q}
}

// configMembers are members of the configuration in Entra's pages that tell
// what the page shows; the rest of it is about looks.
var configMembers = [...]string{
	"sErrorCode", "iErrorCode", "strServiceExceptionMessage", "strMainMessage", "strAdditionalMessage", "sErrTxt",
	"correlationId", "sessionId", "strErrorDescription", "errorCode", "error_description", "errorMessage", "sErrorDescription", "urlCancel",
}

// pageConfig draws the error out of a script: only the members that carry it.
func pageConfig(s string) string {
	var b strings.Builder
	for _, name := range configMembers {
		for _, quoted := range [...]string{`"` + name + `"`, name} {
			i := strings.Index(s, quoted)
			if i < 0 {
				continue
			}
			val, _ := assigned(s, i+len(quoted))
			if quoted[0] == '"' {
				val, _ = assigned(s, i+len(quoted)-1)
			}
			if val != "" && val != "null" && val != "0" && len(val) < 4096 {
				b.WriteString(name + ": " + plainJSON(val) + "\n")
				if (name == "sErrorCode" || name == "iErrorCode" || name == "errorCode") && allDigits(val) && len(val) >= 4 {
					b.WriteString("Error Code: " + val + "\n")
				}
			}
			break
		}
	}
	return b.String()
}

func pageProvider(text, raw *folded) string {
	if p := providerIn(text); p != "" {
		return p
	}
	for _, m := range [...]struct{ mark, provider string }{
		{"aadcdn.ms", "entra"},
		{"logincdn.ms", "entra"},
		{"$config=", "entra"},
		{"kc-error-message", "keycloak"},
		{"kc-page-title", "keycloak"},
		{"id=\"kc-", "keycloak"},
		{"gstatic.com", "google"},
		{"cdn.auth0.com", "auth0"},
		{"oktacdn.com", "okta"},
		{"okta-sign", "okta"},
	} {
		if strings.Contains(raw.s, m.mark) {
			return m.provider
		}
	}
	return providerIn(raw)
}
