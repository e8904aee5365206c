package seal

import (
	"bufio"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"usher"
)

// keyPrefix marks our keys, so that scanners for secrets know them.
const keyPrefix = "usherkey1_"

// LocalKey is a KMS whose keys are at hand: from a file or from the environment.
// The first is used, the others open what was sealed with them. Its key ids are
// made from the keys, so that a key that moves from a file into the environment
// stays the same.
type LocalKey struct {
	where string
	ids   []id
	keys  [][]byte
}

var _ KMS = (*LocalKey)(nil)

// EnvKey reads keys from a text, as an environment variable holds them: one, or
// several with commas or spaces between, the one to be used first. A key is what
// NewKey writes, or 32 bytes in base64 or hexadecimal. where names the text in
// errors ("the variable USHER_KEY").
func EnvKey(where string, text usher.Secret) (*LocalKey, error) {
	if where == "" {
		where = "the key in the environment"
	}
	return readKeys(where, text.Reveal())
}

// NewKey makes a key, in the form that files and variables hold.
func NewKey() usher.Secret {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // it never fails, as it documents
	return usher.Secret(keyPrefix + base64.RawURLEncoding.EncodeToString(key))
}

// mostKeys bounds how many keys are read.
const mostKeys = 16

func readKeys(where, text string) (*LocalKey, error) {
	l := &LocalKey{where: where}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<16)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' }) {
			key, ok := parseKey(word)
			if !ok {
				return nil, &usher.Error{
					Code: usher.ErrUnreadable, Message: fmt.Sprintf("%s holds something in line %d that is no key of 32 bytes", where, n),
					Hint: "make one with: openssl rand -base64 32. A passphrase is no key",
				}
			}
			if name := nameOf(key); l.find(name) == nil {
				l.ids, l.keys = append(l.ids, name), append(l.keys, key)
			}
		}
		if len(l.keys) > mostKeys {
			return nil, &usher.Error{Code: usher.ErrTooLarge, Message: where + " holds more than 16 keys", Hint: "leave the key in use, and those that it replaced until nothing is sealed with them"}
		}
	}
	if lines.Err() != nil || len(l.keys) == 0 {
		return nil, &usher.Error{Code: usher.ErrUnreadable, Message: where + " holds no key", Hint: "make one with: openssl rand -base64 32"}
	}
	return l, nil
}

func parseKey(word string) ([]byte, bool) {
	if rest, ours := strings.CutPrefix(word, keyPrefix); ours {
		key, err := base64.RawURLEncoding.Strict().DecodeString(rest)
		return key, err == nil && len(key) == keyBytes && !plain(key)
	}
	if key, err := hex.DecodeString(word); err == nil && len(key) == keyBytes {
		return key, !plain(key)
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if key, err := e.Strict().DecodeString(word); err == nil && len(key) == keyBytes {
			return key, !plain(key)
		}
	}
	return nil, false
}

// plain tells a key that nobody drew at random: few different bytes.
func plain(key []byte) bool {
	seen := map[byte]bool{}
	for _, b := range key {
		seen[b] = true
	}
	return len(seen) < 8
}

// nameOf makes the id of a key from it, by a one-way function of its own.
func nameOf(key []byte) id {
	out, err := hkdf.Key(sha256.New, key, nil, "usher key id 1", idBytes)
	if err != nil {
		panic("seal: " + err.Error()) // only for a length that is too great
	}
	return id(out)
}

func (l *LocalKey) find(name id) []byte {
	for i := range l.ids {
		if l.ids[i] == name {
			return l.keys[i]
		}
	}
	return nil
}

// KeyID implements KMS.
func (l *LocalKey) KeyID() string { return l.ids[0].String() }

// KeyIDs gives the ids of all keys, the one in use first.
func (l *LocalKey) KeyIDs() []string {
	var out []string
	for _, i := range l.ids {
		out = append(out, i.String())
	}
	return out
}

// Where says where the keys come from.
func (l *LocalKey) Where() string { return l.where }

// Wrap implements KMS.
func (l *LocalKey) Wrap(_ context.Context, purpose string, key []byte) (string, []byte, error) {
	wrapped, err := enclose(l.keys[0], l.ids[0], purpose, key)
	return l.KeyID(), wrapped, err
}

// Unwrap implements KMS.
func (l *LocalKey) Unwrap(_ context.Context, keyID, purpose string, wrapped []byte) ([]byte, error) {
	name, ok := parseID(keyID)
	key := l.find(name)
	if !ok || key == nil {
		return nil, &WrongKey{Used: keyID, Configured: l.KeyIDs(), Where: l.where}
	}
	return disclose(key, purpose, wrapped)
}

// WrongKey tells that data keys are sealed with a key that is not configured.
// Nothing is lost: with that key all can be read again.
type WrongKey struct {
	Used       string   // id of the key that is needed
	Configured []string // ids of the keys that are there, the one in use first
	Where      string   // where those come from
}

func (w *WrongKey) Error() string {
	return fmt.Sprintf("the data keys are sealed with the key number %s, and %s holds number %s", w.Used, w.Where, strings.Join(w.Configured, ", "))
}

// Unwrap gives the error that people are told.
func (w *WrongKey) Unwrap() error {
	return &usher.Error{
		Code: usher.ErrUnreadable, Message: w.Error(),
		Hint: "nothing is lost: put the key number " + w.Used + " back, behind the new one, and it is replaced as soon as usher runs",
	}
}
