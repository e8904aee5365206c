package oauth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"usher"
)

// AuthorizationRequest is what an app sends the browser to the provider with,
// RFC 6749 section 4.1.1 and its extensions.
type AuthorizationRequest struct {
	Endpoint            string // the URL without its query
	ResponseType        string
	ResponseMode        string
	ClientID            string
	RedirectURI         string
	Scope               []string
	State               string
	Nonce               string
	CodeChallenge       string
	CodeChallengeMethod string
	Prompt              string
	LoginHint           string
	ACRValues           string
	MaxAge              string
	Resource            []string // RFC 8707
	Audience            string
	Claims              string // OpenID Connect Core section 5.5
	RequestURI          string // RFC 9126
	DPoPJKT             string // RFC 9449 section 10
	Params              url.Values
	// Repeated are parameters that stand more than once, which RFC 6749
	// section 3.1 forbids (resource excepted).
	Repeated []string
}

// ParseAuthorizationRequest reads the URL of an authorization request. It is
// an error when the URL does not parse or holds neither client_id nor
// response_type nor request_uri.
func ParseAuthorizationRequest(raw string) (*AuthorizationRequest, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, errors.New("this is no URL")
	}
	q := parseForm(u.RawQuery)
	if q.Get("client_id") == "" && q.Get("response_type") == "" && q.Get("request_uri") == "" && q.Get("redirect_uri") == "" {
		return nil, errors.New("no client_id, response_type, redirect_uri or request_uri: this is no authorization request")
	}
	r := &AuthorizationRequest{
		ResponseType: q.Get("response_type"), ResponseMode: q.Get("response_mode"), ClientID: q.Get("client_id"),
		RedirectURI: q.Get("redirect_uri"), Scope: strings.Fields(q.Get("scope")), State: q.Get("state"), Nonce: q.Get("nonce"),
		CodeChallenge: q.Get("code_challenge"), CodeChallengeMethod: q.Get("code_challenge_method"), Prompt: q.Get("prompt"),
		LoginHint: q.Get("login_hint"), ACRValues: q.Get("acr_values"), MaxAge: q.Get("max_age"), Resource: q["resource"],
		Audience: q.Get("audience"), Claims: q.Get("claims"), RequestURI: q.Get("request_uri"), DPoPJKT: q.Get("dpop_jkt"), Params: q,
	}
	for name, values := range q {
		if len(values) > 1 && name != "resource" {
			r.Repeated = append(r.Repeated, name)
		}
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	r.Endpoint = u.String()
	return r, nil
}

// parseForm reads a form or a query leniently: a pair that does not decode is
// kept as it stands.
func parseForm(raw string) url.Values {
	values := url.Values{}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		values.Add(unescape(name), unescape(value))
	}
	return values
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// AuthorizationResponse is what the provider sends back to the app, in the
// query or the fragment, RFC 6749 section 4.1.2 and OAuth 2.0 Multiple
// Response Types.
type AuthorizationResponse struct {
	Endpoint         string // the redirect URI without query and fragment
	Code             usher.Secret
	AccessToken      usher.Secret
	IDToken          usher.Secret
	State            string
	Error            string
	ErrorDescription string
	ErrorURI         string
	ErrorSubcode     string
	Issuer           string // RFC 9207
	SessionState     string
	Fragment         bool // the parameters stand in the fragment
	Params           url.Values
}

