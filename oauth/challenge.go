package oauth

// Challenge is one authentication challenge of WWW-Authenticate or
// Proxy-Authenticate, RFC 9110 section 11.6.1.
type Challenge struct {
	Scheme   string            // as sent
	Token68  string            // instead of Params
	Params   map[string]string // names in lower case, values unquoted; the first of a name wins
	Repeated []string          // names that came more than once, sorted
}

// ParseChallenges reads the value of a challenge header, which may hold several
// challenges. It tolerates unquoted values of vendors. What could be read is
// returned beside an error.
func ParseChallenges(header string) ([]Challenge, error) { return nil, nil }

// ClaimsChallenge gives the decoded claims parameter of Entra's Continuous
// Access Evaluation, JSON, from base64 or base64url with or without padding,
// or plain. It is empty when the challenge has none.
func (c Challenge) ClaimsChallenge() (string, error) { return "", nil }

// StepUp gives acr_values and max_age of RFC 9470 section 3; MaxAge is -1 when
// absent or not a number.
func (c Challenge) StepUp() (acrValues []string, maxAge int) { return nil, -1 }
