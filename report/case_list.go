package report

import (
	"strconv"
	"strings"

	"usher"
)

// listPage is a list of cases as a person reads it.
type listPage struct {
	Headline string
	Rows     []listRow
	Next     []nextStep
}

type listRow struct {
	ID, State, Tone, Kind, Cause string
	Title                        string
	Since, Last, Ago             string
	Tries                        string
	Addresses, Users             string
	Behind                       string // the case that it is hidden behind
}

// mostListed is how many cases a server lists at most.
const mostListed = 1000

func newListPage(cases []usher.Case, opt CaseOptions) *listPage {
	d := newDial(opt)
	p := &listPage{}
	tally, hidden := map[usher.CaseState]int{}, 0
	for i := range cases {
		c := maskedCase(&cases[i])
		if c.Behind != 0 {
			hidden++
		} else {
			tally[c.State]++
		}
		row := listRow{
			ID: strconv.FormatInt(c.ID, 10), State: label(string(c.State)), Tone: stateTone(c.State), Kind: kindWords(c.Kind),
			Cause: label(c.Finding.Cause), Title: prose(caseTitle(&c)),
			Since: d.short(c.First), Last: d.short(c.Last), Ago: d.ago(c.Last), Tries: strconv.Itoa(c.Count),
		}
		if c.Addresses > 0 {
			row.Addresses = counted(c.Addresses, "address", "addresses")
		}
		if c.Users > 0 {
			row.Users = counted(c.Users, "user", "users")
		}
		if c.Behind != 0 {
			row.Behind = "behind case " + strconv.FormatInt(c.Behind, 10)
		}
		p.Rows = append(p.Rows, row)
	}
	if len(cases) == 0 {
		p.Headline = "No case asks for somebody."
		p.Next = []nextStep{{"usher cases list --all", "shows also those that are fixed, quiet, intended, or hidden behind another"}}
		return p
	}
	var parts []string
	for _, s := range usher.CaseStates {
		if n := tally[s]; n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+string(s))
			delete(tally, s)
		}
	}
	rest := 0
	for _, n := range tally {
		rest += n
	}
	if rest > 0 {
		parts = append(parts, strconv.Itoa(rest)+" in another state")
	}
	if hidden > 0 {
		parts = append(parts, strconv.Itoa(hidden)+" hidden behind another")
	}
	p.Headline = plural(len(cases), "case", "cases") + ": " + strings.Join(parts, ", ") + "."
	if len(cases) >= mostListed {
		p.Headline = "The first " + p.Headline + " There may be more: choose by state or client."
	}
	p.Next = []nextStep{{"usher cases show " + p.Rows[0].ID, "tells the story of the first one"}}
	return p
}
