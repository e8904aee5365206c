package casebook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/casebook"
)

// renewal is an event of usher's own broker.
func renewal(clock, id string) usher.Event {
	return usher.Event{
		Kind: usher.EventToken, Provider: "usher", LogName: "broker", Time: at(clock), Tenant: "id.gateway.example", Session: id,
		Client: usher.Party{UID: "shop"}, Resource: usher.Party{Name: id}, StatusCode: "invalid_grant",
		OAuth: usher.OAuthFacts{Endpoint: "token", GrantType: "refresh_token", Error: "invalid_grant"},
	}
}

func revoked() usher.Finding {
	return usher.Finding{Cause: "refresh-token-revoked", Outcome: usher.OutcomeWrong, Confidence: 0.9, Title: "the refresh token was revoked", Step: usher.StepRefresh}
}

// connectionFixes are as serve proposes them: the connection's next success.
func connectionWorld(t *testing.T) *world {
	return newWorld(t, func(opt *casebook.Options) {
		opt.Fixes = func(*usher.Case) []usher.Fix {
			proof := usher.ProofCondition{Equal: []string{"session_uid"}, Text: "the connection gets a token"}
			return []usher.Fix{{ID: "1", Title: "Connect it again", Risk: usher.RiskNeutral, Fixer: usher.FixerUser, Proof: proof}}
		}
	})
}

// TestConnections: two connections of one client at one provider are two cases,
// and the success of one proves nothing of the other.
func TestConnections(t *testing.T) {
	w := connectionWorld(t)
	w.refuse(renewal("11:00", "shop-gateway"), revoked())
	w.refuse(renewal("11:01", "shop-ledger"), revoked())
	w.refuse(renewal("11:02", "shop-gateway"), revoked())
	if w.tx.last != 2 {
		t.Fatalf("%d cases:%s", w.tx.last, titles(w.tx.all()))
	}
	gateway, ledger := w.get(1), w.get(2)
	if gateway.Title != "Connection 'shop-gateway' has no token: the refresh token was revoked" || gateway.Count != 2 || gateway.Behind != 0 || ledger.Behind != 0 {
		t.Errorf("%+v", gateway)
	}
	w.succeed(renewal("11:05", "shop-ledger"))
	w.state(1, usher.CaseOpen)
	c := w.state(2, usher.CaseFixed)
	if want := "A refresh of connection 'shop-ledger' succeeded at 11:05"; !strings.HasPrefix(c.Proven.Comment, want) {
		t.Errorf("%q", c.Proven.Comment)
	}
}

// TestConnectionProof: what the same client does elsewhere, or a success before
// the refusal, proves nothing; a person's connecting does, also with another
// client and at another address of the provider.
func TestConnectionProof(t *testing.T) {
	w := connectionWorld(t)
	w.refuse(renewal("11:10", "shop-gateway"), revoked())
	early := renewal("11:09", "shop-gateway")
	w.succeed(early)
	foreign := renewal("11:11", "shop-gateway")
	foreign.Provider, foreign.LogName = "keycloak", "keycloak-log" // a session that has the same name
	w.succeed(foreign)
	w.state(1, usher.CaseOpen)
	connected := renewal("11:20", "shop-gateway")
	connected.OAuth.GrantType, connected.Client.UID, connected.Tenant = "authorization_code", "shop-2", "login.gateway.example"
	w.succeed(connected)
	w.state(1, usher.CaseFixed)
	w.refuse(renewal("11:30", "shop-gateway"), revoked())
	w.state(1, usher.CaseRegressed)
}

// TestConnectionAlive: as long as there is a token, nobody is without one.
func TestConnectionAlive(t *testing.T) {
	w := connectionWorld(t)
	ev := renewal("11:00", "shop-gateway")
	ev.OAuth.Expires = at("11:30")
	w.refuse(ev, revoked())
	if c := w.only(); !strings.HasPrefix(c.Title, "Connection 'shop-gateway' cannot be renewed: ") {
		t.Errorf("%q", c.Title)
	}
	w.refuse(renewal("11:31", "shop-gateway"), revoked())
	if c := w.only(); !strings.HasPrefix(c.Title, "Connection 'shop-gateway' has no token: ") {
		t.Errorf("%q", c.Title)
	}
}

// TestConnectionSilence: a connection that waits for a person is not tried, and
// its case does not fall quiet; one that is removed ends it.
func TestConnectionSilence(t *testing.T) {
	w := connectionWorld(t)
	w.refuse(renewal("11:00", "shop-gateway"), revoked())
	w.tick(noon.Add(30 * 24 * time.Hour))
	w.state(1, usher.CaseOpen)
	gone := renewal("11:40", "shop-gateway")
	gone.Kind, gone.Status, gone.StatusCode = usher.EventAdmin, usher.StatusSuccess, ""
	gone.Change = &usher.Change{Operation: "delete", Type: "connection", Target: usher.Party{Name: "shop-ledger"}}
	gone.Session = "shop-ledger"
	w.change(gone)
	w.state(1, usher.CaseOpen)
	gone.UID, gone.Session, gone.Change = "", "shop-gateway", &usher.Change{Operation: "delete", Type: "connection", Target: usher.Party{Name: "shop-gateway"}}
	w.change(gone)
	w.state(1, usher.CaseQuiet)
}

// TestConnectionChange: what was changed at the connection before explains it.
func TestConnectionChange(t *testing.T) {
	w := connectionWorld(t)
	edit := renewal("10:58", "shop-gateway")
	edit.Kind, edit.Status, edit.StatusCode = usher.EventAdmin, usher.StatusSuccess, ""
	edit.Actor = usher.Party{Name: "ada"}
	edit.Change = &usher.Change{Operation: "update", Type: "connection", Target: usher.Party{Name: "shop-gateway"}}
	w.change(edit)
	w.refuse(renewal("11:00", "shop-gateway"), revoked())
	if c := w.only(); !strings.Contains(c.Summary, "the connection was edited at 10:58 by ada") {
		t.Errorf("%q", c.Summary)
	}
}

// TestManyConnections: a crowd of connections is no crowd of tries: each has a
// token of its own and is proven by itself.
func TestManyConnections(t *testing.T) {
	w := connectionWorld(t)
	for i := range 40 {
		w.refuse(renewal("11:00", fmt.Sprintf("c-%d", i)), revoked())
		w.refuse(renewal("11:01", fmt.Sprintf("c-%d", i)), usher.Finding{})
	}
	if w.tx.last != 40 {
		t.Fatalf("%d cases", w.tx.last)
	}
	for i := range 40 {
		w.succeed(renewal("11:05", fmt.Sprintf("c-%d", i)))
		w.state(int64(i+1), usher.CaseFixed)
	}
}
