package report

import (
	"strings"

	"usher"
)

// redact replaces what looks like a secret by its fingerprint.
var redact = redactHere

// secretNames are the parameters and members whose values are secrets. The
// code of RFC 6749 section 4.1.2 is one too, but the bare word is too common
// outside a query to be listed with the others.
var secretNames = []string{
	"client_secret", "client_assertion", "access_token", "refresh_token", "id_token", "device_code",
	"code_verifier", "password", "assertion", "id_token_hint", "samlresponse", "subject_token", "actor_token",
}

func redactHere(s string) string {
	if len(s) < 8 {
		return s
	}
	s = redactTokens(s)
	lower := lowerASCII(s)
	for _, name := range secretNames {
		if strings.Contains(lower, name) {
			s = redactAfter(s, name)
		}
	}
	for _, lead := range []string{"?code=", "&code=", "#code=", "bearer ", "basic "} {
		if strings.Contains(lowerASCII(s), lead) {
			s = redactAfter(s, lead)
		}
	}
	return s
}

// redactTokens replaces every JWT: base64url of `{"` and at least one dot.
func redactTokens(s string) string {
	for from := 0; ; {
		i := strings.Index(s[from:], "eyJ")
		if i < 0 {
			return s
		}
		i += from
		end := i
		for end < len(s) && (tokenByte(s[end]) || s[end] == '.') {
			end++
		}
		if end-i < 20 || !strings.Contains(s[i:end], ".") {
			from = end
			continue
		}
		mark := usher.Secret(s[i:end]).Fingerprint()
		s = s[:i] + mark + s[end:]
		from = i + len(mark)
	}
}

// redactAfter replaces the value that follows a name, as name=value or
// "name": "value".
func redactAfter(s, name string) string {
	for from := 0; ; {
		i := strings.Index(lowerASCII(s[from:]), name)
		if i < 0 {
			return s
		}
		start := from + i + len(name)
		if last := name[len(name)-1]; last != '=' && last != ' ' {
			rest := strings.TrimLeft(s[start:], `"'\ `)
			if rest == "" || (rest[0] != '=' && rest[0] != ':') {
				from = start
				continue
			}
			start = len(s) - len(strings.TrimLeft(rest[1:], `"'\ `))
		}
		end := start
		for end < len(s) && (tokenByte(s[end]) || strings.IndexByte(".~+/%=*!$", s[end]) >= 0) {
			end++
		}
		if end-start < 8 {
			from = start
			continue
		}
		mark := usher.Secret(s[start:end]).Fingerprint()
		s = s[:start] + mark + s[end:]
		from = start + len(mark)
	}
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// lowerASCII keeps every offset, which strings.ToLower does not.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
