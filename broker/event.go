package broker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"time"

	"usher"
	"usher/broker/grant"
)

// emit tells what happened, also when ctx has ended meanwhile.
func (b *Broker) emit(ctx context.Context, ev usher.Event) {
	b.opt.Emit(context.WithoutCancel(ctx), ev)
}

// event is what is the same in every event of a connection. The id is made of
// what happened, so that who tells it twice tells it once.
func (b *Broker) event(rec Record, r renewal, what string) usher.Event {
	c := rec.Config
	sum := sha256.Sum256([]byte("usher broker\x00" + c.ID + "\x00" + what))
	ev := usher.Event{
		UID: hex.EncodeToString(sum[:16]), Class: usher.ClassAuthentication, Kind: usher.EventToken,
		Provider: "usher", LogName: "broker", Tenant: tenant(c), Time: b.clock.store(),
		Session: c.ID, Client: usher.Party{UID: c.ClientID}, Resource: usher.Party{Name: c.ID},
		UserType: "user", User: usher.Party{UID: rec.Status.User}, Protocol: "oauth2",
		OAuth: usher.OAuthFacts{
			Endpoint: "token", GrantType: r.grant, ClientAuth: c.AuthMethod,
			Requested: r.scope, Granted: rec.Status.Scopes,
		},
		Unmapped: map[string]string{},
	}
	if !Interactive(c.Grant) {
		ev.UserType, ev.User = "service-principal", usher.Party{}
	}
	ev.Request.Method = "POST"
	ev.Request.Host, ev.Request.Path = endpoint(c.Endpoints.Token)
	if c.Owner != "" {
		ev.Unmapped["owner"] = c.Owner
	}
	return ev
}

// EndpointName names a token endpoint as usher.Event.TokenEndpoint does.
func EndpointName(address string) string {
	host, path := endpoint(address)
	return host + path
}

func endpoint(address string) (host, path string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", ""
	}
	return u.Host, cmp.Or(u.Path, "/")
}

// success is the event of a new token. After trouble it is the one that proves
// the case fixed.
func (b *Broker) success(rec Record, before Status, r renewal) usher.Event {
	st := rec.Status
	ev := b.event(rec, r, "token\x00"+strconv.FormatInt(st.Generation, 10)+"\x00"+strconv.FormatInt(st.Obtained.UnixMicro(), 10))
	ev.Status = usher.StatusSuccess
	ev.OAuth.Expires = st.Expires
	ev.Message = rec.Config.ID + ": a new token, used until " + st.Expires.Format(time.DateTime)
	if r.presents != "" {
		ev.OAuth.TokenIn = "refresh_token"
	}
	ev.Unmapped["generation"] = strconv.FormatInt(st.Generation, 10)
	if t := before.Trouble; t != nil && st.Trouble == nil {
		ev.Message += healed(t, ev.Time)
		ev.Unmapped["healed"] = t.Cause
	}
	if t := st.Trouble; t != nil { // what came cannot be used
		ev.Status, ev.StatusDetail, ev.Message = usher.StatusFailure, t.Title, rec.Config.ID+": "+t.Title
		ev.Unmapped["cause"], ev.Unmapped["strategy"], ev.Unmapped["title"], ev.Unmapped["turn"] = t.Cause, t.Strategy, t.Title, string(t.Turn)
	}
	return ev
}

// tenant is the name of the provider, or the host that issues.
func tenant(c Config) string {
	if c.Provider != "" {
		return c.Provider
	}
	for _, from := range []string{c.Issuer, c.Endpoints.Token} {
		if u, err := url.Parse(from); err == nil && u.Host != "" {
			return u.Host
		}
	}
	return ""
}

// failure is the event of a refusal, or of what only a person can mend.
func (b *Broker) failure(rec Record, r renewal, refusal *grant.Refusal) usher.Event {
	t := rec.Status.Trouble
	ev := b.event(rec, r, "trouble\x00"+strconv.FormatInt(rec.Status.Version, 10))
	ev.Status = usher.StatusFailure
	ev.Message = rec.Config.ID + ": " + t.Title
	ev.StatusDetail = t.Title
	ev.Unmapped["cause"], ev.Unmapped["strategy"], ev.Unmapped["title"], ev.Unmapped["turn"] = t.Cause, t.Strategy, t.Title, string(t.Turn)
	if t.Endpoint {
		ev.Unmapped["fault"] = usher.FaultOfEndpoint
	}
	if rec.Status.Expires.After(ev.Time) { // a token lives still: it is not missing yet
		ev.OAuth.Expires = rec.Status.Expires
	}
	if refusal != nil {
		ev.StatusCode = refusal.Code
		ev.OAuth.Error, ev.OAuth.Description = refusal.Code, refusal.Description
		ev.Request.Status = refusal.Status
		ev.Unmapped["refusal"] = string(refusal.Kind)
		if refusal.URI != "" {
			ev.Unmapped["error_uri"] = refusal.URI
		}
	}
	if r.presents != "" {
		ev.OAuth.TokenIn = "refresh_token"
	}
	return ev
}

// healed words what a success ended.
func healed(t *Trouble, now time.Time) string {
	return "; it had failed since " + t.Since.Format(time.DateTime) + " (" + t.Title + "), " + now.Sub(t.Since).Round(time.Second).String()
}
