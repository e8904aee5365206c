package console

import (
	_ "embed" // the document
	"net/http"
)

// operation is what the OpenAPI document says of a route. A route without an
// ID is a page and stands in no document.
type operation struct {
	ID, Summary, Detail string
	Query               []parameter
	Takes, Gives        any    // values of the types of the bodies; nil: none
	TakesType, Type     string // media types; empty: application/json
}

type parameter struct{ Name, Type, Detail string }

// document is made from the table of routes and the types of the bodies by
// go test ./console -run OpenAPI -update, so that a start of the server
// computes nothing.
//
//go:embed openapi.json
var document []byte

func (c *console) openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(document)
	return nil
}
