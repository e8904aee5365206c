package lab

import (
	"encoding/json"
	"net/http"

	"usher"
)

// controlRoutes mounts the lab's own endpoints: what is wrong now, and
// switches. They exist only where the options allow it.
func (l *Lab) controlRoutes() {
	if !l.opt.Control {
		return
	}
	l.mux.HandleFunc("GET /lab/faults", l.listFaults)
	l.mux.HandleFunc("PUT /lab/faults/{name}", l.switchFault)
	l.mux.HandleFunc("DELETE /lab/faults/{name}", l.switchFault)
	l.mux.HandleFunc("POST /lab/devices", l.enrol)
	l.mux.HandleFunc("GET /lab/clients/{id}", l.showClient)
	l.mux.HandleFunc("POST /lab/clients/{id}/secrets", l.addSecret)
}

// faultState is one row of GET /lab/faults.
type faultState struct {
	*Fault
	On bool `json:"on"`
}

func (l *Lab) listFaults(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := []faultState{}
	for _, f := range Faults {
		list = append(list, faultState{f, l.on[f.Name]})
	}
	writeJSON(w, http.StatusOK, map[string]any{"version": 1, "faults": list})
}

func (l *Lab) switchFault(w http.ResponseWriter, r *http.Request) {
	on := r.Method == http.MethodPut
	if err := l.Switch(r.PathValue("name"), on); err != nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"name": r.PathValue("name"), "on": on})
}

// enrol makes a device of the browser or script that asks, a compliant one
// unless it says compliant=false: it gets a cookie, and an id for the header
// X-Lab-Device.
func (l *Lab) enrol(w http.ResponseWriter, r *http.Request) {
	compliant := r.FormValue("compliant") != "false"
	d := l.Enrol(r.FormValue("name"), compliant)
	http.SetCookie(w, &http.Cookie{Name: cookieDevice, Value: d, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	writeJSON(w, http.StatusCreated, map[string]any{"deviceId": d, "isCompliant": compliant})
}

// Enrol makes a device, compliant or not, and gives its id, which a sign-in
// sends in the header X-Lab-Device or the cookie LAB_DEVICE.
func (l *Lab) Enrol(name string, compliant bool) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.devices) >= shelfSize {
		clear(l.devices)
	}
	if name == "" {
		name = "laptop"
	}
	d := &device{ID: randomID(), Name: name[:min(len(name), 64)], Compliant: compliant}
	l.devices[d.ID] = d
	return d.ID
}

// clientView is what the control tells of a client, secrets included: they are
// made up, and open nothing but the lab.
type clientView struct {
	ID           string       `json:"client_id"`
	AppID        string       `json:"entra_app_id"`
	Secrets      []secretView `json:"secrets,omitempty"`
	RedirectURIs []string     `json:"redirect_uris"`
	Scopes       []string     `json:"default_scopes"`
	Optional     []string     `json:"optional_scopes"`
}

type secretView struct {
	ID      string `json:"secret_id"`
	Value   string `json:"value,omitempty"`
	Expires string `json:"expires,omitempty"`
}

func (l *Lab) showClient(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client(r.PathValue("id"))
	if c == nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "the lab has no such client"})
		return
	}
	v := clientView{ID: c.ID, AppID: c.AppID, RedirectURIs: c.RedirectURIs, Scopes: c.Scopes, Optional: c.Optional}
	for i, s := range c.secrets {
		row := secretView{ID: s.id}
		if i == len(c.secrets)-1 && !l.on[secretIDUsed.Name] {
			row.Value = c.shown.Reveal()
		}
		if !s.expires.IsZero() {
			row.Expires = s.expires.Format("2006-01-02T15:04:05Z")
		}
		v.Secrets = append(v.Secrets, row)
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, v)
}

// home tells where everything is.
func (l *Lab) home(w http.ResponseWriter, r *http.Request) {
	data, err := json.MarshalIndent(map[string]any{
		"lab": "an identity provider that fails on purpose", "keycloak_issuer": l.issuer(r, DialectKeycloak),
		"entra_issuer": l.issuer(r, DialectEntra), "api": l.base(r) + "/api/orders", "faults_on": l.On(),
	}, "", "  ")
	if err != nil {
		return // text always marshals
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(data, '\n'))
}

// addSecret makes a further secret of a client and shows its value once, as a
// portal does. Older ones stay as they are.
func (l *Lab) addSecret(w http.ResponseWriter, r *http.Request) {
	id, value, err := l.AddSecret(r.PathValue("id"))
	if err != nil {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusCreated, secretView{ID: id, Value: value.Reveal()})
}

// AddSecret makes a further secret of a client, and gives its id and its value.
func (l *Lab) AddSecret(client string) (id string, value usher.Secret, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client(client)
	if c == nil || c.Public || len(c.secrets) >= 20 {
		return "", "", &usher.Error{Code: usher.ErrNotFound, Message: "the lab has no client that could get a further secret by this name"}
	}
	s := credential{id: randomID(), value: usher.Secret(random(24))}
	c.secrets = append(c.secrets, s)
	c.Secret, c.shown, c.created = s.value, s.value, l.now()
	return s.id, s.value, nil
}

// Secret gives what the lab shows as the client's secret: the value that the
// client was given last, or its id while the fault client-secret-id-used is on.
func (l *Lab) Secret(client string) usher.Secret {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client(client)
	if c == nil || len(c.secrets) == 0 {
		return ""
	}
	if l.on[secretIDUsed.Name] {
		return usher.Secret(c.secrets[len(c.secrets)-1].id)
	}
	return c.shown
}

// AppID gives the id of a client in Entra's dialect; empty for an unknown one.
func (l *Lab) AppID(client string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.client(client); c != nil {
		return c.AppID
	}
	return ""
}
