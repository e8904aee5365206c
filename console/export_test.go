package console

import (
	"net/http"
	"reflect"
	"time"

	"usher/report"
)

// Route is a row of the table of routes, for the tests.
type Route struct {
	Method, Path         string
	Open, API            bool
	ID, Summary, Detail  string
	Query                []Parameter
	Takes, Gives         reflect.Type
	TakesType, GivesType string
}

type Parameter = parameter

func Routes() []Route {
	var all []Route
	for _, r := range routes {
		one := Route{
			Method: r.Method, Path: r.Path, Open: r.Access == open, API: r.API, ID: r.Doc.ID, Summary: r.Doc.Summary,
			Detail: r.Doc.Detail, Query: r.Doc.Query, TakesType: r.Doc.TakesType, GivesType: r.Doc.Type,
		}
		if r.Doc.Takes != nil {
			one.Takes = reflect.TypeOf(r.Doc.Takes)
		}
		if r.Doc.Gives != nil {
			one.Gives = reflect.TypeOf(r.Doc.Gives)
		}
		all = append(all, one)
	}
	return all
}

type (
	ProblemBody  = problemBody
	DocumentBody = documentBody
)

// NewCounted is New, and counts how often a password is computed.
func NewCounted(opt Options) (http.Handler, func() int64) {
	c := newConsole(opt)
	return c.handler(), c.hasher.derived.Load
}

// Compare marks the characters that differ with [ and ].
func Compare(expected, got string) (a, b, words string) {
	c := compare(report.Exact(expected), report.Exact(got))
	draw := func(parts []part) string {
		s := ""
		for _, p := range parts {
			if p.Only {
				s += "[" + p.Text + "]"
			} else {
				s += p.Text
			}
		}
		return s
	}
	return draw(c.Expected), draw(c.Got), c.Words
}

var (
	OwnPath    = ownPath
	ReadEvents = readEvents
	Span       = span
)

// Beat shortens the times of streams for one test.
func Beat(beat, write time.Duration) (restore func()) {
	b, w := beatEvery, writeLimit
	beatEvery, writeLimit = beat, write
	return func() { beatEvery, writeLimit = b, w }
}
