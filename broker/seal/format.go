package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// What is sealed is laid out so:
//
//	1 byte    version, 1
//	8 bytes   id of the key
//	32 bytes  salt, random
//	16 bytes  commitment to the key
//	...       AES-256-GCM, with its tag of 16 bytes
//
// The key of each message, and the commitment, come from HKDF-SHA256 (RFC 5869)
// of the key and the salt. So no count of messages wears a key out, and a wrong
// key is told from a damaged message before anything is decrypted.
const (
	version    = 1
	idBytes    = 8
	saltBytes  = 32
	proofBytes = 16
	tagBytes   = 16
	headBytes  = 1 + idBytes + saltBytes + proofBytes
	keyBytes   = 32

	// MostPlain bounds what is sealed, in bytes.
	MostPlain = 1 << 20
)

// id names a key; it says nothing of it.
type id [idBytes]byte

func (i id) String() string { return hex.EncodeToString(i[:]) }

func parseID(s string) (id, bool) {
	var i id
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != idBytes {
		return i, false
	}
	copy(i[:], b)
	return i, true
}

var (
	errShape    = errors.New("it is not sealed by usher, or cut short")
	errVersion  = errors.New("it is sealed in a form that this version does not know")
	errWrongKey = errors.New("the key is another one than it was sealed with")
	errDamaged  = errors.New("it was changed since it was sealed, or belongs to something else")
	errTooLarge = errors.New("it is larger than 1 MiB")
)

// keyOf tells which key something is sealed with.
func keyOf(sealed []byte) (id, error) {
	switch {
	case len(sealed) == 0:
		return id{}, errShape
	case sealed[0] != version:
		return id{}, errVersion
	case len(sealed) < headBytes+tagBytes || len(sealed) > headBytes+MostPlain+tagBytes:
		return id{}, errShape
	}
	return id(sealed[1 : 1+idBytes]), nil
}

// enclose seals with a key.
func enclose(key []byte, name id, purpose string, plain []byte) ([]byte, error) {
	if len(plain) > MostPlain {
		return nil, errTooLarge
	}
	out := make([]byte, headBytes, headBytes+len(plain)+tagBytes)
	out[0] = version
	copy(out[1:], name[:])
	salt := out[1+idBytes : 1+idBytes+saltBytes]
	_, _ = rand.Read(salt) // it never fails, as it documents
	aead, proof, err := derive(key, salt)
	if err != nil {
		return nil, err
	}
	copy(out[1+idBytes+saltBytes:], proof)
	return aead.Seal(out, make([]byte, aead.NonceSize()), plain, bound(out[:headBytes], purpose)), nil
}

// disclose opens what was sealed with a key.
func disclose(key []byte, purpose string, sealed []byte) ([]byte, error) {
	if _, err := keyOf(sealed); err != nil {
		return nil, err
	}
	head, body := sealed[:headBytes], sealed[headBytes:]
	aead, proof, err := derive(key, head[1+idBytes:1+idBytes+saltBytes])
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(proof, head[1+idBytes+saltBytes:]) != 1 {
		return nil, errWrongKey
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), body, bound(head, purpose))
	if err != nil {
		return nil, errDamaged
	}
	return plain, nil
}

// derive gives the cipher of one message, whose key serves it alone, so that the
// nonce may be zero, and the commitment.
func derive(key, salt []byte) (cipher.AEAD, []byte, error) {
	long, err := hkdf.Key(sha256.New, key, salt, "usher seal 1", keyBytes+proofBytes)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(long[:keyBytes])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, long[keyBytes:], err
}

// bound is what is authenticated beside the text: the head and the purpose.
func bound(head []byte, purpose string) []byte {
	out := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(head)+len(purpose)), uint32(len(head)))
	return append(append(out, head...), purpose...)
}
