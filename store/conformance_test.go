package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/store"
	"usher/test/postgres"
)

// opener opens the store that lies at a place, making it when there is none. It
// does not close it.
type opener func(t *testing.T, place string) *store.Store

func openDir(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// schemas are those of the places that openPostgres was asked for. One that a
// test has done with is emptied for the next: to make one takes longer.
var (
	schemasMu   sync.Mutex
	schemas     = map[string]string{}
	schemasFree []string
)

// openPostgres opens the store of a place in a schema of its own.
func openPostgres(t *testing.T, place string) *store.Store {
	t.Helper()
	s, err := store.OpenWith(t.Context(), place, store.Options{URL: schemaOf(t, place)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func schemaOf(t *testing.T, place string) string {
	t.Helper()
	server := postgres.Shared(t)
	schemasMu.Lock()
	defer schemasMu.Unlock()
	if url, ok := schemas[place]; ok {
		return url
	}
	url := ""
	if n := len(schemasFree); n > 0 {
		url, schemasFree = schemasFree[n-1], schemasFree[:n-1]
	} else {
		url = server.NewSchema(t)
	}
	schemas[place] = url
	t.Cleanup(func() {
		const empty = "TRUNCATE events, cases, case_keys, tries, affected, marks, cursors, accounts, sessions, ticket, keys, settings, connections, leases, paces, flows, blobs RESTART IDENTITY"
		if err := postgres.Exec(t, url, empty); err != nil {
			return // it was not made whole
		}
		schemasMu.Lock()
		defer schemasMu.Unlock()
		delete(schemas, place)
		schemasFree = append(schemasFree, url)
	})
	return url
}

// TestConformance is what every kind of store does.
func TestConformance(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { conform(t, openDir) })
	t.Run("postgres", func(t *testing.T) {
		postgres.Shared(t)
		conform(t, openPostgres)
	})
}

// conform runs the tests that hold for every kind of store.
func conform(t *testing.T, open opener) {
	for name, test := range map[string]func(*testing.T, opener){
		"events":           conformEvents,
		"events found":     conformEventsFound,
		"changes":          conformChanges,
		"successes":        conformSuccesses,
		"cases":            conformCases,
		"keys of cases":    conformCaseKeys,
		"case list":        conformCaseList,
		"due":              conformDue,
		"tries":            conformTries,
		"distinct bounded": conformDistinct,
		"marks":            conformMarks,
		"cursors":          conformCursors,
		"settings":         conformSettings,
		"accounts":         conformAccounts,
		"sessions":         conformSessions,
		"tickets":          conformTickets,
		"keys":             conformKeys,
		"all or nothing":   conformAtomic,
		"panic":            conformPanic,
		"one writer":       conformOneWriter,
		"snapshot":         conformSnapshot,
		"read only":        conformReadOnly,
		"cancelled":        conformCancelled,
		"reopened":         conformReopened,
		"pruned":           conformPrune,
		"ended":            conformEnded,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 123456000, time.UTC)

func fresh(t *testing.T, open opener) *store.Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "data"))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func update(t *testing.T, s *store.Store, f func(tx *store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s *store.Store, f func(tx *store.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// refusal is an event with something in every kind of field.
func refusal(uid string) *usher.Event {
	yes := true
	return &usher.Event{
		UID: uid, Original: "line-" + uid, Class: usher.ClassAuthentication, Kind: usher.EventSignIn, Code: "LOGIN_ERROR",
		Provider: "keycloak", LogName: "keycloak-log", Tenant: "shop", Time: noon, Message: "type=LOGIN_ERROR, error=invalid_redirect_uri",
		Status: usher.StatusFailure, StatusCode: "invalid_redirect_uri", User: usher.Party{UID: "u-1", Name: "ana"}, Client: usher.Party{UID: "shop"},
		Source: usher.Endpoint{IP: "203.0.113.7", Via: []string{"10.0.0.1"}}, MFA: &yes,
		OAuth:    usher.OAuthFacts{Endpoint: "authorize", RedirectURI: "https://shop.test/cb/", Requested: []string{"openid", "profile"}},
		Policies: []usher.Decision{{Policy: usher.Party{UID: "p"}, Result: "failure", Met: []string{"location"}}},
		Unmapped: map[string]string{"nodeId": "7"},
	}
}

func success(uid string, at time.Time) *usher.Event {
	ev := refusal(uid)
	ev.Status, ev.StatusCode, ev.Time = usher.StatusSuccess, "", at
	return ev
}

func change(uid string, at time.Time) *usher.Event {
	return &usher.Event{
		UID: uid, Kind: usher.EventAdmin, Class: usher.ClassEntityChange, Tenant: "master", Time: at, Status: usher.StatusSuccess, Actor: usher.Party{Name: "admin"},
		Change: &usher.Change{Operation: "update", Type: "client", Target: usher.Party{UID: "shop"}, Fields: []string{"redirectUris"}},
	}
}

func sample(fingerprint string, state usher.CaseState) *usher.Case {
	return &usher.Case{
		Fingerprint: fingerprint, Kind: usher.CaseFailure, State: state, Title: "Sign-ins to 'shop' are refused",
		Finding: usher.Finding{Cause: "redirect-uri-mismatch", Outcome: usher.OutcomeWrong, Confidence: 0.97, Subject: usher.Subject{Client: "shop", Tenant: "shop"}, Proof: []usher.Proof{}, Fix: []usher.FixStep{}, References: []string{}},
		First:   noon, Last: noon, Opened: noon, Count: 1, Refusal: *refusal("e1"), Fixes: []usher.Fix{}, Timeline: []usher.Entry{{Time: noon, Kind: usher.EntryFirst, Text: "the first try", Event: "e1"}},
	}
}

func conformEvents(t *testing.T, open opener) {
	s := fresh(t, open)
	want := refusal("e1")
	update(t, s, func(tx *store.Tx) error {
		for i, wantAdded := range []bool{true, false} {
			added, err := tx.AddEvent(want)
			if err != nil || added != wantAdded {
				t.Errorf("time %d: added %v, %v", i+1, added, err)
			}
		}
		other := refusal("e1")
		other.Message = "something else under the same id"
		if added, err := tx.AddEvent(other); err != nil || added {
			t.Errorf("an event of a known id was added: %v", err)
		}
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Event("e1")
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if got, err := tx.Event("unknown"); err != nil || got != nil {
			t.Errorf("an unknown event: %v, %v", got, err)
		}
		return nil
	})
	for name, broken := range map[string]func(*usher.Event){
		"no uid":  func(e *usher.Event) { e.UID = "" },
		"no time": func(e *usher.Event) { e.Time = time.Time{} },
		"no kind": func(e *usher.Event) { e.Kind = "" },
	} {
		ev := refusal("broken")
		broken(ev)
		if err := s.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.AddEvent(ev); return err }); err == nil {
			t.Errorf("%s: an event that is not valid was kept", name)
		}
	}
}

func uids(events []*usher.Event) string {
	var out []string
	for _, ev := range events {
		out = append(out, ev.UID)
	}
	return strings.Join(out, " ")
}

func conformEventsFound(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		for i := range 6 {
			ev := refusal(fmt.Sprintf("e%d", i))
			ev.Time = noon.Add(time.Duration(i) * time.Minute)
			switch i {
			case 1:
				ev.Client = usher.Party{Name: "shop"} // no id: found by its name
			case 2:
				ev.Client = usher.Party{UID: "other", Name: "shop"}
			case 3:
				ev.User, ev.Kind = usher.Party{Name: "ana"}, usher.EventToken
			case 4:
				ev.Tenant, ev.Status, ev.Interrupted = "elsewhere", usher.StatusSuccess, false
			case 5:
				ev.User = usher.Party{UID: "u-2", Name: "ben"}
			}
			if _, err := tx.AddEvent(ev); err != nil {
				return err
			}
		}
		return tx.SetCause("e5", "redirect-uri-mismatch")
	})
	for _, test := range []struct {
		filter store.EventFilter
		want   string
	}{
		{store.EventFilter{}, "e5 e4 e3 e2 e1 e0"},
		{store.EventFilter{Limit: 2}, "e5 e4"},
		{store.EventFilter{Client: "shop"}, "e5 e4 e3 e1 e0"},
		{store.EventFilter{Client: "other"}, "e2"},
		{store.EventFilter{User: "ana"}, "e4 e3 e2 e1 e0"},
		{store.EventFilter{User: "u-1"}, "e4 e2 e1 e0"},
		{store.EventFilter{Tenant: "elsewhere"}, "e4"},
		{store.EventFilter{Cause: "redirect-uri-mismatch"}, "e5"},
		{store.EventFilter{Kinds: []usher.EventKind{usher.EventToken, usher.EventAdmin}}, "e3"},
		{store.EventFilter{Status: []usher.Status{usher.StatusSuccess}}, "e4"},
		{store.EventFilter{From: noon.Add(time.Minute), To: noon.Add(3 * time.Minute)}, "e2 e1"},
		{store.EventFilter{Client: "' OR 1=1 --"}, ""},
	} {
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Events(test.filter)
			if uids(got) != test.want {
				t.Errorf("%+v: got %q, want %q", test.filter, uids(got), test.want)
			}
			return err
		})
	}
}

