package lab

import (
	"html/template"
	"net/http"
	"net/url"
	"sync"
)

// errorPage is what a page of refusal says.
type errorPage struct {
	Realm   string
	Message string
	Details []pair // Entra's troubleshooting details
	Entra   bool
}

// formPage asks a person for something.
type formPage struct {
	Realm, Client string
	Action        string
	Notice        string
	User          string
	Scopes        []string // of a consent page
	People        []string // who can sign in, told because this is a lab
}

// pair's members for templates.
func (p pair) Key() string   { return p.key }
func (p pair) Value() string { return p.value }

// templates are parsed when the first page is asked for.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("pages").Parse(pages))
})

const pages = `
{{define "head"}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{{.}}</title><style>
:root{color-scheme:light dark;--ink:#1d2530;--paper:#fff;--ground:#eef1f5;--line:#c6ced9;--accent:#1f5fbf;--bad:#a3261c}
@media(prefers-color-scheme:dark){:root{--ink:#e7ebf1;--paper:#1b222c;--ground:#10151c;--line:#3b4757;--accent:#7db0ff;--bad:#ff9c92}}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:2rem;width:min(26rem,calc(100vw - 4rem))}
h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:.75rem 0 .25rem}
input{box-sizing:border-box;width:100%;font:inherit;padding:.5rem;border:1px solid var(--line);border-radius:6px;background:transparent;color:inherit}
button{margin:1.25rem .5rem 0 0;font:inherit;padding:.5rem 1.25rem;border:1px solid var(--accent);border-radius:6px;background:var(--accent);color:var(--paper);cursor:pointer}
button.second{background:transparent;color:inherit;border-color:var(--line)}
.bad{color:var(--bad)}.small{font-size:.875rem}dl{font-size:.875rem;overflow-wrap:anywhere}dt{font-weight:600}dd{margin:0 0 .25rem}
</style></head><body><main>{{end}}

{{define "signin"}}{{template "head" (printf "Sign in to %s" .Realm)}}<h1>Sign in to {{.Realm}}</h1>
{{with .Notice}}<p class="bad" role="alert" id="input-error">{{.}}</p>{{end}}
<form id="kc-form-login" method="post" action="{{.Action}}">
<label for="username">User name or e-mail</label><input id="username" name="username" value="{{.User}}" autocomplete="username" autofocus required>
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required>
<button id="kc-login" type="submit">Sign in</button></form>
<p class="small">{{.Client}} asks who you are. This is a lab{{with .People}}: the password of {{range $i, $p := .}}{{if $i}} and {{end}}{{$p}}{{end}} is the name with "-password" behind it{{end}}.</p>
</main></body></html>{{end}}

{{define "consent"}}{{template "head" "Permissions requested"}}<h1>Permissions requested</h1>
<p>{{.Client}} asks {{.User}} for:</p><ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<form method="post" action="{{.Action}}"><button name="consent" value="accept" type="submit">Accept</button><button class="second" name="consent" value="cancel" type="submit">Cancel</button></form>
</main></body></html>{{end}}

{{define "error"}}{{if .Entra}}{{template "head" "Sign in to your account"}}<h1>Sorry, but we’re having trouble signing you in.</h1>
<p id="service_exception_message">{{.Message}}</p><h2 class="small">Troubleshooting details</h2>
<dl>{{range .Details}}<dt>{{.Key}}:</dt><dd>{{.Value}}</dd>{{end}}</dl>
{{else}}{{template "head" (printf "Sign in to %s" .Realm)}}<h1 id="kc-page-title">We are sorry...</h1>
<div id="kc-error-message"><p class="instruction">{{.Message}}</p></div>
{{end}}</main></body></html>{{end}}

{{define "post"}}<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Back to the app</title></head>
<body onload="document.forms[0].submit()"><form method="post" action="{{.To}}">{{range $name, $values := .Fields}}<input type="hidden" name="{{$name}}" value="{{index $values 0}}">{{end}}
<button type="submit">Go on</button></form></body></html>{{end}}
`

func (l *Lab) render(w http.ResponseWriter, status int, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if name != "post" { // which needs its script, and goes to the app
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	}
	w.WriteHeader(status)
	_ = templates().ExecuteTemplate(w, name, data) // the browser has gone away
}

func (l *Lab) page(w http.ResponseWriter, status int, p errorPage) { l.render(w, status, "error", p) }

// postBack answers in the response mode form_post.
func (l *Lab) postBack(w http.ResponseWriter, to string, q url.Values) {
	l.render(w, http.StatusOK, "post", struct {
		To     string
		Fields url.Values
	}{to, q})
}
