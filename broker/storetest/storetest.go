// Package storetest holds every broker.Store to what the broker needs of it.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/broker"
)

// Open gives a store that is empty. Its clock is the real one.
type Open func(t *testing.T) broker.Store

// Run runs the tests that hold for every store.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, broker.Store){
		"connections":       connections,
		"records":           records,
		"configure":         configure,
		"remove":            remove,
		"added again":       addedAgain,
		"due":               due,
		"next":              next,
		"changed":           changed,
		"changed at once":   changedAtOnce,
		"begin":             begin,
		"answer":            answer,
		"answer told twice": answerTwice,
		"note":              note,
		"used":              used,
		"leases":            leases,
		"leases end":        leasesEnd,
		"lease raced for":   leaseRaced,
		"begin raced for":   beginRaced,
		"answer raced for":  answerRaced,
		"removed in a race": removedRaced,
		"no two at once":    exclusion,
		"paces":             paces,
		"flows":             flows,
		"flow raced for":    flowRaced,
		"blobs":             blobs,
		"bytes":             anyBytes,
		"strange names":     strangeNames,
		"cancelled":         cancelled,
		"any order":         anyOrder,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 123456000, time.UTC)

const long = time.Minute

func record(id string) broker.Record {
	return broker.Record{
		Config: broker.Config{
			ID: id, Preset: "paypal", Issuer: "https://idp.test", Endpoints: broker.Endpoints{Token: "https://idp.test/token", IssuerInResponse: true},
			Grant: broker.GrantCode, ClientID: "shop", AuthMethod: "client_secret_basic", Scopes: []string{"pay", "read"}, Extra: map[string]string{"prompt": "none"},
			Callers: []string{"shop"}, Targets: []string{"https://api.test"}, Made: noon, MadeBy: "ana",
		},
		Keys: []byte("sealed keys \x00\xff"),
		Status: broker.Status{
			State: broker.StateAlive, Generation: 1, Obtained: noon, Expires: noon.Add(time.Hour), RenewAt: noon.Add(50 * time.Minute), Used: noon.Truncate(time.Minute),
			TokenType: "Bearer", Scopes: []string{"pay"}, ExpiresIn: 3600, User: "u-1", Notes: []string{"expires_in came as text"},
			Trouble: &broker.Trouble{Cause: "unknown", Strategy: "retry", Title: "the provider is away", Turn: "", Since: noon, Last: noon, Tries: 2},
		},
		Tokens: []byte("sealed tokens \x00\xfe"),
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got the error %v, want %v", err, kind)
	}
}

func get(t *testing.T, s broker.Store, id string) broker.Record {
	t.Helper()
	r, err := s.Connection(t.Context(), id)
	check(t, err)
	return r
}

// lease takes the lease of a connection.
func lease(t *testing.T, s broker.Store, id string) broker.Lease {
	t.Helper()
	l, err := s.Acquire(t.Context(), "connection/"+id, "replica-1", long)
	check(t, err)
	return l
}

func attempt(l broker.Lease) broker.Attempt {
	return broker.Attempt{Fence: l.Fence, Holder: l.Holder, Began: noon, Until: noon.Add(time.Minute)}
}

func connections(t *testing.T, s broker.Store) {
	ctx := t.Context()
	names := []string{"b", "a-1", "a", "a-0", "Z", "c"}
	for _, id := range names {
		check(t, s.Add(ctx, record(id)))
	}
	want(t, s.Add(ctx, record("a")), broker.ErrExists)
	_, err := s.Connection(ctx, "nobody")
	want(t, err, broker.ErrNotFound)
	slices.Sort(names)
	var got []string
	for after := ""; ; {
		page, err := s.Connections(ctx, after, 2)
		check(t, err)
		if len(page) == 0 {
			break
		}
		if len(page) > 2 {
			t.Fatalf("%d came where 2 were asked for", len(page))
		}
		for _, r := range page {
			got = append(got, r.Config.ID)
		}
		after = got[len(got)-1]
	}
	if !slices.Equal(got, names) {
		t.Errorf("got %q, want %q", got, names)
	}
}

// text is a record as far as it has to come back.
func text(r broker.Record) string {
	r.Revision, r.Status.Version = 0, 0
	trouble := ""
	if r.Status.Trouble != nil {
		trouble = fmt.Sprintf("%+v", *r.Status.Trouble)
	}
	try := ""
	if r.Status.Attempt != nil {
		try = fmt.Sprintf("%+v", *r.Status.Attempt)
	}
	r.Status.Trouble, r.Status.Attempt = nil, nil
	return fmt.Sprintf("%+v %q %q %s %s", r, r.Keys, r.Tokens, trouble, try)
}

