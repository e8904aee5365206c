package connect

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"usher"
	"usher/broker"
	"usher/broker/preset"
	"usher/check"
	"usher/oauth"
)

// pending is what is kept, sealed, of a flow that was begun: what the answer is
// held against. The configuration may change in between, and must not then send
// a code or a secret to another place than the person was sent to.
type pending struct {
	ID       string `json:"id"`
	Verifier string `json:"verifier,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	Redirect string `json:"redirect_uri"`
	Omit     bool   `json:"omit_redirect_uri,omitempty"`
	Mark     string `json:"mark"`  // of provider, client and endpoints, see mark
	Since    string `json:"since"` // the grant that was there when it began, see since
	By       string `json:"by,omitempty"`
	T        string `json:"t,omitempty"`
}

// RedirectURI is the address that a provider sends people back to after they
// connected: it has to be registered there. It is another one for each provider
// and the same for all connections to one, so that an answer that comes from
// another provider than the one that was asked is seen as such, whether that
// provider names itself (RFC 9207) or not: RFC 9700 section 4.4.2.
func (h *Handler) RedirectURI(c broker.Config) string {
	return h.base.String() + "/connect/callback/" + providerKey(c)
}

// providerKey names the authorization server of a connection in a path.
func providerKey(c broker.Config) string {
	who := c.Issuer
	if who == "" {
		who = c.Endpoints.Token
	}
	host := "provider"
	if u, err := url.Parse(who); err == nil && u.Hostname() != "" {
		host = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
				return r
			}
			return '-'
		}, strings.ToLower(u.Hostname()))
	}
	return host + "-" + hashOf(who)[:8]
}

// mark stands for what a flow must not see changed under it.
func mark(c broker.Config) string {
	return hashOf(strings.Join([]string{c.Issuer, c.Endpoints.Authorization, c.Endpoints.Token, c.ClientID, c.AuthMethod, c.Grant, strings.Join(c.Scopes, " ")}, "\x00"))
}

const statePurpose = "state"

// begin starts what the page has said: an authorization request, or a device
// flow. It is the only thing that a link can do, and only from our own page.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, id string) {
	t, ok := h.form(w, r)
	if !ok {
		return
	}
	v, who, ok := h.enter(w, r, id, t.Get("t"))
	if !ok {
		return
	}
	if why, hint := cannot(v.Config); why != "" {
		h.problem(w, http.StatusConflict, strings.TrimSuffix(why, "."), hint)
		return
	}
	if v.Config.Grant == broker.GrantDevice {
		h.beginDevice(w, r, v, who)
		return
	}
	address, state, browser, err := h.authorize(r.Context(), v, who)
	if err != nil {
		h.broken(w, r, err)
		return
	}
	h.bind(w, state, browser)
	// Not a redirect: a browser would hold the provider's own further redirects
	// against form-action. The page goes on by itself, or by a click.
	h.render(w, http.StatusOK, "onward", frame{Title: "On to " + providerTitle(v.Config), Next: address, View: h.about(v)})
}

// form reads a form of our own pages.
func (h *Handler) form(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	if !h.ownOrigin(r) {
		h.problem(w, http.StatusForbidden, "The request comes from another site", "Nothing was done. Open the link that you were given and press the button there.")
		return nil, false
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/x-www-form-urlencoded" {
		h.problem(w, http.StatusUnsupportedMediaType, "This is not the form of the page", "Nothing was done. Press the button on the page.")
		return nil, false
	}
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			status = http.StatusRequestEntityTooLarge
		}
		h.problem(w, status, "The form could not be read", "Nothing was done. Press the button on the page once more.")
		return nil, false
	}
	return r.PostForm, true
}

// authorize keeps a flow and gives the address to send the person to.
func (h *Handler) authorize(ctx context.Context, v broker.View, who visitor) (address, state string, browser usher.Secret, err error) {
	c := v.Config
	key, err := h.keys.get(ctx)
	if err != nil {
		return "", "", "", err
	}
	state, browser = newState(key, statePurpose)
	p := pending{ID: c.ID, Redirect: h.RedirectURI(c), Mark: mark(c), Since: since(v), By: who.operator, T: who.link}
	u, err := url.Parse(c.Endpoints.Authorization)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && check.Loopback(u.Hostname())) {
		return "", "", "", errors.New("connect: the authorization_endpoint of " + c.ID + " is no https URL")
	}
	q := u.Query() // RFC 6749 section 3.1: a query of the endpoint stays
	for name, values := range preset.AuthorizeParams(c) {
		q[name] = values
	}
	known, _ := preset.Named(c.Preset)
	q.Set("response_type", "code")
	q.Set("client_id", c.ClientID)
	q.Set("state", state)
	if known != nil && known.Omit {
		p.Omit = true
	} else {
		q.Set("redirect_uri", p.Redirect)
	}
	if len(c.Scopes) > 0 {
		q.Set("scope", strings.Join(c.Scopes, known.Separator()))
	}
	if known == nil || known.PKCE != "off" {
		p.Verifier = random43()
		challenge, err := oauth.PKCEChallenge("S256", p.Verifier)
		if err != nil {
			return "", "", "", err
		}
		q.Set("code_challenge", challenge)
		q.Set("code_challenge_method", "S256")
	}
	if slices.Contains(c.Scopes, "openid") {
		p.Nonce = random43()
		q.Set("nonce", p.Nonce)
	}
	if c.Audience != "" && q.Get("audience") == "" {
		q.Set("audience", c.Audience)
	}
	for _, resource := range c.Resources {
		q.Add("resource", resource)
	}
	if err := h.putFlow(ctx, state, c.ID, p); err != nil {
		return "", "", "", err
	}
	u.RawQuery = q.Encode()
	return u.String(), state, browser, nil
}

// random43 gives 256 random bits in the characters of a verifier, RFC 7636 section 4.1.
func random43() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // crypto/rand documents that it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// putFlow keeps what a state stands for. The store sees a hash and sealed bytes.
func (h *Handler) putFlow(ctx context.Context, state, id string, what any) error {
	plain, err := json.Marshal(what)
	if err != nil {
		return err
	}
	hash := hashOf(state)
	sealed, err := h.opt.Seal.Seal(ctx, "flow/"+hash, plain)
	if err != nil {
		return err
	}
	return h.opt.Store.PutFlow(ctx, broker.Flow{Hash: hash, ID: id, Sealed: sealed, Expires: h.opt.Now().Add(flowLife)})
}

var errFlowOver = errors.New("the flow is over or was taken")

// takeFlow gives what a state stands for, once.
func (h *Handler) takeFlow(ctx context.Context, state string, into any) (id string, err error) {
	hash := hashOf(state)
	f, err := h.opt.Store.TakeFlow(ctx, hash)
	if isNotFound(err) {
		return "", errFlowOver
	}
	if err != nil {
		return "", err
	}
	if !h.opt.Now().Before(f.Expires) {
		return f.ID, errFlowOver
	}
	plain, err := h.opt.Seal.Open(ctx, "flow/"+hash, f.Sealed)
	if err != nil {
		return "", err
	}
	return f.ID, json.Unmarshal(plain, into)
}

func isNotFound(err error) bool { return errors.Is(err, broker.ErrNotFound) }

func plural(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}
