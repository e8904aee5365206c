package store

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"usher"
)

// lockName is the file whose lock says that a process works in the directory.
// The lock is the kernel's and ends with the process, however it ends; the
// file stays and means nothing.
const lockName = "usher.lock"

type lockFile struct{ f *os.File }

func lockDir(dir string) (*lockFile, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(path, err)
	}
	held, err := lock(f)
	if err != nil {
		f.Close()
		return nil, unusable(path, fmt.Errorf("lock the file: %w", err))
	}
	if held {
		who := holder(f)
		f.Close()
		return nil, &usher.Error{
			Code:    usher.ErrUsage,
			Message: "another usher works in the data directory " + dir + who,
			Hint:    "stop it, or give this one a data directory of its own; to ask the running one: usher cases",
			Err:     ErrLocked,
		}
	}
	// For whoever is refused: who it is that works here.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &lockFile{f}, nil
}

// holder reads which process holds the lock, where the file tells.
func holder(f *os.File) string {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 20))
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 {
		return ""
	}
	return " (process " + strconv.Itoa(pid) + ")"
}

// release gives the directory free. The file stays: to remove it would let two
// processes lock two files of one name.
func (l *lockFile) release() error { return l.f.Close() }
