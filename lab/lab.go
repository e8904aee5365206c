package lab

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"usher"
)

// Lab is the provider and its API; it is an http.Handler and safe for
// concurrent use.
type Lab struct {
	opt     Options
	mux     *http.ServeMux
	records *lineWriter
	log     *lineWriter
	events  *lineWriter

	mu      sync.Mutex // of everything below
	clients []*client
	users   []*User
	scopes  []scope
	keys    keyRing
	devices map[string]*device

	pending  shelf[*pending] // sign-in pages that wait for a person
	codes    shelf[*code]
	refresh  shelf[*refresh]
	sessions shelf[*session]
	consents map[string][]string // by client id and user id

	on       map[string]bool // faults
	personIn bool            // the administrator has signed in

	// What faults change. The zero value is a sound lab.
	skew        time.Duration      // the clock of the part that signs tokens
	stale       map[string]bool    // subjects whose first access token has ended already
	staleOn     bool               // the first access token of each subject has ended already
	noAudience  bool               // tokens name no API unless the client asks for one
	loseAnswers bool               // the next answer to a refresh is lost
	lost        shelf[bool]        // families whose answer was lost
	deviceRule  bool               // a policy wants a compliant device
	needConsent map[string]bool    // scopes that need consent
	before      map[string]restore // how a registration was before a fault changed it
	sent        map[string]string  // by client id: the redirect URI that the app goes on sending
}

// restore is what switching a fault off puts back.
type restore func()

// New makes a lab. Unknown names in Options.Faults are left out; use Find to
// check them before.
func New(opt Options) *Lab {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	opt.Realm, opt.Tenant = cmp.Or(opt.Realm, "shop"), cmp.Or(opt.Tenant, DefaultTenant)
	if opt.Zone == nil {
		opt.Zone = time.Local
	}
	if opt.Log == nil {
		opt.Log = io.Discard
	}
	l := &Lab{
		opt: opt, mux: http.NewServeMux(), log: &lineWriter{w: opt.Log},
		devices: map[string]*device{}, consents: map[string][]string{}, on: map[string]bool{},
		stale: map[string]bool{}, needConsent: map[string]bool{}, before: map[string]restore{}, sent: map[string]string{},
	}
	l.opt.OktaToken = cmp.Or(l.opt.OktaToken, usher.Secret("00"+random(30)))
	l.records, l.events = l.log, l.log
	if opt.Records != nil {
		l.records = &lineWriter{w: opt.Records}
	}
	if opt.Events != nil {
		l.events = &lineWriter{w: opt.Events}
	}
	l.keys.start()
	l.populate()
	l.routes()
	for _, name := range opt.Faults {
		_ = l.Switch(name, true)
	}
	return l
}

// ServeHTTP implements http.Handler.
func (l *Lab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h := w.Header()
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	l.mux.ServeHTTP(w, r)
}

// maxBody bounds a request, in bytes.
const maxBody = 1 << 20

// Switch turns a fault on or off. Switching to the state that it has changes nothing.
func (l *Lab) Switch(name string, on bool) error {
	f, ok := Find(name)
	if !ok {
		return unknownFault(name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.on[name] == on {
		return nil
	}
	if on {
		l.on[name] = true
		f.on(l)
		return nil
	}
	delete(l.on, name)
	f.off(l)
	return nil
}

// On lists the names of the faults that are on, sorted.
func (l *Lab) On() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.on))
	for name := range l.on {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (l *Lab) now() time.Time { return l.opt.Now().UTC() }

// base is where the lab is reached, as this request says it.
func (l *Lab) base(r *http.Request) string {
	if l.opt.Issuer != "" {
		return l.opt.Issuer
	}
	return "http://" + r.Host
}

// issuer gives the issuer of a dialect.
func (l *Lab) issuer(r *http.Request, d Dialect) string {
	if d == DialectEntra {
		return l.base(r) + "/" + l.opt.Tenant + "/v2.0"
	}
	return l.base(r) + "/realms/" + l.opt.Realm
}

// address is where a request comes from. X-Forwarded-For is believed, because
// the lab stands on loopback and tests play several visitors.
func address(r *http.Request) string {
	if ip := net.ParseIP(r.Header.Get("X-Forwarded-For")); ip != nil {
		return ip.String()
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// random gives so many random bytes in base64url.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // documented never to fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// randomID gives a random UUID.
func randomID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // documented never to fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// lineWriter writes whole lines, one at a time.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *lineWriter) line(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.w.Write(append(b, '\n')) // a log that cannot be written must not stop sign-ins
}
