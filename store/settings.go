package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// Setting gives what was set under a name, and empty when nothing was.
// Settings are for what usher decides itself; no secret belongs there.
func (tx *Tx) Setting(name string) (value string, err error) {
	err = ignoreNoRows(tx.row("SELECT value FROM settings WHERE name = ?", name).Scan(&value))
	if err != nil {
		return "", fmt.Errorf("read the setting %s: %w", name, err)
	}
	return value, nil
}

// SetSetting keeps a value under a name; an empty one takes it away.
func (tx *Tx) SetSetting(name, value string) (err error) {
	if value == "" {
		_, err = tx.exec("DELETE FROM settings WHERE name = ?", name)
	} else {
		_, err = tx.exec("INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, whole(value))
	}
	if err != nil {
		return fmt.Errorf("keep the setting %s: %w", name, err)
	}
	return nil
}

func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}
