package serve_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/console"
	"usher/test/postgres"
)

// TestReplicas: two servers share a PostgreSQL. A connection that is made at one
// gives its token at the other, asked for once; a key that is taken away at one
// is refused at the other soon after; a replica without the key does not
// start, and says what it lacks.
func TestReplicas(t *testing.T) {
	address, err := url.Parse(postgres.New(t, postgres.Fast...).Schema(t))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := address.User.Password()
	t.Setenv("PGPASSWORD", password) // the configuration holds none
	address.User = url.User(address.User.Username())
	g := newGateway(t)
	config := brokerConfig + "store: " + address.String() + "\n"
	a, b, c := newBench(t, config), newBench(t, config), newBench(t, config)
	a.start()
	key, err := os.ReadFile(filepath.Join(a.dir, "d", "broker.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.tryStart(); err == nil || !strings.Contains(err.Error(), "broker's key is not there") {
		t.Errorf("a replica without the key: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(b.dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "d", "broker.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()

	a.addConnection(g, "shop-gateway")
	id, caller := a.key("checkout", `["shop-gateway"]`)
	_, first := a.take("shop-gateway", caller)
	status, second := b.take("shop-gateway", caller)
	if status != 200 || tokenOf(t, first) != tokenOf(t, second) || g.asked.Load() != 1 {
		t.Errorf("%d, the provider was asked %d times\n%s\n%s", status, g.asked.Load(), first, second)
	}

	// Trouble at one is a case at both, and its proof too.
	g.secret.Store(secondSecret)
	var now console.Connection
	if status := b.ask("POST", "/api/v1/connections/shop-gateway/renew", "", &now); status != 200 || now.Status.Trouble == nil {
		t.Fatalf("%d %+v", status, now.Status)
	}
	a.wait("the case of the other", count(1))
	g.secret.Store(firstSecret)
	a.ask("POST", "/api/v1/connections/shop-gateway/renew", "", nil)
	b.wait("the proof of the other", func(list []usher.Case) bool { return len(list) == 1 && list[0].State == usher.CaseFixed })

	if status := a.ask("DELETE", "/api/v1/keys/"+id, "", nil); status != 204 {
		t.Fatal(status)
	}
	began := time.Now()
	for status := 200; status != 401; time.Sleep(10 * time.Millisecond) {
		if status, _ = b.take("shop-gateway", caller); time.Since(began) > time.Minute {
			t.Fatal("a key that was taken away at the other replica is taken here")
		}
	}
	t.Logf("refused after %v", time.Since(began).Round(time.Millisecond))
}