func conformChanges(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		consent := change("consent", noon.Add(2*time.Minute))
		consent.Kind = usher.EventConsent
		plain := change("no change", noon.Add(time.Minute))
		plain.Change = nil
		token := change("token", noon.Add(time.Minute))
		token.Kind = usher.EventToken
		for _, ev := range []*usher.Event{change("first", noon), change("last", noon.Add(3*time.Minute)), consent, plain, token, refusal("refused")} {
			if _, err := tx.AddEvent(ev); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		for _, test := range []struct {
			from, to time.Duration
			want     string
		}{
			{-time.Hour, time.Hour, "last consent first"},
			{0, 3 * time.Minute, "last consent first"}, // both ends belong to it
			{time.Microsecond, 3*time.Minute - time.Microsecond, "consent"},
		} {
			got, err := tx.Changes(noon.Add(test.from), noon.Add(test.to))
			if err != nil {
				return err
			}
			if uids(got) != test.want {
				t.Errorf("from %v to %v: got %q, want %q", test.from, test.to, uids(got), test.want)
			}
		}
		return nil
	})
}

func conformSuccesses(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		byName := success("by name", noon.Add(time.Minute))
		byName.Client = usher.Party{Name: "shop"}
		otherClient := success("other client", noon.Add(2*time.Minute))
		otherClient.Client = usher.Party{UID: "other", Name: "shop"}
		elsewhere := success("elsewhere", noon.Add(3*time.Minute))
		elsewhere.Source.IP = "198.51.100.1"
		otherTenant := success("other tenant", noon)
		otherTenant.Tenant = "bank"
		admin := change("admin", noon)
		admin.Tenant, admin.Change = "shop", nil
		for _, ev := range []*usher.Event{success("first", noon), byName, otherClient, elsewhere, otherTenant, admin, refusal("refused")} {
			if _, err := tx.AddEvent(ev); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		for _, test := range []struct{ client, address, want string }{
			{"", "", "first|by name|other client|elsewhere"},
			{"shop", "", "first|by name|elsewhere"},
			{"other", "", "other client"},
			{"", "198.51.100.1", "elsewhere"},
			{"shop", "203.0.113.7", "first|by name"},
			{"nobody", "", ""},
		} {
			got, err := tx.Successes("shop", test.client, test.address, noon, noon.Add(time.Hour))
			if err != nil {
				return err
			}
			var names []string
			for _, ev := range got {
				names = append(names, ev.UID)
			}
			if strings.Join(names, "|") != test.want {
				t.Errorf("%+v: got %q", test, names)
			}
		}
		got, err := tx.Successes("shop", "", "", noon.Add(time.Minute), noon.Add(time.Minute))
		if uids(got) != "by name" {
			t.Errorf("both ends belong to the span: got %q", uids(got))
		}
		return err
	})
}

