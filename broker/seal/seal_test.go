package seal_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usher"
	"usher/broker/seal"
	"usher/oauth"
)

// shelf keeps the ring and what is sealed, and can crash at any write: before
// it, or behind it, when the caller no longer learns of it.
type shelf struct {
	mu     sync.Mutex
	doc    seal.Document
	sealed map[string][]byte // by purpose
	writes int
	crash  int // the write at which it crashes; 0: never
	after  bool
	away   bool
}

var (
	errCrash = errors.New("crash")
	errAway  = errors.New("the database is away")
)

func (s *shelf) write(f func()) error {
	s.writes++
	if s.crash != 0 && s.writes > s.crash {
		return errCrash
	}
	if s.crash == s.writes {
		if s.after {
			f()
		}
		return errCrash
	}
	f()
	return nil
}

func (s *shelf) Ring(context.Context) (seal.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return seal.Document{}, errAway
	}
	return s.doc, nil
}

func (s *shelf) PutRing(_ context.Context, d seal.Document) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return errAway
	}
	if d.Version != s.doc.Version {
		return seal.ErrStale
	}
	return s.write(func() { s.doc = seal.Document{Version: d.Version + 1, Body: bytes.Clone(d.Body)} })
}

// reseal walks as the broker does: each one is stored by itself.
func (s *shelf) reseal(ctx context.Context, again seal.Again) (int, error) {
	s.mu.Lock()
	var names []string
	for name := range s.sealed {
		names = append(names, name)
	}
	s.mu.Unlock()
	old := 0
	for _, name := range names {
		s.mu.Lock()
		was := s.sealed[name]
		s.mu.Unlock()
		now, changed, err := again(ctx, name, was)
		if err != nil {
			return old, err
		}
		if !changed {
			continue
		}
		old++
		s.mu.Lock()
		if bytes.Equal(s.sealed[name], was) {
			err = s.write(func() { s.sealed[name] = now })
		}
		s.mu.Unlock()
		if err != nil {
			return old, err
		}
	}
	return old, nil
}

func newShelf() *shelf { return &shelf{sealed: map[string][]byte{}} }

func newKey(t *testing.T, old ...usher.Secret) *seal.LocalKey {
	t.Helper()
	var text []string
	for _, k := range append([]usher.Secret{seal.NewKey()}, old...) {
		text = append(text, k.Reveal())
	}
	key, err := seal.EnvKey("", usher.Secret(strings.Join(text, ",")))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func fill(t *testing.T, s *shelf, box *seal.Box, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprintf("tokens/shop-%d", i)
		sealed, err := box.Seal(t.Context(), name, []byte("token of "+name))
		if err != nil {
			t.Fatal(err)
		}
		s.sealed[name] = sealed
	}
}

// readable holds that everything opens with a new Box, as after a start.
func readable(t *testing.T, s *shelf, kms seal.KMS, now func() time.Time) {
	t.Helper()
	s.crash = 0
	box := seal.New(kms, s, now)
	for name, sealed := range s.sealed {
		plain, err := box.Open(t.Context(), name, sealed)
		if err != nil || string(plain) != "token of "+name {
			t.Fatalf("%s gives %q, %v", name, plain, err)
		}
	}
}

func TestSealsForAPurpose(t *testing.T) {
	s := newShelf()
	kms := newKey(t)
	box := seal.New(kms, s, nil)
	fill(t, s, box, 2)
	readable(t, s, kms, nil)
	a, b := s.sealed["tokens/shop-0"], s.sealed["tokens/shop-1"]
	if bytes.Contains(a, []byte("token of")) {
		t.Error("the text is in clear")
	}
	if _, err := box.Open(t.Context(), "tokens/shop-1", a); !isCode(err, usher.ErrUnreadable) {
		t.Errorf("what was sealed for one opens as another's: %v", err)
	}
	again, _ := box.Seal(t.Context(), "tokens/shop-0", []byte("token of tokens/shop-0"))
	if bytes.Equal(a, again) || bytes.Equal(a[9:41], b[9:41]) {
		t.Error("a salt was used twice")
	}
	for i := range a {
		bad := bytes.Clone(a)
		bad[i] ^= 1
		if _, err := box.Open(t.Context(), "tokens/shop-0", bad); err == nil {
			t.Fatalf("byte %d can be changed", i)
		}
		if _, err := box.Open(t.Context(), "tokens/shop-0", a[:i]); err == nil {
			t.Fatalf("%d bytes of it open", i)
		}
	}
	if _, err := box.Seal(t.Context(), "x", make([]byte, seal.MostPlain+1)); err == nil {
		t.Error("more than 1 MiB is sealed")
	}
	if out, err := box.Seal(t.Context(), "", nil); err != nil || len(out) == 0 {
		t.Errorf("nothing cannot be sealed: %v", err)
	}
}

