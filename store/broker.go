package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"usher/broker"
	"usher/oauth"
)

// Broker gives what the broker keeps in this store. Its methods are short
// transactions of their own: they wait for no Update of another replica.
func (s *Store) Broker() broker.Store { return brokerStore{s} }

type brokerStore struct{ s *Store }

// leasePrefix before the id of a connection is the name of its lease.
const leasePrefix = "connection/"

// read runs a single statement that only reads.
func (b brokerStore) read(ctx context.Context, f func(*Tx) error) error {
	return b.s.direct(ctx, true, f)
}

// write runs f for a single statement that writes: on PostgreSQL it is a
// transaction by itself, and takes one way there and back.
func (b brokerStore) write(ctx context.Context, f func(*Tx) error) error {
	if b.s.remote != nil {
		return b.s.direct(ctx, false, f)
	}
	return b.s.Update(ctx, f)
}

// again is write for what may be done twice.
func (b brokerStore) again(ctx context.Context, f func(*Tx) error) error {
	if b.s.remote != nil {
		return b.s.direct(ctx, true, f)
	}
	return b.s.Update(ctx, f)
}

// several runs f as one transaction. Leases are written before connections, so
// that no two wait for each other.
func (b brokerStore) several(ctx context.Context, f func(*Tx) error) error {
	if b.s.remote != nil {
		return b.s.run(ctx, b.s.remote.short, true, remoteSeveral, f)
	}
	return b.s.Update(ctx, f)
}

const recordColumns = "id, revision, config, keys, version, generation, renew_at, used, attempt, spent, status, tokens"

func readRecord(tx *Tx, row scanner) (broker.Record, error) {
	var r broker.Record
	var config, attempt, spent, status string
	var version, generation, renewAt, used int64
	err := row.Scan(&r.Config.ID, &r.Revision, &config, &r.Keys, &version, &generation, &renewAt, &used, &attempt, &spent, &status, &r.Tokens)
	if err != nil {
		return r, err
	}
	id := r.Config.ID
	if json.Unmarshal([]byte(config), &r.Config) != nil || json.Unmarshal([]byte(status), &r.Status) != nil {
		return r, damaged(tx.s.where, "connection "+id+" is no JSON")
	}
	if attempt != "" {
		r.Status.Attempt = new(broker.Attempt)
		if json.Unmarshal([]byte(attempt), r.Status.Attempt) != nil {
			return r, damaged(tx.s.where, "the attempt of connection "+id+" is no JSON")
		}
	}
	r.Config.ID = id
	r.Status.Version, r.Status.Generation, r.Status.Spent = version, generation, spent
	r.Status.RenewAt, r.Status.Used = fromMicros(renewAt), fromMicros(used)
	r.Keys, r.Tokens = orNil(r.Keys), orNil(r.Tokens)
	return r, nil
}

