package guard

import (
	"mime"
	"net/http"
	"strings"
)

// NotJSON tells in a clause why an answer is not told to be JSON, "is
// text/html, no JSON"; empty when it is. An answer that is a page (page is
// true) must not be taken for a document even where its text would parse.
func NotJSON(h http.Header) (why string, page bool) {
	said := h.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(said)
	switch {
	case said == "":
		return "has no content type", false
	case err != nil && kind == "":
		return "has the content type " + clip(said) + ", which is none", false
	case kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"):
		return "", false
	case strings.HasPrefix(kind, "text/html") || kind == "application/xhtml+xml":
		return "is " + clip(kind) + ", a page and no JSON", true
	}
	return "is told to be " + clip(kind) + ", not application/json", false
}
