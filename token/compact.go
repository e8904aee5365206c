package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Limits of what is read. A token that is over them is refused with one problem.
const (
	MaxToken  = 256 << 10 // bytes of a token
	MaxHeader = 16 << 10  // bytes of a header, encoded
	MaxDepth  = 32        // levels of JSON
	MaxKeySet = 1 << 20   // bytes of a key set
	MaxKeys   = 256       // keys of a key set
)

// parts is a compact token taken to pieces, with what was wrong while doing so.
type parts struct {
	parsed  *Parsed
	input   string // what was signed: header and payload with the dot between, as received
	payload []byte // nil when it cannot be decoded
	sig     []byte // nil when it cannot be decoded
	// headerTwice and claimsTwice are the members given twice, by path.
	headerTwice, claimsTwice []string
	// canonical tells whether every part is base64url as RFC 7515 wants it.
	canonical bool
}

// dissect reads raw as it is: no blank is trimmed and no padding forgiven,
// but what can be decoded in spite of a defect is decoded, for display.
// The claims are read only if wanted, as a JWS may hold anything.
func dissect(raw string, claims bool) *parts {
	p := &parts{parsed: &Parsed{Size: len(raw)}, canonical: true}
	out := p.parsed
	switch {
	case raw == "":
		out.Form, out.Why = FormMissing, "there is no token, the text is empty"
		p.add(Problem{Code: CodeMalformed, Place: "token", Expected: "a token", Got: "nothing", Text: "There is no token: the text is empty."})
		return p
	case len(raw) > MaxToken:
		out.Form, out.Why = FormBroken, fmt.Sprintf("the token has %d bytes; at most %d are read", len(raw), MaxToken)
		p.add(Problem{
			Code: CodeTooLarge, Also: []string{CodeMalformed}, Place: "token", Expected: fmt.Sprintf("at most %d bytes", MaxToken),
			Got: fmt.Sprintf("%d bytes", len(raw)), Text: fmt.Sprintf("The token has %d bytes, more than the %d that are read at all.", len(raw), MaxToken),
		})
		return p
	}
	dots := strings.Count(raw, ".")
	if raw[0] == '{' {
		p.jsonForm(raw)
		return p
	}
	first, _, _ := strings.Cut(raw, ".")
	if vendor, why := opaque(raw, first, dots); why != "" {
		out.Form, out.Vendor, out.Why = FormOpaque, vendor, why
		p.add(Problem{
			Code: CodeOpaque, Also: []string{CodeMalformed}, Place: "token", Expected: "a JWT: three parts with dots between",
			Got: describeOpaque(raw, dots), Text: sentence(why),
		})
		return p
	}
	out.Form = FormJWS
	if len(first) > MaxHeader {
		out.Form, out.Why = FormBroken, "the header is too large to be read"
		p.add(Problem{
			Code: CodeTooLarge, Also: []string{CodeMalformed}, Place: "header", Expected: fmt.Sprintf("at most %d bytes", MaxHeader),
			Got: fmt.Sprintf("%d bytes", len(first)), Text: fmt.Sprintf("The header has %d bytes, more than the %d that are read.", len(first), MaxHeader),
		})
		return p
	}
	p.header(first)
	if dots == 4 && out.Header["enc"] != nil {
		out.Form, out.Why = FormJWE, "the token is encrypted: only the holder of the decryption key can read its claims"
		p.add(encrypted(out.Header))
		return p
	}
	if dots != 2 {
		out.Form = FormBroken
		p.add(Problem{
			Code: CodeMalformed, Place: "token", Expected: "three parts with two dots between (RFC 7515 section 7.1)",
			Got: fmt.Sprintf("%s, %s", count(dots+1, "part"), count(dots, "dot")), Text: wrongParts(dots),
		})
	}
	if dots == 0 || dots > 4 {
		out.Why = "the token is not whole"
		return p
	}
	rest := raw[len(first)+1:]
	second, third, _ := strings.Cut(rest, ".")
	p.input = raw[:len(first)+1+len(second)]
	p.payload = p.decode("claims", second)
	if claims {
		p.claims()
	}
	out.Signed = third != ""
	if dots == 2 {
		p.sig = p.decode("signature", third)
	}
	return p
}

func (p *parts) add(problem Problem) { p.parsed.Problems = append(p.parsed.Problems, problem) }

