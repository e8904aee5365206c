package lab

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"usher/oauth"
)

// graphRoutes mounts the part of Microsoft Graph v1.0 that keeps the secrets of
// applications: application, addPassword and removePassword. An application is
// named by the id of its object or as applications(appId='...').
func (l *Lab) graphRoutes() {
	handle := func(pattern string, do func(http.ResponseWriter, *http.Request, *client)) {
		l.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			l.mu.Lock()
			defer l.mu.Unlock()
			switch known, may := l.manager(r, l.issuer(r, DialectEntra)); {
			case !known:
				l.graphError(w, r, http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token is empty, has expired or is not valid.")
				return
			case !may:
				l.graphError(w, r, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
				return
			}
			c := l.application(r)
			if c == nil {
				l.graphError(w, r, http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+r.PathValue("id")+"' does not exist or one of its queried reference-property objects are not present.")
				return
			}
			w.Header().Set("Cache-Control", "no-cache")
			do(w, r, c)
		})
	}
	for _, at := range []string{"/v1.0/{application}", "/v1.0/applications/{id}"} {
		handle("GET "+at, l.graphApplication)
		handle("POST "+at+"/addPassword", l.graphAdd)
		handle("POST "+at+"/removePassword", l.graphRemove)
	}
}

// objectID is the id of a client's application object, which is not its appId.
func (c *client) objectID() string { return madeID("application object", c.AppID) }

func (l *Lab) application(r *http.Request) *client {
	if id := r.PathValue("id"); id != "" {
		i := slices.IndexFunc(l.clients, func(c *client) bool { return c.objectID() == id })
		if i < 0 {
			return nil
		}
		return l.clients[i]
	}
	id, ok := strings.CutPrefix(r.PathValue("application"), "applications(appId='")
	id, ends := strings.CutSuffix(id, "')")
	if c := l.client(id); ok && ends && oauth.IsGUID(id) {
		return c
	}
	return nil
}

func (l *Lab) graphError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	t := l.newTrace(r)
	writeJSON(w, status, map[string]any{"error": map[string]any{
		"code": code, "message": message,
		"innerError": map[string]string{"date": t.time.Format("2006-01-02T15:04:05"), "request-id": t.id, "client-request-id": t.correlation},
	}})
}

// password is a passwordCredential.
type password struct {
	Context     string     `json:"@odata.context,omitempty"`
	CustomKeyID *string    `json:"customKeyIdentifier"`
	DisplayName *string    `json:"displayName"`
	EndDate     time.Time  `json:"endDateTime"`
	Hint        string     `json:"hint"`
	KeyID       string     `json:"keyId"`
	SecretText  *string    `json:"secretText"`
	StartDate   *time.Time `json:"startDateTime"`
}

func (s *credential) password() password {
	value := s.value.Reveal()
	p := password{EndDate: s.expires, Hint: value[:min(3, len(value))], KeyID: s.id}
	made := s.made
	p.StartDate = &made
	if p.EndDate.IsZero() {
		p.EndDate = made.AddDate(2, 0, 0)
	}
	if s.name != "" {
		p.DisplayName = &s.name
	}
	return p
}

func (l *Lab) graphApplication(w http.ResponseWriter, r *http.Request, c *client) {
	list := []password{}
	for i := range c.secrets {
		list = append(list, c.secrets[i].password())
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"@odata.context": l.base(r) + "/v1.0/$metadata#applications/$entity", "id": c.objectID(), "appId": c.AppID, "displayName": c.Name, "passwordCredentials": list,
	})
}

func (l *Lab) graphAdd(w http.ResponseWriter, r *http.Request, c *client) {
	var body struct {
		Password struct {
			DisplayName string    `json:"displayName"`
			EndDate     time.Time `json:"endDateTime"`
		} `json:"passwordCredential"`
	}
	if !readInto(r, &body) {
		l.graphError(w, r, http.StatusBadRequest, "Request_BadRequest", "Unable to read JSON request payload.")
		return
	}
	end := body.Password.EndDate
	if end.IsZero() {
		end = l.now().AddDate(2, 0, 0)
	}
	s := l.makeSecret(c, body.Password.DisplayName, end)
	p := s.password()
	value := s.value.Reveal()
	p.Context, p.SecretText = l.base(r)+"/v1.0/$metadata#microsoft.graph.passwordCredential", &value
	writeJSON(w, http.StatusOK, p)
}

func (l *Lab) graphRemove(w http.ResponseWriter, r *http.Request, c *client) {
	var body struct {
		KeyID string `json:"keyId"`
	}
	if !readInto(r, &body) || !c.dropSecret(body.KeyID) {
		l.graphError(w, r, http.StatusBadRequest, "Request_BadRequest", "No password credential found with keyId.")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
