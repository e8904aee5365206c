package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"usher/store"
)

// Bounds of a tail.
const (
	pollEvery  = 100 * time.Millisecond // how often a file is looked at
	maxLine    = 1 << 20                // bytes; a longer line is skipped with a note
	maxBatch   = 256                    // lines that are given at a time
	readSize   = 64 << 10               // bytes read at a time
	maxBackoff = 5 * time.Second        // between looks at a file that cannot be read
)

// tail follows one log file: what is appended, through rotation by renaming and
// by copying and truncating, and over restarts of usher, from its cursor.
type tail struct {
	name      string // of the cursor and of the source on pages
	path      string
	fromStart bool // the first time: from the start of the file, not from its end
	poll      time.Duration
	note      func(message string) // something a person should know

	mu     sync.Mutex
	err    error // why it cannot be read now
	behind int64 // bytes not yet read
	known  bool  // it was looked at once
}

// give takes lines that were read; cursor says where reading goes on after
// them. It returns when both are kept, or with an error to end the tail. The
// lines are valid until it returns.
type give func(lines [][]byte, cursor store.Cursor) error

// status tells why the file cannot be read now, how many bytes are unread, and
// whether it was looked at yet.
func (t *tail) status() (behind int64, known bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.behind, t.known, t.err
}

func (t *tail) setError(err error) {
	t.mu.Lock()
	before := t.err
	t.err, t.known = err, true
	t.mu.Unlock()
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		t.note("the file cannot be read, it is tried again: " + err.Error())
	case err == nil && before != nil:
		t.note("the file can be read again")
	}
}

func (t *tail) setBehind(n int64) {
	t.mu.Lock()
	t.behind = max(n, 0)
	t.mu.Unlock()
}

// cursorMissing stands for the identity of a file that was not there: whatever
// comes is new.
const cursorMissing = "none"

