package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"usher"
	"usher/broker"
	"usher/policy/lifespan"
)

// Connections is what the console asks of the broker. Errors are as those of
// Cases. By is the person or key who asks.
type Connections interface {
	// Connections lists all, by id.
	Connections(ctx context.Context) ([]Connection, error)
	// Connection gives one, or usher.ErrNotFound.
	Connection(ctx context.Context, id string) (Connection, error)
	// Add makes one: what is not said is filled in from its preset or from what
	// its issuer publishes.
	Add(ctx context.Context, wish NewConnection, by string) (Connection, error)
	// Configure replaces its configuration, or usher.ErrChanged when it is no
	// longer of the revision that was seen.
	Configure(ctx context.Context, id string, change ChangedConnection, by string) (Connection, error)
	// Renew renews its token now, and tells how it stands then.
	Renew(ctx context.Context, id, by string) (Connection, error)
	// Connect gives the link where a person connects it.
	Connect(ctx context.Context, id, by string) (link string, err error)
	// Remove takes it away, and its tokens; one that is not there is usher.ErrNotFound.
	Remove(ctx context.Context, id, by string) error
	// Explain says why its token lives as long as it does, in the order in which
	// it was decided.
	Explain(ctx context.Context, id string) ([]lifespan.Reason, error)
	// Presets lists what is known of APIs.
	Presets(ctx context.Context) []Preset
	// WatchConnections tells the ids of connections that change from now on until
	// ctx ends, as Cases.Subscribe does.
	WatchConnections(ctx context.Context) <-chan string
}

// Connection is a connection with how it stands. It holds no secret.
type Connection struct {
	Config   broker.Config `json:"config"`
	Revision int64         `json:"revision"`         // of the configuration; a change names the one that it is made from
	Secret   string        `json:"secret,omitempty"` // what the client proves itself with: "kept", "managed", empty for none
	Managed  string        `json:"managed_secret,omitempty"`
	// RedirectURI is what must be registered at the provider, where a person connects.
	RedirectURI string        `json:"redirect_uri,omitempty"`
	Status      broker.Status `json:"status"`
	Case        int64         `json:"case,omitempty"` // number of the active case about it; 0: none
}

// NewConnection is what is asked for with a new connection.
type NewConnection struct {
	Config broker.Config `json:"config"` // what is left out comes from the preset, or from the issuer's metadata
	// Variables fill the gaps of a preset's addresses: {"tenant": "contoso"}.
	Variables map[string]string `json:"variables,omitempty"`
	// Trust names origins that belong to the issuer beside its own, where its
	// metadata names endpoints elsewhere.
	Trust        []string `json:"trust,omitempty"`
	ClientSecret string   `json:"client_secret,omitempty"`
	PrivateKey   string   `json:"private_key,omitempty"`   // PEM or JWK, of private_key_jwt and of the JWT bearer grant
	RefreshToken string   `json:"refresh_token,omitempty"` // of the grant refresh_token: one that was given elsewhere
	Managed      string   `json:"managed_secret,omitempty"`
}

// ChangedConnection is a configuration in place of another.
type ChangedConnection struct {
	Revision     int64         `json:"revision"` // that was seen
	Config       broker.Config `json:"config"`   // the whole
	ClientSecret string        `json:"client_secret,omitempty"`
	PrivateKey   string        `json:"private_key,omitempty"`
	Managed      string        `json:"managed_secret,omitempty"`
}

// Preset is what is known of an API that programs often connect to.
type Preset struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Grants    []string `json:"grant_types,omitempty"`
	Variables []string `json:"variables,omitempty"` // that must be given
	Note      string   `json:"note,omitempty"`
}

// The bodies of the API.
type (
	connectionBody  = Connection
	connectionsBody struct {
		Connections []Connection `json:"connections"`
	}
	explainedBody struct {
		Connection string            `json:"connection"`
		Expires    time.Time         `json:"expires,omitzero"`
		RenewAt    time.Time         `json:"renew_at,omitzero"`
		Reasons    []lifespan.Reason `json:"reasons"` // in the order in which they decided
	}
	linkBody struct {
		Link string `json:"link"` // where a person connects; for that person alone
	}
	presetsBody struct {
		Presets []Preset `json:"presets"`
	}
)

// errNoBroker answers where no broker runs.
var errNoBroker = refusal(usher.ErrNotFound, "this server keeps no connections", "")

