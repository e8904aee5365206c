package store

import (
	"fmt"
	"time"
)

// Cursor is how far a source was read, and enough to tell whether the file is
// still the one that was read.
type Cursor struct {
	Source  string    // name of the source in the configuration
	File    string    // identity of the file: device and inode
	Head    string    // fingerprint of its first bytes
	Offset  int64     // bytes read, up to the end of a line
	Line    string    // hash of the last line read
	Updated time.Time // when it was set; SetCursor fills it in
}

// Cursor gives the cursor of a source. One that was never read has the zero
// cursor, with its name.
func (tx *Tx) Cursor(source string) (Cursor, error) {
	c := Cursor{Source: source}
	var updated int64
	err := tx.row("SELECT file, head, \"offset\", line, updated FROM cursors WHERE source = ?", source).Scan(&c.File, &c.Head, &c.Offset, &c.Line, &updated)
	if err = ignoreNoRows(err); err != nil {
		return c, fmt.Errorf("read the cursor of %s: %w", source, err)
	}
	c.Updated = fromMicros(updated)
	return c, nil
}

// SetCursor notes how far a source was read. It belongs into the transaction
// that keeps what was read.
func (tx *Tx) SetCursor(c Cursor) error {
	_, err := tx.exec(`INSERT INTO cursors (source, file, head, "offset", line, updated) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (source) DO UPDATE SET file = excluded.file, head = excluded.head, "offset" = excluded."offset", line = excluded.line, updated = excluded.updated`,
		c.Source, c.File, c.Head, c.Offset, c.Line, micros(tx.s.now()))
	if err != nil {
		return fmt.Errorf("note the cursor of %s: %w", c.Source, err)
	}
	return nil
}

// Cursors gives all cursors by the name of their source.
func (tx *Tx) Cursors() ([]Cursor, error) {
	out := []Cursor{}
	err := tx.rows("SELECT source, file, head, \"offset\", line, updated FROM cursors ORDER BY source", nil, func(row scanner) error {
		var c Cursor
		var updated int64
		if err := row.Scan(&c.Source, &c.File, &c.Head, &c.Offset, &c.Line, &updated); err != nil {
			return err
		}
		c.Updated = fromMicros(updated)
		out = append(out, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list cursors: %w", err)
	}
	return out, nil
}
