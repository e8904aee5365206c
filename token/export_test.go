package token

// VerifyRaw verifies a bare signature with the first key of a set.
func VerifyRaw(s *KeySet, alg, input string, sig []byte) error {
	return s.Keys[0].verify(alg, input, sig)
}
