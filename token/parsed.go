package token

// Form is how a token is written.
type Form string

// The forms of a token.
const (
	FormJWS     Form = "jws"      // signed, compact: RFC 7515 section 7.1
	FormJWE     Form = "jwe"      // encrypted, compact: RFC 7516 section 7.1
	FormJSON    Form = "jws-json" // JSON serialization: RFC 7515 section 7.2, RFC 7516 section 7.2
	FormBroken  Form = "broken"   // the beginning of a JWT, but not a whole one
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
	// Why says, in a sentence, why the claims cannot be read; empty when they can.
	Why string
	// Problems are the defects of form that were met while reading: wrong
	// number of parts, base64url, JSON, duplicate members, sizes.
	Problems []Problem
	// Size is the length of the token in bytes.
	Size int
	// Signed tells whether the signature part is there at all.
	Signed bool
}

// Parse reads a token for display. It is lenient: what can be decoded is
// decoded, and the defects of form are in Problems. An opaque or encrypted
// token is no error: Why says why its claims cannot be read. The error is for
// an empty string, and for a token over MaxToken.
func Parse(s string) (*Parsed, error) { panic("unwritten") }
