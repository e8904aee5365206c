package connect

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/preset"
	"usher/oauth"
)

// following is what is kept of a device flow for its page: no device code, which
// is the secret of the replica that polls.
type following struct {
	Connection  string    `json:"id"`
	UserCode    string    `json:"user_code"`
	URI         string    `json:"uri"`
	URIComplete string    `json:"uri_complete,omitempty"`
	Expires     time.Time `json:"expires"`
	State       string    `json:"state"` // waiting, connected, refused
	What        string    `json:"what,omitempty"`
	Why         string    `json:"why,omitempty"`
	Next        string    `json:"next,omitempty"`
	Turn        string    `json:"turn,omitempty"`
	User        string    `json:"user,omitempty"`
	T           string    `json:"t,omitempty"`
}

const deviceKind = "connect-device"

// mostCodes is how many codes of one connection may wait to be typed at this
// replica: each costs the provider a request every few seconds for up to an hour.
const mostCodes = 5

const codeTooMany = "too_many_codes"

// waiting counts the codes that wait, by connection.
type waiting struct {
	mu sync.Mutex
	n  map[string]int
}

// more counts one more, where it may be; ended takes it back.
func (w *waiting) more(id string) (ended func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n[id] >= mostCodes {
		return nil, false
	}
	if w.n == nil {
		w.n = map[string]int{}
	}
	w.n[id]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.n[id]--; w.n[id] == 0 {
			delete(w.n, id)
		}
	}, true
}

// beginDevice begins a device flow and shows its code.
func (h *Handler) beginDevice(w http.ResponseWriter, r *http.Request, v broker.View, who visitor) {
	page, refusal := h.startDevice(r.Context(), v, who)
	if refusal != nil {
		h.refused(w, r, v, pending{ID: v.Config.ID, T: who.link, By: who.operator}, "device", refusal)
		return
	}
	http.Redirect(w, r, page, http.StatusSeeOther)
}

// startDevice asks for a code, polls until it is typed or over, and gives the page
// that follows it.
func (h *Handler) startDevice(ctx context.Context, v broker.View, who visitor) (page string, refusal *grant.Refusal) {
	c, keys, err := h.opt.Broker.Open(ctx, v.Config.ID)
	if err != nil {
		return "", &grant.Refusal{Kind: grant.Misused, Endpoint: "usher", Err: err}
	}
	ended, ok := h.waits.more(c.ID)
	if !ok {
		return "", &grant.Refusal{Kind: grant.Busy, Endpoint: "usher", Code: codeTooMany, Description: "as many codes as one connection may have wait to be typed"}
	}
	began := false
	defer func() {
		if !began {
			ended()
		}
	}()
	form := url.Values{}
	if len(c.Scopes) > 0 {
		known, _ := preset.Named(c.Preset)
		form.Set("scope", strings.Join(c.Scopes, known.Separator()))
	}
	if c.Audience != "" {
		form.Set("audience", c.Audience)
	}
	// PKCE is of the code flow. Keycloak wants it of device flows too, where the
	// client must use it; others pass over what they do not know (RFC 8628
	// section 3.1). Of an API with a preset it is known that nobody asks for it.
	verifier := ""
	if c.Preset == "" {
		verifier = random43()
		challenge, err := oauth.PKCEChallenge("S256", verifier)
		if err != nil {
			return "", &grant.Refusal{Kind: grant.Misused, Endpoint: "usher", Err: err}
		}
		form.Set("code_challenge", challenge)
		form.Set("code_challenge_method", "S256")
	}
	got, err := h.opt.Ask.Device(ctx, h.request(c, keys, c.Endpoints.DeviceAuthorization, form))
	if err != nil {
		return "", asRefusal(err, c.Endpoints.DeviceAuthorization)
	}
	life := min(max(got.ExpiresIn, time.Minute), time.Hour)
	f := following{
		Connection: c.ID, UserCode: inert(got.UserCode, 60), URI: got.URI, URIComplete: got.URIComplete, Expires: h.opt.Now().Add(life).UTC(), State: "waiting", T: who.link,
	}
	h.sweep(ctx)
	name := rand.Text() + "-" + strconv.FormatInt(f.Expires.Unix(), 36)
	if err := h.follow(ctx, name, &f, 0); err != nil {
		return "", &grant.Refusal{Kind: grant.Misused, Endpoint: "usher", Err: err}
	}
	began = true
	h.work.Go(func() {
		defer ended()
		h.poll(name, f, v, c, keys, got, verifier)
	})
	return h.Page(c.ID) + "/device/" + name, nil
}

