// Package hostile_test holds the whole program to what it promises of input
// that is broken, malicious or full of secrets: an answer or one clear error,
// in bounded time and memory, and no secret in any output.
package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binaryDir is where the program is built; it is made when a test first asks.
var binaryDir string

func TestMain(m *testing.M) {
	if os.Getenv(measureEnv) != "" {
		os.Exit(measure(os.Args[1], os.Args[2:]))
	}
	flag.Parse()
	if os.Getenv("USHER_SOAK") == "" && flag.Lookup("rapid.checks").Value.String() == flag.Lookup("rapid.checks").DefValue {
		_ = flag.Set("rapid.checks", "10") // every check runs thirty kinds of evidence through every output; make soak runs many
		if flag.Lookup("rapid.seed").Value.String() == "0" {
			_ = flag.Set("rapid.seed", "53003") // the same secrets in every run, so that a failure is the change's; soak draws new ones
		}
	}
	code := m.Run()
	if binaryDir != "" {
		_ = os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

// program builds the program once and gives its path.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "usher-hostile")
	if err != nil {
		return "", err
	}
	binaryDir = dir
	path := filepath.Join(dir, "usher")
	if out, err := exec.Command("go", "build", "-o", path, "usher/cmd/usher").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
})

// measureEnv makes this test binary run the program in the test's place and
// write what it took to file 3. Linux counts the memory of the process that
// starts another one as the other's own, and a test that has made a file of
// 100 MB is large; a fresh process is not.
const measureEnv = "USHER_HOSTILE_MEASURE"

func measure(path string, args []string) int {
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	fmt.Fprintln(os.NewFile(3, "measured"), usage.Maxrss<<10, cpu.Nanoseconds(), wall.Nanoseconds()) // Maxrss: kilobytes on Linux
	return cmd.ProcessState.ExitCode()
}

// result is what one process did.
type result struct {
	status         int
	stdout, stderr string
	wall, cpu      time.Duration
	memory         int64 // peak resident, bytes
}

func (r result) output() string { return r.stdout + r.stderr }

// deadline is what the issue allows for any input.
const deadline = 5 * time.Second

// usher runs the program. stdin may be nil.
func usher(tb testing.TB, stdin io.Reader, args ...string) result {
	tb.Helper()
	path, err := program()
	if err != nil {
		tb.Fatal(err)
	}
	// The kill comes later than the deadline, so that a slow case can say how slow it was.
	ctx, cancel := context.WithTimeout(context.Background(), 4*deadline)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	measured, measuredIn, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	defer measured.Close() //nolint:errcheck // read only
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, self, append([]string{path}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	cmd.ExtraFiles = []*os.File{measuredIn}
	// The whole group is ended: this process and the program that it measures.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "NO_COLOR=1", measureEnv+"=1")
	err = cmd.Run()
	_ = measuredIn.Close()
	var exit *exec.ExitError
	if ctx.Err() != nil {
		tb.Fatalf("usher %s was still at it after %v", strings.Join(short(args), " "), 4*deadline)
	}
	// A program that stops reading early breaks the pipe of its input; that is its right.
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, syscall.EPIPE) {
		tb.Fatalf("usher %s: %v", strings.Join(short(args), " "), err)
	}
	r := result{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
	if _, err := fmt.Fscan(measured, &r.memory, &r.cpu, &r.wall); err != nil {
		tb.Fatalf("usher %s was not measured (%v): %s", strings.Join(short(args), " "), err, r.stderr)
	}
	return r
}

// short makes arguments fit for a message.
func short(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if len(a) > 60 {
			out[i] = a[:60] + "..."
		}
	}
	return out
}

func write(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
