package serve_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/serve"
	"usher/test/postgres"
)

// newPair makes two servers on one PostgreSQL, each with its own directory and
// log file. They do not run yet; config gives the rest of each one's settings.
func newPair(t *testing.T) (pair [2]*bench, config func(yaml string) string) {
	t.Helper()
	at := postgres.New(t, postgres.Fast...).Schema(t)
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	t.Setenv("PGPASSWORD", password)
	u.User = url.User(u.User.Username())
	key := filepath.Join(tempDir(t), "broker.key")
	pair = [2]*bench{newBench(t, ""), newBench(t, "")}
	return pair, func(yaml string) string {
		return yaml + fmt.Sprintf("store: %q\nbroker: {key_file: %q}\n", u.String(), key)
	}
}

// TestTwoServersOneLedger: what either sees is in one case, whoever watches is
// told of both, and each reads its own file from where it stood.
func TestTwoServersOneLedger(t *testing.T) {
	pair, config := newPair(t)
	a, b := pair[0], pair[1]
	a.yaml, b.yaml = config(plainConfig), config(plainConfig)
	a.start()
	b.start()
	watch, end := context.WithCancel(t.Context())
	defer end()
	changes := b.server.Engine().Subscribe(watch)
	time.Sleep(time.Second)
	now := time.Now()
	for i := range 6 {
		pair[i%2].write(refusal(now.Add(time.Duration(i)*10*time.Millisecond), "https://shop.test/cb/", fmt.Sprintf("192.0.2.%d", i)))
	}
	for _, one := range pair {
		c := one.wait("one case of both", count(6))[0]
		if c.Addresses != 6 {
			t.Errorf("%d addresses are told apart, of 6", c.Addresses)
		}
	}
	a.write(refusal(now.Add(time.Second), "https://shop.test/cb/", "192.0.2.77")) // only the other one sees it happen
	b.wait("the seventh", count(7))
	told := 0
	for end := time.After(time.Minute); told < 2; {
		select {
		case ch := <-changes:
			if ch.ID != 1 || ch.State != usher.CaseOpen {
				t.Fatalf("told %+v", ch)
			}
			told++
		case <-end:
			t.Fatalf("who watches one server was told %d changes", told)
		}
	}
	for _, one := range pair {
		var text string
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if one.ask("GET", "/metrics", "", &text); strings.Contains(text, `usher_cases{state="open"} 1`) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("a server's figures do not know the case:\n%s", text)
			}
		}
	}
	for _, one := range pair { // a file of one path on two machines is two files
		if c := serve.CursorOf(t, one.server); c.Offset == 0 {
			t.Errorf("how far a server has read is not noted for it alone: %+v", c)
		}
	}
	a.stop()
	a.write(refusal(now.Add(2*time.Second), "https://shop.test/cb/", "192.0.2.78"))
	a.start()
	a.wait("what was written meanwhile", count(8))
	b.wait("it too", count(8))
	for _, one := range pair {
		if !strings.Contains(one.told.String(), "one-time password") {
			t.Errorf("a server did not tell how to sign in: %q", one.told)
		}
	}
}

// TestAttackOverTwoServers: an attacker who is seen by two servers in halves is
// seen whole.
func TestAttackOverTwoServers(t *testing.T) {
	pair, config := newPair(t)
	for _, one := range pair {
		one.yaml = config(plainConfig)
		one.start()
	}
	time.Sleep(time.Second)
	now := time.Now()
	for i := range 16 {
		at := now.Add(time.Duration(i) * 10 * time.Millisecond)
		pair[i%2].write(stamp(at) + fmt.Sprintf(` WARN  [org.keycloak.events] (executor-thread-1) type="LOGIN_ERROR", realmId="154ae83d-cf18-4661-b649-4d8d95f38c42", realmName="shop", clientId="shop", userId="00000000-0000-0000-0000-0000000000%02d", ipAddress="198.51.100.66", error="invalid_user_credentials", auth_method="openid-connect", auth_type="code", redirect_uri="https://shop.test/cb/", code_id="x%d", username="user%d"`, i, i, i))
	}
	attacks := func(l []usher.Case) (n int) {
		for i := range l {
			if l[i].Kind == usher.CaseAttack {
				n++
			}
		}
		return n
	}
	pair[0].wait("the attack", func(l []usher.Case) bool { return attacks(l) > 0 })
	pair[1].write(success(now.Add(time.Second), "https://shop.test/cb/", "user11", "198.51.100.66"))
	list := pair[0].wait("its escalation", func(l []usher.Case) bool {
		return slices.ContainsFunc(l, func(c usher.Case) bool { return !c.Escalated.IsZero() })
	})
	if n := attacks(list); n != 1 {
		t.Errorf("one attack is %d", n)
	}
}

