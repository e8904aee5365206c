package oauth

import (
	"net/http"
	"net/url"

	"usher"
)

// AuthorizationRequest is the URL that an app sends the browser to, RFC 6749
// section 4.1.1 with the parameters of OpenID Connect Core section 3.1.2.1,
// RFC 7636 (PKCE), RFC 8707 (resource), RFC 9101 (request), RFC 9126
// (request_uri) and RFC 9449 (dpop_jkt). An absent parameter is empty.
type AuthorizationRequest struct {
	Endpoint            string // scheme, host and path, without query and user information
	ResponseType        string
	ResponseMode        string
	ClientID            string
	RedirectURI         string // decoded once
	Scope               []string
	State               string
	Nonce               string
	CodeChallenge       string
	CodeChallengeMethod string
	Prompt              string
	LoginHint           string
	ACRValues           string
	MaxAge              string
	Resource            []string
	Audience            string // Auth0 and others; not in an RFC for this request
	RequestURI          string
	Request             string // a JWT
	Claims              string // JSON
	DPoPJKT             string
	Params              url.Values // every parameter, decoded once
	Repeated            []string   // names sent more than once (RFC 6749 section 3.1 forbids it), sorted; resource may be
}

// TokenRequest is a request to a token endpoint, RFC 6749 section 4.1.3 and
// the other grants.
type TokenRequest struct {
	Endpoint            string
	GrantType           string
	ClientID            string // from the header when the body has none
	ClientSecret        usher.Secret
	Code                usher.Secret
	RefreshToken        usher.Secret
	ClientAssertion     usher.Secret
	ClientAssertionType string
	Assertion           usher.Secret
	SubjectToken        usher.Secret // RFC 8693
	DeviceCode          usher.Secret // RFC 8628
	Username            string
	Password            usher.Secret
	CodeVerifier        usher.Secret
	RedirectURI         string
	Scope               []string
	Audience            string
	Resource            []string
	// AuthMethod is how the client says who it is, seen from header and body:
	// AuthBasic, AuthPost, AuthPrivateKeyJWT (any client_assertion) or AuthNone.
	AuthMethod string
	RawBody    usher.Secret
	Params     url.Values // every parameter of the body, decoded once; holds secrets
	// Defects are what is wrong with the request as sent, each a constant of
	// the Defect group.
	Defects []string
}

// Defects of a token request: what the reader saw in the bytes that the
// server will read otherwise than the developer meant.
const (
	DefectPlusBlank       = "+ in a secret decoded to a blank: encode it as %2B"
	DefectRawPercent      = "raw % in a value: encode it as %25"
	DefectSecretBlank     = "blank at an end of a secret"
	DefectTrailingNewline = "line break at the end of a value"
	DefectTwice           = "credentials sent twice: header and body"
	DefectRepeated        = "a parameter is sent more than once"
	DefectClientIDDiffers = "client_id differs between header and body"
	DefectJSONBody        = "body is JSON: the token endpoint needs application/x-www-form-urlencoded"
	DefectContentType     = "Content-Type is not application/x-www-form-urlencoded"
	DefectBasicMalformed  = "the Basic credentials are not base64 of id:secret"
	DefectBasicUnencoded  = "the Basic secret holds characters that RFC 6749 section 2.3.1 wants form-encoded"
	DefectQuoted          = "quotation marks around a secret"
	DefectInQuery         = "credentials in the query of the URL"
)

// AuthorizationResponse is the URL that the provider sent the browser back to,
// RFC 6749 section 4.1.2 and 4.2.2, from the query and the fragment.
type AuthorizationResponse struct {
	URL              string // scheme, host and path: where the browser was sent, without parameters
	Code             usher.Secret
	AccessToken      usher.Secret
	IDToken          usher.Secret
	State            string
	Error            string
	ErrorDescription string
	ErrorURI         string
	ErrorSubcode     string // Entra's error_subcode, Google's error_subtype
	Issuer           string // iss, RFC 9207
	SessionState     string
	Scope            []string
	FromFragment     bool // the parameters were in the fragment
	Encoded          int  // extra rounds of percent-decoding that were needed, 0 to 3
	Params           url.Values
	Repeated         []string
}

// ParseAuthorizationRequest reads the URL of an authorization request, also one
// without scheme and host. The error says that s holds no request parameters.
func ParseAuthorizationRequest(s string) (*AuthorizationRequest, error) { return nil, errNoParams }

// ParseTokenRequest reads a token request from its URL, header and body. The
// header may be nil.
func ParseTokenRequest(endpoint string, header http.Header, body string) (*TokenRequest, error) {
	return nil, errNoParams
}

// ParseAuthorizationResponse reads the URL that a browser came back with.
func ParseAuthorizationResponse(s string) (*AuthorizationResponse, error) { return nil, errNoParams }

var errNoParams = &usher.Error{Code: usher.ErrUnreadable, Message: "no parameters of OAuth found"}
