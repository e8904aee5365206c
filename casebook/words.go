package casebook

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"usher"
)

// word writes the title and the summary of a case.
func (t *turn) word(c *usher.Case) {
	switch c.Kind {
	case usher.CaseAttack:
		c.Title = t.attackTitle(c)
	case usher.CaseConfiguration:
		c.Title = checkTitle(c)
	default:
		c.Title = t.subject(c) + " are refused: " + t.why(c)
		if id := c.Refusal.Connection(); id != "" {
			c.Title = "Connection " + quote(id) + " " + lacks(&c.Refusal) + ": " + t.why(c)
		}
		if c.Connections > 1 {
			c.Title = many(c.Connections, "connection") + " get no new token from " + quote(c.Refusal.TokenEndpoint()) + ": " + t.why(c)
		}
	}
	c.Title = clip(c.Title, 400)
	parts := []string{c.Title + ".", t.extent(c)}
	if len(c.Changed) > 0 {
		parts = append(parts, "What changed: "+t.changesText(c)+".")
	}
	switch c.State {
	case usher.CaseFixed:
		if c.Proven != nil {
			parts = append(parts, c.Proven.Comment)
		}
	case usher.CaseQuiet:
		parts = append(parts, "The tries have stopped; nothing proves that it is fixed.")
	case usher.CaseIntended:
		parts = append(parts, "It is intended until "+t.day(c.Expires)+", says "+usher.EscapeValue(c.Owner)+": "+usher.EscapeValue(strings.TrimRight(c.Reason, "."))+".")
	case usher.CaseRegressed:
		parts = append(parts, "It was fixed and is back.")
	}
	c.Summary = strings.Join(parts, " ")
}

// subject says what is refused: "Sign-ins to 'shop'".
func (t *turn) subject(c *usher.Case) string {
	ev := &c.Refusal
	client, user := ev.Client.String(), ev.User.String()
	parts := scope(t.cause(&c.Finding))
	known := rank(&c.Finding) > 0
	if known && len(parts) > 0 && parts[0] == "user" && user != "" && !crowded(c) {
		return "Sign-ins of " + quote(user)
	}
	what := t.things(c)
	switch {
	case known && len(parts) == 0 || client == "":
		what += " at " + quote(cmp.Or(ev.Tenant, ev.Provider, "an unknown provider"))
	case strings.HasPrefix(what, "Sign-ins") || strings.HasPrefix(what, "Silent"):
		what += " to " + quote(client)
	default:
		what += " of " + quote(client)
	}
	if ev.Kind == usher.EventAPI && ev.Resource.Known() {
		what += " to " + quote(ev.Resource.String())
	}
	if known && !crowded(c) && user != "" && (slices.Contains(parts, "user") || slices.Contains(parts, "user.name")) {
		what += " by " + quote(user)
	}
	return what
}

// lacks says what the refusal means for those who use a connection.
func lacks(ev *usher.Event) string {
	if ev.Kind == usher.EventAPI { // the egress proxy tells of requests, not of tokens
		return strings.TrimSuffix("is refused at "+quote(ev.Resource.String()), " at "+quote(""))
	}
	if ev.OAuth.Expires.After(ev.Time) {
		return "cannot be renewed"
	}
	return "has no token"
}

// things names what is refused, in the plural.
func (t *turn) things(c *usher.Case) string {
	if t.step(c) == usher.StepRefresh {
		return "Refreshes"
	}
	switch c.Refusal.Kind {
	case usher.EventToken, usher.EventAppSignIn:
		return "Token requests"
	case usher.EventSilentSignIn:
		return "Silent sign-ins"
	case usher.EventAPI:
		return "API calls"
	case usher.EventSession:
		return "Sign-outs"
	}
	return "Sign-ins"
}