// blobName names what is kept of a device flow: its address is known to who
// began it alone, when it is over to everybody.
func blobName(name string) string {
	_, expires, _ := strings.Cut(name, "-")
	return hashOf(name)[:40] + "-" + expires
}

// sweep removes what is kept of device flows that are long over.
func (h *Handler) sweep(ctx context.Context) {
	blobs, err := h.opt.Store.Blobs(ctx, deviceKind)
	if err != nil {
		return // the next flow tries again
	}
	for _, blob := range blobs {
		_, text, _ := strings.Cut(blob.Name, "-")
		if expires, err := strconv.ParseInt(text, 36, 64); err != nil || h.opt.Now().Sub(time.Unix(expires, 0)) > time.Hour {
			_ = h.opt.Store.DropBlob(ctx, blob) // another replica may have been first
		}
	}
}

// follow keeps how a device flow stands, for every replica.
func (h *Handler) follow(ctx context.Context, name string, f *following, version int64) error {
	plain, err := json.Marshal(f)
	if err != nil {
		return err
	}
	sealed, err := h.opt.Seal.Seal(ctx, deviceKind+"/"+hashOf(name), plain)
	if err != nil {
		return err
	}
	return h.opt.Store.PutBlob(ctx, broker.Blob{Kind: deviceKind, Name: blobName(name), Version: version, Body: sealed})
}

// poll asks for the token as RFC 8628 sections 3.4 and 3.5 say: no faster than
// the provider wants, slower when it says so, and ever slower when it cannot be
// reached; until there is an answer, the code is over, or the server stops.
func (h *Handler) poll(name string, f following, v broker.View, c broker.Config, keys broker.Keys, d *grant.Device, verifier string) {
	form := url.Values{"grant_type": {broker.GrantDevice}, "device_code": {d.DeviceCode.Reveal()}}
	if verifier != "" {
		form.Set("code_verifier", verifier)
	}
	interval, wait := max(d.Interval, time.Second), time.Duration(0)
	for {
		wait = max(interval, wait)
		if !h.sleep(h.ctx, wait) {
			h.ended(name, f, "refused", told{what: "usher was stopped while it waited.", next: "Begin again."}, "")
			return
		}
		if !h.opt.Now().Before(f.Expires) {
			h.deviceRefused(name, f, c, &grant.Refusal{Kind: grant.Refused, Endpoint: endpointName(c.Endpoints.Token), Code: oauth.ErrExpiredToken, Description: "nobody has typed the code in time"})
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), askPatience)
		answer, err := h.opt.Ask.Ask(ctx, h.request(c, keys, c.Endpoints.Token, form))
		cancel()
		if err == nil {
			h.deviceDone(name, f, v, c, keys, answer)
			return
		}
		refusal := asRefusal(err, c.Endpoints.Token)
		switch {
		case refusal.Code == oauth.ErrAuthorizationPending:
			wait = 0
		case refusal.Code == oauth.ErrSlowDown:
			interval, wait = interval+5*time.Second, 0
		case refusal.Kind == grant.Unreachable, refusal.Kind == grant.Lost, refusal.Kind == grant.Busy, refusal.Status/100 == 5:
			wait = min(max(2*wait, interval, refusal.RetryAfter), 2*time.Minute)
		default:
			h.deviceRefused(name, f, c, refusal)
			return
		}
	}
}

