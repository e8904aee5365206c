// Package keycloak brings up a real Keycloak for tests and examples: fetched
// from Maven Central against a pinned checksum, built once, and started on
// loopback with every event in its log.
package keycloak

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Version is the Keycloak that is fetched.
const Version = "26.4.0"

// checksum is the SHA-256 of the distribution's zip of Version.
const checksum = "1b6a11a2726ac8a8dc9c91d5fafe989a75ce4f1622d7f7b45c21d5bc16629c0a"

// built names what the folder in the cache is made of besides the zip. Another
// name makes everyone build anew.
const built = Version + "-dev-file-1"

// ErrMissing is wrapped by the errors of Install that tell of a tool that this
// machine lacks.
var ErrMissing = errors.New("`make systems` installs it")

// Install gives the folder of a Keycloak that is ready to start. The first call
// on a machine fetches 160 MB, builds the server and makes its empty database,
// a minute in all; later ones find it in the cache. It waits for another
// process that does the same.
func Install(ctx context.Context) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("java"); err != nil {
		return "", fmt.Errorf("java is missing: %w", ErrMissing)
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	home := filepath.Join(cache, built)
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	archive, err := fetch(ctx, cache)
	if err != nil {
		return "", err
	}
	// Everything happens beside its place and is moved there when it is whole:
	// a run that was stopped half way leaves nothing that looks finished.
	half := home + ".half"
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	if err := unpack(archive, half); err != nil {
		return "", fmt.Errorf("unpack %s: %w", archive, err)
	}
	build := exec.CommandContext(ctx, filepath.Join(half, "bin", "kc.sh"), "build", "--db=dev-file")
	build.Env = environment()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("kc.sh build: %w\n%s", err, out)
	}
	if err := firstDatabase(ctx, half); err != nil {
		return "", fmt.Errorf("make the first database: %w", err)
	}
	return home, os.Rename(half, home)
}

// InstallWith is Install of a Keycloak that is built with a feature beside those
// that it has by default.
func InstallWith(ctx context.Context, feature string) (string, error) {
	plain, err := Install(ctx)
	if err != nil {
		return "", err
	}
	cache := filepath.Dir(plain)
	unlock, err := lock(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	home := plain + "-" + feature
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	archive, err := fetch(ctx, cache)
	if err != nil {
		return "", err
	}
	half := home + ".half"
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	if err := unpack(archive, half); err != nil {
		return "", fmt.Errorf("unpack %s: %w", archive, err)
	}
	build := exec.CommandContext(ctx, filepath.Join(half, "bin", "kc.sh"), "build", "--db=dev-file", "--features="+feature)
	build.Env = environment()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("kc.sh build --features=%s: %w\n%s", feature, err, out)
	}
	database, err := os.ReadFile(filepath.Join(plain, databaseFile))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(half, databaseFile), database, 0o600); err != nil {
		return "", err
	}
	return home, os.Rename(half, home)
}

// cacheDir is .cache/keycloak of the repository that holds the working
// directory; git ignores it.
func cacheDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			cache := filepath.Join(dir, ".cache", "keycloak")
			return cache, os.MkdirAll(cache, 0o755)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory: run this inside the repository")
		}
		dir = up
	}
}

// lock waits until this process alone works in the cache.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for %s, which another process holds: %w", path, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// fetch gives the path of the distribution's zip, whose checksum is right.
func fetch(ctx context.Context, cache string) (string, error) {
	archive := filepath.Join(cache, "keycloak-quarkus-dist-"+Version+".zip")
	if sum, err := sha256sum(archive); err == nil && sum == checksum {
		return archive, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", fmt.Errorf("mvn is missing: %w", ErrMissing)
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy",
		"-Dartifact=org.keycloak:keycloak-quarkus-dist:"+Version+":zip", "-DoutputDirectory="+cache, "-Dmdep.overWriteReleases=true")
	cmd.Dir = cache
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Keycloak %s with Maven: %w\n%s", Version, err, out)
	}
	sum, err := sha256sum(archive)
	if err != nil {
		return "", err
	}
	if sum != checksum {
		return "", fmt.Errorf("%s has SHA-256 %s, want %s: it is not the Keycloak that these tests were written for", archive, sum, checksum)
	}
	return archive, nil
}

func sha256sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// unpack puts the content of the zip's only top folder into dir.
func unpack(archive, dir string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		_, rest, _ := strings.Cut(f.Name, "/")
		if rest == "" {
			continue
		}
		if !filepath.IsLocal(rest) {
			return fmt.Errorf("it holds the path %q, which leads out of it", f.Name)
		}
		if err := unpackFile(f, filepath.Join(dir, rest)); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(f *zip.File, path string) error {
	if f.FileInfo().IsDir() {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	mode := fs.FileMode(0o644)
	if f.Mode()&0o100 != 0 {
		mode = 0o755
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// firstDatabase starts the server once, so that later starts copy a database
// whose tables and master realm are there: 10 s instead of 30.
func firstDatabase(ctx context.Context, home string) error {
	s, err := start(ctx, home, Options{})
	if err != nil {
		return err
	}
	s.keep = true
	s.Stop()
	defer os.RemoveAll(s.dir)
	text, err := os.ReadFile(filepath.Join(s.dir, databaseFile))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, databaseFile), text, 0o600)
}
