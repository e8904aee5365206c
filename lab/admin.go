package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/token"
)

// clientRep is Keycloak's ClientRepresentation, in the order in which it writes
// its members. What the lab has no use for is kept and given back.
type clientRep struct {
	ID                     string            `json:"id,omitempty"`
	ClientID               string            `json:"clientId,omitempty"`
	Name                   *string           `json:"name,omitempty"`
	Description            *string           `json:"description,omitempty"`
	Type                   *string           `json:"type,omitempty"`
	RootURL                *string           `json:"rootUrl,omitempty"`
	AdminURL               *string           `json:"adminUrl,omitempty"`
	BaseURL                *string           `json:"baseUrl,omitempty"`
	SurrogateAuth          *bool             `json:"surrogateAuthRequired,omitempty"`
	Enabled                *bool             `json:"enabled,omitempty"`
	AlwaysDisplay          *bool             `json:"alwaysDisplayInConsole,omitempty"`
	Authenticator          *string           `json:"clientAuthenticatorType,omitempty"`
	Secret                 *string           `json:"secret,omitempty"` //nolint:gosec // Keycloak's member; it is revealed to administrators alone
	RedirectURIs           []string          `json:"redirectUris,omitempty"`
	WebOrigins             []string          `json:"webOrigins,omitempty"`
	NotBefore              *int              `json:"notBefore,omitempty"`
	BearerOnly             *bool             `json:"bearerOnly,omitempty"`
	ConsentRequired        *bool             `json:"consentRequired,omitempty"`
	StandardFlow           *bool             `json:"standardFlowEnabled,omitempty"`
	ImplicitFlow           *bool             `json:"implicitFlowEnabled,omitempty"`
	DirectGrants           *bool             `json:"directAccessGrantsEnabled,omitempty"`
	ServiceAccounts        *bool             `json:"serviceAccountsEnabled,omitempty"`
	AuthorizationServices  *bool             `json:"authorizationServicesEnabled,omitempty"`
	PublicClient           *bool             `json:"publicClient,omitempty"`
	FrontchannelLogout     *bool             `json:"frontchannelLogout,omitempty"`
	Protocol               *string           `json:"protocol,omitempty"`
	Attributes             map[string]string `json:"attributes,omitempty"`
	FlowOverrides          map[string]string `json:"authenticationFlowBindingOverrides,omitzero"`
	FullScope              *bool             `json:"fullScopeAllowed,omitempty"`
	NodeReRegistration     *int              `json:"nodeReRegistrationTimeout,omitempty"`
	RegisteredNodes        map[string]int    `json:"registeredNodes,omitempty"`
	ProtocolMappers        json.RawMessage   `json:"protocolMappers,omitempty"`
	DefaultClientScopes    []string          `json:"defaultClientScopes,omitempty"`
	OptionalClientScopes   []string          `json:"optionalClientScopes,omitempty"`
	AuthorizationSettings  json.RawMessage   `json:"authorizationSettings,omitempty"`
	Access                 map[string]bool   `json:"access,omitempty"`
	Origin                 *string           `json:"origin,omitempty"`
	RegistrationAccessUsed *string           `json:"registrationAccessToken,omitempty"`
}

// secretCreated is the attribute in which Keycloak keeps when a secret was made.
const secretCreated = "client.secret.creation.time"

// represent gives a client as Keycloak's admin API does.
func (l *Lab) represent(c *client) clientRep {
	rep := c.extra
	yes, no := true, false
	set := func(p **bool, v bool) { *p = &[]bool{v}[0] }
	protocol, zero, minus := "openid-connect", 0, -1
	rep.ID, rep.ClientID, rep.RedirectURIs = c.UUID, c.ID, slices.Clone(c.RedirectURIs)
	if c.Name != c.ID {
		rep.Name = &c.Name
	}
	set(&rep.Enabled, !c.Disabled)
	set(&rep.PublicClient, c.Public)
	set(&rep.ServiceAccounts, c.Service)
	for _, p := range []**bool{&rep.SurrogateAuth, &rep.AlwaysDisplay, &rep.BearerOnly, &rep.ConsentRequired, &rep.ImplicitFlow, &rep.DirectGrants, &rep.FrontchannelLogout} {
		if *p == nil {
			*p = &no
		}
	}
	for _, p := range []**bool{&rep.StandardFlow, &rep.FullScope} {
		if *p == nil {
			*p = &yes
		}
	}
	if rep.Protocol == nil {
		rep.Protocol = &protocol
	}
	if rep.NotBefore == nil {
		rep.NotBefore = &zero
	}
	if rep.NodeReRegistration == nil {
		rep.NodeReRegistration = &minus
	}
	attributes := map[string]string{"realm_client": "false"}
	for k, v := range rep.Attributes {
		attributes[k] = v
	}
	rep.Attributes = attributes
	if !c.Public {
		authenticator, secret := "client-secret", c.Secret.Reveal()
		rep.Authenticator, rep.Secret = &authenticator, &secret
		attributes[secretCreated] = strconv.FormatInt(c.created.Unix(), 10)
	}
	if rep.FlowOverrides == nil {
		rep.FlowOverrides = map[string]string{}
	}
	rep.DefaultClientScopes = append([]string{"web-origins", "acr", "roles", "basic"}, c.Scopes...)
	if c.Service {
		rep.DefaultClientScopes = append([]string{"service_account"}, rep.DefaultClientScopes...)
	}
	rep.OptionalClientScopes = slices.Clone(c.Optional)
	rep.Access = map[string]bool{"view": true, "configure": true, "manage": true}
	return rep
}

