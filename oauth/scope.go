package oauth

// Scopes is an ordered set of scope values, RFC 6749 section 3.3.
type Scopes []string

// ParseScope splits a scope parameter at blanks, in order, without repetition.
func ParseScope(s string) Scopes { return nil }

// String joins the set with blanks.
func (s Scopes) String() string { return "" }

// Contains tells whether every given value is in the set; case counts.
func (s Scopes) Contains(values ...string) bool { return false }

// Minus gives what is in s and not in other, in the order of s.
func (s Scopes) Minus(other Scopes) Scopes { return nil }

// InvalidScope tells what is wrong with a scope parameter: a separator or
// character that RFC 6749 section 3.3 does not allow; empty when fine.
func InvalidScope(s string) string { return "" }
