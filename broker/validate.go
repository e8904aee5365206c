package broker

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// authMethods are the ways in which a client may name itself, RFC 7591 section
// 2.
var authMethods = []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"}

// taken are parameters that the broker sets itself.
var taken = []string{
	"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "refresh_token", "assertion",
	"code", "code_verifier", "redirect_uri", "device_code", "subject_token", "subject_token_type", "requested_token_type",
	"scope", "state", "nonce", "resource",
}

// Validate tells everything that is wrong with a configuration, joined.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if !validID(c.ID) {
		wrong("id: small letters, digits and hyphens, 1 to 63, beginning with a letter or digit")
	}
	if !slices.Contains(Grants, c.Grant) {
		wrong("grant_type: %q is none of %s", c.Grant, strings.Join(Grants, ", "))
	}
	if !slices.Contains(authMethods, c.AuthMethod) {
		wrong("token_endpoint_auth_method: %q is none of %s; it is never tried out", c.AuthMethod, strings.Join(authMethods, ", "))
	}
	if c.ClientID == "" && c.Grant != GrantJWTBearer {
		wrong("client_id: missing")
	}
	if c.Endpoints.Token == "" {
		wrong("token_endpoint: missing")
	}
	for _, e := range []struct{ name, url string }{
		{"token_endpoint", c.Endpoints.Token},
		{"authorization_endpoint", c.Endpoints.Authorization},
		{"device_authorization_endpoint", c.Endpoints.DeviceAuthorization},
		{"revocation_endpoint", c.Endpoints.Revocation},
		{"introspection_endpoint", c.Endpoints.Introspection},
		{"jwks_uri", c.Endpoints.JWKS},
		{"issuer", c.Issuer},
	} {
		if e.url != "" && !absolute(e.url) {
			wrong("%s: %q is no absolute https URL (http only on this machine) without a fragment", e.name, e.url)
		}
	}
	switch {
	case c.Grant == GrantCode && c.Endpoints.Authorization == "":
		wrong("authorization_endpoint: missing, and a person connects there")
	case c.Grant == GrantDevice && c.Endpoints.DeviceAuthorization == "":
		wrong("device_authorization_endpoint: missing, and a device flow begins there")
	case c.Grant == GrantTokenExchange && c.Subject == "":
		wrong("subject_connection: missing: whose token is exchanged?")
	}
	for name := range c.Extra {
		if slices.Contains(taken, name) {
			wrong("parameters: %q is set by the broker itself", name)
		}
	}
	for _, target := range c.Targets {
		if u, err := url.Parse(target); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			wrong("targets: %q is no origin, as https://api.example.com", target)
		}
	}
	if c.ReuseGrace < 0 {
		wrong("refresh_reuse_grace: negative")
	}
	return errors.Join(errs...)
}

// validKeys tells whether the keys are what the configuration needs.
func (c *Config) validKeys(k Keys) error {
	var errs []error
	switch c.AuthMethod {
	case "client_secret_basic", "client_secret_post", "client_secret_jwt":
		if (k.ClientSecret == "") == (k.Credential == "") {
			errs = append(errs, errors.New("client_secret: "+c.AuthMethod+" needs a client secret, or the name of a managed one, and not both"))
		}
	case "private_key_jwt":
		if k.PrivateKey == "" {
			errs = append(errs, errors.New("private_key: private_key_jwt needs one"))
		}
	}
	if c.Grant == GrantJWTBearer && k.PrivateKey == "" {
		errs = append(errs, errors.New("private_key: the JWT bearer grant needs one to sign its assertion"))
	}
	return errors.Join(errs...)
}

func validID(id string) bool {
	if id == "" || len(id) > 63 || id[0] == '-' {
		return false
	}
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

// absolute tells whether an endpoint is an absolute URL that a secret may be
// sent to: https, or http to this machine.
func absolute(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil {
		return false
	}
	switch u.Scheme {
	case "https":
		return true
	case "http":
		h := u.Hostname()
		return h == "localhost" || h == "::1" || strings.HasPrefix(h, "127.") || strings.HasSuffix(h, ".localhost")
	}
	return false
}
