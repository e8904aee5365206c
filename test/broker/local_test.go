package broker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/memory"
	"usher/test/broker/history"
	"usher/test/broker/strict"
)

// local is replicas in this process, on a store in memory: brokers behind gates,
// which stand still and die there.
type local struct {
	ctx      context.Context
	settings settings
	provider *strict.Provider
	store    broker.Store
	book     *book

	mu       sync.Mutex
	nodes    []*node
	born     int
	releases []func()
	dead     []*node
}

func newLocal(ctx context.Context, replicas int, s settings, p *strict.Provider) *local {
	l := &local{ctx: ctx, settings: s, provider: p, store: memory.New(time.Now), book: newBook()}
	for range replicas {
		l.nodes = append(l.nodes, l.start())
	}
	return l
}

func (l *local) start() *node {
	l.born++
	name := fmt.Sprintf("replica-%d", l.born)
	ask := &strict.Asker{Provider: l.provider, From: name, Now: time.Now, Timeout: l.settings.Deadline}
	n := newNode(l.ctx, name, l.settings, l.store, open{}, ask, func(r record) { l.book.note(name, r) })
	n.use = func(_, token string) bool { return l.provider.Accepts(token) }
	return n
}

func (l *local) size() int { return len(l.nodes) }

func (l *local) add(i int, c broker.Config, secret string, a *grant.Answer) error {
	n, done := l.node(i), make(chan error, 1)
	go func() { done <- n.add(l.ctx, c, secret, a) }()
	for {
		select {
		case err := <-done:
			return err
		case <-time.After(time.Second):
			if n.gate.isDead() {
				return errDead
			}
		}
	}
}

func (l *local) node(i int) *node {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes[i]
}

func (l *local) herd(i int, h herd) {
	n := l.node(i)
	l.book.sent(n.name, h)
	if n.gate.isDead() {
		time.AfterFunc(100*time.Millisecond, func() { l.again(n.name) })
		return
	}
	go n.run(l.ctx, h)
}

// index finds a replica by its name; -1: it is gone.
func (l *local) index(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.IndexFunc(l.nodes, func(n *node) bool { return n.name == name && !n.gate.isDead() })
}

// kill ends a replica at once; another one takes its place after a time.
func (l *local) kill(i int, back time.Duration) {
	l.mu.Lock()
	n := l.nodes[i]
	if n.gate.isDead() {
		l.mu.Unlock()
		return
	}
	l.releases = append(l.releases, n.gate.kill())
	l.dead = append(l.dead, n)
	end := history.End{Replica: n.name, At: time.Now(), Until: time.Now().Add(back), Killed: true}
	l.mu.Unlock()
	l.book.end(end)
	time.Sleep(back)
	l.mu.Lock()
	l.nodes[i] = l.start()
	l.mu.Unlock()
	l.again(n.name)
}

// again lets the callers of a dead replica ask others.
func (l *local) again(name string) {
	for _, h := range l.book.orphans(name) {
		h.At, h.Spread = time.Now(), 0
		l.herd(rand.IntN(l.size()), h)
	}
}

// pause lets a replica stand still.
func (l *local) pause(i int, d time.Duration) {
	n := l.node(i)
	resume := n.gate.pause()
	at := time.Now()
	time.Sleep(d)
	l.book.end(history.End{Replica: n.name, At: at, Until: time.Now()})
	if !n.gate.isDead() {
		resume()
	}
}

func (l *local) finals(ids []string) ([]history.Final, error) {
	return l.node(0).finals(l.ctx, ids)
}

func (l *local) log() *book { return l.book }

// close ends all replicas.
func (l *local) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.releases {
		r()
	}
	all := slices.Concat(l.nodes, l.dead)
	for _, n := range all {
		n.end()
	}
	for _, n := range all {
		<-n.over
	}
	time.Sleep(3 * time.Minute) // what lies at the provider still ends
}

// open seals nothing: what is sealed is other tests' business, and costs time.
type open struct{}

func (open) Seal(_ context.Context, purpose string, plain []byte) ([]byte, error) {
	return append([]byte(purpose+"\x00"), plain...), nil
}

func (open) Open(_ context.Context, purpose string, sealed []byte) ([]byte, error) {
	head := len(purpose) + 1
	if len(sealed) < head || string(sealed[:head]) != purpose+"\x00" {
		return nil, fmt.Errorf("sealed as something else than %s", purpose)
	}
	return sealed[head:], nil
}

// answer is what the provider gave when a person connected.
func answer(access, refresh string, life time.Duration) *grant.Answer {
	return &grant.Answer{
		Access: usher.Secret(access), Refresh: usher.Secret(refresh), TokenType: "Bearer",
		Received: time.Now(), ExpiresIn: life,
	}
}
