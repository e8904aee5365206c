package ingest_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/ingest"
)

const ownEvent = `{"uid":"0123456789abcdef","kind":"api","provider":"usher","time":"2026-08-03T09:15:00.5+02:00","status_id":2,"user":{"name":"dana"},"actor":{},"client":{"uid":"web"},"resource":{"uid":"https://api.test"},"src_endpoint":{"ip":"198.51.100.1"},"http_request":{"http_method":"GET","path":"/v1/orders","code":401},"device":{},"oauth":{"endpoint":"api","error":"invalid_token","error_description":"the token has expired"}}`

func TestOwn(t *testing.T) {
	for _, kind := range []string{"usher", "auto"} {
		evs := events(t, kind, []byte(ownEvent), ingest.Options{})
		if len(evs) != 1 {
			t.Fatalf("%s: %d events", kind, len(evs))
		}
		ev := evs[0]
		if ev.UID != "0123456789abcdef" || ev.OAuth.Error != "invalid_token" || ev.Request.Status != 401 || !ev.Time.Equal(time.Date(2026, 8, 3, 7, 15, 0, 5e8, time.UTC)) || len(ev.Masked) > 0 {
			t.Errorf("%s: %+v", kind, ev)
		}
	}
}

// Every field of an event survives its JSON form and this reader.
func TestOwnWhole(t *testing.T) {
	yes := true
	whole := usher.Event{
		UID: "a1", Original: "o1", Class: 3002, Kind: usher.EventToken, Code: "TOKEN", Provider: "usher", LogName: "door", Tenant: "shop",
		Time: time.Date(2026, 8, 3, 7, 15, 0, 1, time.UTC), Logged: time.Date(2026, 8, 3, 7, 15, 1, 0, time.UTC), Message: "a message", Severity: 2,
		Correlation: "c1", Session: "s1", Status: usher.StatusFailure, StatusCode: "invalid_grant", StatusDetail: "used before", Interrupted: true,
		User: usher.Party{UID: "u1", Name: "dana"}, UserType: "user", UserHome: "t1", Actor: usher.Party{UID: "a"}, Client: usher.Party{UID: "web", Name: "Web"}, Resource: usher.Party{UID: "r"},
		Source: usher.Endpoint{IP: "198.51.100.1", Country: "NG", Region: "R", City: "Lagos", ASN: 64500, Via: []string{"10.0.0.1"}}, SeenIP: "198.51.100.2", UserAgent: "curl/8",
		Request: usher.Request{Method: "POST", Host: "id.test", Path: "/token", UID: "q1", Status: 400}, MFA: &yes, Protocol: "oauth2",
		Device: usher.Device{UID: "d", Name: "n", OS: "linux", Browser: "b", Managed: &yes, Compliant: &yes, TrustType: "t"},
		OAuth: usher.OAuthFacts{
			Endpoint: "token", GrantType: "refresh_token", ClientAuth: "client_secret_basic", Credential: "k", RedirectURI: "https://a.test/cb", ResponseType: "code", Requested: []string{"a"}, Granted: []string{"b"},
			Audiences: []string{"c"}, TokenIn: "refresh_token", TokenUID: "t", KeyID: "kid", Expires: time.Date(2026, 8, 3, 8, 0, 0, 0, time.UTC), ClientApp: "Browser", OriginFlow: "none", AuthRequired: "x",
			AuthMethods: []string{"pwd"}, Error: "invalid_grant", Description: "used before",
		},
		Policies: []usher.Decision{{Policy: usher.Party{UID: "p", Name: "P"}, Result: "failure", ReportOnly: true, Met: []string{"users"}, Unmet: []string{"location"}, Grant: []string{"Mfa"}, Session: []string{"s"}}},
		Risk:     "low", UserRisk: "none", Risks: []string{"r"}, Change: &usher.Change{Operation: "update", Type: "client", Target: usher.Party{UID: "w"}, Path: "clients/w", Fields: []string{"f"}},
		Evidence: []usher.FieldPlace{{Field: "client.uid", Place: "/client"}}, Masked: []string{"message"}, Unmapped: map[string]string{"x": "y"},
	}
	v := reflect.ValueOf(whole)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test does not set %s", v.Type().Field(i).Name)
		}
	}
	line, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	evs := events(t, "usher", line, ingest.Options{})
	if len(evs) != 1 {
		t.Fatalf("%d events", len(evs))
	}
	whole.Evidence, evs[0].Evidence = nil, nil // said of the record the door read
	if !reflect.DeepEqual(evs[0], whole) {
		t.Errorf("got  %+v\nwant %+v", evs[0], whole)
	}
}

