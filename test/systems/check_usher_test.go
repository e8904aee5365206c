package systems_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
)

// looked is what `usher check` says.
type looked struct {
	t      *testing.T
	Status int
	Stderr string

	Answered bool            `json:"answered"`
	Findings []usher.Finding `json:"findings"`
}

// look runs `usher check` and reads its JSON.
func look(t *testing.T, args ...string) *looked {
	t.Helper()
	return lookOf(t, checkCommand(t, args...))
}

func checkCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, path, append([]string{"check", "--format", "json"}, args...)...)
}

func lookOf(t *testing.T, cmd *exec.Cmd) *looked {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	l := &looked{t: t}
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		l.Status = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("usher check: %v\n%s", err, errs.String())
	}
	l.Stderr = errs.String()
	l.read(out.Bytes())
	return l
}

func (l *looked) read(out []byte) {
	l.t.Helper()
	if err := json.Unmarshal(out, l); err != nil {
		l.t.Fatalf("the answer of usher check (status %d): %v\n%.2000s\n%s", l.Status, err, out, l.Stderr)
	}
}

// wrong are the checks that found something wrong, in the order of their names,
// without those that only sum up others for a profile.
func (l *looked) wrong() []string {
	ids := []string{}
	for i := range l.Findings {
		if f := &l.Findings[i]; f.Outcome == usher.OutcomeWrong && !strings.HasPrefix(f.Check, "profile-") && !slices.Contains(ids, f.Check) {
			ids = append(ids, f.Check)
		}
	}
	slices.Sort(ids)
	return ids
}

// of gives what a check found: a wrong finding before any other.
func (l *looked) of(check string) usher.Finding {
	l.t.Helper()
	for i := range l.Findings { // the wrong ones stand first
		if l.Findings[i].Check == check {
			return l.Findings[i]
		}
	}
	l.t.Errorf("usher check says nothing of %s", check)
	return usher.Finding{}
}

// says holds that these are wrong and no others, that each has a proof and a
// fix, and that the exit status fits.
func (l *looked) says(wrong ...string) {
	l.t.Helper()
	wrong = slices.Sorted(slices.Values(wrong))
	if wrong == nil {
		wrong = []string{}
	}
	if got := l.wrong(); !slices.Equal(got, wrong) {
		l.t.Errorf("wrong is\n got %q\nwant %q\n%s", got, wrong, l.story(got, wrong))
	}
	status := 0
	for i := range l.Findings {
		f := &l.Findings[i]
		if f.Outcome != usher.OutcomeWrong {
			continue
		}
		if len(f.Proof) == 0 || len(f.Fix) == 0 || f.Title == "" || f.Detail == "" {
			l.t.Errorf("%s is wrong without a proof, a fix or words: %+v", f.Check, f)
		}
		if f.Severity.Rank() <= usher.SeverityLow.Rank() {
			status = 1
		}
	}
	if l.Status != status {
		l.t.Errorf("the status is %d, want %d", l.Status, status)
	}
}

// story tells what two lists do not have in common.
func (l *looked) story(got, want []string) string {
	var b strings.Builder
	for i := range l.Findings {
		f := &l.Findings[i]
		if slices.Contains(got, f.Check) == slices.Contains(want, f.Check) {
			continue
		}
		fmt.Fprintf(&b, "%s %s: %s. %s\n", f.Outcome, f.Check, f.Title, f.Detail)
		for _, p := range f.Proof {
			fmt.Fprintf(&b, "  %s: %s, expected %q, got %q\n", p.Place, p.Quote, p.Expected, p.Got)
		}
	}
	return b.String()
}

// is holds what a check says, and gives its first finding.
func (l *looked) is(check string, want usher.Outcome) usher.Finding {
	l.t.Helper()
	f := l.of(check)
	if f.Outcome != want {
		l.t.Errorf("%s is %s, want %s: %s. %s %+v", check, f.Outcome, want, f.Title, f.Detail, f.Proof)
	}
	return f
}

// keeps holds that nothing that usher said holds one of the secrets.
func (l *looked) keeps(secrets ...string) {
	l.t.Helper()
	text, err := json.Marshal(l.Findings)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, s := range secrets {
		if strings.Contains(string(text)+l.Stderr, s) {
			l.t.Errorf("usher shows the secret %.4s...", s)
		}
	}
}

// fileOf writes a file of the test's own.
func fileOf(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := t.TempDir() + "/" + name
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
