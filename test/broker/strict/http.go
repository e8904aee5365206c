package strict

import (
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ServeHTTP answers /token and what is below it, /introspect and /api.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/token") {
		p.serveToken(w, r)
		return
	}
	switch r.URL.Path {
	case "/introspect":
		form, id, secret, style := credentials(w, r)
		active, ok := p.Introspect(id, secret, style, form.Get("token"))
		switch {
		case !ok && p.failing():
			panic(http.ErrAbortHandler)
		case !ok:
			write(w, refuse(401, "invalid_client", "client authentication failed"))
		case active:
			write(w, Reply{Status: 200, Type: "application/json", Body: []byte(`{"active":true}`)})
		default:
			write(w, Reply{Status: 200, Type: "application/json", Body: []byte(`{"active":false}`)})
		}
	case "/api":
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !p.Accepts(token) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="the token is expired or revoked"`)
			p.count(w, 401)
			return
		}
		p.count(w, 200)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) count(w http.ResponseWriter, status int) {
	p.mu.Lock()
	p.used[http.StatusText(status)]++
	p.mu.Unlock()
	w.WriteHeader(status)
}

func (p *Provider) failing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault != Up
}

func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	form, id, secret, style := credentials(w, r)
	reply := p.Token(From(r.Context(), r.UserAgent()), id, secret, style, form)
	if reply.Status == 0 {
		panic(http.ErrAbortHandler) // net/http closes the connection
	}
	gone := r.Context().Err() != nil
	if !gone && write(w, reply) == nil && http.NewResponseController(w).Flush() == nil {
		p.mu.Lock()
		reply.record.Delivered = true
		p.mu.Unlock()
	}
}

// credentials reads how a client says who it is.
func credentials(w http.ResponseWriter, r *http.Request) (form url.Values, id, secret, style string) {
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10)) // read whole: net/http then watches for the sender to go
	form, _ = url.ParseQuery(string(body))
	if name, password, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(name)
		secret, _ = url.QueryUnescape(password)
		return form, id, secret, "client_secret_basic"
	}
	if form.Has("client_secret") {
		return form, form.Get("client_id"), form.Get("client_secret"), "client_secret_post"
	}
	return form, form.Get("client_id"), "", "none"
}

func write(w http.ResponseWriter, r Reply) error {
	w.Header().Set("Content-Type", r.Type)
	w.Header().Set("Cache-Control", "no-store")
	if r.Retry != "" {
		w.Header().Set("Retry-After", r.Retry)
	}
	w.WriteHeader(r.Status)
	_, err := w.Write(r.Body)
	return err
}
