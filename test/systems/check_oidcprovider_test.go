package systems_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/test/systems/keycloak"
)

// How a provider is looked at.
const (
	public = ""      // by what everybody may read
	asked  = "asked" // with --probe, for the client web
	spa    = "asked, for a browser app"
	tried  = "tried" // with --probe --change, for the client web
	signed = "tried, with a sign-in"
)

// mistakes are those of check_provider.mjs, how each is looked at, and what is
// wrong then: this and nothing else.
var mistakes = []struct {
	name, how string
	wrong     []string
}{
	{"good", public, nil},
	{"good", asked, nil},
	{"good", spa, nil},
	{"good", signed, nil},

	{"implicit grant", public, []string{"grant-implicit"}},
	{"password grant", public, []string{"grant-password"}},
	{"hmac id tokens", public, []string{"alg-weak-announced"}},
	{"alg none", public, []string{"alg-none-announced"}},
	{"plain PKCE", public, []string{"pkce-plain-announced"}},
	{"plain PKCE alone", public, []string{"pkce-announced", "pkce-plain-announced"}},
	{"no revocation", public, []string{"revocation-offered"}},
	{"no sign-out", public, []string{"logout-offered"}},
	{"no pushed requests", public, []string{"par-supported"}},
	{"no bound tokens", public, []string{"sender-constraint-supported"}},
	{"issuer with a slash", public, []string{"issuer-identical"}},
	{"issuer of the inner host", public, []string{"issuer-identical", "discovery-internal-host", "discovery-hosts-foreign"}},
	{"http endpoints", public, []string{"jwks-reachable", "proxy-forwarded"}},
	{"no keys named", public, []string{"discovery-required-fields"}},
	{"a string for a list", public, []string{"discovery-types"}},
	{"foreign endpoint", public, []string{"discovery-hosts-foreign", "egress-blocked"}},
	{"small key", public, []string{"jwks-key-size"}},
	{"no kid", public, []string{"jwks-kid-unique"}},
	{"kid twice", public, []string{"jwks-kid-unique"}},
	{"private key", public, []string{"jwks-no-private"}},
	{"symmetric key", public, []string{"jwks-no-private", "jwks-symmetric-mix"}},
	{"no alg", public, []string{"jwks-use-alg"}},
	{"no keys", public, []string{"jwks-reachable"}},
	{"keys are a page", public, []string{"jwks-reachable"}},
	{"keys kept for a year", public, []string{"discovery-cache"}},
	{"nothing may be kept", public, []string{"discovery-cache"}},
	{"clock behind", public, []string{"provider-clock"}},
	{"old TLS", public, []string{"tls-version", "tls-ciphers"}},
	{"weak ciphers", public, []string{"tls-ciphers"}},
	{"certificate ends soon", public, []string{"tls-certificate"}},

	{"pkce optional", asked, []string{"pkce-enforced"}},
	{"any redirect URI", asked, []string{"redirect-server-exact", "redirect-error-no-redirect"}},
	{"redirect URI by prefix", asked, []string{"redirect-server-exact"}},
	{"redirect URI without case", asked, []string{"redirect-server-exact"}},
	{"says it wants pushed requests", asked, []string{"par-required"}},
	{"CORS at the sign-in page", asked, []string{"cors-authorization"}},
	{"no CORS at the token endpoint", spa, []string{"cors-token-spa"}},
	{"introspection for everybody", asked, []string{"introspection-auth"}},
	{"token endpoint takes GET", asked, []string{"token-endpoint-post-only"}},
	{"parameters twice", asked, []string{"unknown-parameters"}},
	{"strange parameters refused", asked, []string{"unknown-parameters"}},
	{"sign-in page in a frame", asked, []string{"clickjacking-login"}},

	{"open registration", tried, []string{"dcr-open"}},
	{"any registration", tried, []string{"dcr-open"}},
	{"guarded registration", tried, nil},
	{"revocation that does nothing", tried, []string{"revocation-works"}},
	{"old refresh tokens taken", signed, []string{"refresh-reuse-detected"}},
	{"the proxy knows the secret", signed, []string{"refresh-bound"}},
	{"a verifier without a challenge", signed, []string{"pkce-enforced", "pkce-downgrade"}},
}

func TestCheckOIDCProvider(t *testing.T) {
	p := startProviders(t)
	rows := make([]pageRow, len(mistakes))
	t.Run("mistakes", func(t *testing.T) {
		for i, m := range mistakes {
			rows[i] = pageRow{strings.TrimSuffix(m.name+", "+m.how, ", "), m.wrong}
			t.Run(rows[i].setting, func(t *testing.T) {
				t.Parallel()
				l := p.look(t, m.name, m.how)
				l.says(m.wrong...)
				if m.how == tried || m.how == signed {
					p.undone(t, m.name)
				}
			})
		}
	})
	holdPage(t, "npm oidc-provider", rows)

	t.Run("quick", p.quick)
	t.Run("credentials", p.credentials)
	t.Run("redirect URI", p.redirects)
	t.Run("callback pages", p.callbacks)
	t.Run("assertions", p.assertions)
	t.Run("bound tokens", p.bound)
	t.Run("profiles", p.profiles)
	t.Run("tokens that may be kept", p.kept)
}