// why is the clause behind the colon of a title.
func (t *turn) why(c *usher.Case) string {
	if crowded(c) {
		if rank(&c.Finding) == 0 {
			return "many different errors whose causes are not known yet"
		}
		return "many different ones alike, among them: " + t.clause(&c.Finding, &c.Refusal)
	}
	return t.clause(&c.Finding, &c.Refusal)
}

// clause says the cause of one refusal.
func (t *turn) clause(f *usher.Finding, ev *usher.Event) string {
	if rank(f) == 0 {
		if code := cmp.Or(ev.StatusCode, ev.OAuth.Error); code != "" {
			return "the cause is not known yet (the error is " + said(code, 80) + ")"
		}
		return "the cause is not known yet"
	}
	text := ""
	switch f.Cause {
	case "redirect-uri-mismatch", "redirect-scheme-proxy", "redirect-uri-platform", "redirect-uri-invalid":
		text = redirectClause(f, ev)
	case "client-unknown":
		text = "no client is registered under this id"
	case "password-wrong":
		text = "the password is wrong"
	case "client-secret-invalid":
		text = "the client secret is not the one that the provider holds"
	case "client-secret-expired":
		text = "the client secret has expired"
	case "token-wrong-audience":
		if len(ev.OAuth.Audiences) > 0 {
			text = "the token is meant for " + quote(strings.Join(ev.OAuth.Audiences, " ")) + ", not for this API"
		}
	case "policy-blocked", "policy-location", "policy-device", "policy-risk", "policy-client-app", "policy-flow", "policy-user", "policy-workload":
		if p := refusing(ev); p.Known() {
			text = "the policy " + quote(p.String()) + " " + policyVerb(f.Cause)
		}
	case "scope-invalid", "scope-insufficient", "admin-consent-required", "consent-required":
		if s := value("scope", ev, f); s != "" {
			text = lower(t.causeTitle(f)) + " (" + said(s, 120) + ")"
		}
	}
	if text == "" {
		text = lower(t.causeTitle(f))
	}
	if rank(f) == 1 {
		text = "probably " + text
	}
	return text
}

func (t *turn) causeTitle(f *usher.Finding) string {
	return said(strings.TrimRight(cmp.Or(f.Title, t.cause(f).Title, f.Cause), "."), 200)
}

func policyVerb(cause string) string {
	switch cause {
	case "policy-location":
		return "refuses the network or country that they come from"
	case "policy-device":
		return "asks for a state that the device does not prove"
	case "policy-risk":
		return "refuses them as risky"
	case "policy-client-app":
		return "admits only approved or protected apps"
	case "policy-flow":
		return "forbids this flow"
	}
	return "refuses them"
}

// redirectClause shows what the app sends beside what is registered.
func redirectClause(f *usher.Finding, ev *usher.Event) string {
	sent, registered := "", ""
	for _, p := range f.Proof {
		if p.Expected != "" && p.Got != "" {
			sent, registered = p.Got, p.Expected
			break
		}
	}
	sent = cmp.Or(ev.OAuth.RedirectURI, sent)
	switch {
	case sent == "":
		return ""
	case registered == "":
		return "the app sends " + marked(sent, 150) + ", which is not registered"
	}
	text := "the app sends " + marked(sent, 150) + ", registered is " + marked(registered, 150)
	if n := distance(sent, registered, 3); n > 0 {
		text += " (" + plural(n, "character") + ")"
	}
	return text
}

