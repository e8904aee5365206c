package evidence

import (
	"encoding/base64"
	"slices"
	"strings"

	"usher"
)

const maxSecrets = 5000

// secret notes a credential, so that no output can hold it.
func (r *reader) secret(s string) {
	s = strings.TrimSpace(s)
	if len(s) < 4 || isPlaceholder(s) || len(r.set.Secrets) >= maxSecrets || len(s) > 1<<20 {
		return
	}
	if r.known == nil {
		r.known = make(map[string]bool)
	}
	if !r.known[s] {
		r.known[s] = true
		r.set.Secrets = append(r.set.Secrets, usher.Secret(s))
		at, _ := slices.BinarySearchFunc(r.longest, len(s), func(known usher.Secret, n int) int { return n - len(known) })
		r.longest = slices.Insert(r.longest, at, usher.Secret(s))
	}
}

// isPlaceholder tells whether a value only stands for a secret: masking it
// would hide what is wrong and protect nothing.
func isPlaceholder(s string) bool {
	if s == "" {
		return true
	}
	switch s[0] {
	case '<', '$', '{', '[', '*', '%':
		return true
	}
	if strings.HasPrefix(s, "#<") || strings.HasPrefix(s, "0x") && len(s) <= 18 { // an object and its address
		return true
	}
	if strings.HasSuffix(s, "...") || strings.HasSuffix(s, "\u2026") {
		return len(s) < 12
	}
	lower := lowerASCII(s)
	switch lower {
	case "undefined", "null", "none", "true", "false", "secret", "password", "token", "string", "redacted", "client_secret", "clientsecret",
		"client-secret", "access_token", "refresh_token", "code", "test", "changeme", "bearer", "basic", "valid", "invalid", "empty", "missing":
		return true
	}
	for _, mark := range [...]string{"your", "goes_here", "goes here", "redacted", "removed", "example", "placeholder", "xxxx", "****", "my_client", "client_secret", "_here"} {
		if strings.Contains(lower, mark) {
			return true
		}
	}
	return false
}

// looksRandom tells whether a word is more likely a credential than a word.
func looksRandom(s string) bool {
	if len(s) < 8 {
		return false
	}
	var digits, upper, lower int
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= 'a' && c <= 'z':
			lower++
		}
	}
	return digits > 0 && (upper > 0 || lower > 0) || len(s) >= 20 && upper > 1 && lower > 1
}

// secretNames are names of parameters and members that hold credentials. The
// value must be assigned to them (with "=", ":" or "=>").
var secretNames = [...]string{
	"secret", "access_token", "refresh_token", "id_token", "accesstoken", "refreshtoken", "idtoken", "id_token_hint",
	"subject_token", "actor_token", "device_code", "password", "passwd", "assertion", "code_verifier", "codeverifier", "samlresponse", "api_key", "apikey", "secret_key",
}

// secretsIn notes every credential of a text.
func (r *reader) secretsIn(text string, folded *folded) {
	lower := folded.s
	t := markIndex()
	for i, name := range secretNames {
		if folded.at[t.secrets[i]] == 0 {
			continue
		}
		for from := 0; ; {
			i := strings.Index(lower[from:], name)
			if i < 0 {
				break
			}
			from += i + len(name)
			val, sure := assigned(text, from)
			if val != "" && (sure || looksRandom(val) && !strings.HasPrefix(val, "AADSTS") && !strings.HasPrefix(val, "#<")) {
				r.secret(val)
				if strings.IndexByte(val, '%') >= 0 {
					r.secret(unescapeQuery(val))
				}
			}
			from += len(val) // what was looked at once is not looked at again
		}
	}
	for _, lead := range [...]string{"?code=", "&code=", "#code=", "&amp;code="} {
		r.secretAfter(text, folded, lead, 6)
	}
	r.secretAfter(text, folded, "bearer ", 16)
	r.secretAfter(text, folded, "dpop ", 16)
	folded.each("basic ", func(at int) int {
		from := at + len("basic ")
		word := text[from : from+wordEnd(text[from:])]
		if plain, err := base64.StdEncoding.DecodeString(word); err == nil && len(word) >= 8 && strings.IndexByte(string(plain), ':') > 0 {
			r.secret(word)
			_, pass, _ := strings.Cut(string(plain), ":")
			r.secret(pass)
			r.secret(unescapeQuery(pass))
		}
		return from
	})
	folded.each("cookie:", func(at int) int {
		line := text[at+len("cookie:"):]
		line = line[:min(len(line), maxWord)]
		if n := strings.IndexByte(line, '\n'); n >= 0 {
			line = line[:n]
		}
		r.cookies(line)
		return at + len("cookie:") + len(line)
	})
	r.jwtSecrets(text)
}

