package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"usher"
)

// Case gives the case with an id, or nil where there is none. What is changed
// in it counts once SaveCase was called.
func (tx *Tx) Case(id int64) (*usher.Case, error) {
	list, err := tx.cases("WHERE id = ?", id)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// CasesUnder gives every case that is filed under one of the keys, each once,
// by id.
func (tx *Tx) CasesUnder(keys ...string) ([]*usher.Case, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = opaque(k)
	}
	return tx.cases("WHERE id IN (SELECT case_id FROM case_keys WHERE key IN (?"+strings.Repeat(", ?", len(keys)-1)+")) ORDER BY id", args...)
}

// Due gives the cases whose wake time is not after now, the earliest first, at
// most 1,000.
func (tx *Tx) Due(now time.Time) ([]*usher.Case, error) {
	return tx.cases("WHERE wake > 0 AND wake <= ? ORDER BY wake, id LIMIT 1000", micros(now))
}

// SaveCase keeps a case and files it under exactly these keys, in place of
// those of before. A case with the id 0 is new and gets the next id, from 1.
// wake is when Due gives the case; zero: never. The case is masked once more on
// its way. Of one fingerprint only one case at a time can be active.
func (tx *Tx) SaveCase(c *usher.Case, keys []string, wake time.Time) error {
	if err := tx.saveCase(c, keys, wake); err != nil {
		return fmt.Errorf("keep case %d: %w", c.ID, err)
	}
	return nil
}

func (tx *Tx) saveCase(c *usher.Case, keys []string, wake time.Time) error {
	kept := masked(*c)
	kept.Version, kept.Fingerprint = usher.CaseVersion, opaque(c.Fingerprint)
	if c.ID == 0 {
		if err := tx.row("SELECT coalesce(max(id), 0) + 1 FROM cases").Scan(&kept.ID); err != nil {
			return err
		}
	}
	body, err := json.Marshal(&kept)
	if err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO cases (id, fingerprint, kind, state, active, behind, opened, tenant, client, client_uid, client_name, cause, first, last, wake, body, seq)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(seq), 0) + 1 FROM cases))
		ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, kind = excluded.kind, state = excluded.state,
			active = excluded.active, behind = excluded.behind, opened = excluded.opened, tenant = excluded.tenant,
			client = excluded.client, client_uid = excluded.client_uid, client_name = excluded.client_name,
			cause = excluded.cause, first = excluded.first, last = excluded.last, wake = excluded.wake, body = excluded.body, seq = excluded.seq`,
		kept.ID, kept.Fingerprint, string(kept.Kind), string(kept.State), bit(kept.State.Active()), kept.Behind, micros(kept.Opened),
		cmp.Or(kept.Finding.Subject.Tenant, kept.Refusal.Tenant), kept.Finding.Subject.Client, kept.Refusal.Client.UID, kept.Refusal.Client.Name,
		kept.Finding.Cause, micros(kept.First), micros(kept.Last), micros(wake), whole(body))
	if err != nil {
		return err
	}
	if err := tx.file(kept.ID, keys); err != nil {
		return err
	}
	c.ID, c.Version = kept.ID, kept.Version
	return nil
}

// file changes what is different only, for most cases keep their keys.
func (tx *Tx) file(id int64, keys []string) error {
	missing := make(map[string]bool, len(keys))
	for _, k := range keys {
		missing[opaque(k)] = true
	}
	var old []string
	err := tx.rows("SELECT key FROM case_keys WHERE case_id = ?", []any{id}, func(row scanner) error {
		var k string
		err := row.Scan(&k)
		if missing[k] {
			delete(missing, k)
		} else {
			old = append(old, k)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, k := range old {
		if _, err := tx.exec("DELETE FROM case_keys WHERE key = ? AND case_id = ?", k, id); err != nil {
			return err
		}
	}
	for k := range missing {
		if _, err := tx.exec("INSERT INTO case_keys (key, case_id) VALUES (?, ?)", k, id); err != nil {
			return err
		}
	}
	return nil
}

// CaseFilter says which cases are asked for. Empty fields ask for all.
type CaseFilter struct {
	States []usher.CaseState
	Kinds  []usher.CaseKind
	Client string // id or name
	Tenant string
	Cause  string
	Active bool // only those that ask for somebody
	Hidden bool // also those that are hidden behind another case
	Limit  int  // 0 is 1,000, which is the most
}

// Cases gives the cases of a filter: those that ask for somebody first, then
// those whose last try is the latest.
func (tx *Tx) Cases(f CaseFilter) ([]usher.Case, error) {
	w := where{}
	in(&w, "state", f.States)
	in(&w, "kind", f.Kinds)
	w.equal("tenant", f.Tenant)
	w.equal("cause", f.Cause)
	if f.Client != "" {
		w.and("(client = ? OR client_uid = ? OR client_name = ?)", f.Client, f.Client, f.Client)
	}
	if f.Active {
		w.and("active = 1")
	}
	if !f.Hidden {
		w.and("behind = 0")
	}
	limit := 1000
	if f.Limit > 0 {
		limit = min(limit, f.Limit)
	}
	list, err := tx.cases(w.String()+" ORDER BY active DESC, last DESC, id DESC LIMIT ?", append(w.args, limit)...)
	if err != nil {
		return nil, err
	}
	out := make([]usher.Case, len(list))
	for i, c := range list {
		out[i] = *c
	}
	return out, nil
}

// States gives the state of every case by its id.
func (tx *Tx) States() (map[int64]usher.CaseState, error) {
	states := map[int64]usher.CaseState{}
	err := tx.rows("SELECT id, state FROM cases", nil, func(row scanner) error {
		var id int64
		var state string
		err := row.Scan(&id, &state)
		states[id] = usher.CaseState(state)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the states of the cases: %w", err)
	}
	return states, nil
}

// CaseChange tells that a case was written.
type CaseChange struct {
	ID    int64
	State usher.CaseState
	Seq   int64 // of its last write; each write of any case has the next number
}

// CasesChanged gives the cases that were written after a number, each once, in
// the order of their last write, at most limit.
func (tx *Tx) CasesChanged(after int64, limit int) ([]CaseChange, error) {
	var list []CaseChange
	err := tx.rows("SELECT id, state, seq FROM cases WHERE seq > ? ORDER BY seq LIMIT ?", []any{after, limit}, func(row scanner) error {
		var c CaseChange
		err := row.Scan(&c.ID, &c.State, &c.Seq)
		list = append(list, c)
		return err
	})
	return list, told(err, "ask which cases have changed")
}

// LastChange gives the number of the last write of any case.
func (tx *Tx) LastChange() (seq int64, err error) {
	err = tx.row("SELECT coalesce(max(seq), 0) FROM cases").Scan(&seq)
	return seq, told(err, "ask for the last change of a case")
}

// cases gives the cases of the rest of a query.
func (tx *Tx) cases(rest string, args ...any) ([]*usher.Case, error) {
	var out []*usher.Case
	err := tx.rows("SELECT id, body FROM cases "+rest, args, func(row scanner) error {
		var id int64
		var body string
		if err := row.Scan(&id, &body); err != nil {
			return err
		}
		c := new(usher.Case)
		if err := json.Unmarshal([]byte(body), c); err != nil {
			return damaged(tx.s.where, fmt.Sprintf("case %d is no JSON", id))
		}
		out = append(out, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	return out, nil
}
