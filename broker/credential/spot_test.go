package credential_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/broker/credential"
)

// TestSpot: a managed secret is found in a line in the forms in which logs hold
// one, and nothing else is.
func TestSpot(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	if w.m.Spot([]byte("anything")) != nil {
		t.Error("something is found where nothing is managed")
	}
	const value = `p+l/a"n ted~1`
	w.must(w.m.Add(ctx, shop(), credential.Handed{Value: value}))
	w.must(w.m.Sharpen(ctx))
	base := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for line, want := range map[string]int{
		"secret " + value + " there":                                          1,
		`{"client_secret":"p+l/a\"n ted~1"}`:                                  1,
		"client_secret=" + url.QueryEscape(value) + "&a=b":                    1,
		"client_secret=p%2bl%2fa%22n%20ted~1":                                 1,
		"Authorization: Basic " + base("shop-client:"+value):                  1,
		"Authorization: Basic " + base("shop-client:"+url.QueryEscape(value)): 1,
		"Authorization: Basic " + base("shop-client:another-value"):           0,
		"client_id=shop-client":                                               0,
		value[:len(value)-1] + " cut":                                         0,
		"":                                                                    0,
	} {
		if found := w.m.Spot([]byte(line)); len(found) != want {
			t.Errorf("%d found in %s", len(found), line)
		}
	}
	// Another secret under the same name is another secret.
	w.must(w.m.Remove(ctx, "shop"))
	w.must(w.m.Add(ctx, shop(), credential.Handed{Value: "another-value"}))
	w.must(w.m.Sharpen(ctx))
	if len(w.m.Spot([]byte(value))) != 0 || len(w.m.Spot([]byte("x=another-value"))) != 1 {
		t.Error("the one that was removed is looked for")
	}
	w.must(w.m.Remove(ctx, "shop"))
	short := shop()
	w.must(w.m.Add(ctx, short, credential.Handed{Value: "secret"}))
	w.must(w.m.Sharpen(ctx))
	if len(w.m.Spot([]byte("client_secret"))) != 0 {
		t.Error("a word is taken for a secret")
	}
}

// TestSpottedOften: a log that is full of it is one signal and one try.
func TestSpottedOften(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	w.add(shop())
	for range 100 {
		for _, s := range w.m.Spot([]byte("first-value")) {
			w.must(w.m.LeakedInLog(ctx, s, "/var/log/"+strings.Repeat("x", 100)+"/a.log", "a line"))
		}
		w.clock.pass(time.Second)
	}
	v := w.get()
	if len(v.Leaks) != 1 || len(v.Leaks[0].Source) > 60 || !strings.HasSuffix(v.Leaks[0].Source, "/a.log") || len(w.found(credential.CheckLeaked, usher.OutcomeWrong)) != 1 {
		t.Errorf("%+v", v.Leaks)
	}
}

// TestLeakMasked: who reports a secret and writes it into the place as well does
// not have it kept.
func TestLeakMasked(t *testing.T) {
	w := newWorld(t, kinds["okta"])
	w.add(shop())
	_, err := w.m.Leaked(ctx, credential.Seen{Value: "first-value", Source: "scan of first-value", Detail: strings.Repeat("x", 295) + "first-value in a URL"})
	w.must(err)
	all := fmt.Sprintf("%+v %+v", w.get(), w.found(credential.CheckLeaked, usher.OutcomeWrong))
	if strings.Contains(all, "first-value") || strings.Contains(all, "xfirst") {
		t.Error("the secret is told")
	}
}
