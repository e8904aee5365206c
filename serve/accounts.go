package serve

import (
	"context"
	"errors"
	"time"

	"usher/console"
	"usher/store"
)

// accounts gives the console the accounts of the store.
type accounts struct {
	store *store.Store
	// dropped is told that a key was taken away, so that the doors refuse it at
	// once; nil: nobody is told.
	dropped func()
}

var _ console.Accounts = accounts{}

// view and update run one method of a transaction, in the words of console.
func view[T any](ctx context.Context, a accounts, f func(*store.Tx) (T, error)) (T, error) {
	var out T
	err := a.store.View(ctx, func(tx *store.Tx) (err error) {
		out, err = f(tx)
		return err
	})
	return out, absent(err)
}

func (a accounts) update(ctx context.Context, f func(*store.Tx) error) error {
	return absent(a.store.Update(ctx, f))
}

func absent(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return console.ErrNotFound
	}
	return err
}

func (a accounts) HasAccounts(ctx context.Context) (bool, error) {
	return view(ctx, a, (*store.Tx).HasAccounts)
}

func (a accounts) Account(ctx context.Context, name string) (console.Account, error) {
	got, err := view(ctx, a, func(tx *store.Tx) (store.Account, error) { return tx.Account(name) })
	return console.Account(got), err
}

func (a accounts) PutAccount(ctx context.Context, account console.Account) error {
	return a.update(ctx, func(tx *store.Tx) error { return tx.PutAccount(store.Account(account)) })
}

func (a accounts) Session(ctx context.Context, hash string) (console.Session, error) {
	got, err := view(ctx, a, func(tx *store.Tx) (store.Session, error) { return tx.Session(hash) })
	return console.Session(got), err
}

func (a accounts) PutSession(ctx context.Context, session console.Session) error {
	return a.update(ctx, func(tx *store.Tx) error { return tx.PutSession(store.Session(session)) })
}

// TouchSession notes that a session was used, unless it has ended meanwhile.
func (a accounts) TouchSession(ctx context.Context, hash string, used time.Time) error {
	return a.update(ctx, func(tx *store.Tx) error {
		s, err := tx.Session(hash)
		if err != nil {
			return ignoreAbsent(err)
		}
		s.Used = used
		return tx.PutSession(s)
	})
}

func ignoreAbsent(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func (a accounts) DropSession(ctx context.Context, hash string) error {
	return a.update(ctx, func(tx *store.Tx) error { return tx.DropSession(hash) })
}

func (a accounts) DropSessions(ctx context.Context, account string, before time.Time) error {
	return a.update(ctx, func(tx *store.Tx) error { return tx.DropSessions(account, before) })
}

func (a accounts) PutTicket(ctx context.Context, ticket console.Ticket) error {
	return a.update(ctx, func(tx *store.Tx) error { return tx.PutTicket(store.Ticket(ticket)) })
}

func (a accounts) TakeTicket(ctx context.Context, hash string) (console.Ticket, error) {
	var got store.Ticket
	err := a.update(ctx, func(tx *store.Tx) (err error) {
		got, err = tx.TakeTicket(hash)
		return err
	})
	return console.Ticket(got), err
}

func (a accounts) Key(ctx context.Context, hash string) (console.Key, error) {
	got, err := view(ctx, a, func(tx *store.Tx) (store.Key, error) { return tx.Key(hash) })
	return console.Key(got), err
}

func (a accounts) Keys(ctx context.Context) ([]console.Key, error) {
	got, err := view(ctx, a, (*store.Tx).Keys)
	keys := make([]console.Key, 0, len(got))
	for _, k := range got {
		keys = append(keys, console.Key(k))
	}
	return keys, err
}

func (a accounts) PutKey(ctx context.Context, key console.Key) error {
	return a.update(ctx, func(tx *store.Tx) error { return tx.PutKey(store.Key(key)) })
}

// TouchKey notes that a key was used, unless it is gone meanwhile.
func (a accounts) TouchKey(ctx context.Context, id string, used time.Time) error {
	return a.update(ctx, func(tx *store.Tx) error {
		keys, err := tx.Keys()
		if err != nil {
			return err
		}
		for _, k := range keys {
			if k.ID == id {
				k.Used = used
				return tx.PutKey(k)
			}
		}
		return nil
	})
}

func (a accounts) DropKey(ctx context.Context, id string) error {
	err := a.update(ctx, func(tx *store.Tx) error { return tx.DropKey(id) })
	if a.dropped != nil {
		a.dropped()
	}
	return err
}
