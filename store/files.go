package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"usher"
)

// prepareDir makes the data directory, for its owner alone. One that others may
// look into is closed, and that is told.
func prepareDir(dir string) (notes []string, err error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, unusable(dir, err)
		}
		// The umask may have taken a bit of ours away.
		return nil, os.Chmod(dir, 0o700)
	case err != nil:
		return nil, unusable(dir, err)
	case !info.IsDir():
		return nil, &usher.Error{
			Code: usher.ErrUsage, Message: dir + " is no directory",
			Hint: "name a directory, or a place where usher may make one, as data: in the configuration",
		}
	}
	if shared(info) {
		if err := os.Chmod(dir, info.Mode().Perm()&0o700|0o700); err != nil {
			return nil, &usher.Error{
				Code: usher.ErrUnreadable, Message: fmt.Sprintf("others can look into the data directory %s (%04o)", dir, info.Mode().Perm()),
				Hint: "chmod 700 " + dir, Err: err,
			}
		}
		notes = append(notes, fmt.Sprintf("others could look into the data directory %s (%04o); it is its owner's alone now (0700)", dir, info.Mode().Perm()))
	}
	return notes, nil
}

// prepareFile makes the database file before SQLite does, for its owner alone:
// SQLite gives the files beside it the same rights.
func prepareFile(path string) (notes []string, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(path, err)
	}
	if err := f.Close(); err != nil {
		return nil, unusable(path, err)
	}
	// A file that a restore brought may have been readable for all.
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(p)
		if err != nil {
			continue
		}
		if info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			if err := os.Chmod(p, 0o600); err != nil {
				return nil, unusable(p, err)
			}
			if shared(info) {
				notes = append(notes, fmt.Sprintf("others could read %s (%04o); it is its owner's alone now (0600)", filepath.Base(p), info.Mode().Perm()))
			}
		}
	}
	return notes, nil
}

// shared tells whether anyone but the owner has any right.
func shared(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}

func unusable(path string, err error) error {
	return &usher.Error{
		Code: usher.ErrUnreadable, Message: path + " cannot be used",
		Hint: "data: in the configuration must name a directory in which usher's user may write", Err: err,
	}
}
