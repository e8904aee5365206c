package connect

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/strategy"
	"usher/catalog"
	"usher/oauth"
	"usher/token"
)

// told is a refusal in words.
type told struct {
	cause     string
	strategy  strategy.Name
	title     string
	turnOf    usher.Fixer
	what, why string
	next      string
	turn      string
	again     bool
	status    int
}

// explain says what a refusal is, why, and what to do next.
func (h *Handler) explain(c broker.Config, refusal *grant.Refusal) told {
	d := h.opt.Decide(strategy.Input{
		GrantType: c.Grant, Interactive: true, Refusal: refusal, ClientID: c.ClientID, AuthMethod: c.AuthMethod, Requested: c.Scopes, Now: h.opt.Now(),
	})
	t := told{cause: d.Cause, strategy: d.Strategy, title: d.Title, turnOf: d.Turn, why: sentence(inert(d.Title, 300)), again: true, status: http.StatusBadGateway}
	provider := providerTitle(c)
	switch refusal.Code {
	case oauth.ErrAccessDenied:
		if t.cause == "" || t.cause == "unknown" {
			t.cause, t.turnOf = "consent-declined", usher.FixerUser
			t.title, t.why = "the access was not given", "You pressed no or cancel there, or a rule of your organisation refuses it."
		}
		t.what = "Nobody has connected: " + provider + " says that the access was not given."
		t.next, t.status = "Connect again and agree, or ask your administrator there.", http.StatusForbidden
	case oauth.ErrConsentRequired, oauth.ErrInteractionRequired, oauth.ErrLoginRequired, oauth.ErrAccountSelection:
		t.what, t.next, t.status = provider+" wanted to ask you something and could not.", "Connect again, sign in there and answer its questions.", http.StatusForbidden
	case "issuer_mismatch":
		t.cause, t.turnOf, t.again = "issuer-mismatch", usher.FixerDeveloper, false
		t.what, t.why = "The answer came from another provider than the one that was asked. It was refused and nothing was sent to anybody.", sentence(inert(refusal.Description, 400))
		t.next, t.status = "If the provider has a new name for itself, an operator makes the connection anew with that issuer. If not, somebody tried to take your access: tell your security people.", http.StatusForbidden
	case "issuer_missing":
		t.cause, t.turnOf = "issuer-mismatch", usher.FixerProvider
		t.what, t.why = "The answer does not say whose it is, although "+provider+" promises that. It was refused and nothing was sent to anybody.", sentence(inert(refusal.Description, 400))
		t.next, t.status = "Connect again. If it stays so, an operator looks at what the provider publishes (usher check).", http.StatusForbidden
	case "configuration_changed":
		t.cause, t.turnOf = "unknown", usher.FixerUser
		t.what, t.why = "An operator changed this connection while you were away. Nothing was sent or stored.", ""
		t.next, t.status = "Connect once more.", http.StatusConflict
	case codeMeanwhile:
		t.cause, t.turnOf, t.again = "unknown", usher.FixerUser, false
		t.title, t.what, t.why = meanwhileWords, "Somebody has connected while you were away. What is there stays, and nothing of yours was stored.", ""
		t.next, t.status = "If that was you, in another window, you have nothing more to do. If it was not, ask whoever gave you the link for a new one.", http.StatusConflict
	case codeTooMany:
		t.cause, t.turnOf = "unknown", usher.FixerUser
		t.title, t.what, t.why = refusal.Description, "As many codes as one connection may have wait to be typed. No further one was asked for.", ""
		t.next, t.status = "Type one of those, or wait until one is over.", http.StatusTooManyRequests
	case "other_user":
		t.cause, t.turnOf = "unknown", usher.FixerUser
		t.what, t.why = "Somebody else than before has connected. Nothing was stored.", sentence(inert(refusal.Description, 400))
		t.next, t.status = "Sign in as the same person, or let an operator remove the connection and make it anew.", http.StatusConflict
	case "keys_unreadable":
		t.what, t.next = provider+" answered, and its keys could not be read. Nothing was stored.", "Wait a moment and connect again."
	}
	if code, ok := strings.CutPrefix(refusal.Code, "id_token_"); ok {
		t.what, t.why = provider+" answered, and who you are there could not be verified. Nothing was stored.", sentence(inert(refusal.Description, 400))
		t.next = "Connect again. If it stays so, an operator looks at issuer, jwks_uri and the client's registration."
		t.cause, t.turnOf, t.title = causeOfToken(code), usher.FixerDeveloper, "the ID token does not hold"
	}
	if t.what == "" {
		t.what = provider + " did not accept it."
		switch refusal.Kind {
		case grant.Unreachable, grant.Lost, grant.Busy:
			t.what, t.next = provider+" could not be reached, or did not answer.", "Wait a moment and connect again. A code is used once, so the sign-in begins anew."
		case grant.Unreadable:
			t.what, t.next = provider+" answered with what is no token.", "An operator looks at the token endpoint in the configuration."
		case grant.Misused:
			t.what, t.next, t.again = "The configuration of this connection cannot make a request.", "An operator mends it: usher connections show "+c.ID, false
		}
	}
	if t.next == "" {
		t.next = nextOf(t.cause)
	}
	if said := saidBy(refusal); said != "" && !strings.Contains(t.why, said) {
		t.why = strings.TrimSpace(t.why + " " + provider + " says: " + said)
	}
	t.turn = turnWords[t.turnOf]
	return t
}

