package broker_test

import (
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"usher/broker/seal"
	"usher/test/broker/history"
	"usher/test/broker/strict"
	"usher/test/postgres"
)

// serve puts the provider on a port.
func serve(t testing.TB, p *strict.Provider) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: p}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

// TestRoundsPostgres plays rounds with three replicas as processes of their own
// on PostgreSQL, which are killed and stopped for real, and so is the database.
func TestRoundsPostgres(t *testing.T) {
	if os.Getenv("USHER_SYSTEMS") == "" && os.Getenv("USHER_ROUNDS") == "" {
		t.Skip("NOT TESTED: replicas as processes on PostgreSQL (`make systems` does; USHER_ROUNDS=50 plays some)")
	}
	server := postgres.New(t)
	s := settings{Deadline: 35 * time.Second, Lease: 4 * time.Second, Poll: 300 * time.Millisecond, Rate: 1000, Burst: 1000, Policies: policies()}
	pl := plan{
		rounds: number("USHER_ROUNDS", 1000), callers: number("USHER_CALLERS", 1000), every: 75 * time.Millisecond,
		chaos: 8 * time.Second, killed: 0.01, patience: 150 * time.Second, settle: 150 * time.Second, slack: time.Second,
		settings: s, seed: uint64(number("USHER_SEED", int(time.Now().UnixNano()%1e6))),
	}
	for range batches(pl.rounds) {
		t.Logf("USHER_SEED=%d", pl.seed)
		playProcesses(t, pl, server)
		pl.seed++
		if t.Failed() {
			return
		}
	}
}

func playProcesses(t *testing.T, pl plan, server *postgres.Server) {
	t.Helper()
	p := strict.New(nil, nil)
	origin := serve(t, p)
	f := newProcesses(t, 3, orders{
		Settings: pl.settings, Store: server.Schema(t), Key: seal.NewKey().Reveal(), Provider: origin,
	})
	defer f.close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	defer func() {
		close(stop)
		<-stopped
	}()
	go func() {
		defer close(stopped)
		restarts(t, server, f, time.Duration(number("USHER_RESTARTS", 30))*time.Second, stop)
	}()
	pl.play(t, f, p, origin)
}

// restarts kills the database now and then.
func restarts(t *testing.T, server *postgres.Server, f fleet, every time.Duration, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(every/2 + rand.N(every)):
		}
		at := time.Now()
		server.Kill(t)
		time.Sleep(rand.N(3 * time.Second))
		server.Start(t)
		f.log().end(history.End{Replica: history.Database, At: at, Until: time.Now(), Killed: true})
	}
}
