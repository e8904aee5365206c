package strategy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strconv"
	"time"

	"usher"
	"usher/broker/grant"
	"usher/oauth"
)

// fallback decides by what the protocol says of a code, and by the status where
// there is none or one that nobody knows.
func (in *Input) fallback() Decision {
	r := in.Refusal
	d, ok := in.byCode()
	if !ok {
		d = in.byStatus()
	}
	d.Cause = Unknown
	if d.Title != "" {
		return d
	}
	switch {
	case r.Code != "":
		d.Title = "the provider refused with " + strconv.Quote(r.Code)
	case r.Status/100 == 3:
		d.Title = "the token endpoint sends elsewhere (status " + strconv.Itoa(r.Status) + "), and a secret is not sent along"
	case r.Page:
		d.Title = "the token endpoint answered with a page for a browser (status " + strconv.Itoa(r.Status) + ")"
	case r.Status != 0:
		d.Title = "the provider answered with status " + strconv.Itoa(r.Status) + " and nothing that can be read" + told(r.Err)
	default:
		d.Title = "the provider gave no token"
	}
	return d
}

// both gives a decision that is the same with a person and without.
func both(s Name, turn usher.Fixer) Decision { return Decision{Strategy: s, Turn: turn} }

// byCode goes by RFC 6749 section 5.2 and the codes that were added to it.
func (in *Input) byCode() (d Decision, ok bool) {
	code := in.Refusal.Code
	if code == oauth.ErrAccessDenied && in.Refusal.Status == http.StatusUnauthorized {
		code = oauth.ErrInvalidClient // Auth0's word for a wrong secret; 401 is of the client, RFC 6749 section 5.2
	}
	switch code {
	case oauth.ErrInvalidGrant:
		return in.invalidGrant(), true
	case oauth.ErrInvalidClient:
		d = both(Rotate, usher.FixerDeveloper)
		d.Wait = soon
	case oauth.ErrInvalidScope:
		d = both(Narrow, usher.FixerDeveloper)
		d.Wait = later
	case oauth.ErrAccessDenied, oauth.ErrInteractionRequired, oauth.ErrLoginRequired, oauth.ErrConsentRequired, oauth.ErrAccountSelection,
		oauth.ErrInsufficientUserAuth, oauth.ErrUnmetAuthentication, oauth.ErrInsufficientClaims:
		d = Decision{Strategy: GiveUp, Turn: usher.FixerTenantAdmin, Wait: later}
		if in.Interactive {
			d.Strategy, d.Turn = Ask, usher.FixerUser
		}
	case oauth.ErrExpiredToken: // of the device grant
		d = both(Ask, usher.FixerUser)
	case oauth.ErrInvalidToken: // some say it of the refresh token
		return in.invalidGrant(), true
	case oauth.ErrAuthorizationPending:
		d = both(Retry, usher.FixerUser)
		d.Wait = wait(5)
	case oauth.ErrSlowDown:
		d = both(Retry, usher.FixerUser)
		d.Wait = wait(10)
	case oauth.ErrServerError, oauth.ErrTemporarilyUnavailable:
		d = both(Retry, "")
		d.Endpoint = true
	case oauth.ErrUnauthorizedClient, oauth.ErrUnsupportedGrantType, oauth.ErrInvalidRequest, oauth.ErrInvalidTarget, oauth.ErrUnsupportedTokenType,
		oauth.ErrInvalidAuthDetails, oauth.ErrInvalidDPoPProof, oauth.ErrUseDPoPNonce, oauth.ErrInsufficientScope, oauth.ErrInvalidRedirectURI:
		d = both(GiveUp, usher.FixerDeveloper)
		d.Wait = later
	default:
		return Decision{}, false
	}
	return d, true
}

// invalidGrant is what was presented, and is no good: RFC 6749 section 5.2.
func (in *Input) invalidGrant() Decision {
	switch {
	case in.HasRefresh && in.Interactive:
		return Decision{Strategy: Ask, Turn: usher.FixerUser, Dead: true}
	case in.HasRefresh:
		return Decision{Strategy: Authenticate, Dead: true}
	case in.Interactive: // a code
		return both(Ask, usher.FixerUser)
	case in.GrantType == oauth.GrantTokenExchange: // the subject token may be renewed by then
		return Decision{Strategy: Authenticate, Wait: wait(60)}
	}
	d := both(GiveUp, usher.FixerDeveloper) // an assertion
	d.Wait = slow
	return d
}

// byStatus goes by the status alone.
func (in *Input) byStatus() Decision {
	r := in.Refusal
	switch s := r.Status; {
	case s == http.StatusBadRequest && r.Body == "" && !r.Page && in.HasRefresh && in.Interactive:
		// Some refuse a refresh token that they do not know without a word. It is
		// kept, and looked at again, in case that it was not they who answered.
		d := both(Ask, usher.FixerUser)
		d.Wait = slow
		return d
	case s == http.StatusUnauthorized && (in.answered() || in.Tries >= someTries):
		d := both(Rotate, usher.FixerDeveloper)
		d.Wait = soon
		return d
	case s == http.StatusForbidden: // a firewall before it, or a right that lacks
		d := both(Retry, usher.FixerDeveloper)
		d.Wait = slow
		return d
	case s/100 == 2 && r.Kind == grant.Refused && r.Code != "": // of those who give every answer this status
		d := both(GiveUp, usher.FixerDeveloper)
		d.Wait = later
		return d
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s/100 == 5, s/100 == 2, s == 0:
		d := both(Retry, "")
		d.Endpoint = true
		return d
	}
	if !in.answered() && in.Tries < someTries { // a page or a redirect of what stands before it
		d := both(Retry, "")
		d.Endpoint = true
		return d
	}
	// 3xx, 404, 405, 410, 415 ...: the address or the form of the request is wrong.
	d := both(GiveUp, usher.FixerDeveloper)
	d.Wait = slow
	if r.Kind == grant.Refused && r.Code != "" {
		d.Wait = later
	}
	return d
}

func wait(seconds int) time.Duration { return time.Duration(seconds) * time.Second }

// untrusted tells whether a connection came about and TLS did not.
func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &record) || errors.As(err, &alert) || errors.Is(err, http.ErrSchemeMismatch)
}