func wrongParts(dots int) string {
	switch dots {
	case 0:
		return "This is only the header of a JWT: the claims and the signature are cut off."
	case 1:
		return "The token has two parts: its signature is cut off, dot and all."
	case 4:
		return "The token has the five parts of an encrypted token, but its header names no content encryption (enc)."
	}
	return fmt.Sprintf("The token has %d parts; a JWT has three.", dots+1)
}

// decode reads one part as base64url without padding. What is not quite that
// is a problem, but is decoded nevertheless.
func (p *parts) decode(place, part string) []byte {
	out, err := strictBase64(part)
	if err == nil {
		return out
	}
	p.canonical = false
	p.add(Problem{
		Code: CodeEncoding, Also: []string{CodeMalformed}, Place: place, Expected: "base64url without padding (RFC 7515 section 2)",
		Got: err.Error(), Text: fmt.Sprintf("The %s is not base64url as tokens use it: %v.", placeName(place), err),
	})
	if out, ok := leniently(part); ok {
		return out
	}
	return nil
}

func placeName(place string) string {
	if place == "claims" {
		return "payload"
	}
	return place
}

// strictBase64 reads base64url without padding, blanks or set trailing bits.
func strictBase64(s string) ([]byte, error) {
	// The standard decoder passes over line ends.
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("it holds a line end")
	}
	out, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil {
		if out == nil {
			out = []byte{}
		}
		return out, nil
	}
	switch {
	case strings.HasSuffix(s, "="):
		return nil, errors.New("it is padded with =")
	case strings.ContainsAny(s, "+/"):
		return nil, errors.New("it uses + or / of the standard alphabet instead of - or _")
	case strings.ContainsAny(s, " \t"):
		return nil, errors.New("it holds a blank")
	case len(s)%4 == 1:
		return nil, fmt.Errorf("no base64 has a length of %d characters: one is missing or too many", len(s))
	}
	if _, err := base64.RawURLEncoding.DecodeString(s); err == nil {
		return nil, errors.New("its last character has bits set that mean nothing, so that two spellings give the same bytes")
	}
	return nil, errors.New("it holds a character outside of the alphabet A-Z a-z 0-9 - _")
}

// leniently decodes what people and mail programs make of base64url.
func leniently(s string) ([]byte, bool) {
	s = strings.Map(func(r rune) rune {
		switch r {
		case '+':
			return '-'
		case '/':
			return '_'
		case '=', ' ', '\t', '\r', '\n':
			return -1
		}
		return r
	}, s)
	out, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil && len(s)%4 == 1 {
		out, err = base64.RawURLEncoding.DecodeString(s[:len(s)-1])
	}
	return out, err == nil
}

// header reads the first part.
func (p *parts) header(part string) {
	out := p.parsed
	data := p.decode("header", part)
	if data == nil {
		out.Why = "the header is not base64url"
		return
	}
	value, twice, err := decodeJSON(data, MaxDepth)
	p.headerTwice = twice
	p.twice("header", twice)
	header, isObject := value.(map[string]any)
	switch {
	case errors.Is(err, errDepth):
		p.add(tooDeep("header"))
	case err != nil:
		p.add(Problem{Code: CodeMalformed, Place: "header", Expected: "a JSON object", Got: err.Error(), Text: fmt.Sprintf("The header is no JSON: %v.", err)})
	case !isObject:
		p.add(Problem{Code: CodeMalformed, Place: "header", Expected: "a JSON object", Got: kindOf(value), Text: fmt.Sprintf("The header is %s; it must be a JSON object.", kindOf(value))})
	}
	out.Header = header
	out.Alg, _ = header["alg"].(string)
	out.Kid, _ = header["kid"].(string)
	out.Typ, _ = header["typ"].(string)
}