func conformCases(t *testing.T, open opener) {
	s := fresh(t, open)
	first, second := sample("f1", usher.CaseOpen), sample("f2", usher.CaseOpen)
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.SaveCase(first, []string{"a"}, time.Time{}), tx.SaveCase(second, nil, time.Time{}))
	})
	if first.ID != 1 || second.ID != 2 || first.Version != usher.CaseVersion {
		t.Errorf("ids %d and %d, version %d", first.ID, second.ID, first.Version)
	}
	first.State, first.Count, first.Title = usher.CaseVerifying, 14, "another title"
	update(t, s, func(tx *store.Tx) error { return tx.SaveCase(first, []string{"a"}, time.Time{}) })
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Case(1)
		if err == nil && !reflect.DeepEqual(got, first) {
			t.Errorf("got  %+v\nwant %+v", got, first)
		}
		if none, err := tx.Case(3); none != nil || err != nil {
			t.Errorf("a case that there is not: %v, %v", none, err)
		}
		return err
	})
	// Of one fingerprint one case at a time is active.
	twin := sample("f1", usher.CaseOpen)
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.SaveCase(twin, nil, time.Time{}) }); err == nil {
		t.Error("two active cases have one fingerprint")
	}
	first.State = usher.CaseFixed
	update(t, s, func(tx *store.Tx) error { return tx.SaveCase(first, []string{"a"}, time.Time{}) })
	update(t, s, func(tx *store.Tx) error { return tx.SaveCase(twin, nil, time.Time{}) })
	if twin.ID != 3 {
		t.Errorf("the id %d was given", twin.ID)
	}
}

