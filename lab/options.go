package lab

import (
	"io"
	"time"

	"usher"
)

// Options say what a lab is made of. The zero value is a whole lab: one realm,
// one shop with one person, the real clock, and no log.
type Options struct {
	Now func() time.Time // nil: time.Now
	// Issuer is where the lab is reached, without a path
	// ("http://127.0.0.1:8080"). Empty: each request's Host, over http.
	Issuer string
	Realm  string // Keycloak's realm; empty: "shop"
	Tenant string // Entra's tenant id; empty: DefaultTenant

	Clients []Client // nil: DefaultClients
	Users   []User   // nil: DefaultUsers

	// Log gets Keycloak's log lines. Records gets Entra's sign-in records as
	// Microsoft Graph gives them, a line each; Events gets usher's own events of
	// the API, a line each. Those two write to Log when they are nil.
	Log, Records, Events io.Writer
	Zone                 *time.Location // of the times in Keycloak's lines; nil: time.Local

	// SecretDelay is how long a secret that was made through an admin API of
	// Entra, Okta or Auth0 is refused until every part of the provider knows it.
	SecretDelay time.Duration
	// OktaToken is the API token that Okta's admin API wants; empty: made up,
	// see Lab.OktaToken.
	OktaToken usher.Secret

	Faults []string // names of faults that are on from the start
	// Control lets everybody who reaches the lab switch faults at /lab/.
	Control bool
}

// Client is an application that is registered at the lab.
type Client struct {
	ID           string // client_id; in Keycloak's words clientId
	UUID         string // Keycloak's internal id; empty: made of ID
	AppID        string // Entra's application id; empty: made of ID
	Name         string
	Public       bool
	Secret       usher.Secret // of a client that is not public; empty: made up
	RedirectURIs []string
	Scopes       []string // granted without being asked for
	Optional     []string // granted when asked for
	// Service marks a client that may sign in as itself (client_credentials).
	Service  bool
	Roles    []string // Keycloak: realm-management roles of its service account
	Disabled bool
}

// User is a person who can sign in at the lab.
type User struct {
	ID       string // empty: made of Name
	Name     string
	Email    string // empty: Name@shop.test
	Given    string
	Family   string
	Password usher.Secret
	Disabled bool
}

// DefaultTenant is the tenant id of a lab in Entra's dialect.
const DefaultTenant = "5d0c5f60-7c1b-4f0e-9a57-3f6d0e2b8c41"
