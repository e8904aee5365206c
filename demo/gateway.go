package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"usher"
	"usher/oauth"
)

// gatewayName is how the gateway calls itself in its log.
const gatewayName = "gateway"

// gateway is a payment gateway: a token endpoint and an API that charges. They
// are two servers, so that the one can be away while the other works.
type gateway struct {
	now  func() time.Time
	life time.Duration // of a token

	tokens, api string // origins
	away        atomic.Bool
	log         *os.File
	clients     map[string]string // client id to secret

	mu      sync.Mutex
	grants  map[string]*issued
	charges map[string]map[string]int    // by client and order: how often money was taken
	results map[string]map[string]string // by client and idempotency key: the charge that was made
	refused map[string]bool              // clients that were refused and have not succeeded since
	asked   map[string]int               // tokens given, by client

	// careless makes it a gateway that charges before it looks at the token and
	// does not know idempotency keys, so that a test sees double charges counted.
	careless bool
}

// issued is a token that was given.
type issued struct {
	client  string
	id      string
	expires time.Time
	revoked bool
}

// openGateway starts both servers.
func openGateway(ctx context.Context, now func() time.Time, life time.Duration, logFile string) (g *gateway, stop func(context.Context) error, err error) {
	log, err := os.OpenFile(logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("make the log of the payment gateway: %w", err)
	}
	g = &gateway{
		now: now, life: life, log: log, clients: map[string]string{withUsher: random(16), alone: random(16)},
		grants: map[string]*issued{}, charges: map[string]map[string]int{}, results: map[string]map[string]string{},
		refused: map[string]bool{}, asked: map[string]int{},
	}
	tokens, stopTokens, err := g.listen(ctx, http.HandlerFunc(g.token))
	if err != nil {
		return nil, nil, err
	}
	api, stopAPI, err := g.listen(ctx, http.HandlerFunc(g.charge))
	if err != nil {
		return nil, nil, err
	}
	g.tokens, g.api = tokens, api
	return g, func(ctx context.Context) error {
		g.away.Store(false)
		_ = stopTokens(ctx)
		_ = stopAPI(ctx)
		return log.Close()
	}, nil
}

