package usher

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
)

// Secret is a string that cannot be printed: formatting, JSON, YAML and
// structured logs all give its Fingerprint. Reveal is the only way to its value.
type Secret string

var fingerprintKey = sync.OnceValue(func() []byte {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		panic("usher: no randomness: " + err.Error()) // crypto/rand documents that it never fails
	}
	return key
})

// Fingerprint stands for the secret in every output, as "[secret 7f3a]". It is
// keyed with a random key of this process, so equal secrets look equal within
// one output and nothing can be tried against it outside.
func (s Secret) Fingerprint() string {
	if s == "" {
		return "[no secret]"
	}
	mac := hmac.New(sha256.New, fingerprintKey())
	mac.Write([]byte(s))
	return "[secret " + hex.EncodeToString(mac.Sum(nil)[:2]) + "]"
}

// Reveal gives the value itself, for the one place that must send or compare it.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer with the fingerprint.
func (s Secret) String() string { return s.Fingerprint() }

// GoString implements fmt.GoStringer with the fingerprint.
func (s Secret) GoString() string { return s.Fingerprint() }

// Format implements fmt.Formatter, so that no verb (%x, %q, %s) prints the value.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.Fingerprint())) }

// MarshalText implements encoding.TextMarshaler (JSON, YAML) with the fingerprint.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.Fingerprint()), nil }

// LogValue implements slog.LogValuer with the fingerprint.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.Fingerprint()) }
