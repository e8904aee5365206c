package tokens_test

import (
	"fmt"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
)

const aCode = "grant_type=authorization_code&code=c1&client_id=web"

func refresh(rt string) string {
	return "grant_type=refresh_token&client_id=web&refresh_token=" + rt
}

// gave is an answer with a refresh token and an access token of its own.
func gave(rt, more string) string {
	return fmt.Sprintf(`{"access_token":"at-for-%s-0123","token_type":"Bearer","expires_in":300,"refresh_token":%q%s}`, rt, rt, more)
}

func kcRefresh(uid string, after time.Duration) *usher.Event {
	return &usher.Event{UID: uid, Time: now.Add(after), Kind: usher.EventToken, Provider: "keycloak", Code: "REFRESH_TOKEN", Status: usher.StatusSuccess, Session: "s1", Client: usher.Party{UID: client}, OAuth: usher.OAuthFacts{GrantType: "refresh_token", TokenIn: "refresh_token", TokenUID: "r" + uid}}
}

func refreshRows() []row {
	plain := `{"access_token":"at-0123456789","token_type":"Bearer","expires_in":300}`
	idle := func(days int64) func(*check.Target) {
		return func(t *check.Target) {
			t.Provider = &knowledge.Provider{Name: "x", Title: "X", Limits: map[string]knowledge.Limit{knowledge.LimitRefreshIdleDays: {Value: days}, knowledge.LimitSPARefreshHours: {Value: 24}}}
		}
	}
	often := func(apart time.Duration) func(*check.Target) {
		return func(t *check.Target) {
			for i := range 6 {
				events(kcRefresh(fmt.Sprint(i), time.Duration(i)*apart))(t)
			}
		}
	}
	same := kcRefresh("0", 2*time.Second)
	same.UID = "again"
	refused401 := func(t *check.Target) {
		call(401, api, now.Add(310*time.Second), "Authorization: Bearer at-for-rt-1-0123")(t)
	}
	return []row{
		{"refresh-present", "there", target(asked("scope=openid+offline_access", "c1"), redeemed(aCode, gave("rt-1", ""), now)), ok, ""},
		{"refresh-present", "not there", target(asked("scope=openid+offline_access", "c1"), redeemed(aCode, plain, now)), wrong, "none came"},
		{"refresh-present", "Google", target(asked("scope=openid&access_type=offline", "c1"), redeemed(aCode, plain, now)), wrong, "prompt=consent"},
		{"refresh-present", "not asked for", target(asked("scope=openid", "c1"), redeemed(aCode, plain, now)), na, ""},
		{"refresh-present", "for itself", target(redeemed("grant_type=client_credentials&client_id=web&scope=offline_access", plain, now)), na, ""},
		{"refresh-present", "a code, and no request", target(redeemed(aCode, plain, now)), unknown, ""},
		{"refresh-present", "nobody knows", target(redeemed("", plain, now)), unknown, ""},

		{"refresh-rotation", "kept", target(redeemed(refresh("rt-1"), gave("rt-2", ""), now), redeemed(refresh("rt-2"), gave("rt-3", ""), now.Add(time.Hour))), ok, ""},
		{"refresh-rotation", "lost", target(redeemed(refresh("rt-1"), gave("rt-2", ""), now), redeemed(refresh("rt-1"), "", now.Add(time.Hour))), wrong, "was replaced"},
		{"refresh-rotation", "lost, out of order", target(redeemed(refresh("rt-1"), "", now.Add(time.Hour)), redeemed(refresh("rt-1"), gave("rt-2", ""), now)), wrong, "was replaced"},
		{"refresh-rotation", "given twice", target(redeemed(refresh("rt-1"), gave("rt-2", ""), now), redeemed(refresh("rt-1"), "", time.Time{})), unknown, "given twice"},
		{"refresh-rotation", "refused, without times", target(redeemed(refresh("rt-1"), gave("rt-2", ""), time.Time{}), func(t *check.Target) {
			refused(refresh("rt-1"), evidence.ErrorBody{Code: "invalid_grant"})(t)
			t.TokenCalls[1].Time = time.Time{}
		}), wrong, "was replaced"},
		{"refresh-single-flight", "given twice", target(redeemed(refresh("rt-1"), gave("rt-2", ""), now), redeemed(refresh("rt-1"), gave("rt-2", ""), now)), ok, ""},
		{"refresh-rotation", "none", target(redeemed(refresh("rt-1"), gave("rt-1", ""), now), redeemed(refresh("rt-1"), gave("rt-1", ""), now.Add(time.Hour))), na, ""},
		{"refresh-rotation", "the next is not there", target(redeemed(refresh("rt-1"), gave("rt-2", ""), now)), unknown, ""},

		{"refresh-single-flight", "apart", target(redeemed(refresh("rt-1"), gave("rt-2", ""), now), redeemed(refresh("rt-2"), gave("rt-3", ""), now.Add(time.Second))), ok, ""},
		{"refresh-single-flight", "at once", target(redeemed(refresh("rt-1"), gave("rt-2", ""), now), redeemed(refresh("rt-1"), "", now.Add(2*time.Second))), wrong, "within 2 s"},
		{"refresh-single-flight", "in the log", target(events(kcRefresh("0", 0), same)), wrong, "within 2 s"},
		{"refresh-single-flight", "no refresh", target(redeemed(aCode, plain, now)), unknown, ""},

		{"refresh-early", "in time", target(redeemed(aCode, gave("rt-1", ""), now), redeemed(refresh("rt-1"), gave("rt-2", ""), now.Add(270*time.Second))), ok, "90 percent"},
		{"refresh-early", "far too early", target(redeemed(aCode, gave("rt-1", ""), now), redeemed(refresh("rt-1"), gave("rt-2", ""), now.Add(20*time.Second))), wrong, "7 percent"},
		{"refresh-early", "after a refusal", target(redeemed(aCode, gave("rt-1", ""), now), refused401, redeemed(refresh("rt-1"), gave("rt-2", ""), now.Add(311*time.Second))), wrong, "after a call was refused"},
		{"refresh-early", "the person came back", target(redeemed(aCode, gave("rt-1", ""), now), redeemed(refresh("rt-1"), gave("rt-2", ""), now.Add(time.Hour))), na, ""},
		{"refresh-early", "all the time", target(often(10 * time.Second)), wrong, "again and again"},
		{"refresh-early", "now and then", target(often(4 * time.Minute)), ok, ""},
		{"refresh-early", "no times", target(redeemed(aCode, gave("rt-1", ""), time.Time{}), redeemed(refresh("rt-1"), gave("rt-2", ""), time.Time{})), unknown, ""},

		{"refresh-idle", "used lately", target(idle(90), redeemed(aCode, gave("rt-1", ""), now.Add(-24*time.Hour))), ok, ""},
		{"refresh-idle", "ended", target(idle(90), redeemed(aCode, gave("rt-1", ""), now.Add(-100*24*time.Hour))), wrong, "has ended"},
		{"refresh-idle", "ends soon", target(idle(90), redeemed(aCode, gave("rt-1", ""), now.Add(-80*24*time.Hour))), wrong, "ends in 10 days"},
		{"refresh-idle", "by its answer", target(redeemed(aCode, gave("rt-1", `,"refresh_expires_in":1800`), now.Add(-time.Hour))), wrong, "refresh_expires_in"},
		{"refresh-idle", "a browser app", target(idle(90), registered(evidence.Registration{ClientID: client, RedirectURIs: []evidence.RegisteredURI{{URI: "https://a.example", Platform: "spa"}}}), redeemed(aCode, gave("rt-1", ""), now.Add(-30*time.Hour))), wrong, "1 day"},
		{"refresh-idle", "offline for ever", target(redeemed(aCode, gave("rt-1", `,"refresh_expires_in":0`), now.Add(-time.Hour))), na, ""},
		{"refresh-idle", "nobody knows", target(redeemed(aCode, gave("rt-1", ""), now)), unknown, ""},

		{"refresh-scope-widen", "less", target(redeemed(aCode, gave("rt-1", `,"scope":"a b"`), now), redeemed(refresh("rt-1")+"&scope=a", gave("rt-2", ""), now)), ok, ""},
		{"refresh-scope-widen", "more", target(redeemed(aCode, gave("rt-1", `,"scope":"a b"`), now), redeemed(refresh("rt-1")+"&scope=a+c", "", now)), wrong, `"c"`},
		{"refresh-scope-widen", "less, then the whole again", target(redeemed(aCode, gave("rt-1", `,"scope":"a b"`), now), redeemed(refresh("rt-1")+"&scope=a", gave("rt-2", `,"scope":"a"`), now), redeemed(refresh("rt-2")+"&scope=a+b", gave("rt-3", ""), now)), ok, ""},
		{"refresh-scope-widen", "Entra", target(provider("entra"), redeemed(aCode, gave("rt-1", `,"scope":"a b"`), now), redeemed(refresh("rt-1")+"&scope=a+c", "", now)), na, ""},
		{"refresh-scope-widen", "no grant known", target(redeemed(refresh("rt-1")+"&scope=a", "", now)), unknown, ""},
		{"refresh-scope-widen", "none", target(redeemed(aCode, "", now)), na, ""},
	}
}

