package auth0

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"usher"
	"usher/provider"
	"usher/provider/rest"
)

// credential is a client credential, as Auth0 writes it.
type credential struct {
	ID      string    `json:"id,omitempty"`
	Name    string    `json:"name,omitempty"`
	KeyID   string    `json:"kid,omitempty"`
	Type    string    `json:"credential_type,omitempty"`
	PEM     string    `json:"pem,omitempty"`
	Alg     string    `json:"alg,omitempty"`
	Created time.Time `json:"created_at,omitzero"`
	Expires time.Time `json:"expires_at,omitzero"`
}

func (k *credential) told(enabled []string, now time.Time) provider.ClientSecret {
	s := provider.ClientSecret{ID: k.ID, Name: k.Name, Created: k.Created, Expires: k.Expires}
	s.Off = !slices.Contains(enabled, k.ID) || !k.Expires.IsZero() && !now.Before(k.Expires)
	return s
}

// keys lists the keys of a client.
func (a *Admin) keys(ctx context.Context, c *client, path string) ([]provider.ClientSecret, error) {
	var found []credential
	err := a.rest.Do(ctx, rest.Request{
		Method: http.MethodGet, URL: path + "/credentials", What: "the credentials of client '" + c.ID + "'", Right: "the permission read:client_credentials", Out: &found,
	})
	if err != nil {
		return nil, err
	}
	list, enabled, now := make([]provider.ClientSecret, 0, len(found)), c.enabled(), a.rest.Now()
	for i := range found {
		list = append(list, found[i].told(enabled, now))
	}
	slices.SortStableFunc(list, func(a, b provider.ClientSecret) int { return a.Created.Compare(b.Created) })
	return list, nil
}

// enable makes the named keys be those that the client authenticates with.
func (a *Admin) enable(ctx context.Context, c *client, path string, ids []string) error {
	refs := make([]reference, 0, len(ids))
	for _, id := range ids {
		refs = append(refs, reference{id})
	}
	return a.rest.Do(ctx, rest.Request{
		Method: http.MethodPatch, URL: path, What: "the keys of client '" + c.ID + "'", Right: "the permission update:clients",
		In: map[string]any{"client_authentication_methods": map[string]any{"private_key_jwt": map[string]any{"credentials": refs}}},
	})
}

func (a *Admin) drop(ctx context.Context, c *client, path, id string) error {
	err := a.rest.Do(ctx, rest.Request{
		Method: http.MethodDelete, URL: path + "/credentials/" + url.PathEscape(id), What: "a key of client '" + c.ID + "'", Right: "the permission delete:client_credentials",
	})
	if errors.Is(err, provider.ErrNotFound) {
		return nil
	}
	return err
}

// createKey makes a key pair, gives Auth0 the public half and lets the client
// use it beside the others. A half that was given and could not be enabled is
// taken away again.
func (a *Admin) createKey(ctx context.Context, c *client, path string, want provider.NewSecret) (made provider.ClientSecret, value usher.Secret, err error) {
	list, err := a.keys(ctx, c, path)
	if err != nil {
		return made, "", err
	}
	if len(list) >= most {
		return made, "", rest.Refused("client '"+c.ID+"' has two keys, and Auth0 keeps no third one; nothing was changed", "retire the one that nobody uses any more", provider.ErrFull)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return made, "", &usher.Error{Code: usher.ErrInternal, Message: "no key can be made"}
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return made, "", &usher.Error{Code: usher.ErrInternal, Message: "the public key cannot be written"}
	}
	asked := credential{Name: want.Name, Type: "public_key", Alg: "RS256", KeyID: "usher-" + rand.Text()[:20], Expires: want.Expires.UTC()}
	if want.Expires.IsZero() {
		asked.Expires = time.Time{}
	}
	asked.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	var answer credential
	err = a.rest.Do(ctx, rest.Request{
		Method: http.MethodPost, URL: path + "/credentials", What: "a new key of client '" + c.ID + "'", Right: "the permission create:client_credentials", In: asked, Out: &answer,
	})
	if err != nil {
		return made, "", err
	}
	if answer.ID == "" {
		return made, "", a.rest.Unreachable(a.rest.Place+" took a key of client '"+c.ID+"' and did not name it", nil)
	}
	if answer.KeyID != "" {
		asked.KeyID = answer.KeyID
	}
	written, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: asked.KeyID, Algorithm: asked.Alg, Use: "sig"})
	if err != nil {
		return made, "", &usher.Error{Code: usher.ErrInternal, Message: "the key cannot be written as a JWK"}
	}
	enabled := append(c.enabled(), answer.ID)
	if err := a.enable(ctx, c, path, enabled); err != nil {
		if !errors.Is(err, provider.ErrUnreachable) { // then it is surely not in use
			_ = a.drop(ctx, c, path, answer.ID) // what is left over shows in the list
		}
		return made, "", err
	}
	return answer.told(enabled, a.rest.Now()), usher.Secret(written), nil
}

func (a *Admin) retireKey(ctx context.Context, c *client, path, id string) error {
	list, err := a.keys(ctx, c, path)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(s provider.ClientSecret) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	if !list[i].Off && !slices.ContainsFunc(list, func(s provider.ClientSecret) bool { return !s.Off && s.ID != id }) {
		return rest.Refused("this is the last key that client '"+c.ID+"' can use; it was not ended", "make another one first, and move its callers", provider.ErrLast)
	}
	if enabled := c.enabled(); slices.Contains(enabled, id) {
		if err := a.enable(ctx, c, path, without(enabled, id)); err != nil {
			return err
		}
	}
	return a.drop(ctx, c, path, id)
}