// cookies notes the values of a Cookie or Set-Cookie header.
func (r *reader) cookies(line string) {
	for n := 0; line != "" && n < 200; n++ {
		var pair string
		pair, line, _ = strings.Cut(line, ";")
		name, val, ok := strings.Cut(strings.TrimSpace(pair), "=")
		switch lowerASCII(name) {
		case "path", "domain", "expires", "max-age", "samesite", "priority", "version":
			continue
		}
		if ok && len(val) >= 8 {
			r.secret(val)
		}
	}
}

func (r *reader) secretAfter(text string, folded *folded, lead string, least int) {
	folded.each(lead, func(at int) int {
		from := at + len(lead)
		word := text[from : from+wordEnd(text[from:])]
		if len(word) >= least && looksRandom(word) {
			r.secret(word)
			if strings.IndexByte(word, '%') >= 0 {
				r.secret(unescapeQuery(word))
			}
		}
		return from + len(word)
	})
}

// jwtSecrets notes every JWT of a text.
func (r *reader) jwtSecrets(text string) {
	for from := 0; ; {
		i := strings.Index(text[from:], "eyJ")
		if i < 0 {
			return
		}
		from += i
		end := from
		for end < len(text) && (isTokenByte(text[end]) || text[end] == '.') {
			end++
		}
		if end-from >= 20 && strings.IndexByte(text[from:end], '.') > 0 {
			r.secret(strings.TrimRight(text[from:end], "."))
		}
		from = end
	}
}

// assigned gives the value that is assigned at offset i of text, behind a
// name. sure tells that it is written as data, not as a sentence.
func assigned(text string, i int) (val string, sure bool) {
	if i < len(text) && isWordByte(text[i]) { // the name goes on: client_secret_basic
		return "", false
	}
	quotes := 0
	for i < len(text) && quotes < 3 && strings.IndexByte("\"'\\` ]", text[i]) >= 0 {
		i++
		quotes++
	}
	if i >= len(text) || (text[i] != '=' && text[i] != ':') {
		return "", false
	}
	sure = text[i] == '=' || quotes > 0
	i++
	if i < len(text) && text[i] == '>' {
		i++
	}
	spaces := 0
	for i < len(text) && strings.IndexByte(" \t", text[i]) >= 0 && spaces < 8 {
		i++
		spaces++
	}
	quoted := byte(0)
	for i < len(text) && strings.IndexByte("\"'\\`", text[i]) >= 0 {
		quoted = text[i]
		i++
	}
	if quoted != 0 {
		end := i
		for end < len(text) && end-i < maxWord && text[end] != quoted && text[end] != '\n' && text[end] != '\\' {
			end++
		}
		return text[i:end], true
	}
	return text[i : i+wordEnd(text[i:])], sure && spaces == 0
}

// maxWord is the length up to which a value in free text is followed.
const maxWord = 16 << 10

// wordEnd gives the length of the value at the start of s.
func wordEnd(s string) int {
	s = s[:min(len(s), maxWord)]
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(" \t\n\"'`&,;<>)}]|\\", s[i]) >= 0 {
			return i
		}
	}
	return len(s)
}

func isTokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// mask puts fingerprints in the place of the credentials known so far, the
// longest first: of one that holds another nothing may stay.
func (r *reader) mask(s string) string {
	for _, sec := range r.longest {
		if v := sec.Reveal(); len(v) <= len(s) && strings.Contains(s, v) {
			s = strings.ReplaceAll(s, v, sec.Fingerprint())
		}
	}
	return s
}
