package token

import (
	"fmt"
	"strings"

	"usher"
)

// Form is how a token is written.
type Form string

// The forms of a token.
const (
	FormJWS     Form = "jws"      // signed, compact: RFC 7515 section 7.1
	FormJWE     Form = "jwe"      // encrypted, compact: RFC 7516 section 7.1
	FormJSON    Form = "jws-json" // JSON serialization: RFC 7515 section 7.2, RFC 7516 section 7.2
	FormBroken  Form = "broken"   // meant as a JWT, but not a whole one
	FormOpaque  Form = "opaque"   // no JWT at all: only its issuer can read it
	FormMissing Form = "missing"  // nothing there
)

// Parsed is a token as it can be read without any key. It holds neither the
// token nor its signature.
type Parsed struct {
	Form Form
	// Header is the JOSE header, nil when it cannot be read. Numbers are
	// json.Number. Of a member that is given twice the first is kept.
	Header map[string]any
	// Claims are the claims, nil when they cannot be read (opaque, encrypted,
	// or no JSON object). Numbers are json.Number.
	Claims map[string]any
	// Alg, Kid and Typ are the header's members of these names, where they are strings.
	Alg, Kid, Typ string
	// Vendor says whose an opaque token is, as far as its shape tells
	// ("Google access token"); empty otherwise.
	Vendor string
	// Why says, in a clause, why the claims cannot be read; empty when they can.
	Why string
	// Problems are the defects of form that were met while reading: wrong
	// number of parts, base64url, JSON, duplicate members, sizes.
	Problems []Problem
	// Size is the length of the token in bytes.
	Size int
	// Signed tells whether there is anything in the signature part.
	Signed bool
}

// Parse reads a token for display. It is lenient: "Bearer", quotes and line
// ends around it are taken off (see Clean), and what can be decoded is decoded,
// with the defects of form in Problems. An opaque or encrypted token is no
// error: Why says why its claims cannot be read. The error, a *usher.Error, is
// for an empty string and for a token over MaxToken; the Parsed is there even then.
func Parse(s string) (*Parsed, error) {
	p := dissect(Clean(s), true).parsed
	switch {
	case p.Form == FormMissing:
		return p, &usher.Error{Code: usher.ErrUnreadable, Message: "there is no token: the text is empty", Hint: "give a token, a file that holds one, or - for standard input"}
	case p.Size > MaxToken:
		return p, &usher.Error{Code: usher.ErrTooLarge, Message: fmt.Sprintf("the token has %d bytes, at most %d are read", p.Size, MaxToken), Hint: "is it really a token? HTTP servers refuse headers over 8 to 16 KiB"}
	}
	return p, nil
}

// Clean takes off what surrounds a token where people copy it from: blanks,
// line ends, quotes, "Authorization: Bearer" or "DPoP", and a name such as
// access_token= or "id_token":. Line breaks within it are taken out as well.
func Clean(s string) string {
	s = strings.TrimPrefix(s, "\ufeff")
	s = strings.Trim(s, " \t\r\n")
	for again := true; again; {
		again = false
		for _, prefix := range [...]string{
			"authorization:", "dpop:", "bearer ", "dpop ", "access_token=", "id_token=", "access_token:", "id_token:",
			`"access_token":`, `"id_token":`, "logout_token=", "client_assertion=", "token=",
		} {
			if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
				s, again = strings.TrimLeft(s[len(prefix):], " \t\r\n"), true
			}
		}
		if n := len(s); n >= 2 && strings.ContainsRune("\"'`", rune(s[0])) {
			s, again = strings.TrimLeft(s[1:], " \t\r\n"), true
		}
		if n := len(s); n >= 1 && strings.ContainsRune("\"'`,;", rune(s[n-1])) {
			s, again = strings.TrimRight(s[:n-1], " \t\r\n"), true
		}
	}
	if strings.ContainsAny(s, "\r\n") && strings.Contains(s, ".") && !strings.HasPrefix(s, "{") {
		// A token that a mail program or a terminal has wrapped.
		s = strings.Join(strings.Fields(s), "")
	}
	return s
}

// Looks guesses what the token is meant to be, or gives TypeAny.
func (p *Parsed) Looks() Type {
	switch mediaType(p.Typ) {
	case "at+jwt":
		return TypeAccess
	case "dpop+jwt":
		return TypeDPoP
	case "logout+jwt":
		return TypeLogout
	case "client-authentication+jwt":
		return TypeAssertion
	}
	has := func(name string) bool { _, there := p.Claims[name]; return there }
	iss, _ := p.Claims["iss"].(string)
	sub, _ := p.Claims["sub"].(string)
	switch {
	case has("htm") && has("htu"):
		return TypeDPoP
	case has("events"):
		return TypeLogout
	case has("scp") || has("scope") || has("roles") && has("appid") || has("client_id") && has("aud"):
		return TypeAccess
	case has("nonce") || has("at_hash") || has("c_hash") || has("auth_time"):
		return TypeID
	case iss != "" && iss == sub && !strings.Contains(iss, "://"):
		return TypeAssertion
	}
	return TypeAny
}

// mediaType brings typ and cty to the form in which they compare: lower case,
// without "application/" (RFC 7515 section 4.1.9).
func mediaType(s string) string {
	s = strings.ToLower(s)
	if rest, found := strings.CutPrefix(s, "application/"); found && !strings.Contains(rest, "/") {
		return rest
	}
	return s
}