func isCode(err error, code string) bool {
	var e *usher.Error
	return errors.As(err, &e) && e.Code == code
}

// A crash at every write of a rotation, before it and behind it: all stays
// readable, and the next start goes on to the end.
func TestRotationSurvivesACrashAnywhere(t *testing.T) {
	const things = 6
	for _, after := range []bool{false, true} {
		for crash := 1; ; crash++ {
			clock := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
			now := func() time.Time { return clock }
			s := newShelf()
			oldKey := seal.NewKey()
			oldKMS, _ := seal.EnvKey("", oldKey)
			fill(t, s, seal.New(oldKMS, s, now), things)
			first := ringOf(s)

			// A new key outside and a new data key at once.
			kms := newKey(t, oldKey)
			s.writes, s.crash, s.after = 0, crash, after
			_, err := seal.New(kms, s, now).Rotate(t.Context(), s.reseal)
			done := s.writes < crash
			if (err == nil) != done {
				t.Fatalf("crash at write %d: %v", crash, err)
			}
			readable(t, s, kms, now)

			// The next start, and the hours after it.
			for range 3 {
				clock = clock.Add(13 * time.Hour)
				if _, err := seal.New(kms, s, now).Maintain(t.Context(), s.reseal); err != nil {
					t.Fatalf("crash at write %d, next start: %v", crash, err)
				}
				readable(t, s, kms, now)
			}
			onlyNew, err := seal.EnvKey("", usher.Secret(seal.NewKey()))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := onlyNew.Unwrap(t.Context(), oldKMS.KeyID(), "", nil); err == nil {
				t.Fatal("a foreign key opens")
			}
			if strings.Contains(string(s.doc.Body), oldKMS.KeyID()) {
				t.Fatalf("crash at write %d: a data key is still sealed with the old key", crash)
			}
			rotated := crash > 1 || after
			if gone := !strings.Contains(string(s.doc.Body), first); gone != rotated && crash > 1 {
				t.Fatalf("crash at write %d: the old data key is gone: %t", crash, gone)
			}
			if done {
				if crash < things {
					t.Fatalf("only %d writes were crashed", crash)
				}
				break
			}
		}
	}
}

