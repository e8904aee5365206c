package oauth

import "strings"

type nameClass uint8

const (
	nameNone   nameClass = iota
	nameStrict           // what stands behind it is a credential
	nameToken            // it is one in a form, and else if it is no word
	nameLoose            // it is one if it looks like one: token, code, key
	nameHeader           // Authorization: a scheme, and credentials to the end of the line
	nameCookie           // Cookie and Set-Cookie: pairs to the end of the line
	nameKey              // the private parts of a JWK: k, d, p, q, dp, dq, qi
)

// harmlessEnds are the ends of names that speak about a credential.
var harmlessEnds = [...]string{
	"type", "_use", "endpoint", "url", "uri", "method", "_id", "-id", "id", "identifier", "_at", "_in", "expires", "expiry", "expiration", "expireson", "lifetime", "hint", "version",
	"challenge", "policy", "enabled", "required", "supported", "_alg", "_header", "credentials", "length", "count", "status", "provider", "mode", "format", "domain", "path", "samesite",
	"secure", "httponly", "issuer", "audience", "scope", "scopes", "handler", "service", "exception", "error", "request", "validation", "parameters", "store", "cache", "source", "manager",
	"protection", "_basic", "_post", "_jwt", "name", "age", "location", "reuse", "ref", "stdin", "file", "prompt", "prefix", "size", "limit", "usage", "-alg", "setting", "shape", "kind", "claim", "field",
}

// mostName bounds the part of a name that is looked at, from its end.
const mostName = 48

// nameKind sorts a word as the name of a credential.
func nameKind(word string) nameClass {
	for len(word) > 0 && word[0] == '-' {
		word = word[1:]
	}
	if len(word) > mostName {
		word = word[len(word)-mostName:]
	}
	var buf [mostName]byte
	name := lower(&buf, word)
	switch string(name) {
	case "k", "d", "p", "q", "dp", "dq", "qi":
		return nameKey
	case "authorization", "proxy-authorization", "dpop":
		return nameHeader
	case "cookie", "set-cookie":
		return nameCookie
	case "code", "token", "key", "jwt", "request", "verifier", "user_code", "usercode", "ticket", "credential", "sig", "signature", "tokens", "cookies", "secrets", "passwords":
		return nameLoose
	case "pass", "passphrase", "samlresponse", "samlrequest", "device_code", "devicecode", "code_verifier", "codeverifier", "authcode", "auth_code", "authorization_code", "oauth2-bearer",
		"api-key", "x-api-key", "ssws", "id_token_hint", "sessionid", "session_id", "jsessionid", "phpsessid", "client_key", "securestring":
		return nameStrict
	}
	kind := stemKind(name)
	if kind == nameNone {
		return nameNone
	}
	for _, end := range harmlessEnds {
		if len(name) >= len(end) && string(name[len(name)-len(end):]) == end {
			return nameNone
		}
	}
	if n := len(name); stemAt(name, max(0, n-6), "tokens") {
		return nameLoose // max_tokens
	}
	return kind
}

