package lab

import (
	"net/http"
)

// Lab is the provider and its API; it is an http.Handler and safe for
// concurrent use.
type Lab struct {
	mux *http.ServeMux
}

// New makes a lab.
func New(opt Options) *Lab { return &Lab{mux: http.NewServeMux()} }

// ServeHTTP implements http.Handler.
func (l *Lab) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.mux.ServeHTTP(w, r) }

// Switch turns a fault on or off. Switching to the state that it has changes nothing.
func (l *Lab) Switch(name string, on bool) error { return unknownFault(name) }

// On lists the names of the faults that are on, sorted.
func (l *Lab) On() []string { return nil }