func endingRows() []row {
	rt := redeemed(aCode, gave("rt-1", ""), now)
	left := func(role string, status int) func(*check.Target) {
		return func(t *check.Target) {
			t.Answers = append(t.Answers, &check.Answer{Place: "POST https://login.example/" + role, Role: role, Status: status, At: now.Add(time.Minute)})
		}
	}
	event := func(uid, code, endpoint, session string) *usher.Event {
		return &usher.Event{UID: uid, Time: now, Kind: usher.EventSession, Code: code, Session: session, Status: usher.StatusSuccess, OAuth: usher.OAuthFacts{Endpoint: endpoint}}
	}
	logout := func(changes obj) *check.Token {
		return made("logout", sign(key, header(obj{"typ": "logout+jwt"}), with(obj{"iss": iss, "aud": client, "iat": now.Unix(), "exp": now.Unix() + 60, "jti": "l1", "sub": "u1", "events": obj{"http://schemas.openid.net/event/backchannel-logout": obj{}}}, changes)))
	}
	return []row{
		{"revoke-on-logout", "revoked", target(rt, left("revoke", 200), left("logout", 302)), ok, ""},
		{"revoke-on-logout", "not revoked", target(rt, left("logout", 302)), wrong, "revokes nothing"},
		{"revoke-on-logout", "refused", target(rt, left("revoke", 401)), wrong, "401"},
		{"revoke-on-logout", "Keycloak ends them", target(provider("keycloak"), rt, left("logout", 302)), ok, ""},
		{"revoke-on-logout", "in the log", target(events(event("1", "user.logout", "", "s1"), event("2", "token.revoke", "revoke", "s1"), event("3", "user.logout", "", "s2"))), wrong, "without revocation"},
		{"revoke-on-logout", "revocations of another client", target(func(t *check.Target) {
			spa := event("1", "user.logout", "", "s1")
			spa.Client.UID = "spa"
			events(spa, event("2", "token.revoke", "revoke", "s2"))(t)
		}), unknown, ""},
		{"revoke-on-logout", "no revocation at all", target(events(event("1", "user.logout", "", "s1"))), unknown, ""},
		{"revoke-on-logout", "no logout", target(rt), unknown, ""},

		{"logout-token", "good", target(tokens(logout(nil))), ok, ""},
		{"logout-token", "with nonce", target(tokens(logout(obj{"nonce": "n"}))), wrong, "nonce"},
		{"logout-token", "no event", target(tokens(logout(obj{"events": obj{}}))), wrong, "event"},
		{"logout-token", "nobody named", target(tokens(logout(obj{"sub": nil}))), wrong, "sid"},
		{"logout-token", "for another client", target(tokens(logout(obj{"aud": "x"})), registered(evidence.Registration{ClientID: client})), wrong, "aud"},
		{"logout-token", "none", target(tokens(id(nil))), na, ""},
	}
}

