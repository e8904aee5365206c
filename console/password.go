package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"usher"
)

// Cost of a password, RFC 9106: 19 MiB and two passes, the least that OWASP's
// password storage advice calls enough. One at a time is computed, so that a
// crowd at the door costs 19 MiB and not the machine.
const (
	argonMemory = 19 << 10 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonKey    = 32
	argonSalt   = 16
)

// hasher computes passwords, one at a time.
type hasher struct {
	slot    chan struct{}
	derived atomic.Int64 // how often, for the test that a wrong name costs as much as a wrong password
}

func newHasher() *hasher { return &hasher{slot: make(chan struct{}, 1)} }

func (h *hasher) derive(ctx context.Context, password usher.Secret, salt []byte, memory, passes uint32, lanes uint8) ([]byte, error) {
	select {
	case h.slot <- struct{}{}:
		defer func() { <-h.slot }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h.derived.Add(1)
	return argon2.IDKey([]byte(password.Reveal()), salt, passes, memory, lanes, argonKey), nil
}

// hash makes what is kept of a password, in PHC form.
func (h *hasher) hash(ctx context.Context, password usher.Secret) (string, error) {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails
	key, err := h.derive(ctx, password, salt, argonMemory, argonPasses, argonLanes)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// nobody is a hash that no password has: who does not exist costs as much as
// who does.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// matches holds a password against what is kept of it.
func (h *hasher) matches(ctx context.Context, password usher.Secret, kept string) (bool, error) {
	var version, memory, passes, lanes uint32
	fields := strings.Split(kept, "$")
	if len(fields) != 6 || fields[1] != "argon2id" {
		return false, errors.New("the kept password is not argon2id in PHC form")
	}
	if _, err := fmt.Sscanf(fields[2]+" "+fields[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes); err != nil {
		return false, fmt.Errorf("read the cost of the kept password: %w", err)
	}
	if version != argon2.Version || memory > 64<<10 || passes == 0 || passes > 10 || lanes == 0 || lanes > 8 {
		return false, errors.New("the cost of the kept password is out of bounds")
	}
	salt, err := base64.RawStdEncoding.DecodeString(fields[4])
	if err != nil {
		return false, fmt.Errorf("read the salt of the kept password: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(fields[5])
	if err != nil {
		return false, fmt.Errorf("read the kept password: %w", err)
	}
	got, err := h.derive(ctx, password, salt, memory, passes, uint8(lanes))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// Bounds of a password. Length is what counts; no rule asks for a digit.
const (
	minPassword = 12
	maxPassword = 256
	maxName     = 64
)

// checkPassword tells what is wrong with a new password.
func checkPassword(name string, password usher.Secret) error {
	text := password.Reveal()
	switch n := utf8.RuneCountInString(text); {
	case n < minPassword:
		return refusal(CodeUnprocessed, fmt.Sprintf("the password is too short: it needs %d characters", minPassword), "a few unrelated words are easy to remember and hard to guess")
	case len(text) > maxPassword:
		return refusal(CodeUnprocessed, fmt.Sprintf("the password is too long: at most %d bytes", maxPassword), "")
	}
	different := map[rune]bool{}
	for _, r := range text {
		different[r] = true
	}
	if len(different) < 5 || strings.Contains(strings.ToLower(text), strings.ToLower(name)) && name != "" && len(text)-len(name) < minPassword/2 {
		return refusal(CodeUnprocessed, "the password is too easy to guess", "a few unrelated words are easy to remember and hard to guess")
	}
	return nil
}

// checkName tells what is wrong with the name of a new account.
func checkName(name string) error {
	if name == "" || len(name) > maxName || strings.TrimSpace(name) != name || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return refusal(CodeUnprocessed, fmt.Sprintf("the name must have 1 to %d visible characters", maxName), "it is how the timeline of a case names you")
	}
	return nil
}

// hashOf is what is kept of a value that is random and long: a session id, a
// one-time password, a key. It needs no salt and no cost.
func hashOf(value usher.Secret) string {
	sum := sha256.Sum256([]byte(value.Reveal()))
	return hex.EncodeToString(sum[:])
}

// randomID makes 256 random bits that fit into a cookie and a header.
func randomID() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// ticketLife is how long the one-time password is valid.
const ticketLife = 24 * time.Hour

// FirstPassword makes the one-time password with which the first person signs
// in, keeps its hash in place of any earlier one, and gives it to be printed on
// the terminal: 100 random bits, valid once, for 24 hours. It is empty when
// somebody has an account already.
func FirstPassword(ctx context.Context, accounts Accounts, now time.Time) (usher.Secret, error) {
	has, err := accounts.HasAccounts(ctx)
	if err != nil || has {
		return "", err
	}
	random := make([]byte, 13)
	_, _ = rand.Read(random) // never fails
	text := strings.ToLower(base32.StdEncoding.EncodeToString(random))[:20]
	password := usher.Secret(text[:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:])
	ticket := Ticket{Hash: hashOf(plainTicket(password)), Expires: now.UTC().Add(ticketLife)}
	if err := accounts.PutTicket(ctx, ticket); err != nil {
		return "", fmt.Errorf("keep the one-time password: %w", err)
	}
	return password, nil
}

// plainTicket takes out what people add or change when they type it.
func plainTicket(typed usher.Secret) usher.Secret {
	return usher.Secret(strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ':
			return -1
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, strings.TrimSpace(typed.Reveal())))
}
