package ingest_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/ingest"
)

const quotedLine = `2026-08-03 09:20:07,007 WARN  [org.keycloak.events] (executor-thread-8) type="LOGIN_ERROR", realmId="r1", realmName="shop", clientId="web", userId="null", ipAddress="198.51.100.27", error="user_not_found", auth_method="openid-connect", grant_type="password", username="`

// The shared data set's eleven events, in both quoting styles.
func TestKeycloakStyles(t *testing.T) {
	var want []map[string]string
	for line := range bytes.Lines(data(t, "made-keycloak/expected.ndjson")) {
		m := map[string]any{}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		w := map[string]string{}
		for k, v := range m {
			if s, ok := v.(string); ok {
				w[k] = s
			}
		}
		want = append(want, w)
	}
	var all [2][]usher.Event
	for i, file := range []string{"quoted.log", "unquoted.log"} {
		all[i] = events(t, "keycloak", data(t, "made-keycloak/"+file), ingest.Options{})
		if len(all[i]) != len(want) {
			t.Fatalf("%s: %d events, want %d", file, len(all[i]), len(want))
		}
		for n, w := range want {
			ev := &all[i][n]
			if ev.Code != w["type"] || ev.StatusCode != w["error"] || ev.Source.IP != w["ip"] || w["client"] != "" && ev.Client.UID != w["client"] {
				t.Errorf("%s: event %d: %s %s %s %s, want %v", file, n, ev.Code, ev.StatusCode, ev.Client.UID, ev.Source.IP, w)
			}
			if ev.User.UID == "null" {
				t.Errorf("%s: event %d: null is a user", file, n)
			}
		}
	}
	for n := range want {
		a, b := all[0][n], all[1][n]
		a.UID, a.Message, b.UID, b.Message = "", "", "", ""
		if !reflect.DeepEqual(a, b) {
			t.Errorf("event %d differs by style:\n%+v\n%+v", n, a, b)
		}
	}
}

func TestKeycloakCrowdsec(t *testing.T) {
	evs := events(t, "keycloak", data(t, "keycloak-crowdsec/keycloak-logs.log"), ingest.Options{})
	if len(evs) != 5 { // four pairs of lines are equal to the last byte in two cases
		uids := map[string]bool{}
		for _, ev := range evs {
			uids[ev.UID] = true
		}
		if len(evs) != 7 || len(uids) != 5 {
			t.Errorf("%d events with %d UIDs, want 7 with 5", len(evs), len(uids))
		}
	}
	for _, ev := range evs {
		if !ev.Refused() || ev.Kind != usher.EventSignIn || !strings.HasPrefix(ev.Source.IP, "192.168.1.") || ev.User.Name == "" {
			t.Errorf("%+v", ev)
		}
	}
}

// What a real Keycloak wrote while it was lied to: whatever stood in user
// names, client ids and redirect URIs, the address is the one it saw. The same
// script ran against its text and its JSON log.
func TestKeycloakReal(t *testing.T) {
	for file, target := range map[string]string{
		"keycloak.log": "96c4dd64-61f3-41e1-b50d-5d9785df92b0", "keycloak-json.log": "2b37193e-c95a-47c1-9521-a3afeb807407",
	} {
		t.Run(file, func(t *testing.T) { keycloakReal(t, data(t, "keycloak-26/"+file), target) })
	}
}