// distance counts the characters that one has to put in, take out or exchange
// to make one text of the other, or gives 0 where it is more than most.
func distance(a, b string, most int) int {
	if len(a) > 300 || len(b) > 300 {
		return 0
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	if n := row[len(b)]; n <= most {
		return n
	}
	return 0
}

// extent says since when, how often and from where.
func (t *turn) extent(c *usher.Case) string {
	if c.Kind == usher.CaseConfiguration {
		return "Wrong since " + t.when(c.First) + ", seen in " + plural(c.Count, "look") + "."
	}
	parts := []string{"Since " + t.when(c.First), tries(c.Count)}
	if c.Users > 1 {
		parts = append(parts, plural(c.Users, "user"))
	}
	if c.Addresses > 0 {
		parts = append(parts, many(c.Addresses, "address"))
	}
	return strings.Join(parts, ", ") + "."
}

// many is plural for what is counted up to 1,000.
func many(n int, what string) string {
	if n >= 1000 {
		_, what, _ = strings.Cut(plural(n, what), " ")
		return "1,000 or more " + what
	}
	return plural(n, what)
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// changesText tells the latest changes of a case.
func (t *turn) changesText(c *usher.Case) string {
	const shown = 3
	var list []string
	for i := range c.Changed[:min(len(c.Changed), shown)] {
		list = append(list, t.changeText(c, &c.Changed[i]))
	}
	if more := len(c.Changed) - shown; more > 0 {
		list = append(list, plural(more, "more change"))
	}
	return strings.Join(list, "; ")
}

// changeText tells one change: "the client was edited at 10:01 by admin".
func (t *turn) changeText(c *usher.Case, ev *usher.Event) string {
	ch := ev.Change
	text := changed(ch, t.names(ch.Target, &c.Refusal)) + " at " + t.when(ev.Time)
	if len(ch.Fields) > 0 {
		text += " (" + said(strings.Join(ch.Fields[:min(len(ch.Fields), 4)], ", "), 120) + ")"
	}
	if by := ev.Actor.String(); by != "" {
		text += " by " + said(by, 80)
	}
	return text
}

// names tells whether something that was changed is the client of a refusal,
// under any of its names.
func (t *turn) names(target usher.Party, ev *usher.Event) bool {
	own := []string{ev.Client.UID, ev.Client.Name, t.clientUID(ev), ev.Connection()}
	for _, name := range [...]string{target.UID, target.Name} {
		if name != "" && slices.Contains(own, name) {
			return true
		}
	}
	return false
}

// changed tells what was changed: "the client was edited"; own tells that it is
// the client of the case, which needs no name.
func changed(ch *usher.Change, own bool) string {
	thing := map[string]string{
		"client": "the client", "scope": "the scope", "role": "the role", "user": "the user", "policy": "the policy",
		"key": "a signing key", "secret": "the client secret", "consent": "a consent", "realm": "the realm", "connection": "the connection",
	}[ch.Type]
	if thing == "" {
		thing = "a setting"
	}
	if name := ch.Target.String(); name != "" && ch.Type != "key" && (!own || ch.Type != "client" && ch.Type != "secret" && ch.Type != "connection") {
		thing += " " + quote(name)
	}
	switch ch.Operation {
	case "create":
		return thing + " was created"
	case "delete":
		return thing + " was deleted"
	case "update":
		return thing + " was edited"
	}
	return thing + " was changed"
}

// proofComment says in one sentence what proved a case.
func (t *turn) proofComment(c *usher.Case, cand candidate, ev *usher.Event) string {
	who := singular(t.things(c))
	who = article(who) + who
	if id := ev.Connection(); id != "" {
		who += " of connection " + quote(id)
	} else if client := ev.Client.String(); client != "" {
		who += " of " + quote(client)
	}
	if user := ev.User.String(); user != "" && slices.ContainsFunc(cand.fix.Proof.Equal, func(p string) bool { return strings.HasPrefix(p, "user") && p != "user_agent" }) {
		who += " by " + quote(user)
	}
	text := who + " succeeded at " + t.when(ev.Time)
	if cand.run != nil {
		text += ", after the fix of " + t.when(cand.run.Finished)
	}
	var same, other []string
	for _, path := range cand.fix.Proof.Equal {
		if path == "oauth.redirect_uri" {
			same = append(same, marked(ev.OAuth.RedirectURI, 150))
		}
	}
	for _, path := range cand.fix.Proof.Differ {
		other = append(other, usher.FieldName(path))
	}
	if len(same) > 0 {
		text += ", with " + strings.Join(same, ", ")
	}
	if len(other) > 0 {
		text += "; it differs from the refused one in " + strings.Join(other, ", ")
	}
	return upper(text) + "."
}

func singular(things string) string {
	switch things {
	case "Refreshes":
		return "refresh"
	}
	return lower(strings.TrimSuffix(things, "s"))
}

// article gives the indefinite article before a word, for a sentence's beginning.
func article(word string) string {
	if strings.ContainsRune("AEIOUaeiou", rune(word[0])) {
		return "An "
	}
	return "A "
}

// attackTitle says what the attack is, and who was got into.
func (t *turn) attackTitle(c *usher.Case) string {
	title := said(strings.TrimRight(cmp.Or(c.Finding.Title, "Attack on sign-ins"), "."), 300)
	if c.Users > 1 {
		title += ": " + plural(c.Users, "user") + " tried"
	} else if c.Users == 1 {
		title += ": " + tries(c.Count)
	}
	if len(c.Sources) > 0 {
		title += " from " + plural(len(c.Sources), "address")
	}
	if len(c.Compromised) == 0 {
		return title
	}
	v := &c.Compromised[0]
	who := "The attacker"
	if c.Finding.Confidence < usher.Confident {
		who = "Somebody, perhaps an attacker,"
	}
	got := who + " got in as " + quote(cmp.Or(v.User.String(), "an unknown user")) + " at " + t.when(c.Escalated)
	if n := len(c.Compromised) - 1; n > 0 {
		got += " and as " + plural(n, "more user")
	}
	if !holds(c) {
		got += ", which is ended"
	}
	return got + ". " + title
}

// gotInText says who was got into.
func (t *turn) gotInText(ev *usher.Event, how string) string {
	user := quote(cmp.Or(ev.User.String(), "an unknown user"))
	if how != "" {
		return "An attacking address tried " + user + ": " + how + "."
	}
	text := "An attacking address (" + said(ev.Source.IP, 60) + ") got in as " + user
	if client := ev.Client.String(); client != "" {
		text += " at " + quote(client)
	}
	return text + "."
}

// killText says what ended a credential.
func (t *turn) killText(ev *usher.Event) string {
	what := "was changed"
	switch word := strings.ToLower(lastSegment(ev.Change.Path) + " " + strings.Join(ev.Change.Fields, " ")); {
	case strings.Contains(word, "password"):
		what = "got a new password"
	case strings.Contains(word, "logout"), strings.Contains(word, "session"), strings.Contains(word, "refreshtoken"), strings.Contains(word, "stsrefresh"):
		what = "lost all sessions"
	case strings.Contains(word, "disable"):
		what = "was disabled"
	case ev.Change.Operation == "delete":
		what = "was deleted"
	}
	text := "the user " + quote(ev.Change.Target.String()) + " " + what + " at " + t.when(ev.Time)
	if by := ev.Actor.String(); by != "" {
		text += " by " + said(by, 80)
	}
	return text
}

// when gives a time of day, with its day where that is not today's.
func (t *turn) when(at time.Time) string {
	at, now := at.In(t.opt.Location), t.now.In(t.opt.Location)
	switch {
	case at.YearDay() == now.YearDay() && at.Year() == now.Year():
		return at.Format("15:04")
	case at.Year() == now.Year():
		return at.Format("2 Jan 15:04")
	}
	return at.Format("2 Jan 2006 15:04")
}

func (t *turn) day(at time.Time) string { return at.In(t.opt.Location).Format("2 Jan 2006") }

// span writes a duration as people do: "1h", "90m".
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// lower makes a clause of a sentence; a first word in capitals stays.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if next, _ := utf8.DecodeRuneInString(s[n:]); n == 0 || unicode.IsUpper(next) {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// upper makes a sentence of a clause.
func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