func records(t *testing.T, s broker.Store) {
	in := record("shop")
	check(t, s.Add(t.Context(), in))
	got := get(t, s, "shop")
	if text(got) != text(in) {
		t.Errorf("got  %s\nwant %s", text(got), text(in))
	}
	if got.Revision < 1 || got.Status.Version < 1 {
		t.Errorf("revision %d, version %d: both count from 1", got.Revision, got.Status.Version)
	}
	// What was given is not shared with what is kept.
	in.Config.Scopes[0], in.Keys[0], in.Tokens[0], in.Status.Notes[0] = "changed", 'X', 'X', "changed"
	got.Config.Scopes[0], got.Keys[0] = "changed", 'X'
	if again := get(t, s, "shop"); text(again) != text(record("shop")) {
		t.Errorf("somebody else's memory is kept: %s", text(again))
	}
	bare := broker.Record{Config: broker.Config{ID: "bare"}, Status: broker.Status{State: broker.StateNew}}
	check(t, s.Add(t.Context(), bare))
	if got := get(t, s, "bare"); got.Keys != nil || got.Tokens != nil || got.Status.Attempt != nil || got.Status.Trouble != nil || !got.Status.RenewAt.IsZero() || got.Status.Generation != 0 {
		t.Errorf("nothing became something: %+v", got)
	}
}

func configure(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	before := get(t, s, "shop")
	c := before.Config
	c.Scopes, c.Disabled = []string{"other"}, true
	check(t, s.Configure(ctx, before.Revision, c, []byte("new keys")))
	after := get(t, s, "shop")
	if !slices.Equal(after.Config.Scopes, c.Scopes) || !after.Config.Disabled || string(after.Keys) != "new keys" || after.Revision != before.Revision+1 {
		t.Errorf("got %+v", after)
	}
	if after.Status.Version != before.Status.Version || after.Status.Generation != before.Status.Generation || !bytes.Equal(after.Tokens, before.Tokens) {
		t.Errorf("the status changed: %+v", after.Status)
	}
	want(t, s.Configure(ctx, before.Revision, c, nil), broker.ErrStale)
	c.ID = "nobody"
	want(t, s.Configure(ctx, 1, c, nil), broker.ErrNotFound)
}

func remove(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	check(t, s.Add(ctx, record("other")))
	l := lease(t, s, "shop")
	check(t, s.PutFlow(ctx, broker.Flow{Hash: "h1", ID: "shop", Sealed: []byte("x"), Expires: time.Now().Add(long)}))
	check(t, s.PutFlow(ctx, broker.Flow{Hash: "h2", ID: "other", Sealed: []byte("x"), Expires: time.Now().Add(long)}))
	before := get(t, s, "shop")
	check(t, s.Remove(ctx, "shop"))
	check(t, s.Remove(ctx, "shop"))
	check(t, s.Remove(ctx, "nobody"))
	_, err := s.Connection(ctx, "shop")
	want(t, err, broker.ErrNotFound)
	_, err = s.TakeFlow(ctx, "h1")
	want(t, err, broker.ErrNotFound)
	_, err = s.TakeFlow(ctx, "h2")
	check(t, err)
	want(t, s.Extend(ctx, l, long), broker.ErrLost)
	st := before.Status
	st.Generation++
	want(t, s.Answer(ctx, "shop", st, []byte("late")), broker.ErrNotFound)
	if list, err := s.Connections(ctx, "", 10); err != nil || len(list) != 1 || list[0].Config.ID != "other" {
		t.Errorf("got %+v, %v", list, err)
	}
	if ids, err := s.Due(ctx, noon.Add(24*time.Hour), 10); err != nil || !slices.Equal(ids, []string{"other"}) {
		t.Errorf("due are %q, %v", ids, err)
	}
}

// addedAgain: what was under way for a removed connection does not reach the one
// that has its name now.
func addedAgain(t *testing.T, s broker.Store) {
	ctx := t.Context()
	in := record("shop")
	in.Status.Generation = 0
	check(t, s.Add(ctx, in))
	l := lease(t, s, "shop")
	old := get(t, s, "shop")
	version, err := s.Begin(ctx, "shop", l, old.Status.Version, attempt(l), "", 0)
	check(t, err)
	old.Status.Version = version
	check(t, s.Remove(ctx, "shop"))
	in.Config.ClientID = "another"
	check(t, s.Add(ctx, in))
	got := get(t, s, "shop")
	if got.Status.Version <= version || got.Revision <= old.Revision || got.Config.ClientID != "another" {
		t.Errorf("version %d after %d, revision %d after %d", got.Status.Version, version, got.Revision, old.Revision)
	}
	if got.Status.Attempt != nil {
		t.Error("the attempt of the removed one stands")
	}
	late := old.Status
	late.Generation = 1
	want(t, s.Answer(ctx, "shop", late, []byte("of the removed one")), broker.ErrStale)
	want(t, s.Configure(ctx, old.Revision, old.Config, nil), broker.ErrStale)
	if _, err := s.Note(ctx, "shop", l, late, nil); err == nil {
		t.Error("a note of the removed one was taken")
	}
	l2 := lease(t, s, "shop")
	if l2.Fence <= l.Fence {
		t.Errorf("the fence %d came after %d", l2.Fence, l.Fence)
	}
	now := got.Status
	now.Generation = 1
	check(t, s.Answer(ctx, "shop", now, []byte("its own")))
}

