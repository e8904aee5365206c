package console_test

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"usher"
	"usher/console"
	"usher/console/consoletest"
	"usher/report"
)

// words gives the text of a page as a person reads it.
func words(t *testing.T, page string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" {
			b.WriteString(n.Data)
			if n.Parent.Data != "mark" && n.Parent.Data != "code" {
				b.WriteString(" ")
			}
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (s *site) page(t *testing.T, path string) (page, text string) {
	t.Helper()
	got := s.do(t, "GET", path, "", trusted)
	if got.status != 200 {
		t.Fatalf("%s answers %d: %s", path, got.status, got.body)
	}
	return got.body, words(t, got.body)
}

func holds(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestListPage(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	page, text := s.page(t, "/")
	holds(t, text, "Needs you 4", "Quiet 1", "Intended 1", "Fixed 1", "All 7", "14 tries", "3 addresses", "since 11:56 , last 11:59", "usher can fix this", "Got in", "Back again", "waiting for proof")
	order := []string{"case-5", "case-7", "case-1", "case-2"} // the attack that got in, what is back, what is open, what is verified
	at := 0
	for _, id := range order {
		next := strings.Index(page[at:], `id="`+id+`"`)
		if next < 0 {
			t.Fatalf("%s stands not where it should: want %v", id, order)
		}
		at += next
	}
	if strings.Contains(page, `id="case-6"`) {
		t.Error("a fixed case needs nobody")
	}
	for show, want := range map[string]string{"quiet": "case-4", "intended": "case-3", "fixed": "case-6"} {
		page, _ := s.page(t, "/?show="+show)
		if !strings.Contains(page, want) || strings.Contains(page, "case-1") {
			t.Errorf("the pile %s is wrong", show)
		}
	}
	page, text = s.page(t, "/?show=all&client=kiosk")
	holds(t, text, "All 1")
	if !strings.Contains(page, `<option selected>kiosk</option>`) {
		t.Error("the client that is chosen is not shown as chosen")
	}
}

// TestListBeyondTheFirst: the cases of a client are found among more than one
// page holds.
func TestListBeyondTheFirst(t *testing.T) {
	cases := consoletest.Story(noon)
	for i := range 500 {
		c := consoletest.Redirect(noon.Add(-time.Duration(i) * time.Second))
		c.ID = int64(100 + i)
		cases = append(cases, c)
	}
	s := start(t, cases...)
	page, text := s.page(t, "/?show=all&client=kiosk")
	holds(t, text, "All 1")
	if !strings.Contains(page, `id="case-3"`) || strings.Contains(text, "Only the first 500") {
		t.Error("the case of the kiosk is not found")
	}
	if _, text := s.page(t, "/"); !strings.Contains(text, "Only the first 500") {
		t.Error("that there are more is not said")
	}
}

func TestEmptyList(t *testing.T) {
	s := start(t)
	_, text := s.page(t, "/")
	holds(t, text, "No sign-in was refused so far.", "usher.yaml", "usher demo")
	s = startWith(t, func(o *console.Options) {
		o.Sources = func(context.Context) []console.Source {
			return []console.Source{{Name: "keycloak log /var/log/kc.log", Last: noon.Add(-time.Minute)}, {Name: "other", Error: "permission denied"}}
		}
	})
	_, text = s.page(t, "/")
	holds(t, text, "usher is listening", "/var/log/kc.log", "last event 11:59", "permission denied")
	s = start(t, consoletest.Fixed(noon.Add(-time.Hour)))
	_, text = s.page(t, "/")
	holds(t, text, "Nothing needs you.")
}

func TestCasePage(t *testing.T) {
	s := startWith(t, func(o *console.Options) {
		o.Cause = func(string) (usher.Cause, bool) { return usher.Cause{Meaning: "Providers compare strictly."}, true }
	}, consoletest.Story(noon)...)
	page, text := s.page(t, "/cases/1")
	holds(t, text,
		"Sign-ins to 'shop' are refused: the app sends https://shop.test/cb/", "Since 11:56", "14 tries", "3 addresses",
		"It still happens, and nobody has acted on it.", "Choose a fix below",
		"Registered https://shop.test/cb", "Sent by the app https://shop.test/cb/", "1 character too many at the end",
		"Authorization request: refused here; sign-in: not reached", "Providers compare strictly.",
		"admin edited the client shop", "58 seconds before the first refusal", "ada@shop.test",
		"Correct the registered redirect URI of 'shop'.", "keeps security as it is", "Proven when the next sign-in of 'shop'", "This refusal is right", "client 'shop' at shop",
	)
	if title, _, _ := strings.Cut(page[strings.Index(page, "<title>"):], "</title>"); strings.Contains(title, "`") {
		t.Errorf("the marks of values stand in the title: %s", title)
	}
	if !strings.Contains(page, "https://shop.test/cb<mark>/</mark>") {
		t.Error("the one slash is not marked")
	}
	_, text = s.page(t, "/cases/6")
	holds(t, text, "A later success proves that it is fixed.", "The proof", "Redirect URI must be equal", "holds", "Take it back", "carried out", "by ada", "refused before, succeeds now")
	_, text = s.page(t, "/cases/3")
	holds(t, text, "The refusal is right, says security team: Kiosks are used in the office only.", "Ends 25 Jan 2027 12:00", "Open it again")
	_, text = s.page(t, "/cases/2")
	holds(t, text, "Waiting for the proof: 'billing' gets a token with another credential.", "Until 28 Nov 11:50")
	_, text = s.page(t, "/cases/4")
	holds(t, text, "The tries have stopped, and nothing proves why.")
	s.memory.Edit(1, func(c *usher.Case) { c.Consequences = []int64{4} })
	s.memory.Edit(4, func(c *usher.Case) { c.Behind = 1 })
	_, text = s.page(t, "/cases/1")
	holds(t, text, "Follows from this", "#4 API calls of 'mobile'")
	_, text = s.page(t, "/cases/4")
	holds(t, text, "This follows from case #1")
}

var hidden = regexp.MustCompile(`name="plan" value="([0-9a-f]+)"`)

// TestFixByForms is the way without any script: see the difference, say yes,
// see that it was carried out, take it back.
func TestFixByForms(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	got := s.submit(t, "/cases/1/plan", url.Values{"fix": {"1"}}, session)
	at := got.header.Get("Location")
	if got.status != 303 || !strings.HasPrefix(at, "/cases/1?plan=") || !strings.HasSuffix(at, "#fix-1") {
		t.Fatalf("%d %q", got.status, at)
	}
	if s.memory.Applications() != 0 {
		t.Fatal("a plan has changed something")
	}
	page := s.do(t, "GET", strings.TrimSuffix(at, "#fix-1"), "", session).body
	holds(t, words(t, page), "client 'shop' of realm 'shop' at https://sso.example", "taken out: https://shop.test/cb", "added: https://shop.test/cb/", "Needs manage-clients", "Make this change", "Leave it as it is")
	plan := hidden.FindStringSubmatch(page)
	if plan == nil {
		t.Fatal("the page holds no plan")
	}
	for name, form := range map[string]url.Values{
		"another plan": {"fix": {"1"}, "plan": {"0123456789abcdef"}},
		"another fix":  {"fix": {"2"}, "plan": {plan[1]}},
		"no plan":      {"fix": {"1"}},
	} {
		if got := s.submit(t, "/cases/1/apply", form, session); got.status != 409 || s.memory.Applications() != 0 {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	if got := s.submit(t, "/cases/7/apply", url.Values{"fix": {"1"}, "plan": {plan[1]}}, session); got.status != 409 || !strings.Contains(got.body, "too long ago") {
		t.Errorf("the plan of another case: %d", got.status)
	}
	got = s.submit(t, "/cases/1/apply", url.Values{"fix": {"1"}, "plan": {plan[1]}}, session)
	if got.status != 303 || got.header.Get("Location") != "/cases/1#runs" || s.memory.Applications() != 1 {
		t.Fatalf("%d %q %s", got.status, got.header.Get("Location"), got.body)
	}
	_, text := s.page(t, "/cases/1")
	holds(t, text, "A fix was carried out. It counts once it is proven.", "Waiting for the proof: the next sign-in", "Until 28 Nov 12:00", "by ada")
	got = s.submit(t, "/cases/1/undo", url.Values{"run": {"1"}}, session)
	if got.status != 303 {
		t.Fatalf("undo: %d", got.status)
	}
	_, text = s.page(t, "/cases/1")
	holds(t, text, "taken back")
	// A plan that was shown too long ago is not confirmed.
	s.submit(t, "/cases/1/plan", url.Values{"fix": {"1"}}, session)
	s.pass(16 * time.Minute)
	if got := s.submit(t, "/cases/1/apply", url.Values{"fix": {"1"}, "plan": {plan[1]}}, session); got.status != 409 || s.memory.Applications() != 1 {
		t.Errorf("an old plan: %d", got.status)
	}
}

// TestWeakening: a fix that weakens is said yes to twice, and the second time
// in writing.
func TestWeakening(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	at, _, _ := strings.Cut(s.submit(t, "/cases/7/plan", url.Values{"fix": {"2"}}, session).header.Get("Location"), "#")
	page := s.do(t, "GET", at, "", session).body
	holds(t, words(t, page), "This weakens security. Any path of the host would be let through", "Type preview to confirm", "Weaken it and make this change")
	plan := hidden.FindStringSubmatch(page)[1]
	for _, typed := range []string{"", "Preview", "preview ", "shop", "yes"} {
		got := s.submit(t, "/cases/7/apply", url.Values{"fix": {"2"}, "plan": {plan}, "client": {typed}, "weaken": {"true"}}, session)
		if got.status != 409 || s.memory.Applications() != 0 {
			t.Fatalf("typing %q: %d", typed, got.status)
		}
		holds(t, words(t, got.body), "the name that was typed is not the client's", "Type preview to confirm") // all is still in sight
	}
	if got := s.submit(t, "/cases/7/apply", url.Values{"fix": {"2"}, "plan": {plan}, "client": {"preview"}}, session); got.status != 303 || s.memory.Applications() != 1 {
		t.Errorf("typing the name: %d %s", got.status, got.body)
	}
	// By the API, too, once is not enough.
	s = start(t, consoletest.Story(noon)...)
	asJSON := header("Content-Type", "application/json")
	var made usher.FixPlan
	if err := json.Unmarshal([]byte(s.do(t, "POST", "/api/v1/cases/7/plan", `{"fix":"2"}`, trusted, asJSON).body), &made); err != nil {
		t.Fatal(err)
	}
	if got := s.do(t, "POST", "/api/v1/cases/7/apply", `{"fix":"2","plan":"`+made.ID+`"}`, trusted, asJSON); got.status != 409 || !strings.Contains(got.body, `"refused"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestSecretOnce: a new secret is shown in the answer to who asked for it.
func TestSecretOnce(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	at, _, _ := strings.Cut(s.submit(t, "/cases/2/plan", url.Values{"fix": {"1"}}, session).header.Get("Location"), "#")
	plan := hidden.FindStringSubmatch(s.do(t, "GET", at, "", session).body)[1]
	got := s.submit(t, "/cases/2/apply", url.Values{"fix": {"1"}, "plan": {plan}}, session)
	if got.status != 200 || !strings.Contains(got.body, "q1w2-new-secret-e3r4") || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, path := range []string{"/cases/2", "/", "/api/v1/cases/2"} {
		if got := s.do(t, "GET", path, "", session); strings.Contains(got.body, "q1w2") {
			t.Errorf("%s shows the secret again", path)
		}
	}
	if strings.Contains(s.log.String(), "q1w2") {
		t.Error("the secret is in the log")
	}
}

func TestOtherForms(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	if got := s.submit(t, "/cases/1/declare", url.Values{"fix": {"2"}}, session); got.status != 303 {
		t.Errorf("declare: %d", got.status)
	}
	if _, text := s.page(t, "/cases/1"); !strings.Contains(text, "declared done") {
		t.Error("the declared fix is not shown")
	}
	if got := s.submit(t, "/cases/1/declare", url.Values{"fix": {"2"}, "reason": {strings.Repeat("x", 301)}}, session); got.status != 422 {
		t.Errorf("a reason that would be cut: %d", got.status)
	}
	for name, bad := range map[string]url.Values{
		"no owner":  {"owner": {""}, "reason": {"x"}, "expires": {"2026-12-24"}},
		"no reason": {"owner": {"ada"}, "reason": {" "}, "expires": {"2026-12-24"}},
		"past":      {"owner": {"ada"}, "reason": {"x"}, "expires": {"2026-11-24"}},
		"for ever":  {"owner": {"ada"}, "reason": {"x"}, "expires": {"2036-11-24"}},
		"no day":    {"owner": {"ada"}, "reason": {"x"}, "expires": {"soon"}},
		"too long":  {"owner": {"ada"}, "reason": {strings.Repeat("ä", 1001)}, "expires": {"2026-12-24"}},
	} {
		got := s.submit(t, "/cases/4/intend", bad, session)
		if got.status != 422 || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	if got := s.submit(t, "/cases/4/intend", url.Values{"owner": {"ada"}, "reason": {"an\r\nold app"}, "expires": {"2026-12-24"}}, session); got.status != 303 {
		t.Errorf("intend: %d %s", got.status, got.body)
	}
	if _, text := s.page(t, "/cases/4"); !strings.Contains(text, "says ada: an old app. ") || !strings.Contains(text, "Ends 24 Dec 23:59") {
		t.Errorf("intended is told wrongly: %s", text)
	}
	if got := s.submit(t, "/cases/4/reopen", nil, session); got.status != 303 {
		t.Errorf("reopen: %d", got.status)
	}
	if _, text := s.page(t, "/cases/4"); !strings.Contains(text, "It still happens") {
		t.Error("it is not open again")
	}
	got := s.submit(t, "/cases/99/declare", url.Values{"fix": {"2"}}, session)
	if got.status != 404 {
		t.Errorf("a case that is not there: %d", got.status)
	}
}

// poison puts a hostile string into every string of a value.
func poison(v reflect.Value, with string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), with)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "ID" && (len(with) > 100 || report.Inert(with) != with) {
				continue // made by usher itself; what html/template escapes is tried all the same
			}
			poison(v.Field(i), with)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), with)
		}
	case reflect.String:
		switch v.Type() {
		case reflect.TypeFor[usher.CaseState](), reflect.TypeFor[usher.Step](), reflect.TypeFor[usher.ActionKind](), reflect.TypeFor[usher.RunState]():
			return // what decides which words are shown
		}
		v.SetString(with + v.String())
	}
}

// TestHostileCases: whatever stands in a case, the page is whole, nothing in it
// runs, and nothing acts on the eye.
func TestHostileCases(t *testing.T) {
	hostile := map[string]string{
		"markup":    `"><script>alert(1)</script><img src=x onerror=alert(1)>'`,
		"attribute": `' onmouseover='alert(1)`,
		"bidi":      "\u202egnp.exe\u2066\u200b\u2028",
		"control":   "\x1b[2J\x07\x00\x9b\r\n",
		"template":  "{{.}}{{define \"x\"}}",
		"url":       "javascript:alert(1)//",
		"broken":    "\xff\xfe",
		"ticks":     "`a``b`",
	}
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			cases := consoletest.Story(noon)
			for i := range cases {
				poison(reflect.ValueOf(&cases[i]).Elem(), text)
			}
			s := startWith(t, func(o *console.Options) {
				o.Sources = func(context.Context) []console.Source { return []console.Source{{Name: text, Error: text}} }
			}, cases...)
			for _, path := range []string{"/", "/?show=all", "/?show=fixed&client=" + url.QueryEscape(text), "/cases/1", "/cases/2?plan=" + url.QueryEscape(text), "/cases/3", "/cases/5", "/cases/6", "/cases/7"} {
				page, _ := s.page(t, path)
				inspect(t, path, page)
			}
			for _, fix := range []string{text + "1", text + "2"} {
				got := s.submit(t, "/cases/7/plan", url.Values{"fix": {fix}}, trusted)
				at, _, _ := strings.Cut(got.header.Get("Location"), "#")
				if got.status != 303 || !strings.HasPrefix(at, "/cases/7?plan=") {
					continue // a fix with such an id cannot be sent in a form
				}
				page, _ := s.page(t, at)
				inspect(t, at, page)
			}
		})
	}
}

// inspect finds on a page what runs, leads away or hides.
func inspect(t *testing.T, path, page string) {
	t.Helper()
	if !strings.Contains(page, "</html>") {
		t.Errorf("%s is not whole", path)
	}
	for _, r := range page {
		if r == '\n' || r == '\t' {
			continue
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2028 {
			t.Errorf("%s holds %U", path, r)
			break
		}
	}
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" && n.FirstChild != nil || n.Data == "img" || n.Data == "iframe" || n.Data == "style" {
			t.Errorf("%s holds <%s>", path, n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style":
				t.Errorf("%s holds %s=%q", path, a.Key, a.Val)
			case a.Key == "href", a.Key == "src", a.Key == "action":
				if !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "//") {
					t.Errorf("%s leads to %q", path, a.Val)
				}
			case a.Key == "id":
				if ids[a.Val] {
					t.Errorf("%s has the id %q twice", path, a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
}

// TestLongStrings: a long value is cut or wraps, and the page stays small.
func TestLongStrings(t *testing.T) {
	cases := consoletest.Story(noon)[:1]
	poison(reflect.ValueOf(&cases[0]).Elem(), strings.Repeat("a long value without any blank", 2_000))
	s := start(t, cases...)
	page, _ := s.page(t, "/cases/1")
	if len(page) > 300_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

// TestAccessible finds fields without a label, buttons and links without a
// name, and pages without a heading.
func TestAccessible(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	signedOut := s.do(t, "GET", "/signin", "").body
	session := withCookie(s.signIn(t))
	at, _, _ := strings.Cut(s.submit(t, "/cases/7/plan", url.Values{"fix": {"2"}}, session).header.Get("Location"), "#")
	pages := map[string]string{"/signin": signedOut}
	for _, path := range []string{"/", "/cases/1", "/cases/6", "/cases/4", at, "/keys", "/password", "/nothing", "/connections", "/connections/new", "/connections/shop-calendar", "/connections/shop-mail"} {
		pages[path] = s.do(t, "GET", path, "", session).body
	}
	for path, page := range pages {
		doc, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		labelled, headings := map[string]bool{}, 0
		for n := range doc.Descendants() {
			if n.Data == "label" {
				labelled[attr(n, "for")] = true
			}
			if n.Data == "h1" {
				headings++
			}
		}
		if headings != 1 {
			t.Errorf("%s has %d first headings", path, headings)
		}
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			switch n.Data {
			case "html":
				if attr(n, "lang") == "" {
					t.Errorf("%s has no language", path)
				}
			case "input", "select", "textarea":
				if attr(n, "type") != "hidden" && !labelled[attr(n, "id")] {
					t.Errorf("%s: <%s name=%s> has no label", path, n.Data, attr(n, "name"))
				}
			case "button", "a", "summary":
				if strings.TrimSpace(inner(n)) == "" && attr(n, "aria-label") == "" {
					t.Errorf("%s: a %s has no name", path, n.Data)
				}
			case "svg":
				if attr(n, "aria-hidden") != "true" && attr(n, "aria-label") == "" && attr(n, "aria-labelledby") == "" {
					t.Errorf("%s: a drawing has no words", path)
				}
			case "section", "article":
				by := attr(n, "aria-labelledby")
				if by != "" && !strings.Contains(page, `id="`+by+`"`) {
					t.Errorf("%s: nothing has the id %s", path, by)
				}
			}
		}
		inspect(t, path, page)
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func inner(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func TestCompare(t *testing.T) {
	for _, c := range []struct{ expected, got, a, b, words string }{
		{"https://shop.test/cb", "https://shop.test/cb/", "https://shop.test/cb", "https://shop.test/cb[/]", "1 character too many at the end"},
		{"https://shop.test/cb/", "https://shop.test/cb", "https://shop.test/cb[/]", "https://shop.test/cb", "1 character missing at the end"},
		{"https://shop.test/cb", "http://shop.test/cb", "http[s]://shop.test/cb", "http://shop.test/cb", "1 character missing"},
		{"preview-41", "preview-42", "preview-4[1]", "preview-4[2]", "1 character differs"},
		{"shop", "Shop", "[s]hop", "[S]hop", "1 character differs"},
		{"https://shop.test:8443/cb", "https://shop.test:443/cb", "https://shop.test:[8]443/cb", "https://shop.test:443/cb", "1 character missing"},
		{"a b", "a\u00a0b", "a b", "a\\u00a0b", ""},
		{"alpha", "zzzzz", "alpha", "zzzzz", ""},
		{"x ", "x", "x[␠]", "x", "1 character missing at the end"},
		{"", "x", "", "x", ""},
		{"same", "same", "same", "same", "the two are equal"},
		{strings.Repeat("x", 700), "y", strings.Repeat("x", 700), "y", ""},
	} {
		a, b, words := console.Compare(c.expected, c.got)
		if c.expected == "a b" {
			if !strings.Contains(b, `u00a0`) || strings.Contains(b, "\u00a0") {
				t.Errorf("a hard blank is shown as %q", b)
			}
			continue
		}
		if a != c.a || b != c.b || words != c.words {
			t.Errorf("%q and %q: %q %q %q, want %q %q %q", c.expected, c.got, a, b, words, c.a, c.b, c.words)
		}
	}
}

// FuzzCompare: the marks take nothing away and put nothing in.
func FuzzCompare(f *testing.F) {
	f.Add("https://shop.test/cb", "https://shop.test/cb/")
	f.Add("a", "")
	f.Fuzz(func(t *testing.T, expected, got string) {
		if strings.ContainsAny(expected+got, "[]") {
			return
		}
		a, b, _ := console.Compare(expected, got)
		bare := strings.NewReplacer("[", "", "]", "")
		a2, b2, _ := console.Compare(expected, expected)
		if bare.Replace(a) != a2 || a2 != b2 {
			t.Fatalf("%q became %q", a2, a)
		}
		if b3, _, _ := console.Compare(got, got); bare.Replace(b) != b3 {
			t.Fatalf("%q became %q", b3, b)
		}
	})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "less than a second", time.Second: "1 second", 58 * time.Second: "58 seconds", 90 * time.Second: "1 minute", time.Hour: "1 hour",
		90 * time.Minute: "1 h 30 min", 47 * time.Hour: "47 hours", 72 * time.Hour: "3 days",
	} {
		if got := console.Span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// unnoted replaces a secret and cannot note it.
type unnoted struct{ *consoletest.Memory }

func (m unnoted) Apply(ctx context.Context, id int64, confirm console.Confirm, by string) (console.Applied, error) {
	applied, _ := m.Memory.Apply(ctx, id, confirm, by)
	return applied, &usher.Error{Code: console.CodeUnavailable, Message: "the cases cannot be kept now"}
}

// TestSecretUnnoted: the provider has thrown the old secret away, so the new one
// is told even if the store failed right after.
func TestSecretUnnoted(t *testing.T) {
	s := startWith(t, func(o *console.Options) { o.Cases = unnoted{o.Cases.(*consoletest.Memory)} }, consoletest.Story(noon)...)
	session := withCookie(s.signIn(t))
	at, _, _ := strings.Cut(s.submit(t, "/cases/2/plan", url.Values{"fix": {"1"}}, session).header.Get("Location"), "#")
	plan := hidden.FindStringSubmatch(s.do(t, "GET", at, "", session).body)[1]
	got := s.submit(t, "/cases/2/apply", url.Values{"fix": {"1"}, "plan": {plan}}, session)
	if got.status != 200 || !strings.Contains(got.body, "q1w2-new-secret-e3r4") || !strings.Contains(got.body, "could not be noted") {
		t.Errorf("the page: %d %s", got.status, got.body)
	}
	body := `{"fix":"1","plan":"` + plan + `"}`
	if got := s.do(t, "POST", "/api/v1/cases/2/apply", body, trusted, header("Content-Type", "application/json")); got.status != 200 || !strings.Contains(got.body, "q1w2-new-secret-e3r4") {
		t.Errorf("the API: %d %s", got.status, got.body)
	}
	if log := s.log.String(); !strings.Contains(log, "not noted") || strings.Contains(log, "q1w2") {
		t.Errorf("the log: %s", log)
	}
}

// TestNothingToTakeBack: a run that found it so already says that, and offers
// nothing to take back.
func TestNothingToTakeBack(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	page, _ := s.page(t, "/cases/6")
	if !strings.Contains(page, `action="/cases/6/undo"`) {
		t.Fatal("what changed something cannot be taken back")
	}
	s.memory.Edit(6, func(c *usher.Case) { c.Runs[0].Plan.Diff = nil })
	page, text := s.page(t, "/cases/6")
	holds(t, text, "was so already")
	if strings.Contains(page, `action="/cases/6/undo"`) {
		t.Error("nothing can be taken back")
	}
}

// TestFixesByID: the number of a fix is its id, whatever stands in front of it.
func TestFixesByID(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	s.memory.Edit(1, func(c *usher.Case) { c.Fixes[0].ID = "7" })
	page, _ := s.page(t, "/cases/1")
	_, after, ok := strings.Cut(page, `id="fix-h-7">`)
	if !ok || !strings.HasPrefix(after, `<span class="ordinal" aria-hidden="true">7</span>`) {
		t.Errorf("fix 7 is shown as %.80s", after)
	}
}

// TestBackticks: a value with backticks is shown as it was sent, everywhere on
// the page.
func TestBackticks(t *testing.T) {
	const client, uri = "c`x`", "https://shop.test/`code`<i>"
	s := start(t, consoletest.Story(noon)...)
	s.memory.Edit(1, func(c *usher.Case) {
		c.Title = "Sign-ins to '" + usher.EscapeValue(client) + "' are refused: the app sends " + usher.MarkValue(uri)
		c.Timeline[0].Text = c.Title + "."
		c.Finding.Detail = "the app sends " + uri
		c.Fixes[0].Title, c.Fixes[0].Steps = "Register "+uri, []usher.FixStep{{Text: "Add " + uri + ".", Risk: usher.RiskNeutral}}
		c.Fixes[0].Proof.Text = "the next sign-in of '" + client + "' with " + uri + " succeeds"
	})
	page, text := s.page(t, "/cases/1")
	if n := strings.Count(page, "&#39;<code>c`x`</code>&#39; are refused: the app sends <code>https://shop.test/`code`&lt;i&gt;</code>"); n != 2 {
		t.Errorf("title and timeline hold the values %d times:\n%s", n, text)
	}
	for _, want := range []string{"The app sends " + uri + ".", "Register " + uri + ".", "Add " + uri + ".", "Proven when the next sign-in of '" + client + "' with " + uri + " succeeds."} {
		holds(t, text, want)
	}
	if !strings.Contains(page, "<title>Case 1: Sign-ins to &#39;c`x`&#39; are refused: the app sends https://shop.test/`code`&lt;i&gt; ") {
		t.Error("the title of the window says something else")
	}
}
