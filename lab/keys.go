package lab

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"usher/token"
)

// key is one key that signs tokens.
type key struct {
	id        string
	private   *rsa.PrivateKey
	published bool
}

// keyRing is the keys of the provider: the last one signs. Making a key takes a
// moment, so the first is made beside the start of the lab.
type keyRing struct {
	keys  []*key
	ready chan *key
	set   *token.KeySet // of the published ones, as the API last read it
}

func (k *keyRing) start() {
	k.ready = make(chan *key, 1)
	go func() { k.ready <- newKey() }()
}

func newKey() *key {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("lab: no randomness: " + err.Error()) // crypto/rand documents that it never fails
	}
	jwk := jose.JSONWebKey{Key: private.Public()}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		panic("lab: " + err.Error()) // an RSA key always has one
	}
	return &key{id: base64.RawURLEncoding.EncodeToString(sum), private: private, published: true}
}

// current gives the key that signs.
func (k *keyRing) current() *key {
	if len(k.keys) == 0 {
		k.keys = append(k.keys, <-k.ready)
	}
	return k.keys[len(k.keys)-1]
}

// rotate makes a new key the one that signs. An unpublished one is known to
// nobody who verifies.
func (k *keyRing) rotate(published bool) {
	k.current()
	next := newKey()
	next.published = published
	k.keys = append(k.keys, next)
	k.set = nil
}

// publish lets everybody see every key.
func (k *keyRing) publish() {
	for _, each := range k.keys {
		each.published = true
	}
	k.set = nil
}

// document is the JSON Web Key Set of the published keys.
func (k *keyRing) document() []byte { return k.marshal(false) }

// everyKey gives all keys, as the provider itself knows them.
func (k *keyRing) everyKey() (*token.KeySet, error) { return token.ParseKeySet(k.marshal(true)) }

func (k *keyRing) marshal(all bool) []byte {
	k.current()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, each := range k.keys {
		if each.published || all {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: each.private.Public(), KeyID: each.id, Algorithm: "RS256", Use: "sig"})
		}
	}
	data, err := json.Marshal(set)
	if err != nil {
		panic("lab: " + err.Error()) // RSA keys always marshal
	}
	return data
}

// verifier gives the published keys as the API reads them.
func (k *keyRing) verifier() (*token.KeySet, error) {
	if k.set == nil {
		set, err := token.ParseKeySet(k.document())
		if err != nil {
			return nil, fmt.Errorf("the lab's own key set: %w", err)
		}
		k.set = set
	}
	return k.set, nil
}

// sign makes a token of claims with the current key.
func (k *keyRing) sign(claims map[string]any, typ string) (string, error) {
	key := k.current()
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(claims))
	t.Header["kid"], t.Header["typ"] = key.id, typ
	return t.SignedString(key.private)
}

func seconds(t time.Time) int64 { return t.Unix() }
