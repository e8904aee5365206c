package providers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/check/providers"
	"usher/report"
)

// TestKeysAreNamed: the id of a published key is no secret, however long and
// random it is, and says which key is meant.
func TestKeysAreNamed(t *testing.T) {
	for _, kid := range []string{"1LTMzakihiRla_8z2BEJVXeWMqo", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "0d8a67399e7882acae7d7f68b2280256a796a582"} {
		for name, c := range map[string]change{
			"jwks-use-alg": keys(rsaKey(kid, m{"alg": nil})), "jwks-no-private": keys(rsaKey(kid, m{"d": "AQAB"})),
			"jwks-key-size": keys(rsaKey(kid, m{"e": "AQ"})), "jwks-symmetric-mix": keys(m{"kty": "oct", "kid": kid, "k": "AAAA"}),
		} {
			findings, _ := check.Run(target(c), providers.Checks)
			shown := report.Masked(usher.Answer{Findings: findings})
			for i := range shown.Findings {
				f := &shown.Findings[i]
				if text, _ := json.Marshal(f); f.Check == name && !strings.Contains(string(text), kid) {
					t.Errorf("%s does not name the key %s: %s", name, kid, text)
				}
			}
		}
	}
}
