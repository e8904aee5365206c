package broker_test

import (
	"testing"
	"testing/synctest"

	"usher/broker"
	"usher/broker/grant"
)

// TestAssertionAudience: a client that proves itself with an assertion says the
// same of its audience when a token is renewed as when it was connected.
func TestAssertionAudience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		audience := "nobody asked"
		h.provider.refuses = func(r grant.Request) *grant.Refusal {
			audience = r.Audience
			return nil
		}
		b := h.replica("one")
		c, _ := machine()
		c.AuthMethod, c.AssertionAudience = "private_key_jwt", "https://shop.eu.auth0.example/"
		k := broker.Keys{PrivateKey: "a key"}
		if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
			t.Fatal(err)
		}
		h.token(b, broker.Ask{})
		if audience != c.AssertionAudience {
			t.Errorf("the assertion is for %q", audience)
		}
	})
}
