package broker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/policy/lifespan"
	"usher/test/broker/history"
	"usher/test/broker/strict"
)

// fleet is replicas that share a store.
type fleet interface {
	size() int
	add(i int, c broker.Config, secret string, a *grant.Answer) error
	herd(i int, h herd)
	index(name string) int
	kill(i int, back time.Duration)
	pause(i int, d time.Duration)
	finals(ids []string) ([]history.Final, error)
	log() *book
}

// The policies of the rounds: callers are promised two seconds; tight renews at
// the last moment at which that promise holds, so that the scheduler and all
// callers come at once.
const promised = 2 * time.Second

func policies() []lifespan.Policy {
	return []lifespan.Policy{
		{Name: "early", RenewAt: 0.99, RenewBefore: usher.Duration(3 * time.Second), Jitter: 0.0001, LeastLife: usher.Duration(promised)},
		{Name: "tight", RenewAt: 0.99, RenewBefore: usher.Duration(promised + 50*time.Millisecond), Jitter: 0.0001, LeastLife: usher.Duration(promised)},
	}
}

// round is one connection whose token expires while many want it.
type round struct {
	client  strict.Client
	config  broker.Config
	life    time.Duration // of the token that it begins with
	moment  time.Duration // before its end, when callers come
	callers int
	kill    strict.Phase // when whoever renews it is killed; empty: not by this round
	api     bool         // callers use the token, and say when it is refused
	spread  time.Duration
}

func (r round) String() string {
	return fmt.Sprintf("%s: provider acts after %s and answers after %s (old token lives: %t, stops: %t, blind: %t, lies %+v, garbles %t, %s), policy %s, %d callers %s before the end, kill when %q",
		r.client.ID, r.client.Before, r.client.After, r.client.Lives, r.client.Stops, r.client.Blind, r.client.Lies, r.client.Garbles, r.config.Grant, r.config.Policy, r.callers, r.moment, r.kill)
}

// lies are answers that spend nothing, which the broker cannot know of all.
var lies = []strict.Lie{
	{Status: 200, Body: `{"error":"temporarily_unavailable"}`},
	{Status: 200, Type: "text/html", Body: "<html><body>Welcome</body></html>"},
	{Status: 200, Body: `{}`},
	{Status: 200, Body: ""},
	{Status: 200, Body: `{"access_token":`},
	{Status: 429, Body: `{"error":"too_many_requests"}`, Retry: "2"},
	{Status: 500, Body: `{"error":"server_error"}`},
	{Status: 502, Type: "text/html", Body: "<h1>502 Bad Gateway</h1>"},
	{Status: 503, Body: "Service Unavailable", Type: "text/plain", Retry: "3"},
	{Status: 504, Type: "text/html", Body: "<h1>504 Gateway Timeout</h1>"},
}

// draw makes a round. killed is the part of rounds whose renewer is killed.
func draw(rnd *rand.Rand, i, callers int, endpoint string, killed float64) round {
	id := fmt.Sprintf("round-%d", i)
	takes := 50 * time.Millisecond
	switch n := rnd.Float64(); {
	case n > 0.85:
		takes = 30 * time.Second
	case n > 0.55:
		takes = 2500 * time.Millisecond
	}
	before := time.Duration(rnd.Int64N(int64(takes)))
	r := round{
		client: strict.Client{
			ID: id, Secret: "secret-of-" + id, Before: before, After: takes - before,
			Lives: rnd.IntN(2) == 0, Stops: rnd.IntN(2) == 0, Blind: rnd.IntN(8) == 0,
			Style: []string{"client_secret_basic", "client_secret_post"}[rnd.IntN(2)],
		},
		life:    time.Duration(4+rnd.IntN(4)) * time.Second,
		moment:  []time.Duration{promised, promised, time.Second, 0, 3 * time.Second}[rnd.IntN(5)],
		callers: callers,
		api:     rnd.IntN(4) == 0,
		spread:  time.Duration(rnd.IntN(2)) * time.Duration(rnd.IntN(2000)) * time.Millisecond,
	}
	r.config = broker.Config{
		ID: id, Grant: broker.GrantCode, ClientID: id, AuthMethod: r.client.Style,
		Policy:    []string{"early", "tight"}[rnd.IntN(2)],
		Endpoints: broker.Endpoints{Token: endpoint + "/token", Authorization: endpoint + "/authorize", Introspection: endpoint + "/introspect"},
	}
	if r.client.Blind {
		r.config.Endpoints.Introspection = ""
	}
	if rnd.IntN(8) == 0 {
		r.config.Grant = broker.GrantClientCredentials
	}
	switch rnd.IntN(20) {
	case 0:
		r.client.Lies = []strict.Lie{lies[rnd.IntN(len(lies))]}
	case 1:
		r.client.Lies = []strict.Lie{lies[rnd.IntN(len(lies))], lies[rnd.IntN(len(lies))]}
	case 2:
		r.client.Garbles = true
	}
	if r.client.Lies != nil || r.client.Garbles {
		r.config.Endpoints.Token += "/" + id // what it says of its patience is no other connection's
	}
	if rnd.Float64() < killed {
		r.kill = []strict.Phase{strict.Arrived, strict.Acted, strict.Answers}[rnd.IntN(3)]
	}
	return r
}

