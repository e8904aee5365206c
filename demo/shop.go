package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"usher"
	"usher/lab"
)

// redirectURI is what the shop sends, with the slash that is going to be lost.
const redirectURI = "https://shop.test/cb/"

func clients() []lab.Client {
	return []lab.Client{
		{ID: "shop", Name: "Shop", RedirectURIs: []string{redirectURI}, Scopes: []string{"profile", "email", "orders"}, Service: true},
		{ID: "usher", Name: "usher", Service: true, Roles: []string{"manage-clients", "view-clients", "view-users"}},
	}
}

func people() []lab.User {
	return []lab.User{
		{Name: "ann", Given: "Ann", Family: "Archer", Password: "ann-password"},
		{Name: "ben", Given: "Ben", Family: "Baker", Password: "ben-password"},
		{Name: "cleo", Given: "Cleo", Family: "Carter", Password: "cleo-password"},
	}
}

// visitor is a person at an address.
type visitor struct{ name, user, from string }

// visitors come to the shop in turn.
var visitors = []visitor{
	{"Ann", "ann", "203.0.113.7"},
	{"Ben", "ben", "203.0.113.21"},
	{"Cleo", "cleo", "198.51.100.4"},
}

// shop is an app that signs people in with a client library.
type shop struct {
	conf oauth2.Config
	api  string
}

func newShop(base string, secret usher.Secret) *shop {
	return &shop{
		api: base + "/api/orders",
		conf: oauth2.Config{
			ClientID: "shop", ClientSecret: secret.Reveal(), RedirectURL: redirectURI, Scopes: []string{"openid", "orders"},
			Endpoint: oauth2.Endpoint{
				AuthURL: base + "/realms/shop/protocol/openid-connect/auth", TokenURL: base + "/realms/shop/protocol/openid-connect/token",
				AuthStyle: oauth2.AuthStyleInHeader,
			},
		},
	}
}

// signIn brings a visitor in: to the provider, back with a code, to the API
// with the token. It tells whether it worked; an error is one of this machine.
func (s *shop) signIn(ctx context.Context, v visitor) (bool, error) {
	browser := &http.Client{
		Timeout: 10 * time.Second, Transport: from{v.from},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	verifier := oauth2.GenerateVerifier()
	start := s.conf.AuthCodeURL("shop", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("login_hint", "lab:"+v.user))
	back, err := s.visit(ctx, browser, start)
	if err != nil || back == nil {
		return false, err
	}
	code := back.Query().Get("code")
	if code == "" || !strings.HasPrefix(back.String(), redirectURI) {
		return false, nil
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, browser)
	token, err := s.conf.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return false, nil //nolint:nilerr // a refusal is what the story is about
	}
	return s.order(ctx, browser, token)
}

// visit asks the provider and gives where it sends the browser, nil for a page.
func (s *shop) visit(ctx context.Context, browser *http.Client, to string) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return nil, err
	}
	resp, err := browser.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the provider: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode/100 != 3 {
		return nil, nil
	}
	return resp.Location()
}

// order asks the API for the visitor's orders.
func (s *shop) order(ctx context.Context, browser *http.Client, token *oauth2.Token) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api, nil)
	if err != nil {
		return false, err
	}
	token.SetAuthHeader(req)
	resp, err := browser.Do(req)
	if err != nil {
		return false, fmt.Errorf("ask the API: %w", err)
	}
	return resp.StatusCode == http.StatusOK, resp.Body.Close()
}

// from is a way to the provider from an address.
type from struct{ address string }

// RoundTrip implements http.RoundTripper.
func (f from) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.address)
	return http.DefaultTransport.RoundTrip(r)
}