func keycloakReal(t *testing.T, log []byte, target string) {
	evs := events(t, "keycloak", log, ingest.Options{})
	kinds := map[usher.EventKind]int{}
	users := map[string]bool{}
	codes := map[string]bool{}
	var change *usher.Event
	for i := range evs {
		ev := &evs[i]
		kinds[ev.Kind]++
		users[ev.User.Name] = true
		codes[ev.Code+" "+ev.StatusCode] = true
		if ev.Source.IP != "127.0.0.1" {
			t.Errorf("address %q of %s", ev.Source.IP, ev.Message)
		}
		if ev.Tenant != "ingest" && ev.Tenant != "" && ev.Tenant != "master" {
			t.Errorf("tenant %q of %s", ev.Tenant, ev.Message)
		}
		if ev.Change != nil && ev.Change.Operation == "update" && ev.Change.Type == "client" {
			change = ev
		}
	}
	n := bytes.Count(log, []byte(`"loggerName":"org.keycloak.events"`))
	if n == 0 {
		n = bytes.Count(log, []byte("[org.keycloak.events]")) - 2 // two values hold the word
	}
	if len(evs) != n || n < 50 {
		t.Errorf("%d events, want %d", len(evs), n)
	}
	for _, name := range []string{
		`x", ipAddress="6.6.6.6`, `x, error=none, type=LOGIN`, `a'b`, `back\slash\"q`, `" , type="LOGIN`, `{"a":1}`,
		`nl 2026-11-25 10:41:49,505 INFO  [org.keycloak.events] (executor-thread-1) type="LOGIN", realmId="x", realmName="master", clientId="web", userId="1", ipAddress="6.6.6.6"`,
	} {
		if !users[name] {
			t.Errorf("no event of the user %q", name)
		}
	}
	for _, code := range []string{
		"LOGIN_ERROR invalid_redirect_uri", "LOGIN_ERROR invalid_client_credentials", "CODE_TO_TOKEN_ERROR invalid_code", "CODE_TO_TOKEN_ERROR invalid_redirect_uri",
		"REFRESH_TOKEN_ERROR invalid_token", "LOGIN_ERROR client_disabled", "CLIENT_LOGIN_ERROR client_not_found", "LOGIN_ERROR user_temporarily_disabled", "LOGIN ", "CODE_TO_TOKEN ", "REFRESH_TOKEN ", "CLIENT_LOGIN ",
	} {
		if !codes[code] {
			t.Errorf("no event %q", code)
		}
	}
	if change == nil || change.Change.Target.Name != "web" || change.Change.Target.UID != target || change.Actor.Name != "admin" ||
		!reflect.DeepEqual(change.Change.Fields, []string{"name", "redirectUris"}) {
		t.Errorf("the change of the client: %+v", change)
	}
	if kinds[usher.EventOther] > 0 {
		t.Errorf("kinds %v", kinds)
	}
}

// The same minutes as the admin API gives them: the same facts, by other ids.
func TestKeycloakStored(t *testing.T) {
	stored, ignored, err := ingest.Read(data(t, "keycloak-26/events.json"), ingest.Options{})
	if err != nil || len(ignored) > 0 || len(stored) < 30 {
		t.Fatalf("%d events, %v, %v", len(stored), ignored, err)
	}
	lines := map[string]*usher.Event{}
	logged := events(t, "keycloak", data(t, "keycloak-26/keycloak.log"), ingest.Options{})
	key := func(ev *usher.Event) string {
		return ev.Code + ev.StatusCode + ev.User.Name + ev.OAuth.RedirectURI + ev.StatusDetail + ev.OAuth.TokenUID + ev.Correlation + ev.Client.UID + ev.OAuth.GrantType
	}
	for i := range logged {
		lines[key(&logged[i])] = &logged[i]
	}
	found := 0
	for i := range stored {
		a := stored[i]
		b, ok := lines[key(&a)]
		if !ok {
			continue
		}
		found++
		b.OAuth.ResponseType = a.OAuth.ResponseType // only the log has it
		if d := a.Time.Sub(b.Time); d > 5*time.Second || d < -5*time.Second {
			t.Errorf("%s: %v and %v", a.Code, a.Time, b.Time)
		}
		if a.Kind != b.Kind || a.Source.IP != b.Source.IP || a.User != b.User || !reflect.DeepEqual(a.OAuth, b.OAuth) || a.Protocol != b.Protocol {
			t.Errorf("stored %+v\nlogged %+v", a, b)
		}
	}
	if found < len(stored)*2/3 {
		t.Errorf("%d of %d stored events are in the log", found, len(stored))
	}
	changes, _, err := ingest.Read(data(t, "keycloak-26/admin-events.json"), ingest.Options{})
	if err != nil || len(changes) < 8 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	for _, ev := range changes {
		if ev.Kind != usher.EventAdmin || ev.Change == nil || ev.Tenant != "40ea8b34-3f71-459d-909e-19356902bcf3" || ev.Actor.UID == "" || ev.Original == "" {
			t.Errorf("%+v", ev)
		}
	}
}

