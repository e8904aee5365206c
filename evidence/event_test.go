package evidence_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/diagnose"
	"usher/evidence"
	"usher/ingest"
)

// eventFiles are logs of which both ways must mean the same.
var eventFiles = []string{
	"made-entra-53003/azuremonitor.ndjson", "made-entra-53003/loganalytics.ndjson", "made-entra-53003/graph-beta.ndjson", "made-entra-53003/graph-v1.ndjson", "made-entra-53003/m365-audit.ndjson",
	"made-keycloak/quoted.log", "made-keycloak/unquoted.log",
}

// roundTrip gives an event as the store gives it back.
func roundTrip(t *testing.T, ev usher.Event) *usher.Event {
	t.Helper()
	text, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	var again usher.Event
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	return &again
}

func facts(it *evidence.Item) []string {
	var out []string
	for _, f := range it.Facts {
		out = append(out, f.Key+"="+f.Value)
	}
	slices.Sort(out)
	return out
}

func best(set *evidence.Set) string {
	a := diagnose.Explain(set, diagnose.Options{})
	if len(a.Findings) == 0 {
		return "none"
	}
	return a.Findings[0].Cause
}

// A record that a person pastes and the event that a server made of the same
// record say the same, and have the same cause.
func TestFromEventLikeTheRecord(t *testing.T) {
	for _, file := range eventFiles {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(file)))
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range bytes.Lines(data) {
				evs, _, err := ingest.Read(line, ingest.Options{})
				if err != nil || len(evs) != 1 {
					t.Fatalf("%d events, %v", len(evs), err)
				}
				set := read(t, "line", string(line))
				if len(set.Items) != 1 {
					t.Fatalf("%d items", len(set.Items))
				}
				n++
				it := evidence.FromEvent(roundTrip(t, evs[0]))
				if a, b := facts(&set.Items[0]), facts(&it); !slices.Equal(a, b) {
					t.Errorf("the record says %v\nthe event says %v", a, b)
				}
				if a, b := best(set), best(&evidence.Set{Items: []evidence.Item{it}}); a != b {
					t.Errorf("%s: the record's cause is %s, the event's %s", it.Summary, a, b)
				}
				if it.Text == "" && evs[0].Refused() || it.Summary == "" || it.Kind != usher.KindLogRecord || it.Event == nil || it.Time.IsZero() || it.Place == "" {
					t.Errorf("%+v", it)
				}
			}
			if n < 5 {
				t.Errorf("only %d records compared", n)
			}
		})
	}
}

// A refusal in the log and what the provider knows of the client make the whole
// story, with the difference.
func TestEventAndClient(t *testing.T) {
	line := `2026-11-25 10:42:00,352 WARN  [org.keycloak.events] (executor-thread-1) type="LOGIN_ERROR", realmId="154ae83d-cf18-4661-b649-4d8d95f38c42", realmName="shop", clientId="shop", userId="null", ipAddress="127.0.0.1", error="invalid_redirect_uri", redirect_uri="https://shop.test/cb/"`
	evs, _, err := ingest.Read([]byte(line), ingest.Options{})
	if err != nil || len(evs) != 1 {
		t.Fatal(len(evs), err)
	}
	client := &usher.Client{ID: "shop", Name: "The shop", RedirectURIs: []string{"https://shop.test/cb"}, GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid"}}
	set := &evidence.Set{Items: []evidence.Item{evidence.FromEvent(roundTrip(t, evs[0])), evidence.FromClient(client, "keycloak", "keycloak's admin API")}}
	a := diagnose.Explain(set, diagnose.Options{})
	if len(a.Findings) == 0 || a.Findings[0].Cause != "redirect-uri-mismatch" || a.Findings[0].Confidence < usher.Confident {
		t.Fatalf("%+v", a.Findings)
	}
	told, err := json.Marshal(a.Findings[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"https://shop.test/cb/", `https://shop.test/cb"`, `"client":"shop"`} {
		if !strings.Contains(string(told), want) {
			t.Errorf("the finding does not say %s: %s", want, told)
		}
	}
}

func TestFromClient(t *testing.T) {
	it := evidence.FromClient(&usher.Client{ID: "web", Public: true, Disabled: true, RedirectURIs: []string{"https://a.test/*"}, GrantTypes: []string{"authorization_code"}}, "keycloak", "admin API")
	if it.Kind != usher.KindRegistration || it.Provider != "keycloak" || it.Registration == nil || it.Registration.ClientID != "web" || len(it.Registration.RedirectURIs) != 1 {
		t.Fatalf("%+v", it)
	}
	for _, want := range []string{"client-enabled=false", "public-client=true", "registered-redirect=wildcard", "grant-setting=authorization_code", "client-id=web", "provider=keycloak"} {
		if !slices.Contains(facts(&it), want) {
			t.Errorf("no fact %s in %v", want, facts(&it))
		}
	}
}

// Every fact of an event is of the closed vocabulary.
func TestEventFactsAreKnown(t *testing.T) {
	known := map[string]bool{}
	for _, k := range evidence.FactKeys {
		known[k.Key] = true
	}
	yes := true
	for _, provider := range []string{"entra", "keycloak", "usher", ""} {
		ev := &usher.Event{
			UID: "1", Kind: usher.EventAppSignIn, Provider: provider, Time: time.Now(), Status: usher.StatusFailure, StatusCode: "x", StatusDetail: "y", Code: "c", Tenant: "t", Correlation: "c",
			User: usher.Party{UID: "u", Name: "n"}, Client: usher.Party{UID: "u", Name: "n"}, Resource: usher.Party{UID: "u", Name: "n"}, UserType: "guest", Source: usher.Endpoint{IP: "1.2.3.4", Country: "NG"}, SeenIP: "1.2.3.5",
			Request: usher.Request{Method: "GET", Host: "h", Status: 401}, Device: usher.Device{UID: "d", OS: "o", Browser: "b", Managed: &yes, Compliant: &yes, TrustType: "t"}, Risk: "low", UserRisk: "low", Risks: []string{"r"},
			OAuth:    usher.OAuthFacts{Endpoint: "token", GrantType: "refresh_token", ClientAuth: "none", RedirectURI: "https://a.test", ResponseType: "code", Requested: []string{"a"}, Granted: []string{"b"}, TokenIn: "t", ClientApp: "c", OriginFlow: "o", AuthRequired: "a", Error: "invalid_grant", Description: "d"},
			Policies: []usher.Decision{{Policy: usher.Party{UID: "p", Name: "P"}, Result: "failure", Met: []string{"m"}, Unmet: []string{"u"}, Grant: []string{"g"}, Session: []string{"s"}}, {Policy: usher.Party{Name: "R"}, Result: "reportOnlyFailure", ReportOnly: true}},
			Unmapped: map[string]string{"additionalDetails": "a", "conditionalAccessStatus": "failure", "authenticationSteps": "Password:ok; X:failed", "networkTypes": "a", "networkNames": "b", "authenticationProtocol": "ropc", "auth_method": "x"},
		}
		it := evidence.FromEvent(ev)
		if len(it.Facts) < 15 {
			t.Errorf("%q: only %d facts", provider, len(it.Facts))
		}
		for _, f := range it.Facts {
			if !known[f.Key] {
				t.Errorf("%q: the fact %s is not in the vocabulary", provider, f.Key)
			}
		}
	}
	// The least event there can be must not be a trap.
	if it := evidence.FromEvent(&usher.Event{}); it.Kind != usher.KindLogRecord {
		t.Errorf("%+v", it)
	}
}