// ringOf gives the id of the key in use.
func ringOf(s *shelf) string {
	_, rest, _ := strings.Cut(string(s.doc.Body), `"primary":"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// A replica that has not heard of a rotation seals with the old data key. It
// stays until nothing is.
func TestOldDataKeyStaysWhileSomethingIsSealedWithIt(t *testing.T) {
	clock := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return clock }
	s, kms := newShelf(), newKey(t)
	slow, quick := seal.New(kms, s, now), seal.New(kms, s, now)
	fill(t, s, slow, 1)
	old := ringOf(s)
	if _, err := quick.Rotate(t.Context(), s.reseal); err != nil {
		t.Fatal(err)
	}
	late, err := slow.Seal(t.Context(), "tokens/late", []byte("token of tokens/late")) // within a minute
	if err != nil || !bytes.Contains(late, mustHex(t, old)) {
		t.Fatalf("the slow replica sealed with another key, the test is for nothing: %v", err)
	}
	clock = clock.Add(23 * time.Hour)
	if _, err := quick.Maintain(t.Context(), s.reseal); err != nil {
		t.Fatal(err)
	}
	s.sealed["tokens/late"] = late // stored just now: its database was away
	clock = clock.Add(2 * time.Hour)
	p, err := quick.Maintain(t.Context(), s.reseal)
	if err != nil || p.Resealed != 1 || len(p.Dropped) != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	readable(t, s, kms, now)
	if out, _ := slow.Seal(t.Context(), "x", nil); bytes.Contains(out, mustHex(t, old)) {
		t.Error("the slow replica seals with the old data key after a minute")
	}
	clock = clock.Add(25 * time.Hour)
	if p, err = quick.Maintain(t.Context(), nil); err != nil || len(p.Dropped) != 0 {
		t.Fatalf("dropped without a look: %+v, %v", p, err)
	}
	if p, err = quick.Maintain(t.Context(), s.reseal); err != nil || len(p.Dropped) != 1 || p.Dropped[0] != old {
		t.Fatalf("%+v, %v", p, err)
	}
	readable(t, s, kms, now)
	if _, err := quick.Open(t.Context(), "tokens/late", late); !isCode(err, usher.ErrUnreadable) || !strings.Contains(err.Error(), old) {
		t.Errorf("a dropped data key is told as %v", err)
	}
}

func mustHex(t *testing.T, s string) []byte {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(s, "%x", &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRenewsWhenItIsTime(t *testing.T) {
	clock := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return clock }
	s, oldKey := newShelf(), seal.NewKey()
	kms, _ := seal.EnvKey("", oldKey)
	fill(t, s, seal.New(kms, s, now), 2)
	first := ringOf(s)
	step := func(kms seal.KMS, oldest time.Duration, changes bool) {
		t.Helper()
		before := ringOf(s)
		if _, err := seal.New(kms, s, now).Renew(t.Context(), oldest, s.reseal); err != nil {
			t.Fatal(err)
		}
		if (ringOf(s) != before) != changes {
			t.Errorf("another data key: %t", !changes)
		}
		readable(t, s, kms, now)
	}
	step(kms, 90*24*time.Hour, false)
	next := newKey(t, oldKey)
	step(next, 90*24*time.Hour, true) // the key outside is another one
	step(next, 90*24*time.Hour, false)
	clock = clock.Add(91 * 24 * time.Hour)
	step(next, 0, false)
	step(next, 90*24*time.Hour, true)
	if strings.Contains(string(s.doc.Body), first) {
		t.Error("the first data key is still there")
	}
}

// TestReplacedByHand follows the steps of docs/egress.md, "To replace the keys by
// hand", word for word.
func TestReplacedByHand(t *testing.T) {
	page, err := os.ReadFile("../../docs/egress.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(page), "To replace the keys by hand")
	_, script, _ = strings.Cut(script, "```sh\n")
	script, _, ok := strings.Cut(script, "```")
	if !ok {
		t.Fatal("the page has no steps")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "broker.key")
	oldKMS, err := seal.CreateFileKey(path)
	if err != nil {
		t.Fatal(err)
	}
	clock := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return clock }
	s := newShelf()
	fill(t, s, seal.New(oldKMS, s, now), 3)
	first := ringOf(s)
	was := s.sealed["tokens/shop-0"]

	sh := exec.CommandContext(t.Context(), "sh", "-ec", script)
	sh.Dir = dir
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	kms, err := seal.FileKey(path)
	if err != nil || len(kms.KeyIDs()) != 2 || kms.KeyID() == oldKMS.KeyID() || kms.KeyIDs()[1] != oldKMS.KeyID() {
		t.Fatalf("the file holds %v, %v", kms, err)
	}
	p, err := seal.New(kms, s, now).Renew(t.Context(), 0, s.reseal) // the next start
	if err != nil || p.Resealed != 3 || p.Rewrapped == 0 || ringOf(s) == first {
		t.Fatalf("%+v, %v", p, err)
	}

	// The old line goes; a day later the old data key has gone too.
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	alone, err := seal.EnvKey("", usher.Secret(line))
	if err != nil {
		t.Fatal(err)
	}
	readable(t, s, alone, now)
	clock = clock.Add(25 * time.Hour)
	box := seal.New(alone, s, now)
	if p, err = box.Renew(t.Context(), 0, s.reseal); err != nil || !slices.Equal(p.Dropped, []string{first}) {
		t.Fatalf("%+v, %v", p, err)
	}
	readable(t, s, alone, now)
	if _, err := box.Open(t.Context(), "tokens/shop-0", was); err == nil {
		t.Error("what the old data key sealed still opens")
	}
}

func TestWrongKeyLosesNothing(t *testing.T) {
	s := newShelf()
	right := newKey(t)
	fill(t, s, seal.New(right, s, nil), 3)
	was := s.doc
	wrong := newKey(t)
	box := seal.New(wrong, s, nil)
	_, sealErr := box.Seal(t.Context(), "tokens/x", nil)
	_, openErr := box.Open(t.Context(), "tokens/shop-0", s.sealed["tokens/shop-0"])
	_, keepErr := box.Maintain(t.Context(), s.reseal)
	_, turnErr := box.Rotate(t.Context(), nil)
	for _, err := range []error{box.Ready(t.Context()), sealErr, openErr, keepErr, turnErr} {
		var e *seal.WrongKey
		if !errors.As(err, &e) || e.Used != right.KeyID() || e.Configured[0] != wrong.KeyID() || !isCode(err, usher.ErrUnreadable) {
			t.Errorf("a wrong key is told as %v", err)
		}
		// Numbers of keys are no secrets, also to the masker of messages.
		if text := oauth.Redact(err.Error()); !strings.Contains(text, right.KeyID()) || !strings.Contains(text, wrong.KeyID()) {
			t.Errorf("people are told %s", text)
		}
	}
	readable(t, s, right, nil)
	if ringOf(s) != ringOf(&shelf{doc: was}) {
		t.Error("a process with a wrong key made a data key of its own, which the others cannot open")
	}
}

