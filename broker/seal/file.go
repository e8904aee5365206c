package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"usher"
)

// mostKeyFile bounds a file of keys, in bytes.
const mostKeyFile = 64 << 10

// FileKey reads keys from a file, one a line, the one to be used first; the text
// behind # is a comment. The file must be a regular one that nobody but its owner
// may read; a link to one is followed where nobody else could have put it there.
func FileKey(path string) (*LocalKey, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	return readKeys("the key file "+path, string(text))
}

// CreateFileKey makes a file with a new key where there is none yet, and reads
// it. Of several that create it at once, all read the same key.
func CreateFileKey(path string) (*LocalKey, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return FileKey(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, unusable(path, "cannot be made", "make the folder, or name another file", err)
	}
	text := "# The key of usher's secrets. Keep a copy elsewhere: without it no token can be read.\n" + newLine()
	if err := writeNew(path, text); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, unusable(path, "cannot be written", "let usher write into "+filepath.Dir(path)+", or make the file there", err)
	}
	return FileKey(path)
}

// newLine makes a key with the number by which messages name it.
func newLine() string {
	text := NewKey().Reveal()
	key, _ := parseKey(text)
	return text + " # number " + nameOf(key).String() + "\n"
}

// writeNew writes a whole file that is there in full or not at all, also after
// a crash; never over one that is there.
func writeNew(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		defer func() { _ = d.Close() }()
		return d.Sync()
	}
	return nil
}

func unusable(path, what, hint string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the path is told already
	}
	return &usher.Error{Code: usher.ErrUnreadable, Message: "the key file " + path + " " + what, Hint: hint, Err: err}
}

// readPrivate reads a file that only its owner may read.
func readPrivate(path string) ([]byte, error) {
	link, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable(path, "is not there", "make it with: (umask 077; openssl rand -base64 32 > "+path+"). If there was one, put it back: a new key cannot open what the old one sealed", err)
	}
	if err != nil {
		return nil, unusable(path, "cannot be looked at", "let usher read it", err)
	}
	if link.Mode()&fs.ModeSymlink != 0 {
		if err := safeLink(path, link); err != nil {
			return nil, err
		}
	}
	// A pipe or a device would be waited for: what is opened is looked at first.
	if real, err := os.Stat(path); err != nil {
		return nil, unusable(path, "is a link to a file that is not there", "correct the link", err)
	} else if !real.Mode().IsRegular() {
		return nil, unusable(path, "is no regular file", "name a file with the key in it", nil)
	}
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, unusable(path, "cannot be read", "let the user that usher runs as own it", err)
	}
	defer func() { _ = f.Close() }()
	real, err := f.Stat()
	switch {
	case err != nil:
		return nil, unusable(path, "cannot be looked at", "let usher read it", err)
	case !real.Mode().IsRegular():
		return nil, unusable(path, "is no regular file", "name a file with the key in it", nil)
	case real.Mode().Perm()&0o077 != 0:
		return nil, unusable(path, fmt.Sprintf("can be read or written by others (its mode is %04o)", real.Mode().Perm()), "chmod 600 "+path, nil)
	case !ownedByUs(real):
		return nil, unusable(path, "belongs to another user, who could change it", "let the user that usher runs as own it", nil)
	case real.Size() > mostKeyFile:
		return nil, unusable(path, "is larger than 64 KiB, so it is no file of keys", "name a file with the key in it", nil)
	}
	text, err := io.ReadAll(io.LimitReader(f, mostKeyFile+1))
	if err != nil {
		return nil, unusable(path, "cannot be read", "let usher read it", err)
	}
	return text, nil
}

// safeLink refuses a link that somebody else could have put there.
func safeLink(path string, link fs.FileInfo) error {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return unusable(path, "lies in a folder that cannot be looked at", "let usher read the folder", err)
	}
	if !ownedByUs(link) || dir.Mode().Perm()&0o022 != 0 {
		return unusable(path, "is a link that somebody else may have put there", "name the file itself, or take the rights to write into "+filepath.Dir(path)+" from others", nil)
	}
	return nil
}
