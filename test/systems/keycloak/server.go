package keycloak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// databaseFile is the H2 file beside a server's log; the install's folder has
// the one that new servers begin with.
const databaseFile = "db.mv.db"

// admin is who the database of every server knows. A password that everybody
// knows will do: the server listens on loopback and lives as long as its test.
const admin = "admin"

// Options say how the server writes its log. The zero value is the log of
// documentation: text, quoted, with representations in admin events.
type Options struct {
	JSON             bool   // one JSON object a line
	Unquoted         bool   // type=LOGIN in place of type="LOGIN", as before Keycloak 22
	NoRepresentation bool   // admin events do not tell what was written
	Feature          string // one beside those that it has by default: "client-secret-rotation"
	Log              string // path of the log; a file in the server's own folder if empty
}

// Server is a Keycloak that runs.
type Server struct {
	URL     string // "http://127.0.0.1:41234"
	LogPath string

	dir    string
	cmd    *exec.Cmd
	output *bytes.Buffer
	hold   interface{ Close() error }
	ended  chan struct{}
	stop   sync.Once
	keep   bool // the folder, for whoever wants the database
	token  token
}

// Start runs a server for one test and stops it when the test ends. Tests skip
// where nobody asked for real systems (see Wanted), or where Keycloak cannot be
// had; with USHER_SYSTEMS=require nothing is skipped.
func Start(t testing.TB, opt Options) *Server {
	t.Helper()
	Wanted(t)
	s, err := Run(t.Context(), opt)
	switch {
	case errors.Is(err, ErrMissing) && os.Getenv("USHER_SYSTEMS") != "require":
		t.Skipf("NOT TESTED against Keycloak: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Wanted skips a test unless USHER_SYSTEMS says that Keycloak is wanted ("1", or
// "require" as `make systems` sets it): a plain `go test ./...` fetches nothing.
func Wanted(t testing.TB) {
	t.Helper()
	if os.Getenv("USHER_SYSTEMS") == "" {
		t.Skip("NOT TESTED against real providers: run `make systems`, or set USHER_SYSTEMS=1")
	}
}

// Run starts a server and waits until it answers. Whoever calls it must call
// Stop; when the calling process dies the server ends by itself.
func Run(ctx context.Context, opt Options) (*Server, error) {
	home, err := Install(ctx)
	if err == nil && opt.Feature != "" {
		home, err = InstallWith(ctx, opt.Feature)
	}
	if err != nil {
		return nil, err
	}
	return start(ctx, home, opt)
}

// guarded runs the rest of its arguments until they end or standard input does:
// a server must not outlive a test that was killed. kc.sh starts Java as a
// child, so the whole process group is ended, which is this shell's.
const guarded = `exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
{ read -r _ <&3; kill -TERM -- -$$; } 2>/dev/null &
wait $server`

func start(ctx context.Context, home string, opt Options) (*Server, error) {
	dir, err := os.MkdirTemp("", "usher-keycloak-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, LogPath: opt.Log, output: new(bytes.Buffer), ended: make(chan struct{})}
	if s.LogPath == "" {
		s.LogPath = filepath.Join(dir, "keycloak.log")
	}
	if first, err := os.ReadFile(filepath.Join(home, databaseFile)); err == nil {
		if err := os.WriteFile(filepath.Join(dir, databaseFile), first, 0o600); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s.URL = "http://127.0.0.1:" + strconv.Itoa(port)

	s.cmd = exec.Command("bash", append([]string{"-c", guarded, "bash", filepath.Join(home, "bin", "kc.sh")}, s.flags(port, opt)...)...)
	s.cmd.Env = environment()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if s.hold, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.ready(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// flags are the server's own.
func (s *Server) flags(port int, opt Options) []string {
	flags := []string{
		"start", "--optimized",
		"--db-url=jdbc:h2:file:" + filepath.Join(s.dir, strings.TrimSuffix(databaseFile, ".mv.db")) + ";NON_KEYWORDS=VALUE",
		"--cache=local",
		"--http-enabled=true", "--http-host=127.0.0.1", "--http-port=" + strconv.Itoa(port),
		"--hostname=" + s.URL,
		// Tests play people at several addresses.
		"--proxy-headers=xforwarded",
		"--log=file", "--log-file=" + s.LogPath,
		"--spi-events-listener--jboss-logging--success-level=info",
		"--spi-events-listener--jboss-logging--include-representation=" + strconv.FormatBool(!opt.NoRepresentation),
	}
	if opt.JSON {
		flags = append(flags, "--log-file-output=json")
	}
	if opt.Unquoted {
		flags = append(flags, "--spi-events-listener--jboss-logging--quotes=none")
	}
	return flags
}

// environment bounds the server's memory and has Java compile quickly rather
// than well: a test's server lives for minutes.
func environment() []string {
	return append(os.Environ(),
		"JAVA_OPTS_KC_HEAP=-Xms64m -Xmx640m",
		"JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC",
		"KC_BOOTSTRAP_ADMIN_USERNAME="+admin, "KC_BOOTSTRAP_ADMIN_PASSWORD="+admin)
}

// freePort asks the kernel. Somebody may take the port before the server does;
// then the server ends and the test says so.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// ready waits until discovery answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Issuer("master")+"/.well-known/openid-configuration", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.ended:
			log, _ := os.ReadFile(s.LogPath)
			return fmt.Errorf("keycloak ended before it answered:\n%s%s", s.output, log)
		case <-ctx.Done():
			return fmt.Errorf("keycloak does not answer at %s: %w", s.URL, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Stop ends the server with all its processes and removes its folder. Calling
// it again does nothing.
func (s *Server) Stop() {
	s.stop.Do(func() {
		group := -s.cmd.Process.Pid
		_ = syscall.Kill(group, syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(15 * time.Second):
		}
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-s.ended
		_ = s.hold.Close()
		if !s.keep {
			_ = os.RemoveAll(s.dir)
		}
	})
}

// Ended says why the server ended by itself, or nothing while it runs.
func (s *Server) Ended() error {
	select {
	case <-s.ended:
		log, _ := os.ReadFile(s.LogPath)
		return fmt.Errorf("keycloak ended (%v):\n%s%s", s.cmd.ProcessState, s.output, log[max(0, len(log)-2000):])
	default:
		return nil
	}
}

// Issuer gives the issuer of a realm.
func (s *Server) Issuer(realm string) string { return s.URL + "/realms/" + realm }
