package preset

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usher"
	"usher/broker"
	"usher/check"
	"usher/check/live"
	"usher/guard"
	"usher/oauth"
)

// Sender is what Discover asks through; *guard.Client is one.
type Sender interface {
	Do(*http.Request) (*http.Response, error)
}

// mostMetadata bounds a metadata document, in bytes.
const mostMetadata = 1 << 20

// Discover makes a configuration of what an issuer publishes: OpenID Connect
// Discovery section 4 or RFC 8414 section 3, whichever is there. The document
// must be the issuer's own, to the byte, and endpoints that are given a
// credential must lie at the issuer's origin or at one of named. What it leaves
// open is for whoever adds the connection: id, client, scopes; grant and
// authentication method are the usual ones of those that are offered.
//
// Its error is an *usher.Error that names the member of the document or the
// address, and says what to do.
func Discover(ctx context.Context, client Sender, issuer string, named ...string) (broker.Config, error) {
	if why := badIssuer(issuer); why != "" {
		return broker.Config{}, wrong("issuer", clip(issuer)+" "+why, "give it as the provider publishes it, as https://login.example/realms/shop")
	}
	ctx = guard.NamedBy(ctx, append([]string{issuer}, named...)...)
	var first error
	for _, address := range live.WellKnown(issuer) {
		m, err := readMetadata(ctx, client, address)
		if err == nil {
			return fromMetadata(issuer, m, named)
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return broker.Config{}, first
}

func badIssuer(issuer string) string {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "":
		return "is no URL"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "has a user, a query or a fragment"
	case u.Scheme == "https" || u.Scheme == "http" && check.Loopback(u.Hostname()):
		return ""
	}
	return "is not https"
}

func readMetadata(ctx context.Context, client Sender, address string) (*oauth.Metadata, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, wrong("issuer", "its metadata cannot stand at "+clip(address), "look at the issuer again")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, guard.Explain(req.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostMetadata+1))
	fault := func(what string) error {
		return &usher.Error{Code: usher.ErrUnreadable, Message: "issuer: " + address + " " + what, Hint: "open the address in a browser; where the provider publishes no metadata, give the endpoints one by one"}
	}
	switch {
	case err != nil:
		return nil, guard.Explain(req.URL, err)
	case resp.StatusCode != http.StatusOK:
		return nil, fault("answers " + resp.Status)
	case len(body) > mostMetadata:
		return nil, fault("is larger than 1 MiB")
	}
	if why, page := guard.NotJSON(resp.Header); page {
		return nil, fault(why)
	}
	m, err := oauth.ParseMetadata(body)
	if err != nil {
		return nil, fault("cannot be used: " + err.Error())
	}
	return m, nil
}

func fromMetadata(issuer string, m *oauth.Metadata, named []string) (broker.Config, error) {
	if m.Issuer != issuer {
		hint := "configure the issuer exactly as the provider publishes it, if it is the right one"
		if strings.TrimSuffix(m.Issuer, "/") == strings.TrimSuffix(issuer, "/") {
			hint = "the slash at the end decides: use --issuer " + clip(m.Issuer)
		}
		return broker.Config{}, wrong("issuer", "the document says that it is of "+clip(m.Issuer)+", asked for was "+clip(issuer)+" (RFC 8414 section 3.3)", hint)
	}
	c := broker.Config{Issuer: issuer, Endpoints: broker.Endpoints{
		Token: m.TokenEndpoint, Authorization: m.AuthorizationEndpoint, JWKS: m.JWKSURI, IssuerInResponse: m.IssParameter,
		DeviceAuthorization: member(m, "device_authorization_endpoint"), Revocation: member(m, "revocation_endpoint"), Introspection: member(m, "introspection_endpoint"),
	}}
	if c.Endpoints.Token == "" {
		return broker.Config{}, wrong("token_endpoint", "the document of "+clip(issuer)+" names none", "give the endpoints one by one")
	}
	for _, e := range []struct{ name, address string }{
		{"token_endpoint", c.Endpoints.Token},
		{"device_authorization_endpoint", c.Endpoints.DeviceAuthorization},
		{"revocation_endpoint", c.Endpoints.Revocation},
		{"introspection_endpoint", c.Endpoints.Introspection},
	} {
		if e.address == "" {
			continue
		}
		if err := guard.MayHaveCredentials(issuer, m.Issuer, e.address, named...); err != nil {
			told := &usher.Error{Code: usher.ErrRefused, Message: e.name + ": " + err.Error()}
			if g, ok := err.(*usher.Error); ok {
				told.Hint = g.Hint
			}
			return broker.Config{}, told
		}
	}
	for _, e := range []struct{ name, address string }{{"authorization_endpoint", c.Endpoints.Authorization}, {"jwks_uri", c.Endpoints.JWKS}} {
		if e.address == "" {
			continue
		}
		if u, err := url.Parse(e.address); err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && check.Loopback(u.Hostname())) {
			return broker.Config{}, wrong(e.name, clip(e.address)+" is no https URL", "let the provider publish one")
		}
	}
	c.Grant, c.AuthMethod = usualGrant(m, c.Endpoints), usualAuth(m)
	if c.Grant == broker.GrantCode || c.Grant == broker.GrantDevice {
		for _, scope := range []string{"openid", "offline_access"} {
			if slices.Contains(m.ScopesSupported, scope) {
				c.Scopes = append(c.Scopes, scope)
			}
		}
	}
	return c, nil
}

// member gives a string that the document has beside what is read of it.
func member(m *oauth.Metadata, name string) (text string) {
	_ = json.Unmarshal(m.Raw[name], &text)
	return text
}

// usualGrant is the one that most who add this provider will want: a person
// connects, where there is a page for that.
func usualGrant(m *oauth.Metadata, e broker.Endpoints) string {
	has := func(grant string) bool { return slices.Contains(m.GrantTypes, grant) }
	switch {
	case e.Authorization != "" && (len(m.GrantTypes) == 0 || has(broker.GrantCode)): // RFC 8414 section 2: the default
		return broker.GrantCode
	case has(broker.GrantClientCredentials):
		return broker.GrantClientCredentials
	case e.DeviceAuthorization != "" && has(broker.GrantDevice):
		return broker.GrantDevice
	}
	return broker.GrantClientCredentials
}

// usualAuth prefers what keeps the secret out of the body, and takes the
// standard's default where nothing is said.
func usualAuth(m *oauth.Metadata) string {
	for _, method := range AuthMethods {
		if slices.Contains(m.AuthMethods, method) {
			return method
		}
	}
	return oauth.AuthBasic
}
