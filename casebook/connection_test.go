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

// TestConnectionCalls: a request that the egress proxy could not get through is
// proven by the next one that is, and not by a token.
func TestConnectionCalls(t *testing.T) {
	w := connectionWorld(t)
	call := renewal("11:00", "shop-gateway")
	call.Kind, call.Resource, call.OAuth = usher.EventAPI, usher.Party{UID: "https://api.gateway.example", Name: "api.gateway.example"}, usher.OAuthFacts{Endpoint: "api"}
	w.refuse(call, usher.Finding{Cause: "token-revoked", Outcome: usher.OutcomeWrong, Confidence: 0.9, Step: usher.StepAPICall})
	w.succeed(renewal("11:05", "shop-gateway"))
	w.state(1, usher.CaseOpen)
	call.Time = at("11:10")
	w.succeed(call)
	if c := w.state(1, usher.CaseFixed); !strings.HasPrefix(c.Proven.Comment, "An API call of connection 'shop-gateway'") {
		t.Errorf("%q", c.Proven.Comment)
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

// away is a renewal that the token endpoint is to blame for.
func away(clock, id string) usher.Event {
	ev := renewal(clock, id)
	ev.StatusCode, ev.OAuth.Error = "", ""
	ev.Request = usher.Request{Method: "POST", Host: "id.gateway.example", Path: "/token", Status: 502}
	ev.Unmapped = map[string]string{"fault": usher.FaultOfEndpoint}
	return ev
}

func outage() usher.Finding {
	return usher.Finding{Cause: "provider-outage", Outcome: usher.OutcomeWrong, Confidence: 0.9, Title: "the provider answers with an error of its own", Step: usher.StepRefresh}
}

// endpointWorld proposes as serve does: a success at the same endpoint.
func endpointWorld(t *testing.T) *world {
	return newWorld(t, func(opt *casebook.Options) {
		opt.Fixes = func(*usher.Case) []usher.Fix {
			proof := usher.ProofCondition{Equal: []string{"http_request.path"}, Text: "a connection that met it gets a token"}
			return []usher.Fix{{ID: "1", Title: "Wait", Risk: usher.RiskNeutral, Fixer: usher.FixerNobody, Proof: proof}}
		}
	})
}

// TestEndpointAway: a provider that is down is one case, however many
// connections, clients and tenants meet it, and one of them ends it.
func TestEndpointAway(t *testing.T) {
	w := endpointWorld(t)
	for round := range 2 {
		for i := range 400 {
			ev := away(fmt.Sprintf("11:%02d", round), fmt.Sprintf("c-%d", i))
			ev.Client.UID, ev.Tenant = fmt.Sprintf("shop-%d", i%7), fmt.Sprintf("tenant-%d", i%3)
			w.refuse(ev, outage())
		}
	}
	c := w.only()
	if c.Count != 800 || c.Connections != 400 || len(c.ConnectionIDs) != 20 || c.ConnectionIDs[3] != "c-3" || c.Behind != 0 {
		t.Errorf("%d tries, %d connections, %v", c.Count, c.Connections, c.ConnectionIDs)
	}
	if want := "400 connections get no new token from 'id.gateway.example/token': the provider answers with an error of its own"; c.Title != want {
		t.Errorf("%q, want %q", c.Title, want)
	}
	elsewhere := away("11:10", "c-5")
	elsewhere.Request.Path = "/other"
	w.succeed(elsewhere)
	w.succeed(away("11:10", "stranger")) // never met it: it may be let in where others are not
	early := away("10:59", "c-5")
	w.succeed(early)
	w.state(1, usher.CaseOpen)
	w.succeed(away("11:10", "c-5"))
	w.state(1, usher.CaseFixed)
	w.refuse(away("11:20", "c-9"), outage())
	w.state(1, usher.CaseRegressed)
	w.succeed(away("11:21", "c-300"))
	w.state(1, usher.CaseFixed)
	w.only()
}

// TestEndpointTogether: an outage and the fault of one connection there are two
// cases, another endpoint's outage is a third, and none proves another.
func TestEndpointTogether(t *testing.T) {
	w := endpointWorld(t)
	w.refuse(away("11:00", "c-1"), outage())
	w.refuse(renewal("11:01", "c-1"), revoked())
	other := away("11:02", "c-2")
	other.Request.Host = "id.ledger.example"
	w.refuse(other, outage())
	if w.tx.last != 3 {
		t.Fatalf("%d cases:%s", w.tx.last, titles(w.tx.all()))
	}
	if c := w.get(1); !strings.HasPrefix(c.Title, "Connection 'c-1' has no token: ") || c.Connections != 1 {
		t.Errorf("%q, %d", c.Title, c.Connections)
	}
	if c := w.get(2); c.Connections != 0 || c.Behind != 0 {
		t.Errorf("%+v", c)
	}
	w.succeed(away("11:05", "c-2"))
	w.state(1, usher.CaseOpen)
	w.state(2, usher.CaseOpen)
	w.state(3, usher.CaseOpen)
}

// TestEndpointSilence: an endpoint that nobody asks any more, for its
// connections were removed or go elsewhere, is no case for ever.
func TestEndpointSilence(t *testing.T) {
	w := endpointWorld(t)
	w.refuse(away("11:00", "c-1"), outage())
	gone := away("11:05", "c-1")
	gone.Kind, gone.Status = usher.EventAdmin, usher.StatusSuccess
	gone.Change = &usher.Change{Operation: "delete", Type: "connection", Target: usher.Party{Name: "c-1"}}
	w.change(gone)
	w.state(1, usher.CaseQuiet)
	w.refuse(away("11:10", "c-2"), outage())
	w.state(1, usher.CaseOpen)
	gone.UID, gone.Session, gone.Time, gone.Change = "", "c-2", at("11:15"), &usher.Change{Operation: "delete", Type: "connection", Target: usher.Party{Name: "c-2"}}
	w.change(gone)
	w.state(1, usher.CaseOpen) // others may be without a token still
	w.tick(at("13:05"))
	w.state(1, usher.CaseQuiet)
}