func ids(cases []*usher.Case) string {
	var out []string
	for _, c := range cases {
		out = append(out, fmt.Sprint(c.ID))
	}
	return strings.Join(out, " ")
}

func conformCaseKeys(t *testing.T, open opener) {
	s := fresh(t, open)
	cases := []*usher.Case{sample("f1", usher.CaseOpen), sample("f2", usher.CaseOpen), sample("f3", usher.CaseFixed)}
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(
			tx.SaveCase(cases[0], []string{"a", "b", "b"}, time.Time{}),
			tx.SaveCase(cases[1], []string{"b", "c"}, time.Time{}),
			tx.SaveCase(cases[2], []string{"c"}, time.Time{}))
	})
	check := func(keys []string, want string) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.CasesUnder(keys...)
			if ids(got) != want {
				t.Errorf("under %q: got %q, want %q", keys, ids(got), want)
			}
			return err
		})
	}
	check(nil, "")
	check([]string{"a"}, "1")
	check([]string{"b", "a"}, "1 2")
	check([]string{"c"}, "2 3")
	check([]string{"c", "b", "a", "z"}, "1 2 3")
	check([]string{"z"}, "")
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.SaveCase(cases[0], []string{"b", "d"}, time.Time{}), tx.SaveCase(cases[1], nil, time.Time{}))
	})
	check([]string{"a"}, "")
	check([]string{"b"}, "1")
	check([]string{"c"}, "3")
	check([]string{"d"}, "1")
}

func conformCaseList(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		for i, state := range []usher.CaseState{usher.CaseFixed, usher.CaseOpen, usher.CaseRegressed, usher.CaseQuiet, usher.CaseOpen} {
			c := sample(fmt.Sprint(i), state)
			c.Last = noon.Add(time.Duration(i) * time.Minute)
			switch i {
			case 2:
				c.Finding.Subject.Client, c.Refusal.Client = "", usher.Party{Name: "Web shop"}
			case 3:
				c.Kind, c.Finding.Cause, c.Finding.Subject.Tenant = usher.CaseAttack, "password-spray", "bank"
			case 4:
				c.Behind = 2
			}
			if err := tx.SaveCase(c, nil, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, test := range []struct {
		filter store.CaseFilter
		want   string
	}{
		{store.CaseFilter{}, "3 2 4 1"},
		{store.CaseFilter{Limit: 2}, "3 2"},
		{store.CaseFilter{Active: true}, "3 2"},
		{store.CaseFilter{Active: true, Hidden: true}, "5 3 2"},
		{store.CaseFilter{States: []usher.CaseState{usher.CaseFixed, usher.CaseQuiet}}, "4 1"},
		{store.CaseFilter{Client: "shop"}, "2 4 1"},
		{store.CaseFilter{Client: "Web shop"}, "3"},
		{store.CaseFilter{Kinds: []usher.CaseKind{usher.CaseAttack}}, "4"},
		{store.CaseFilter{Cause: "password-spray"}, "4"},
		{store.CaseFilter{Tenant: "bank"}, "4"},
		{store.CaseFilter{Tenant: "nowhere"}, ""},
	} {
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Cases(test.filter)
			pointers := make([]*usher.Case, len(got))
			for i := range got {
				pointers[i] = &got[i]
			}
			if ids(pointers) != test.want {
				t.Errorf("%+v: got %q, want %q", test.filter, ids(pointers), test.want)
			}
			return err
		})
	}
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.States()
		want := map[int64]usher.CaseState{1: usher.CaseFixed, 2: usher.CaseOpen, 3: usher.CaseRegressed, 4: usher.CaseQuiet, 5: usher.CaseOpen}
		if !maps.Equal(got, want) {
			t.Errorf("the states are %v", got)
		}
		return err
	})
}

func conformDue(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(
			tx.SaveCase(sample("f1", usher.CaseOpen), nil, noon.Add(2*time.Hour)),
			tx.SaveCase(sample("f2", usher.CaseOpen), nil, noon.Add(time.Hour)),
			tx.SaveCase(sample("f3", usher.CaseOpen), nil, time.Time{}))
	})
	for after, want := range map[time.Duration]string{0: "", time.Hour - time.Microsecond: "", time.Hour: "2", 3 * time.Hour: "2 1"} {
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Due(noon.Add(after))
			if ids(got) != want {
				t.Errorf("due after %v: got %q, want %q", after, ids(got), want)
			}
			return err
		})
	}
}

