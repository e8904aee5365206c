package lab

import (
	"crypto/md5" // #nosec G501 -- only to make a short mark of a secret, as Okta's answers have one
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"usher"
)

// OktaToken gives the API token that Okta's admin API wants.
func (l *Lab) OktaToken() usher.Secret { return l.opt.OktaToken }

// oktaRoutes mounts the part of Okta's management API that keeps the secrets of
// applications, and a token endpoint.
func (l *Lab) oktaRoutes() {
	words := func(bad refusal) (int, map[string]string) {
		switch bad.is {
		case clientUnknown, clientDisabled:
			return http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "Invalid value for 'client_id' parameter."}
		case secretWrong, secretExpired, secretIsID:
			return http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "The client secret supplied for a confidential client is invalid."}
		case secretMissing:
			return http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "Client authentication failed. Either the client or the client credentials are invalid."}
		case grantNotAllowed, grantUnknown:
			return http.StatusBadRequest, map[string]string{"error": "unauthorized_client", "error_description": "The client is not authorized to use the provided grant type."}
		case scopeUnknown:
			return http.StatusBadRequest, map[string]string{"error": "invalid_scope", "error_description": "One or more scopes are not configured for the authorization server resource."}
		}
		return http.StatusBadRequest, map[string]string{"error": "invalid_request"}
	}
	l.mux.HandleFunc("POST /oauth2/default/v1/token", l.clientToken(words))
	handle := func(pattern string, do func(http.ResponseWriter, *http.Request, *client)) {
		method, path, _ := strings.Cut(pattern, " ")
		l.mux.HandleFunc(method+" /api/v1/apps/{app}/credentials/secrets"+path, func(w http.ResponseWriter, r *http.Request) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if r.Header.Get("Authorization") != "SSWS "+l.opt.OktaToken.Reveal() {
				oktaError(w, http.StatusUnauthorized, "E0000011", "Invalid token provided")
				return
			}
			c := l.client(r.PathValue("app"))
			if c == nil || c.Public {
				oktaError(w, http.StatusNotFound, "E0000007", "Not found: Resource not found: "+r.PathValue("app")+" (AppInstance)")
				return
			}
			do(w, r, c)
		})
	}
	handle("GET ", func(w http.ResponseWriter, r *http.Request, c *client) {
		list := []map[string]any{}
		for i := range c.secrets {
			list = append(list, l.oktaSecret(r, c, &c.secrets[i]))
		}
		writeJSON(w, http.StatusOK, list)
	})
	handle("POST ", func(w http.ResponseWriter, r *http.Request, c *client) {
		if len(c.secrets) >= 2 {
			oktaError(w, http.StatusBadRequest, "E0000001", "Api validation failed: client_secret", "You have reached the maximum number of client secrets per client.")
			return
		}
		s := l.makeSecret(c, "", c.secrets[len(c.secrets)-1].expires)
		writeJSON(w, http.StatusCreated, l.oktaSecret(r, c, &s))
	})
	one := func(do func(http.ResponseWriter, *http.Request, *client, *credential)) func(http.ResponseWriter, *http.Request, *client) {
		return func(w http.ResponseWriter, r *http.Request, c *client) {
			i := slices.IndexFunc(c.secrets, func(s credential) bool { return oktaID(&s) == r.PathValue("secret") })
			if i < 0 {
				oktaError(w, http.StatusNotFound, "E0000007", "Not found: Resource not found: "+r.PathValue("secret")+" (OAuth2ClientSecretMediated)")
				return
			}
			do(w, r, c, &c.secrets[i])
		}
	}
	switchTo := func(off bool) func(http.ResponseWriter, *http.Request, *client, *credential) {
		return func(w http.ResponseWriter, r *http.Request, c *client, s *credential) {
			if off && !slices.ContainsFunc(c.secrets, func(o credential) bool { return !o.off && o.id != s.id }) {
				oktaError(w, http.StatusForbidden, "E0000001", "Api validation failed: client_secret", "The client must have at least one active secret.")
				return
			}
			s.off = off
			writeJSON(w, http.StatusOK, l.oktaSecret(r, c, s))
		}
	}
	handle("GET /{secret}", one(func(w http.ResponseWriter, r *http.Request, c *client, s *credential) {
		writeJSON(w, http.StatusOK, l.oktaSecret(r, c, s))
	}))
	handle("POST /{secret}/lifecycle/activate", one(switchTo(false)))
	handle("POST /{secret}/lifecycle/deactivate", one(switchTo(true)))
	handle("DELETE /{secret}", one(func(w http.ResponseWriter, _ *http.Request, c *client, s *credential) {
		if !s.off {
			oktaError(w, http.StatusForbidden, "E0000001", "Api validation failed: client_secret", "An active client secret cannot be deleted.")
			return
		}
		c.dropSecret(s.id)
		w.WriteHeader(http.StatusNoContent)
	}))
}

// oktaID is the id of a secret in Okta's form.
func oktaID(s *credential) string { return "ocs" + strings.ReplaceAll(s.id, "-", "")[:17] }

func (l *Lab) oktaSecret(r *http.Request, c *client, s *credential) map[string]any {
	const form = "2006-01-02T15:04:05.000Z"
	status, other := "ACTIVE", []string{"deactivate"}
	if s.off {
		status, other = "INACTIVE", []string{"activate", "delete"}
	}
	sum := md5.Sum([]byte(s.value.Reveal())) // #nosec G401 -- see the import
	links := map[string]any{}
	for _, name := range other {
		href, method := l.base(r)+"/api/v1/apps/"+c.ID+"/credentials/secrets/"+oktaID(s), http.MethodDelete
		if name != "delete" {
			href, method = href+"/lifecycle/"+name, http.MethodPost
		}
		links[name] = map[string]any{"href": href, "hints": map[string]any{"allow": []string{method}}}
	}
	return map[string]any{
		"id": oktaID(s), "created": s.made.UTC().Format(form), "lastUpdated": s.made.UTC().Format(form), "status": status,
		"client_secret": s.value.Reveal(), "secret_hash": base64.RawURLEncoding.EncodeToString(sum[:]), "_links": links,
	}
}

func oktaError(w http.ResponseWriter, status int, code, summary string, causes ...string) {
	list := []map[string]string{}
	for _, c := range causes {
		list = append(list, map[string]string{"errorSummary": c})
	}
	writeJSON(w, status, map[string]any{"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae" + random(16), "errorCauses": list})
}
