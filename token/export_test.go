package token

// VerifyRaw verifies a bare signature with the first key of a set.
func VerifyRaw(s *KeySet, alg, input string, sig []byte) error {
	return s.Keys[0].verify(alg, input, sig)
}

// DecodeJSON reads one JSON value.
func DecodeJSON(data []byte) (any, []string, error) { return decodeJSON(data, MaxDepth) }