// connectionID gives the id of a request's path.
func (c *console) connectionID(r *http.Request) (string, error) {
	if c.opt.Connections == nil {
		return "", errNoBroker
	}
	return r.PathValue("id"), nil
}

func (c *console) apiConnections(w http.ResponseWriter, r *http.Request) error {
	if c.opt.Connections == nil {
		return errNoBroker
	}
	all, err := c.opt.Connections.Connections(r.Context())
	if err != nil {
		return err
	}
	if all == nil {
		all = []Connection{}
	}
	writeJSON(w, http.StatusOK, connectionsBody{all})
	return nil
}

func (c *console) apiConnection(w http.ResponseWriter, r *http.Request) error {
	id, err := c.connectionID(r)
	if err != nil {
		return err
	}
	return answerConnection(w, func() (Connection, error) { return c.opt.Connections.Connection(r.Context(), id) })
}

func answerConnection(w http.ResponseWriter, ask func() (Connection, error)) error {
	found, err := ask()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, found)
	return nil
}

func (c *console) apiAddConnection(w http.ResponseWriter, r *http.Request) error {
	if c.opt.Connections == nil {
		return errNoBroker
	}
	var wish NewConnection
	if err := readJSON(r, &wish); err != nil {
		return err
	}
	ctx, cancel := patient(r)
	defer cancel()
	return answerConnection(w, func() (Connection, error) { return c.opt.Connections.Add(ctx, wish, by(r)) })
}

func (c *console) apiConfigureConnection(w http.ResponseWriter, r *http.Request) error {
	id, err := c.connectionID(r)
	if err != nil {
		return err
	}
	var change ChangedConnection
	if err := readJSON(r, &change); err != nil {
		return err
	}
	if change.Config.ID != "" && change.Config.ID != id {
		return refusal(CodeUnprocessed, "a connection keeps its id", "add another one, and remove this")
	}
	ctx, cancel := patient(r)
	defer cancel()
	return answerConnection(w, func() (Connection, error) { return c.opt.Connections.Configure(ctx, id, change, by(r)) })
}

func (c *console) apiRenewConnection(w http.ResponseWriter, r *http.Request) error {
	id, err := c.connectionID(r)
	if err != nil {
		return err
	}
	ctx, cancel := patient(r)
	defer cancel()
	return answerConnection(w, func() (Connection, error) { return c.opt.Connections.Renew(ctx, id, by(r)) })
}

func (c *console) apiConnect(w http.ResponseWriter, r *http.Request) error {
	id, err := c.connectionID(r)
	if err != nil {
		return err
	}
	link, err := c.opt.Connections.Connect(r.Context(), id, by(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, linkBody{link})
	return nil
}

func (c *console) apiRemoveConnection(w http.ResponseWriter, r *http.Request) error {
	id, err := c.connectionID(r)
	if err != nil {
		return err
	}
	ctx, cancel := patient(r)
	defer cancel()
	if err := c.opt.Connections.Remove(ctx, id, by(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *console) apiExplainConnection(w http.ResponseWriter, r *http.Request) error {
	id, err := c.connectionID(r)
	if err != nil {
		return err
	}
	found, err := c.opt.Connections.Connection(r.Context(), id)
	if err != nil {
		return err
	}
	reasons, err := c.opt.Connections.Explain(r.Context(), id)
	if err != nil {
		return err
	}
	if reasons == nil {
		reasons = []lifespan.Reason{}
	}
	writeJSON(w, http.StatusOK, explainedBody{found.Config.ID, found.Status.Expires, found.Status.RenewAt, reasons})
	return nil
}

func (c *console) apiPresets(w http.ResponseWriter, r *http.Request) error {
	if c.opt.Connections == nil {
		return errNoBroker
	}
	presets := c.opt.Connections.Presets(r.Context())
	if presets == nil {
		presets = []Preset{}
	}
	writeJSON(w, http.StatusOK, presetsBody{presets})
	return nil
}

// ReservedIDs are words that no connection may be called: they stand in
// addresses.
var ReservedIDs = []string{"events", "new", "token"}

// CheckConnectionID tells what is wrong with an id of a connection, or nil.
func CheckConnectionID(id string) error {
	if id == "" || len(id) > 63 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || id[0] == '-' {
		return refusal(CodeUnprocessed, "a connection's id is made of small letters, digits and hyphens, 63 at most", "like shop-gateway")
	}
	for _, word := range ReservedIDs {
		if id == word {
			return refusal(CodeUnprocessed, "no connection may be called "+word, "like shop-gateway")
		}
	}
	return nil
}