func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// null is what is kept of bytes: none are NULL.
func null(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// statusText is a status without what has a column of its own. What a provider
// said is masked once more.
func statusText(s broker.Status) (whole, error) {
	s.Version, s.Generation, s.Spent, s.Attempt = 0, 0, "", nil
	s.RenewAt, s.Used = time.Time{}, time.Time{}
	s.Trouble, s.Healed = maskedTrouble(s.Trouble), maskedTrouble(s.Healed)
	s.Notes = slices.Clone(s.Notes)
	for i := range s.Notes {
		s.Notes[i] = oauth.Redact(s.Notes[i])
	}
	b, err := json.Marshal(&s)
	return whole(b), err
}

func maskedTrouble(t *broker.Trouble) *broker.Trouble {
	if t == nil {
		return nil
	}
	kept := *t
	kept.Title, kept.Detail = oauth.Redact(t.Title), oauth.Redact(t.Detail)
	return &kept
}

func attemptText(a *broker.Attempt) (text whole, fence int64, err error) {
	if a == nil {
		return "", 0, nil
	}
	b, err := json.Marshal(a)
	return whole(b), a.Fence, err
}

func (b brokerStore) Connections(ctx context.Context, after string, limit int) ([]broker.Record, error) {
	if limit <= 0 {
		return nil, nil
	}
	var list []broker.Record
	err := b.read(ctx, func(tx *Tx) error {
		return tx.rows("SELECT "+recordColumns+" FROM connections WHERE removed = 0 AND id > ? ORDER BY id LIMIT ?", []any{after, limit}, func(row scanner) error {
			r, err := readRecord(tx, row)
			list = append(list, r)
			return err
		})
	})
	if err != nil {
		return nil, told(err, "read the connections")
	}
	return list, nil
}

func (b brokerStore) Connection(ctx context.Context, id string) (r broker.Record, err error) {
	err = b.read(ctx, func(tx *Tx) (err error) {
		r, err = readRecord(tx, tx.row("SELECT "+recordColumns+" FROM connections WHERE id = ? AND removed = 0", id))
		return err
	})
	if err != nil {
		return broker.Record{}, about(err, "read the connection", id)
	}
	return r, nil
}

// about is told with the name of what it is about. No row is ErrNotFound.
func about(err error, doing, name string) error {
	if errors.Is(err, sql.ErrNoRows) {
		err = broker.ErrNotFound
	}
	return told(err, doing+" "+name)
}

func (b brokerStore) Add(ctx context.Context, r broker.Record) error {
	config, err := json.Marshal(&r.Config)
	if err != nil {
		return about(err, "add the connection", r.Config.ID)
	}
	status, err := statusText(r.Status)
	if err != nil {
		return about(err, "add the connection", r.Config.ID)
	}
	attempt, fence, err := attemptText(r.Status.Attempt)
	if err != nil {
		return about(err, "add the connection", r.Config.ID)
	}
	err = b.write(ctx, func(tx *Tx) error {
		n, err := tx.changed(`INSERT INTO connections
			(id, revision, config, keys, disabled, born, version, generation, renew_at, used, attempt, attempt_fence, spent, status, tokens, written)
			VALUES (?, 1, ?, ?, ?, 1, 1, ?, ?, ?, ?, ?, ?, ?, ?, {now})
			ON CONFLICT (id) DO UPDATE SET removed = 0, revision = connections.revision + 1, config = excluded.config, keys = excluded.keys,
				disabled = excluded.disabled, born = connections.version + 1, version = connections.version + 1, generation = excluded.generation,
				renew_at = excluded.renew_at, used = excluded.used, attempt = excluded.attempt, attempt_fence = excluded.attempt_fence,
				spent = excluded.spent, status = excluded.status, tokens = excluded.tokens, written = {now}
			WHERE connections.removed = 1`,
			r.Config.ID, whole(config), null(r.Keys), bit(r.Config.Disabled), r.Status.Generation, micros(r.Status.RenewAt), micros(r.Status.Used),
			attempt, fence, whole(r.Status.Spent), status, null(r.Tokens))
		if err == nil && n == 0 {
			err = broker.ErrExists
		}
		return err
	})
	return about(err, "add the connection", r.Config.ID)
}

func (b brokerStore) Configure(ctx context.Context, revision int64, c broker.Config, keys []byte) error {
	config, err := json.Marshal(&c)
	if err != nil {
		return about(err, "configure the connection", c.ID)
	}
	err = b.write(ctx, func(tx *Tx) error {
		n, err := tx.changed(`UPDATE connections SET config = ?, keys = ?, disabled = ?, revision = revision + 1, written = {now}
			WHERE id = ? AND removed = 0 AND revision = ?`, whole(config), null(keys), bit(c.Disabled), c.ID, revision)
		if err == nil && n == 0 {
			err = tx.whyNot(c.ID, nil)
		}
		return err
	})
	return about(err, "configure the connection", c.ID)
}

// whyNot tells why nothing was written: there is no such connection, the lease
// is not held, or somebody was faster.
func (tx *Tx) whyNot(id string, l *broker.Lease) error {
	var n int
	if l != nil {
		if err := tx.row("SELECT count(*) FROM leases WHERE name = ? AND holder = ? AND fence = ? AND expires > {now}", l.Name, l.Holder, l.Fence).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return broker.ErrLost
		}
	}
	if err := tx.row("SELECT count(*) FROM connections WHERE id = ? AND removed = 0", id).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return broker.ErrNotFound
	}
	return broker.ErrStale
}

func (b brokerStore) Remove(ctx context.Context, id string) error {
	err := b.several(ctx, func(tx *Tx) error {
		if _, err := tx.exec("UPDATE leases SET expires = 0 WHERE name = ?", leasePrefix+id); err != nil {
			return err
		}
		if _, err := tx.exec("DELETE FROM flows WHERE connection = ?", id); err != nil {
			return err
		}
		// Last: what is written is told by the time at which it was, and should be
		// seen soon after.
		_, err := tx.exec(`UPDATE connections SET removed = 1, revision = revision + 1, config = '{}', keys = NULL, disabled = 1,
			version = version + 1, renew_at = 0, used = 0, attempt = '', attempt_fence = 0, spent = '', status = '{}', tokens = NULL, written = {now}
			WHERE id = ? AND removed = 0`, id)
		return err
	})
	return about(err, "remove the connection", id)
}

