package connect_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"usher/broker"
	"usher/broker/connect"
	"usher/broker/grant"
	"usher/guard"
)

var hidden = regexp.MustCompile(`name="state" value="([^"]+)"`)

// TestAsOther: whoever connects as somebody else than before is told and asked;
// nothing is stored without a yes from that browser.
func TestAsOther(t *testing.T) {
	begin := func(t *testing.T) (*world, *browser, string) {
		w := newWorld(t)
		w.k.change("shop-gateway", func(v *broker.View) { v.Status.User, v.Status.State = "ben", broker.StateAlive })
		b := w.browser()
		s := b.get(b.agree(b.begin("shop-gateway")))
		m := hidden.FindStringSubmatch(s.text)
		if s.status != 200 || m == nil || !strings.Contains(s.text, "somebody else than before") || !strings.Contains(s.text, "Keep ben") || !strings.Contains(s.text, "ana@shop.example") || len(w.k.stored("shop-gateway")) != 0 {
			t.Fatalf("%d\n%s", s.status, s.text)
		}
		return w, b, html.UnescapeString(m[1])
	}
	say := func(w *world, b *browser, id, state, answer string, header ...string) shown {
		return b.do(http.MethodPost, w.srv.URL+"/connect/"+id+"/as-other", url.Values{"state": {state}, "answer": {answer}}, header...)
	}
	t.Run("yes", func(t *testing.T) {
		w, b, state := begin(t)
		if s := say(w, b, "shop-gateway", state, "replace"); s.status != 200 || !strings.Contains(s.text, "Connected") {
			t.Errorf("%d\n%s", s.status, s.text)
		}
		got := w.k.stored("shop-gateway")
		if len(got) != 1 || got[0].User != "ana" || !strings.HasPrefix(got[0].Access.Reveal(), "at-") || !strings.HasPrefix(got[0].Refresh.Reveal(), "rt-") || got[0].ExpiresIn != time.Hour || got[0].TokenType != "Bearer" || got[0].Received.IsZero() {
			t.Errorf("%+v", got)
		}
		if s := say(w, b, "shop-gateway", state, "replace"); s.status == 200 || len(w.k.stored("shop-gateway")) != 1 {
			t.Errorf("twice: %d", s.status)
		}
		w.keepsSecrets()
	})
	t.Run("no", func(t *testing.T) {
		w, b, state := begin(t)
		if s := say(w, b, "shop-gateway", state, "keep"); s.status != 200 || !strings.Contains(s.text, "stays with ben") {
			t.Errorf("%d\n%s", s.status, s.text)
		}
		if len(w.k.stored("shop-gateway")) != 0 || len(w.p.revoked) != 1 {
			t.Errorf("stored, or not given back: %v", w.p.revoked)
		}
		w.keepsSecrets(w.p.revoked...)
	})
	t.Run("hostile", func(t *testing.T) {
		w, b, state := begin(t)
		w.add("second", nil)
		for name, s := range map[string]shown{
			"another browser":    say(w, w.browser(), "shop-gateway", state, "replace"),
			"another site":       say(w, b, "shop-gateway", state, "replace", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"),
			"made-up state":      say(w, b, "shop-gateway", "A.B", "replace"),
			"another connection": say(w, b, "second", state, "replace"),
		} {
			if s.status != http.StatusForbidden {
				t.Errorf("%s: %d\n%s", name, s.status, s.text)
			}
		}
		if len(w.k.stored("shop-gateway"))+len(w.k.stored("second")) != 0 {
			t.Error("it was stored")
		}
	})
	t.Run("too late", func(t *testing.T) {
		w, b, state := begin(t)
		w.pass(11 * time.Minute)
		if s := say(w, b, "shop-gateway", state, "replace"); s.status != http.StatusGone || len(w.k.stored("shop-gateway")) != 0 {
			t.Errorf("%d\n%s", s.status, s.text)
		}
	})
	t.Run("changed in between", func(t *testing.T) {
		w, b, state := begin(t)
		w.k.change("shop-gateway", func(v *broker.View) { v.Status.User = "cem" })
		if s := say(w, b, "shop-gateway", state, "replace"); s.status != http.StatusConflict || len(w.k.stored("shop-gateway")) != 0 || len(w.p.revoked) != 1 {
			t.Errorf("%d\n%s", s.status, s.text)
		}
	})
	t.Run("the same", func(t *testing.T) {
		w := newWorld(t)
		w.k.change("shop-gateway", func(v *broker.View) { v.Status.User = "ana" })
		b := w.browser()
		if s := b.get(b.agree(b.begin("shop-gateway"))); s.status != 200 || len(w.k.stored("shop-gateway")) != 1 {
			t.Errorf("%d\n%s", s.status, s.text)
		}
	})
}

// TestReplicas: what one replica begins another one ends.
func TestReplicas(t *testing.T) {
	w := newWorld(t)
	seal := newSealer()
	g := guard.New(guard.Options{Trusted: []string{w.p.URL}, Timeout: 10 * time.Second})
	defer g.HTTP().CloseIdleConnections()
	replica := func() *connect.Handler {
		h, err := connect.New(connect.Options{Broker: w.k, Store: w.store, Seal: seal, Ask: grant.New(grant.Options{HTTP: g, Now: w.now}), HTTP: g, URL: w.srv.URL, Now: w.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		return h
	}
	one, two := replica(), replica()
	w.h = one
	b := w.browser()
	at := b.begin("shop-gateway")
	w.h = two
	if s := b.get(b.agree(at)); s.status != 200 || !strings.Contains(s.text, "Connected") {
		t.Errorf("%d\n%s", s.status, s.text)
	}
	// Another installation with another key does not take its links.
	link, _ := two.Link(context.Background(), "shop-gateway")
	other := newWorld(t)
	if s := other.browser().get(strings.Replace(link, w.srv.URL, other.srv.URL, 1)); s.status != http.StatusForbidden {
		t.Errorf("%d", s.status)
	}
}

func TestNew(t *testing.T) {
	w := newWorld(t)
	for _, address := range []string{"", "usher.example", "http://usher.example", "https://usher.example/path", "https://u@usher.example", "https://usher.example?x=1", "ftp://127.0.0.1"} {
		if _, err := connect.New(connect.Options{Broker: w.k, Store: w.store, Seal: newSealer(), Ask: grant.New(grant.Options{}), HTTP: guard.New(guard.Options{}), URL: address}); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
	if _, err := connect.New(connect.Options{URL: "https://usher.example"}); err == nil {
		t.Error("without a broker")
	}
}

// TestSecureCookie: over https the cookie has the prefix that keeps other hosts
// from setting it.
func TestSecureCookie(t *testing.T) {
	w := newWorld(t)
	h, err := connect.New(connect.Options{
		Broker: w.k, Store: w.store, Seal: newSealer(), Ask: grant.New(grant.Options{}), HTTP: guard.New(guard.Options{}), URL: "https://usher.example", Now: w.now,
		Operator: func(*http.Request) (string, bool) { return "eve", true },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	cookie := begun(t, h, "usher.example", "https://usher.example")
	for _, want := range []string{"__Host-usher_connect_", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Max-Age=600"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("%s lacks %s", cookie, want)
		}
	}
}

// TestMeanwhile: of two who began with one link the first who connects is the
// one; what the other brings is not stored, and given back where it was given.
func TestMeanwhile(t *testing.T) {
	refused := func(t *testing.T, w *world, s shown, requests, revoked int) {
		t.Helper()
		if s.status != http.StatusConflict || !strings.Contains(s.text, "has connected while you were away") || strings.Contains(s.text, "Begin again") {
			t.Errorf("%d\n%s", s.status, s.text)
		}
		if len(w.k.stored("shop-gateway")) != 1 || w.p.requests() != requests || len(w.p.revoked) != revoked {
			t.Errorf("%d stored, %d requests, %d given back", len(w.k.stored("shop-gateway")), w.p.requests(), len(w.p.revoked))
		}
		if e := w.emitted(); len(e) != 1 || e[0].StatusCode != "connected_meanwhile" {
			t.Errorf("%+v", e)
		}
		w.keepsSecrets(w.p.revoked...)
	}
	t.Run("before it came back", func(t *testing.T) {
		w := newWorld(t)
		a, b := w.browser(), w.browser()
		first, second := a.begin("shop-gateway"), b.begin("shop-gateway")
		if s := a.get(a.agree(first)); s.status != 200 {
			t.Fatal(s.text)
		}
		refused(t, w, b.get(b.agree(second)), 1, 0)
	})
	t.Run("while the provider answered", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		back := b.agree(b.begin("shop-gateway"))
		w.p.claims = func(jwt.MapClaims) {
			if err := w.k.Connected(t.Context(), "shop-gateway", &grant.Answer{User: "ana"}); err != nil {
				t.Error(err)
			}
		}
		refused(t, w, b.get(back), 1, 1)
	})
	t.Run("while a code was typed", func(t *testing.T) {
		w, _ := deviceWorld(t)
		w.p.claims = func(jwt.MapClaims) {
			if err := w.k.Connected(t.Context(), "shop-gateway", &grant.Answer{User: "ana"}); err != nil {
				t.Error(err)
			}
		}
		b := w.browser()
		if s := b.until(b.device("shop-gateway")); !strings.Contains(s.text, "has connected while you were away") || len(w.k.stored("shop-gateway")) != 1 {
			t.Errorf("%d\n%s", s.status, s.text)
		}
		w.h.Close()
	})
}