func due(t *testing.T, s broker.Store) {
	ctx := t.Context()
	for id, after := range map[string]time.Duration{"late": 3 * time.Minute, "early": time.Minute, "middle": 2 * time.Minute, "tie": 2 * time.Minute, "off": time.Minute, "held": time.Minute} {
		r := record(id)
		r.Status.RenewAt = noon.Add(after)
		r.Config.Disabled = id == "off"
		check(t, s.Add(ctx, r))
	}
	never := record("never")
	never.Status.RenewAt = time.Time{}
	check(t, s.Add(ctx, never))
	l := lease(t, s, "held")
	ask := func(after time.Duration, limit int, want ...string) {
		t.Helper()
		got, err := s.Due(ctx, noon.Add(after), limit)
		check(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("after %v: got %q, want %q", after, got, want)
		}
	}
	ask(time.Minute-time.Microsecond, 10)
	ask(time.Minute, 10, "early")
	ask(time.Hour, 10, "early", "middle", "tie", "late")
	ask(time.Hour, 2, "early", "middle")
	check(t, s.Release(ctx, l))
	ask(time.Minute, 10, "early", "held")
	r := get(t, s, "off")
	r.Config.Disabled = false
	check(t, s.Configure(ctx, r.Revision, r.Config, r.Keys))
	ask(time.Minute, 10, "early", "held", "off")
	_, err := s.Acquire(ctx, "connection/early", "replica-2", 30*time.Millisecond)
	check(t, err)
	time.Sleep(60 * time.Millisecond)
	ask(time.Minute, 10, "early", "held", "off") // who held it is gone
}

func next(t *testing.T, s broker.Store) {
	ctx := t.Context()
	if at, err := s.Next(ctx, noon); err != nil || !at.IsZero() {
		t.Errorf("of none the next is at %v, %v", at, err)
	}
	for id, after := range map[string]time.Duration{"a": time.Minute, "b": time.Hour, "off": 30 * time.Minute} {
		r := record(id)
		r.Status.RenewAt, r.Config.Disabled = noon.Add(after), id == "off"
		check(t, s.Add(ctx, r))
	}
	for after, want := range map[time.Duration]time.Duration{0: time.Minute, time.Minute: time.Hour, time.Minute - time.Microsecond: time.Minute} {
		if at, err := s.Next(ctx, noon.Add(after)); err != nil || !at.Equal(noon.Add(want)) {
			t.Errorf("after %v: %v, %v", after, at, err)
		}
	}
	if at, err := s.Next(ctx, noon.Add(time.Hour)); err != nil || !at.IsZero() {
		t.Errorf("after the last: %v, %v", at, err)
	}
}

func changed(t *testing.T, s broker.Store) {
	ctx := t.Context()
	none, start, err := s.Changed(ctx, time.Time{})
	check(t, err)
	if len(none) != 0 || start.IsZero() {
		t.Errorf("of an empty store: %v at %v", none, start)
	}
	for _, id := range []string{"a", "b", "c"} {
		check(t, s.Add(ctx, record(id)))
	}
	all, _, err := s.Changed(ctx, start)
	check(t, err)
	if len(all) != 3 {
		t.Fatalf("got %+v", all)
	}
	time.Sleep(2 * time.Millisecond)
	_, now, err := s.Changed(ctx, start)
	check(t, err)
	if some, _, err := s.Changed(ctx, now); err != nil || len(some) != 0 {
		t.Errorf("nothing was written since: %+v, %v", some, err)
	}
	if now.Before(start) {
		t.Errorf("the time went from %v to %v", start, now)
	}
	a := get(t, s, "a")
	st := a.Status
	st.Generation++
	check(t, s.Answer(ctx, "a", st, []byte("t")))
	check(t, s.Remove(ctx, "b"))
	check(t, s.Configure(ctx, 1, record("c").Config, nil))
	check(t, s.Used(ctx, map[string]time.Time{"a": noon.Add(time.Hour)}))
	got, _, err := s.Changed(ctx, now)
	check(t, err)
	byID := map[string]broker.Changed{}
	for _, c := range got {
		byID[c.ID] = c
	}
	if c := byID["a"]; c.Generation != a.Status.Generation+1 || c.Version <= a.Status.Version || c.Removed {
		t.Errorf("after an answer: %+v", c)
	}
	if c := byID["b"]; !c.Removed {
		t.Errorf("after the removal: %+v", c)
	}
	if c := byID["c"]; c.Revision != 2 || c.Removed {
		t.Errorf("after it was configured: %+v", c)
	}
	every, _, err := s.Changed(ctx, time.Time{})
	check(t, err)
	if len(every) != 3 {
		t.Errorf("since ever there are %+v", every)
	}
}