// play carries out a round: everybody is sent, nobody is waited for.
func (r round) play(f fleet, p *strict.Provider, rnd *rand.Rand, api string, patience time.Duration) error {
	p.Register(r.client)
	var a *grant.Answer
	end := time.Now().Add(r.life)
	if r.config.Grant == broker.GrantCode {
		access, refresh := p.Connect(r.client.ID, r.life)
		a = answer(access, refresh, r.life)
	}
	var err error
	for range 150 { // the replica may be dead, or the database away
		if err = f.add(rnd.IntN(f.size()), r.config, r.client.Secret, a); err == nil {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.client.ID, err)
	}
	f.log().wants(r.client.ID, r.callers)
	for i := range f.size() {
		h := herd{
			ID: f.log().id(), Conn: r.client.ID, Count: r.callers / f.size(), At: end.Add(-r.moment), Spread: r.spread,
			Patience: patience, Life: promised,
		}
		if r.api {
			h.API = api
		}
		if i == 0 {
			h.Count += r.callers % f.size()
		}
		f.herd(i, h)
	}
	return nil
}

// plan is a whole test of rounds.
type plan struct {
	rounds, callers int
	every           time.Duration // a round begins
	outages         bool          // the provider is away now and then
	chaos           time.Duration // between kills and pauses of whatever replica, on average; 0: none
	killed          float64       // part of rounds whose renewer is killed
	patience        time.Duration
	settle          time.Duration
	slack           time.Duration
	settings        settings
	seed            uint64
}

