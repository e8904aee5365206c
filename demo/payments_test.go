package demo_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/demo"
)

// TestShop plays the shop once, compressed: with usher no payment fails and none
// is taken twice; without it some fail, and the case says why.
func TestShop(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: the story shop takes half a minute")
	}
	t.Setenv("TMPDIR", shortDir(t))
	var told telling
	end, err := demo.Play(t.Context(), demo.Options{Story: "shop", Fast: true, Listen: "127.0.0.1:0", Tell: &told})
	if err != nil || !end.True {
		t.Fatalf("%v\n%s", err, told.String())
	}
	if w := end.With; w.Failed != 0 || w.ChargedTwice != 0 || w.Checkouts < 1000 || w.Checkouts != end.Without.Checkouts {
		t.Errorf("with %+v, without %+v", end.With, end.Without)
	}
	if end.Without.Failed < 10 {
		t.Errorf("without usher only %d failed: the outage hit nobody", end.Without.Failed)
	}
	if k := end.Case; k == nil || k.Finding.Cause != "token-expired" || k.Finding.Confidence < 0.8 || k.Count < 10 || k.Refusal.Client.UID != "checkout-alone" {
		t.Errorf("the case is %+v", end.Case)
	}
	if !strings.Contains(told.String(), "Compressed: ") {
		t.Error("it is not said what is compressed")
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestShopCountsDoubleCharges: at a gateway that charges before it looks at the
// token and knows no idempotency keys, sending again charges twice. The story
// counts it, and says that it did not come true.
func TestShopCountsDoubleCharges(t *testing.T) {
	t.Setenv("TMPDIR", shortDir(t))
	opt := demo.Options{Story: "shop", Fast: true, Listen: "127.0.0.1:0"}
	opt.Careless()
	opt.Short()
	var told telling
	opt.Tell = &told
	end, err := demo.Play(t.Context(), opt)
	if err == nil || !strings.Contains(err.Error(), "orders were charged twice") || end == nil || end.True {
		t.Fatalf("double charges pass: %+v\n%s", end, told.String())
	}
	if end.With == nil || end.With.ChargedTwice == 0 || end.With.Failed != 0 {
		t.Errorf("%+v, %v\n%s", end.With, err, told.String())
	}
}

// TestShopStaysOpen: where a machine is so slow that the time is over before a
// thousand orders came, the shop stays open for them.
func TestShopStaysOpen(t *testing.T) {
	with, without, err := demo.Buy(t.Context(), time.Nanosecond)
	if err != nil || with != 1000 || without != 1000 {
		t.Errorf("%d and %d orders, %v", with, without, err)
	}
}

// TestGateway holds the gateway to what the story needs of it.
func TestGateway(t *testing.T) {
	now := time.Now()
	log := filepath.Join(t.TempDir(), "log")
	g, stop, err := demo.OpenGateway(t.Context(), func() time.Time { return now }, 20*time.Second, log)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(context.Background())
	tokens, api := g.Origins()
	token := func() string {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", tokens, strings.NewReader("grant_type=client_credentials"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("checkout", g.Secret("checkout"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return ""
		}
		defer resp.Body.Close()
		var answer struct {
			Token string `json:"access_token"`
		}
		_ = json.NewDecoder(resp.Body).Decode(&answer)
		return answer.Token
	}
	charge := func(token, key, order string) int {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), "POST", api+"/v1/charges", strings.NewReader(`{"order":"`+order+`","amount":1}`))
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Idempotency-Key", key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	first := token()
	for _, c := range []struct {
		key, order string
		want       int
	}{{"k1", "a", 201}, {"k1", "a", 200}, {"k2", "b", 201}, {"k3", "b", 201}} {
		if got := charge(first, c.key, c.order); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	if orders, twice := g.Taken("checkout"); orders != 2 || twice != 1 {
		t.Errorf("%d orders, %d twice", orders, twice)
	}
	if charge("", "k", "c") != 401 || charge("x", "k", "c") != 401 {
		t.Error("charged without a token")
	}
	g.Away(true)
	if token() != "" {
		t.Error("away, and it gives a token")
	}
	g.Away(false)
	g.Revoke()
	second := token()
	if charge(first, "k4", "c") != 401 || charge(second, "k4", "c") != 201 {
		t.Error("revoking")
	}
	now = now.Add(20 * time.Second)
	if charge(second, "k5", "d") != 401 {
		t.Error("a token that is over")
	}
	if orders, _ := g.Taken("checkout"); orders != 3 {
		t.Errorf("%d orders", orders)
	}
	text, err := os.ReadFile(log)
	if err != nil || strings.Contains(string(text), first) || strings.Contains(string(text), second) {
		t.Errorf("the log holds a token: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		var ev usher.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil || ev.Validate() != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}
