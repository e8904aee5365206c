package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"usher"
)

//go:embed assets pages
var files embed.FS

// page is what every page has.
type page struct {
	Title   string
	Problem string // what went wrong with what the person just did
	View    any

	Who     string // who is signed in
	Member  bool   // sees the navigation
	Session bool   // may sign out
	Section string // of the navigation
	Live    bool   // follows changes
	Broker  bool   // there are connections
	URL     string // where the page can be loaded again
	Version string
	Zone    string
	Style   string
	Script  string
	Icon    string
}

// render writes a page. A page that cannot be rendered is a defect and is told
// as one, never half.
func (c *console) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	who := actorOf(r.Context())
	p.Who, p.Member = show(who.name), who.name != ""
	p.Session = who.session != nil
	p.Broker = c.opt.Connections != nil
	p.Version = show(c.opt.Version)
	p.Zone = c.opt.Now().In(c.opt.Location).Format("MST (-07:00)")
	p.Style, p.Script, p.Icon = assetPath("console.css"), assetPath("console.js"), assetPath("icon.svg")
	if p.Section == "" {
		p.Section = name
	}
	if p.URL == "" {
		p.URL = r.URL.RequestURI()
	}
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, p); err != nil {
		c.opt.Log.Error("a page could not be rendered", "page", name, "error", err)
		http.Error(w, "this page could not be rendered; the log of usher serve says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// templates parses the pages when the first one is asked for.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"capital":  capital,
		"sentence": sentence,
		"rich":     usher.SentenceParts,
	}).ParseFS(files, "pages/*.html"))
})

// problemPage tells a person that something went wrong.
func (c *console) problemPage(w http.ResponseWriter, r *http.Request, status int, p problem) {
	c.render(w, r, status, "problem", page{Title: sentence(capital(p.Message)), View: struct{ Hint string }{sentence(capital(p.Hint))}})
}

// asset serves the style, the script and the icon. Their address holds a hash
// of their content, so a browser may keep them for ever.
func (c *console) asset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	text, err := files.ReadFile("assets/" + name)
	if err != nil {
		return refusal(usher.ErrNotFound, "there is no such file", "")
	}
	types := map[string]string{".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
	w.Header().Set("Content-Type", types[name[strings.LastIndex(name, "."):]]+"; charset=utf-8")
	if r.URL.Query().Get("v") == assetHash(name) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(text)
	return nil
}

func assetPath(name string) string { return "/assets/" + name + "?v=" + assetHash(name) }

func assetHash(name string) string { return assetHashes()[name] }

var assetHashes = sync.OnceValue(func() map[string]string {
	hashes := map[string]string{}
	entries, _ := files.ReadDir("assets") // embedded: always there
	for _, e := range entries {
		text, _ := files.ReadFile("assets/" + e.Name())
		sum := sha256.Sum256(text)
		hashes[e.Name()] = hex.EncodeToString(sum[:6])
	}
	return hashes
})