// follow reads until ctx ends or give fails. An error of the file is told by
// status and tried again.
func (t *tail) follow(ctx context.Context, cursor store.Cursor, give give) error {
	if t.poll == 0 {
		t.poll = pollEvery
	}
	r := &reading{tail: t, cursor: cursor, give: give}
	defer r.close()
	wait := t.poll
	for {
		more, err := r.step(ctx)
		var stop stopError
		switch {
		case errors.As(err, &stop):
			return stop.error
		case err != nil:
			t.setError(fileError(t.path, err))
			r.close()
			wait = min(2*wait, maxBackoff)
		default:
			t.setError(nil)
			wait = t.poll
		}
		if more && err == nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// stopError is what give answered.
type stopError struct{ error }

func fileError(path string, err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// reading is the state of a tail while it runs.
type reading struct {
	*tail
	cursor store.Cursor // as it was kept last
	give   give

	f        *os.File
	id       string
	live     bool     // f is the file at path, not an older one that is finished first
	queue    []string // older files to read before the one at path
	off      int64    // of the next byte to read
	start    int64    // of the line that part begins
	part     []byte   // of a line whose end is not there yet
	skipping bool     // until the end of a line that is too long
	buf      []byte
}

func (r *reading) close() {
	if r.f != nil {
		_ = r.f.Close()
		r.f = nil
	}
}

// step opens what is to be read, or reads once. more tells that there may be
// more to read at once.
func (r *reading) step(ctx context.Context) (more bool, err error) {
	if r.f == nil {
		return r.open()
	}
	n, err := r.read()
	if n > 0 || err != nil {
		return n > 0, err
	}
	return r.atEnd()
}

// open finds the place where reading goes on.
func (r *reading) open() (more bool, err error) {
	if len(r.queue) > 0 {
		path := r.queue[0]
		r.queue = r.queue[1:]
		f, err := os.Open(path)
		if err != nil {
			r.note("a rotated file went away before it was read: " + fileError(path, err).Error())
			return true, nil
		}
		return true, r.begin(f, 0, false)
	}
	f, err := openRegular(r.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if r.cursor.File == "" {
			if err := r.keep(nil, store.Cursor{Source: r.name, File: cursorMissing}); err != nil {
				return false, err
			}
		}
		if r.cursor.File != cursorMissing && r.lookBack() {
			return true, nil
		}
		return false, err
	case err != nil:
		return false, err
	}
	switch {
	case r.cursor.File == "": // never read
		return true, r.first(f)
	case r.cursor.File == cursorMissing || r.cursor.Source == "":
		return true, r.begin(f, 0, true)
	case identity(f) == r.cursor.File && r.cursor.Offset == 0, identity(f) == r.cursor.File && continues(f, r.cursor):
		return true, r.begin(f, r.cursor.Offset, true)
	}
	if r.lookBack() {
		_ = f.Close()
		return true, nil
	}
	r.note("the file is another one than before, and the one before is not found: what it got in the meantime is not seen")
	return true, r.begin(f, 0, true)
}

// lookBack opens the file that the cursor speaks of under another name, and
// notes those that came after it.
func (r *reading) lookBack() bool {
	f, path := findRotated(r.path, r.cursor)
	if f == nil {
		return false
	}
	r.queue = rotatedAfter(r.path, path)
	return r.begin(f, r.cursor.Offset, false) == nil
}

// first begins with a file that was never read: at its start, or at the start
// of the last line if that is not finished.
func (r *reading) first(f *os.File) error {
	var off int64
	if !r.fromStart {
		var err error
		if off, err = lastLineEnd(f); err != nil {
			_ = f.Close()
			return err
		}
	}
	if err := r.begin(f, off, true); err != nil {
		return err
	}
	return r.keep(nil, r.place())
}

func (r *reading) begin(f *os.File, off int64, live bool) error {
	r.close()
	r.f, r.id, r.live = f, identity(f), live
	r.off, r.start, r.part, r.skipping = off, off, r.part[:0], false
	if r.buf == nil {
		r.buf = make([]byte, readSize)
	}
	return nil
}

// keep gives lines with the cursor behind them.
func (r *reading) keep(lines [][]byte, cursor store.Cursor) error {
	if err := r.give(lines, cursor); err != nil {
		return stopError{err}
	}
	r.cursor = cursor
	return nil
}

// read reads what is there, at most one buffer, and gives its whole lines.
func (r *reading) read() (n int, err error) {
	n, err = r.f.ReadAt(r.buf, r.off)
	if n == 0 {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return 0, err
	}
	// A file that was truncated and has grown past our place since then looks
	// like one that has only grown.
	if r.cursor.File == r.id && r.cursor.Offset > 0 && !continues(r.f, r.cursor) {
		return 1, r.truncated()
	}
	r.off += int64(n)
	if info, err := r.f.Stat(); err == nil {
		r.setBehind(info.Size() - r.off)
	}
	return n, r.split(r.buf[:n])
}

// split cuts data into lines behind what was left over.
func (r *reading) split(data []byte) error {
	var lines [][]byte
	at := r.off - int64(len(data)) // of the data's first byte
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			r.leave(data)
			break
		}
		at += int64(i) + 1
		line := data[:i]
		if len(r.part) > 0 {
			line = append(bytes.Clone(r.part), line...)
			r.part = r.part[:0]
		}
		data = data[i+1:]
		r.start = at
		switch {
		case r.skipping:
			r.skipping = false
		case len(line) > maxLine:
			r.tooLong()
		case len(bytes.TrimSpace(line)) > 0:
			lines = append(lines, bytes.TrimSuffix(line, []byte("\r")))
		}
		if len(lines) == maxBatch {
			if err := r.keep(lines, r.place()); err != nil {
				return err
			}
			lines = nil
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return r.keep(lines, r.place())
}

// leave keeps the beginning of a line for the rest of it.
func (r *reading) leave(data []byte) {
	if r.skipping {
		return
	}
	if len(r.part)+len(data) > maxLine {
		r.tooLong()
		r.skipping = true
		r.part = nil
		return
	}
	r.part = append(r.part, data...)
}

func (r *reading) tooLong() { r.note("a line of more than 1 MiB is skipped") }

// place is the cursor behind the lines that were cut so far.
func (r *reading) place() store.Cursor {
	return store.Cursor{Source: r.name, File: r.id, Offset: r.start, Head: headOf(r.f, r.start), Line: tailOf(r.f, r.start)}
}

// atEnd looks whether the file was rotated, once all of it is read.
func (r *reading) atEnd() (more bool, err error) {
	r.setBehind(0)
	if !r.live {
		return true, r.finish()
	}
	info, err := r.f.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() < r.off {
		return true, r.truncated()
	}
	now, err := os.Stat(r.path)
	if err != nil { // renamed, and the new one is not there yet: what is written still comes here
		return false, nil
	}
	// The writer is done with the old file once it has written to the new one.
	if identityOf(now) == r.id || now.Size() == 0 {
		return false, nil
	}
	if n, err := r.read(); n > 0 || err != nil {
		return true, err
	}
	r.queue = rotatedAfterInfo(r.path, info)
	return true, r.finish()
}

// finish gives the last line of a file that nobody writes to any more, and
// lets the next one be opened.
func (r *reading) finish() error {
	var lines [][]byte
	if len(bytes.TrimSpace(r.part)) > 0 && !r.skipping {
		lines = append(lines, bytes.Clone(bytes.TrimSuffix(r.part, []byte("\r"))))
	}
	r.start = r.off
	next := store.Cursor{Source: r.name, File: cursorMissing}
	if len(r.queue) > 0 {
		if info, err := os.Stat(r.queue[0]); err == nil {
			next = store.Cursor{Source: r.name, File: identityOf(info)}
		}
	} else if info, err := os.Stat(r.path); err == nil {
		next = store.Cursor{Source: r.name, File: identityOf(info)}
	}
	if err := r.keep(lines, next); err != nil {
		return err
	}
	r.close()
	return nil
}

// truncated goes on at the start of the file. What was copied away before it
// was read is read from the copy.
func (r *reading) truncated() error {
	cursor := r.cursor
	r.close()
	if cursor.File != r.id || cursor.Offset == 0 {
		cursor = store.Cursor{}
	}
	if cursor.File != "" {
		if f, path := findCopy(r.path, cursor); f != nil {
			r.queue = rotatedAfter(r.path, path)
			return r.begin(f, cursor.Offset, false)
		}
	}
	return r.keep(nil, store.Cursor{Source: r.name, File: r.id})
}
