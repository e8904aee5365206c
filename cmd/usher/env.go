package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"usher"
	"usher/oauth"
	"usher/report"
)

// Env is what a subcommand sees of the world, so that tests can give another one.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Now            func() time.Time
	Color          bool      // standard output is a terminal that wants colour
	Width          int       // of the terminal; 0: not a terminal
	Piped          bool      // standard input is no terminal
	Busy           io.Writer // the terminal that is told what is being done; nil: none

	answers  *bufio.Reader                      // of standard input, for questions
	graceful atomic.Pointer[context.CancelFunc] // of a command that ends in its own time
}

// Context is for a command that ends in its own time: it ends with the first
// signal to stop. With the second the program ends at once, as every other
// command does with the first: nothing is half-written, they only read.
func (e *Env) Context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	e.graceful.Store(&cancel)
	return ctx, cancel
}

// onceMore is how long after a signal to stop another one is the same: timeout,
// make and shells send one to the process and one to its group.
const onceMore = 300 * time.Millisecond

// interrupts waits for signals to stop.
func (e *Env) interrupts(stop <-chan os.Signal, exit func(int)) {
	var asked time.Time
	for range stop {
		switch cancel := e.graceful.Swap(nil); {
		case cancel != nil:
			asked = time.Now()
			(*cancel)()
		case time.Since(asked) > onceMore:
			exit(130)
			return
		}
	}
}

// exitCode ends the program with a status and without a message.
type exitCode int

// The statuses of every subcommand.
const (
	exitAnswered exitCode = 0
	exitWrong    exitCode = 1
	exitUnknown  exitCode = 2
	exitUsage    exitCode = 3
)

func (exitCode) Error() string { return "exit" }

// Bounds of one input, in bytes.
const (
	maxInput = 128 << 20 // of evidence
	maxSmall = 16 << 20  // of a token, a key set and expectations
)

// readFile reads a file or, for "-", standard input.
func (e *Env) readFile(name string) ([]byte, error) { return e.readUpTo(name, maxInput) }

// readSmall is readFile for what is never large.
func (e *Env) readSmall(name string) ([]byte, error) { return e.readUpTo(name, maxSmall) }

func (e *Env) readUpTo(name string, most int) ([]byte, error) {
	r, closeInput, err := e.open(name)
	if err != nil {
		return nil, err
	}
	defer closeInput()
	if name == "-" {
		name = "standard input"
	}
	return readBounded(r, name, most)
}

// open opens a file or, for "-", gives standard input.
func (e *Env) open(name string) (io.Reader, func(), error) {
	if name == "-" {
		return e.Stdin, func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, &usher.Error{Code: usher.ErrUnreadable, Message: "open " + name, Err: plainError(err), Hint: "is the path right, and may you read it?"}
	}
	return f, func() { _ = f.Close() }, nil
}

// readBounded reads at most so many bytes. Its memory stays near the size of
// the input: beyond half of the bound the buffer takes its final size, of which
// only the part that is filled costs memory, and what it leaves is returned at once.
func readBounded(r io.Reader, name string, most int) ([]byte, error) {
	data := make([]byte, 0, 64<<10)
	for {
		if len(data) == cap(data) {
			size := 2 * cap(data)
			if size > most/2 {
				size = most + 1
			}
			data = append(make([]byte, 0, size), data...)
			if size > 16<<20 {
				debug.FreeOSMemory()
			}
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case len(data) > most:
			return nil, &usher.Error{Code: usher.ErrTooLarge, Message: fmt.Sprintf("%s is larger than %d MiB", name, most>>20), Hint: "cut out the part around the failure"}
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, &usher.Error{Code: usher.ErrUnreadable, Message: "read " + name, Err: plainError(err)}
		}
	}
}

// plainError takes the path out of a path error: the message has it already.
func plainError(err error) error {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err
	}
	return err
}

// parseMoment reads RFC 3339 or seconds since 1970.
func parseMoment(s string) (time.Time, error) {
	if n, err := strconv.ParseInt(s, 10, 40); err == nil {
		return time.Unix(n, 0).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, &usher.Error{Code: usher.ErrUsage, Message: fmt.Sprintf("--now %s is no time", quoted(s)), Hint: "write it like 2026-01-05T10:00:00Z, or in seconds since 1970"}
	}
	return t, nil
}

// fixedClock is a clock that stands still.
func fixedClock(t time.Time) func() time.Time { return func() time.Time { return t } }

// progress tells on a terminal what is being done, in one line that what comes
// next overwrites; elsewhere it says nothing.
func (e *Env) progress() func(string) {
	if e.Busy == nil {
		return nil
	}
	return func(s string) { fmt.Fprintf(e.Busy, "\r\x1b[K%s", report.Inert(oauth.Redact(s))) }
}

// still ends the line of progress, before anything else is written.
func (e *Env) still() {
	if e.Busy != nil {
		fmt.Fprint(e.Busy, "\r\x1b[K")
	}
}
