package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Tx is one transaction. It is for one goroutine, and ends with the function
// that it was given to.
type Tx struct {
	ctx   context.Context
	c     *connection
	s     *Store
	write bool
	// broken is the first error of a statement on PostgreSQL, which keeps nothing
	// of a transaction then, whatever its function makes of the error.
	broken error
}

// Context is that of the call of Update or View.
func (tx *Tx) Context() context.Context { return tx.ctx }

var errEnded = errors.New("the transaction has ended")

func (tx *Tx) exec(query string, args ...any) (sql.Result, error) {
	if tx.c == nil {
		return nil, errEnded
	}
	if !tx.write {
		return nil, ErrReadOnly
	}
	query, args = tx.fill(query, args)
	r, err := tx.c.exec(tx.ctx, query, args...)
	return r, tx.noted(err)
}

// changed is exec that gives the number of rows.
func (tx *Tx) changed(query string, args ...any) (int, error) {
	r, err := tx.exec(query, args...)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// scanner is a row, or the error of having asked for it.
type scanner interface{ Scan(...any) error }

type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }

func (tx *Tx) row(query string, args ...any) scanner {
	if tx.c == nil {
		return failed{errEnded}
	}
	query, args = tx.fill(query, args)
	st, err := tx.c.prepared(tx.ctx, query)
	if err != nil {
		return failed{tx.noted(err)}
	}
	return noting{tx, st.QueryRowContext(tx.ctx, args...)}
}

// noting is a row whose error is noted.
type noting struct {
	tx  *Tx
	row scanner
}

func (n noting) Scan(to ...any) error { return n.tx.noted(n.row.Scan(to...)) }

// noted keeps in mind that a statement failed.
func (tx *Tx) noted(err error) error {
	if err != nil && tx.broken == nil && tx.s.remote != nil && !errors.Is(err, sql.ErrNoRows) {
		tx.broken = err
	}
	return err
}

func (tx *Tx) rows(query string, args []any, each func(scanner) error) (err error) {
	if tx.c == nil {
		return errEnded
	}
	query, args = tx.fill(query, args)
	st, err := tx.c.prepared(tx.ctx, query)
	if err != nil {
		return tx.noted(err)
	}
	rows, err := st.QueryContext(tx.ctx, args...)
	if err != nil {
		return tx.noted(err)
	}
	defer func() { err = errors.Join(err, tx.noted(rows.Close())) }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return tx.noted(rows.Err())
}

// told says what was being done when an error came.
func told(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// missing is told for what must be there: no row is ErrNotFound.
func missing(err error, doing string) error {
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return told(err, doing)
}

// Times are kept as microseconds since 1970, the zero time as 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
