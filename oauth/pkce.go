package oauth

// The code challenge methods of RFC 7636 section 4.2.
const (
	PKCES256  = "S256"
	PKCEPlain = "plain"
)

// CodeChallenge computes the challenge of a verifier, RFC 7636 section 4.2. An
// empty method is plain, as in section 4.3. ok is false for an unknown method.
func CodeChallenge(method, verifier string) (challenge string, ok bool) { return "", false }

// CheckVerifier tells what is wrong with a code verifier (RFC 7636 section
// 4.1: 43 to 128 unreserved characters), without repeating it; empty when fine.
func CheckVerifier(verifier string) string { return "" }

// CheckChallenge tells what is wrong with a code_challenge for its method.
func CheckChallenge(method, challenge string) string { return "" }
