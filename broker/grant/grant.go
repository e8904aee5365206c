package grant

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"usher"
)

// Request is one request to a token endpoint. It is sent once, in the one
// authentication style that it names.
type Request struct {
	Endpoint   string       // of the operator's configuration; a secret goes nowhere else
	AuthMethod string       // client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, none
	ClientID   string       //
	Secret     usher.Secret // of the client, for the methods that have one
	Key        usher.Secret // PEM or JWK of private_key_jwt; a PEM may hold the certificate too
	KeyID      string       // kid of Key, where its JWK does not say
	Audience   string       // of the client's assertion; empty: the endpoint
	Params     url.Values   // grant_type and what belongs to it
}

// Answer is what a token endpoint gave, RFC 6749 section 5.1, with what was
// forgiven on the way.
type Answer struct {
	Access    usher.Secret
	Refresh   usher.Secret // empty: the answer held none
	ID        usher.Secret
	TokenType string // as the protocol writes it: "Bearer", "DPoP"

	Received         time.Time     // by our clock, when the request was sent: a token is never younger
	ExpiresIn        time.Duration // as told, or less where the token itself says so; 0: not told, or not to be believed (see Notes)
	RefreshExpiresIn time.Duration // as told; 0: not told

	Scopes []string // nil: not told, so as asked for (RFC 6749 section 5.1)
	User   string   // what the answer names of the user: sub of the ID token, not verified
	Notes  []string // oddities, one sentence each, without a full stop
}

// RefusalKind says what became of a request that gave no token.
type RefusalKind string

// The kinds of refusals.
const (
	Refused     RefusalKind = "refused"     // the endpoint answered with an error
	Unreadable  RefusalKind = "unreadable"  // it answered with what is no token and no error
	Unreachable RefusalKind = "unreachable" // nothing was sent: no name, no connection, no TLS
	Lost        RefusalKind = "lost"        // it was sent and no answer came: what it did there is unknown
	Busy        RefusalKind = "busy"        // 429, or 503: not now
	Misused     RefusalKind = "misused"     // not sent: the configuration cannot make a request
)

// Refusal is why there is no token. It is an error and holds no secret.
type Refusal struct {
	Kind        RefusalKind
	Endpoint    string        // origin and path
	Status      int           // of HTTP; 0: none
	Code        string        // error of RFC 6749 section 5.2, or the provider's own code
	Description string        // masked
	URI         string        // error_uri
	RetryAfter  time.Duration // 0: not told
	Body        string        // masked and bounded, for the diagnosis
	Page        bool          // the answer was a page for a browser
	SecretID    bool          // the secret that was sent has the form of an id (GUID), not of a secret
	Err         error         // what was underneath
}

func (r *Refusal) Unwrap() error { return r.Err }

// Unsure tells that it is unknown what the request did: no answer came, or one
// that does not come from who should have answered. A refresh token that was
// presented may be spent then, and presenting it again may end the family. It is
// false where nothing was sent, where the provider refused in its own words, and
// where it or what stands before it said that it took nothing on (429, most 503).
func (r *Refusal) Unsure() bool {
	switch r.Kind {
	case Lost:
		return true
	case Refused:
		// Without a code of its own it may be a gateway's word for a failure.
		return r.Status/100 == 5 && (r.Code == "" || r.Code == strconv.Itoa(r.Status) || strings.EqualFold(r.Code, http.StatusText(r.Status)))
	case Unreadable:
		// A success that cannot be read may have held the new token. Of a 5xx
		// nobody says that nothing was done.
		return r.Status/100 == 2 || r.Status/100 == 5
	}
	return false
}