// What is wrong with a line is told with the line and the field, and without
// any value.
func TestOwnRefused(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"unknown member":        {strings.Replace(ownEvent, `"provider"`, `"prvider"`, 1), "door.ndjson:1: prvider"},
		"unknown deep member":   {strings.Replace(ownEvent, `"error_description"`, `"errorDescription"`, 1), "oauth.errorDescription"},
		"member in capitals":    {strings.Replace(ownEvent, `"uid":"0`, `"UID":"0`, 1), "UID"},
		"given twice":           {strings.Replace(ownEvent, `"status_id":2`, `"status_id":2,"status_id":1`, 1), "status_id is given twice"},
		"given twice, deep":     {strings.Replace(ownEvent, `{"uid":"web"}`, `{"uid":"web","uid":"shop"}`, 1), "client.uid is given twice"},
		"given twice, escaped":  {strings.Replace(ownEvent, `{"uid":"web"}`, `{"uid":"web","\u0075id":"shop"}`, 1), "client.uid is given twice"},
		"given twice, free":     {strings.Replace(ownEvent, `{"uid":"web"}`, `{"uid":"web"},"unmapped":{"a":"1","a":"2"}`, 1), "unmapped.a is given twice"},
		"no uid":                {strings.Replace(ownEvent, `"uid":"0123456789abcdef",`, ``, 1), "uid"},
		"no time":               {strings.Replace(ownEvent, `"time":"2026-08-03T09:15:00.5+02:00",`, ``, 1), "time"},
		"a time that is none":   {strings.Replace(ownEvent, `09:15:00`, `hunter2!`, 1), "time"},
		"unknown kind":          {strings.Replace(ownEvent, `"api"`, `"apis"`, 1), "kind"},
		"status out of range":   {strings.Replace(ownEvent, `"status_id":2`, `"status_id":9`, 1), "status_id"},
		"a number for a string": {strings.Replace(ownEvent, `"dana"`, `7`, 1), "user.name"},
		"cut":                   {ownEvent[:len(ownEvent)/2], "broken"},
		"text behind":           {ownEvent + "x", "behind"},
	} {
		t.Run(name, func(t *testing.T) {
			evs, err := decoder(t, "usher", ingest.Options{Source: "door.ndjson"}).Line([]byte(c.line))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "door.ndjson:1") {
				t.Errorf("%d events, error %v, want it to name %q", len(evs), err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes a value: %v", err)
			}
			ev, err := decoder(t, "usher", ingest.Options{Source: "door.ndjson"}).Event([]byte(c.line))
			if want := strings.TrimPrefix(c.want, "door.ndjson:1: "); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "door.ndjson") || ev.UID != "" {
				t.Errorf("alone: %+v, error %v, want it to name %q", ev, err, want)
			}
		})
	}
	d := decoder(t, "usher", ingest.Options{})
	for _, line := range []string{"", "[]", `[` + ownEvent + `]`, `"x"`, "null", `{"value":[` + ownEvent + `]}`, ownEvent + "," + ownEvent, ownEvent + ownEvent} {
		if ev, err := d.Event([]byte(line)); err == nil || ev.UID != "" {
			t.Errorf("%.20s: %+v", line, ev)
		}
	}
	if ev, err := d.Event([]byte(" " + ownEvent + "\r\n")); err != nil || ev.Client.UID != "web" {
		t.Errorf("%+v, %v", ev, err)
	}
	for range 2 {
		if _, err := d.Line([]byte(ownEvent)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Line([]byte("{")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("error %v, want line 3", err)
	}
}

func TestDecoderKinds(t *testing.T) {
	if _, err := ingest.NewDecoder("splunk", ingest.Options{}); err == nil || !strings.Contains(err.Error(), "splunk") {
		t.Errorf("error %v", err)
	}
	d := decoder(t, "entra", ingest.Options{})
	if _, err := d.Line(make([]byte, ingest.MaxLine+1)); err == nil {
		t.Error("a line over the limit was taken")
	}
}