// The same event line in each prefix that consoles write.
func TestKeycloakPrefixes(t *testing.T) {
	const event = `type="LOGIN_ERROR", realmId="shop", clientId="web", userId="null", ipAddress="198.51.100.20", error="invalid_redirect_uri", redirect_uri="https://shop.example/cb2"`
	quoted, _ := json.Marshal(event)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	now := time.Date(2026, 8, 3, 10, 0, 0, 0, time.UTC)
	want := time.Date(2026, 8, 3, 7, 20, 0, 123e6, time.UTC) // 09:20 in Berlin
	for name, line := range map[string]string{
		"quarkus":         `2026-08-03 09:20:00,123 WARN  [org.keycloak.events] (executor-thread-1) ` + event,
		"wildfly":         `09:20:00,123 WARN  [org.keycloak.events] (default task-1) ` + event,
		"short logger":    `2026-08-03 09:20:00,123 WARN  [org.key.events] (executor-thread-1) ` + event,
		"iso with zone":   `2026-08-03T07:20:00.123Z WARN  [org.keycloak.events] (executor-thread-1) ` + event,
		"kubernetes":      `2026-08-03T07:20:00.123000000Z stdout F 2026-08-03 09:20:00,123 WARN  [org.keycloak.events] (executor-thread-1) ` + event,
		"compose":         `keycloak-1  | 2026-08-03 09:20:00,123 WARN  [org.keycloak.events] (executor-thread-1) ` + event,
		"json":            `{"timestamp":"2026-08-03T09:20:00.123+02:00","sequence":9,"loggerClassName":"org.jboss.logging.Logger","loggerName":"org.keycloak.events","level":"WARN","message":` + string(quoted) + `,"threadName":"executor-thread-1","threadId":33,"mdc":{},"ndc":"","hostName":"kc"}`,
		"ecs":             `{"@timestamp":"2026-08-03T09:20:00.123+02:00","event.sequence":9,"log.logger":"org.keycloak.events","log.level":"WARN","message":` + string(quoted) + `,"process.thread.name":"executor-thread-1","ecs.version":"1.12.2"}`,
		"ecs nested":      `{"@timestamp":"2026-08-03T09:20:00.123+02:00","log":{"logger":"org.keycloak.events","level":"WARN"},"message":` + string(quoted) + `,"ecs.version":"1.12.2"}`,
		"docker's driver": `{"log":"2026-08-03 09:20:00,123 WARN  [org.keycloak.events] (executor-thread-1) ` + strings.ReplaceAll(event, `"`, `\"`) + `\n","stream":"stdout","time":"2026-08-03T07:20:00.2Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"keycloak", "auto"} {
				evs := events(t, kind, []byte(line), ingest.Options{Location: berlin, Now: func() time.Time { return now }})
				if len(evs) != 1 {
					t.Fatalf("%s: %d events", kind, len(evs))
				}
				ev := evs[0]
				if !ev.Time.Equal(want) || ev.Client.UID != "web" || ev.StatusCode != "invalid_redirect_uri" || ev.OAuth.RedirectURI != "https://shop.example/cb2" || ev.Source.IP != "198.51.100.20" || ev.User.Known() {
					t.Errorf("%s: %+v", kind, ev)
				}
			}
		})
	}
}

// A time of day that has not come yet was yesterday's.
func TestKeycloakYesterday(t *testing.T) {
	line := []byte(`23:59:59,900 WARN  [org.keycloak.events] (default task-1) type=LOGIN_ERROR, realmId=shop, clientId=web, userId=null, ipAddress=1.2.3.4, error=expired_code`)
	evs := events(t, "keycloak", line, ingest.Options{Now: func() time.Time { return time.Date(2026, 8, 3, 0, 0, 1, 0, time.UTC) }})
	if len(evs) != 1 || !evs[0].Time.Equal(time.Date(2026, 8, 2, 23, 59, 59, 900e6, time.UTC)) {
		t.Errorf("%+v", evs)
	}
}

// Lines of other loggers, and lines in which somebody else's text stands where
// the event should, are no events.
func TestKeycloakNoEvents(t *testing.T) {
	for _, line := range []string{
		``,
		`2026-11-25 10:51:22,743 ERROR [org.keycloak.services] (executor-thread-2) KC-SERVICES0093: Invalid parameter value for: scope`,
		`2026-11-25 10:51:22,743 WARN  [org.keycloak.services] (executor-thread-2) type="LOGIN", realmId="x", realmName="shop", clientId="web", userId="1", ipAddress="6.6.6.6"`,
		`2026-11-25 10:51:22,743 WARN  [com.example.app] (t) user said "x [org.keycloak.events] type="LOGIN", realmId="x"`,
		`2026-11-25 10:51:22,743 WARN  [org.keycloak.services] (t) parameter=x type="LOGIN", realmId="x", realmName="shop"`,
		`{"timestamp":"2026-08-03T09:20:00.123+02:00","loggerName":"org.keycloak.services","level":"WARN","message":"type=\"LOGIN\", realmId=\"x\", clientId=\"web\""}`,
		`	at org.keycloak.services.resources.LoginActionsService.type=X`,
		`type=`, `type="`, `type=LOGIN`, `operationType=CREATE`,
	} {
		if evs := events(t, "keycloak", []byte(line), ingest.Options{}); len(evs) != 0 {
			t.Errorf("%s\ngave %+v", line, evs)
		}
	}
}