func conformTries(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		if err := errors.Join(tx.SaveCase(sample("f1", usher.CaseOpen), nil, time.Time{}), tx.SaveCase(sample("f2", usher.CaseOpen), nil, time.Time{})); err != nil {
			return err
		}
		for _, try := range []struct {
			id               int64
			uid              string
			user             usher.Party
			ip               string
			added            bool
			users, addresses int
		}{
			{1, "e1", usher.Party{UID: "u1"}, "192.0.2.1", true, 1, 1},
			{1, "e1", usher.Party{UID: "u9"}, "192.0.2.9", false, 1, 1}, // counted already, whatever it says now
			{1, "e2", usher.Party{UID: "u1", Name: "ana"}, "192.0.2.2", true, 1, 2},
			{1, "e3", usher.Party{Name: "u1"}, "192.0.2.2", true, 1, 2},
			{1, "e4", usher.Party{}, "", true, 1, 2},
			{1, "e5", usher.Party{Name: "ben"}, "", true, 2, 2},
			{1, "e6", usher.Party{Name: "cyd"}, "", true, 3, 2},
			{1, "e7", usher.Party{UID: "u3", Name: "cyd"}, "", true, 3, 2}, // whose name was counted before
			{1, "e8", usher.Party{UID: "u3"}, "", true, 3, 2},
			{2, "e1", usher.Party{UID: "u1"}, "192.0.2.1", true, 1, 1},
		} {
			ev := refusal(try.uid)
			ev.User, ev.Source.IP = try.user, try.ip
			added, users, addresses, err := tx.AddTry(try.id, ev)
			if err != nil {
				return err
			}
			if added != try.added || users != try.users || addresses != try.addresses {
				t.Errorf("%+v: got %v, %d users, %d addresses", try, added, users, addresses)
			}
		}
		return nil
	})
	err := s.Update(t.Context(), func(tx *store.Tx) error { _, _, _, err := tx.AddTry(99, refusal("e1")); return err })
	if err == nil {
		t.Error("a try was counted for a case that there is not")
	}
}

func conformDistinct(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		if err := tx.SaveCase(sample("f1", usher.CaseOpen), nil, time.Time{}); err != nil {
			return err
		}
		for i := range store.MaxDistinct + 20 {
			ev := refusal(fmt.Sprint("e", i))
			ev.User, ev.Source.IP = usher.Party{UID: fmt.Sprint("u", i)}, fmt.Sprintf("2001:db8::%x", i+1)
			_, users, addresses, err := tx.AddTry(1, ev)
			if want := min(i+1, store.MaxDistinct); err != nil || users != want || addresses != want {
				return fmt.Errorf("try %d: %d users, %d addresses, %w", i, users, addresses, err)
			}
		}
		return nil
	})
}

func conformMarks(t *testing.T, open opener) {
	s := fresh(t, open)
	digests := "4f2a9c0d17e3b58866aa01fe 0a1b2c3d4e5f60718293a4b5  c0ffee00c0ffee00c0ffee00 77d1e2f3a4b5c6d7e8f90a1b calls"
	update(t, s, func(tx *store.Tx) error {
		for _, fp := range []string{"f1", "f2"} {
			if err := tx.SaveCase(sample(fp, usher.CaseOpen), nil, time.Time{}); err != nil {
				return err
			}
		}
		for i, want := range []bool{true, false} {
			if added, err := tx.AddMark(1, digests); err != nil || added != want {
				t.Errorf("time %d: added %v, %v", i, added, err)
			}
		}
		if got, err := tx.Marks(1); err != nil || !slices.Equal(got, []string{digests}) {
			t.Errorf("marks %q, %v", got, err)
		}
		for i := range store.MaxMarks + 20 {
			if added, err := tx.AddMark(2, fmt.Sprint("m", i)); err != nil || added != (i < store.MaxMarks) {
				return fmt.Errorf("mark %d: added %v, %w", i, added, err)
			}
		}
		got, err := tx.Marks(2)
		if len(got) != store.MaxMarks {
			t.Errorf("%d marks", len(got))
		}
		return err
	})
	if err := s.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.AddMark(99, "m"); return err }); err == nil {
		t.Error("a mark of a case that there is not was kept")
	}
}

