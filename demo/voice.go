package demo

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// voice tells the story on a terminal.
type voice struct {
	mu    sync.Mutex
	w     io.Writer
	now   func() time.Time
	color bool
}

// say tells one step, with the time of day.
func (v *voice) say(format string, args ...any) {
	v.print(v.now().Format("15:04:05") + "  " + fmt.Sprintf(format, args...))
}

// line tells something that has no time.
func (v *voice) line(format string, args ...any) { v.print(fmt.Sprintf(format, args...)) }

// point tells where to look.
func (v *voice) point(what, where string) {
	if v.color {
		where = "\x1b[1m" + where + "\x1b[0m"
	}
	v.print(fmt.Sprintf("          %-20s %s", what, where))
}

// quote repeats somebody's words, wrapped and set off.
func (v *voice) quote(text string) {
	const width = 88
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		if column > 0 && column+1+len(word) > width {
			b.WriteString("\n")
			column = 0
		}
		if column > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		v.print("          | " + line)
	}
}

func (v *voice) print(line string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, _ = fmt.Fprintln(v.w, line) // the terminal has gone away
}

// passwordReader picks the one-time password out of what the server tells the
// terminal, so that the story can tell it at its place.
type passwordReader company

var oneTime = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`one-time password[^:]*: (\S+)`) })

func (p *passwordReader) Write(b []byte) (int, error) {
	if m := oneTime().FindSubmatch(b); m != nil {
		p.password = string(m[1])
	}
	return len(b), nil
}
