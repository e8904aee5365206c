package store

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Account is a person who may sign in to the console.
type Account struct {
	Name     string
	Password string // a hash in PHC form; anything else is refused
	Changed  time.Time
}

// Session is one signed-in browser.
type Session struct {
	Hash    string // hex of SHA-256 of the id
	Account string // empty: came in with the one-time password
	Started time.Time
	Used    time.Time
	Expires time.Time
}

// Ticket is the one-time password of the first start.
type Ticket struct {
	Hash    string // hex of SHA-256
	Expires time.Time
}

// Key is a program's way in.
type Key struct {
	ID      string
	Hash    string // hex of SHA-256 of the value
	Name    string
	By      string // who made it
	Made    time.Time
	Used    time.Time
	Expires time.Time // zero: never
	// Connections is what a program may do with it: empty, what a person may do
	// in the console; "*", take tokens of any connection and nothing else; else
	// ids of connections with blanks between, and only those.
	Connections string
}

var errNoHash = errors.New("a password, session id or key is kept as its hash only")

// HasAccounts tells whether there is any account.
func (tx *Tx) HasAccounts() (bool, error) {
	var n int
	if err := tx.row("SELECT count(*) FROM (SELECT 1 FROM accounts LIMIT 1) AS a").Scan(&n); err != nil {
		return false, fmt.Errorf("count the accounts: %w", err)
	}
	return n > 0, nil
}

// Account gives an account by its name, or ErrNotFound.
func (tx *Tx) Account(name string) (Account, error) {
	a := Account{Name: name}
	var changed int64
	if err := tx.row("SELECT password, changed FROM accounts WHERE name = ?", name).Scan(&a.Password, &changed); err != nil {
		return Account{}, missing(err, "read an account")
	}
	a.Changed = fromMicros(changed)
	return a, nil
}

// PutAccount adds an account or replaces the one of that name.
func (tx *Tx) PutAccount(a Account) error {
	if !strings.HasPrefix(a.Password, "$") || strings.Count(a.Password, "$") < 3 {
		return fmt.Errorf("keep the account %s: %w", a.Name, errNoHash)
	}
	_, err := tx.exec(`INSERT INTO accounts (name, password, changed) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET password = excluded.password, changed = excluded.changed`, a.Name, a.Password, micros(a.Changed))
	return told(err, "keep the account "+a.Name)
}

// DropAccount removes an account and its sessions; one that is not there is no
// error.
func (tx *Tx) DropAccount(name string) error {
	if _, err := tx.exec("DELETE FROM sessions WHERE account = ?", name); err != nil {
		return told(err, "remove the account "+name)
	}
	_, err := tx.exec("DELETE FROM accounts WHERE name = ?", name)
	return told(err, "remove the account "+name)
}

// Session gives a session by the hash of its id, or ErrNotFound.
func (tx *Tx) Session(hash string) (Session, error) {
	s := Session{Hash: hash}
	var started, used, expires int64
	if err := tx.row("SELECT account, started, used, expires FROM sessions WHERE hash = ?", hash).Scan(&s.Account, &started, &used, &expires); err != nil {
		return Session{}, missing(err, "read a session")
	}
	s.Started, s.Used, s.Expires = fromMicros(started), fromMicros(used), fromMicros(expires)
	return s, nil
}

// PutSession adds a session or replaces the one of that hash.
func (tx *Tx) PutSession(s Session) error {
	if !isHash(s.Hash) {
		return fmt.Errorf("keep a session: %w", errNoHash)
	}
	_, err := tx.exec(`INSERT INTO sessions (hash, account, started, used, expires) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET account = excluded.account, started = excluded.started, used = excluded.used, expires = excluded.expires`,
		s.Hash, s.Account, micros(s.Started), micros(s.Used), micros(s.Expires))
	return told(err, "keep a session")
}

// DropSession ends a session; one that is not there is no error.
func (tx *Tx) DropSession(hash string) error {
	_, err := tx.exec("DELETE FROM sessions WHERE hash = ?", hash)
	return told(err, "end a session")
}

// DropSessions ends every session of an account, and those of anybody that
// expired before the time given.
func (tx *Tx) DropSessions(account string, before time.Time) error {
	_, err := tx.exec("DELETE FROM sessions WHERE account = ? OR expires < ?", account, micros(before))
	return told(err, "end sessions")
}

// PutTicket keeps the hash of the one-time password in place of any other that
// this usher told.
func (tx *Tx) PutTicket(t Ticket) error {
	if !isHash(t.Hash) {
		return fmt.Errorf("keep the one-time password: %w", errNoHash)
	}
	_, err := tx.exec("INSERT INTO ticket (one, hash, expires) VALUES (?, ?, ?) ON CONFLICT (one) DO UPDATE SET hash = excluded.hash, expires = excluded.expires",
		tx.s.slot(), t.Hash, micros(t.Expires))
	return told(err, "keep the one-time password")
}

// TakeTicket removes the one-time password with that hash and gives it, or
// ErrNotFound: of two who ask at once only one gets it. Those of other ushers are
// gone then too: the first person is in.
func (tx *Tx) TakeTicket(hash string) (Ticket, error) {
	t := Ticket{Hash: hash}
	var expires int64
	if err := tx.row("SELECT expires FROM ticket WHERE hash = ?", hash).Scan(&expires); err != nil {
		return Ticket{}, missing(err, "take the one-time password")
	}
	t.Expires = fromMicros(expires)
	_, err := tx.exec("DELETE FROM ticket")
	return t, told(err, "take the one-time password")
}

// Key gives a key by the hash of its value, or ErrNotFound.
func (tx *Tx) Key(hash string) (Key, error) {
	k, err := readKey(tx.row("SELECT id, hash, name, made_by, made, used, expires, connections FROM keys WHERE hash = ?", hash))
	if err != nil {
		return Key{}, missing(err, "read a key")
	}
	return k, nil
}

// Keys lists the keys, the oldest first.
func (tx *Tx) Keys() ([]Key, error) {
	out := []Key{}
	err := tx.rows("SELECT id, hash, name, made_by, made, used, expires, connections FROM keys ORDER BY made, id", nil, func(row scanner) error {
		k, err := readKey(row)
		out = append(out, k)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the keys: %w", err)
	}
	return out, nil
}

func readKey(row scanner) (Key, error) {
	var k Key
	var made, used, expires int64
	err := row.Scan(&k.ID, &k.Hash, &k.Name, &k.By, &made, &used, &expires, &k.Connections)
	k.Made, k.Used, k.Expires = fromMicros(made), fromMicros(used), fromMicros(expires)
	return k, err
}

// PutKey adds a key or replaces the one of that id.
func (tx *Tx) PutKey(k Key) error {
	if !isHash(k.Hash) {
		return fmt.Errorf("keep a key: %w", errNoHash)
	}
	_, err := tx.exec(`INSERT INTO keys (id, hash, name, made_by, made, used, expires, connections) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, name = excluded.name, made_by = excluded.made_by, made = excluded.made, used = excluded.used, expires = excluded.expires, connections = excluded.connections`,
		k.ID, k.Hash, k.Name, k.By, micros(k.Made), micros(k.Used), micros(k.Expires), k.Connections)
	return told(err, "keep a key")
}

// DropKey removes a key by its id; one that is not there is no error.
func (tx *Tx) DropKey(id string) error {
	_, err := tx.exec("DELETE FROM keys WHERE id = ?", id)
	return told(err, "remove a key")
}

// isHash tells whether a text is SHA-256 in hex.
func isHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
