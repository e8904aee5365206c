package guard

import (
	"context"
	"net/url"
	"slices"
)

type namedKey struct{}

// NamedBy marks what is asked under the context as named by a document that one
// of these origins wrote. Of the origins that the client trusts, only these
// count then: a provider's document must not choose what is asked at another
// place that the operator trusts for another reason. None at all leaves no trust.
// What is no origin is left out.
func NamedBy(ctx context.Context, origins ...string) context.Context {
	own := make([]origin, 0, len(origins))
	for _, text := range origins {
		if o, err := parseOrigin(text); err == nil {
			own = append(own, o)
		}
	}
	return context.WithValue(ctx, namedKey{}, own)
}

// trusts tells whether an origin is trusted for what is asked under ctx.
func (c *Client) trusts(ctx context.Context, o origin) bool {
	if !slices.Contains(c.trusted, o) {
		return false
	}
	own, named := ctx.Value(namedKey{}).([]origin)
	return !named || slices.Contains(own, o)
}

// MayHaveCredentials tells whether an endpoint that a provider's document names
// may be given the credential of a client. issuer is what the operator
// configured, published what the document says of itself; named are endpoints
// or origins that the operator has named for it. nil is yes.
//
// The document must be the issuer's own, to the byte (RFC 8414 section 3.3):
// otherwise whoever wrote it collects credentials (RFC 9700 section 4.4). The
// endpoint must lie at the issuer's origin or at one that was named, and TLS
// must protect the way, unless it stays on this machine.
func MayHaveCredentials(issuer, published, endpoint string, named ...string) error {
	if issuer == "" || published != issuer {
		return refused(
			"no credential is sent: the document is of the issuer "+clip(published)+", configured is "+clip(issuer),
			"configure the issuer exactly as the provider publishes it, if it is the right one")
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.User != nil {
		return refused("no credential is sent: the endpoint is no URL, or has a user name in it", "")
	}
	to, err := originOf(u)
	if err != nil {
		return err
	}
	if to.scheme != "https" && !onThisMachine(to.host) {
		return refused("no credential is sent to "+shown(u)+": it is not https", "let the provider speak TLS")
	}
	for _, own := range append([]string{issuer}, named...) {
		if o, err := parseOrigin(own); err == nil && o == to {
			return nil
		}
	}
	return refused(
		"no credential is sent to "+shown(u)+": it lies at another origin than the issuer "+clip(issuer),
		"name "+to.String()+" yourself, if it belongs to the provider")
}