// providers are those of check_provider.mjs.
type providers struct {
	App     string            `json:"app"`
	Key     string            `json:"key"` // of the client jwt
	Issuers map[string]string `json:"issuers"`

	secret string // of the client web
	ca     string // file with the certificates
	client *http.Client
}

func startProviders(t *testing.T) *providers {
	t.Helper()
	keycloak.Wanted(t) // it takes minutes
	if err := packages(); err != nil {
		missing(t, err)
	}
	if _, err := program(); err != nil {
		t.Fatal(err)
	}
	p := &providers{secret: rand.Text() + rand.Text()}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert, brief := certificate(t, key, 90), certificate(t, key, 5)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.ca = fileOf(t, "ca.pem", slices.Concat(cert, brief))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	p.client = &http.Client{
		Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}

	setup, err := json.Marshal(map[string]string{
		"cert": string(cert), "brief": string(brief), "secret": p.secret,
		"key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	node := exec.CommandContext(ctx, "node", "check_provider.mjs")
	node.Env = append(os.Environ(), "USHER_CHECKED="+string(setup), "NO_COLOR=1")
	hold, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	listening, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	node.Stderr = &log
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hold.Close(); _ = node.Wait() })
	line, err := bufio.NewReader(listening).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, p)
	}
	if err != nil {
		t.Fatalf("the providers do not say where they listen: %v\n%s", err, log.String())
	}
	return p
}

// certificate makes a certificate of this machine for so many days, as PEM.
func certificate(t *testing.T, key *rsa.PrivateKey, days int) []byte {
	t.Helper()
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, days),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// args are what usher check is told of a provider.
func (p *providers) args(name string, more ...string) []string {
	return append([]string{p.Issuers[name], "--ca-file", p.ca, "--wait", "0s"}, more...)
}

func (p *providers) look(t *testing.T, name, how string) *looked {
	t.Helper()
	if p.Issuers[name] == "" {
		t.Fatalf("no provider is %q", name)
	}
	web := []string{"--client-id", "web", "--redirect-uri", p.App + "/callback", "--secret-file", fileOf(t, "secret", []byte(p.secret)), "--probe"}
	var l *looked
	switch how {
	case asked:
		l = look(t, p.args(name, web...)...)
	case spa:
		l = look(t, p.args(name, "--client-id", "spa", "--redirect-uri", p.App+"/callback", "--auth-method", "none", "--origin", p.App, "--probe")...)
	case tried:
		l = look(t, p.args(name, append(web, "--change", "--yes")...)...)
	case signed:
		l = atTerminal(t, checkCommand(t, p.args(name, append(web, "--change", "--yes")...)...), p.signIn)
	default:
		l = look(t, p.args(name)...)
	}
	l.keeps(p.secret)
	return l
}

// undone holds that nothing is left of what was made, and that something was.
func (p *providers) undone(t *testing.T, name string) {
	t.Helper()
	res, err := p.client.Get(p.Issuers[name] + "/made")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var left struct {
		Registered, Living []string
		Made               int
	}
	if err := json.NewDecoder(res.Body).Decode(&left); err != nil {
		t.Fatal(err)
	}
	if left.Made == 0 {
		t.Errorf("%s: nothing was made, so that nothing was tried", name)
	}
	if name == "revocation that does nothing" {
		return
	}
	if len(left.Registered)+len(left.Living) > 0 {
		t.Errorf("%s: usher leaves behind clients %v and tokens %v", name, left.Registered, left.Living)
	}
}