func conformCursors(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		c, err := tx.Cursor("log")
		if err != nil || c != (store.Cursor{Source: "log"}) {
			t.Errorf("a source that was never read: %+v, %v", c, err)
		}
		return errors.Join(
			tx.SetCursor(store.Cursor{Source: "log", File: "1:2", Head: "h", Offset: 10, Line: "l"}),
			tx.SetCursor(store.Cursor{Source: "log", File: "1:3", Head: "i", Offset: 1 << 40, Line: "m"}),
			tx.SetCursor(store.Cursor{Source: "another"}))
	})
	view(t, s, func(tx *store.Tx) error {
		c, err := tx.Cursor("log")
		if c.Updated.IsZero() {
			t.Error("the time is missing")
		}
		c.Updated = time.Time{}
		if want := (store.Cursor{Source: "log", File: "1:3", Head: "i", Offset: 1 << 40, Line: "m"}); c != want {
			t.Errorf("got %+v", c)
		}
		all, err2 := tx.Cursors()
		if len(all) != 2 || all[0].Source != "another" {
			t.Errorf("got %+v", all)
		}
		return errors.Join(err, err2)
	})
}

func conformSettings(t *testing.T, open opener) {
	s := fresh(t, open)
	for _, value := range []string{"one", "two", ""} {
		update(t, s, func(tx *store.Tx) error { return tx.SetSetting("a", value) })
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Setting("a")
			if got != value {
				t.Errorf("got %q, want %q", got, value)
			}
			return err
		})
	}
}

const phc = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA"

func hash(c string) string { return strings.Repeat(c, 64) }

func conformAccounts(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		if has, err := tx.HasAccounts(); has || err != nil {
			t.Errorf("accounts in an empty store: %v, %v", has, err)
		}
		if _, err := tx.Account("ana"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an account that there is not: %v", err)
		}
		return errors.Join(
			tx.PutAccount(store.Account{Name: "ana", Password: phc, Changed: noon}),
			tx.PutAccount(store.Account{Name: "ana", Password: phc + "2", Changed: noon.Add(time.Hour)}),
			tx.PutAccount(store.Account{Name: "ben", Password: phc, Changed: noon}),
			tx.PutSession(store.Session{Hash: hash("a"), Account: "ana", Expires: noon}))
	})
	update(t, s, func(tx *store.Tx) error {
		got, err := tx.Account("ana")
		if want := (store.Account{Name: "ana", Password: phc + "2", Changed: noon.Add(time.Hour)}); got != want {
			t.Errorf("got %+v", got)
		}
		return errors.Join(err, tx.DropAccount("ana"), tx.DropAccount("nobody"))
	})
	view(t, s, func(tx *store.Tx) error {
		if _, err := tx.Account("ana"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a removed account: %v", err)
		}
		if _, err := tx.Session(hash("a")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a session of a removed account: %v", err)
		}
		has, err := tx.HasAccounts()
		if !has {
			t.Error("the other account is gone too")
		}
		return err
	})
	for _, clear := range []string{"correct horse battery staple", "", "$2"} {
		err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutAccount(store.Account{Name: "eve", Password: clear}) })
		if err == nil || clear != "" && strings.Contains(err.Error(), clear) {
			t.Errorf("a password in clear: %v", err)
		}
	}
}

func conformSessions(t *testing.T, open opener) {
	s := fresh(t, open)
	want := store.Session{Hash: hash("a"), Account: "ana", Started: noon, Used: noon.Add(time.Minute), Expires: noon.Add(time.Hour)}
	update(t, s, func(tx *store.Tx) error {
		for i, name := range []string{"a", "b", "c", "d"} {
			se := want
			se.Hash = hash(name)
			switch i {
			case 1:
				se.Account = "" // came in with the one-time password
			case 2:
				se.Account, se.Expires = "ben", noon
			case 3:
				se.Account = "ben"
			}
			if err := tx.PutSession(se); err != nil {
				return err
			}
		}
		return nil
	})
	update(t, s, func(tx *store.Tx) error {
		got, err := tx.Session(hash("a"))
		if got != want {
			t.Errorf("got %+v", got)
		}
		return errors.Join(err, tx.DropSessions("ana", noon.Add(time.Second)), tx.DropSession(hash("f")))
	})
	view(t, s, func(tx *store.Tx) error {
		for name, there := range map[string]bool{"a": false, "b": true, "c": false, "d": true} {
			if _, err := tx.Session(hash(name)); (err == nil) != there {
				t.Errorf("session %s: %v", name, err)
			}
		}
		return nil
	})
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutSession(store.Session{Hash: "the-id-itself"}) }); err == nil {
		t.Error("a session id in clear was kept")
	}
}

