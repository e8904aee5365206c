package ingest

import (
	"reflect"
	"strings"

	"usher"
)

// Merge fills what ev does not know with what also, another record of the same
// sign-in, tells. Entra writes most sign-ins in two rows that differ in little.
// Where both know a field and differ, ev's stays, whichever came first; only of
// the required authentication the stronger counts, so that the order of rows
// does not.
func Merge(ev, also *usher.Event) {
	if strings.EqualFold(also.OAuth.AuthRequired, "multiFactorAuthentication") {
		ev.OAuth.AuthRequired = also.OAuth.AuthRequired
		if ev.MFA != nil {
			ev.MFA = also.MFA
		}
	}
	fill(reflect.ValueOf(ev).Elem(), reflect.ValueOf(also).Elem())
}

// fill copies each field that is empty in to and known in from.
func fill(to, from reflect.Value) {
	for i := range to.NumField() {
		a, b := to.Field(i), from.Field(i)
		switch {
		case a.Type() == reflect.TypeFor[usher.Party](), a.Type() == reflect.TypeFor[usher.Endpoint](), a.Type() == reflect.TypeFor[usher.Request](),
			a.Type() == reflect.TypeFor[usher.Device](), a.Type() == reflect.TypeFor[usher.OAuthFacts]():
			fill(a, b)
		case a.Kind() == reflect.Bool || a.Type() == reflect.TypeFor[usher.Status]() || a.Type() == reflect.TypeFor[usher.EventKind]():
		case a.IsZero() && a.CanSet():
			a.Set(b)
		}
	}
}