// play plays all rounds and gives what broke.
func (pl plan) play(t testing.TB, f fleet, p *strict.Provider, endpoint string) []history.Violation {
	t.Helper()
	rnd := rand.New(rand.NewPCG(pl.seed, 6))
	rounds := make([]round, pl.rounds)
	kills := map[string]strict.Phase{}
	for i := range rounds {
		rounds[i] = draw(rnd, i+1, pl.callers, endpoint, pl.killed)
		kills[rounds[i].client.ID] = rounds[i].kill
	}
	var mu sync.Mutex
	p.Watch = func(phase strict.Phase, conn, from string) {
		mu.Lock()
		defer mu.Unlock()
		if kills[conn] != phase || phase == "" {
			return
		}
		if i := f.index(from); i >= 0 {
			delete(kills, conn) // once
			go f.kill(i, 500*time.Millisecond)
		}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		pl.stir(f, rand.New(rand.NewPCG(pl.seed, 7)), stop)
	}()
	if pl.outages {
		go outages(p, rand.New(rand.NewPCG(pl.seed, 9)), stop)
	}
	for i, r := range rounds {
		if err := r.play(f, p, rnd, endpoint+"/api", pl.patience); err != nil {
			t.Error(err)
			f.log().wants(r.client.ID, -r.callers)
		}
		_ = i
		time.Sleep(pl.every)
	}
	close(stop)
	<-stopped
	for end := time.Now().Add(pl.patience + time.Minute); f.log().left() > 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	ids := make([]string, len(rounds))
	for i, r := range rounds {
		ids[i] = r.client.ID
	}
	var finals []history.Final
	for end := time.Now().Add(pl.settle); ; time.Sleep(2 * time.Second) {
		var err error
		if finals, err = f.finals(ids); err == nil && settled(finals) {
			break
		}
		if time.Now().After(end) {
			if err != nil {
				t.Error(err)
			}
			break
		}
	}
	h := f.log().history()
	h.Finals = finals
	p.History(h)
	byID := map[string]round{}
	for _, r := range rounds {
		byID[r.client.ID] = r
	}
	h.Rule = func(id string) history.Rule {
		r := byID[id]
		return history.Rule{
			Renew: 40 * time.Second, Life: promised, Takes: r.client.Before + r.client.After + pl.slack,
			Takeover: pl.settings.Deadline + 20*time.Second, Recover: pl.settings.Deadline + 30*time.Second + r.client.Before + r.client.After, Spread: 2*pl.settings.Poll + pl.slack,
			Margin: 500*time.Millisecond + pl.slack, Slack: pl.slack, Blind: r.client.Blind,
		}
	}
	found := h.Check()
	shown := map[string]bool{}
	for _, v := range found {
		if r := byID[v.Conn]; !shown[v.Conn] && len(shown) < 12 {
			shown[v.Conn] = true
			t.Logf("%s", r)
			tell(t, h, v.Conn)
		}
		if shown[v.Conn] {
			t.Error(v)
		}
	}
	for _, e := range f.log().errs {
		t.Error(e)
	}
	n := p.Count("")
	killed, paused, lost := 0, 0, 0
	for _, e := range h.Ends {
		if e.Killed {
			killed++
		} else {
			paused++
		}
	}
	for _, f := range finals {
		if f.State == string(broker.StateWaiting) {
			lost++
		}
	}
	t.Logf("%d rounds, %d callers each, %d kills, %d pauses: %v at the provider; %d connections ask a person; %d promises broken", pl.rounds, pl.callers, killed, paused, n, lost, len(found))
	return found
}

// outages has the provider away now and then, in every way.
func outages(p *strict.Provider, rnd *rand.Rand, stop chan struct{}) {
	pause := func(most time.Duration) bool {
		t := time.NewTimer(time.Duration(rnd.Int64N(int64(most))))
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-stop:
			return false
		}
	}
	for pause(time.Minute) {
		p.Fail([]strict.Fault{strict.Resets, strict.Refuses, strict.Proxy, strict.Hangs}[rnd.IntN(4)], []string{"", "1", "7"}[rnd.IntN(3)])
		pause(20 * time.Second)
		p.Fail(strict.Up, "")
	}
}

// settled tells whether nothing is under way any more.
func settled(finals []history.Final) bool {
	return !slices.ContainsFunc(finals, func(f history.Final) bool {
		return f.Attempt || f.State != string(broker.StateAlive) && f.State != string(broker.StateWaiting)
	})
}

// stir kills replicas and lets them stand still, now and then.
func (pl plan) stir(f fleet, rnd *rand.Rand, stop chan struct{}) {
	if pl.chaos == 0 {
		return
	}
	for {
		t := time.NewTimer(time.Duration(rnd.ExpFloat64() * float64(pl.chaos)))
		select {
		case <-t.C:
		case <-stop:
			t.Stop()
			return
		}
		i := rnd.IntN(f.size())
		if rnd.IntN(2) == 0 {
			f.kill(i, time.Duration(rnd.IntN(2000))*time.Millisecond)
		} else {
			f.pause(i, time.Duration(1+rnd.Int64N(int64(3*pl.settings.Lease))))
		}
	}
}