// actor is who uses the admin API.
type actor struct {
	realm, client, user, ip string
	roles                   []string
}

func (a actor) may(roles ...string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(a.roles, r) })
}

// errNoRight is Keycloak's answer to somebody without the right.
var errNoRight = errors.New("HTTP 403 Forbidden")

// adminError is an answer of the admin API beside success.
type adminError struct {
	status int
	text   string
}

func (e *adminError) Error() string { return e.text }

// adminRoutes mounts the part of Keycloak's admin REST API that deals with clients.
func (l *Lab) adminRoutes(root string) {
	view, manage := []string{"view-clients", "manage-clients"}, []string{"manage-clients"}
	handle := func(pattern string, roles []string, do func(actor, *http.Request) (int, any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		l.mux.HandleFunc(method+" "+root+path, func(w http.ResponseWriter, r *http.Request) { l.adminCall(w, r, roles, do) })
	}
	handle("GET /clients", view, l.adminClients)
	handle("POST /clients", manage, l.adminCreate)
	handle("GET /clients/{uuid}", view, l.adminClient)
	handle("PUT /clients/{uuid}", manage, l.adminUpdate)
	handle("DELETE /clients/{uuid}", manage, l.adminDelete)
	handle("GET /clients/{uuid}/client-secret", view, l.adminSecret)
	handle("POST /clients/{uuid}/client-secret", manage, l.adminNewSecret)
	handle("GET /clients/{uuid}/service-account-user", view, l.adminServiceUser)
	for _, kind := range []string{"default", "optional"} {
		path := "/clients/{uuid}/" + kind + "-client-scopes"
		handle("GET "+path, view, func(a actor, r *http.Request) (int, any, error) { return l.adminScopesOf(r, kind) })
		handle("PUT "+path+"/{scope}", manage, func(a actor, r *http.Request) (int, any, error) { return l.adminMapScope(a, r, kind, true) })
		handle("DELETE "+path+"/{scope}", manage, func(a actor, r *http.Request) (int, any, error) { return l.adminMapScope(a, r, kind, false) })
	}
	handle("GET /client-scopes", view, l.adminScopes)
	handle("GET /client-scopes/{scope}", view, l.adminScope)
	handle("GET /client-scopes/{scope}/scope-mappings", view, func(actor, *http.Request) (int, any, error) { return http.StatusOK, map[string]any{}, nil })
	handle("GET /client-scopes/{scope}/scope-mappings/realm", view, func(actor, *http.Request) (int, any, error) { return http.StatusOK, []any{}, nil })
	handle("GET /users", []string{"view-users", "manage-users"}, l.adminUsers)
	handle("GET /users/{id}", []string{"view-users", "manage-users"}, l.adminUser)
}

func (l *Lab) adminCall(w http.ResponseWriter, r *http.Request, roles []string, do func(actor, *http.Request) (int, any, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fail := func(status int, text string) { writeJSON(w, status, map[string]string{"error": text}) }
	a, ok := l.actor(r)
	switch {
	case !ok:
		fail(http.StatusUnauthorized, "HTTP 401 Unauthorized")
		return
	case !a.may(roles...):
		fail(http.StatusForbidden, errNoRight.Error())
		return
	}
	status, body, err := do(a, r)
	var known *adminError
	switch {
	case errors.As(err, &known):
		fail(known.status, known.text)
	case err != nil:
		fail(http.StatusInternalServerError, "unknown_error")
	case body == nil:
		w.WriteHeader(status)
	default:
		if at, ok := body.(created); ok {
			w.Header().Set("Location", l.base(r)+r.URL.Path+"/"+string(at))
			w.WriteHeader(status)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		writeJSON(w, status, body)
	}
}

// created is the id of what a POST made.
type created string

// actor reads who calls from the access token.
func (l *Lab) actor(r *http.Request) (actor, bool) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return actor{}, false
	}
	keys, err := l.keys.verifier()
	if err != nil {
		return actor{}, false
	}
	// The admin API believes every key of its own provider, published or not,
	// and its clock: faults are for the clients' side.
	all := *keys
	if set, err := l.keys.everyKey(); err == nil {
		all = *set
	}
	rep := token.Inspect(raw, token.Expect{
		Type: token.TypeAny, Keys: &all, Algs: []string{"RS256"}, Issuer: l.issuer(r, DialectKeycloak),
		Now: func() time.Time { return l.now().Add(l.skew) },
	})
	if rep.Wrong() {
		return actor{}, false
	}
	claims := rep.Parsed.Claims
	azp, _ := claims["azp"].(string)
	sub, _ := claims["sub"].(string)
	c := l.client(azp)
	if c == nil || c.Disabled {
		return actor{}, false
	}
	a := actor{realm: l.opt.Realm, client: c.UUID, user: sub, ip: address(r)}
	if access, ok := claims["resource_access"].(map[string]any); ok {
		if management, ok := access["realm-management"].(map[string]any); ok {
			roles, _ := management["roles"].([]any)
			for _, role := range roles {
				if s, ok := role.(string); ok {
					a.roles = append(a.roles, s)
				}
			}
		}
	}
	return a, true
}

// person is the administrator in whose name faults change registrations. As
// with a real Keycloak the realm master knows the name: the administrator signs
// in there before the first change.
func (l *Lab) person() actor {
	a := actor{realm: "master", client: madeID("client", "master", "admin-cli"), user: madeID("user", "master", "admin"), ip: "127.0.0.1"}
	if !l.personIn {
		l.personIn = true
		session := randomID()
		l.logEvent(userEvent{
			realm: "master", kind: "LOGIN", client: "admin-cli", user: a.user, session: session, ip: a.ip, parent: session, tab: random(8),
			details: []pair{
				{"auth_method", "openid-connect"},
				{"token_id", "onltro:" + randomID()},
				{"grant_type", "password"},
				{"refresh_token_type", "Refresh"},
				{"scope", "email profile"},
				{"refresh_token_id", randomID()},
				{"client_auth_method", "client-secret"},
				{"username", "admin"},
			},
		})
	}
	return a
}

func (l *Lab) tellAdmin(a actor, operation, resource, path string, representation any) {
	e := adminEvent{operation: operation, realm: a.realm, client: a.client, user: a.user, ip: a.ip, resource: resource, path: path}
	if representation != nil {
		data, err := json.Marshal(representation)
		if err == nil {
			e.representation = string(data)
		}
	}
	l.logAdmin(e)
}

// masked is a representation as Keycloak logs it.
func masked(rep clientRep) clientRep {
	if rep.Secret != nil {
		stars := "**********"
		rep.Secret = &stars
	}
	return rep
}

var (
	errNoClient = &adminError{http.StatusNotFound, "Could not find client"}
	errNoScope  = &adminError{http.StatusNotFound, "Client scope not found"}
)

func (l *Lab) adminClients(_ actor, r *http.Request) (int, any, error) {
	q := r.URL.Query()
	want, search := q.Get("clientId"), q.Get("search") == "true"
	list := []clientRep{}
	for _, c := range l.clients {
		if want == "" || c.ID == want || search && strings.Contains(strings.ToLower(c.ID), strings.ToLower(want)) {
			list = append(list, l.represent(c))
		}
	}
	first, _ := strconv.Atoi(q.Get("first"))
	list = list[min(max(first, 0), len(list)):]
	if most, err := strconv.Atoi(q.Get("max")); err == nil && most >= 0 {
		list = list[:min(most, len(list))]
	}
	return http.StatusOK, list, nil
}

func (l *Lab) adminClient(_ actor, r *http.Request) (int, any, error) {
	c := l.clientByUUID(r.PathValue("uuid"))
	if c == nil {
		return 0, nil, errNoClient
	}
	return http.StatusOK, l.represent(c), nil
}

// readRep reads a representation as strictly as Keycloak does.
func readRep(r *http.Request) (clientRep, error) {
	var rep clientRep
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return rep, &adminError{http.StatusBadRequest, "Cannot parse the JSON"}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rep); err != nil {
		if _, name, found := strings.Cut(err.Error(), "unknown field "); found {
			return rep, &adminError{http.StatusBadRequest, "Invalid json representation for ClientRepresentation. Unrecognized field " + name + "."}
		}
		return rep, &adminError{http.StatusBadRequest, "Cannot parse the JSON"}
	}
	return rep, nil
}