// claims reads the payload as a claims set.
func (p *parts) claims() {
	out := p.parsed
	if p.payload == nil {
		out.Why = "the payload is not base64url"
		return
	}
	value, twice, err := decodeJSON(p.payload, MaxDepth)
	p.claimsTwice = twice
	p.twice("claims", twice)
	claims, isObject := value.(map[string]any)
	switch {
	case errors.Is(err, errDepth):
		p.add(tooDeep("claims"))
		out.Why = "the claims are nested too deeply"
	case err != nil && looksNested(p.payload):
		p.add(Problem{
			Code: CodeMalformed, Also: []string{CodeEncrypted}, Place: "claims", Expected: "a JSON object", Got: "another token",
			Text: "The payload is itself a token (a nested JWT, RFC 7519 section 5.2): inspect the inner one by itself.",
		})
		out.Why = "the payload is itself a token"
	case err != nil:
		p.add(Problem{Code: CodeMalformed, Place: "claims", Expected: "a JSON object", Got: err.Error(), Text: fmt.Sprintf("The payload is no JSON: %v.", err)})
		out.Why = "the payload is no JSON"
	case !isObject:
		p.add(Problem{
			Code: CodeMalformed, Place: "claims", Expected: "a JSON object", Got: kindOf(value),
			Text: fmt.Sprintf("The payload is %s; claims are a JSON object.", kindOf(value)),
		})
		out.Why = "the payload is no JSON object"
	}
	out.Claims = claims
}

func looksNested(payload []byte) bool {
	s := strings.Trim(string(payload), "\" \r\n")
	return strings.HasPrefix(s, "eyJ") && strings.Contains(s, ".")
}

func (p *parts) twice(place string, paths []string) {
	for _, path := range paths {
		p.add(Problem{
			Code: CodeDuplicate, Also: []string{CodeMalformed}, Place: place + "." + Printable(path), Expected: "each member once", Got: "the member twice",
			Text: fmt.Sprintf("%s is given twice in the %s: readers disagree on which one counts, so that a gateway and an API can see different tokens.", Printable(path), placeName(place)),
		})
	}
}

func tooDeep(place string) Problem {
	return Problem{
		Code: CodeTooLarge, Also: []string{CodeMalformed}, Place: place, Expected: fmt.Sprintf("at most %d levels", MaxDepth), Got: "more",
		Text: fmt.Sprintf("The JSON of the %s is nested more than %d levels deep.", placeName(place), MaxDepth),
	}
}

// jsonForm reads the JSON serialization for display.
func (p *parts) jsonForm(raw string) {
	out := p.parsed
	out.Form, out.Why = FormJSON, "the token is in the JSON serialization"
	p.add(Problem{
		Code: CodeMalformed, Place: "token", Expected: "the compact serialization (RFC 7519 section 1)", Got: "a JSON object",
		Text: "This is a JSON object; a JWT is always in the compact form of three parts with dots between.",
	})
	value, _, err := decodeJSON([]byte(raw), MaxDepth)
	object, _ := value.(map[string]any)
	if err != nil || object == nil {
		return
	}
	protected, _ := object["protected"].(string)
	if list, _ := object["signatures"].([]any); protected == "" && len(list) > 0 {
		first, _ := list[0].(map[string]any)
		protected, _ = first["protected"].(string)
	}
	read := func(part string) map[string]any {
		data, err := strictBase64(part)
		if err != nil || len(data) == 0 {
			return nil
		}
		value, _, err := decodeJSON(data, MaxDepth)
		if err != nil {
			return nil
		}
		members, _ := value.(map[string]any)
		return members
	}
	if len(protected) <= MaxHeader {
		out.Header = read(protected)
		out.Alg, _ = out.Header["alg"].(string)
		out.Kid, _ = out.Header["kid"].(string)
		out.Typ, _ = out.Header["typ"].(string)
	}
	if payload, _ := object["payload"].(string); payload != "" {
		out.Claims = read(payload)
	}
}

// encrypted says what can be said of a JWE without its key.
func encrypted(header map[string]any) Problem {
	text := "The token is encrypted (JWE): only the holder of the decryption key can read it, and nothing was decrypted here."
	if alg, _ := header["alg"].(string); strings.HasPrefix(alg, "PBES2") {
		text += fmt.Sprintf(" Its key is derived from a password with p2c = %s rounds: a reader should cap that number, as the sender chooses it.", show(header["p2c"]))
	}
	if header["zip"] != nil {
		text += " Its content is compressed (zip): a reader must cap the size of what comes out."
	}
	return Problem{
		Code: CodeEncrypted, Also: []string{CodeMalformed, CodeAlgNotAllowed}, Place: "token", Expected: "a signed token (JWS)",
		Got: fmt.Sprintf("an encrypted token (JWE), alg %s, enc %s", show(header["alg"]), show(header["enc"])), Text: text,
	}
}
