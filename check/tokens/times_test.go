package tokens_test

import (
	"fmt"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/token"
)

func timeRows() []row {
	old := access(obj{"iat": now.Unix() - 7200, "exp": now.Unix() - 3600})
	answer := func(members string) string {
		return `{"access_token":"at-0123456789","token_type":"Bearer"` + members + `}`
	}
	opaqueAt := func(sent time.Duration) *check.Target {
		t := target(redeemed("grant_type=refresh_token&refresh_token=rt-1&client_id=web", answer(`,"expires_in":300`), now))
		call(200, api, now.Add(sent), "Authorization: Bearer at-0123456789")(t)
		return t
	}
	signed := func(claims obj, in int) *check.Target {
		return target(redeemed("grant_type=authorization_code&code=c1&client_id=web", fmt.Sprintf(`{"access_token":%q,"expires_in":%d,"token_type":"Bearer"}`, access(claims).Raw.Reveal(), in), now))
	}
	return []row{
		{"token-expired", "good", target(tokens(access(nil))), ok, ""},
		{"token-expired", "an hour ago", target(tokens(old)), wrong, "expired 1 h ago"},
		{"token-expired", "within the leeway", target(tokens(access(obj{"exp": now.Unix() - 30}))), ok, ""},
		{"token-expired", "1970", target(tokens(id(obj{"iat": 0, "exp": 1}))), wrong, "wrong number"},
		{"token-expired", "good when it was sent", target(tokens(old), call(200, api, now.Add(-90*time.Minute), bearer(old))), ok, ""},
		{"token-expired", "sent when it had ended", target(tokens(old), call(401, api, now.Add(-time.Minute), bearer(old))), wrong, "when it was sent to the API"},
		{"token-expired", "opaque, sent in time", opaqueAt(4 * time.Minute), ok, ""},
		{"token-expired", "opaque, sent too late", opaqueAt(10 * time.Minute), wrong, "had expired 5 min"},
		{"token-expired", "no exp", target(tokens(access(obj{"exp": nil}))), unknown, ""},

		{"token-not-yet", "good", target(tokens(access(nil))), ok, ""},
		{"token-not-yet", "nbf in the future", target(tokens(access(obj{"nbf": now.Unix() + 600}))), wrong, "becomes valid 10 min"},
		{"token-not-yet", "iat in the future", target(tokens(access(obj{"iat": now.Unix() + 7200}))), wrong, "2 h in the future"},
		{"token-not-yet", "within the leeway", target(tokens(access(obj{"iat": now.Unix() + 30}))), ok, ""},

		{"token-lifetime", "ten minutes", target(tokens(access(nil))), ok, "10 min"},
		{"token-lifetime", "a day", target(tokens(access(obj{"exp": now.Unix() + 86400}))), wrong, "lives 1 day"},
		{"token-lifetime", "the operator's limit", target(tokens(access(nil)), expect(check.Expect{AccessMax: usher.Duration(time.Minute)})), wrong, "your limit"},
		{"token-lifetime", "just over the operator's limit", target(tokens(access(nil)), expect(check.Expect{AccessMax: usher.Duration(9 * time.Minute)})), wrong, "your limit"},
		{"token-lifetime", "milliseconds", target(tokens(access(obj{"exp": now.UnixMilli() + 60000}))), wrong, "milliseconds"},
		{"token-lifetime", "expires_in in milliseconds", target(redeemed("", answer(`,"expires_in":3600000`), now)), wrong, "milliseconds instead of seconds"},
		{"token-lifetime", "expires_in is a time", target(redeemed("", answer(`,"expires_in":1795608000`), now)), wrong, "a time, not a number"},
		{"token-lifetime", "expires_in promises more", signed(nil, 3600), wrong, "promises 1 h, the token ends after 10 min"},
		{"token-lifetime", "both agree", signed(nil, 540), ok, ""},
		{"token-lifetime", "the session of some app", target(tokens(made(token.TypeAny, sign(key, obj{"alg": "EdDSA"}, obj{"iat": now.Unix(), "exp": now.Unix() + 30*86400})))), unknown, ""},
		{"token-lifetime", "a token of the issuer, of no kind", target(issuer(iss), tokens(made(token.TypeAny, sign(key, obj{"alg": "EdDSA"}, obj{"iss": iss, "iat": now.Unix(), "exp": now.Unix() + 30*86400})))), wrong, "The token lives 30 days"},
		{"token-lifetime", "no end", target(tokens(access(obj{"exp": nil}))), wrong, "never expires"},

		{"token-expires-in", "there", target(redeemed("", answer(`,"expires_in":300`), now)), ok, ""},
		{"token-expires-in", "missing", target(redeemed("", answer(""), now)), wrong, "no expires_in"},
		{"token-expires-in", "missing at GitHub", target(provider("github"), redeemed("", answer(""), now)), na, ""},
		{"token-expires-in", "zero at GitHub", target(provider("github"), redeemed("", answer(`,"expires_in":0`), now)), wrong, "has ended"},
		{"token-expires-in", "a word", target(redeemed("", answer(`,"expires_in":"soon"`), now)), wrong, "no number"},
		{"token-expires-in", "a string", target(redeemed("", answer(`,"expires_in":"3600"`), now)), wrong, "the string"},
		{"token-expires-in", "zero", target(redeemed("", answer(`,"expires_in":0`), now)), wrong, "has ended when it comes"},
	}
}

// TestOneLifetime holds that a token that lives too long is one mistake, though
// its answer says the same.
func TestOneLifetime(t *testing.T) {
	raw := access(obj{"exp": now.Unix() + 86400}).Raw.Reveal()
	given := target(redeemed("grant_type=authorization_code&code=c1&client_id=web", fmt.Sprintf(`{"access_token":%q,"expires_in":86460,"token_type":"Bearer"}`, raw), now))
	found, _ := check.Run(given, []*check.Check{find(t, "token-lifetime")})
	if len(found) != 1 || found[0].Outcome != wrong {
		t.Errorf("%d findings: %+v", len(found), found)
	}
}