func (g *gateway) listen(ctx context.Context, h http.Handler) (origin string, stop func(context.Context) error, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("find a port for the payment gateway: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l) //nolint:errcheck // it ends with Shutdown
	return "http://" + l.Addr().String(), server.Shutdown, nil
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// token is the token endpoint, RFC 6749 section 4.4. While it is away it hangs up
// on everybody.
func (g *gateway) token(w http.ResponseWriter, r *http.Request) {
	if g.away.Load() {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	id, secret, _ := r.BasicAuth()
	w.Header().Set("Cache-Control", "no-store")
	if known, ok := g.clients[id]; !ok || known != secret {
		w.Header().Set("WWW-Authenticate", `Basic realm="payments"`)
		give(w, http.StatusUnauthorized, map[string]any{"error": oauth.ErrInvalidClient})
		return
	}
	if r.Method != http.MethodPost || r.PostFormValue("grant_type") != "client_credentials" {
		give(w, http.StatusBadRequest, map[string]any{"error": oauth.ErrUnsupportedGrantType})
		return
	}
	value := random(24)
	g.mu.Lock()
	g.asked[id]++
	g.grants[value] = &issued{client: id, id: random(8), expires: g.now().Add(g.life)}
	g.mu.Unlock()
	give(w, http.StatusOK, map[string]any{"access_token": value, "token_type": "Bearer", "expires_in": int(g.life / time.Second), "scope": "charges"})
}

func give(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// charge is the API: it takes the money of an order, once for each idempotency
// key.
func (g *gateway) charge(w http.ResponseWriter, r *http.Request) {
	var order struct {
		Order  string `json:"order"`
		Amount int    `json:"amount"`
	}
	err := json.NewDecoder(io.LimitReader(r.Body, 4096)).Decode(&order)
	if r.Method != http.MethodPost || r.URL.Path != "/v1/charges" || err != nil || order.Order == "" {
		give(w, http.StatusBadRequest, map[string]any{"error": "malformed"})
		return
	}
	time.Sleep(5 * time.Millisecond) // what a bank takes, and less
	g.mu.Lock()
	defer g.mu.Unlock()
	t, why := g.judge(r)
	if g.careless && t != nil {
		g.take(t.client, order.Order)
	}
	if why != "" {
		code := oauth.ErrInvalidToken
		challenge := `Bearer realm="payments", error="` + code + `", error_description="` + why + `"`
		if t != nil {
			g.refused[t.client] = true
		}
		g.tell(r, t, http.StatusUnauthorized, code, why, challenge)
		w.Header().Set("WWW-Authenticate", challenge)
		give(w, http.StatusUnauthorized, map[string]any{"error": code, "error_description": why})
		return
	}
	if g.refused[t.client] {
		delete(g.refused, t.client)
		g.tell(r, t, http.StatusOK, "", "", "")
	}
	key := r.Header.Get("Idempotency-Key")
	if id := g.results[t.client][key]; id != "" && key != "" && !g.careless {
		give(w, http.StatusOK, map[string]any{"charge": id, "order": order.Order})
		return
	}
	id := random(8)
	if g.results[t.client] == nil {
		g.results[t.client] = map[string]string{}
	}
	g.results[t.client][key] = id
	if !g.careless {
		g.take(t.client, order.Order)
	}
	give(w, http.StatusCreated, map[string]any{"charge": id, "order": order.Order})
}

func (g *gateway) take(client, order string) {
	if g.charges[client] == nil {
		g.charges[client] = map[string]int{}
	}
	g.charges[client][order]++
}

// judge tells whose token a request carries, and what is wrong with it.
func (g *gateway) judge(r *http.Request) (*issued, string) {
	value, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t := g.grants[value]
	switch {
	case !ok || value == "":
		return nil, "There is no token"
	case t == nil:
		return nil, "The token is not known"
	case t.revoked:
		return t, "The token was revoked"
	case !g.now().Before(t.expires):
		return t, "The token is expired: exp is " + t.expires.UTC().Format(time.RFC3339)
	}
	return t, ""
}

// revoke makes every token that was given so far worthless.
func (g *gateway) revoke() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.grants {
		t.revoked = true
	}
}

// taken tells, of a client's orders, how many were charged and how many more
// than once.
func (g *gateway) taken(client string) (orders, twice int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.charges[client] {
		orders++
		if n > 1 {
			twice++
		}
	}
	return orders, twice
}

// given tells how many tokens a client was given.
func (g *gateway) given(client string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[client]
}

// tell writes a line into the gateway's log: of every refusal, and of the first
// success behind one.
func (g *gateway) tell(r *http.Request, t *issued, status int, code, why, challenge string) {
	ev := usher.Event{
		UID: random(16), Class: usher.ClassAPIActivity, Kind: usher.EventAPI, Code: "API", Provider: "usher", LogName: "usher",
		Tenant: gatewayName, Time: g.now().UTC(), Resource: usher.Party{UID: g.api, Name: "payments"}, UserType: "service-principal",
		Request: usher.Request{Method: r.Method, Host: r.Host, Path: r.URL.Path, Status: status}, Protocol: "oauth2",
		Status: usher.StatusSuccess, OAuth: usher.OAuthFacts{Endpoint: "api", TokenIn: "access_token", Error: code, Description: why},
	}
	if t != nil {
		ev.Client, ev.OAuth.TokenUID, ev.OAuth.Expires = usher.Party{UID: t.client}, t.id, t.expires.UTC()
	}
	if status != http.StatusOK {
		ev.Status, ev.StatusCode, ev.StatusDetail = usher.StatusFailure, code, why
		ev.Message = r.Method + " " + r.URL.Path + ": " + strconv.Itoa(status) + " " + challenge
	}
	line, err := json.Marshal(ev)
	if err == nil {
		_, _ = g.log.Write(append(line, '\n'))
	}
}
