package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/store"
)

// plants are texts with a credential in them, and the credential.
var plants = map[string]struct{ text, secret string }{
	"jwt":      {"got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg here", "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"},
	"bare jwt": {"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg", "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"},
	"form":     {"grant_type=client_credentials&client_secret=Zq8~made.up-9Qx1LrT2vB7nW4&scope=a", "Zq8~made.up-9Qx1LrT2vB7nW4"},
	"json":     {`{"refresh_token": "0.AXoAmadeUpRefreshTokenValue1234567890abcdef"}`, "AXoAmadeUpRefreshTokenValue1234567890abcdef"},
	"bearer":   {"Authorization: Bearer madeUpOpaqueAccessToken0123456789ABCDEF", "madeUpOpaqueAccessToken0123456789ABCDEF"},
	"redirect": {"https://app.example/cb?code=madeUpAuthorizationCode0123456789&state=x", "madeUpAuthorizationCode0123456789"},
	"basic":    {"Authorization: Basic c2hvcDpNYWRlVXBQYXNzd29yZFdpdGhNYW55TGV0dGVycw==", "c2hvcDpNYWRlVXBQYXNzd29yZFdpdGhNYW55TGV0dGVycw"},
}

// plant puts a text into every string that v holds.
func plant(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.ValueOf(noon))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				plant(v.Field(i), text)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		plant(v.Index(0), text)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf(text))
		v.SetMapIndex(reflect.ValueOf(text), reflect.ValueOf("value"))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		plant(v.Elem(), text)
	}
}

// What is refused in clear.
const password, id, key = "correct-horse-battery-staple", "the-id-of-a-session", "usher_the-value-of-a-key"