func conformTickets(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.PutTicket(store.Ticket{Hash: hash("a"), Expires: noon}), tx.PutTicket(store.Ticket{Hash: hash("b"), Expires: noon}))
	})
	var mu sync.Mutex
	taken := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := s.Update(t.Context(), func(tx *store.Tx) error {
				if _, err := tx.TakeTicket(hash("a")); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("a replaced one-time password: %v", err)
				}
				got, err := tx.TakeTicket(hash("b"))
				if err == nil && !got.Expires.Equal(noon) {
					t.Errorf("got %+v", got)
				}
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				taken++
			} else if !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if taken != 1 {
		t.Errorf("the one-time password was taken %d times", taken)
	}
}

func conformKeys(t *testing.T, open opener) {
	s := fresh(t, open)
	want := store.Key{ID: "k1", Hash: hash("1"), Name: "ci", By: "ana", Made: noon, Used: noon, Expires: noon.Add(time.Hour)}
	second := store.Key{ID: "k2", Hash: hash("2"), Name: "ci", Made: noon.Add(-time.Hour)}
	update(t, s, func(tx *store.Tx) error { return errors.Join(tx.PutKey(want), tx.PutKey(second)) })
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Key(hash("1"))
		if got != want {
			t.Errorf("got %+v", got)
		}
		list, err2 := tx.Keys()
		if !slices.Equal(list, []store.Key{second, want}) {
			t.Errorf("got %+v", list)
		}
		return errors.Join(err, err2)
	})
	update(t, s, func(tx *store.Tx) error { return errors.Join(tx.DropKey("k1"), tx.DropKey("k9")) })
	view(t, s, func(tx *store.Tx) error {
		if _, err := tx.Key(hash("1")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a removed key: %v", err)
		}
		return nil
	})
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutKey(store.Key{ID: "k3", Hash: "usher_key_in_clear"}) }); err == nil {
		t.Error("a key in clear was kept")
	}
}

var errWanted = errors.New("wanted")

func conformAtomic(t *testing.T, open opener) {
	s := fresh(t, open)
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.AddEvent(refusal("e1")); err != nil {
			return err
		}
		if err := errors.Join(tx.SaveCase(sample("f", usher.CaseOpen), []string{"k"}, noon), tx.SetCursor(store.Cursor{Source: "log", Offset: 7})); err != nil {
			return err
		}
		return errWanted
	})
	if !errors.Is(err, errWanted) {
		t.Fatal(err)
	}
	nothing(t, s)
}

// nothing fails if anything of a refused transaction is there.
func nothing(t *testing.T, s *store.Store) {
	t.Helper()
	view(t, s, func(tx *store.Tx) error {
		ev, err := tx.Event("e1")
		c, err2 := tx.Case(1)
		at, err3 := tx.Cursor("log")
		if ev != nil || c != nil || at.Offset != 0 {
			t.Errorf("half of a transaction is there: %v, %v, %+v", ev, c, at)
		}
		return errors.Join(err, err2, err3)
	})
}

func conformPanic(t *testing.T, open opener) {
	s := fresh(t, open)
	func() {
		defer func() {
			if recover() != "wanted" {
				t.Error("the panic was swallowed")
			}
		}()
		_ = s.Update(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.AddEvent(refusal("e1")); err != nil {
				return err
			}
			panic("wanted")
		})
	}()
	nothing(t, s)
	update(t, s, func(tx *store.Tx) error { _, err := tx.AddEvent(refusal("e2")); return err }) // it still works
}

