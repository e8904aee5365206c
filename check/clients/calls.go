package clients

import (
	"strings"

	"usher/check"
	"usher/oauth"
)

// requests gives the authorization requests that were seen whole: not those of
// which the operator said a part, nor sign-outs.
func requests(t *check.Target) func(func(*check.AuthCall) bool) {
	return func(yield func(*check.AuthCall) bool) {
		for _, c := range t.AuthCalls {
			if c == nil || c.Request == nil || c.Partial || c.Request == t.Request || c.Request.Params.Has("post_logout_redirect_uri") {
				continue
			}
			if !yield(c) {
				return
			}
		}
	}
}

// clientOf gives the client of an authorization request or answer. An answer
// alone is of the request with its state, or of the only client there is.
func clientOf(t *check.Target, c *check.AuthCall) string {
	if c.Request != nil {
		return c.Request.ClientID
	}
	if c.Response != nil && c.Response.State != "" {
		for a := range requests(t) {
			if a.Request.State == c.Response.State {
				return a.Request.ClientID
			}
		}
	}
	return t.SoleClient()
}

// backAt gives the place of the answer to an authorization request.
func backAt(c *check.AuthCall) string {
	if c.ResponsePlace != "" {
		return c.ResponsePlace
	}
	return c.Place
}

// pushed tells whether the parameters of a request lie elsewhere: at the
// provider (RFC 9126) or in a signed object (RFC 9101).
func pushed(r *oauth.AuthorizationRequest) bool {
	return r.RequestURI != "" || r.Params.Has("request")
}

// asksFor tells whether response_type holds a word: "code" of "code id_token".
// Without response_type the answer is code, as the one that everybody has.
func asksFor(responseType, word string) bool {
	if responseType == "" {
		return word == "code"
	}
	for w := range strings.FieldsSeq(responseType) {
		if w == word {
			return true
		}
	}
	return false
}

// tokenCalls gives the token requests that were seen.
func tokenCalls(t *check.Target) func(func(*check.TokenCall) bool) {
	return func(yield func(*check.TokenCall) bool) {
		for _, c := range t.TokenCalls {
			if c != nil && c.Request != nil && !yield(c) {
				return
			}
		}
	}
}

// sameCall tells whether two requests may be one that was given twice, in a
// recording and as a command: their times do not tell them apart.
func sameCall(a, b *check.TokenCall) bool {
	return a.Time.IsZero() || b.Time.IsZero() || a.Time.Equal(b.Time)
}

// granted tells whether a token request was answered with a token.
func granted(c *check.TokenCall) bool {
	return c.Response != nil && c.Response.Error == nil && (c.Response.AccessToken != "" || c.Response.IDToken != "")
}

// requestOf gives the authorization request that a code came from: the one
// whose answer held the code, or, where no answer with a code is known, the only
// request of that client. Nil is unknown.
func requestOf(t *check.Target, c *check.TokenCall) *check.AuthCall {
	var only *check.AuthCall
	n := 0
	for a := range requests(t) {
		if a.Response != nil && a.Response.Code != "" {
			if a.Response.Code == c.Request.Code {
				return a
			}
			continue
		}
		if a.Response != nil || !asksFor(a.Request.ResponseType, "code") {
			continue
		}
		if c.Request.ClientID == "" || sameClient(a.Request.ClientID, c.Request.ClientID) {
			only = a
			n++
		}
	}
	if n == 1 && codeCalls(t) == 1 {
		return only
	}
	return nil
}

func codeCalls(t *check.Target) int {
	n := 0
	for c := range tokenCalls(t) {
		if c.Request.GrantType == oauth.GrantAuthorizationCode {
			n++
		}
	}
	return n
}
