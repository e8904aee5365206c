package broker_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usher"
	"usher/broker"
	"usher/policy/lifespan"
)

// TestAbsoluteAlone: a limit to how long a person's consent lasts ends nothing of
// a client that gets its tokens by itself, and has the provider asked no more
// often.
func TestAbsoluteAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := h.replica("one", func(o *broker.Options) {
			o.Lifespans = &lifespan.Set{Policies: []lifespan.Policy{{Name: "default", Absolute: usher.Duration(20 * time.Second)}}}
		})
		stop := h.run(b)
		defer stop()
		c, k := machine()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(time.Minute)
			if tok := h.token(b, broker.Ask{}); tok.Short != "" {
				t.Errorf("%+v", tok)
			}
		}
		if n := h.provider.requests(); n != 1 {
			t.Errorf("a token of an hour was asked for %d times in ten minutes", n)
		}
	})
}

// TestExplainLeads: the reasons lead to the moment that is shown, also where a
// token lives for so short that the broker itself holds back.
func TestExplainLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.provider.life = 20 * time.Second
		b := h.replica("one")
		c, k := machine()
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		h.token(b, broker.Ask{})
		st := h.view(b).Status
		if got := st.RenewAt.Sub(st.Obtained); got != 10*time.Second {
			t.Errorf("it is renewed after %v", got)
		}
		reasons, err := b.Explain(t.Context(), shop)
		if err != nil || len(reasons) == 0 {
			t.Fatal(reasons, err)
		}
		if last := reasons[len(reasons)-1]; last.Value != "10s" || !strings.Contains(last.Text, "no earlier than 10s") {
			t.Errorf("the last reason is %+v", last)
		}
	})
}
