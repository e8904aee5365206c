// Package systems_test puts the whole program before real systems: what a real
// provider and a real client say when they fail is explained by the program
// that a person runs, and a real browser shows its report.
//
// The one provider and the clients are programs of Node.js, pinned by
// package-lock.json; the other provider is a Keycloak, which package keycloak
// brings up. Where Node.js, its packages, Keycloak or the browser are missing
// the tests are skipped; with USHER_SYSTEMS=require, as `make systems` sets
// it, that is a failure.
package systems_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// binaryDir is where the program is built; it is made when a test first asks.
var binaryDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if runningKeycloak != nil {
		runningKeycloak.Stop()
	}
	if binaryDir != "" {
		_ = os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

// program builds the program once and gives its path.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "usher-systems")
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

// packages installs what package-lock.json names, once and if it is not there.
var packages = sync.OnceValue(func() error {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: install Node.js 20 or later", tool)
		}
	}
	if installed("package-lock.json", "node_modules/.package-lock.json") {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts").CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
})

// installed says whether npm has written its record after the lock file was
// last changed.
func installed(lock, record string) bool {
	want, err := os.Stat(lock)
	if err != nil {
		return false
	}
	have, err := os.Stat(record)
	return err == nil && !have.ModTime().Before(want.ModTime())
}

// missing ends a test for want of a system: skipped, or failed where the
// systems are required.
func missing(t *testing.T, why error) {
	t.Helper()
	if os.Getenv("USHER_SYSTEMS") == "require" {
		t.Fatalf("USHER_SYSTEMS=require, and %v", why)
	}
	t.Skipf("NOT TESTED against a real system: %v (`make systems` installs what is missing)", why)
}

// explain runs `usher explain` in dir and gives both of its outputs together
// with standard output alone; an exit status over 2 is a failure.
func explain(t *testing.T, dir string, args ...string) (stdout, all string) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"explain"}, args...)...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 2) {
		t.Fatalf("usher explain %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), out.String() + errs.String()
}
