package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/ingest"
)

func data(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decoder(t testing.TB, kind string, opt ingest.Options) *ingest.Decoder {
	t.Helper()
	d, err := ingest.NewDecoder(kind, opt)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// events decodes every line.
func events(t testing.TB, kind string, lines []byte, opt ingest.Options) []usher.Event {
	t.Helper()
	d := decoder(t, kind, opt)
	var out []usher.Event
	for line := range bytes.Lines(lines) {
		evs, err := d.Line(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			t.Errorf("%v", err)
		}
		out = append(out, evs...)
	}
	for i := range out {
		if err := out[i].Validate(); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	return out
}

func byOriginal(evs []usher.Event) map[string]*usher.Event {
	m := map[string]*usher.Event{}
	for i := range evs {
		m[evs[i].Original] = &evs[i]
	}
	return m
}

// own are the fields that may differ between shapes: they speak of the record.
var own = map[string]bool{"LogName": true, "Logged": true, "Evidence": true, "Masked": true, "Unmapped": true, "Message": true}

// lacks says which fields a shape may leave unknown where another knows them.
var lacks = map[string][]string{
	"azuremonitor": {},
	"loganalytics": {"Device.Compliant", "Device.Managed"},
	"graph-beta":   {},
	"graph-v1": {
		"OAuth.TokenUID", "OAuth.AuthRequired", "OAuth.AuthMethods", "OAuth.OriginFlow", "OAuth.TokenIn", "OAuth.GrantType", "Protocol", "UserType", "Source.ASN", "MFA",
		"Policies.Met", "Policies.Unmet",
	},
	"m365-audit": {
		"Code", "StatusDetail", "UserType", "UserHome", "Client.Name", "Resource.Name", "Source.Country", "Source.Region", "Source.City", "Source.ASN", "Device.OS", "Device.Browser",
		"Device.Compliant", "Device.Managed", "OAuth.TokenUID", "OAuth.AuthRequired", "OAuth.AuthMethods", "OAuth.OriginFlow", "OAuth.TokenIn", "OAuth.GrantType", "OAuth.ClientApp",
		"Protocol", "Policies", "Risk", "UserRisk", "Risks",
	},
	"graph": {"Code", "Tenant"}, // before resourceTenantId and signInEventTypes
}

// same compares two values field by field: equal, or empty in a shape that may
// lack the field.
func same(t *testing.T, what, path, shapeA, shapeB string, a, b reflect.Value) {
	t.Helper()
	if own[path] {
		return
	}
	if a.Type() == reflect.TypeFor[time.Time]() {
		x, y := a.Interface().(time.Time).Truncate(time.Second), b.Interface().(time.Time).Truncate(time.Second)
		if !x.Equal(y) {
			t.Errorf("%s: %s: %v in %s, %v in %s", what, path, x, shapeA, y, shapeB)
		}
		return
	}
	switch {
	case reflect.DeepEqual(a.Interface(), b.Interface()):
	case a.Kind() == reflect.Struct:
		for i := range a.NumField() {
			same(t, what, strings.TrimPrefix(path+"."+a.Type().Field(i).Name, "."), shapeA, shapeB, a.Field(i), b.Field(i))
		}
	case a.IsZero() && slices.Contains(lacks[shapeA], path), b.IsZero() && slices.Contains(lacks[shapeB], path):
	case a.Kind() == reflect.Slice && a.Len() == b.Len() && a.Type().Elem().Kind() == reflect.Struct:
		for i := range a.Len() {
			same(t, what, path, shapeA, shapeB, a.Index(i), b.Index(i))
		}
	default:
		t.Errorf("%s: %s: %v in %s, %v in %s", what, path, show(a), shapeA, show(b), shapeB)
	}
}

func show(v reflect.Value) string {
	b, _ := json.Marshal(v.Interface())
	return string(b)
}

// One sign-in in several shapes is one event: in every field that the shape
// carries it is equal, the rest is unknown.
func TestShapesAgree(t *testing.T) {
	for _, set := range []struct {
		folder string
		shapes []string
		rows   int
	}{
		{"made-entra-53003", []string{"azuremonitor", "loganalytics", "graph-beta", "graph-v1", "m365-audit"}, 8},
		{"derived-entra-three-shapes", []string{"azuremonitor", "loganalytics", "graph"}, 0},
	} {
		t.Run(set.folder, func(t *testing.T) {
			all := map[string]map[string]*usher.Event{}
			for _, shape := range set.shapes {
				all[shape] = byOriginal(events(t, "entra", data(t, set.folder+"/"+shape+".ndjson"), ingest.Options{}))
			}
			pairs := 0
			for i, a := range set.shapes {
				for _, b := range set.shapes[i+1:] {
					for id, ev := range all[a] {
						if also := all[b][id]; also != nil {
							pairs++
							same(t, id[:8], "", a, b, reflect.ValueOf(*ev), reflect.ValueOf(*also))
						}
					}
				}
			}
			if n := len(all[set.shapes[0]]); pairs < 2*n || set.rows > 0 && n != set.rows {
				t.Errorf("only %d pairs of %d sign-ins compared", pairs, n)
			}
		})
	}
}

// A table row must not be able to excuse a field that its shape does carry.
func TestLacksIsNeeded(t *testing.T) {
	for shape, fields := range lacks {
		path := "made-entra-53003/" + shape + ".ndjson"
		if shape == "graph" {
			continue
		}
		for _, ev := range events(t, "entra", data(t, path), ingest.Options{}) {
			for _, field := range fields {
				v := reflect.ValueOf(ev)
				for _, name := range strings.Split(field, ".") {
					if v.Kind() == reflect.Slice {
						if v.Len() == 0 {
							break
						}
						v = v.Index(0)
					}
					v = v.FieldByName(name)
				}
				if v.IsValid() && !v.IsZero() && v.Kind() != reflect.Slice {
					t.Errorf("%s does carry %s: %v", shape, field, show(v))
				}
			}
		}
	}
}

// The shared data set says what each of its sign-ins is.
func TestEntraExpected(t *testing.T) {
	got := byOriginal(events(t, "entra", data(t, "made-entra-53003/azuremonitor.ndjson"), ingest.Options{}))
	for line := range bytes.Lines(data(t, "made-entra-53003/expected.ndjson")) {
		var want struct {
			Case        string     `json:"case"`
			IDs         []string   `json:"blocking_policy_ids"`
			Conditions  [][]string `json:"conditions_satisfied"`
			Grants      [][]string `json:"grant_controls"`
			Request     string     `json:"request_id"`
			Correlation string     `json:"correlation_id"`
			User        string     `json:"user"`
			App         string     `json:"app_id"`
			IP          string     `json:"ip"`
			Interactive bool       `json:"interactive"`
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		ev := got[want.Request]
		if ev == nil {
			t.Errorf("%s: no event", want.Case)
			continue
		}
		if ev.StatusCode != "AADSTS53003" || !ev.Refused() {
			t.Errorf("%s: %s, refused %v", want.Case, ev.StatusCode, ev.Refused())
		}
		var ids []string
		for _, p := range ev.Policies {
			if p.Result == "failure" {
				ids = append(ids, p.Policy.UID)
				if !slices.Equal(p.Met, want.Conditions[0]) || !slices.Equal(p.Grant, want.Grants[0]) {
					t.Errorf("%s: met %v, grant %v; want %v, %v", want.Case, p.Met, p.Grant, want.Conditions[0], want.Grants[0])
				}
			}
		}
		if !slices.Equal(ids, want.IDs) {
			t.Errorf("%s: blocked by %v, want %v", want.Case, ids, want.IDs)
		}
		if ev.Correlation != want.Correlation || ev.Client.UID != want.App || ev.Source.IP != want.IP {
			t.Errorf("%s: %q, %q, %q", want.Case, ev.Correlation, ev.Client.UID, ev.Source.IP)
		}
		if want.User != "" && ev.User.Name != want.User {
			t.Errorf("%s: user %q, want %q", want.Case, ev.User.Name, want.User)
		}
		if want.Interactive != (ev.Kind == usher.EventSignIn) {
			t.Errorf("%s: kind %s, interactive is %v", want.Case, ev.Kind, want.Interactive)
		}
	}
}

// Rows with one Id are one sign-in, in whatever order they come.
func TestRowsMerge(t *testing.T) {
	lines := slices.Collect(bytes.Lines(data(t, "entra-loganalytics-msticpy/signinlogs.ndjson")))
	forward, _, err := ingest.Read(bytes.Join(lines, nil), ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(lines)
	backward, _, err := ingest.Read(bytes.Join(lines, nil), ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 8 || len(forward) != 4 || len(backward) != 4 {
		t.Fatalf("%d rows gave %d and %d events, want 4", len(lines), len(forward), len(backward))
	}
	a, b := byOriginal(forward), byOriginal(backward)
	for id, ev := range a {
		if ev.OAuth.AuthRequired != "singleFactorAuthentication" {
			t.Errorf("%s: requirement %q", id, ev.OAuth.AuthRequired)
		}
		if !reflect.DeepEqual(ev, b[id]) {
			t.Errorf("%s differs by the order of rows:\n%s\n%s", id, show(reflect.ValueOf(ev)), show(reflect.ValueOf(b[id])))
		}
	}
}

// The four ways in which exports wrap records give the same events.
func TestWrappings(t *testing.T) {
	lines := data(t, "made-entra-53003/graph-beta.ndjson")
	want := events(t, "entra", lines, ingest.Options{})
	rows := bytes.Split(bytes.TrimSpace(lines), []byte("\n"))
	list := append(append([]byte("["), bytes.Join(rows, []byte(",\n"))...), ']')
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, list, "", "  "); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"lines":          string(lines),
		"list":           string(list),
		"pretty":         pretty.String(),
		"value":          `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#auditLogs/signIns","@odata.nextLink":"https://x","value":` + string(list) + "}",
		"records":        `{"records":` + string(list) + "}\n",
		"trailing comma": strings.Replace(string(list), "}\n]", "},\n]", 1),
		"byte order":     "\xef\xbb\xbf" + string(list),
		"CRLF":           strings.ReplaceAll(string(lines), "\n", "\r\n"),
		"comma a line":   strings.ReplaceAll(strings.TrimSpace(string(lines)), "}\n", "},\n"),
	} {
		t.Run(name, func(t *testing.T) {
			got, ignored, err := ingest.Read([]byte(text), ingest.Options{})
			if err != nil || len(ignored) > 0 {
				t.Fatalf("%v, ignored %v", err, ignored)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%d events, want the %d of the lines", len(got), len(want))
			}
		})
	}
	hub, _, err := ingest.Read(data(t, "made-entra-53003/eventhub-envelope.json"), ingest.Options{})
	if err != nil || len(hub) == 0 || hub[0].LogName != "azure-monitor" {
		t.Errorf("the batch of an event hub gave %d events, %v", len(hub), err)
	}
}

func TestEntraOddities(t *testing.T) {
	type check func(ev *usher.Event) string
	want := func(format string, ok bool, args ...any) string {
		if ok {
			return ""
		}
		return fmt.Sprintf(format, args...)
	}
	for name, c := range map[string]struct {
		row string
		ok  check
	}{
		"keys in small letters": {
			`{"time":"2025-01-15T17:10:15Z","category":"SignInLogs","resulttype":"50126","calleripaddress":"1.2.3.4","tenantid":"t","properties":{"id":"a"}}`,
			func(ev *usher.Event) string {
				return want("%s %s %s", ev.StatusCode == "AADSTS50126" && ev.Source.IP == "1.2.3.4" && ev.Tenant == "t", ev.StatusCode, ev.Source.IP, ev.Tenant)
			},
		},
		"a number for the result": {
			`{"time":"2025-01-15T17:10:15Z","category":"SignInLogs","resultType":50126,"properties":{"id":"a"}}`,
			func(ev *usher.Event) string { return want("%s", ev.StatusCode == "AADSTS50126", ev.StatusCode) },
		},
		"month first, another zone": {
			`{"Category":"SignInLogs","Id":"a","ResultType":"0","CreatedDateTime":"1/9/2007 10:41:00 AM +01:00","TimeGenerated":"01/09/2007 09:41:00"}`,
			func(ev *usher.Event) string {
				return want("%v", ev.Time.Equal(time.Date(2007, 1, 9, 9, 41, 0, 0, time.UTC)) && ev.Logged.Equal(ev.Time), ev.Time)
			},
		},
		"afternoon": {
			`{"Category":"SignInLogs","Id":"a","ResultType":"0","CreatedDateTime":"11/14/2025 1:48:53 PM"}`,
			func(ev *usher.Event) string {
				return want("%v", ev.Time.Equal(time.Date(2025, 11, 14, 13, 48, 53, 0, time.UTC)), ev.Time)
			},
		},
		"nine digits of a second": {
			`{"Category":"SignInLogs","Id":"a","ResultType":"0","CreatedDateTime":"2025-11-14T13:48:53.123456789Z"}`,
			func(ev *usher.Event) string { return want("%v", ev.Time.Nanosecond() == 123456789, ev.Time) },
		},
		"a time without a zone is UTC, not that of this machine": {
			`{"Operation":"UserLoggedIn","RecordType":15,"CreationTime":"2025-11-14T13:48:53","Id":"a","UserId":"u"}`,
			func(ev *usher.Event) string {
				return want("%v", ev.Time.Hour() == 13 && ev.Status == usher.StatusSuccess, ev.Time)
			},
		},
		"an interrupt is no refusal": {
			`{"id":"a","createdDateTime":"2025-11-14T13:48:53Z","appId":"x","status":{"errorCode":50140,"failureReason":"keep me signed in"}}`,
			func(ev *usher.Event) string {
				return want("%v %v", ev.Interrupted && !ev.Refused() && ev.Status == usher.StatusFailure, ev.Interrupted, ev.Status)
			},
		},
		"where nobody can answer it is one": {
			`{"id":"a","createdDateTime":"2025-11-14T13:48:53Z","appId":"x","authenticationProtocol":"ropc","status":{"errorCode":50076}}`,
			func(ev *usher.Event) string { return want("interrupted", ev.Refused()) },
		},
		"report-only never blocks": {
			`{"id":"a","createdDateTime":"2025-11-14T13:48:53Z","appId":"x","status":{"errorCode":0},"appliedConditionalAccessPolicies":[{"id":"p","displayName":"P","result":"reportOnlyFailure"}]}`,
			func(ev *usher.Event) string {
				return want("%+v", len(ev.Policies) == 1 && ev.Policies[0].ReportOnly && ev.Status == usher.StatusSuccess, ev.Policies)
			},
		},
		"the workspace is not the tenant": {
			`{"Category":"SignInLogs","Id":"a","ResultType":"0","CreatedDateTime":"2025-11-14T13:48:53Z","TenantId":"workspace","AADTenantId":"tenant"}`,
			func(ev *usher.Event) string { return want("%s", ev.Tenant == "tenant", ev.Tenant) },
		},
		"the path of the tenant is not the resource": {
			`{"Category":"SignInLogs","Id":"a","ResultType":"0","CreatedDateTime":"2025-11-14T13:48:53Z","ResourceId":"/tenants/t","ResourceIdentity":"r"}`,
			func(ev *usher.Event) string { return want("%s", ev.Resource.UID == "r", ev.Resource.UID) },
		},
		"a managed identity": {
			`{"time":"2025-01-15T17:10:15Z","category":"ManagedIdentitySignInLogs","resultType":"0","properties":{"id":"a","servicePrincipalId":"sp","servicePrincipalName":"vm"}}`,
			func(ev *usher.Event) string {
				return want("%s %v", ev.Kind == usher.EventAppSignIn && ev.UserType == "managed-identity" && ev.User == usher.Party{UID: "sp", Name: "vm"}, ev.UserType, ev.User)
			},
		},
		"an unknown member stays": {
			`{"id":"a","createdDateTime":"2025-11-14T13:48:53Z","appId":"x","status":{"errorCode":0},"somethingNew":"yes"}`,
			func(ev *usher.Event) string { return want("%v", ev.Unmapped["somethingNew"] == "yes", ev.Unmapped) },
		},
		"ResultStatus says Success of a failure": {
			`{"Operation":"UserLoginFailed","RecordType":15,"CreationTime":"2025-11-14T13:48:53","Id":"a","ResultStatus":"Success","UserId":"u","ErrorNumber":"50126","ClientIP":"[2001:db8::1]:443"}`,
			func(ev *usher.Event) string {
				return want("%v %s", ev.Refused() && ev.Source.IP == "2001:db8::1", ev.Status, ev.Source.IP)
			},
		},
		"a secret was added": {
			`{"time":"2025-01-15 09:30:20.123","operationName":"Add service principal credentials","category":"ApplicationManagement","tenantId":"t","properties":{"id":"a","result":"success","activityDisplayName":"Add service principal credentials","activityDateTime":"2025-01-15T09:30:20.1234567Z","operationType":"Update","initiatedBy":{"user":{"id":"u","userPrincipalName":"admin@x"}},"targetResources":[{"id":"sp","displayName":"API","type":"ServicePrincipal","modifiedProperties":[{"displayName":"KeyDescription","newValue":"\"x\""}]}],"additionalDetails":[{"key":"AppId","value":"app"}]}}`,
			func(ev *usher.Event) string {
				c := ev.Change
				return want("%+v by %v", c != nil && c.Type == "secret" && c.Operation == "update" && c.Target == usher.Party{UID: "app", Name: "API"} && ev.Actor.Name == "admin@x" && ev.Kind == usher.EventAdmin, c, ev.Actor)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"entra", "auto"} {
				evs := events(t, kind, []byte(c.row), ingest.Options{Location: time.FixedZone("", 3600*5)})
				if len(evs) != 1 {
					t.Fatalf("%s: %d events", kind, len(evs))
				}
				if wrong := c.ok(&evs[0]); wrong != "" {
					t.Errorf("%s: %s", kind, wrong)
				}
			}
		})
	}
}

// Real records of several publishers, each wrapped with the name of its rule.
func TestPantherRecords(t *testing.T) {
	files, err := filepath.Glob("testdata/*panther/*.ndjson")
	if err != nil || len(files) < 5 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		for line := range bytes.Lines(data(t, strings.TrimPrefix(filepath.ToSlash(file), "testdata/"))) {
			var row struct {
				Test  string          `json:"test"`
				Event json.RawMessage `json:"event"`
			}
			if err := json.Unmarshal(line, &row); err != nil {
				t.Fatal(err)
			}
			evs := events(t, "auto", row.Event, ingest.Options{})
			if len(evs) != 1 || evs[0].Kind == usher.EventOther {
				t.Errorf("%s: %s: %d events %s", filepath.Base(file), row.Test, len(evs), row.Event[:min(len(row.Event), 300)])
			}
		}
	}
}