// plantAll keeps events, cases and connections with credentials in every string
// that somebody else's words can come to, and gives the number of events.
func plantAll(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	for name, p := range plants {
		update(t, s, func(tx *store.Tx) error {
			var ev usher.Event
			plant(reflect.ValueOf(&ev).Elem(), p.text)
			ev.Kind, ev.Status, ev.Interrupted = usher.EventSignIn, usher.StatusFailure, false
			if added, err := tx.AddEvent(&ev); err != nil || !added {
				return errors.Join(err, errors.New(name+" was not added"))
			}
			var c usher.Case
			plant(reflect.ValueOf(&c).Elem(), p.text)
			c.ID, c.State = 0, usher.CaseOpen
			if err := tx.SaveCase(&c, []string{p.text}, noon); err != nil {
				return err
			}
			n++
			if found, err := tx.CasesUnder(p.text); err != nil || len(found) != 1 {
				t.Errorf("a key with a secret in it finds %d cases, %v", len(found), err)
			}
			_, _, _, err := tx.AddTry(c.ID, &ev)
			return err
		})
	}
	update(t, s, func(tx *store.Tx) error { // refused, and so nowhere
		if tx.PutAccount(store.Account{Name: "a", Password: password}) == nil ||
			tx.PutSession(store.Session{Hash: id}) == nil || tx.PutKey(store.Key{ID: "k", Hash: key}) == nil || tx.PutTicket(store.Ticket{Hash: id}) == nil {
			t.Error("something in clear was kept")
		}
		return nil
	})
	for name, p := range plants {
		status := broker.Status{Trouble: &broker.Trouble{Title: p.text, Detail: p.text}, Healed: &broker.Trouble{Detail: p.text}, Notes: []string{p.text}}
		r := broker.Record{Config: broker.Config{ID: strings.ReplaceAll(name, " ", "-")}, Status: status}
		if err := s.Broker().Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestNoSecretInPostgres looks for them in every row of every table.
func TestNoSecretInPostgres(t *testing.T) {
	url := schemaOf(t, filepath.Join(t.TempDir(), "data"))
	s := openAt(t, url)
	plantAll(t, s)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	texts := func(query string) (list []string) {
		t.Helper()
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			list = append(list, text)
		}
		return list
	}
	looked := 0
	for _, table := range texts("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()") {
		for _, row := range texts("SELECT t::text FROM " + table + " AS t") {
			looked++
			for name, p := range plants {
				if strings.Contains(row, p.secret) {
					t.Errorf("%s holds the secret of %q", table, name)
				}
			}
			for _, clear := range []string{password, id, key} {
				if strings.Contains(row, clear) {
					t.Errorf("%s holds %q", table, clear)
				}
			}
		}
	}
	if looked < 3*len(plants) {
		t.Errorf("only %d rows were there to look into", looked)
	}
}

// TestNoSecretOnTheDisk plants credentials into every string of events and
// cases and looks for them in every file, with the journal still there and
// after it was folded in.
func TestNoSecretOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	n := plantAll(t, s)
	look := func() {
		t.Helper()
		files := 0
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files++
			for name, p := range plants {
				if bytes.Contains(b, []byte(p.secret)) {
					t.Errorf("%s holds the secret of %q", d.Name(), name)
				}
			}
			for _, clear := range []string{password, id, key} {
				if bytes.Contains(b, []byte(clear)) {
					t.Errorf("%s holds %q", d.Name(), clear)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if files < 2 {
			t.Errorf("only %d files were there to look into", files)
		}
	}
	look()
	if _, err := os.Stat(filepath.Join(dir, "usher.db-wal")); err != nil {
		t.Error("there was no journal to look into")
	}
	if err := s.Copy(t.Context(), filepath.Join(dir, "copy.db")); err != nil {
		t.Fatal(err)
	}
	view(t, s, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{})
		if len(events) != n {
			t.Errorf("%d events were kept of %d", len(events), n)
		}
		return err
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look()
}

// TestIdentifiersStay holds the masking to what it must leave alone, for what
// is kept is found again and compared by it.
func TestIdentifiersStay(t *testing.T) {
	const (
		hash  = "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea" // SHA-256 of something
		short = "b94d27b9934d3e08a52e52d7da7dabfa"
		kid   = "Xk3v9QmZr8TtLw2NcYb6HsPdJfVgA4eR"
		guid  = "6f1c2a5e-3b0d-4c57-9a41-2f5be8d7c301"
	)
	ev := *refusal(hash)
	ev.Original, ev.Tenant, ev.Correlation, ev.Session = short, guid, guid, short
	ev.User, ev.Client, ev.Resource = usher.Party{UID: short, Name: "ana@contoso.example"}, usher.Party{UID: kid}, usher.Party{UID: guid, Name: "Web shop"}
	ev.OAuth = usher.OAuthFacts{TokenUID: kid, KeyID: kid, Credential: guid, RedirectURI: "https://shop.test/cb/?tenant=a", Requested: []string{"openid", "https://graph.example/.default"}}
	ev.Time = noon
	if got := store.Masked(ev); !reflect.DeepEqual(got, ev) {
		t.Errorf("got  %+v\nwant %+v", got, ev)
	}
	c := *sample(hash, usher.CaseOpen)
	c.Refusal = ev
	c.Finding.Subject = usher.Subject{Client: kid, User: short, Policy: guid, Tenant: guid}
	c.Fixes = []usher.Fix{{ID: "1", Title: "Register the URI", Action: &usher.Action{Kind: usher.ActionAddRedirectURI, Provider: "shop", Client: kid, URI: "https://shop.test/cb/"}}}
	c.Runs = []usher.FixRun{{ID: "1", Plan: usher.FixPlan{ID: hash, Diff: []usher.Difference{{Field: "redirectUris", To: "https://shop.test/cb/"}}}}}
	c.Timeline = []usher.Entry{{Time: noon, Kind: usher.EntryFirst, Event: hash, Text: "the first try"}}
	got := store.Masked(c)
	if !reflect.DeepEqual(got, c) {
		t.Errorf("got  %+v\nwant %+v", got, c)
	}
	if got.Refusal.Policies[0].Met[0] = "changed"; c.Refusal.Policies[0].Met[0] == "changed" {
		t.Error("the copy shares memory with what was given")
	}
	if strings.Contains(store.Masked(ev).OAuth.RedirectURI, "[secret") {
		t.Error("a redirect URI was masked")
	}
}