func conformOneWriter(t *testing.T, open opener) {
	s := fresh(t, open)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				err := s.Update(t.Context(), func(tx *store.Tx) error {
					c, err := tx.Cursor("log")
					if err != nil {
						return err
					}
					c.Offset++
					return tx.SetCursor(c)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	view(t, s, func(tx *store.Tx) error {
		c, err := tx.Cursor("log")
		if c.Offset != 200 {
			t.Errorf("200 transactions added up to %d", c.Offset)
		}
		return err
	})
}

func conformSnapshot(t *testing.T, open opener) {
	s := fresh(t, open)
	update(t, s, func(tx *store.Tx) error { return tx.SetSetting("a", "before") })
	view(t, s, func(tx *store.Tx) error {
		for range 2 {
			got, err := tx.Setting("a")
			if err != nil {
				return err
			}
			if got != "before" {
				t.Errorf("one transaction saw %q", got)
			}
			update(t, s, func(tx *store.Tx) error { return tx.SetSetting("a", "after") })
		}
		return nil
	})
}

func conformReadOnly(t *testing.T, open opener) {
	s := fresh(t, open)
	err := s.View(t.Context(), func(tx *store.Tx) error { _, err := tx.AddEvent(refusal("e1")); return err })
	if !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("got %v", err)
	}
	nothing(t, s)
}

func conformCancelled(t *testing.T, open opener) {
	s := fresh(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.AddEvent(refusal("e1")); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	nothing(t, s)
	if err := s.View(ctx, func(*store.Tx) error { t.Error("it was begun"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// One that waits for its turn gives up when its time is over.
	update(t, s, func(*store.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := s.Update(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func conformReopened(t *testing.T, open opener) {
	place := filepath.Join(t.TempDir(), "data")
	c := sample("f", usher.CaseOpen)
	for i := range 3 {
		s := open(t, place)
		update(t, s, func(tx *store.Tx) error {
			if _, err := tx.AddEvent(refusal(fmt.Sprint("e", i))); err != nil {
				return err
			}
			c.Count = i + 1
			return tx.SaveCase(c, []string{"k"}, noon)
		})
		view(t, s, func(tx *store.Tx) error {
			events, err := tx.Events(store.EventFilter{})
			found, err2 := tx.CasesUnder("k")
			if len(events) != i+1 || len(found) != 1 || found[0].Count != i+1 {
				t.Errorf("opened for time %d: %d events, %+v", i+1, len(events), found)
			}
			return errors.Join(err, err2)
		})
		if err := cmp.Or(s.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		if err := s.View(t.Context(), func(*store.Tx) error { return nil }); err == nil {
			t.Error("a closed store was read")
		}
	}
}

func conformPrune(t *testing.T, open opener) {
	s := fresh(t, open)
	old := noon.Add(-40 * 24 * time.Hour)
	update(t, s, func(tx *store.Tx) error {
		for i := range 1300 { // more than two steps
			ev := refusal(fmt.Sprintf("old-%d", i))
			ev.Time = old.Add(time.Duration(i/3) * time.Second) // several of one time
			if _, err := tx.AddEvent(ev); err != nil {
				return err
			}
		}
		if _, err := tx.AddEvent(refusal("new")); err != nil {
			return err
		}
		living, ended := sample("living", usher.CaseOpen), sample("ended", usher.CaseFixed)
		living.Refusal.UID, living.Timeline[0].Event = "old-7", "old-700"
		living.Changed = []usher.Event{*refusal("old-1299")}
		ended.Refusal.UID, ended.Timeline[0].Event = "old-8", "old-8"
		if err := errors.Join(tx.SaveCase(living, nil, time.Time{}), tx.SaveCase(ended, nil, time.Time{})); err != nil {
			return err
		}
		for _, uid := range []string{"old-7", "old-9", "new"} {
			ev, err := tx.Event(uid)
			if err != nil {
				return err
			}
			if _, _, _, err := tx.AddTry(1, ev); err != nil {
				return err
			}
		}
		return errors.Join(
			tx.PutSession(store.Session{Hash: hash("a"), Expires: time.Now().Add(-time.Hour)}),
			tx.PutSession(store.Session{Hash: hash("b"), Expires: time.Now().Add(time.Hour)}))
	})
	removed, err := s.Prune(t.Context(), noon.Add(-store.DefaultRetention))
	if err != nil || removed != 1297 {
		t.Errorf("removed %d, %v", removed, err)
	}
	update(t, s, func(tx *store.Tx) error {
		left, err := tx.Events(store.EventFilter{})
		if uids(left) != "new old-1299 old-700 old-7" {
			t.Errorf("left: %s", uids(left))
		}
		for uid, added := range map[string]bool{"old-7": false, "new": false, "old-9": true} { // the try of a pruned event is forgotten
			ev := refusal(uid)
			if got, _, _, err := tx.AddTry(1, ev); err != nil || got != added {
				t.Errorf("the try %s: %v, %v", uid, got, err)
			}
		}
		if _, err := tx.Session(hash("a")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an expired session: %v", err)
		}
		if _, err := tx.Session(hash("b")); err != nil {
			t.Errorf("a session: %v", err)
		}
		return err
	})
	if removed, err := s.Prune(t.Context(), noon.Add(-store.DefaultRetention)); removed != 0 || err != nil {
		t.Errorf("a second time: %d, %v", removed, err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func conformEnded(t *testing.T, open opener) {
	s := fresh(t, open)
	var kept *store.Tx
	update(t, s, func(tx *store.Tx) error { kept = tx; return nil })
	if _, err := kept.Setting("a"); err == nil {
		t.Error("a transaction that had ended was used")
	}
	if _, err := kept.AddEvent(refusal("e1")); err == nil {
		t.Error("a transaction that had ended was written to")
	}
}
