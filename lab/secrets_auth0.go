package lab

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"usher"
	"usher/oauth"
)

// clientKey is a key that a client authenticates with by private_key_jwt.
type clientKey struct {
	id, kid, name string
	public        any
	made          time.Time
	expires       time.Time // zero: never
	works         time.Time
	enabled       bool
}

// keyed tells whether the client authenticates by private_key_jwt.
func (c *client) keyed() bool { return c.keys != nil }

// UsePrivateKey has a client authenticate by private_key_jwt with a public key
// (PEM), as somebody would who registers it at Auth0. It gives the key's id.
func (l *Lab) UsePrivateKey(clientID, kid, public string) (id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client(clientID)
	key, ok := publicKey(public)
	if c == nil || c.Public || !ok {
		return "", &usher.Error{Code: usher.ErrNotFound, Message: "the lab has no such client, or the key is no public key in PEM"}
	}
	k := clientKey{id: "cred_" + random(16), kid: kid, public: key, made: l.now(), enabled: true}
	c.keys = append(c.keys, k)
	return k.id, nil
}

func publicKey(text string) (any, bool) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, false
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	return key, err == nil
}

// longestAssertion is how long an assertion may be good for at Auth0.
const longestAssertion = 5 * time.Minute

// asserted checks the assertion of a client, RFC 7523 section 3. Its audience is
// the tenant, with a slash at its end, and not the token endpoint.
func (l *Lab) asserted(c *client, req *oauth.TokenRequest) refusal {
	parsed, err := jwt.ParseSigned(req.ClientAssertion.Reveal(), []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.RS384, jose.ES256, jose.EdDSA})
	if err != nil || len(parsed.Headers) != 1 {
		return refusal{is: secretMissing}
	}
	for i := range c.keys {
		k := &c.keys[i]
		if k.kid != parsed.Headers[0].KeyID || !k.enabled || l.now().Before(k.works) || !k.expires.IsZero() && !l.now().Before(k.expires) {
			continue
		}
		var claims jwt.Claims
		if err := parsed.Claims(k.public, &claims); err != nil {
			continue
		}
		tenant := strings.TrimSuffix(req.Endpoint, "oauth/token")
		if claims.Validate(jwt.Expected{Issuer: c.ID, Subject: c.ID, AnyAudience: jwt.Audience{tenant}, Time: l.now()}) != nil ||
			claims.Expiry == nil || claims.Expiry.Time().Sub(l.now()) > longestAssertion || claims.ID == "" {
			return refusal{is: secretWrong, credential: k.id}
		}
		return refusal{credential: k.id}
	}
	return refusal{is: secretWrong}
}