func (l *Lab) adminUpdate(a actor, r *http.Request) (int, any, error) {
	c := l.clientByUUID(r.PathValue("uuid"))
	if c == nil {
		return 0, nil, errNoClient
	}
	rep, err := readRep(r)
	if err != nil {
		return 0, nil, err
	}
	if other := l.client(rep.ClientID); rep.ClientID != "" && other != nil && other != c {
		return 0, nil, &adminError{http.StatusConflict, "Client " + rep.ClientID + " already exists"}
	}
	l.takeOver(c, rep)
	l.tellAdmin(a, "UPDATE", "CLIENT", "clients/"+c.UUID, masked(rep))
	return http.StatusNoContent, nil, nil
}

// takeOver writes what a representation names; what it leaves out stays. The
// client's scopes are not changed here, as at Keycloak.
func (l *Lab) takeOver(c *client, rep clientRep) {
	if rep.ClientID != "" {
		c.ID = rep.ClientID
	}
	if rep.Name != nil {
		c.Name = *rep.Name
	}
	if rep.RedirectURIs != nil {
		c.RedirectURIs = slices.Clone(rep.RedirectURIs)
	}
	if rep.Enabled != nil {
		c.Disabled = !*rep.Enabled
	}
	if rep.PublicClient != nil {
		c.Public = *rep.PublicClient
	}
	if rep.ServiceAccounts != nil {
		c.Service = *rep.ServiceAccounts
	}
	if rep.Secret != nil && *rep.Secret != "" && *rep.Secret != "**********" && usher.Secret(*rep.Secret) != c.Secret {
		c.setSecret(usher.Secret(*rep.Secret), time.Time{})
		c.created, c.shown = l.now(), c.Secret
	}
	keep := rep
	keep.ID, keep.ClientID, keep.Name, keep.RedirectURIs, keep.Enabled, keep.PublicClient, keep.ServiceAccounts, keep.Secret = "", "", nil, nil, nil, nil, nil, nil
	old := c.extra
	c.extra = keep
	if keep.WebOrigins == nil {
		c.extra.WebOrigins = old.WebOrigins
	}
	if keep.Attributes == nil {
		c.extra.Attributes = old.Attributes
	}
}

