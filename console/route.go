package console

import (
	"context"
	"net/http"
	"time"

	"usher/broker/credential"
)

// access says who may use a route.
type access int

const (
	open   access = iota // anybody: the sign-in itself, health, style and script
	member               // who is signed in, has a key, or comes over the unix socket
)

// A route is one row of the only table of routes: it feeds the mux, the
// OpenAPI document and the tests.
type route struct {
	Method, Path string
	Access       access
	API          bool                                                     // answers JSON, also when it fails
	Handle       func(*console, http.ResponseWriter, *http.Request) error // what it returns is told in the form of the route
	Body         int64                                                    // bytes that a request may hold; 0: formBytes
	Doc          operation                                                // of the routes that programs use
}

// Bounds of what a request may hold.
const (
	formBytes       = 64 << 10
	connectionBytes = 256 << 10
	eventsBytes     = 8 << 20
)

var routes = []route{
	{Method: "GET", Path: "/{$}", Access: member, Handle: (*console).listPage},
	{Method: "GET", Path: "/cases/{id}", Access: member, Handle: (*console).casePage},
	{Method: "POST", Path: "/cases/{id}/plan", Access: member, Handle: (*console).planForm},
	{Method: "POST", Path: "/cases/{id}/apply", Access: member, Handle: (*console).applyForm},
	{Method: "POST", Path: "/cases/{id}/undo", Access: member, Handle: (*console).undoForm},
	{Method: "POST", Path: "/cases/{id}/declare", Access: member, Handle: (*console).declareForm},
	{Method: "POST", Path: "/cases/{id}/intend", Access: member, Handle: (*console).intendForm},
	{Method: "POST", Path: "/cases/{id}/reopen", Access: member, Handle: (*console).reopenForm},

	{Method: "GET", Path: "/connections", Access: member, Handle: (*console).connectionsPage},
	{Method: "POST", Path: "/connections", Access: member, Handle: (*console).addForm},
	{Method: "GET", Path: "/connections/new", Access: member, Handle: (*console).newConnectionPage},
	{Method: "GET", Path: "/connections/{id}", Access: member, Handle: (*console).connectionPage},
	{Method: "POST", Path: "/connections/{id}/renew", Access: member, Handle: (*console).renewForm},
	{Method: "POST", Path: "/connections/{id}/connect", Access: member, Handle: (*console).connectForm},
	{Method: "POST", Path: "/connections/{id}/secret", Access: member, Handle: (*console).newSecretForm},
	{Method: "POST", Path: "/connections/{id}/remove", Access: member, Handle: (*console).removeForm},

	{Method: "GET", Path: "/signin", Access: open, Handle: (*console).signInPage},
	{Method: "POST", Path: "/signin", Access: open, Handle: (*console).signInForm},
	{Method: "POST", Path: "/signout", Access: open, Handle: (*console).signOutForm},
	{Method: "GET", Path: "/password", Access: open, Handle: (*console).passwordPage},
	{Method: "POST", Path: "/password", Access: open, Handle: (*console).passwordForm},
	{Method: "GET", Path: "/keys", Access: member, Handle: (*console).keysPage},
	{Method: "POST", Path: "/keys", Access: member, Handle: (*console).makeKeyForm},
	{Method: "POST", Path: "/keys/{key}/drop", Access: member, Handle: (*console).dropKeyForm},
	{Method: "GET", Path: "/assets/{name}", Access: open, Handle: (*console).asset},

	{Method: "GET", Path: "/api/v1/cases", Access: member, API: true, Handle: (*console).apiList, Doc: operation{
		ID: "listCases", Summary: "List cases", Detail: "Without a parameter: the cases that ask for somebody and are not hidden behind another.",
		Query: []parameter{
			{"state", "string", "only cases in this state; may be repeated"},
			{"client", "string", "only cases of the client with this id or name"},
			{"all", "boolean", "every case, also those that are over or hidden behind another"},
		},
		Gives: list{},
	}},
	{Method: "GET", Path: "/api/v1/cases/{id}", Access: member, API: true, Handle: (*console).apiCase, Doc: operation{
		ID: "getCase", Summary: "Show one case", Gives: caseBody{},
	}},
	{Method: "POST", Path: "/api/v1/cases/{id}/plan", Access: member, API: true, Handle: (*console).apiPlan, Doc: operation{
		ID: "planFix", Summary: "Show the exact difference that a fix would make", Detail: "The provider is asked, nothing is changed.",
		Takes: fixChoice{}, Gives: planBody{},
	}},
	{Method: "POST", Path: "/api/v1/cases/{id}/apply", Access: member, API: true, Handle: (*console).apiApply, Doc: operation{
		ID: "applyFix", Summary: "Carry out a plan that was shown",
		Detail: "Refused when the plan is no longer what would be done, or when it weakens and `weaken` is not true. A secret that replaces another is told in this answer and never again.",
		Takes:  Confirm{}, Gives: appliedBody{},
	}},
	{Method: "POST", Path: "/api/v1/cases/{id}/undo", Access: member, API: true, Handle: (*console).apiUndo, Doc: operation{
		ID: "undoFix", Summary: "Take back what was carried out", Takes: runChoice{}, Gives: runBody{},
	}},
	{Method: "POST", Path: "/api/v1/cases/{id}/declare", Access: member, API: true, Handle: (*console).apiDeclare, Doc: operation{
		ID: "declareFix", Summary: "Say that a person has carried out a fix", Detail: "The end of an attack needs a reason: what was done, and by whom.", Takes: Declaration{}, Gives: runBody{},
	}},
	{Method: "POST", Path: "/api/v1/cases/{id}/intend", Access: member, API: true, Handle: (*console).apiIntend, Doc: operation{
		ID: "intendCase", Summary: "Say that the refusal is right, who answers for it, and until when", Takes: Intent{}, Gives: caseBody{},
	}},
	{Method: "POST", Path: "/api/v1/cases/{id}/reopen", Access: member, API: true, Handle: (*console).apiReopen, Doc: operation{
		ID: "reopenCase", Summary: "Open a case again", Gives: caseBody{},
	}},
	{Method: "GET", Path: "/api/v1/watch", Access: member, API: true, Handle: (*console).watch, Doc: operation{
		ID: "watchCases", Summary: "Be told of cases as they change",
		Detail: "Server-sent events: each `case` event holds the id and the state of a case that is new or has changed, each `connection` event the id of a connection. " +
			"Nothing is repeated after a pause in the connection: read the list again when the stream opens.",
		Gives: Change{}, Type: "text/event-stream",
	}},
	{Method: "POST", Path: "/api/v1/events", Access: member, API: true, Body: eventsBytes, Handle: (*console).apiEvents, Doc: operation{
		ID: "takeEvents", Summary: "Hand in events",
		Detail: "One event a line, at most 10,000 lines and 8 MiB. All are kept or, when one of them is wrong, none. An event whose uid is known already changes nothing.",
		Takes:  eventBody{}, TakesType: "application/x-ndjson", Gives: takenBody{},
	}},
	{Method: "GET", Path: "/api/v1/keys", Access: member, API: true, Handle: (*console).apiKeys, Doc: operation{
		ID: "listKeys", Summary: "List the keys of programs", Gives: keysBody{},
	}},
	{Method: "POST", Path: "/api/v1/keys", Access: member, API: true, Handle: (*console).apiMakeKey, Doc: operation{
		ID: "makeKey", Summary: "Make a key for a program", Detail: "Its value is told in this answer and never again.",
		Takes: keyWish{}, Gives: madeKey{},
	}},
	{Method: "DELETE", Path: "/api/v1/keys/{key}", Access: member, API: true, Handle: (*console).apiDropKey, Doc: operation{
		ID: "dropKey", Summary: "Take a key away from its program",
	}},
	{Method: "GET", Path: "/api/v1/connections", Access: member, API: true, Handle: (*console).apiConnections, Doc: operation{
		ID: "listConnections", Summary: "List connections and how each stands", Gives: connectionsBody{},
	}},
	{Method: "POST", Path: "/api/v1/connections", Access: member, API: true, Body: connectionBytes, Handle: (*console).apiAddConnection, Doc: operation{
		ID: "addConnection", Summary: "Make a connection",
		Detail: "What is left out is filled in from the preset, or from the metadata of the issuer. Secrets are sealed before they are kept, and never told again.",
		Takes:  NewConnection{}, Gives: connectionBody{},
	}},
	{Method: "GET", Path: "/api/v1/connections/{id}", Access: member, API: true, Handle: (*console).apiConnection, Doc: operation{
		ID: "getConnection", Summary: "Show one connection and how it stands", Gives: connectionBody{},
	}},
	{Method: "PUT", Path: "/api/v1/connections/{id}", Access: member, API: true, Body: connectionBytes, Handle: (*console).apiConfigureConnection, Doc: operation{
		ID: "configureConnection", Summary: "Replace the configuration of a connection",
		Detail: "Refused when the connection is no longer of the revision that was seen. A secret that is left out stays.",
		Takes:  ChangedConnection{}, Gives: connectionBody{},
	}},
	{Method: "DELETE", Path: "/api/v1/connections/{id}", Access: member, API: true, Handle: (*console).apiRemoveConnection, Doc: operation{
		ID: "removeConnection", Summary: "Remove a connection with its tokens",
	}},
	{Method: "POST", Path: "/api/v1/connections/{id}/renew", Access: member, API: true, Handle: (*console).apiRenewConnection, Doc: operation{
		ID: "renewConnection", Summary: "Renew the token of a connection now", Detail: "What comes of it stands in the status: a refusal is a trouble there, and no error here.", Gives: connectionBody{},
	}},
	{Method: "POST", Path: "/api/v1/connections/{id}/connect", Access: member, API: true, Handle: (*console).apiConnect, Doc: operation{
		ID: "connectConnection", Summary: "Make the link where a person connects", Detail: "Whoever opens it connects the connection to an account of theirs: it is for one person, and for a short time.", Gives: linkBody{},
	}},
	{Method: "GET", Path: "/api/v1/connections/{id}/explain", Access: member, API: true, Handle: (*console).apiExplainConnection, Doc: operation{
		ID: "explainConnection", Summary: "Say why the token of a connection lives as long as it does", Gives: explainedBody{},
	}},
	{Method: "GET", Path: "/api/v1/presets", Access: member, API: true, Handle: (*console).apiPresets, Doc: operation{
		ID: "listPresets", Summary: "List the APIs of which the addresses and habits are known", Gives: presetsBody{},
	}},
	{Method: "GET", Path: "/api/v1/secrets", Access: member, API: true, Handle: (*console).apiSecrets, Doc: operation{
		ID: "listSecrets", Summary: "List the secrets that usher manages, and who still uses an old one", Gives: secretsBody{},
	}},
	{Method: "POST", Path: "/api/v1/secrets", Access: member, API: true, Handle: (*console).apiAddSecret, Doc: operation{
		ID: "addSecret", Summary: "Begin to manage a secret", Detail: "At the provider nothing is changed. The secret is in no answer.", Takes: NewSecret{}, Gives: secretBody{},
	}},
	{Method: "GET", Path: "/api/v1/secrets/{name}", Access: member, API: true, Handle: (*console).apiSecret, Doc: operation{
		ID: "getSecret", Summary: "Show one managed secret", Gives: secretBody{},
	}},
	{Method: "DELETE", Path: "/api/v1/secrets/{name}", Access: member, API: true, Handle: (*console).apiRemoveSecret, Doc: operation{
		ID: "removeSecret", Summary: "End the managing of a secret", Detail: "At the provider nothing is changed. Refused while it is being rotated.",
	}},
	{Method: "POST", Path: "/api/v1/secrets/{name}/plan", Access: member, API: true, Handle: (*console).apiPlanSecret, Doc: operation{
		ID: "planRotation", Summary: "Say what a rotation would change where, who uses the secret, and when the old one may be retired", Detail: "The provider is asked, nothing is changed.", Gives: credential.Plan{},
	}},
	{Method: "POST", Path: "/api/v1/secrets/{name}/rotate", Access: member, API: true, Handle: (*console).apiRotateSecret, Doc: operation{
		ID: "rotateSecret", Summary: "Begin a rotation", Detail: "It goes on by itself: `usher secrets` and the operation getSecret say where it stands.", Takes: rotateBody{}, Gives: credential.Plan{},
	}},
	{Method: "POST", Path: "/api/v1/secrets/{name}/retire", Access: member, API: true, Handle: (*console).apiRetireSecret, Doc: operation{
		ID: "retireSecret", Summary: "Retire the old version, although it may be in use",
		Detail: "Without `confirm` it only says what speaks against it. Who sends `confirm` of that answer means it; that is refused when something else speaks against it by then, and to keys always.",
		Takes:  retireBody{}, Gives: credential.Retirement{},
	}},
	{Method: "POST", Path: "/api/v1/secrets/{name}/declare", Access: member, API: true, Handle: (*console).apiDeclareSecret, Doc: operation{
		ID: "declareRetired", Summary: "Say that a person has ended the old version at the provider", Gives: secretBody{},
	}},
	{Method: "POST", Path: "/api/v1/secrets/{name}/undo", Access: member, API: true, Handle: (*console).apiUndoSecret, Doc: operation{
		ID: "undoRotation", Summary: "Hand the old version out again", Detail: "Possible until it is being retired.", Gives: secretBody{},
	}},
	{Method: "POST", Path: "/api/v1/secrets/{name}/verify", Access: member, API: true, Handle: (*console).apiVerifySecret, Doc: operation{
		ID: "verifySecret", Summary: "Try the current version at its token endpoint now", Gives: secretBody{},
	}},
	{Method: "POST", Path: "/api/v1/secrets/{name}/forget", Access: member, API: true, Handle: (*console).apiForgetCaller, Doc: operation{
		ID: "forgetCaller", Summary: "Say that a caller is gone, so that nothing waits for it", Takes: forgetBody{}, Gives: forgottenBody{},
	}},
	{Method: "POST", Path: "/api/v1/secrets/{name}/leaked", Access: member, API: true, Handle: (*console).apiLeakedSecret, Doc: operation{
		ID: "reportLeak", Summary: "Report a secret that leaked",
		Detail: "By its value, which is compared and not kept, or by its SHA-256. The name `any` is for who does not know whose it is. It opens a case; by the policy of the secret two signals begin a rotation.",
		Takes:  LeakedSecret{}, Gives: leakedBody{},
	}},
	{Method: "GET", Path: "/api/v1/openapi.json", Access: open, API: true, Handle: (*console).openAPI, Doc: operation{
		ID: "getDocument", Summary: "This document", Gives: documentBody{},
	}},

	{Method: "GET", Path: "/healthz", Access: open, API: true, Handle: (*console).health, Doc: operation{
		ID: "health", Summary: "Tell whether the server is alive", Gives: healthBody{},
	}},
	{Method: "GET", Path: "/readyz", Access: open, API: true, Handle: (*console).ready, Doc: operation{
		ID: "ready", Summary: "Tell whether the server can do its work", Gives: healthBody{},
	}},
	{Method: "GET", Path: "/metrics", Access: open, API: true, Handle: (*console).metrics, Doc: operation{
		ID: "metrics", Summary: "Counters in the format of Prometheus", Gives: "", Type: "text/plain",
	}},
}

// serve wraps one route with what must hold before it runs.
func (c *console) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := rt.Body
		if limit == 0 {
			limit = formBytes
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		if err := c.admit(rt, r); err != nil {
			c.tell(rt, w, r, err)
			return
		}
		who, err := c.recognise(r)
		if err != nil {
			c.tell(rt, w, r, err)
			return
		}
		if rt.Access == member && who.name == "" {
			c.turnAway(rt, w, r, who)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), actorKey{}, who))
		if err := rt.Handle(c, w, r); err != nil {
			c.tell(rt, w, r, err)
		}
	})
}

// patient gives a context for a change at a provider: it does not end when the
// browser that asked for it goes away, for half a change is the worst of all.
func patient(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), 60*time.Second)
}

// changes tells whether a request may change something.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead
}
