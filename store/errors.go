package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"usher"
)

// What a caller may have to tell apart, for errors.Is.
var (
	ErrNotFound = errors.New("there is none")                                // the thing asked for does not exist
	ErrLocked   = errors.New("another process works in this data directory") // of Open
	ErrNewer    = errors.New("the data was written by a newer usher")        // of Open
	ErrDamaged  = errors.New("the database is damaged")                      // of Open, Update and View
	ErrFull     = errors.New("there is no room left")                        // the transaction changed nothing
	ErrBusy     = errors.New("another program holds the database")           // the transaction changed nothing
	ErrAway     = errors.New("the database cannot be reached")               // of PostgreSQL; what was under way may be kept or not
	ErrReadOnly = errors.New("nothing can be written within View")           // a defect of the caller
)

// explain turns an error of SQLite into one that says what happened, where,
// and what to do.
func (s *Store) explain(err error) error {
	if s.remote != nil {
		return s.remote.explain(err)
	}
	return explain(err, s.path)
}

func explain(err error, path string) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the rest of an extended code says the detail
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return &usher.Error{
			Code:    usher.ErrUnreadable,
			Message: fmt.Sprintf("the database %s is damaged: SQLite says %q", path, sqliteWords(e)),
			Hint:    damagedHint(path),
			Err:     errors.Join(ErrDamaged, err),
		}
	case sqlite3.SQLITE_FULL:
		return &usher.Error{
			Code:    usher.ErrUnreadable,
			Message: fmt.Sprintf("the disk that holds %s is full; nothing of the transaction was kept", path),
			Hint:    "free some space; usher goes on where it stopped",
			Err:     errors.Join(ErrFull, err),
		}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &usher.Error{
			Code:    usher.ErrUnreadable,
			Message: fmt.Sprintf("another program holds the database %s; nothing of the transaction was kept", path),
			Hint:    "end it (a copy that is being made, a sqlite3 shell); usher goes on where it stopped",
			Err:     errors.Join(ErrBusy, err),
		}
	case sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR:
		return &usher.Error{
			Code:    usher.ErrUnreadable,
			Message: fmt.Sprintf("the database %s cannot be used: SQLite says %q", path, sqliteWords(e)),
			Hint:    "look at the owner and the rights of the directory, at the state of the disk and at the memory",
			Err:     err,
		}
	}
	return err
}

// sqliteWords gives SQLite's own words for a code, which hold no data.
func sqliteWords(e *sqlite.Error) string {
	if words, ok := sqlite.ErrorCodeString[e.Code()]; ok {
		return words
	}
	if words, ok := sqlite.ErrorCodeString[e.Code()&0xff]; ok {
		return words
	}
	return fmt.Sprintf("code %d", e.Code())
}

// damaged says that what was read cannot be what was written.
func damaged(path, told string) error {
	return &usher.Error{
		Code:    usher.ErrUnreadable,
		Message: fmt.Sprintf("the database %s is damaged: %s", path, told),
		Hint:    damagedHint(path),
		Err:     ErrDamaged,
	}
}

func damagedHint(path string) string {
	return "stop usher, move " + path + " and its -wal and -shm files away, and put the newest copy back (docs/data.md, \"When the file is damaged\")"
}