// causeOfToken gives the label for what is wrong with an ID token.
func causeOfToken(code string) string {
	switch code {
	case token.CodeNonce:
		return "nonce-mismatch"
	case token.CodeIssuer:
		return "token-wrong-issuer"
	case token.CodeAudience, token.CodeAuthorized:
		return "token-wrong-audience"
	case token.CodeKeyNotFound:
		return "token-key-not-found"
	case token.CodeExpired:
		return "token-expired"
	case token.CodeNotYetValid, token.CodeFutureIssue:
		return "clock-skew"
	case token.CodeTyp:
		return "token-wrong-type"
	case token.CodeSignature, token.CodeAlgNone, token.CodeAlgNotAllowed, token.CodeHash, token.CodeKeyUnfit:
		return "token-signature-invalid"
	case "missing":
		return "token-missing"
	}
	return "token-malformed"
}

// saidBy gives the provider's own words.
func saidBy(r *grant.Refusal) string {
	if strings.HasPrefix(r.Code, "issuer_") || strings.HasPrefix(r.Code, "id_token_") || r.Code == "configuration_changed" || r.Code == "keys_unreadable" || r.Code == codeMeanwhile || r.Code == codeTooMany || r.Code == "other_user" {
		return ""
	}
	text := inert(oauth.Redact(r.Description), 300)
	if code := inert(oauth.Redact(r.Code), 100); code != "" {
		text = strings.TrimSpace(code + " " + text)
	}
	return text
}

// nextOf gives the first thing to do about a cause that weakens nothing.
func nextOf(cause string) string {
	if c := catalog.Cause(cause); c != nil {
		for _, step := range c.Fix {
			if step.Risk != usher.RiskWeakening {
				return sentence(step.Text)
			}
		}
	}
	return "Connect again. If it stays so, an operator looks at the connection: usher connections explain."
}

var turnWords = map[usher.Fixer]string{
	usher.FixerUser: "It is your turn.", usher.FixerDeveloper: "It is the turn of whoever set up this connection.",
	usher.FixerTenantAdmin: "It is the turn of the administrator at the provider.", usher.FixerProvider: "It is the provider's turn.",
}

// emit tells what happened as an event. It holds no secret: no code, no state,
// no token.
func (h *Handler) emit(ctx context.Context, c broker.Config, endpoint string, status usher.Status, refusal *grant.Refusal, t *told, r *http.Request) {
	now := h.opt.Now().UTC()
	e := usher.Event{
		UID: "connect-" + rand.Text(), Kind: usher.EventToken, Class: usher.ClassAuthentication, Code: "CONNECT", Provider: "usher", LogName: "broker", Time: now, Logged: now,
		Tenant: tenant(c), Session: c.ID, Status: status, UserType: "user",
		Client: usher.Party{UID: inert(c.ClientID, 200)}, Resource: usher.Party{Name: c.ID},
		OAuth: usher.OAuthFacts{Endpoint: endpoint, GrantType: c.Grant, ClientAuth: c.AuthMethod, RedirectURI: h.RedirectURI(c), ResponseType: "code", Requested: c.Scopes},
	}
	if c.Grant != broker.GrantCode {
		e.OAuth.RedirectURI, e.OAuth.ResponseType = "", ""
	}
	if refusal != nil {
		e.StatusCode = inert(refusal.Code, 100)
		if oauth.KnownError(e.StatusCode) {
			e.OAuth.Error = e.StatusCode
		}
		e.OAuth.Description = inert(oauth.Redact(refusal.Description), 500)
		e.StatusDetail = inert(oauth.Redact(refusal.Error()), 500)
		e.Message = e.StatusDetail
	}
	if t != nil {
		e.Unmapped = map[string]string{"cause": t.cause, "strategy": string(t.strategy), "title": inert(t.title, 300), "turn": string(t.turnOf)}
	}
	if r != nil {
		e.UserAgent = inert(r.UserAgent(), 200)
		if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
			e.Source.IP = host
		}
		e.Request = usher.Request{Method: r.Method, Host: inert(r.Host, 200), Path: inert(r.URL.Path, 200)}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	h.opt.Emit(ctx, e)
}

// tenant names the other side in an event, as the broker does.
func tenant(c broker.Config) string {
	if c.Provider != "" {
		return c.Provider
	}
	for _, address := range []string{c.Issuer, c.Endpoints.Token} {
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			return u.Host
		}
	}
	return ""
}
