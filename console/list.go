package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"usher"
	"usher/report"
)

// listView is the page of cases.
type listView struct {
	Tabs    []tab
	Rows    []caseRow
	Clients []string
	Client  string
	Show    string
	Any     bool // there are cases, if not in this tab
	More    bool // there are more than are shown
	Sources []sourceRow
}

type tab struct {
	Name, Words, URL string
	Count            int
	Current          bool
}

type caseRow struct {
	ID                     int64
	State                  usher.CaseState
	StateWord, Kind        string
	Title, Cause, Provider string
	Client, Tenant         string
	Escalated              bool
	Since, Last            moment
	Tries, Addresses       string
	Users, Next            string
	Spark                  *spark
}

type sourceRow struct {
	Name, Error string
	Last        moment
}

// maxRows is the number of cases on one page.
const maxRows = 500

// A pile is where people look for a case.
type pile struct {
	name, words string
	holds       func(*usher.Case) bool
}

var tabs = []pile{
	{"", "Needs you", func(c *usher.Case) bool { return c.State.Active() && c.Behind == 0 }},
	{"quiet", "Quiet", func(c *usher.Case) bool { return c.State == usher.CaseQuiet }},
	{"intended", "Intended", func(c *usher.Case) bool { return c.State == usher.CaseIntended }},
	{"fixed", "Fixed", func(c *usher.Case) bool { return c.State == usher.CaseFixed }},
	{"all", "All", func(*usher.Case) bool { return true }},
}

func (c *console) listPage(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	cases, err := c.opt.Cases.List(r.Context(), Filter{All: true, Limit: maxRows})
	if err != nil {
		return err
	}
	view := listView{Client: show(query.Get("client")), Show: query.Get("show"), Any: len(cases) > 0, More: len(cases) == maxRows}
	at := slices.IndexFunc(tabs, func(t pile) bool { return t.name == view.Show })
	if at < 0 {
		return refusal(usher.ErrNotFound, "there is no such list of cases", "the lists are behind the tabs of the page of cases")
	}
	for i := range cases {
		if name := show(clientOf(&cases[i])); name != "" && !slices.Contains(view.Clients, name) {
			view.Clients = append(view.Clients, name)
		}
	}
	slices.Sort(view.Clients)
	if client := query.Get("client"); client != "" { // asked for anew: its cases may be beyond the first
		if cases, err = c.opt.Cases.List(r.Context(), Filter{All: true, Client: client, Limit: maxRows}); err != nil {
			return err
		}
		view.More = len(cases) == maxRows
	}
	for i, t := range tabs {
		view.Tabs = append(view.Tabs, tab{Name: t.name, Words: t.words, Current: i == at, URL: listURL(t.name, query.Get("client"))})
		for k := range cases {
			if t.holds(&cases[k]) {
				view.Tabs[i].Count++
			}
		}
	}
	cases = slices.DeleteFunc(cases, func(found usher.Case) bool { return !tabs[at].holds(&found) })
	slices.SortStableFunc(cases, needsFirst)
	for i := range cases {
		view.Rows = append(view.Rows, c.caseRow(&cases[i]))
	}
	if len(view.Rows) == 0 && c.opt.Sources != nil {
		for _, s := range c.opt.Sources(r.Context()) {
			view.Sources = append(view.Sources, sourceRow{show(s.Name), show(s.Error), c.moment(s.Last)})
		}
	}
	title := "Cases"
	if n := view.Tabs[0].Count; n > 0 {
		title = "(" + thousands(n) + ") Cases"
	}
	c.render(w, r, http.StatusOK, "list", page{Title: title, View: view, Live: true})
	return nil
}

// needsFirst puts first what cannot wait: an attack that got in, then what asks
// for somebody, then the latest.
func needsFirst(a, b usher.Case) int {
	rank := func(c *usher.Case) int {
		if !c.Escalated.IsZero() && c.State.Active() {
			return -1
		}
		return slices.Index(usher.CaseStates, c.State)
	}
	return cmp.Or(cmp.Compare(rank(&a), rank(&b)), b.Last.Compare(a.Last), cmp.Compare(b.ID, a.ID))
}

func clientOf(c *usher.Case) string {
	return cmp.Or(c.Refusal.Client.UID, c.Finding.Subject.Client, c.Refusal.Client.Name)
}

func listURL(name, client string) string {
	values := url.Values{}
	if name != "" {
		values.Set("show", name)
	}
	if client != "" {
		values.Set("client", client)
	}
	if len(values) == 0 {
		return "/"
	}
	return "/?" + values.Encode()
}

func (c *console) caseRow(found *usher.Case) caseRow {
	row := caseRow{
		ID: found.ID, State: plainWord(found.State), StateWord: stateWord(found.State), Kind: kindWord(found.Kind),
		Title: sentence(show(found.Title)), Cause: show(found.Finding.Cause), Provider: report.ProviderName(found.Refusal.Provider),
		Client: show(clientOf(found)), Tenant: show(found.Refusal.Tenant),
		Escalated: !found.Escalated.IsZero(),
		Since:     c.moment(found.First), Last: c.moment(found.Last),
		Tries: count(found.Count, "try", "tries"), Spark: c.drawSpark(found),
	}
	if found.Addresses > 0 {
		row.Addresses = count(found.Addresses, "address", "addresses")
	}
	if found.Users > 0 {
		row.Users = count(found.Users, "person", "people")
	}
	row.Next = nextShort(found)
	return row
}

// nextShort says in a few words what a case waits for.
func nextShort(c *usher.Case) string {
	switch c.State {
	case usher.CaseOpen, usher.CaseRegressed:
		for _, f := range c.Fixes {
			if f.Action != nil {
				return "usher can fix this"
			}
		}
		if len(c.Fixes) > 0 {
			return "fix: " + report.FixerName(c.Fixes[0].Fixer)
		}
	case usher.CaseFixing:
		return "a fix is under way"
	case usher.CaseVerifying:
		return "waiting for proof"
	}
	return ""
}
