package ingest_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"usher"
	"usher/ingest"
)

// planted is a secret that fuzzed inputs hold where secrets stand.
const planted = "Zx9mQ2vL7pRt4KsW8nYcJ3"

// plantedJWT is another, which is known by its shape alone.
const plantedJWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

var fixedNow = func() time.Time { return time.Date(2026, 8, 3, 12, 0, 0, 0, time.UTC) }

// hold checks what must be true of whatever comes out.
func hold(t *testing.T, evs []usher.Event) {
	t.Helper()
	for i := range evs {
		ev := &evs[i]
		if err := ev.Validate(); err != nil {
			t.Errorf("%v", err)
		}
		if ev.Time.Location() != time.UTC {
			t.Errorf("time in %v", ev.Time.Location())
		}
		text, err := json.Marshal(ev)
		if err != nil {
			t.Fatalf("an event that has no JSON: %v", err)
		}
		if !utf8.Valid(text) || len(text) > 2<<20 {
			t.Errorf("%d bytes of JSON", len(text))
		}
		var again usher.Event
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatalf("the JSON of an event cannot be read: %v", err)
		}
		for _, s := range [...]string{ev.User.Name, ev.Client.UID, ev.Message, ev.StatusDetail, ev.OAuth.RedirectURI} {
			if strings.ContainsAny(s, "\n\r\x1b\x00") || len(s) > 4096 {
				t.Errorf("a string of an event holds control characters or is %d bytes long", len(s))
			}
		}
	}
}

func merged(evs []usher.Event) []usher.Event {
	var out []usher.Event
	at := map[string]int{}
	for _, ev := range evs {
		if n, ok := at[ev.UID]; ok {
			ingest.Merge(&out[n], &ev)
			continue
		}
		at[ev.UID] = len(out)
		out = append(out, ev)
	}
	return out
}

// FuzzLines feeds any text to every reader. A decoder fed line by line gives
// what Read gives of the whole; the same lines give the same events again.
func FuzzLines(f *testing.F) {
	for _, path := range []string{"keycloak-26/keycloak.log", "made-keycloak/unquoted.log", "made-entra-53003/graph-v1.ndjson", "made-entra-53003/loganalytics.ndjson", "made-entra-53003/m365-audit.ndjson"} {
		for i, line := range bytes.Split(data(f, path), []byte("\n")) {
			if i < 12 {
				f.Add(line)
			}
		}
	}
	f.Add([]byte(ownEvent))
	f.Add([]byte(`{"records":[{"category":"SignInLogs","properties":"{\"id\":\"1\"}","time":"2026-08-03T09:15:00Z"}]}`))
	f.Add([]byte("[\n{\"id\":\"a\"},\n]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		opt := ingest.Options{Now: fixedNow}
		for _, kind := range []string{"keycloak", "entra", "usher", "auto"} {
			var runs [2][]usher.Event
			for i := range runs {
				d := decoder(t, kind, opt)
				for line := range bytes.SplitSeq(text, []byte("\n")) {
					evs, _ := d.Line(line)
					runs[i] = append(runs[i], evs...)
				}
			}
			hold(t, runs[0])
			if !reflect.DeepEqual(runs[0], runs[1]) {
				t.Errorf("%s: the same lines gave other events", kind)
			}
			if kind != "auto" {
				continue
			}
			whole, _, err := ingest.Read(text, opt)
			if err != nil {
				continue
			}
			hold(t, whole)
			if first := bytes.TrimLeft(text, " \t\r\n"); len(first) > 0 && first[0] != '[' && first[0] != '{' && !reflect.DeepEqual(whole, merged(runs[0])) {
				t.Errorf("line by line %d events, the whole %d", len(merged(runs[0])), len(whole))
			}
		}
	})
}

