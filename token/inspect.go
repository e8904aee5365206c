package token

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"usher"
)

// inspection is one run of Inspect.
type inspection struct {
	want   Expect
	now    float64 // seconds since 1970
	leeway float64 // seconds
	parts  *parts
	report *Report
	// foreign are the keys that the token brings or points at.
	foreign []Problem
	// lax is set when typ was accepted through Expect.Typ: the type's standard
	// does not bind the token then.
	lax bool
}

// Inspect holds raw, exactly as it was received, against expect, and reports
// everything that is wrong, not only the first thing. It never goes to the
// network and never decrypts. The report holds neither the token nor its
// signature.
//
// A zero Expect checks what can be checked without any expectation: form,
// header, times. The verdict is Accept only if the signature was checked and
// is good, and issuer and audience were compared where the type has them.
func Inspect(raw string, expect Expect) Report {
	in := begin(raw, expect)
	p := in.report.Parsed
	for _, problem := range in.parts.parsed.Problems {
		in.add(problem)
	}
	in.size()
	switch p.Form {
	case FormJWS:
		// Of a header with a member given twice nobody knows what it says.
		if p.Header != nil && len(in.parts.headerTwice) == 0 {
			allowed := in.algorithm()
			in.critical()
			in.typ()
			if allowed {
				in.signature()
			}
		} else {
			in.wrong("signature", "The signature was not checked, as the header cannot be relied on.")
		}
		if p.Claims != nil && expect.Type != TypeJWS {
			in.judge()
		}
	case FormBroken:
		in.wrong("signature", "There is nothing whole to verify.")
		if p.Header != nil && strings.EqualFold(p.Alg, "none") {
			in.algorithm()
		}
		if p.Claims != nil && expect.Type != TypeJWS {
			in.judge()
		}
	}
	return in.end()
}

// size says when a token is too large to be sent. Servers bound the headers of
// a request: most at 8 KiB (nginx, Apache, Tomcat) or 16 KiB (Node.js, IIS).
func (in *inspection) size() {
	const usual, most = 8 << 10, 16 << 10
	size, header := in.report.Parsed.Size, in.want.Type == TypeAccess || in.want.Type == TypeDPoP
	limit := in.want.MaxBytes
	if limit == 0 && header {
		limit = most
	}
	p := Problem{
		Code: CodeTooLarge, Also: []string{CodeMalformed}, Place: "token", Expected: fmt.Sprintf("at most %d bytes", limit), Got: count(size, "byte"),
		Text: fmt.Sprintf("The token has %d bytes, more than the %d that are allowed.", size, limit),
	}
	switch {
	case size > MaxToken || in.parts.parsed.Form == FormBroken: // said already
	case limit > 0 && size > limit:
		if in.want.MaxBytes == 0 {
			p.Text = fmt.Sprintf("The token has %d bytes: too large for the headers of a request at most servers, which stop at 8 or 16 KiB.", size)
		}
		in.add(p)
	case header && size > usual:
		p.Weakness, p.Expected = true, fmt.Sprintf("at most %d bytes", usual)
		p.Text = fmt.Sprintf("The token has %d bytes: many servers refuse headers of more than 8 KiB (status 400 or 431).", size)
		in.add(p)
	}
}

func begin(raw string, expect Expect) *inspection {
	in := &inspection{want: expect, leeway: 60}
	now := time.Now
	if expect.Now != nil {
		now = expect.Now
	}
	in.now = float64(now().UnixMilli()) / 1000
	switch {
	case expect.Leeway > 0:
		in.leeway = expect.Leeway.Seconds()
	case expect.Leeway < 0:
		in.leeway = 0
	}
	in.parts = dissect(raw, expect.Type != TypeJWS)
	in.report = &Report{Parsed: in.parts.parsed, Type: expect.Type, Problems: []Problem{}, Checks: []Check{}}
	if looks := in.parts.parsed.Looks(); expect.Type != TypeJWS {
		in.report.Looks = looks
	}
	return in
}

