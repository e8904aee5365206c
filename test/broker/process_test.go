package broker_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"usher/broker"
	"usher/broker/grant"
	"usher/test/broker/history"
)

// processes is replicas as processes of their own.
type processes struct {
	t      testing.TB
	orders orders
	dir    string
	book   *book

	mu   sync.Mutex
	all  []*process
	born int
	over bool
}

type process struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	mu      sync.Mutex
	n       int
	replies map[int]chan reply
	dead    chan struct{} // closed when its last line was read
	killed  bool
	ready   chan struct{}
}

func newProcesses(t testing.TB, replicas int, o orders) *processes {
	t.Helper()
	p := &processes{t: t, orders: o, dir: t.TempDir(), book: newBook()}
	for range replicas {
		c, err := p.start()
		if err != nil {
			t.Fatal(err)
		}
		p.all = append(p.all, c)
	}
	for _, c := range p.all {
		select {
		case <-c.ready:
		case <-c.dead:
			t.Fatalf("%s does not start: %v", c.name, p.book.errs)
		case <-time.After(30 * time.Second):
			t.Fatalf("%s does not start", c.name)
		}
	}
	return p
}

func (p *processes) start() (*process, error) {
	p.born++
	o := p.orders
	o.Name = fmt.Sprintf("replica-%d", p.born)
	o.Dir = filepath.Join(p.dir, o.Name)
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &process{name: o.Name, cmd: exec.Command(self), replies: map[int]chan reply{}, dead: make(chan struct{}), ready: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), replicaEnv+"="+string(text), "GOMAXPROCS=1")
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go c.listen(out, p.book)
	return c, nil
}

func (c *process) listen(out io.Reader, b *book) {
	defer close(c.dead)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r reply
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // half a line of one that was killed
		}
		switch {
		case r.N != 0:
			c.mu.Lock()
			answer := c.replies[r.N]
			delete(c.replies, r.N)
			c.mu.Unlock()
			if answer != nil {
				answer <- r
			}
		case r.Ready:
			close(c.ready)
		default:
			b.note(c.name, r.record)
		}
	}
	_ = c.cmd.Wait()
}

// tell gives an order; ask waits for its answer.
func (c *process) tell(o order) error {
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.in.Write(append(line, '\n'))
	return err
}

func (c *process) ask(o order) (reply, error) {
	answer := make(chan reply, 1)
	c.mu.Lock()
	c.n++
	o.N = c.n
	c.replies[o.N] = answer
	c.mu.Unlock()
	if err := c.tell(o); err != nil {
		return reply{}, err
	}
	select {
	case r := <-answer:
		if r.Err != "" {
			return r, errors.New(r.Err)
		}
		return r, nil
	case <-c.dead:
		return reply{}, errDead
	case <-time.After(2 * time.Minute):
		return reply{}, errors.New(c.name + " gives no answer")
	}
}

func (p *processes) size() int { return len(p.all) }

func (p *processes) at(i int) *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[i]
}

func (p *processes) index(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.IndexFunc(p.all, func(c *process) bool { return c.name == name && !c.killed })
}

func (p *processes) add(i int, c broker.Config, secret string, a *grant.Answer) error {
	do := addition{Config: c, Secret: secret}
	if a != nil {
		do.Access, do.Refresh, do.Life, do.From = a.Access.Reveal(), a.Refresh.Reveal(), a.ExpiresIn, a.Received
	}
	_, err := p.at(i).ask(order{Add: &do})
	return err
}

func (p *processes) herd(i int, h herd) {
	c := p.at(i)
	p.book.sent(c.name, h)
	p.mu.Lock()
	gone := c.killed
	p.mu.Unlock()
	if gone || c.tell(order{Herd: &h}) != nil {
		p.later(c.name)
	}
}

// later lets the callers of a dead replica ask others, soon.
func (p *processes) later(name string) {
	time.AfterFunc(100*time.Millisecond, func() { p.again(name) })
}

func (p *processes) again(name string) {
	for _, h := range p.book.orphans(name) {
		h.At, h.Spread = time.Now(), 0
		p.herd(rand.IntN(p.size()), h)
	}
}

func (p *processes) kill(i int, back time.Duration) {
	p.mu.Lock()
	c := p.all[i]
	if c.killed || p.over {
		p.mu.Unlock()
		return
	}
	c.killed = true
	p.mu.Unlock()
	at := time.Now()
	_ = c.cmd.Process.Kill()
	p.book.end(history.End{Replica: c.name, At: at, Until: at.Add(back), Killed: true})
	<-c.dead
	time.Sleep(back)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	next, err := p.start()
	if err != nil {
		p.t.Error(err)
		return
	}
	p.all[i] = next
	p.later(c.name)
}

func (p *processes) pause(i int, d time.Duration) {
	c := p.at(i)
	at := time.Now()
	if c.cmd.Process.Signal(syscall.SIGSTOP) != nil {
		return
	}
	time.Sleep(d)
	p.book.end(history.End{Replica: c.name, At: at, Until: time.Now()})
	_ = c.cmd.Process.Signal(syscall.SIGCONT)
}

func (p *processes) finals(ids []string) ([]history.Final, error) {
	r, err := p.at(0).ask(order{Finals: ids})
	return r.Finals, err
}

func (p *processes) log() *book { return p.book }

func (p *processes) close() {
	p.mu.Lock()
	p.over = true
	all := slices.Clone(p.all)
	p.mu.Unlock()
	for _, c := range all {
		_ = c.in.Close()
		_ = c.cmd.Process.Kill()
		<-c.dead
	}
}