// pause waits, and tells whether it could.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (h *Handler) deviceDone(name string, f following, v broker.View, c broker.Config, keys broker.Keys, answer *grant.Answer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), askPatience)
	defer cancel()
	who, refusal := h.identify(ctx, c, "", answer)
	if refusal == nil {
		now, err := h.opt.Broker.Get(ctx, c.ID)
		switch {
		case err != nil || mark(now.Config) != mark(c):
			refusal = &grant.Refusal{Kind: grant.Refused, Endpoint: endpointName(c.Endpoints.Token), Code: "configuration_changed", Description: "the connection was changed while somebody was connecting it"}
		case since(now) != since(v):
			refusal = &grant.Refusal{Kind: grant.Refused, Endpoint: endpointName(c.Endpoints.Token), Code: codeMeanwhile, Description: meanwhileWords}
		case now.Status.User != "" && who.Subject != "" && now.Status.User != who.Subject:
			// There is no browser to ask: the answer is no.
			refusal = &grant.Refusal{Kind: grant.Refused, Endpoint: endpointName(c.Endpoints.Token), Code: "other_user", Description: "it was connected as " + inert(now.Status.User, 100) + " before, and now somebody else typed the code"}
		}
	}
	if refusal != nil {
		h.giveBack(ctx, c, keys, answer)
		h.deviceRefused(name, f, c, refusal)
		return
	}
	answer.User = who.Subject
	if err := h.opt.Broker.Connected(ctx, c.ID, answer); err != nil {
		h.giveBack(ctx, c, keys, answer)
		h.opt.Log.Error("what a person's connecting gave could not be stored", "connection", c.ID, "error", inert(err.Error(), 300))
		h.deviceRefused(name, f, c, &grant.Refusal{Kind: grant.Misused, Endpoint: "usher", Err: errors.New("the tokens could not be stored")})
		return
	}
	h.opt.Log.Info("a person has connected", "connection", c.ID)
	h.ended(name, f, "connected", told{}, who.String())
}

func (h *Handler) deviceRefused(name string, f following, c broker.Config, refusal *grant.Refusal) {
	t := h.explain(c, refusal)
	h.emit(h.ctx, c, "token", usher.StatusFailure, refusal, &t, nil)
	h.ended(name, f, "refused", t, "")
}

func (h *Handler) ended(name string, f following, state string, t told, user string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), 10*time.Second)
	defer cancel()
	f.State, f.What, f.Why, f.Next, f.Turn, f.User = state, t.what, t.why, t.next, t.turn, user
	blob, err := h.opt.Store.Blob(ctx, deviceKind, blobName(name))
	if err == nil {
		err = h.follow(ctx, name, &f, blob.Version)
	}
	if err != nil {
		h.opt.Log.Warn("how a device flow ended could not be noted", "connection", f.Connection, "error", inert(err.Error(), 200))
	}
}

// deviceView is the page that follows a device flow.
type deviceView struct {
	about
	following
	Over  bool
	Again string
	Until string
}

// devicePage shows how a device flow stands. Its address is known to who began
// it alone. It changes nothing; it only cleans up what is long over.
func (h *Handler) devicePage(w http.ResponseWriter, r *http.Request, id, name string) {
	if len(name) > 100 {
		name = ""
	}
	var f following
	blob, err := h.opt.Store.Blob(r.Context(), deviceKind, blobName(name))
	if err == nil {
		var plain []byte
		if plain, err = h.opt.Seal.Open(r.Context(), deviceKind+"/"+hashOf(name), blob.Body); err == nil {
			err = json.Unmarshal(plain, &f)
		}
	}
	if isNotFound(err) || err == nil && f.Connection != id {
		h.problem(w, http.StatusNotFound, "There is nothing at this address", "Begin again from the link that you were given.")
		return
	}
	if err != nil {
		h.broken(w, r, err)
		return
	}
	v, err := h.opt.Broker.Get(r.Context(), id)
	if err != nil {
		h.problem(w, http.StatusGone, "This connection was removed in the meantime", "")
		return
	}
	view := deviceView{about: h.about(v), following: f, Again: h.again(id, pending{T: f.T}), Until: f.Expires.UTC().Format("15:04 MST")}
	page := frame{Title: "Type a code at " + view.Provider, View: &view}
	if f.State == "waiting" {
		// Whoever polled is gone when the time is long over and no end was noted.
		if view.Over = h.opt.Now().After(f.Expires.Add(2 * askPatience)); !view.Over {
			page.Next, page.Wait = r.URL.Path, 5
		}
	}
	if f.State == "connected" {
		page.Title = "Connected"
	}
	h.render(w, http.StatusOK, "device", page)
}