// signIn is a browser with a person: it goes to an address and gives the one of
// the app that it ends at.
func (p *providers) signIn(address string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := *p.client
	browser.Jar = jar
	for range 10 {
		res, err := browser.Get(address)
		if err != nil {
			return "", err
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK { // the sign-in page
			address += "?go"
			continue
		}
		next, err := res.Location()
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(next.String(), p.App) {
			return next.String(), nil
		}
		address = next.String()
	}
	return "", io.ErrNoProgress
}

// quick: a look at a provider on this machine, from the program's start to its
// end, takes 300 ms at most. The best of five counts, as the machine does other
// things as well.
func (p *providers) quick(t *testing.T) {
	best := time.Hour
	for range 5 {
		start := time.Now()
		look(t, p.args("good")...)
		best = min(best, time.Since(start))
	}
	t.Logf("a look takes %v", best.Round(time.Millisecond))
	if best > 300*time.Millisecond {
		t.Errorf("a look takes %v, want 300 ms at most", best)
	}
}

// credentials: right and wrong ones are told apart, and the unknown client from
// the wrong secret.
func (p *providers) credentials(t *testing.T) {
	right, wrong := fileOf(t, "right", []byte(p.secret)), fileOf(t, "wrong", []byte(rand.Text()+rand.Text()))
	ask := func(client, file string) *looked {
		return look(t, p.args("good", "--client-id", client, "--redirect-uri", p.App+"/callback", "--secret-file", file, "--probe")...)
	}
	ask("web", right).is("secret-valid", usher.OutcomeOK)
	l := ask("web", wrong)
	l.says("secret-valid")
	cause(t, l, "secret-valid", "client-secret-invalid")
	l = ask("nobody", right)
	l.says("client-id-known")
	cause(t, l, "client-id-known", "client-unknown")
	l.is("secret-valid", usher.OutcomeUnknown)
}

// redirects: a redirect URI that is not registered is found out by asking.
func (p *providers) redirects(t *testing.T) {
	l := look(t, p.args("good", "--client-id", "web", "--redirect-uri", p.App+"/callback/", "--probe")...)
	l.says("redirect-registered")
	l.is("client-id-known", usher.OutcomeOK)
	cause(t, l, "redirect-registered", "redirect-uri-mismatch")
}

// callbacks: pages of the app that give away what stands in their address, or
// send people on.
func (p *providers) callbacks(t *testing.T) {
	for page, wrong := range map[string]string{"/chatty": "referrer-leak", "/open": "redirect-open-redirector"} {
		look(t, p.args("good", "--client-id", "web", "--redirect-uri", p.App+page, "--probe")...).says(wrong)
	}
}

// assertions: the client's own key is told from another, and an assertion that
// is taken twice from one that is not.
func (p *providers) assertions(t *testing.T) {
	right := fileOf(t, "key.json", []byte(p.Key))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	wrong := fileOf(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	args := func(name, file string) []string {
		return p.args(name, "--client-id", "jwt", "--redirect-uri", p.App+"/callback", "--auth-method", "private_key_jwt", "--key-file", file, "--key-id", "own", "--probe", "--change", "--yes")
	}
	l := look(t, args("good", right)...)
	l.says()
	l.is("secret-valid", usher.OutcomeOK)
	l.is("assertion-replay", usher.OutcomeOK)
	look(t, args("good", wrong)...).is("secret-valid", usher.OutcomeWrong)
	look(t, args("assertions taken twice", right)...).says("assertion-replay")
}

// bound: an API that takes bound tokens without their proof.
func (p *providers) bound(t *testing.T) {
	for api, wrong := range map[string][]string{"/api": nil, "/lax": {"dpop-required"}} {
		l := look(t, p.args("good", "--client-id", "web", "--redirect-uri", p.App+"/callback", "--resource", p.App+api, "--secret-file", fileOf(t, "secret", []byte(p.secret)), "--probe", "--change", "--yes")...)
		l.says(wrong...)
		l.is("resource-metadata", usher.OutcomeOK)
	}
}

// profiles: what is no mistake by itself is one under a profile.
func (p *providers) profiles(t *testing.T) {
	look(t, p.args("PKCE not announced")...).says()
	if l := look(t, p.args("PKCE not announced", "--profile", "mcp")...); !slices.Contains(l.wrong(), "pkce-announced") {
		t.Errorf("under mcp %v is wrong, want pkce-announced as well", l.wrong())
	}
	if l := look(t, p.args("no bound tokens", "--profile", "fapi2")...); !slices.Contains(l.wrong(), "sender-constraint-supported") {
		t.Errorf("under fapi2 %v is wrong, want sender-constraint-supported as well", l.wrong())
	}
}

// kept: what the token endpoint answers is given as evidence, with its headers.
func (p *providers) kept(t *testing.T) {
	for name, wrong := range map[string][]string{"good": nil, "tokens may be kept": {"token-response-no-store"}, "no introspection": {"introspection-offered"}} {
		req, err := http.NewRequest(http.MethodPost, p.Issuers[name]+"/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("web", p.secret)
		res, err := p.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := httputil.DumpResponse(res, true)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var token struct {
			Access string `json:"access_token"`
		}
		if _, body, ok := bytes.Cut(answer, []byte("\r\n\r\n")); !ok || json.Unmarshal(body, &token) != nil || token.Access == "" {
			t.Fatalf("%s gives no token: %s", name, answer)
		}
		l := look(t, slices.Insert(p.args(name), 1, fileOf(t, "answer.txt", answer))...)
		l.says(wrong...)
		l.keeps(token.Access)
	}
}

// toOpen finds the address that usher has a person open.
var toOpen = regexp.MustCompile(`(?m)^\s+(https?://\S+)$`)