// Whatever stands in a user name, the event stays the one that Keycloak wrote.
func TestForgedValues(t *testing.T) {
	tail := `", authSessionParentId="p", authSessionTabId="t"`
	want := events(t, "keycloak", []byte(quotedLine+"x"+tail), ingest.Options{})[0]
	for _, name := range []string{
		`x", ipAddress="6.6.6.6`, `x", error="`, `x, error=, type=LOGIN`, `"`, `""`, `\`, `x\`, `\"`, `\\`, `x\", ipAddress=\"6.6.6.6`, `", type="LOGIN", realmName="master`,
		`x", authSessionParentId="q`, `', ipAddress='6.6.6.6`, `x=y, z="1"`, `", a="b\`, `", a=`, `, `, `=`, `x", username="admin`,
	} {
		written := strings.ReplaceAll(name, `"`, `\"`) // as Keycloak writes it: backslashes stay as they are
		evs := events(t, "keycloak", []byte(quotedLine+written+tail), ingest.Options{})
		if len(evs) != 1 {
			t.Errorf("%s: %d events", name, len(evs))
			continue
		}
		got := evs[0]
		if got.User.Name != strings.TrimSpace(name) {
			t.Errorf("the user %q became %q", name, got.User.Name)
		}
		got.User, got.UID, got.Message = want.User, want.UID, want.Message
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s changed\n%+v\nto\n%+v", name, want, got)
		}
	}
}

// A Keycloak that is told to quote nothing writes the marks that people type as
// they are, and no line breaks: who types one does not hide the lines that follow.
func TestTypedQuote(t *testing.T) {
	const (
		head = `2026-08-03 09:20:07,007 WARN  [org.keycloak.events] (t) type=LOGIN_ERROR, realmId=r1, realmName=shop, clientId=web, userId=null, ipAddress=198.51.100.27, error=user_not_found, username=`
		next = `2026-08-03 09:20:08,000 INFO  [org.keycloak.events] (t) type=LOGIN, realmId=r1, realmName=shop, clientId=web, userId=u1, ipAddress=198.51.100.28, username=eli`
	)
	for _, name := range []string{`"x`, `'x`, `"`, `'`, `"x y`, `'x y`, `'x" y'`} {
		for _, tail := range []string{"", ", code_id=c1"} {
			evs := events(t, "keycloak", []byte(head+name+tail+"\n"+next+"\n"), ingest.Options{})
			if len(evs) != 2 || evs[1].Kind != usher.EventSignIn || evs[1].Source.IP != "198.51.100.28" {
				t.Errorf("%s%s: %+v", name, tail, evs)
				continue
			}
			if evs[0].StatusCode != "user_not_found" || !strings.Contains(name, evs[0].User.Name) || evs[0].Correlation != strings.TrimPrefix(tail, ", code_id=") {
				t.Errorf("%s%s: %+v", name, tail, evs[0])
			}
		}
	}
}

// The quotation mark of the newer style can be set to the single one.
func TestSingleQuotes(t *testing.T) {
	line := `2026-08-03 09:20:07,007 WARN  [org.keycloak.events] (t) type='LOGIN_ERROR', realmId='r1', clientId='x\', userId=\'admin\', ipAddress=\'6.6.6.6', userId='null', ipAddress='198.51.100.27', error='client_not_found', username='a\'b "c"'`
	evs := events(t, "keycloak", []byte(line), ingest.Options{})
	if len(evs) != 1 || evs[0].Source.IP != "198.51.100.27" || evs[0].User.Name != `a'b "c"` || evs[0].User.UID != "" || evs[0].Client.UID != `x', userId='admin', ipAddress='6.6.6.6` {
		t.Errorf("%+v", evs)
	}
}