// tell shows the history of one connection.
func tell(t testing.TB, h *history.History, conn string) {
	t.Helper()
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	clock := func(at time.Time) string { return at.UTC().Format("05.000") }
	for _, r := range h.Requests {
		if r.Conn == conn {
			lines = append(lines, line{r.Arrived, fmt.Sprintf("request %s of %s with %.6s, acted %s, answered %s: %s, gave %.6s, delivered %t", r.Grant, r.From, r.Presented, clock(r.Acted), clock(r.Answered), r.Outcome, r.Gave, r.Delivered)})
		}
	}
	for _, i := range h.Issued {
		if i.Conn == conn {
			lines = append(lines, line{i.At, fmt.Sprintf("token %.6s until %s, died %s", i.Ref, clock(i.Expires), clock(i.Died))})
		}
	}
	for _, s := range h.Stored {
		if s.Conn == conn && !s.End.IsZero() {
			lines = append(lines, line{s.Begin, fmt.Sprintf("%s stored generation %d (%.6s) %s to %s %s", s.Replica, s.Generation, s.Ref, clock(s.Begin), clock(s.End), s.Err)})
		}
	}
	for _, a := range h.Calls {
		if a.Conn == conn {
			lines = append(lines, line{a.Answered, fmt.Sprintf("%s: %d callers asked %s, answered until %s: %.6s generation %d, short %t, %s %s, link %t, late %t, refused %.6s, retry %s", a.Replica, a.Count, clock(a.Asked), clock(a.Last), a.Token, a.Generation, a.Short, a.State, a.Err, a.Link, a.Late, a.Refused, clock(a.Retry))})
		}
	}
	for _, f := range h.Finals {
		if f.Conn == conn {
			lines = append(lines, line{time.Now(), fmt.Sprintf("in the end: %+v", f)})
		}
	}
	if len(lines) > 0 {
		from := lines[0].at
		for _, l := range lines {
			if l.at.Before(from) {
				from = l.at
			}
		}
		for _, e := range h.Ends {
			if e.At.After(from.Add(-time.Minute)) && len(lines) < 80 {
				lines = append(lines, line{e.At, fmt.Sprintf("%s ends, killed %t, until %s", e.Replica, e.Killed, clock(e.Until))})
			}
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	for _, l := range lines {
		t.Logf("  %s %s", clock(l.at), l.text)
	}
}

// number reads a number from the environment.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func seed() uint64 {
	return uint64(number("USHER_SEED", 53003))
}

func local100() plan {
	s := settings{Deadline: 60 * time.Second, Lease: 10 * time.Second, Poll: 500 * time.Millisecond, Rate: 1000, Burst: 1000, Policies: policies()}
	return plan{
		rounds: number("USHER_ROUNDS", 100), callers: number("USHER_CALLERS", 1000), every: 700 * time.Millisecond,
		chaos: 20 * time.Second, killed: 0.1, patience: 200 * time.Second, settle: 10 * time.Minute, settings: s, seed: seed(),
	}
}

// batches are how many tests of so many rounds are played, each with its own
// seed: one, and 20,000 rounds in all with USHER_SOAK=1.
func batches(rounds int) int {
	if os.Getenv("USHER_SOAK") == "" {
		return 1
	}
	return max(1, 20000/rounds)
}

// TestRounds plays rounds in this process with a clock that jumps: three
// brokers on a store in memory.
func TestRounds(t *testing.T) { playLocal(t, false) }

// TestRoundsOutages is TestRounds with a provider that is away now and then.
func TestRoundsOutages(t *testing.T) { playLocal(t, true) }

// TestRoundsClocks is TestRounds with replicas whose clocks are minutes apart:
// the store's counts.
func TestRoundsClocks(t *testing.T) {
	pl := local100()
	pl.settings.Skew = []time.Duration{7 * time.Minute, 0, -5 * time.Minute, 400 * time.Millisecond}
	pl.playLocal(t)
}

func playLocal(t *testing.T, outages bool) {
	pl := local100()
	pl.outages = outages
	pl.playLocal(t)
}

func (pl plan) playLocal(t *testing.T) {
	t.Helper()
	for range batches(pl.rounds) {
		synctest.Test(t, func(t *testing.T) {
			p := strict.New(time.Now, strict.Sleep)
			f := newLocal(t.Context(), 3, pl.settings, p)
			defer f.close()
			pl.play(t, f, p, "https://provider.test")
		})
		pl.seed++
		if t.Failed() {
			return
		}
	}
}
