package connect_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"usher/broker"
)

// begun presses the button and gives the cookie.
func begun(t *testing.T, h http.Handler, host, origin string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/connect/shop-gateway", strings.NewReader("t="))
	r.Host = host
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body.String())
	}
	return rec.Header().Get("Set-Cookie")
}

// deviceWorld has a connection by device grant, and polls wait on the world's clock.
func deviceWorld(t *testing.T) (w *world, waits *[]time.Duration) {
	w = newWorld(t)
	w.add("shop-gateway", func(c *broker.Config) { c.Grant = broker.GrantDevice })
	waits = new([]time.Duration)
	var mu sync.Mutex
	w.h.SetSleep(func(ctx context.Context, d time.Duration) bool {
		mu.Lock()
		*waits = append(*waits, d)
		mu.Unlock()
		w.pass(d)
		return ctx.Err() == nil
	})
	return w, waits
}

// until reads the page until it no longer goes on by itself.
func (b *browser) until(page string) shown {
	for range 200 {
		s := b.get(page)
		if s.status != 200 || onward(s.text) == "" {
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.w.t.Fatal("the page never ends")
	return shown{}
}

func (b *browser) device(id string) string {
	b.w.t.Helper()
	link, err := b.w.h.Link(context.Background(), id)
	if err != nil {
		b.w.t.Fatal(err)
	}
	u, _ := url.Parse(link)
	if s := b.get(link); !strings.Contains(s.text, "Get a code") {
		b.w.t.Fatalf("%d\n%s", s.status, s.text)
	}
	s := b.do(http.MethodPost, b.w.srv.URL+"/connect/"+id, url.Values{"t": {u.Query().Get("t")}})
	page := s.header.Get("Location")
	if s.status != http.StatusSeeOther || !strings.HasPrefix(page, b.w.srv.URL+"/connect/"+id+"/device/") {
		b.w.t.Fatalf("%d to %s\n%s", s.status, page, s.text)
	}
	return page
}

func TestDevice(t *testing.T) {
	w, waits := deviceWorld(t)
	w.p.change(func() { w.p.pending, w.p.slow = 3, 2 })
	b := w.browser()
	page := b.device("shop-gateway")
	s := b.until(page)
	if !strings.Contains(s.text, "Connected") || !strings.Contains(s.text, "ana@shop.example") {
		t.Errorf("%d\n%s", s.status, s.text)
	}
	if got := w.k.stored("shop-gateway"); len(got) != 1 || got[0].User != "ana" {
		t.Errorf("%+v", got)
	}
	// slow_down adds five seconds each, for good: RFC 8628 section 3.5.
	want := []time.Duration{1, 6, 11, 11, 11, 11}
	if len(*waits) != len(want) {
		t.Fatalf("it waited %v", *waits)
	}
	for i, d := range want {
		if (*waits)[i] != d*time.Second {
			t.Errorf("it waited %v, want %v s", *waits, want)
			break
		}
	}
	w.h.Close()
	w.keepsSecrets()
}

// TestDevicePage: while it waits, the page shows the code, the address and
// nothing else; it belongs to nobody who does not know its address.
func TestDevicePage(t *testing.T) {
	w, _ := deviceWorld(t)
	hold := make(chan struct{})
	w.h.SetSleep(func(ctx context.Context, d time.Duration) bool {
		select {
		case <-ctx.Done():
			return false
		case <-hold:
			return true
		}
	})
	b := w.browser()
	page := b.device("shop-gateway")
	s := b.get(page)
	for _, want := range []string{"WDJB-MJHT", w.p.URL + "/activate", "Only type it if you asked for it yourself", `content="5;url=/connect/shop-gateway/device/`} {
		if !strings.Contains(s.text, want) {
			t.Errorf("%q is missing:\n%s", want, s.text)
		}
	}
	w.add("second", nil)
	for _, address := range []string{w.srv.URL + "/connect/shop-gateway/device/x", strings.Replace(page, "shop-gateway", "second", 1), page + "x"} {
		if s := w.browser().get(address); s.status != http.StatusNotFound || strings.Contains(s.text, "WDJB") {
			t.Errorf("%s: %d", address, s.status)
		}
	}
	asked := w.p.requests()
	for range 5 {
		b.get(page)
	}
	if w.p.requests() != asked {
		t.Error("looking at the page polls")
	}
	// A server that stops says so, and leaves nothing behind.
	w.h.Close()
	if s := b.get(page); !strings.Contains(s.text, "usher was stopped") {
		t.Errorf("%s", s.text)
	}
	close(hold)
}

func TestDeviceRefused(t *testing.T) {
	for _, tc := range []struct {
		name, says, code string
		setup            func(*world)
	}{
		{"said no", "access was not given", "access_denied", func(w *world) { w.p.device = "access_denied" }},
		{"over at the provider", "Not connected", "expired_token", func(w *world) { w.p.device = "expired_token" }},
		{"over by the clock", "Not connected", "expired_token", func(w *world) { w.p.pending, w.p.expires = 1000, 60 }},
		{"somebody else", "Somebody else than before", "other_user", func(w *world) { w.k.change("shop-gateway", func(v *broker.View) { v.Status.User = "ben" }) }},
		{"a forged ID token", "could not be verified", "id_token_iss_mismatch", func(w *world) {
			w.p.claims = func(c jwt.MapClaims) { c["iss"] = "https://login.evil.example" }
		}},
		{"wrong secret", "did not accept", "invalid_client", func(w *world) { w.k.keys.ClientSecret = "another" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, _ := deviceWorld(t)
			w.p.change(func() { tc.setup(w) })
			b := w.browser()
			if tc.code == "invalid_client" {
				link, _ := w.h.Link(context.Background(), "shop-gateway")
				u, _ := url.Parse(link)
				s := b.do(http.MethodPost, w.srv.URL+"/connect/shop-gateway", url.Values{"t": {u.Query().Get("t")}})
				if s.status == 200 || !strings.Contains(s.text, tc.says) {
					t.Errorf("%d\n%s", s.status, s.text)
				}
			} else if s := b.until(b.device("shop-gateway")); !strings.Contains(s.text, tc.says) {
				t.Errorf("%d\n%s", s.status, s.text)
			}
			w.h.Close()
			if e := w.emitted(); len(e) != 1 || e[0].StatusCode != tc.code || len(w.k.stored("shop-gateway")) != 0 {
				t.Errorf("%+v", e)
			}
			w.keepsSecrets()
		})
	}
}

// TestDeviceAway: a provider that is out of order for a moment does not end what
// a person is in the middle of.
func TestDeviceAway(t *testing.T) {
	for _, body := range []string{"<html>Bad Gateway</html>", `{"error":"server_error"}`} {
		w, _ := deviceWorld(t)
		polls := 0
		w.h.SetSleep(func(ctx context.Context, d time.Duration) bool {
			w.pass(d)
			polls++
			w.p.change(func() {
				if w.p.status, w.p.body = 0, body; polls <= 2 {
					w.p.status = http.StatusBadGateway
				}
			})
			return ctx.Err() == nil
		})
		b := w.browser()
		if s := b.until(b.device("shop-gateway")); !strings.Contains(s.text, "Connected") {
			t.Errorf("after %s: %d\n%s", body, s.status, s.text)
		}
		w.h.Close()
	}
}

// TestDeviceMany: whoever has a link cannot have usher ask the provider more and
// more often.
func TestDeviceMany(t *testing.T) {
	w, _ := deviceWorld(t)
	hold := make(chan struct{})
	w.h.SetSleep(func(ctx context.Context, d time.Duration) bool {
		select {
		case <-ctx.Done():
			return false
		case <-hold:
			w.pass(d)
			return true
		}
	})
	var last string
	for range 5 {
		last = w.browser().device("shop-gateway")
	}
	press := func() shown {
		link, err := w.h.Link(t.Context(), "shop-gateway")
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(link)
		return w.browser().do(http.MethodPost, w.srv.URL+"/connect/shop-gateway", url.Values{"t": {u.Query().Get("t")}})
	}
	if s := press(); s.status != http.StatusTooManyRequests || !strings.Contains(s.text, "As many codes") {
		t.Errorf("a sixth: %d\n%s", s.status, s.text)
	}
	w.add("second", func(c *broker.Config) { c.Grant = broker.GrantDevice })
	w.browser().device("second") // which is not concerned
	close(hold)
	w.browser().until(last)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if press().status == http.StatusSeeOther {
			break
		}
		if time.Now().After(end) {
			t.Fatal("when they are over there is no other")
		}
	}
	w.h.Close()
}

// TestDeviceSweep: what is kept of device flows goes when they are long over.
func TestDeviceSweep(t *testing.T) {
	w, _ := deviceWorld(t)
	b := w.browser()
	first := b.device("shop-gateway")
	b.until(first)
	w.pass(2 * time.Hour)
	b.until(b.device("shop-gateway"))
	blobs, err := w.store.Blobs(context.Background(), "connect-device")
	if err != nil || len(blobs) != 1 {
		t.Errorf("%d are kept, want 1: %v", len(blobs), err)
	}
	if s := b.get(first); s.status != http.StatusNotFound {
		t.Errorf("%d", s.status)
	}
}
