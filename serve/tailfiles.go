package serve

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"usher/store"
)

// fingerprintSize is how many bytes at the head of a file, and before the place
// of a cursor, tell whether it is still the same file.
const fingerprintSize = 256

// openRegular opens a plain file; a FIFO would wait for a writer.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("this is no plain file")
	}
	return os.Open(path)
}

func identity(f *os.File) string {
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	return identityOf(info)
}

// headOf fingerprints the first bytes of a file, of those before off.
func headOf(f *os.File, off int64) string { return fingerprint(f, 0, min(off, fingerprintSize)) }

// tailOf fingerprints the bytes before off.
func tailOf(f *os.File, off int64) string {
	n := min(off, fingerprintSize)
	return fingerprint(f, off-n, n)
}

// fingerprint gives "length:hash" of n bytes at off, or nothing where they are
// not there.
func fingerprint(f *os.File, off, n int64) string {
	if n <= 0 {
		return ""
	}
	data := make([]byte, n)
	if _, err := f.ReadAt(data, off); err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("%d:%s", n, hex.EncodeToString(sum[:8]))
}

// continues tells whether a file is the one that the cursor was set in: as long
// at least, with the same head and the same bytes before the place.
func continues(f *os.File, c store.Cursor) bool {
	info, err := f.Stat()
	if err != nil || info.Size() < c.Offset {
		return false
	}
	return fingerprint(f, 0, lengthOf(c.Head)) == c.Head && tailOf(f, c.Offset) == c.Line
}

func lengthOf(fingerprint string) int64 {
	n, _, _ := strings.Cut(fingerprint, ":")
	length, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		return 0
	}
	return min(length, fingerprintSize)
}

// lastLineEnd gives the place behind the last whole line, looking back over one
// line at most.
func lastLineEnd(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size()
	buf := make([]byte, readSize)
	for end := size; end > 0 && size-end < maxLine; {
		n := min(end, readSize)
		if _, err := f.ReadAt(buf[:n], end-n); err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
		if end == 0 {
			return 0, nil
		}
	}
	return size, nil
}

// maxSiblings bounds the files that are looked at for a rotated one.
const maxSiblings = 200

// sibling is a file beside a log file, perhaps an older part of it.
type sibling struct {
	path string
	info os.FileInfo
}

// siblings lists plain files whose names begin like the log file's, the latest first.
func siblings(path string) []sibling {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	base := filepath.Base(path)
	stem := strings.TrimSuffix(base, filepath.Ext(base))
	var list []sibling
	for _, e := range entries {
		if e.Name() == base || !strings.HasPrefix(e.Name(), stem) || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil {
			list = append(list, sibling{filepath.Join(filepath.Dir(path), e.Name()), info})
		}
	}
	slices.SortFunc(list, func(a, b sibling) int { return b.info.ModTime().Compare(a.info.ModTime()) })
	return list[:min(len(list), maxSiblings)]
}

// findRotated opens the file that a cursor was set in under its new name: the
// same file, or a copy with the same content up to the place.
func findRotated(path string, c store.Cursor) (*os.File, string) {
	list := siblings(path)
	for _, s := range list {
		if identityOf(s.info) != c.File {
			continue
		}
		if f, err := os.Open(s.path); err == nil {
			if c.Offset == 0 || continues(f, c) {
				return f, s.path
			}
			_ = f.Close()
		}
	}
	return findCopy(path, c)
}

// findCopy opens a copy of the file that a cursor was set in.
func findCopy(path string, c store.Cursor) (*os.File, string) {
	if c.Line == "" {
		return nil, ""
	}
	for _, s := range siblings(path) {
		if s.info.Size() < c.Offset {
			continue
		}
		f, err := os.Open(s.path)
		if err != nil {
			continue
		}
		if continues(f, c) {
			return f, s.path
		}
		_ = f.Close()
	}
	return nil, ""
}

// rotatedAfter lists, the oldest first, the files that were rotated away after
// the one at older.
func rotatedAfter(path, older string) []string {
	info, err := os.Stat(older)
	if err != nil {
		return nil
	}
	return rotatedAfterInfo(path, info)
}

func rotatedAfterInfo(path string, older os.FileInfo) []string {
	list := siblings(path)
	slices.SortStableFunc(list, func(a, b sibling) int {
		return cmp.Compare(a.info.ModTime().UnixNano(), b.info.ModTime().UnixNano())
	})
	current, _ := os.Stat(path)
	var out []string
	for _, s := range list {
		// A copy that was made by copying and truncating is as new as the log
		// itself; only what was renamed between two looks is missing.
		if s.info.ModTime().After(older.ModTime()) && !os.SameFile(s.info, older) && (current == nil || s.info.ModTime().Before(current.ModTime())) && numbered(path, s.path) {
			out = append(out, s.path)
		}
	}
	return out
}

// numbered tells whether a name is the log file's with a number or a day in it,
// as rotation writes it: "kc.log.1", "kc.log-20261125", "kc-2026-11-25.log".
// "kc2.log" is the log of another one.
func numbered(path, other string) bool {
	base, name := filepath.Base(path), filepath.Base(other)
	rest, ok := strings.CutPrefix(name, base)
	if !ok {
		ext := filepath.Ext(base)
		if rest, ok = strings.CutPrefix(name, strings.TrimSuffix(base, ext)); ok {
			rest, ok = strings.CutSuffix(rest, ext)
		}
	}
	return ok && rest != "" && strings.ContainsRune(".-_", rune(rest[0])) && strings.ContainsAny(rest, "0123456789") && strings.Trim(rest, "0123456789.-_:TZ") == ""
}
