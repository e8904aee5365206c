package connect

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/seal"
)

// keyring holds the key that links and states are signed with. All replicas
// share it through the store, sealed.
type keyring struct {
	h   *Handler
	mu  sync.Mutex
	key []byte
}

const (
	keyKind    = "connect"
	keyName    = "link-key"
	keyPurpose = "connect/link-key"
)

func (k *keyring) get(ctx context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		return k.key, nil
	}
	for range 3 {
		blob, err := k.h.opt.Store.Blob(ctx, keyKind, keyName)
		if err == nil {
			if k.key, err = k.h.opt.Seal.Open(ctx, keyPurpose, blob.Body); err != nil {
				return nil, err
			}
			return k.key, nil
		}
		if !errors.Is(err, broker.ErrNotFound) {
			return nil, err
		}
		key := make([]byte, 32)
		_, _ = rand.Read(key) // crypto/rand documents that it never fails
		sealed, err := k.h.opt.Seal.Seal(ctx, keyPurpose, key)
		if err != nil {
			return nil, err
		}
		// Another replica may be first: then its key counts.
		if err := k.h.opt.Store.PutBlob(ctx, broker.Blob{Kind: keyKind, Name: keyName, Body: sealed}); err != nil && !errors.Is(err, broker.ErrStale) {
			return nil, err
		}
	}
	return nil, errors.New("connect: the key of links could not be stored")
}

// Reseal seals what connect keeps for longer than an hour with the data key in
// use, and tells how much was not.
func (h *Handler) Reseal(ctx context.Context, again seal.Again) (old int, err error) {
	blob, err := h.opt.Store.Blob(ctx, keyKind, keyName)
	if err != nil {
		if isNotFound(err) {
			err = nil
		}
		return 0, err
	}
	sealed, was, err := again(ctx, keyPurpose, blob.Body)
	if err != nil || !was {
		return 0, err
	}
	blob.Body = sealed
	if err := h.opt.Store.PutBlob(ctx, blob); err != nil && !errors.Is(err, broker.ErrStale) {
		return 1, err
	}
	return 1, nil
}

// sign gives a MAC over parts, none of which can run into the next.
func sign(key []byte, what string, parts ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range append([]string{what}, parts...) {
		mac.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Page gives the address of a connection's page. It holds no right: whoever
// opens it must be signed in as an operator.
func (h *Handler) Page(id string) string { return h.base.String() + "/connect/" + url.PathEscape(id) }

// Link gives an address that lets whoever has it connect, for LinkLife, and
// until somebody has connected. It is to be handed to that person and to nobody
// else; it holds no secret of the connection.
func (h *Handler) Link(ctx context.Context, id string) (string, error) {
	v, err := h.opt.Broker.Get(ctx, id)
	if err != nil {
		return "", err
	}
	key, err := h.keys.get(ctx)
	if err != nil {
		return "", err
	}
	expires := strconv.FormatInt(h.opt.Now().Add(h.opt.LinkLife).Unix(), 36)
	nonce := rand.Text()
	t := expires + "." + nonce + "." + sign(key, "link", id, expires, nonce, since(v))
	return h.Page(id) + "?t=" + t, nil
}

// since is the grant that a connection lives by, in a signed link: once somebody
// has connected, the links from before are no longer good.
func since(v broker.View) string {
	return strconv.FormatInt(v.Status.Connected.UnixMicro(), 36)
}

// Who may use a page.
type visitor struct {
	operator string // name; empty: no operator
	link     string // the signed link that was brought
}

var (
	errNoLink  = errors.New("no link")
	errOldLink = errors.New("old link")
)

// admit tells who comes: an operator, or somebody with a link for this
// connection. errOldLink is told only of one that was made here for it.
func (h *Handler) admit(r *http.Request, v broker.View, t string) (visitor, error) {
	if name, ok := h.opt.Operator(r); ok {
		return visitor{operator: name}, nil
	}
	return visitor{link: t}, h.checkLink(r.Context(), v, t)
}

func (h *Handler) checkLink(ctx context.Context, v broker.View, t string) error {
	parts := strings.Split(t, ".")
	if len(parts) != 3 || len(t) > 200 {
		return errNoLink
	}
	key, err := h.keys.get(ctx)
	if err != nil {
		return err
	}
	want := sign(key, "link", v.Config.ID, parts[0], parts[1], since(v))
	if !hmac.Equal([]byte(want), []byte(parts[2])) {
		return errNoLink
	}
	expires, err := strconv.ParseInt(parts[0], 36, 64)
	if err != nil || !h.opt.Now().Before(time.Unix(expires, 0)) {
		return errOldLink
	}
	return nil
}

// A state is a random part and a MAC that binds it to the browser's cookie and to
// the purpose: what was begun in another browser is refused before the store is
// asked, so that nobody can use up somebody else's flow.
func newState(key []byte, purpose string) (state string, browser usher.Secret) {
	random, b := rand.Text(), rand.Text()
	return random + "." + sign(key, purpose, random, b), usher.Secret(b)
}

func ownState(key []byte, purpose, state string, browser usher.Secret) bool {
	random, mac, ok := strings.Cut(state, ".")
	return ok && browser != "" && len(state) < 200 && hmac.Equal([]byte(mac), []byte(sign(key, purpose, random, browser.Reveal())))
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// cookie names are of one flow each, so that several tabs do not take each
// other's place.
func (h *Handler) cookieName(state string) string {
	name := "usher_connect_" + hashOf(state)[:12]
	if h.secure {
		return "__Host-" + name
	}
	return name
}

func (h *Handler) bind(w http.ResponseWriter, state string, browser usher.Secret) {
	http.SetCookie(w, h.cookie(state, browser.Reveal(), int(flowLife/time.Second)))
}

func (h *Handler) unbind(w http.ResponseWriter, state string) {
	http.SetCookie(w, h.cookie(state, "", -1))
}

func (h *Handler) cookie(state, value string, age int) *http.Cookie {
	// Lax: the way back from the provider is a navigation from another site.
	// A __Host- cookie has the path / by its rules.
	return &http.Cookie{Name: h.cookieName(state), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: h.secure, SameSite: http.SameSiteLaxMode}
}

func (h *Handler) browserOf(r *http.Request, state string) usher.Secret {
	c, err := r.Cookie(h.cookieName(state))
	if err != nil || len(c.Value) > 100 {
		return ""
	}
	return usher.Secret(c.Value)
}