// lower gives a word in small letters without allocating; of a longer one the
// beginning.
func lower(buf *[mostName]byte, word string) []byte {
	n := min(len(word), mostName)
	for i := range n {
		c := word[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return buf[:n]
}

// stemKind looks for the part of a name in small letters that makes it the name
// of a credential.
func stemKind(name []byte) nameClass {
	kind := nameNone
	for i, c := range name {
		switch c {
		case 's':
			if stemAt(name, i, "secret") || stemAt(name, i, "securestring") {
				return nameStrict
			}
		case 'p':
			if stemAt(name, i, "passw") || stemAt(name, i, "pwd") || stemAt(name, i, "privatekey") || stemAt(name, i, "private_key") || stemAt(name, i, "private-key") ||
				stemAt(name, i, "pass") && i > 0 && (name[i-1] == '_' || name[i-1] == '-') && (i+4 == len(name) || name[i+4] == '_') {
				return nameStrict
			}
		case 't':
			if stemAt(name, i, "token") {
				kind = nameToken
			}
		case 'a':
			if stemAt(name, i, "assertion") || stemAt(name, i, "apikey") || stemAt(name, i, "api_key") || stemAt(name, i, "api-key") || stemAt(name, i, "accesskey") || stemAt(name, i, "access_key") ||
				stemAt(name, i, "accountkey") || stemAt(name, i, "account_key") {
				return nameStrict
			}
		case 'c':
			if stemAt(name, i, "cookie") {
				kind = nameToken
			}
		}
	}
	return kind
}

func stemAt(name []byte, i int, stem string) bool {
	return len(name)-i >= len(stem) && string(name[i:i+len(stem)]) == stem
}

// isScheme tells the schemes of Authorization.
func isScheme(word string) bool {
	if len(word) < 3 || len(word) > 16 {
		return false
	}
	var buf [mostName]byte
	switch string(lower(&buf, word)) {
	case "bearer", "basic", "dpop", "ssws", "token", "negotiate", "digest", "pop", "mac", "oauth", "ntlm", "hawk", "apikey", "key", "signature", "aws4-hmac-sha256":
		return true
	}
	return false
}

// keepValue tells whether a value is no credential whatever its name: empty,
// a mask, a literal, a placeholder, an object.
func keepValue(text string) bool {
	text = strings.TrimSpace(text)
	if text == "" || isMasked(text) {
		return true
	}
	if len(text) <= 10 {
		var buf [mostName]byte
		switch string(lower(&buf, text)) {
		case "true", "false", "null", "nil", "none", "undefined", "yes", "no", "n/a", "xxx", "...", "redacted", "filtered", "masked", "hidden", "empty", "missing", "s256", "plain", "object":
			return true
		}
	}
	switch text[0] {
	case '{':
		return true
	case '[':
		return strings.IndexByte(text, ']') == len(text)-1 && isWords(text[1:len(text)-1])
	case '<':
		return isWords(strings.TrimSuffix(text[1:], ">"))
	case '$':
		return len(text) < 3 || isWords(strings.Trim(text[1:], "{}():")) || text[1] == '(' && text[len(text)-1] == ')'
	case '%', '(':
		return len(text) < 3 || text[0] == '%' && text[len(text)-1] == '%' && isWords(strings.Trim(text, "%"))
	case '*':
		return strings.Trim(text, "*") == ""
	}
	return isPlaceholder(text) || strings.HasPrefix(text, "process.env.") || strings.HasPrefix(text, "os.environ")
}

// isPlaceholder tells CLIENT_SECRET_GOES_HERE from a value.
func isPlaceholder(text string) bool {
	return strings.Contains(text, "_") && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// isWords tells names and words from values: there is no digit in them.
func isWords(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; !isLetter(c) && strings.IndexByte("_-. :|", c) < 0 {
			return false
		}
	}
	return true
}

// isStatus tells a word about a credential from a credential.
func isStatus(text string) bool {
	text = strings.Trim(text, ".!?'\"")
	if len(text) > 12 {
		return false
	}
	var buf [mostName]byte
	switch string(lower(&buf, text)) {
	case "incorrect", "invalid", "expired", "required", "missing", "wrong", "unknown", "denied", "rejected", "disabled", "enabled", "mandatory", "empty", "blank", "absent", "present",
		"revoked", "malformed", "changed", "valid", "unsupported", "failed", "error", "ok", "unset", "removed", "string", "mismatch", "not", "too", "unexpected":
		return true
	}
	return false
}

// isProse tells the words that follow a flag in a text about it, and FILE.
func isProse(word string) bool {
	word = strings.Trim(word, ".,:;`)")
	if len(word) > 0 && len(word) <= 12 && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return true
	}
	switch word {
	case "and", "or", "is", "are", "to", "with", "for", "in", "on", "the", "from", "flag", "option", "must", "was", "as", "if", "when", "takes", "needs", "needed", "":
		return true
	}
	return false
}

// isMessage tells a sentence about a credential ("must not be blank") from a
// pass phrase: it has a word that sentences have, and nothing like a secret.
func isMessage(text string) bool {
	if strings.IndexByte(text, ' ') < 0 {
		return false
	}
	speaks := len(text) > 40
	var buf [mostName]byte
	for word := range strings.FieldsSeq(text) {
		word = strings.Trim(word, ".,:;!?'\"()")
		if likeSecret(word) {
			return false
		}
		switch string(lower(&buf, word)) {
		case "must", "not", "be", "is", "are", "was", "were", "the", "should", "cannot", "can't", "has", "have", "for", "of", "at", "least", "please", "your", "does", "been", "too", "with":
			speaks = true
		default:
			speaks = speaks || isStatus(word)
		}
	}
	return speaks
}

// isSentence tells whether a bare word at start:end goes on as a sentence.
func isSentence(in string, start, end int) bool {
	return strings.Trim(in[start:end], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'.,") == "" && end+1 < len(in) && in[end] == ' ' && isLetter(in[end+1])
}

// likeSecret tells a word that mixes letters and digits, as a secret does, from
// words, codes and GUIDs.
func likeSecret(word string) bool {
	if len(word) < 6 || IsGUID(word) || isErrorCode(word) {
		return false
	}
	letter, digit := false, false
	for i := 0; i < len(word); i++ {
		letter = letter || isLetter(word[i])
		digit = digit || isDigit(word[i])
	}
	return letter && digit
}

// isErrorCode tells 53003, invalid_grant, AADSTS53003 and ETIMEDOUT from an
// authorization code.
func isErrorCode(text string) bool {
	if len(text) <= 7 && strings.Trim(text, "0123456789") == "" || len(text) <= 10 && strings.Trim(text, "-0123456789") == "" {
		return true
	}
	if len(text) < 64 && isWords(text) {
		return true
	}
	if i := strings.IndexByte(text, '/'); i > 0 && i < 16 && isWords(text[:i]) {
		text = text[i+1:] // entra/aadsts53003
	}
	if len(text) >= 16 {
		return false
	}
	var buf [mostName]byte
	name := lower(&buf, text)
	return stemAt(name, 0, "aadsts") || stemAt(name, 0, "e0000") && len(text) <= 8 || stemAt(name, 0, "idx") && len(text) < 10 || stemAt(name, 0, "rfc") && len(text) < 8
}