func introspectionRows() []row {
	signed := func(k string, head, claims obj) string {
		use := key
		if k == "other" {
			use = other
		}
		return sign(use, header(with(obj{"typ": "token-introspection+jwt"}, head)), with(obj{"iss": iss, "aud": "api", "iat": now.Unix(), "token_introspection": obj{"active": true}}, claims))
	}
	tok := access(nil)
	taken := target(tokens(tok), introspected(`{"active":false}`, 200, "token="+tok.Raw.Reveal()), call(200, api, now, bearer(tok)))
	return []row{
		{"introspection-active", "active", target(introspected(`{"active":true,"aud":"https://api.example"}`, 0, "")), ok, ""},
		{"introspection-active", "not active", target(introspected(`{"active":false}`, 200, "token=x")), ok, ""},
		{"introspection-active", "no active", target(introspected(`{"sub":"u1"}`, 0, "")), wrong, "no active"},
		{"introspection-active", "a string", target(introspected(`{"active":"false"}`, 0, "")), wrong, "not true or false"},
		{"introspection-active", "another audience", target(introspected(`{"active":true,"aud":"x"}`, 0, ""), expect(check.Expect{Audiences: []string{api}})), wrong, `for "x"`},
		{"introspection-active", "ended", target(introspected(fmt.Sprintf(`{"active":true,"exp":%d}`, now.Unix()-3600), 200, "")), wrong, "has ended"},
		{"introspection-active", "401", target(introspected(`{"active":false}`, 401, "")), wrong, "401"},
		{"introspection-active", "described", target(introspected(`{"active":false,"username":"u","sub":"u1","scope":"s","exp":1}`, 200, "")), wrong, "exp is there"},
		{"introspection-active", "taken all the same", taken, wrong, "calls inactive"},

		{"introspection-jwt", "good", target(keys, issuer(iss), introspected(signed("", nil, nil), 200, "")), ok, ""},
		{"introspection-jwt", "typ", target(keys, introspected(signed("", obj{"typ": "JWT"}, nil), 200, "")), wrong, "typ"},
		{"introspection-jwt", "another key", target(keys, introspected(signed("other", nil, nil), 200, "")), wrong, "does not verify"},
		{"introspection-jwt", "lacks", target(keys, introspected(signed("", nil, obj{"aud": nil}), 200, "")), wrong, "lacks aud"},
		{"introspection-jwt", "another issuer", target(keys, issuer("https://x.example"), introspected(signed("", nil, nil), 200, "")), wrong, iss},
		{"introspection-jwt", "no keys", target(introspected(signed("", nil, nil), 200, "")), unknown, ""},
		{"introspection-jwt", "plain", target(introspected(`{"active":true}`, 200, "")), na, ""},
	}
}

