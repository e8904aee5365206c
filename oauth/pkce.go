package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Code challenge methods, RFC 7636 section 4.3.
const (
	PKCEPlain = "plain" // the challenge is the verifier; also when no method is named
	PKCES256  = "S256"
)

// Bounds of a code verifier, RFC 7636 section 4.1, in characters.
const (
	minVerifier = 43
	maxVerifier = 128
)

// challengeLength is the length of an S256 challenge: 32 bytes in base64url
// without padding.
const challengeLength = 43

// PKCEChallenge computes the code challenge of a verifier, RFC 7636 section
// 4.2. An empty method means plain. It is an error when the method is unknown.
func PKCEChallenge(method, verifier string) (string, error) {
	switch method {
	case PKCES256:
		sum := sha256.Sum256([]byte(verifier))
		return base64.RawURLEncoding.EncodeToString(sum[:]), nil
	case PKCEPlain, "":
		return verifier, nil
	}
	if strings.EqualFold(method, PKCES256) || strings.EqualFold(method, PKCEPlain) {
		return "", fmt.Errorf("code_challenge_method %q: the spelling counts, write S256 or plain", clip(method))
	}
	return "", fmt.Errorf("code_challenge_method %q is unknown: use S256", clip(method))
}

// ValidVerifier tells what is wrong with a code verifier, RFC 7636 section 4.1:
// 43 to 128 characters out of A-Z a-z 0-9 - . _ ~. The error never quotes it.
func ValidVerifier(verifier string) error {
	switch n := len(verifier); {
	case n == 0:
		return errors.New("code_verifier is empty: send the value that the code challenge was made from")
	case n < minVerifier:
		return fmt.Errorf("code_verifier has %d characters, and at least %d are needed: make it from 32 random bytes in base64url", n, minVerifier)
	case n > maxVerifier:
		return fmt.Errorf("code_verifier has %d characters, and at most %d are allowed: make it from 32 to 96 random bytes in base64url", n, maxVerifier)
	}
	for i := 0; i < len(verifier); i++ {
		if !isUnreserved(verifier[i]) {
			return fmt.Errorf("code_verifier has %s at position %d, and only A-Z a-z 0-9 - . _ ~ are allowed: encode as base64url without padding", nameVerifierByte(verifier[i]), i+1)
		}
	}
	return nil
}

// isUnreserved is RFC 3986 section 2.3.
func isUnreserved(c byte) bool {
	return isLetter(c) || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// nameVerifierByte names the usual strangers; a verifier is a secret, so that
// others are not shown.
func nameVerifierByte(c byte) string {
	switch {
	case c == '+' || c == '/':
		return "a " + string(c) + " (base64 instead of base64url)"
	case c == '=':
		return "a = (base64 padding)"
	case c == '%':
		return "a % (encoded once too often)"
	case c == ' ':
		return "a blank (a + that was not encoded, perhaps)"
	case c == '\r' || c == '\n':
		return "a line break"
	case c >= 0x80:
		return "a character outside ASCII"
	}
	return "a character that is not allowed"
}

// MatchPKCE tells why a verifier does not redeem a code that was asked for
// with this challenge and method, RFC 7636 section 4.6; an empty method means
// plain. Where the cause shows in the values (challenge sent as verifier,
// padding, wrong alphabet, method left out) the error says it. It quotes
// neither challenge nor verifier.
func MatchPKCE(challenge, method, verifier string) error {
	switch {
	case challenge == "" && verifier == "":
		return nil
	case challenge == "":
		return errors.New("code_verifier was sent, but the authorization request had no code_challenge: send one, or leave the verifier out")
	case verifier == "":
		return errors.New("code_verifier is missing, though the authorization request had a code_challenge: keep the verifier until the code is redeemed")
	}
	want, err := PKCEChallenge(method, verifier)
	if err != nil {
		return err
	}
	if sameSecret(want, challenge) {
		return ValidVerifier(verifier)
	}
	return pkceMismatch(challenge, method, verifier)
}

// pkceMismatch looks for the mistakes people make.
func pkceMismatch(challenge, method, verifier string) error {
	s256, _ := PKCEChallenge(PKCES256, verifier)
	bare := strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(challenge), "=")
	switch {
	case method != PKCES256 && sameSecret(s256, bare):
		return errors.New("code_challenge is the S256 hash, but code_challenge_method was not sent as S256, so that plain holds: send code_challenge_method=S256")
	case method == PKCES256 && sameSecret(challenge, verifier):
		return errors.New("code_challenge equals code_verifier, but code_challenge_method is S256: send the SHA-256 hash of the verifier in base64url as challenge")
	case method == PKCES256 && sameSecret(s256, bare):
		return errors.New("code_challenge is the right hash in the wrong alphabet: encode it as base64url without padding")
	case method == PKCES256 && len(bare) != challengeLength:
		return fmt.Errorf("code_challenge has %d characters and an S256 challenge has %d: hash the verifier's text with SHA-256 and encode the 32 bytes (not their hexadecimal form) as base64url", len(challenge), challengeLength)
	}
	if err := ValidVerifier(verifier); err != nil {
		return err
	}
	return errors.New("code_verifier does not belong to this code_challenge: it was made for another sign-in (second tab, restart, other server), so keep one verifier for each state")
}

func sameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// clip shortens a foreign word for an error text.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