func (l *Lab) adminCreate(a actor, r *http.Request) (int, any, error) {
	rep, err := readRep(r)
	if err != nil {
		return 0, nil, err
	}
	if rep.ClientID == "" {
		rep.ClientID = randomID()
	}
	if l.client(rep.ClientID) != nil {
		return 0, nil, &adminError{http.StatusConflict, "Client " + rep.ClientID + " already exists"}
	}
	c := l.add(Client{ID: rep.ClientID, UUID: randomID(), Scopes: []string{"profile", "email"}, Optional: []string{"offline_access"}})
	l.takeOver(c, rep)
	l.tellAdmin(a, "CREATE", "CLIENT", "clients/"+c.UUID, masked(rep))
	return http.StatusCreated, created(c.UUID), nil
}

func (l *Lab) adminDelete(a actor, r *http.Request) (int, any, error) {
	c := l.clientByUUID(r.PathValue("uuid"))
	if c == nil {
		return 0, nil, errNoClient
	}
	l.clients = slices.DeleteFunc(l.clients, func(each *client) bool { return each == c })
	l.tellAdmin(a, "DELETE", "CLIENT", "clients/"+c.UUID, nil)
	return http.StatusNoContent, nil, nil
}

func (l *Lab) adminSecret(a actor, r *http.Request) (int, any, error) {
	c := l.clientByUUID(r.PathValue("uuid"))
	if c == nil {
		return 0, nil, errNoClient
	}
	return http.StatusOK, map[string]string{"type": "secret", "value": c.Secret.Reveal()}, nil
}

func (l *Lab) adminNewSecret(a actor, r *http.Request) (int, any, error) {
	c := l.clientByUUID(r.PathValue("uuid"))
	if c == nil {
		return 0, nil, errNoClient
	}
	c.setSecret("", time.Time{})
	c.created, c.shown = l.now(), c.Secret
	l.tellAdmin(a, "ACTION", "CLIENT", "clients/"+c.UUID+"/client-secret", map[string]string{"type": "secret", "value": "**********"})
	return http.StatusOK, map[string]string{"type": "secret", "value": c.Secret.Reveal()}, nil
}

