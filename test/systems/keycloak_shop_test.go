package systems_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"usher"
	"usher/test/systems/keycloak"
)

// The registered redirect URI of the shop, and the one without its slash.
const (
	withSlash = "https://shop.test/cb/"
	noSlash   = "https://shop.test/cb"
)

// patience is how long what must come is waited for. It is long, so that a busy
// machine fails no test; what has to be quick is measured.
const patience = 20 * time.Second

// people are where the sign-ins come from.
var people = []string{"203.0.113.7", "203.0.113.21", "198.51.100.4"}

// shop is a realm of a real Keycloak with the client 'shop', a relying party
// that signs in there, and a usher that reads Keycloak's log.
type shop struct {
	t     *testing.T
	kc    *keycloak.Server
	realm string
	rp    *relyingParty
	dir   string // usher.yaml, and usher's data

	secret string // that the relying party has
	serve  *exec.Cmd
	said   *lockedBuffer // by `usher serve`
	api    *http.Client
}

// theKeycloak is the one that all tests of the package share; TestMain stops it.
func theKeycloak(t *testing.T) *keycloak.Server {
	t.Helper()
	keycloak.Wanted(t)
	kc, err := sharedKeycloak()
	if errors.Is(err, keycloak.ErrMissing) {
		missing(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return kc
}

// runningKeycloak is set once sharedKeycloak has started it.
var runningKeycloak *keycloak.Server

var sharedKeycloak = sync.OnceValues(func() (*keycloak.Server, error) {
	kc, err := keycloak.Run(context.Background(), keycloak.Options{})
	runningKeycloak = kc
	return kc, err
})

// openRealm makes a realm of its own, as examples/first-case has it.
func openRealm(t *testing.T, kc *keycloak.Server, rp *relyingParty) *shop {
	t.Helper()
	dir, err := os.MkdirTemp("", "usher-shop-") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &shop{t: t, kc: kc, rp: rp, dir: dir, realm: "shop-" + filepath.Base(dir)[len("usher-shop-"):], secret: "the-secret-of-shop"}
	realm, err := os.ReadFile("../../examples/first-case/realm.json")
	if err != nil {
		t.Fatal(err)
	}
	realm = bytes.Replace(realm, []byte(`"realm": "shop"`), fmt.Appendf(nil, `"realm": %q`, s.realm), 1)
	if err := kc.CreateRealm(t.Context(), realm); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kc.DeleteRealm(context.Background(), s.realm) })
	return s
}

// openShop makes a realm of its own and starts usher with settings more under
// `cases:`.
func openShop(t *testing.T, kc *keycloak.Server, rp *relyingParty, cases string) *shop {
	t.Helper()
	s := openRealm(t, kc, rp)
	s.api = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "usher-data", "usher.sock"))
		},
	}}
	s.write("usher.yaml", fmt.Sprintf(`listen: 127.0.0.1:0
data: usher-data
cases: {%s}
providers:
  - name: shop
    kind: keycloak
    issuer: %s
    tenants: [%s]
    admin: {client_id: usher, client_secret_env: USHER_SHOP_SECRET}
    sources:
      - {kind: keycloak, path: %s, zone: Local}
`, cases, kc.Issuer(s.realm), s.realm, kc.LogPath))
	s.start()
	return s
}

func (s *shop) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start runs `usher serve` until it is ready.
func (s *shop) start() {
	s.t.Helper()
	s.said = new(lockedBuffer)
	s.serve = s.command("serve", "--config", "usher.yaml")
	s.serve.Stdout, s.serve.Stderr = s.said, s.said
	if err := s.serve.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	cmd := s.serve
	go func() { _ = cmd.Wait(); close(ended) }()
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
			s.t.Error("usher serve does not end within 5 s of SIGTERM")
		}
		if s.t.Failed() {
			s.t.Logf("usher serve said:\n%s", s.said)
		}
	})
	s.within(patience, "usher serve is ready", func() error {
		select {
		case <-ended:
			return stop{fmt.Errorf("it ended: %s", s.said)}
		default:
		}
		return s.ask("/readyz", nil)
	})
}

// kill ends usher as a crash does.
func (s *shop) kill() {
	_ = s.serve.Process.Signal(syscall.SIGKILL)
}

// command is the program, in the shop's folder.
func (s *shop) command(args ...string) *exec.Cmd {
	s.t.Helper()
	path, err := program()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "USHER_SHOP_SECRET=the-secret-of-usher", "NO_COLOR=1")
	return cmd
}