// end sorts the problems and draws the verdict.
func (in *inspection) end() Report {
	r := in.report
	sort.SliceStable(r.Problems, func(i, j int) bool { return !r.Problems[i].Weakness && r.Problems[j].Weakness })
	r.Verdict = Accept
	for _, check := range r.Checks {
		if check.Decides && check.Outcome == usher.OutcomeUnknown {
			r.Verdict = Unknown
		}
	}
	signed := false
	for _, check := range r.Checks {
		signed = signed || check.What == "signature" && check.Outcome == usher.OutcomeOK
	}
	if !signed {
		r.Verdict = Unknown
	}
	if r.Wrong() {
		r.Verdict = Reject
		// Access tokens may be opaque, and any token may be encrypted: that
		// cannot be judged here, which is not the same as wrong.
		may := in.want.Type == TypeAny || in.want.Type == TypeAccess
		form := r.Parsed.Form
		if form == FormOpaque && may || form == FormJWE && (may || in.want.Type == TypeID) {
			r.Verdict = Unknown
		}
	}
	return *r
}

func (in *inspection) header() map[string]any { return in.report.Parsed.Header }
func (in *inspection) claims() map[string]any { return in.report.Parsed.Claims }

func (in *inspection) add(p Problem) { in.report.Problems = append(in.report.Problems, p) }

func (in *inspection) weak(code, place, expected, got, text string) {
	in.add(Problem{Code: code, Place: place, Expected: expected, Got: got, Text: text, Weakness: true})
}

func (in *inspection) check(what string, outcome usher.Outcome, text string) {
	in.report.Checks = append(in.report.Checks, Check{What: what, Outcome: outcome, Text: text})
}

func (in *inspection) ok(what, text string)    { in.check(what, usher.OutcomeOK, text) }
func (in *inspection) wrong(what, text string) { in.check(what, usher.OutcomeWrong, text) }

func (in *inspection) unknown(what, text, missing string, decides bool) {
	in.report.Checks = append(in.report.Checks, Check{What: what, Outcome: usher.OutcomeUnknown, Text: text, Missing: missing, Decides: decides})
}

// registered are the header members that crit must not name, RFC 7515 section
// 4.1.11 with RFC 7516 and RFC 7518.
var registered = [...]string{"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "enc", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"}

// critical judges crit and b64. No extension is understood here, so that
// whatever crit says is a reason to refuse; the text tells which.
func (in *inspection) critical() {
	bad := func(code, also, got, text string) {
		in.add(Problem{Code: code, Also: []string{also}, Place: "header.crit", Expected: "no crit, as no extension is understood here", Got: got, Text: text})
	}
	if b64, there := in.header()["b64"]; there && b64 != true {
		bad(CodeCrit, CodeMalformed, "b64 "+show(b64), "The token is marked as signed over unencoded content (b64), which a JWT must not be (RFC 7797 section 7).")
	}
	value, there := in.header()["crit"]
	if !there {
		return
	}
	list, isArray := value.([]any)
	if !isArray || len(list) == 0 {
		bad(CodeMalformed, CodeCrit, show(value), "crit must be a list of names, and not an empty one.")
		return
	}
	seen := map[string]bool{}
	for i, item := range list {
		if i == 8 {
			break
		}
		name, isString := item.(string)
		_, present := in.header()[name]
		switch {
		case !isString:
			bad(CodeMalformed, CodeCrit, show(item), fmt.Sprintf("crit holds %s; it must hold names only.", kindOf(item)))
		case slices.Contains(registered[:], name):
			bad(CodeMalformed, CodeCrit, show(name), fmt.Sprintf("crit names %s, which the standard itself defines and which must not stand there.", show(name)))
		case seen[name]:
			bad(CodeMalformed, CodeCrit, show(name), fmt.Sprintf("crit names %s twice.", show(name)))
		case !present:
			bad(CodeMalformed, CodeCrit, show(name), fmt.Sprintf("crit names %s, which is not in the header.", show(name)))
		default:
			bad(CodeCrit, CodeMalformed, show(name), fmt.Sprintf("crit demands that the extension %s is understood, and it is not.", show(name)))
		}
		seen[name] = true
	}
}