// ParseAuthorizationResponse reads a redirect back to the app. It is an error
// when the URL does not parse or has neither error nor code nor a token.
func ParseAuthorizationResponse(raw string) (*AuthorizationResponse, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, errors.New("this is no URL")
	}
	query, fragment := parseForm(u.RawQuery), parseForm(u.EscapedFragment())
	for _, form := range []struct {
		values   url.Values
		fragment bool
	}{{query, false}, {fragment, true}} {
		q := form.values
		if q.Get("error") == "" && q.Get("code") == "" && q.Get("access_token") == "" && q.Get("id_token") == "" {
			continue
		}
		r := &AuthorizationResponse{
			Code: usher.Secret(q.Get("code")), AccessToken: usher.Secret(q.Get("access_token")), IDToken: usher.Secret(q.Get("id_token")),
			State: q.Get("state"), Error: q.Get("error"), ErrorDescription: q.Get("error_description"), ErrorURI: q.Get("error_uri"),
			ErrorSubcode: first(q.Get("error_subcode"), q.Get("suberror")), Issuer: q.Get("iss"), SessionState: q.Get("session_state"),
			Fragment: form.fragment, Params: q,
		}
		u.RawQuery, u.Fragment, u.RawFragment, u.User = "", "", "", nil
		r.Endpoint = u.String()
		return r, nil
	}
	return nil, errors.New("no error, code or token in the query or the fragment: this is no authorization response")
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// TokenRequest is a request to the token endpoint, RFC 6749 section 4.1.3 and
// the other grants.
type TokenRequest struct {
	Endpoint            string
	GrantType           string
	ClientID            string
	ClientSecret        usher.Secret
	Code                usher.Secret
	RefreshToken        usher.Secret
	ClientAssertion     usher.Secret
	ClientAssertionType string
	Assertion           usher.Secret
	Username            string
	Password            usher.Secret
	CodeVerifier        usher.Secret
	RedirectURI         string
	Scope               []string
	Audience            string
	Resource            []string
	// AuthMethod is how the client authenticated: AuthBasic, AuthPost,
	// AuthPrivateKeyJWT or AuthNone.
	AuthMethod string
	Params     url.Values
	// Defects are faults of form, in words: a raw "+" that decodes to a blank,
	// credentials in header and body.
	Defects []string
}

// ParseTokenRequest reads the form of a token request and its Authorization
// header; header may be nil. It is an error when the body has no grant_type.
func ParseTokenRequest(endpoint string, header http.Header, body string) (*TokenRequest, error) {
	q := parseForm(strings.TrimSpace(body))
	if q.Get("grant_type") == "" {
		return nil, errors.New("no grant_type: this is no token request")
	}
	r := &TokenRequest{
		Endpoint: endpoint, GrantType: q.Get("grant_type"), ClientID: q.Get("client_id"), ClientSecret: usher.Secret(q.Get("client_secret")),
		Code: usher.Secret(q.Get("code")), RefreshToken: usher.Secret(q.Get("refresh_token")), ClientAssertion: usher.Secret(q.Get("client_assertion")),
		ClientAssertionType: q.Get("client_assertion_type"), Assertion: usher.Secret(first(q.Get("assertion"), q.Get("subject_token"))),
		Username: q.Get("username"), Password: usher.Secret(q.Get("password")), CodeVerifier: usher.Secret(q.Get("code_verifier")),
		RedirectURI: q.Get("redirect_uri"), Scope: strings.Fields(q.Get("scope")), Audience: q.Get("audience"), Resource: q["resource"],
		AuthMethod: AuthNone, Params: q,
	}
	switch {
	case r.ClientAssertion != "":
		r.AuthMethod = AuthPrivateKeyJWT
	case r.ClientSecret != "":
		r.AuthMethod = AuthPost
	}
	r.readHeader(header)
	r.Defects = append(r.Defects, formDefects(body)...)
	return r, nil
}

func (r *TokenRequest) readHeader(header http.Header) {
	scheme, value, _ := strings.Cut(header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil {
		r.Defects = append(r.Defects, "the Basic credentials are not base64")
		return
	}
	id, secret, _ := strings.Cut(string(pair), ":")
	if r.ClientSecret != "" || r.ClientAssertion != "" {
		r.Defects = append(r.Defects, "the client authenticates twice, in the header and in the body (RFC 6749 section 2.3 allows one)")
	}
	r.AuthMethod, r.ClientID, r.ClientSecret = AuthBasic, first(r.ClientID, unescape(id)), usher.Secret(unescape(secret))
}

// formDefects finds what a badly built form does to credentials.
func formDefects(body string) (defects []string) {
	for _, pair := range strings.Split(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "client_secret" && name != "password" && name != "refresh_token" && name != "code" {
			continue
		}
		if strings.Contains(value, "+") {
			defects = append(defects, name+" holds a raw +, which decodes to a blank")
		}
		if _, err := url.QueryUnescape(value); err != nil {
			defects = append(defects, name+" holds a raw %, which does not decode")
		}
		if strings.HasSuffix(value, "%0A") || strings.HasSuffix(value, "%0a") || strings.HasSuffix(value, "\n") {
			defects = append(defects, name+" ends with a line break")
		}
	}
	return defects
}