// auth0Routes mounts the part of Auth0's Management API that keeps the secrets
// and keys of clients, and a token endpoint.
func (l *Lab) auth0Routes() {
	words := func(bad refusal) (int, map[string]string) {
		switch bad.is {
		case clientUnknown, clientDisabled:
			return http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "Client authentication failed"}
		case secretWrong, secretExpired, secretIsID, secretMissing:
			return http.StatusUnauthorized, map[string]string{"error": "access_denied", "error_description": "Unauthorized"}
		case grantNotAllowed, grantUnknown:
			return http.StatusForbidden, map[string]string{"error": "unauthorized_client", "error_description": "Grant type '" + bad.detail + "' not allowed for the client."}
		}
		return http.StatusBadRequest, map[string]string{"error": "invalid_request"}
	}
	l.mux.HandleFunc("POST /oauth/token", l.clientToken(words))
	handle := func(pattern string, do func(http.ResponseWriter, *http.Request, *client)) {
		method, path, _ := strings.Cut(pattern, " ")
		l.mux.HandleFunc(method+" /api/v2/clients/{client}"+path, func(w http.ResponseWriter, r *http.Request) {
			l.mu.Lock()
			defer l.mu.Unlock()
			switch known, may := l.manager(r, l.issuer(r, DialectKeycloak)); {
			case !known:
				auth0Error(w, http.StatusUnauthorized, "invalid_token", "Invalid token")
				return
			case !may:
				auth0Error(w, http.StatusForbidden, "insufficient_scope", "Insufficient scope, expected any of: update:clients,update:client_keys")
				return
			}
			c := l.client(r.PathValue("client"))
			if c == nil {
				auth0Error(w, http.StatusNotFound, "inexistent_client", "The client does not exist")
				return
			}
			do(w, r, c)
		})
	}
	handle("GET ", func(w http.ResponseWriter, _ *http.Request, c *client) { writeJSON(w, http.StatusOK, c.auth0()) })
	handle("PATCH ", l.auth0Update)
	handle("POST /rotate-secret", func(w http.ResponseWriter, _ *http.Request, c *client) {
		if c.Public || c.keyed() {
			auth0Error(w, http.StatusBadRequest, "invalid_body", "Cannot rotate the secret of a client with this authentication method")
			return
		}
		s := l.makeSecret(c, "", time.Time{})
		c.secrets = []credential{s} // the old one has ended
		writeJSON(w, http.StatusOK, c.auth0())
	})
	handle("GET /credentials", func(w http.ResponseWriter, _ *http.Request, c *client) {
		list := []map[string]any{}
		for i := range c.keys {
			list = append(list, c.keys[i].auth0())
		}
		writeJSON(w, http.StatusOK, list)
	})
	handle("POST /credentials", l.auth0NewKey)
	handle("DELETE /credentials/{credential}", func(w http.ResponseWriter, r *http.Request, c *client) {
		n := len(c.keys)
		c.keys = slices.DeleteFunc(c.keys, func(k clientKey) bool { return k.id == r.PathValue("credential") })
		if len(c.keys) == n {
			auth0Error(w, http.StatusNotFound, "inexistent_credential", "The credential does not exist")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func auth0Error(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"statusCode": status, "error": http.StatusText(status), "message": message, "errorCode": code})
}

// auth0 gives a client as the Management API does to who may read its keys.
func (c *client) auth0() map[string]any {
	rep := map[string]any{"client_id": c.ID, "name": c.Name, "tenant": "lab", "global": false, "app_type": "non_interactive", "is_first_party": true}
	switch {
	case c.Public:
		rep["token_endpoint_auth_method"] = "none"
	case c.keyed():
		refs := []map[string]string{}
		for _, k := range c.keys {
			if k.enabled {
				refs = append(refs, map[string]string{"id": k.id})
			}
		}
		rep["client_authentication_methods"] = map[string]any{"private_key_jwt": map[string]any{"credentials": refs}}
	default:
		rep["token_endpoint_auth_method"], rep["client_secret"] = "client_secret_post", c.secrets[len(c.secrets)-1].value.Reveal()
	}
	return rep
}

func (k *clientKey) auth0() map[string]any {
	rep := map[string]any{
		"id": k.id, "name": k.name, "kid": k.kid, "alg": "RS256", "credential_type": "public_key", "created_at": k.made.UTC().Format(time.RFC3339Nano), "updated_at": k.made.UTC().Format(time.RFC3339Nano),
	}
	if !k.expires.IsZero() {
		rep["expires_at"] = k.expires.UTC().Format(time.RFC3339Nano)
	}
	return rep
}

// auth0Update says which keys a client authenticates with.
func (l *Lab) auth0Update(w http.ResponseWriter, r *http.Request, c *client) {
	var body struct {
		Methods *struct {
			PrivateKeyJWT *struct {
				Credentials []struct {
					ID string `json:"id"`
				} `json:"credentials"`
			} `json:"private_key_jwt"`
		} `json:"client_authentication_methods"`
	}
	if !readInto(r, &body) || body.Methods == nil || body.Methods.PrivateKeyJWT == nil || !c.keyed() {
		auth0Error(w, http.StatusBadRequest, "invalid_body", "Payload validation error")
		return
	}
	on := map[string]bool{}
	for _, ref := range body.Methods.PrivateKeyJWT.Credentials {
		if !slices.ContainsFunc(c.keys, func(k clientKey) bool { return k.id == ref.ID }) {
			auth0Error(w, http.StatusBadRequest, "invalid_body", "The credential "+ref.ID+" does not exist")
			return
		}
		on[ref.ID] = true
	}
	for i := range c.keys {
		c.keys[i].enabled = on[c.keys[i].id]
	}
	writeJSON(w, http.StatusOK, c.auth0())
}

// auth0NewKey takes a public key, which is not enabled yet.
func (l *Lab) auth0NewKey(w http.ResponseWriter, r *http.Request, c *client) {
	var body struct {
		Name    string    `json:"name"`
		KeyID   string    `json:"kid"`
		Type    string    `json:"credential_type"`
		PEM     string    `json:"pem"`
		Expires time.Time `json:"expires_at"`
	}
	ok := readInto(r, &body)
	key, isKey := publicKey(body.PEM)
	switch {
	case !ok || !isKey || body.Type != "public_key":
		auth0Error(w, http.StatusBadRequest, "invalid_body", "Payload validation error")
		return
	case len(c.keys) >= 2:
		auth0Error(w, http.StatusBadRequest, "too_many_credentials", "The client has the maximum number of credentials")
		return
	}
	now := l.now()
	k := clientKey{id: "cred_" + random(16), kid: body.KeyID, name: body.Name, public: key, made: now, expires: body.Expires, works: now.Add(l.opt.SecretDelay)}
	if k.kid == "" {
		k.kid = random(24)
	}
	c.keys = append(c.keys, k)
	writeJSON(w, http.StatusCreated, k.auth0())
}
