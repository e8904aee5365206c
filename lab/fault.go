package lab

import (
	"fmt"
	"slices"

	"usher"
)

// Dialect says whose words a fault speaks.
type Dialect string

// The dialects.
const (
	DialectKeycloak Dialect = "keycloak" // Keycloak's answers and log lines
	DialectEntra    Dialect = "entra"    // Entra's answers and Graph's sign-in records
	DialectAPI      Dialect = "usher"    // RFC 6750 challenges of the API, and usher's own events
)

// Fault is one way to fail, documented. The words are sentences for a person
// who tests a program of theirs.
type Fault struct {
	Name    string  `json:"name"` // the label of the cause
	Title   string  `json:"title"`
	Dialect Dialect `json:"dialect"`
	Does    string  `json:"does"`    // what the lab does while the fault is on
	Provoke string  `json:"provoke"` // how it is provoked
	// Command is a script for bash, curl and jq that provokes it; what stands in
	// braces is filled in by Settings.
	Command string `json:"command"`
	Shows   string `json:"shows"` // which behaviour of a client shows it
	Fix     string `json:"fix"`   // how it is fixed, and by whom
	Proof   string `json:"proof"` // what proves the fix
	// Action is what usher can carry out to fix it; empty: a person must act.
	Action usher.ActionKind `json:"action,omitempty"`

	on, off func(*Lab) // change the lab's world; they hold l.mu
}

// Faults lists every fault, in the order of a flow.
var Faults = []*Fault{
	redirectMismatch, policyDevice, consentRequired, secretInvalid, secretExpiredFault, secretIDUsed, refreshReusedFault,
	tokenExpired, wrongAudience, keyNotFound, clockSkew, scopeInsufficient,
}

// Find gives the fault of a name.
func Find(name string) (*Fault, bool) {
	i := slices.IndexFunc(Faults, func(f *Fault) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return Faults[i], true
}

func unknownFault(name string) error {
	return &usher.Error{Code: usher.ErrUsage, Message: fmt.Sprintf("the lab has no fault %q", name), Hint: "usher lab --list names them"}
}

// target is the client that faults change: the first that is no administrator.
func (l *Lab) target() *client {
	for _, c := range l.clients {
		if len(c.Roles) == 0 && !c.Public {
			return c
		}
	}
	return l.clients[0]
}

// edited writes the admin event of a client that an administrator edited: of
// what the edit sent, which need not be the whole client.
func (l *Lab) edited(c *client, sent clientRep) {
	sent.ID, sent.ClientID = c.UUID, c.ID
	l.tellAdmin(l.person(), "UPDATE", "CLIENT", "clients/"+c.UUID, masked(sent))
}

// putBack undoes what a fault changed in a registration.
func (l *Lab) putBack(name string) {
	if restore := l.before[name]; restore != nil {
		delete(l.before, name)
		restore()
	}
}
