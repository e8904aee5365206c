package grant

import (
	"net/http"
	"net/url"

	"usher/oauth"
)

// authenticate puts the client's authentication into the form or the header,
// in the style that the request names and in no other.
func (a *Asker) authenticate(r *Request, form url.Values, header http.Header) *Refusal {
	if r.ClientID == "" {
		return misused(r.Endpoint, "the request names no client id", nil)
	}
	lacks := func(what string) *Refusal {
		return misused(r.Endpoint, "the client "+quoted(r.ClientID)+" authenticates by "+r.AuthMethod+" and has no "+what, nil)
	}
	switch r.AuthMethod {
	case oauth.AuthNone:
		form.Set("client_id", r.ClientID)
	case oauth.AuthBasic:
		if r.Secret == "" {
			return lacks("secret")
		}
		// RFC 6749 section 2.3.1: both are form-encoded before they are joined.
		req := http.Request{Header: header}
		req.SetBasicAuth(url.QueryEscape(r.ClientID), url.QueryEscape(r.Secret.Reveal()))
	case oauth.AuthPost:
		if r.Secret == "" {
			return lacks("secret")
		}
		form.Set("client_id", r.ClientID)
		form.Set("client_secret", r.Secret.Reveal())
	case oauth.AuthSecretJWT, oauth.AuthPrivateKeyJWT:
		as := Assertion{Issuer: r.ClientID, Subject: r.ClientID, Audience: r.Audience, Issued: a.opt.Now()}
		if as.Audience == "" {
			as.Audience = r.Endpoint
		}
		if r.AuthMethod == oauth.AuthSecretJWT {
			if r.Secret == "" {
				return lacks("secret")
			}
			as.Secret = r.Secret
		} else {
			if r.Key == "" {
				return lacks("private key")
			}
			as.Key, as.KeyID = r.Key, r.KeyID
		}
		signed, err := as.Sign()
		if err != nil {
			return misused(r.Endpoint, "no assertion can be signed for the client "+quoted(r.ClientID)+": "+err.Error(), err)
		}
		// RFC 7521 section 4.2 lets the client id go with it, and some want it.
		form.Set("client_id", r.ClientID)
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", signed.Reveal())
	case "":
		return misused(r.Endpoint, "the request names no token_endpoint_auth_method; none is tried out", nil)
	default:
		return misused(r.Endpoint, "the token_endpoint_auth_method "+quoted(r.AuthMethod)+" is not known here; "+
			"client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt and none are", nil)
	}
	return nil
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 section 2.2
