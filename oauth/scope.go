package oauth

import (
	"fmt"
	"slices"
	"strings"
)

// ParseScope reads a scope parameter into its tokens, in the order they first
// stand and each once: order and repetition have no meaning (RFC 6749 section
// 3.3). Any white space separates, a comma does not, since it may be part of a
// scope. Empty gives nil.
func ParseScope(s string) []string {
	var scopes []string
	seen := map[string]bool{}
	for _, scope := range strings.Fields(s) {
		if !seen[scope] {
			seen[scope] = true
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// ContainsScope tells whether have holds every scope of want. Comparison is
// with case (RFC 6749 section 3.3).
func ContainsScope(have []string, want ...string) bool {
	return len(MinusScope(want, have)) == 0
}

// MinusScope gives the scopes of a that b lacks, in a's order.
func MinusScope(a, b []string) []string {
	held := make(map[string]bool, len(b))
	for _, scope := range b {
		held[scope] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(scope string) bool { return held[scope] })
}

// ValidScope tells what is wrong with a scope parameter, RFC 6749 section 3.3:
// tokens of visible ASCII without " and \, with one blank between two.
func ValidScope(s string) error {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == ' ' && i > 0 && i < len(s)-1 && s[i-1] != ' ' {
			continue
		}
		if c < '!' || c > '~' || c == '"' || c == '\\' {
			return fmt.Errorf("scope has %s at position %d: only visible ASCII without \" and \\ is allowed, with one blank between two scopes", nameScopeByte(c), i+1)
		}
	}
	return nil
}

func nameScopeByte(c byte) string {
	switch {
	case c == ' ':
		return "a blank too many"
	case c < ' ' || c == 0x7f:
		return "a line break, tab or control character"
	case c > '~':
		return "a character outside ASCII"
	}
	return "a " + string(c)
}