func probeRows() []row {
	var out []row
	for _, id := range []string{"refresh-reuse-detected", "refresh-bound", "revocation-works", "introspection-auth", "dpop-required", "api-audience-enforced", "api-expiry-enforced", "api-signature-enforced"} {
		verdict := check.Wrong("Another word", "Of the probe itself.", usher.Proof{Place: "POST https://login.example/x", Quote: "200"})
		out = append(out,
			row{id, "refused", target(probed(id, check.ProbeAnswer{Status: 401, Error: &evidence.ErrorBody{Code: oauth.ErrInvalidGrant}})), ok, "401 invalid_grant"},
			row{id, "accepted", target(probed(id, check.ProbeAnswer{Status: 200})), wrong, ""},
			row{id, "broken", target(probed(id, check.ProbeAnswer{Status: 502})), unknown, "502"},
			row{id, "no answer", target(probed(id, check.ProbeAnswer{Note: "connection refused"})), unknown, "connection refused"},
			row{id, "skipped", target(probed(id, check.ProbeAnswer{Skipped: "no test client"})), unknown, "no test client"},
			row{id, "judged", target(probed(id, check.ProbeAnswer{Verdict: &verdict})), wrong, "Another word"},
			row{id, "not asked", target(), unknown, ""},
		)
	}
	return out
}

// TestOneMistake holds that what a client does again and again is one finding,
// with some of the times as proof.
func TestOneMistake(t *testing.T) {
	given := target()
	for i := range 6 {
		when := now.Add(time.Duration(i*(20+i)) * time.Second)
		redeemed(refresh(fmt.Sprintf("rt-%d", i)), gave(fmt.Sprintf("rt-%d", i+1), ""), when)(given)
		redeemed(refresh(fmt.Sprintf("rt-%d", i)), "", when.Add(time.Duration(i+1)*time.Second))(given)
	}
	for _, id := range [...]string{"refresh-early", "refresh-single-flight"} {
		found, _ := check.Run(given, []*check.Check{find(t, id)})
		if len(found) == 0 || found[0].Outcome != wrong || len(found[0].Proof) < 2 || len(found) > 1 && found[1].Outcome == wrong {
			t.Errorf("%s: %+v", id, found)
		}
	}
}
