package tokens_test

import (
	"fmt"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

// signedIn is a sign-in by code: the request, then the answer with an ID token.
func signedIn(params string, claims obj) *check.Target {
	return target(asked(params, "c1"), redeemed("grant_type=authorization_code&code=c1&client_id="+client, fmt.Sprintf(`{"access_token":"at-0123456789","token_type":"Bearer","expires_in":300,"id_token":%q}`, id(claims).Raw.Reveal()), now))
}

// hybrid is an answer of the authorization endpoint with an ID token and a code.
func hybrid(claims obj) *check.Target {
	t := target(asked("nonce=n1", "c1"))
	tok := id(claims)
	t.AuthCalls[0].Response.IDToken = tok.Raw
	t.Tokens = append(t.Tokens, tok)
	return t
}

const stepUpHeader = `Www-Authenticate: Bearer error="insufficient_user_authentication", acr_values="gold", max_age="5"`

func signinRows() []row {
	half := token.HalfHash("EdDSA", "at-0123456789")
	again := access(obj{"jti": "j2", "acr": "silver"})
	first := access(obj{"acr": "silver"})
	essential := "claims=" + `%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%2C%22values%22%3A%5B%22gold%22%5D%7D%7D%7D`
	userinfo := func(sub string) *check.Target {
		t := signedIn("nonce=n1", nil)
		call(200, iss+"/userinfo", now, "Authorization: Bearer at-0123456789")(t)
		body(sub)(t)
		return t
	}
	partly := func(t *check.Target) *check.Target { // as --client-id gives it
		t.AuthCalls[0].Partial = true
		return t
	}
	return []row{
		{"token-nonce", "a request that was told of only", partly(signedIn("state=s", nil)), unknown, ""},
		{"token-auth-time", "a request that was told of only", partly(signedIn("state=s", nil)), unknown, ""},
		{"token-nonce", "equal", signedIn("nonce=n1", nil), ok, ""},
		{"token-nonce", "another", signedIn("nonce=n2", nil), wrong, "not that of the request"},
		{"token-nonce", "lost", signedIn("nonce=n1", obj{"nonce": nil}), wrong, "holds none"},
		{"token-nonce", "not asked for", signedIn("state=s", nil), wrong, "sent none"},
		{"token-nonce", "neither", signedIn("state=s", obj{"nonce": nil}), na, ""},
		{"token-nonce", "no request", target(tokens(id(nil))), unknown, ""},

		{"token-hashes", "fits", signedIn("nonce=n1", obj{"at_hash": half}), ok, ""},
		{"token-hashes", "does not fit", signedIn("nonce=n1", obj{"at_hash": "AAAA"}), wrong, "at_hash"},
		{"token-hashes", "c_hash does not fit", hybrid(obj{"c_hash": "AAAA"}), wrong, "c_hash"},
		{"token-hashes", "c_hash is missing", hybrid(nil), wrong, "no c_hash"},
		{"token-hashes", "c_hash fits", hybrid(obj{"c_hash": token.HalfHash("EdDSA", "c1")}), ok, ""},
		{"token-hashes", "nothing to compare with", target(tokens(id(obj{"at_hash": half}))), unknown, ""},
		{"token-hashes", "none needed", signedIn("nonce=n1", nil), na, ""},

		{"token-auth-time", "fresh", signedIn("nonce=n1&max_age=600", obj{"auth_time": now.Unix() - 60}), ok, ""},
		{"token-auth-time", "stale", signedIn("nonce=n1&max_age=600", obj{"auth_time": now.Unix() - 3600}), wrong, "max_age"},
		{"token-auth-time", "not told", signedIn("nonce=n1&max_age=600", nil), wrong, "auth_time"},
		{"token-auth-time", "too weak", signedIn("nonce=n1&"+essential, obj{"acr": "silver"}), wrong, "acr"},
		{"token-auth-time", "strong", signedIn("nonce=n1&"+essential, obj{"acr": "gold"}), ok, ""},
		{"token-auth-time", "refreshed later", target(asked("nonce=n1&max_age=60", "c0"), redeemed(refresh("rt-1"), fmt.Sprintf(`{"access_token":"at-0123456789","token_type":"Bearer","id_token":%q}`, id(obj{"nonce": nil, "auth_time": now.Unix() - 3600}).Raw.Reveal()), now)), na, ""},
		{"token-nonce", "refreshed later", target(asked("nonce=n1", "c0"), redeemed(refresh("rt-1"), fmt.Sprintf(`{"access_token":"at-0123456789","token_type":"Bearer","id_token":%q}`, id(obj{"nonce": nil}).Raw.Reveal()), now)), na, ""},
		{"token-auth-time", "nothing asked", signedIn("nonce=n1", nil), na, ""},
		{"token-auth-time", "the API asks for more", target(tokens(first), call(401, api, now, bearer(first), "", stepUpHeader)), wrong, "acr_values=gold and max_age=5"},
		{"token-auth-time", "and gets it", target(tokens(first), call(401, api, now, bearer(first), "", stepUpHeader), asked("acr_values=gold&max_age=5", ""), later), ok, ""},

		{"token-step-up-loop", "twice, two tokens", target(tokens(first, again), call(401, api, now, bearer(first), "", stepUpHeader), call(401, api, now.Add(time.Minute), bearer(again), "", stepUpHeader)), wrong, "same as the old one"},
		{"token-step-up-loop", "once", target(tokens(first), call(401, api, now, bearer(first), "", stepUpHeader)), ok, ""},
		{"token-step-up-loop", "twice, one token", target(tokens(first), call(401, api, now, bearer(first), "", stepUpHeader), call(401, api, now, bearer(first), "", stepUpHeader)), ok, ""},
		{"token-step-up-loop", "twice, tokens masked", target(call(401, api, now, "Authorization: Bearer ***", "", stepUpHeader), call(401, api, now, "Authorization: Bearer ***", "", stepUpHeader)), unknown, ""},
		{"token-step-up-loop", "never", target(tokens(first), call(200, api, now, bearer(first))), na, ""},

		{"userinfo-sub", "equal", userinfo(`{"sub":"u1"}`), ok, ""},
		{"userinfo-sub", "another", userinfo(`{"sub":"u2"}`), wrong, "two people"},
		{"userinfo-sub", "none", userinfo(`{"name":"x"}`), wrong, "no sub"},
		{"userinfo-sub", "content is not there", userinfo(""), unknown, ""},
		{"userinfo-sub", "signed", userinfo(sign(key, header(nil), obj{"sub": "u2"})), wrong, "two people"},
		{"userinfo-sub", "another API", target(call(200, api, now)), unknown, ""},
	}
}

func challengeRows() []row {
	const claims = `{"access_token":{"capolids":{"essential":true,"values":["c1d2"]}}}`
	aad := evidence.ErrorBody{
		Code: oauth.ErrInteractionRequired, Description: "AADSTS50076: Due to a configuration change made by your administrator, you must use multi-factor authentication.",
		Codes: []string{"AADSTS50076"}, Suberror: "basic_action", Claims: claims,
		TraceID: "0f7c1ac6-0000-4000-8000-000000000000", Correlation: "1f7c1ac6-0000-4000-8000-000000000000",
	}
	const form = "grant_type=refresh_token&refresh_token=rt-1&client_id=web"
	passed := "claims=" + "%7B%22access_token%22%3A%7B%22capolids%22%3A%7B%22essential%22%3Atrue%2C%22values%22%3A%5B%22c1d2%22%5D%7D%7D%7D"
	cae := `Www-Authenticate: Bearer error="insufficient_claims", claims="` + "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNjA0MTA2NjUxIn19fQ==" + `"`
	return []row{
		{"token-claims-challenge", "not answered", target(refused(form, aad)), wrong, "AADSTS50076, suberror basic_action, trace id 0f7c1ac6"},
		{"token-claims-challenge", "the claims are named", target(refused(form, aad)), wrong, "capolids"},
		{"token-claims-challenge", "left out", target(refused(form, aad), asked("nonce=n1", ""), later), wrong, "leaves them out"},
		{"token-claims-challenge", "answered", target(refused(form, aad), asked(passed, ""), later), ok, ""},
		{"token-claims-challenge", "of an API", target(call(401, api, now, "Authorization: Bearer at-0123456789", "", cae)), wrong, "The API asks"},
		{"token-claims-challenge", "at the way back", target(asked("nonce=n1", ""), cameBack), wrong, "interaction_required"},
		{"token-claims-challenge", "cannot be read", target(call(401, api, now, "", `Www-Authenticate: Bearer error="insufficient_claims", claims="%%%"`)), wrong, "cannot be read"},
		{"token-claims-challenge", "none", target(refused(form, evidence.ErrorBody{Code: "invalid_grant"})), na, ""},

		{"refresh-revoked-cause", "by code", target(refused(form, aad)), wrong, "AADSTS50076"},
		{"refresh-revoked-cause", "with the trace id", target(refused(form, aad)), wrong, "trace id 0f7c1ac6-0000-4000-8000-000000000000"},
		{"refresh-revoked-cause", "an error alone", target(refused("", aad)), wrong, "The grant is refused"},
		{"refresh-revoked-cause", "in words", target(refused(form, evidence.ErrorBody{Code: "invalid_grant", Description: "Token has been expired or revoked."})), wrong, "was revoked"},
		{"refresh-revoked-cause", "Keycloak's words", target(refused(form, evidence.ErrorBody{Code: "invalid_grant", Description: "Session not active"})), wrong, "the session has ended"},
		{"refresh-revoked-cause", "a wrong password", target(refused("grant_type=password&client_id=web&username=u&password=p", evidence.ErrorBody{Code: "invalid_grant", Description: "Wrong email or password."})), wrong, "The password is refused: the name or the password is not right"},
		{"refresh-revoked-cause", "an old password", target(refused("grant_type=password&client_id=web&username=u&password=p", evidence.ErrorBody{Code: "invalid_grant", Description: "The password has expired"})), wrong, "must be changed"},
		{"refresh-revoked-cause", "the password was changed", target(refused(form, evidence.ErrorBody{Code: "invalid_grant", Description: "User password changed"})), wrong, "the password was changed"},
		{"refresh-revoked-cause", "no reason", target(refused(form, evidence.ErrorBody{Code: "invalid_grant"})), wrong, "does not say why"},
		{"refresh-revoked-cause", "another error", target(refused(form, evidence.ErrorBody{Code: "invalid_client"})), na, ""},
		{"refresh-revoked-cause", "in the log", target(events(&usher.Event{UID: "e1", Time: now, Kind: usher.EventToken, Provider: "keycloak", Status: usher.StatusFailure, StatusCode: "invalid_token", StatusDetail: "Stale token", OAuth: usher.OAuthFacts{GrantType: "refresh_token"}, Client: usher.Party{UID: client}})), wrong, "1 in the log"},
		{"refresh-revoked-cause", "a good one", target(redeemed(form, `{"access_token":"at-0123456789","token_type":"Bearer"}`, now)), ok, ""},
	}
}

// cameBack makes the answer of the last authorization request a demand for claims.
func cameBack(t *check.Target) {
	r, err := oauth.ParseAuthorizationResponse("https://app.example/cb?error=interaction_required&error_description=AADSTS50079&claims=%7B%22id_token%22%3A%7B%22x%22%3Anull%7D%7D")
	if err != nil {
		panic(err)
	}
	t.AuthCalls[len(t.AuthCalls)-1].Response = r
}