func (l *Lab) adminServiceUser(_ actor, r *http.Request) (int, any, error) {
	c := l.clientByUUID(r.PathValue("uuid"))
	if c == nil {
		return 0, nil, errNoClient
	}
	if !c.Service {
		return 0, nil, &adminError{http.StatusBadRequest, "Service account not enabled for the client '" + c.ID + "'"}
	}
	return http.StatusOK, map[string]any{"id": c.serviceID(), "username": "service-account-" + c.ID, "enabled": true}, nil
}

// scopeRep is Keycloak's ClientScopeRepresentation, short.
type scopeRep struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Protocol    string            `json:"protocol,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
}

func (s scope) represent() scopeRep {
	return scopeRep{s.id, s.name, s.description, "openid-connect", map[string]string{"include.in.token.scope": strconv.FormatBool(shownScope(s.name))}}
}

func (l *Lab) adminScopes(actor, *http.Request) (int, any, error) {
	list := []scopeRep{}
	for _, s := range l.scopes {
		list = append(list, s.represent())
	}
	return http.StatusOK, list, nil
}

func (l *Lab) adminScope(_ actor, r *http.Request) (int, any, error) {
	s, ok := l.scopeByID(r.PathValue("scope"))
	if !ok {
		return 0, nil, errNoScope
	}
	return http.StatusOK, s.represent(), nil
}

// scopesOf gives the list of a client's scopes of a kind.
func (c *client) scopesOf(kind string) *[]string {
	if kind == "default" {
		return &c.Scopes
	}
	return &c.Optional
}

func (l *Lab) adminScopesOf(r *http.Request, kind string) (int, any, error) {
	c := l.clientByUUID(r.PathValue("uuid"))
	if c == nil {
		return 0, nil, errNoClient
	}
	list := []scopeRep{}
	for _, name := range *c.scopesOf(kind) {
		s, _ := l.scope(name)
		list = append(list, scopeRep{ID: s.id, Name: name})
	}
	return http.StatusOK, list, nil
}

func (l *Lab) adminMapScope(a actor, r *http.Request, kind string, in bool) (int, any, error) {
	c := l.clientByUUID(r.PathValue("uuid"))
	if c == nil {
		return 0, nil, errNoClient
	}
	s, ok := l.scopeByID(r.PathValue("scope"))
	if !ok {
		return 0, nil, errNoScope
	}
	list := c.scopesOf(kind)
	operation := "CREATE"
	if in {
		other := c.scopesOf(map[string]string{"default": "optional", "optional": "default"}[kind])
		if !slices.Contains(*list, s.name) && !slices.Contains(*other, s.name) {
			*list = append(*list, s.name)
		}
	} else {
		operation = "DELETE"
		*list = slices.DeleteFunc(*list, func(name string) bool { return name == s.name })
	}
	l.tellAdmin(a, operation, "CLIENT_SCOPE_CLIENT_MAPPING", "clients/"+c.UUID+"/"+kind+"-client-scopes/"+s.id, nil)
	return http.StatusNoContent, nil, nil
}

func (u *User) represent() map[string]any {
	return map[string]any{
		"id": u.ID, "username": u.Name, "firstName": u.Given, "lastName": u.Family, "email": u.Email, "emailVerified": true, "enabled": !u.Disabled,
		"totp": false, "requiredActions": []string{}, "notBefore": 0,
	}
}

func (l *Lab) adminUsers(_ actor, r *http.Request) (int, any, error) {
	q := r.URL.Query()
	want := strings.ToLower(q.Get("username"))
	list := []map[string]any{}
	for _, u := range l.users {
		name := strings.ToLower(u.Name)
		if want == "" || name == want || q.Get("exact") != "true" && strings.Contains(name, want) {
			list = append(list, u.represent())
		}
	}
	return http.StatusOK, list, nil
}

func (l *Lab) adminUser(_ actor, r *http.Request) (int, any, error) {
	id := r.PathValue("id")
	if u := l.userByID(id); u != nil {
		return http.StatusOK, u.represent(), nil
	}
	for _, c := range l.clients {
		if c.Service && c.serviceID() == id {
			return http.StatusOK, map[string]any{"id": id, "username": "service-account-" + c.ID, "enabled": true}, nil
		}
	}
	return 0, nil, &adminError{http.StatusNotFound, "User not found"}
}
