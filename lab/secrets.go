package lab

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/oauth"
	"usher/token"
)

// What Entra, Okta and Auth0 offer to keep the secrets of clients with, in their
// requests and answers. The clients are the lab's own, whatever API changes
// them, and their tokens come from the token endpoint of the same provider.

// makeSecret makes a further secret of a client, which works after the delay.
func (l *Lab) makeSecret(c *client, name string, expires time.Time) credential {
	now := l.now()
	s := credential{id: randomID(), value: usher.Secret(random(24)), expires: expires, name: name, made: now, works: now.Add(l.opt.SecretDelay)}
	c.secrets = append(c.secrets, s)
	c.Secret, c.shown, c.created = s.value, s.value, now
	return s
}

// dropSecret takes a secret away.
func (c *client) dropSecret(id string) bool {
	n := len(c.secrets)
	c.secrets = slices.DeleteFunc(c.secrets, func(s credential) bool { return s.id == id })
	return len(c.secrets) < n
}

// manager tells whether the bearer of a request may change clients: a client of
// the lab with Keycloak's role, or what each provider calls it.
func (l *Lab) manager(r *http.Request, issuer string) (known, may bool) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false, false
	}
	keys, err := l.keys.everyKey()
	if err != nil {
		return false, false
	}
	rep := token.Inspect(raw, token.Expect{
		Type: token.TypeAny, Keys: keys, Algs: []string{"RS256"}, Issuer: issuer, Now: func() time.Time { return l.now().Add(l.skew) },
	})
	if rep.Wrong() {
		return false, false
	}
	azp, _ := rep.Parsed.Claims["azp"].(string)
	c := l.client(azp)
	if c == nil || c.Disabled {
		return false, false
	}
	return true, slices.Contains(c.Roles, "manage-clients")
}

// readInto reads the JSON of a request; nothing is as good as an empty object.
func readInto(r *http.Request, out any) bool {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	return len(strings.TrimSpace(string(data))) == 0 || json.Unmarshal(data, out) == nil
}

// clientToken is a token endpoint for client credentials, in the words of a
// provider whose sign-in the lab does not play.
func (l *Lab) clientToken(words func(refusal) (status int, body map[string]string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			writeJSON(w, http.StatusRequestEntityTooLarge, map[string]string{"error": oauth.ErrInvalidRequest})
			return
		}
		req, err := oauth.ParseTokenRequest(l.base(r)+r.URL.Path, r.Header, string(body))
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": oauth.ErrInvalidRequest})
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		x := &exchange{r: r, request: req, dialect: DialectKeycloak}
		bad := refusal{is: grantUnknown, detail: req.GrantType}
		if req.GrantType == oauth.GrantClientCredentials {
			bad = l.exchange(x)
		} else if _, who := l.authenticate(req); who.bad() {
			bad = who
		}
		if bad.bad() {
			status, said := words(bad)
			writeJSON(w, status, said)
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"access_token": x.issued.access, "token_type": "Bearer", "expires_in": int64(lifeAccess / time.Second)})
	}
}