// typ holds the header's typ against the expected type, RFC 8725 section 3.11.
func (in *inspection) typ() {
	value, there := in.header()["typ"]
	typ, isString := value.(string)
	if there && !isString {
		in.add(Problem{Code: CodeMalformed, Also: []string{CodeTyp}, Place: "header.typ", Expected: "a string", Got: show(value), Text: fmt.Sprintf("typ is %s, not a string.", kindOf(value))})
		return
	}
	if cty, isString := in.header()["cty"].(string); isString && mediaType(cty) == "jwt" && in.claims() != nil {
		in.weak(CodeTyp, "header.cty", "no cty, as the payload is a claims set", show(cty), "cty says that the payload is another token, but it is a claims set.")
	}
	var want []string
	optional := false
	switch in.want.Type {
	case TypeAny, TypeJWS:
		return
	case TypeAccess:
		want = []string{"at+jwt"}
	case TypeID:
		want, optional = []string{"jwt"}, true
	case TypeDPoP:
		want = []string{"dpop+jwt"}
	case TypeLogout:
		want, optional = []string{"logout+jwt", "jwt"}, true
	case TypeAssertion:
		want, optional = []string{"jwt", "client-authentication+jwt"}, true
	}
	got := mediaType(typ)
	switch {
	case !there && optional:
		in.ok("type", "typ is not given, which this type of token allows.")
		if in.want.Type == TypeLogout {
			in.weak(CodeTyp, "header.typ", `"logout+jwt"`, "nothing", "The logout token is not marked as one (typ logout+jwt), which is recommended so that no other token passes for it.")
		}
		return
	case there && slices.Contains(want, got):
		in.ok("type", "typ is "+show(typ)+".")
		if in.want.Type == TypeLogout && got == "jwt" {
			in.weak(CodeTyp, "header.typ", `"logout+jwt"`, show(typ), "The logout token is not marked as one (typ logout+jwt), which is recommended so that no other token passes for it.")
		}
		return
	}
	for _, accepted := range in.want.Typ {
		if mediaType(accepted) == got && there || accepted == "" && !there {
			in.lax = true
			in.ok("type", "typ is "+show(typ)+", which was said to be right here.")
			return
		}
	}
	expected := make([]string, len(want))
	for i, w := range want {
		expected[i] = `"` + w + `"`
		if w == "jwt" {
			expected[i] = `"JWT"`
		}
	}
	p := Problem{Code: CodeTyp, Place: "header.typ", Expected: strings.Join(expected, " or "), Got: "nothing", Text: fmt.Sprintf("typ is missing: nothing says that this is %s.", in.want.Type.name())}
	if there {
		p.Got = show(typ)
		p.Text = fmt.Sprintf("typ is %s, so that this is not %s.", show(typ), in.want.Type.name())
	}
	if looks := in.report.Parsed.Looks(); looks != TypeAny && looks != in.want.Type {
		p.Text += fmt.Sprintf(" It looks like %s.", looks.name())
	} else if in.want.Type == TypeAccess && (got == "jwt" || got == "") {
		p.Text += " Many providers do not follow RFC 9068 in this; where yours is one of them, accept its typ as well."
	}
	in.add(p)
	in.wrong("type", p.Text)
}

// name says what a token of this type is, with its article.
func (t Type) name() string {
	switch t {
	case TypeAccess:
		return "an access token (RFC 9068)"
	case TypeID:
		return "an ID token"
	case TypeDPoP:
		return "a DPoP proof"
	case TypeLogout:
		return "a logout token"
	case TypeAssertion:
		return "a client assertion"
	case TypeJWS:
		return "a signed message"
	}
	return "a JWT"
}

// Valid tells whether t is one of Types or empty.
func (t Type) Valid() bool {
	if t == TypeAny {
		return true
	}
	for _, known := range Types {
		if t == known {
			return true
		}
	}
	return false
}