func (b brokerStore) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	if limit <= 0 {
		return nil, nil
	}
	var ids []string
	err := b.read(ctx, func(tx *Tx) error {
		return tx.rows(`SELECT c.id FROM connections AS c WHERE c.renew_at > 0 AND c.disabled = 0 AND c.renew_at <= ?
			AND NOT EXISTS (SELECT 1 FROM leases AS l WHERE l.name = '`+leasePrefix+`' || c.id AND l.expires > {now})
			ORDER BY c.renew_at, c.id LIMIT ?`, []any{micros(now), limit}, func(row scanner) error {
			var id string
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	if err != nil {
		return nil, told(err, "ask which connections are due")
	}
	return ids, nil
}

func (b brokerStore) Next(ctx context.Context, now time.Time) (time.Time, error) {
	var at int64
	err := b.read(ctx, func(tx *Tx) error {
		return tx.row("SELECT coalesce(min(renew_at), 0) FROM connections WHERE renew_at > ? AND renew_at > 0 AND disabled = 0", micros(now)).Scan(&at)
	})
	if err != nil {
		return time.Time{}, told(err, "ask when the next connection is due")
	}
	return fromMicros(at), nil
}

func (b brokerStore) Changed(ctx context.Context, since time.Time) (changes []broker.Changed, now time.Time, err error) {
	err = b.read(ctx, func(tx *Tx) error {
		// The time first: what is written after it is seen the next time.
		at, err := tx.clock()
		if err != nil {
			return err
		}
		now = at
		return tx.rows("SELECT id, generation, version, revision, removed FROM connections WHERE written >= ? ORDER BY written, id", []any{micros(since)}, func(row scanner) error {
			var c broker.Changed
			var removed int
			err := row.Scan(&c.ID, &c.Generation, &c.Version, &c.Revision, &removed)
			c.Removed = removed == 1
			changes = append(changes, c)
			return err
		})
	})
	if err != nil {
		return nil, time.Time{}, told(err, "ask which connections have changed")
	}
	return changes, now, nil
}

// held is the condition that a lease is held; its row stays as it is until the
// statement has ended.
const held = "EXISTS (SELECT 1 FROM leases WHERE leases.name = ? AND leases.holder = ? AND leases.fence = ? AND leases.expires > {now}{share})"

func (b brokerStore) Begin(ctx context.Context, id string, l broker.Lease, version int64, a broker.Attempt, spent string, replaces int64) (next int64, err error) {
	attempt, fence, err := attemptText(&a)
	if err != nil {
		return 0, about(err, "begin an attempt of the connection", id)
	}
	err = b.write(ctx, func(tx *Tx) error {
		err := tx.row(`UPDATE connections SET version = version + 1, attempt = ?, attempt_fence = ?, spent = ?, written = {now}
			WHERE id = ? AND removed = 0 AND version = ? AND attempt_fence = ? AND `+held+` RETURNING version`,
			attempt, fence, whole(spent), id, version, replaces, l.Name, l.Holder, l.Fence).Scan(&next)
		if errors.Is(err, sql.ErrNoRows) {
			err = tx.whyNot(id, &l)
		}
		return err
	})
	if err != nil {
		return 0, about(err, "begin an attempt of the connection", id)
	}
	return next, nil
}

func (b brokerStore) Answer(ctx context.Context, id string, s broker.Status, tokens []byte) error {
	status, err := statusText(s)
	if err != nil {
		return about(err, "keep the new token of the connection", id)
	}
	err = b.again(ctx, func(tx *Tx) error {
		n, err := tx.changed(`UPDATE connections SET generation = generation + 1, version = version + 1, renew_at = ?, attempt = '', attempt_fence = 0,
			spent = '', status = ?, tokens = ?, written = {now} WHERE id = ? AND removed = 0 AND generation = ? AND born <= ?`,
			micros(s.RenewAt), status, null(tokens), id, s.Generation-1, s.Version)
		if err != nil || n > 0 {
			return err
		}
		// Told twice, since the first confirmation was lost on its way?
		var generation int64
		var kept []byte
		err = tx.row("SELECT generation, tokens FROM connections WHERE id = ? AND removed = 0 AND born <= ?", id, s.Version).Scan(&generation, &kept)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return tx.whyNot(id, nil)
		case err == nil && (generation != s.Generation || !bytes.Equal(kept, tokens)):
			return broker.ErrStale
		}
		return err
	})
	return about(err, "keep the new token of the connection", id)
}

func (b brokerStore) Note(ctx context.Context, id string, l broker.Lease, s broker.Status, tokens []byte) (next int64, err error) {
	status, err := statusText(s)
	if err != nil {
		return 0, about(err, "note the status of the connection", id)
	}
	attempt, fence, err := attemptText(s.Attempt)
	if err != nil {
		return 0, about(err, "note the status of the connection", id)
	}
	err = b.write(ctx, func(tx *Tx) error {
		err := tx.row(`UPDATE connections SET version = version + 1, renew_at = ?, attempt = ?, attempt_fence = ?, spent = ?, status = ?,
			tokens = CASE WHEN ? = 1 THEN tokens ELSE ? END, written = {now}
			WHERE id = ? AND removed = 0 AND version = ? AND `+held+` RETURNING version`,
			micros(s.RenewAt), attempt, fence, whole(s.Spent), status, bit(tokens == nil), null(tokens), id, s.Version, l.Name, l.Holder, l.Fence).Scan(&next)
		if errors.Is(err, sql.ErrNoRows) {
			err = tx.whyNot(id, &l)
		}
		return err
	})
	if err != nil {
		return 0, about(err, "note the status of the connection", id)
	}
	return next, nil
}

func (b brokerStore) Used(ctx context.Context, at map[string]time.Time) error {
	if len(at) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(at)) // in one order, so that no two wait for each other
	err := b.several(ctx, func(tx *Tx) error {
		for _, id := range ids {
			used := micros(at[id].Truncate(time.Minute))
			if _, err := tx.exec("UPDATE connections SET used = ? WHERE id = ? AND removed = 0 AND used < ?", used, id, used); err != nil {
				return err
			}
		}
		return nil
	})
	return told(err, "note that tokens were used")
}

func (b brokerStore) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (broker.Lease, error) {
	l := broker.Lease{Name: name, Holder: holder}
	err := b.write(ctx, func(tx *Tx) error {
		err := tx.row(`INSERT INTO leases (name, holder, fence, expires) VALUES (?, ?, 1, {now} + ?)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1, expires = {now} + ?
			WHERE leases.expires <= {now} RETURNING fence`, name, holder, ttl.Microseconds(), ttl.Microseconds()).Scan(&l.Fence)
		if errors.Is(err, sql.ErrNoRows) {
			err = broker.ErrHeld
		}
		return err
	})
	if err != nil {
		return broker.Lease{}, about(err, "take the lease", name)
	}
	return l, nil
}

func (b brokerStore) Extend(ctx context.Context, l broker.Lease, ttl time.Duration) error {
	err := b.again(ctx, func(tx *Tx) error {
		n, err := tx.changed("UPDATE leases SET expires = {now} + ? WHERE name = ? AND holder = ? AND fence = ? AND expires > {now}",
			ttl.Microseconds(), l.Name, l.Holder, l.Fence)
		if err == nil && n == 0 {
			err = broker.ErrLost
		}
		return err
	})
	return about(err, "keep the lease", l.Name)
}

func (b brokerStore) Release(ctx context.Context, l broker.Lease) error {
	err := b.again(ctx, func(tx *Tx) error {
		_, err := tx.exec("UPDATE leases SET expires = 0 WHERE name = ? AND holder = ? AND fence = ?", l.Name, l.Holder, l.Fence)
		return err
	})
	return about(err, "give the lease back:", l.Name)
}

func (b brokerStore) Pace(ctx context.Context, name string) (broker.Pace, error) {
	p := broker.Pace{}
	var version int64
	var body string
	err := b.read(ctx, func(tx *Tx) error {
		return tx.row("SELECT version, body FROM paces WHERE name = ?", name).Scan(&version, &body)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return broker.Pace{Name: name}, nil
	case err != nil:
		return p, about(err, "read the pace of", name)
	case json.Unmarshal([]byte(body), &p) != nil:
		return p, damaged(b.s.where, "the pace of "+name+" is no JSON")
	}
	p.Name, p.Version = name, version
	return p, nil
}

func (b brokerStore) SetPace(ctx context.Context, p broker.Pace) error {
	body, err := json.Marshal(&p)
	if err != nil {
		return about(err, "keep the pace of", p.Name)
	}
	return about(b.put(ctx, p.Version,
		"INSERT INTO paces (name, version, body) VALUES (?, 1, ?) ON CONFLICT DO NOTHING", []any{p.Name, whole(body)},
		"UPDATE paces SET version = version + 1, body = ? WHERE name = ? AND version = ?", []any{whole(body), p.Name, p.Version}), "keep the pace of", p.Name)
}

// put inserts what is new, which has the version 0, and updates what is not.
func (b brokerStore) put(ctx context.Context, version int64, insert string, first []any, update string, later []any) error {
	if version != 0 {
		insert, first = update, later
	}
	return b.write(ctx, func(tx *Tx) error {
		n, err := tx.changed(insert, first...)
		if err == nil && n == 0 {
			err = broker.ErrStale
		}
		return err
	})
}

// flowsKept is how long flows that have expired are kept: who takes one late is
// told so, and not that it never was.
const flowsKept = time.Hour

func (b brokerStore) PutFlow(ctx context.Context, f broker.Flow) error {
	err := b.several(ctx, func(tx *Tx) error {
		if _, err := tx.exec("DELETE FROM flows WHERE expires < {now} - ?", flowsKept.Microseconds()); err != nil {
			return err
		}
		_, err := tx.exec(`INSERT INTO flows (hash, connection, sealed, expires) VALUES (?, ?, ?, ?)
			ON CONFLICT (hash) DO UPDATE SET connection = excluded.connection, sealed = excluded.sealed, expires = excluded.expires`,
			f.Hash, f.ID, full(f.Sealed), micros(f.Expires))
		return err
	})
	return about(err, "keep a flow of the connection", f.ID)
}

func (b brokerStore) TakeFlow(ctx context.Context, hash string) (broker.Flow, error) {
	f := broker.Flow{Hash: hash}
	err := b.write(ctx, func(tx *Tx) error {
		var expires int64
		err := tx.row("DELETE FROM flows WHERE hash = ? RETURNING connection, sealed, expires", hash).Scan(&f.ID, &f.Sealed, &expires)
		f.Expires = fromMicros(expires)
		return err
	})
	if err != nil {
		return broker.Flow{}, strange(err, "take a flow")
	}
	return f, nil
}

// strange is about for what has no name that may be told.
func strange(err error, doing string) error {
	if errors.Is(err, sql.ErrNoRows) {
		err = broker.ErrNotFound
	}
	return told(err, doing)
}

func (b brokerStore) Blobs(ctx context.Context, kind string) ([]broker.Blob, error) {
	var list []broker.Blob
	err := b.read(ctx, func(tx *Tx) error {
		return tx.rows("SELECT name, version, body FROM blobs WHERE kind = ? ORDER BY name", []any{kind}, func(row scanner) error {
			d := broker.Blob{Kind: kind}
			err := row.Scan(&d.Name, &d.Version, &d.Body)
			list = append(list, d)
			return err
		})
	})
	if err != nil {
		return nil, about(err, "read the documents of kind", kind)
	}
	return list, nil
}

func (b brokerStore) Blob(ctx context.Context, kind, name string) (broker.Blob, error) {
	d := broker.Blob{Kind: kind, Name: name}
	err := b.read(ctx, func(tx *Tx) error {
		return tx.row("SELECT version, body FROM blobs WHERE kind = ? AND name = ?", kind, name).Scan(&d.Version, &d.Body)
	})
	if err != nil {
		return broker.Blob{}, about(err, "read the document", kind+" "+name)
	}
	return d, nil
}

func (b brokerStore) PutBlob(ctx context.Context, d broker.Blob) error {
	return about(b.put(ctx, d.Version,
		"INSERT INTO blobs (kind, name, version, body) VALUES (?, ?, 1, ?) ON CONFLICT DO NOTHING", []any{d.Kind, d.Name, full(d.Body)},
		"UPDATE blobs SET version = version + 1, body = ? WHERE kind = ? AND name = ? AND version = ?", []any{full(d.Body), d.Kind, d.Name, d.Version}),
		"keep the document", d.Kind+" "+d.Name)
}

func (b brokerStore) DropBlob(ctx context.Context, d broker.Blob) error {
	err := b.write(ctx, func(tx *Tx) error {
		n, err := tx.changed("DELETE FROM blobs WHERE kind = ? AND name = ? AND version = ?", d.Kind, d.Name, d.Version)
		if err == nil && n == 0 {
			err = broker.ErrStale
		}
		return err
	})
	return about(err, "remove the document", d.Kind+" "+d.Name)
}

// full is bytes that are there, if only none.
func full(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// clock is the time of the store.
func (tx *Tx) clock() (time.Time, error) {
	if tx.s.remote == nil {
		return time.UnixMicro(micros(tx.s.now())).UTC(), nil
	}
	var at int64
	err := tx.row("SELECT {now}").Scan(&at)
	return fromMicros(at), told(err, "ask the database for its time")
}

var _ broker.Store = brokerStore{}