// changedAtOnce: whoever asks from a little before the time that the last answer
// told misses nothing that is written meanwhile.
func changedAtOnce(t *testing.T, s broker.Store) {
	ctx := t.Context()
	const writers, each = 4, 15
	for i := range writers {
		r := record(fmt.Sprint("w", i))
		r.Status.Generation = 0
		check(t, s.Add(ctx, r))
	}
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			id := fmt.Sprint("w", i)
			r, err := s.Connection(ctx, id)
			if err != nil {
				t.Error(err)
				return
			}
			for range each {
				r.Status.Generation++
				if err := s.Answer(ctx, id, r.Status, []byte("t")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	seen := map[string]int64{}
	since := time.Time{}
	for last := false; ; {
		changes, now, err := s.Changed(ctx, since)
		check(t, err)
		for _, c := range changes {
			seen[c.ID] = max(seen[c.ID], c.Generation)
		}
		since = now.Add(-2 * time.Second)
		if last {
			break
		}
		select {
		case <-done:
			last = true
		case <-time.After(time.Millisecond):
		}
	}
	for i := range writers {
		if got := seen[fmt.Sprint("w", i)]; got != each {
			t.Errorf("of w%d the generation %d was told, it has %d", i, got, each)
		}
	}
}

func begin(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	l := lease(t, s, "shop")
	r := get(t, s, "shop")
	v := r.Status.Version
	_, err := s.Begin(ctx, "shop", broker.Lease{Name: l.Name, Holder: "somebody", Fence: l.Fence}, v, attempt(l), "f", 0)
	want(t, err, broker.ErrLost)
	_, err = s.Begin(ctx, "shop", broker.Lease{Name: l.Name, Holder: l.Holder, Fence: l.Fence + 1}, v, attempt(l), "f", 0)
	want(t, err, broker.ErrLost)
	_, err = s.Begin(ctx, "shop", l, v+1, attempt(l), "f", 0)
	want(t, err, broker.ErrStale)
	_, err = s.Begin(ctx, "shop", l, v, attempt(l), "f", 99)
	want(t, err, broker.ErrStale)
	_, err = s.Begin(ctx, "nobody", l, v, attempt(l), "f", 0)
	want(t, err, broker.ErrNotFound)
	next, err := s.Begin(ctx, "shop", l, v, attempt(l), "fingerprint", 0)
	check(t, err)
	got := get(t, s, "shop")
	if next != v+1 || got.Status.Version != next || got.Status.Spent != "fingerprint" || got.Status.Attempt == nil || *got.Status.Attempt != attempt(l) {
		t.Errorf("version %d after %d: %+v, %+v", next, v, got.Status, got.Status.Attempt)
	}
	if got.Status.Trouble == nil || !bytes.Equal(got.Tokens, r.Tokens) || !got.Status.RenewAt.Equal(r.Status.RenewAt) {
		t.Errorf("the rest of the status did not stay: %+v", got)
	}
	// One stands: a second needs to say which it replaces.
	_, err = s.Begin(ctx, "shop", l, next, attempt(l), "f", 0)
	want(t, err, broker.ErrStale)
	check(t, s.Release(ctx, l))
	_, err = s.Begin(ctx, "shop", l, next, attempt(l), "f", l.Fence)
	want(t, err, broker.ErrLost)
	l2 := lease(t, s, "shop")
	_, err = s.Begin(ctx, "shop", l2, next, attempt(l2), "other", l.Fence)
	check(t, err)
	if got := get(t, s, "shop"); got.Status.Attempt.Fence != l2.Fence || got.Status.Spent != "other" {
		t.Errorf("got %+v, %+v", got.Status, got.Status.Attempt)
	}
}

func answer(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	l := lease(t, s, "shop")
	r := get(t, s, "shop")
	_, err := s.Begin(ctx, "shop", l, r.Status.Version, attempt(l), "fingerprint", 0)
	check(t, err)
	check(t, s.Release(ctx, l)) // the lease is lost: of a spent refresh token this is the only successor
	st := broker.Status{State: broker.StateAlive, Generation: 2, Version: r.Status.Version, Expires: noon.Add(2 * time.Hour), RenewAt: noon.Add(time.Hour), Used: noon.Add(9 * time.Hour)}
	check(t, s.Answer(ctx, "shop", st, []byte("second")))
	got := get(t, s, "shop")
	if got.Status.Generation != 2 || string(got.Tokens) != "second" || got.Status.Attempt != nil || got.Status.Spent != "" || got.Status.Trouble != nil ||
		!got.Status.RenewAt.Equal(st.RenewAt) || !got.Status.Expires.Equal(st.Expires) || got.Status.Version != r.Status.Version+2 {
		t.Errorf("got %+v, tokens %q", got.Status, got.Tokens)
	}
	if !got.Status.Used.Equal(r.Status.Used) {
		t.Errorf("an answer is no use: %v", got.Status.Used)
	}
	if !bytes.Equal(got.Keys, r.Keys) || got.Revision != r.Revision {
		t.Error("keys or revision did not stay")
	}
	want(t, s.Answer(ctx, "shop", st, []byte("another second")), broker.ErrStale)
	st.Generation = 4
	want(t, s.Answer(ctx, "shop", st, []byte("fourth")), broker.ErrStale)
	want(t, s.Answer(ctx, "nobody", st, []byte("fourth")), broker.ErrNotFound)
	if got := get(t, s, "shop"); string(got.Tokens) != "second" {
		t.Errorf("the tokens are %q", got.Tokens)
	}
}

// answerTwice: where the confirmation was lost, the answer is told again.
func answerTwice(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	st := get(t, s, "shop").Status
	st.Generation++
	check(t, s.Answer(ctx, "shop", st, []byte("second")))
	once := get(t, s, "shop")
	check(t, s.Answer(ctx, "shop", st, []byte("second")))
	if twice := get(t, s, "shop"); twice.Status.Version != once.Status.Version || twice.Status.Generation != once.Status.Generation {
		t.Errorf("it was counted twice: %+v", twice.Status)
	}
}

func note(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	l := lease(t, s, "shop")
	r := get(t, s, "shop")
	v, err := s.Begin(ctx, "shop", l, r.Status.Version, attempt(l), "fingerprint", 0)
	check(t, err)
	st := get(t, s, "shop").Status
	st.State, st.Trouble, st.RenewAt = broker.StateFailing, &broker.Trouble{Cause: "provider-unavailable", Title: "away", Turn: usher.Fixer("provider"), Since: noon, Last: noon, Tries: 3}, noon.Add(time.Second)
	stale := st
	stale.Version = v - 1
	_, err = s.Note(ctx, "shop", l, stale, nil)
	want(t, err, broker.ErrStale)
	_, err = s.Note(ctx, "shop", broker.Lease{Name: l.Name, Holder: l.Holder, Fence: l.Fence - 1}, st, nil)
	want(t, err, broker.ErrLost)
	_, err = s.Note(ctx, "nobody", l, st, nil)
	want(t, err, broker.ErrNotFound)
	v, err = s.Note(ctx, "shop", l, st, nil)
	check(t, err)
	got := get(t, s, "shop")
	if got.Status.Version != v || v != st.Version+1 || got.Status.State != broker.StateFailing || got.Status.Trouble == nil || got.Status.Trouble.Tries != 3 || !got.Status.RenewAt.Equal(st.RenewAt) {
		t.Errorf("got %+v", got.Status)
	}
	if got.Status.Attempt == nil || got.Status.Spent != "fingerprint" || !bytes.Equal(got.Tokens, r.Tokens) || got.Status.Generation != r.Status.Generation {
		t.Errorf("what the note had no say in changed: %+v %q", got.Status, got.Tokens)
	}
	st = got.Status
	st.Attempt, st.Spent, st.RenewAt, st.Generation = nil, "", time.Time{}, 77
	v, err = s.Note(ctx, "shop", l, st, []byte{})
	check(t, err)
	got = get(t, s, "shop")
	if got.Status.Attempt != nil || got.Status.Spent != "" || got.Tokens != nil || !got.Status.RenewAt.IsZero() || got.Status.Generation != r.Status.Generation {
		t.Errorf("got %+v, tokens %q", got.Status, got.Tokens)
	}
	// With the attempt gone, another may begin.
	_, err = s.Begin(ctx, "shop", l, v, attempt(l), "f", 0)
	check(t, err)
	st = get(t, s, "shop").Status
	_, err = s.Note(ctx, "shop", l, st, []byte("narrower"))
	check(t, err)
	if got := get(t, s, "shop"); string(got.Tokens) != "narrower" {
		t.Errorf("the tokens are %q", got.Tokens)
	}
	check(t, s.Release(ctx, l))
	_, err = s.Note(ctx, "shop", l, get(t, s, "shop").Status, nil)
	want(t, err, broker.ErrLost)
}

func used(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	before := get(t, s, "shop")
	_, now, err := s.Changed(ctx, time.Time{})
	check(t, err)
	time.Sleep(2 * time.Millisecond)
	_, now, err = s.Changed(ctx, now)
	check(t, err)
	check(t, s.Used(ctx, nil))
	check(t, s.Used(ctx, map[string]time.Time{"shop": noon.Add(90 * time.Second), "nobody": noon}))
	got := get(t, s, "shop")
	if want := noon.Add(time.Minute).Truncate(time.Minute); !got.Status.Used.Equal(want) {
		t.Errorf("used at %v, want %v", got.Status.Used, want)
	}
	check(t, s.Used(ctx, map[string]time.Time{"shop": noon.Add(-time.Hour)}))
	again := get(t, s, "shop")
	if !again.Status.Used.Equal(got.Status.Used) {
		t.Errorf("used went back to %v", again.Status.Used)
	}
	if again.Status.Version != before.Status.Version {
		t.Error("a use counts as a write: whoever is renewing would have to begin anew")
	}
	if list, _, err := s.Changed(ctx, now); err != nil || len(list) != 0 {
		t.Errorf("a use is told as a change: %+v, %v", list, err)
	}
}

func leases(t *testing.T, s broker.Store) {
	ctx := t.Context()
	l, err := s.Acquire(ctx, "a", "one", long)
	check(t, err)
	if l.Name != "a" || l.Holder != "one" || l.Fence < 1 {
		t.Errorf("got %+v", l)
	}
	for _, who := range []string{"one", "two"} {
		_, err = s.Acquire(ctx, "a", who, long)
		want(t, err, broker.ErrHeld)
	}
	_, err = s.Acquire(ctx, "b", "two", long)
	check(t, err)
	check(t, s.Extend(ctx, l, long))
	foreign := l
	foreign.Holder = "two"
	want(t, s.Extend(ctx, foreign, long), broker.ErrLost)
	check(t, s.Release(ctx, foreign)) // of no effect
	check(t, s.Extend(ctx, l, long))
	check(t, s.Release(ctx, l))
	want(t, s.Extend(ctx, l, long), broker.ErrLost)
	check(t, s.Release(ctx, l))
	l2, err := s.Acquire(ctx, "a", "two", long)
	check(t, err)
	if l2.Fence <= l.Fence {
		t.Errorf("the fence %d came after %d", l2.Fence, l.Fence)
	}
	check(t, s.Release(ctx, l)) // of long ago: of no effect
	check(t, s.Extend(ctx, l2, long))
	want(t, s.Extend(ctx, broker.Lease{Name: "never", Holder: "one", Fence: 1}, long), broker.ErrLost)
}

func leasesEnd(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	// On a slow machine a short time is over too soon: then a longer one is tried.
	var l broker.Lease
	ttl := 40 * time.Millisecond
	for ; ; ttl *= 3 {
		var err error
		l, err = s.Acquire(ctx, "connection/shop", "one", ttl)
		check(t, err)
		err = s.Extend(ctx, l, 5*ttl)
		if err == nil {
			time.Sleep(2 * ttl)
			if _, err = s.Acquire(ctx, "connection/shop", "two", time.Millisecond); errors.Is(err, broker.ErrHeld) {
				break // it was extended
			}
		}
		if ttl > time.Second {
			t.Fatalf("a lease of %v was not extended: %v", ttl, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(5 * ttl)
	want(t, s.Extend(ctx, l, long), broker.ErrLost)
	r := get(t, s, "shop")
	_, err := s.Begin(ctx, "shop", l, r.Status.Version, attempt(l), "", 0)
	want(t, err, broker.ErrLost)
	_, err = s.Note(ctx, "shop", l, r.Status, nil)
	want(t, err, broker.ErrLost)
	l2, err := s.Acquire(ctx, "connection/shop", "two", long)
	check(t, err)
	if l2.Fence <= l.Fence {
		t.Errorf("the fence %d came after %d", l2.Fence, l.Fence)
	}
	_, err = s.Begin(ctx, "shop", l, r.Status.Version, attempt(l), "", 0)
	want(t, err, broker.ErrLost)
}

// race lets n callers begin at once and gives how many got through; the others
// must have been told lost.
func race(t *testing.T, n int, lost error, try func(i int) error) int {
	t.Helper()
	start := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range n {
		all.Go(func() {
			<-start
			err := try(i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, lost) {
				t.Error(err)
			}
		})
	}
	close(start)
	all.Wait()
	return won
}

func leaseRaced(t *testing.T, s broker.Store) {
	fence := int64(0)
	for range 20 {
		var mu sync.Mutex
		var got broker.Lease
		won := race(t, 8, broker.ErrHeld, func(i int) error {
			l, err := s.Acquire(t.Context(), "a", fmt.Sprint("replica-", i), long)
			if err == nil {
				mu.Lock()
				got = l
				mu.Unlock()
			}
			return err
		})
		if won != 1 || got.Fence <= fence {
			t.Fatalf("%d hold the lease; the fence %d came after %d", won, got.Fence, fence)
		}
		fence = got.Fence
		check(t, s.Release(t.Context(), got))
	}
}

func beginRaced(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	for range 10 {
		l := lease(t, s, "shop")
		r := get(t, s, "shop")
		won := race(t, 6, broker.ErrStale, func(int) error {
			_, err := s.Begin(ctx, "shop", l, r.Status.Version, attempt(l), "f", 0)
			return err
		})
		if won != 1 {
			t.Fatalf("%d attempts stand at once", won)
		}
		r = get(t, s, "shop")
		st := r.Status
		st.Generation++
		check(t, s.Answer(ctx, "shop", st, []byte(fmt.Sprint("t", st.Generation))))
		check(t, s.Release(ctx, l))
	}
}

func answerRaced(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	for range 20 {
		r := get(t, s, "shop")
		var mu sync.Mutex
		var kept string
		won := race(t, 8, broker.ErrStale, func(i int) error {
			st := r.Status
			st.Generation++
			tokens := fmt.Sprint("of ", i, " for ", st.Generation)
			err := s.Answer(ctx, "shop", st, []byte(tokens))
			if err == nil {
				mu.Lock()
				kept = tokens
				mu.Unlock()
			}
			return err
		})
		got := get(t, s, "shop")
		if won != 1 || string(got.Tokens) != kept || got.Status.Generation != r.Status.Generation+1 {
			t.Fatalf("%d answers were taken; %q was told to be kept, %q is", won, kept, got.Tokens)
		}
	}
}

func removedRaced(t *testing.T, s broker.Store) {
	ctx := t.Context()
	for i := range 10 {
		id := fmt.Sprint("c", i)
		check(t, s.Add(ctx, record(id)))
		r := get(t, s, id)
		var all sync.WaitGroup
		all.Go(func() {
			if err := s.Remove(ctx, id); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if l, err := s.Acquire(ctx, "connection/"+id, "one", long); err == nil {
				if _, err := s.Begin(ctx, id, l, r.Status.Version, attempt(l), "", 0); err != nil && !errors.Is(err, broker.ErrNotFound) && !errors.Is(err, broker.ErrLost) && !errors.Is(err, broker.ErrStale) {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			st := r.Status
			st.Generation++
			if err := s.Answer(ctx, id, st, []byte("x")); err != nil && !errors.Is(err, broker.ErrNotFound) {
				t.Error(err)
			}
		})
		all.Wait()
		if _, err := s.Connection(ctx, id); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("a removed connection is there: %v", err)
		}
	}
}

// exclusion: of many who take turns by the lease nobody is in between another's
// read and write, and no increment is lost.
func exclusion(t *testing.T, s broker.Store) {
	ctx := t.Context()
	in := record("shop")
	in.Status.Generation = 0
	check(t, s.Add(ctx, in))
	const workers, turns = 6, 8
	var all sync.WaitGroup
	var mu sync.Mutex
	last := int64(0)
	for i := range workers {
		all.Go(func() {
			for done := 0; done < turns; {
				l, err := s.Acquire(ctx, "connection/shop", fmt.Sprint("replica-", i), long)
				if errors.Is(err, broker.ErrHeld) {
					time.Sleep(time.Millisecond)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if l.Fence <= last {
					t.Errorf("the fence %d came after %d", l.Fence, last)
				}
				last = l.Fence
				mu.Unlock()
				r, err := s.Connection(ctx, "shop")
				if err == nil {
					_, err = s.Begin(ctx, "shop", l, r.Status.Version, attempt(l), "", 0)
				}
				if err == nil {
					r.Status.Generation++
					err = s.Answer(ctx, "shop", r.Status, []byte("t"))
				}
				if err == nil {
					err = s.Release(ctx, l)
				}
				if err != nil {
					t.Error(err)
					return
				}
				done++
			}
		})
	}
	all.Wait()
	if got := get(t, s, "shop"); got.Status.Generation != workers*turns {
		t.Errorf("%d turns added up to %d", workers*turns, got.Status.Generation)
	}
}

func paces(t *testing.T, s broker.Store) {
	ctx := t.Context()
	p, err := s.Pace(ctx, "https://idp.test")
	check(t, err)
	if p != (broker.Pace{Name: "https://idp.test"}) {
		t.Errorf("of an unknown one: %+v", p)
	}
	p.Tokens, p.Rate, p.Filled, p.Failures, p.Blocked = 2.5, 10, noon, 3, noon.Add(time.Minute)
	check(t, s.SetPace(ctx, p))
	want(t, s.SetPace(ctx, p), broker.ErrStale)
	got, err := s.Pace(ctx, p.Name)
	check(t, err)
	if got.Version != 1 || got.Tokens != 2.5 || got.Rate != 10 || !got.Filled.Equal(noon) || got.Failures != 3 || !got.Blocked.Equal(p.Blocked) || !got.Trial.IsZero() {
		t.Errorf("got %+v", got)
	}
	got.Failures = 4
	check(t, s.SetPace(ctx, got))
	want(t, s.SetPace(ctx, got), broker.ErrStale)
	for range 10 {
		now, err := s.Pace(ctx, p.Name)
		check(t, err)
		if won := race(t, 6, broker.ErrStale, func(i int) error { mine := now; mine.Failures = i; return s.SetPace(ctx, mine) }); won != 1 {
			t.Fatalf("%d have set the pace", won)
		}
	}
	if won := race(t, 6, broker.ErrStale, func(int) error { return s.SetPace(ctx, broker.Pace{Name: "new"}) }); won != 1 {
		t.Errorf("%d were the first", won)
	}
	want(t, s.SetPace(ctx, broker.Pace{Name: "unknown", Version: 3}), broker.ErrStale)
}

func flows(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	f := broker.Flow{Hash: strings.Repeat("ab", 32), ID: "shop", Sealed: []byte("sealed \x00"), Expires: time.Now().Add(long).UTC().Truncate(time.Microsecond)}
	check(t, s.PutFlow(ctx, f))
	_, err := s.TakeFlow(ctx, "unknown")
	want(t, err, broker.ErrNotFound)
	got, err := s.TakeFlow(ctx, f.Hash)
	check(t, err)
	if got.Hash != f.Hash || got.ID != f.ID || !bytes.Equal(got.Sealed, f.Sealed) || !got.Expires.Equal(f.Expires) {
		t.Errorf("got %+v", got)
	}
	_, err = s.TakeFlow(ctx, f.Hash)
	want(t, err, broker.ErrNotFound)
	// What nobody came back for goes away by itself.
	old := f
	old.Hash, old.Expires = "old", time.Now().Add(-48*time.Hour)
	check(t, s.PutFlow(ctx, old))
	check(t, s.PutFlow(ctx, f))
	_, err = s.TakeFlow(ctx, "old")
	want(t, err, broker.ErrNotFound)
}

func flowRaced(t *testing.T, s broker.Store) {
	for i := range 15 {
		f := broker.Flow{Hash: fmt.Sprint("h", i), ID: "shop", Sealed: []byte("x"), Expires: time.Now().Add(long)}
		check(t, s.PutFlow(t.Context(), f))
		if won := race(t, 8, broker.ErrNotFound, func(int) error { _, err := s.TakeFlow(t.Context(), f.Hash); return err }); won != 1 {
			t.Fatalf("%d have taken one flow", won)
		}
	}
}

func blobs(t *testing.T, s broker.Store) {
	ctx := t.Context()
	if list, err := s.Blobs(ctx, "key"); err != nil || len(list) != 0 {
		t.Errorf("of none: %+v, %v", list, err)
	}
	for _, name := range []string{"b", "a", "B"} {
		check(t, s.PutBlob(ctx, broker.Blob{Kind: "key", Name: name, Body: []byte("body of " + name)}))
	}
	check(t, s.PutBlob(ctx, broker.Blob{Kind: "other", Name: "a", Body: []byte{}}))
	want(t, s.PutBlob(ctx, broker.Blob{Kind: "key", Name: "a"}), broker.ErrStale)
	list, err := s.Blobs(ctx, "key")
	check(t, err)
	var names []string
	for _, b := range list {
		names = append(names, b.Name)
		if b.Version != 1 || b.Kind != "key" || string(b.Body) != "body of "+b.Name {
			t.Errorf("got %+v", b)
		}
	}
	if !slices.Equal(names, []string{"B", "a", "b"}) {
		t.Errorf("got %q", names)
	}
	b, err := s.Blob(ctx, "key", "a")
	check(t, err)
	b.Body = []byte("second")
	check(t, s.PutBlob(ctx, b))
	want(t, s.PutBlob(ctx, b), broker.ErrStale)
	want(t, s.DropBlob(ctx, b), broker.ErrStale)
	b, err = s.Blob(ctx, "key", "a")
	check(t, err)
	if b.Version != 2 || string(b.Body) != "second" {
		t.Errorf("got %+v", b)
	}
	check(t, s.DropBlob(ctx, b))
	want(t, s.DropBlob(ctx, b), broker.ErrStale)
	_, err = s.Blob(ctx, "key", "a")
	want(t, err, broker.ErrNotFound)
	want(t, s.PutBlob(ctx, b), broker.ErrStale)
	b.Version = 0
	check(t, s.PutBlob(ctx, b))
	if won := race(t, 6, broker.ErrStale, func(i int) error {
		return s.PutBlob(ctx, broker.Blob{Kind: "key", Name: "raced", Body: []byte{byte(i)}})
	}); won != 1 {
		t.Errorf("%d were the first", won)
	}
}

// anyBytes: what is sealed is no text.
func anyBytes(t *testing.T, s broker.Store) {
	ctx := t.Context()
	every := make([]byte, 0, 256*300)
	for i := range 256 * 300 {
		every = append(every, byte(i))
	}
	r := record("shop")
	r.Keys, r.Tokens = every, every
	check(t, s.Add(ctx, r))
	if got := get(t, s, "shop"); !bytes.Equal(got.Keys, every) || !bytes.Equal(got.Tokens, every) {
		t.Error("keys or tokens came back otherwise")
	}
	check(t, s.PutBlob(ctx, broker.Blob{Kind: "k", Name: "n", Body: every}))
	if got, err := s.Blob(ctx, "k", "n"); err != nil || !bytes.Equal(got.Body, every) {
		t.Errorf("a document came back otherwise: %v", err)
	}
}

// strangeNames: whatever is asked for is a name and nothing else.
func strangeNames(t *testing.T, s broker.Store) {
	ctx := t.Context()
	check(t, s.Add(ctx, record("shop")))
	for _, name := range []string{"", "' OR 1=1 --", "%", "_", "shop\x00", "\xff\xfe", "SHOP", strings.Repeat("x", 100_000), "ünï", "{now}", "?"} {
		if _, err := s.Connection(ctx, name); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("%.20q: %v", name, err)
		}
		if err := s.Remove(ctx, name); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
		if _, err := s.TakeFlow(ctx, name); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("%.20q: %v", name, err)
		}
		l, err := s.Acquire(ctx, "x"+name, "h", long)
		if err != nil || l.Fence < 1 {
			t.Errorf("%.20q: %+v, %v", name, l, err)
		}
		if err := s.Extend(ctx, l, long); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	get(t, s, "shop")
}

func cancelled(t *testing.T, s broker.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Add(ctx, record("shop")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Acquire(ctx, "a", "h", long); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	check(t, s.Add(t.Context(), record("shop")))
}
