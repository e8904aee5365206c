package keycloak

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/oauth"
	"usher/provider"
)

// token is the service account's access token.
type token struct {
	turn  chan struct{} // held while the rest is read or written
	value usher.Secret
	until time.Time // when it is renewed: well before it expires
}

// bearer gives a token that is good for a while yet. stale is one that was
// refused: it is not given again.
func (a *Admin) bearer(ctx context.Context, stale usher.Secret) (usher.Secret, error) {
	t := &a.token
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", a.unreachable(a.place+" gave no token in time", ctx.Err())
	}
	if t.value != "" && t.value != stale && a.cfg.Now().Before(t.until) {
		return t.value, nil
	}
	t.value = ""
	asked := a.cfg.Now()
	value, lifetime, err := a.askToken(ctx)
	if err != nil {
		return "", err
	}
	// A third of the lifetime is left for clocks, and for calls on their way;
	// never more than half a minute.
	t.value, t.until = value, asked.Add(lifetime-min(lifetime/3, 30*time.Second))
	return t.value, nil
}

func (a *Admin) askToken(ctx context.Context) (usher.Secret, time.Duration, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.issuer+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, a.unreachable("no token could be asked of "+a.place, nil)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// RFC 6749 section 2.3.1: both are form-encoded before they are joined.
	req.SetBasicAuth(url.QueryEscape(a.cfg.ClientID), url.QueryEscape(a.cfg.Secret.Reveal()))
	status, body, err := a.send(req)
	if err != nil {
		return "", 0, err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	parsed := json.Unmarshal(body, &answer) == nil
	if status != http.StatusOK {
		return "", 0, a.tokenRefused(status, answer.Error, answer.Description)
	}
	if !parsed || answer.AccessToken == "" {
		return "", 0, a.unreachable("the token endpoint of "+a.place+" gave no token", nil)
	}
	lifetime := time.Duration(min(max(answer.ExpiresIn, 0), 24*3600)) * time.Second
	return usher.Secret(answer.AccessToken), lifetime, nil
}

func (a *Admin) tokenRefused(status int, code, description string) error {
	told := &usher.Error{Code: usher.ErrForbidden, Err: silent{provider.ErrForbidden}}
	account := "usher's service account '" + short(a.cfg.ClientID) + "' in " + a.place
	switch {
	case code == oauth.ErrUnauthorizedClient && strings.Contains(strings.ToLower(description), "service account"):
		told.Message = account + " may not ask for a token of its own"
		told.Hint = "Clients > " + short(a.cfg.ClientID) + " > Settings: switch on Client authentication and Service accounts roles"
	case code == oauth.ErrInvalidClient, code == oauth.ErrUnauthorizedClient:
		// Keycloak says unauthorized_client of a wrong secret too.
		told.Message = account + " is refused: the client does not exist, is disabled, or its secret is another one"
		told.Hint = "Clients > " + short(a.cfg.ClientID) + " > Credentials: copy the secret to where the configuration reads it"
	default:
		if status == http.StatusNotFound {
			told.Code, told.Err = usher.ErrNotFound, silent{provider.ErrNotFound}
			told.Message, told.Hint = "there is no "+a.place, "see the issuer in the configuration: it is the iss of the realm's tokens"
			break
		}
		return a.answered("the token endpoint of "+a.place, status)
	}
	return told
}