func TestDamagedRingIsNotReplaced(t *testing.T) {
	for _, body := range []string{"", "{", "null", `{"form":1}`, `{"form":2,"primary":"x"}`, `{"form":1,"primary":"0011223344556677","keys":[{"id":"0011"}]}`, strings.Repeat(" ", 2<<20)} {
		s := newShelf()
		s.doc = seal.Document{Version: 3, Body: []byte(body)}
		if err := seal.New(newKey(t), s, nil).Ready(t.Context()); !isCode(err, usher.ErrUnreadable) {
			t.Errorf("%.20q: %v", body, err)
		}
		if s.doc.Version != 3 {
			t.Errorf("%.20q was replaced", body)
		}
	}
}

// Two replicas that begin at once share one data key.
func TestFirstDataKeyIsMadeOnce(t *testing.T) {
	s, kms := newShelf(), newKey(t)
	var wait sync.WaitGroup
	sealed := make([][]byte, 20)
	for i := range sealed {
		wait.Go(func() { sealed[i], _ = seal.New(kms, s, nil).Seal(context.Background(), "x", nil) })
	}
	wait.Wait()
	name := ringOf(s)
	for _, b := range sealed {
		if !bytes.Contains(b, mustHex(t, name)) {
			t.Fatal("sealed with another data key than the one in the ring")
		}
	}
}

// remote is a key service that may be slow or away.
type remote struct {
	*seal.LocalKey
	mu    sync.Mutex
	asked int
	slow  time.Duration
	err   error
}

func (r *remote) wait(ctx context.Context) error {
	r.mu.Lock()
	r.asked++
	slow, err := r.slow, r.err
	r.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(slow):
		return err
	}
}

func (r *remote) Wrap(ctx context.Context, purpose string, key []byte) (string, []byte, error) {
	if err := r.wait(ctx); err != nil {
		return "", nil, err
	}
	return r.LocalKey.Wrap(ctx, purpose, key)
}

func (r *remote) Unwrap(ctx context.Context, keyID, purpose string, wrapped []byte) ([]byte, error) {
	if err := r.wait(ctx); err != nil {
		return nil, err
	}
	return r.LocalKey.Unwrap(ctx, keyID, purpose, wrapped)
}

func TestKeyServiceSlowAndAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, service := newShelf(), &remote{LocalKey: newKey(t)}
		fill(t, s, seal.New(service, s, nil), 1)
		sealed := s.sealed["tokens/shop-0"]

		// Slow: it is asked once for all who wait; who gives up harms nobody.
		service.slow, service.asked = 5*time.Second, 0
		box := seal.New(service, s, nil)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wait sync.WaitGroup
		wait.Go(func() {
			if _, err := box.Open(short, "tokens/shop-0", sealed); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who has a second is told %v", err)
			}
		})
		for range 50 {
			wait.Go(func() {
				if _, err := box.Open(t.Context(), "tokens/shop-0", sealed); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if service.asked != 1 {
			t.Errorf("the key service was asked %d times", service.asked)
		}

		// Away: what was opened before goes on; a new process says what is wrong,
		// and works when the service is back.
		service.err, service.slow = errors.New("503 from the key service"), 0
		if _, err := box.Open(t.Context(), "tokens/shop-0", sealed); err != nil {
			t.Error(err)
		}
		if _, err := box.Seal(t.Context(), "x", nil); err != nil {
			t.Error(err)
		}
		late := seal.New(service, s, nil)
		if err := late.Ready(t.Context()); !isCode(err, usher.ErrUnreachable) {
			t.Errorf("a key service that is away is told as %v", err)
		}
		if _, err := late.Rotate(t.Context(), s.reseal); !isCode(err, usher.ErrUnreachable) {
			t.Errorf("rotating: %v", err)
		}
		service.err, service.slow = nil, time.Hour // hangs
		if err := late.Ready(t.Context()); !isCode(err, usher.ErrUnreachable) {
			t.Errorf("a key service that hangs is told as %v", err)
		}
		service.slow = 0
		readable(t, s, service, nil)

		// The database is away for an hour: sealing goes on.
		s.away = true
		time.Sleep(time.Hour)
		if _, err := box.Seal(t.Context(), "x", nil); err != nil {
			t.Error(err)
		}
		time.Sleep(12 * time.Hour)
		if _, err := box.Seal(t.Context(), "x", nil); !errors.Is(err, errAway) {
			t.Errorf("after half a day without the database: %v", err)
		}
	})
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys", "usher.key")
	if _, err := seal.FileKey(path); !isCode(err, usher.ErrUnreadable) {
		t.Fatalf("a file that is not there: %v", err)
	}
	made, err := seal.CreateFileKey(path)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
	again, err := seal.CreateFileKey(path)
	if err != nil || again.KeyID() != made.KeyID() {
		t.Fatalf("a second call made another key: %v", err)
	}
	text, _ := os.ReadFile(path)
	if !strings.Contains(string(text), "# number "+made.KeyID()) {
		t.Errorf("the file does not number the key %s", made.KeyID())
	}
	if fromEnv, err := seal.EnvKey("", usher.Secret(text)); err != nil || fromEnv.KeyID() != made.KeyID() {
		t.Errorf("the same key in the environment has another id: %v", err)
	}

	write := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	good := seal.NewKey().Reveal()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o777); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(open, 0o777) //nolint:gosec // that is what is tested
	link := func(name, to string) string {
		p := filepath.Join(dir, name)
		if err := os.Symlink(to, p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, c := range map[string]struct{ path, want string }{
		"read by all":   {write("a", good, 0o644), "chmod 600"},
		"by the group":  {write("b", good, 0o660), "chmod 600"},
		"empty":         {write("c", "", 0o600), "holds no key"},
		"comment":       {write("d", "# key\n\n", 0o600), "holds no key"},
		"passphrase":    {write("e", "correct horse battery staple", 0o600), "passphrase is no key"},
		"zeros":         {write("f", strings.Repeat("0", 64), 0o600), "no key"},
		"short":         {write("g", base64.StdEncoding.EncodeToString([]byte("16 bytes of key!")), 0o600), "no key"},
		"huge":          {write("h", strings.Repeat("#", 100<<10), 0o600), "larger"},
		"folder":        {dir, "regular file"},
		"dangling":      {link("i", "nowhere"), "link to a file that is not there"},
		"link in /tmp":  {link("open/j", path), "link that somebody else"},
		"link to /zero": {link("k", "/dev/zero"), "regular file"},
	} {
		_, err := seal.FileKey(c.path)
		var e *usher.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message+" "+e.Hint, c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), good) || strings.Contains(err.Error(), "battery")) {
			t.Errorf("%s: the error holds the key", name)
		}
	}
	if _, err := seal.FileKey(link("l", path)); err != nil {
		t.Errorf("our own link in our own folder: %v", err)
	}
}

func TestForeignKeyForms(t *testing.T) {
	raw := bytes.Repeat([]byte("0123456789abcdef"), 2)
	want := ""
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), fmt.Sprintf("%x", raw),
		"usherkey1_" + base64.RawURLEncoding.EncodeToString(raw), "  " + base64.StdEncoding.EncodeToString(raw) + "\r\n# old one\n",
	} {
		key, err := seal.EnvKey("", usher.Secret(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if want == "" {
			want = key.KeyID()
		}
		if key.KeyID() != want {
			t.Errorf("%q is another key", text)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := newShelf()
	key, _ := seal.EnvKey("", seal.NewKey())
	box := seal.New(key, s, nil)
	good, err := box.Seal(context.Background(), "x", []byte("planted-token"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	f.Add(good[:57])
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := box.Open(context.Background(), "x", sealed)
		if err == nil && !bytes.Equal(sealed, good) {
			t.Fatalf("%x opens as %q", sealed, plain)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add("usherkey1_AAAA")
	f.Add(seal.NewKey().Reveal() + "," + seal.NewKey().Reveal())
	f.Fuzz(func(t *testing.T, text string) {
		key, err := seal.EnvKey("the variable X", usher.Secret(text))
		if err != nil {
			if len(text) > 12 && strings.Contains(err.Error(), text) {
				t.Fatal("the error holds the key")
			}
			return
		}
		id, wrapped, err := key.Wrap(t.Context(), "p", []byte("k"))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := key.Unwrap(t.Context(), id, "p", wrapped); err != nil || string(back) != "k" {
			t.Fatal(err)
		}
	})
}
