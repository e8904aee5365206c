//go:build unix

package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a PostgreSQL in a directory of its own.
type process struct {
	dir      string
	port     int
	settings []string
	who      *syscall.Credential // nil: who runs the tests
	watch    io.Closer           // whose end ends the server
	server   *exec.Cmd
	url      string
	waits    sync.WaitGroup // of what waits for the end of processes
}

// start makes a database cluster and starts a server in it. PostgreSQL does not
// run as root: then it runs as the user postgres.
func start(settings []string) (*Server, error) {
	initdb := program("initdb")
	if initdb == "" || program("postgres") == "" {
		return nil, errors.New("no initdb and postgres are installed (apt-get install postgresql)")
	}
	p := &process{settings: settings}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, fmt.Errorf("as root a user postgres is needed: %w", err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		p.who = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	dir, err := os.MkdirTemp("", "usher-pg-")
	if err != nil {
		return nil, err
	}
	p.dir = dir
	if p.who != nil {
		if err := os.Chown(dir, int(p.who.Uid), int(p.who.Gid)); err != nil {
			return nil, err
		}
	}
	// A password with all that has to be encoded in a URL.
	password := "p/w#?@:% " + random(8)
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte(password+"\n"), 0o644); err != nil {
		return nil, err
	}
	init := p.command(initdb, "-D", p.data(), "-U", "usher", "--auth=scram-sha-256", "--pwfile="+filepath.Join(dir, "pw"),
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	if out, err := init.CombinedOutput(); err != nil {
		p.end()
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	_ = os.Remove(filepath.Join(dir, "pw"))
	if err := p.watchOver(); err != nil {
		p.end()
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.end()
		return nil, err
	}
	p.port = free.Addr().(*net.TCPAddr).Port
	free.Close()
	u := url.URL{Scheme: "postgres", User: url.UserPassword("usher", password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), Path: "/postgres"}
	p.url = u.String()
	if err := p.start(); err != nil {
		p.end()
		return nil, err
	}
	return &Server{url: p.url, own: p}, nil
}

func (p *process) data() string { return filepath.Join(p.dir, "data") }

func (p *process) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + p.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.who, Setpgid: true}
	return cmd
}

// watchOver lets a shell wait for the end of this process, to end the server and
// take its directory away.
func (p *process) watchOver() error {
	cmd := p.command("sh", "-c", `read -r _; pid=$(head -1 data/postmaster.pid 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null; for i in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done; cd / && rm -rf "$0"; sleep 1; rm -rf "$0"`, p.dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.watch = in
	p.waits.Go(func() { _ = cmd.Wait() })
	return nil
}

func (p *process) start() error {
	var last error
	for range 300 { // children of a killed server may hold its memory for a moment
		if last = p.try(); last == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return last
}

func (p *process) try() error {
	args := []string{"-D", p.data(), "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + p.dir, "-c", "max_connections=200", "-c", "shared_buffers=32MB"}
	for _, s := range p.settings {
		args = append(args, "-c", s)
	}
	cmd := p.command(program("postgres"), args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	p.waits.Go(func() { ended <- cmd.Wait() })
	db, err := sql.Open("pgx", p.url)
	if err != nil {
		return err
	}
	defer db.Close()
	for range 600 {
		select {
		case err := <-ended:
			return fmt.Errorf("postgres ended: %w\n%s", err, said.String())
		case <-time.After(50 * time.Millisecond):
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		err = db.PingContext(ctx)
		cancel()
		if err == nil {
			p.server = cmd
			return nil
		}
	}
	_ = cmd.Process.Kill()
	return fmt.Errorf("postgres does not answer: %w", err)
}

// pid reads who runs in the directory.
func (p *process) pid() int {
	b, err := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, _ := strconv.Atoi(first)
	return pid
}

// kill ends the server and its children at once: they are one process group.
func (p *process) kill() error {
	pid := p.pid()
	if pid <= 1 {
		return errors.New("the server does not run")
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil {
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	return nil
}

// end stops the server and takes its directory away.
func (p *process) end() {
	if pid := p.pid(); pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGQUIT)
		for range 40 {
			if syscall.Kill(pid, 0) != nil {
				break
			}
			time.Sleep(25 * time.Millisecond)
		}
	}
	if p.watch != nil {
		_ = p.watch.Close()
	}
	_ = os.RemoveAll(p.dir)
	p.waits.Wait()
}