// FuzzPlanted puts a credential and any text around it into each field that
// somebody outside can write. Nothing of it may come out.
func FuzzPlanted(f *testing.F) {
	f.Add("https://a.test/cb?", "&x=1")
	f.Add("", "")
	f.Add(`"`, `\`)
	f.Add("x\n", "\", error=\"")
	f.Fuzz(func(t *testing.T, before, after string) {
		if len(before)+len(after) > 4096 || strings.Contains(before+after, planted[:8]) {
			return
		}
		for _, c := range before + after {
			if c < ' ' || c >= 0x7f {
				return // an escape within a secret's surroundings is another matter
			}
		}
		for _, secret := range []string{"client_secret=" + planted, "Bearer " + planted, plantedJWT, "?code=" + planted, "password=" + planted} {
			value := before + " " + secret + " " + after
			quoted, _ := json.Marshal(value)
			for kind, line := range map[string]string{
				"keycloak": quotedLine + kcEscape(value) + `", redirect_uri="` + kcEscape(value) + `", reason="` + kcEscape(value) + `", x="` + kcEscape(value) + `"`,
				"entra":    `{"id":"a","createdDateTime":"2026-08-03T09:15:00Z","appId":"x","status":{"errorCode":50126,"failureReason":` + string(quoted) + `,"additionalDetails":` + string(quoted) + `},"userAgent":` + string(quoted) + `,"userPrincipalName":` + string(quoted) + `,"other":` + string(quoted) + `}`,
				"usher":    `{"uid":"a","kind":"api","time":"2026-08-03T09:15:00Z","status_id":2,"user":{"name":` + string(quoted) + `},"actor":{},"client":{},"resource":{},"src_endpoint":{},"http_request":{"path":` + string(quoted) + `},"device":{},"oauth":{"redirect_uri":` + string(quoted) + `},"unmapped":{"x":` + string(quoted) + `}}`,
			} {
				evs, _ := decoder(t, kind, ingest.Options{Now: fixedNow}).Line([]byte(line))
				if len(evs) != 1 {
					t.Fatalf("%s: %d events of %s", kind, len(evs), line)
				}
				text, _ := json.Marshal(evs[0])
				if bytes.Contains(text, []byte(planted)) || bytes.Contains(text, []byte(plantedJWT[37:])) {
					t.Errorf("%s: %q came out: %s", kind, secret, text)
				}
			}
		}
	})
}

// kcEscape writes a value as Keycloak does: white space as a blank, a backslash
// before each quotation mark, backslashes as they are.
func kcEscape(s string) string {
	s = strings.Map(func(c rune) rune {
		switch c {
		case '\n', '\r', '\t', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x1f, 0x2028, 0x2029:
			return ' '
		}
		return c
	}, s)
	return strings.ReplaceAll(s, `"`, `\"`)
}

// FuzzForged writes any text as the user name, in the place that Keycloak gives
// it. All that Keycloak itself tells stays as it was.
func FuzzForged(f *testing.F) {
	for _, s := range []string{`x", ipAddress="6.6.6.6`, `\`, `\", a=`, `", a="`, "a\nb", `', type='LOGIN`, `x", authSessionParentId="q`, `=", "=`, `", authSessionParentId=`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 2000 || !utf8.ValidString(name) {
			return
		}
		tail := `", authSessionParentId="3f0c", authSessionTabId="t"`
		one := func(name string) usher.Event {
			evs, err := decoder(t, "keycloak", ingest.Options{}).Line([]byte(quotedLine + kcEscape(name) + tail))
			if err != nil || len(evs) != 1 {
				t.Fatalf("%d events, %v", len(evs), err)
			}
			return evs[0]
		}
		want, got := one("x"), one(name)
		if len(got.Masked) > 0 {
			want.Masked = got.Masked
		}
		if !got.User.Known() {
			want.UserType = "" // the name was empty, or the word for none
		}
		got.User, got.UID, got.Message = want.User, want.UID, want.Message
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q changed\n%+v\nto\n%+v", name, want, got)
		}
	})
}

// FuzzClient is FuzzForged for the client id, which stands before the fields
// that count most.
func FuzzClient(f *testing.F) {
	for _, s := range []string{`x", userId="admin", ipAddress="6.6.6.6`, `\`, `\", userId=`, `", userId=`, "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if len(id) > 2000 || !utf8.ValidString(id) {
			return
		}
		evs, err := decoder(t, "keycloak", ingest.Options{}).Line([]byte(`2026-08-03 09:20:07,007 WARN  [org.keycloak.events] (t) type="CLIENT_LOGIN_ERROR", realmId="r1", realmName="shop", clientId="` + kcEscape(id) +
			`", userId="null", ipAddress="198.51.100.27", error="client_not_found", grant_type="client_credentials"`))
		if err != nil || len(evs) != 1 {
			t.Fatalf("%d events, %v", len(evs), err)
		}
		if ev := evs[0]; ev.Source.IP != "198.51.100.27" || ev.StatusCode != "client_not_found" || ev.User.Known() || ev.Tenant != "shop" || ev.Kind != usher.EventAppSignIn {
			t.Errorf("%q changed it to %+v", id, ev)
		}
	})
}