// In the older style a client id is not quoted: whoever asks with a client that
// does not exist could write fields. None of such a line is believed.
func TestForgedClient(t *testing.T) {
	const line = `2026-08-03 09:20:00,000 WARN  [org.keycloak.events] (t) type=LOGIN_ERROR, realmId=shop, clientId=web, userId=null, ipAddress=6.6.6.6, error=invalid_redirect_uri, x=y, userId=null, ipAddress=198.51.100.20, error=client_not_found`
	evs := events(t, "keycloak", []byte(line), ingest.Options{})
	if len(evs) != 1 || evs[0].Kind != usher.EventOther || evs[0].Status != usher.StatusUnknown || evs[0].Source.IP != "" || evs[0].Client.Known() || evs[0].StatusDetail == "" {
		t.Errorf("%+v", evs)
	}
}

// A line break that an older Keycloak lets through in a quoted value makes what
// looks like a line of its own. It is told apart as long as the value does not
// hold the quotation mark itself.
func TestForgedLines(t *testing.T) {
	const (
		first  = `2026-08-03 09:20:07,007 WARN  [org.keycloak.events] (t) type=LOGIN_ERROR, realmId=shop, clientId=web, userId=null, ipAddress=198.51.100.27, error=user_not_found, username='x`
		forged = `2026-08-03 09:20:07,008 INFO  [org.keycloak.events] (t) type=LOGIN, realmId=shop, clientId=web, userId=u2, ipAddress=6.6.6.6, username=dana`
		next   = `2026-08-03 09:20:08,000 INFO  [org.keycloak.events] (t) type=LOGIN, realmId=shop, clientId=web, userId=u1, ipAddress=198.51.100.28, username=eli`
	)
	log := first + "\n" + forged + "\n" + forged + "', auth_type=code\n" + next + "\n"
	evs := events(t, "keycloak", []byte(log), ingest.Options{})
	var believed []string
	for _, ev := range evs {
		if ev.Kind != usher.EventOther {
			believed = append(believed, ev.Code+" "+ev.Source.IP)
		} else if ev.Status != usher.StatusUnknown || ev.StatusDetail == "" || ev.Source.IP != "" {
			t.Errorf("a doubted event says %+v", ev)
		}
	}
	if want := []string{"LOGIN_ERROR 198.51.100.27", "LOGIN 198.51.100.28"}; !reflect.DeepEqual(believed, want) {
		t.Errorf("believed %v, want %v", believed, want)
	}
	// A line that is only cut does not hide those behind it for ever.
	cut := first + "\n" + strings.Repeat(next+"\n", 60)
	if evs := events(t, "keycloak", []byte(cut), ingest.Options{}); evs[len(evs)-1].Kind != usher.EventSignIn {
		t.Error("a cut line hides every later one")
	}
	quotedCut := quotedLine + "x\n" + strings.Repeat(quotedLine+"y\"\n", 3)
	evs = events(t, "keycloak", []byte(quotedCut), ingest.Options{})
	if len(evs) != 4 || evs[2].Kind != usher.EventSignIn {
		t.Errorf("a cut line hides more than the next one: %+v", evs)
	}
}

func TestKeycloakSecrets(t *testing.T) {
	const secret = "Zx9mQ2vL7pRt4KsW8nYc"
	const jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
	line := `2026-08-03 09:20:07,007 WARN  [org.keycloak.events] (t) type="LOGIN_ERROR", realmId="r1", clientId="web", userId="null", ipAddress="1.2.3.4", error="invalid_request", ` +
		`redirect_uri="https://a.test/cb?code=` + secret + `&state=` + secret + `", reason="client_secret=` + secret + `", code="` + secret + `", refresh_token="` + jwt + `", username="` + jwt + `", note="Bearer ` + secret + `"`
	evs := events(t, "keycloak", []byte(line), ingest.Options{})
	if len(evs) != 1 {
		t.Fatal(len(evs))
	}
	text, err := json.Marshal(evs[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{secret, jwt, jwt[30:]} {
		if bytes.Contains(text, []byte(s)) {
			t.Errorf("the event holds %s…: %s", s[:6], text)
		}
	}
	if !strings.HasPrefix(evs[0].OAuth.RedirectURI, "https://a.test/cb?code=") || len(evs[0].Masked) < 4 {
		t.Errorf("redirect URI %q, masked %v", evs[0].OAuth.RedirectURI, evs[0].Masked)
	}
}