// TestFixOnTheOtherServer: a plan is shown by one server and carried out by the
// other; two do not carry out fixes of one case at once; and what one leaves in
// the middle, the other brings to an end.
func TestFixOnTheOtherServer(t *testing.T) {
	pair, config := newPair(t)
	a, b := pair[0], pair[1]
	s := newShop(t, a.log)
	a.yaml, b.yaml = config(s.config()), config(s.config())
	a.start()
	b.start()
	s.breakIt()
	for i := range 3 {
		s.signIn("https://shop.test/cb/", fmt.Sprintf("203.0.113.%d", 1+i))
		time.Sleep(2 * time.Millisecond)
	}
	c := b.wait("the case", func(l []usher.Case) bool {
		return count(3)(l) && actionable(l)
	})[0]
	var plan usher.FixPlan
	if status := a.ask("POST", fmt.Sprintf("/api/v1/cases/%d/plan", c.ID), fmt.Sprintf(`{"fix":%q}`, c.Fixes[0].ID), &plan); status != 200 {
		t.Fatalf("plan: %d %+v", status, plan)
	}
	release := serve.TakeFix(t, a.server, c.ID)
	body := fmt.Sprintf(`{"fix":%q,"plan":%q}`, c.Fixes[0].ID, plan.ID)
	if status := b.ask("POST", fmt.Sprintf("/api/v1/cases/%d/apply", c.ID), body, nil); status != http.StatusConflict {
		t.Errorf("while another server carries out a fix: %d", status)
	}
	serve.MarkApplying(t, a.server, plan)
	if left := serve.ResumeOnce(t, b.server); left != 1 {
		t.Errorf("what another server carries out just now was touched: %d are left", left)
	}
	release()
	if left := serve.ResumeOnce(t, b.server); left != 0 { // who began it is gone
		t.Errorf("what is left in the middle stays there: %d", left)
	}
	var applied struct{ Run usher.FixRun }
	if status := a.ask("POST", fmt.Sprintf("/api/v1/cases/%d/plan", c.ID), fmt.Sprintf(`{"fix":%q}`, c.Fixes[0].ID), &plan); status != 200 {
		t.Fatalf("plan: %d %+v", status, plan)
	}
	body = fmt.Sprintf(`{"fix":%q,"plan":%q}`, c.Fixes[0].ID, plan.ID)
	if status := b.ask("POST", fmt.Sprintf("/api/v1/cases/%d/apply", c.ID), body, &applied); status != 200 || applied.Run.State != usher.RunApplied {
		t.Fatalf("apply: %d %+v", status, applied)
	}
	if !s.signIn("https://shop.test/cb/", "203.0.113.9") {
		t.Error("the fix did not reach the provider")
	}
	a.wait("the proof", func(l []usher.Case) bool { return l[0].State == usher.CaseFixed })
}

// TestOneOfTwoLooks: the provider is looked at once in a time, and not once by
// each server.
func TestOneOfTwoLooks(t *testing.T) {
	var looks atomic.Int64
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
			looks.Add(1)
		}
		http.Error(w, "down", http.StatusServiceUnavailable)
	}))
	defer provider.Close()
	pair, config := newPair(t)
	yaml := fmt.Sprintf("listen: 127.0.0.1:0\ndata: d\nproviders: [{name: shop, kind: keycloak, issuer: %q}]\n", provider.URL+"/realms/shop")
	pair[0].yaml = config(yaml + "checks: {every: 1h}\n")
	pair[0].start()
	once := int64(0)
	for end := time.Now().Add(time.Minute); once == 0 || looks.Load() != once; {
		if once = looks.Load(); time.Now().After(end) {
			t.Fatalf("%d looks", once)
		}
		time.Sleep(300 * time.Millisecond)
	}
	pair[1].yaml = pair[0].yaml
	pair[1].start()
	time.Sleep(1500 * time.Millisecond)
	if looks.Load() != once {
		t.Errorf("after one server there were %d looks, after two %d", once, looks.Load())
	}
}