// usher runs a command to its end and gives what it said and its exit status.
func (s *shop) usher(args ...string) (stdout, stderr string, status int) {
	s.t.Helper()
	cmd := s.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("usher %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// do runs a command that must succeed.
func (s *shop) do(args ...string) string {
	s.t.Helper()
	out, errs, status := s.usher(args...)
	if status != 0 {
		s.t.Fatalf("usher %s: exit status %d\n%s%s", strings.Join(args, " "), status, out, errs)
	}
	return out
}

// ask reads an address of usher's API.
func (s *shop) ask(path string, into any) error {
	res, err := s.api.Get("http://usher" + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, res.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// cases gives every case, whatever its state.
func (s *shop) cases() []usher.Case {
	s.t.Helper()
	var got struct {
		Cases []usher.Case `json:"cases"`
	}
	if err := s.ask("/api/v1/cases?all=true", &got); err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(got.Cases, func(c usher.Case) bool {
		return c.Refusal.Tenant != "" && c.Refusal.Tenant != s.realm // of the shops before this one
	})
}

// theCase gives the only case.
func (s *shop) theCase() usher.Case {
	s.t.Helper()
	cases := s.cases()
	if len(cases) != 1 {
		s.t.Fatalf("there are %d cases, want one:\n%s", len(cases), titles(cases))
	}
	var c usher.Case
	if err := s.ask(fmt.Sprintf("/api/v1/cases/%d", cases[0].ID), &c); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func titles(cases []usher.Case) string {
	var b strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&b, "%d %s %s (%s, %d tries): %s\n", c.ID, c.Kind, c.State, c.Finding.Cause, c.Count, c.Title)
	}
	return b.String()
}

// stop is an error after which waiting makes no sense.
type stop struct{ error }

// within waits until check is content.
func (s *shop) within(limit time.Duration, what string, check func() error) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if _, hopeless := err.(stop); hopeless || time.Now().After(deadline) {
			s.t.Fatalf("not within %v: %s: %v", limit, what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// becomes waits until the only case is in a state, and gives it.
func (s *shop) becomes(state usher.CaseState) usher.Case {
	s.t.Helper()
	var c usher.Case
	s.within(patience, "the case is "+string(state), func() error {
		cases := s.cases()
		if len(cases) != 1 {
			return fmt.Errorf("there are %d cases:\n%s", len(cases), titles(cases))
		}
		c = cases[0]
		if c.State != state {
			return fmt.Errorf("it is %s:\n%s", c.State, story(c))
		}
		return nil
	})
	return s.theCase()
}

// counts waits until the only case has so many tries, and gives it.
func (s *shop) counts(tries int) usher.Case {
	s.t.Helper()
	var c usher.Case
	s.within(patience, fmt.Sprintf("the case has %d tries", tries), func() error {
		cases := s.cases()
		if len(cases) != 1 {
			return fmt.Errorf("there are %d cases:\n%s", len(cases), titles(cases))
		}
		if c = s.theCase(); c.Count != tries {
			return fmt.Errorf("it has %d:\n%s", c.Count, story(c))
		}
		return nil
	})
	return c
}

// stays holds that the only case is still in a state once usher has read
// everything that Keycloak has written so far.
func (s *shop) stays(state usher.CaseState) usher.Case {
	s.t.Helper()
	s.settle()
	c := s.theCase()
	if c.State != state {
		s.t.Fatalf("the case is %s, want %s still:\n%s", c.State, state, story(c))
	}
	return c
}

// settle waits until usher has read what is in the log now. There is no mark to
// wait for, so this is a second: five times what a line takes.
func (s *shop) settle() { time.Sleep(time.Second) }

// story is a case's timeline, for the person who reads a failure.
func story(c usher.Case) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", titles([]usher.Case{c}), c.Summary)
	for _, e := range c.Timeline {
		fmt.Fprintf(&b, "  %s %-10s %s %s\n", e.Time.Format("15:04:05.000"), e.Kind, e.Text, e.By)
	}
	for _, f := range c.Fixes {
		fmt.Fprintf(&b, "  fix %s (%s, %s): %s; %+v\n", f.ID, f.Risk, f.Fixer, f.Title, f.Proof)
	}
	for _, r := range c.Runs {
		fmt.Fprintf(&b, "  run %s of fix %s: %s %s\n", r.ID, r.Plan.Fix.ID, r.State, r.Error)
	}
	return b.String()
}

// register lets an administrator write the shop's redirect URIs.
func (s *shop) register(uris ...string) {
	s.t.Helper()
	s.edit(map[string]any{"redirectUris": uris})
}

// edit lets an administrator change members of the shop's registration.
func (s *shop) edit(members map[string]any) {
	s.t.Helper()
	if err := s.kc.EditClient(s.t.Context(), s.realm, "shop", members); err != nil {
		s.t.Fatal(err)
	}
}

// registration is what Keycloak has registered of the shop.
func (s *shop) registration() map[string]any {
	s.t.Helper()
	client, err := s.kc.Client(s.t.Context(), s.realm, "shop")
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// changed lists the members that differ between two registrations, as JSON.
// Keycloak gives lists, which are sets, in any order.
func changed(before, after map[string]any) []string {
	var diff []string
	for name := range before {
		was, _ := json.Marshal(sorted(before[name]))
		is, _ := json.Marshal(sorted(after[name]))
		if !bytes.Equal(was, is) {
			diff = append(diff, fmt.Sprintf("%s: %s -> %s", name, was, is))
		}
	}
	for name, value := range after {
		if _, had := before[name]; !had {
			is, _ := json.Marshal(sorted(value))
			diff = append(diff, fmt.Sprintf("%s: absent -> %s", name, is))
		}
	}
	slices.Sort(diff)
	return diff
}

func sorted(value any) any {
	list, ok := value.([]any)
	if !ok {
		return value
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return list
}

// attempt is one sign-in, see rp.mjs.
type attempt struct {
	Issuer   string `json:"issuer"`
	Client   string `json:"client"`
	Secret   string `json:"secret,omitempty"`
	Redirect string `json:"redirect"`
	Scope    string `json:"scope,omitempty"`
	User     string `json:"user"`
	Password string `json:"password"`
	From     string `json:"from,omitempty"`
	Refresh  bool   `json:"refresh,omitempty"`
}

// outcome is what came of it.
type outcome struct {
	OK          bool   `json:"ok"`
	Step        string `json:"step"`
	Status      int    `json:"status"`
	Error       string `json:"error"`
	Description string `json:"description"`
	Message     string `json:"message"`
	Scope       string `json:"scope"`
}

// signIn has Ann sign in at the shop; change makes it another attempt.
func (s *shop) signIn(change func(*attempt)) outcome {
	s.t.Helper()
	a := attempt{
		Issuer: s.kc.Issuer(s.realm), Client: "shop", Secret: s.secret, Redirect: withSlash,
		User: "ann", Password: "ann's password", From: people[0],
	}
	if change != nil {
		change(&a)
	}
	return s.rp.try(s.t, a)
}

// succeeds has Ann sign in, which must work.
func (s *shop) succeeds(change func(*attempt)) {
	s.t.Helper()
	if got := s.signIn(change); !got.OK {
		s.t.Fatalf("the sign-in fails: %+v", got)
	}
}

// fails has Ann try n times, from one address after the other; each must be
// refused at that step.
func (s *shop) fails(n int, step string, change func(*attempt)) {
	s.t.Helper()
	for i := range n {
		got := s.signIn(func(a *attempt) {
			a.From = people[i%len(people)]
			if change != nil {
				change(a)
			}
		})
		if got.OK || got.Step != step {
			s.t.Fatalf("try %d: %+v, want it refused at %s", i+1, got, step)
		}
	}
}

// relyingParty is rp.mjs, which stays for many attempts.
type relyingParty struct {
	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Reader
}

// startRelyingParty runs rp.mjs until the test ends.
func startRelyingParty(t *testing.T) *relyingParty {
	t.Helper()
	if err := packages(); err != nil {
		missing(t, err)
	}
	cmd := exec.Command("node", "rp.mjs")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return &relyingParty{in: in, out: bufio.NewReader(out)}
}

func (rp *relyingParty) try(t *testing.T, a attempt) outcome {
	t.Helper()
	rp.mu.Lock()
	defer rp.mu.Unlock()
	line, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rp.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	answer, err := rp.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("rp.mjs: %v", err)
	}
	var got outcome
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatalf("rp.mjs: %v: %s", err, answer)
	}
	if got.Step == "rp.mjs" {
		t.Fatalf("rp.mjs is broken: %s", got.Message)
	}
	return got
}

// lockedBuffer is a buffer that a process writes while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
