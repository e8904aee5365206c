package evidence_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"usher"
	"usher/evidence"
)

// entraCase is a line of the shared data set's expectations.
type entraCase struct {
	Case       string     `json:"case"`
	Code       string     `json:"code"`
	IDs        []string   `json:"blocking_policy_ids"`
	Names      []string   `json:"blocking_policies"`
	NotToBlame []string   `json:"not_to_blame"`
	Conditions [][]string `json:"conditions_satisfied"`
	Grants     [][]string `json:"grant_controls"`
	Request    string     `json:"request_id"`
	Corr       string     `json:"correlation_id"`
	App        string     `json:"app_id"`
	IP         string     `json:"ip"`
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		out = append(out, sc.Text())
	}
	return out
}

func values(it *evidence.Item, key string) []string {
	var out []string
	for _, f := range it.Facts {
		if f.Key == key {
			out = append(out, f.Value)
		}
	}
	slices.Sort(out)
	return out
}

func lowered(list []string) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, strings.ToLower(s))
	}
	slices.Sort(out)
	return out
}

// One sign-in in five shapes gives the same facts. Graph v1.0 has no conditions
// and no app-only sign-ins, the audit log no policies: those are not asked for.
func TestEntraShapes(t *testing.T) {
	cases := map[string]entraCase{}
	for _, line := range lines(t, "made-entra-53003/expected.ndjson") {
		var c entraCase
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		cases[c.Request] = c
	}
	for _, shape := range []string{"azuremonitor", "loganalytics", "graph-beta", "graph-v1", "m365-audit"} {
		t.Run(shape, func(t *testing.T) {
			set := readFile(t, "made-entra-53003/"+shape+".ndjson")
			if want := len(lines(t, "made-entra-53003/"+shape+".ndjson")); len(set.Items) != want {
				t.Fatalf("%d items, want %d", len(set.Items), want)
			}
			for i := range set.Items {
				checkEntra(t, shape, &set.Items[i], cases)
			}
		})
	}
}

func checkEntra(t *testing.T, shape string, it *evidence.Item, cases map[string]entraCase) {
	t.Helper()
	if it.Kind != usher.KindLogRecord || it.Provider != "entra" || it.Event == nil {
		t.Fatalf("item = %+v, want a log record of entra with an event", it.Evidence)
	}
	ids := values(it, "request-id")
	if len(ids) != 1 {
		t.Fatalf("request ids %v, want one", ids)
	}
	c, ok := cases[ids[0]]
	if !ok {
		t.Fatalf("no case has the request id %s", ids[0])
	}
	equal := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s = %v, want %v", c.Case, what, got, want)
		}
	}
	equal("code", values(it, "code"), []string{"entra/aadsts" + c.Code})
	equal("correlation", values(it, "correlation"), []string{c.Corr})
	equal("client", values(it, "client-id"), []string{c.App})
	equal("ip", values(it, "ip"), []string{c.IP})
	if it.Time.IsZero() || it.Event.Status != usher.StatusFailure {
		t.Errorf("%s: time %v, status %v; want a time and a failure", c.Case, it.Time, it.Event.Status)
	}
	if err := it.Event.Validate(); err != nil {
		t.Errorf("%s: the event: %v", c.Case, err)
	}
	if shape == "m365-audit" {
		return
	}
	equal("policies", values(it, "ca-policy-failed"), lowered(c.Names))
	equal("policy ids", values(it, "ca-policy-id"), lowered(c.IDs))
	equal("controls", values(it, "ca-grant"), lowered(c.Grants[0]))
	if shape != "graph-v1" {
		equal("conditions", values(it, "ca-condition"), lowered(c.Conditions[0]))
	}
}

// The portal exports a table, which Excel saves as UTF-16.
func TestPortalExport(t *testing.T) {
	table := "Date (UTC),Request ID,User agent,Correlation ID,User ID,User,Username,Application,Application ID ,Resource,IP address,Location,Status,Sign-in error code,Failure reason,Client app,Device ID,Browser,Operating System,Compliant,Managed,Join Type,Conditional Access\r\n" +
		"2026-08-03T09:15:00Z,98f1e66e-eb62-4938-8545-e97cd63cc6fd,\"Mozilla/5.0 (x, y)\",9c751c2d-e2d8-44ce-8ade-b2a049eee0aa,u1,Dana Example,dana@contoso.example,Contoso Shop Admin,bbbbbbbb-0000-4000-8000-000000000001,Microsoft Graph,203.0.113.10,\"Lagos, Lagos, NG\",Failure,53003,\"Access has been blocked, sorry\",Browser,,Edge 138.0.0,Windows 11,No,No,,Failure\r\n"
	for name, data := range map[string][]byte{"UTF-8": []byte(table), "UTF-16": utf16Bytes(table, binary.LittleEndian, true)} {
		t.Run(name, func(t *testing.T) {
			set := read(t, "export.csv", string(data))
			wantItem(t, set, "kind=log-record code=entra/aadsts53003 client-id=bbbbbbbb-0000-4000-8000-000000000001 country=ng device-state=non-compliant device-platform=windows_11 ca-status=failure user=dana@contoso.example ip=203.0.113.10 at=export.csv:2")
		})
	}
}

func TestKeycloakLines(t *testing.T) {
	type event struct {
		Type, Error, Client, IP string
	}
	var want []event
	for _, line := range lines(t, "made-keycloak/expected.ndjson") {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		want = append(want, e)
	}
	for _, file := range []string{"quoted.log", "unquoted.log"} {
		t.Run(file, func(t *testing.T) {
			set := readFile(t, "made-keycloak/"+file)
			if len(set.Items) != len(want) {
				t.Fatalf("%d items, want %d", len(set.Items), len(want))
			}
			for i, w := range want {
				it := &set.Items[i]
				if it.Line != i+1 || it.Time.IsZero() {
					t.Errorf("event %d: line %d, time %v", i, it.Line, it.Time)
				}
				if got := values(it, "event-type"); len(got) != 1 || !strings.EqualFold(got[0], w.Type) {
					t.Errorf("event %d: type %v, want %s", i, got, w.Type)
				}
				if got := strings.Join(values(it, "event-error"), ""); got != w.Error {
					t.Errorf("event %d: error %q, want %q", i, got, w.Error)
				}
				if got := strings.Join(values(it, "ip"), ""); got != w.IP {
					t.Errorf("event %d: address %q, want %q", i, got, w.IP)
				}
			}
		})
	}
}
