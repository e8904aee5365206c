package token

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// judge looks at the claims: what every JWT shares, then what its type demands.
func (in *inspection) judge() {
	in.types()
	switch in.want.Type {
	case TypeAny:
		in.issuer(in.want.Issuer, in.want.Issuer != "")
		in.audience(in.want.Audience, len(in.want.Audience) > 0)
		in.times(false, false)
	case TypeAccess:
		in.accessToken()
	case TypeID:
		in.idToken()
	case TypeDPoP:
		in.proof()
	case TypeLogout:
		in.logoutToken()
	case TypeAssertion:
		in.assertion()
	}
	in.scope()
}

// unclear tells whether a claim was given twice, so that nobody knows its value.
func (in *inspection) unclear(name string) bool { return slices.Contains(in.parts.claimsTwice, name) }

// text gives a claim that is a string.
func (in *inspection) text(name string) (string, bool) {
	s, isString := in.claims()[name].(string)
	return s, isString && !in.unclear(name)
}

// types judges the JSON types of the claims that are registered with one.
func (in *inspection) types() {
	strs := [...]string{"iss", "sub", "jti", "nonce", "azp", "client_id", "acr", "sid", "at_hash", "c_hash", "ath", "htm", "htu"}
	for _, name := range strs {
		if value, there := in.claims()[name]; there {
			if _, isString := value.(string); !isString {
				in.claimType(name, "a string", value)
			}
		}
	}
	for _, name := range [...]string{"exp", "nbf", "iat", "auth_time"} {
		in.numericDate(name)
	}
	if aud, there := in.claims()["aud"]; there {
		switch aud := aud.(type) {
		case string:
		case []any:
			for _, item := range aud {
				if _, isString := item.(string); !isString {
					in.claimType("aud", "a string or an array of strings", aud)
					break
				}
			}
		default:
			in.claimType("aud", "a string or an array of strings", aud)
		}
	}
	for _, name := range [...]string{"events", "cnf", "act"} {
		if value, there := in.claims()[name]; there {
			if _, isObject := value.(map[string]any); !isObject {
				in.claimType(name, "an object", value)
			}
		}
	}
	if amr, there := in.claims()["amr"]; there {
		if _, isArray := amr.([]any); !isArray {
			in.weak(CodeClaimType, "claims.amr", "an array of strings", show(amr), fmt.Sprintf("amr is %s; it is an array of strings (RFC 8176).", kindOf(amr)))
		}
	}
}

func (in *inspection) claimType(name, expected string, got any) {
	quote := show(got)
	if !slices.Contains(shownClaims[:], name) {
		quote = kindOf(got) // the value may be of a person
	}
	in.add(Problem{
		Code: CodeClaimType, Also: []string{CodeMalformed}, Place: "claims." + name, Expected: expected, Got: quote,
		Text: fmt.Sprintf("%s is %s; it must be %s.", name, kindOf(got), expected),
	})
}

// numericDate judges the form of a time.
func (in *inspection) numericDate(name string) {
	value, there := in.claims()[name]
	if !there {
		return
	}
	if s, isString := value.(string); isString {
		text := fmt.Sprintf("%s is a string; it must be a number of seconds since 1970.", name)
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			text = fmt.Sprintf("%s is a number in quotes; it must be a bare number of seconds since 1970.", name)
		}
		in.add(Problem{Code: CodeClaimType, Also: []string{CodeMalformed}, Place: "claims." + name, Expected: "a number of seconds since 1970", Got: show(value), Text: text})
		return
	}
	if _, isNumber := value.(json.Number); !isNumber {
		in.claimType(name, "a number of seconds since 1970", value)
		return
	}
	seconds, usable := in.seconds(name)
	switch {
	case !usable:
		in.add(Problem{
			Code: CodeClaimType, Also: []string{CodeMalformed}, Place: "claims." + name, Expected: "a number of seconds since 1970", Got: show(value),
			Text: fmt.Sprintf("%s is a number beyond all bounds.", name),
		})
	case seconds >= 1e12:
		unit := "milliseconds"
		if seconds >= 1e15 {
			unit = "microseconds or less"
		}
		in.add(Problem{
			Code: CodeClaimType, Also: []string{CodeMalformed, CodeLifetime}, Place: "claims." + name, Expected: "seconds since 1970", Got: show(value),
			Text: fmt.Sprintf("%s is in %s; it must be in seconds. As it stands it names a time in tens of thousands of years.", name, unit),
		})
	}
}

// seconds gives a claim that is a finite number.
func (in *inspection) seconds(name string) (float64, bool) {
	number, isNumber := in.claims()[name].(json.Number)
	if !isNumber || in.unclear(name) {
		return 0, false
	}
	f, err := strconv.ParseFloat(number.String(), 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// require reports the claims that are missing. An empty string is as good as none.
func (in *inspection) require(ref string, names ...string) {
	for _, name := range names {
		value, there := in.claims()[name]
		switch {
		case !there:
			in.missing(name, fmt.Sprintf("%s must have %s (%s).", sentenceStart(in.want.Type.name()), name, ref))
		case value == "" && name != "iss" && name != "aud":
			in.add(Problem{Code: CodeMissingClaim, Also: []string{CodeClaimType}, Place: "claims." + name, Expected: "a value", Got: `""`, Text: fmt.Sprintf("%s is empty.", name)})
		}
	}
}

func sentenceStart(s string) string { return strings.TrimSuffix(sentence(s), ".") }

func (in *inspection) missing(name, text string) {
	in.add(Problem{Code: CodeMissingClaim, Place: "claims." + name, Expected: name, Got: "nothing", Text: text})
}

// issuer compares iss, character by character, RFC 7519 section 4.1.1.
func (in *inspection) issuer(want string, required bool) {
	got, isString := in.text("iss")
	_, there := in.claims()["iss"]
	switch {
	case !there:
		if required {
			in.missing("iss", "The token does not say who issued it (iss).")
			in.wrong("issuer", "There is no iss.")
			return
		}
		if want == "" {
			in.unknown("issuer", "The token names no issuer, and none was expected.", "the expected issuer", true)
		}
	case !isString:
		in.wrong("issuer", "iss cannot be compared.")
	case want == "":
		in.unknown("issuer", fmt.Sprintf("Whether %s is the right issuer is unknown.", show(got)), "the expected issuer", true)
	case got != want:
		p := Problem{Code: CodeIssuer, Place: "claims.iss", Expected: show(want), Got: show(got), Text: "The token is from another issuer: " + difference(want, got)}
		in.add(p)
		in.wrong("issuer", p.Text)
	default:
		in.ok("issuer", "The issuer is "+show(got)+".")
	}
}

// difference says in words how two addresses or names differ.
func difference(want, got string) string {
	switch {
	case got == "":
		return "it is empty."
	case got == want+"/":
		return "it has a slash more at its end. Issuers compare character by character."
	case got+"/" == want:
		return "it lacks the slash at its end. Issuers compare character by character."
	case strings.EqualFold(got, want):
		return "it differs in upper and lower case only, which counts."
	case strings.TrimSpace(got) == strings.TrimSpace(want):
		return "it differs in blanks only, which count."
	}
	wantScheme, wantRest, _ := strings.Cut(want, "://")
	gotScheme, gotRest, found := strings.Cut(got, "://")
	if found && wantRest == gotRest {
		return fmt.Sprintf("its scheme is %s instead of %s.", Printable(gotScheme), Printable(wantScheme))
	}
	wantHost, _, _ := strings.Cut(wantRest, "/")
	gotHost, _, _ := strings.Cut(gotRest, "/")
	switch {
	case strings.Contains(want, "login.microsoftonline.com") && strings.Contains(got, "sts.windows.net"):
		return "this is Entra's issuer of version 1 tokens. Set accessTokenAcceptedVersion (requestedAccessTokenVersion) to 2 in the API's registration, or expect the version 1 issuer."
	case strings.Contains(got, "login.microsoftonline.com") && strings.Contains(want, "sts.windows.net"):
		return "this is Entra's issuer of version 2 tokens, while that of version 1 is expected."
	case strings.Contains(want, "/common/") && wantHost == gotHost:
		return "common stands for any tenant and is never the issuer of a token: expect the tenant's own."
	case found && strings.EqualFold(wantHost, gotHost):
		return "the host is the same, the path differs (another tenant, realm or authorization server)."
	}
	return "they have nothing in common that counts."
}

// audiences gives aud as a list; ok is false when it has the wrong type or is unclear.
func (in *inspection) audiences() (list []string, ok bool) {
	if in.unclear("aud") {
		return nil, false
	}
	switch aud := in.claims()["aud"].(type) {
	case string:
		return []string{aud}, true
	case []any:
		for _, item := range aud {
			s, isString := item.(string)
			if !isString {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	return nil, false
}

// audience looks for one of the wanted audiences in aud, RFC 7519 section 4.1.3.
// It tells whether one was found.
func (in *inspection) audience(want []string, required bool) bool {
	_, there := in.claims()["aud"]
	got, usable := in.audiences()
	switch {
	case !there:
		if required {
			in.missing("aud", "The token does not say whom it is for (aud).")
			in.wrong("audience", "There is no aud.")
			return false
		}
		if len(want) == 0 {
			in.unknown("audience", "The token names no audience, and none was expected.", "the expected audience", true)
		}
		return false
	case !usable:
		in.wrong("audience", "aud cannot be compared.")
		return false
	case len(want) == 0:
		in.unknown("audience", fmt.Sprintf("Whether the token is for you is unknown: it is for %s.", quoteAll(got)), "the expected audience", true)
		return false
	}
	for _, w := range want {
		if slices.Contains(got, w) {
			in.ok("audience", "The token is for "+show(w)+".")
			return true
		}
	}
	p := Problem{Code: CodeAudience, Place: "claims.aud", Expected: quoteAll(want), Got: quoteAll(got), Text: "The token is for somebody else. " + audienceHint(want, got)}
	if len(got) == 0 {
		p.Got, p.Also, p.Text = "[]", []string{CodeMissingClaim, CodeClaimType}, "The token is for nobody: aud is an empty list."
	}
	in.add(p)
	in.wrong("audience", p.Text)
	return false
}

func audienceHint(want, got []string) string {
	for _, w := range want {
		for _, g := range got {
			switch {
			case g == "":
				return "The audience is empty."
			case g == w+"/" || w == g+"/":
				return "The two differ in a slash at the end only, which counts."
			case strings.EqualFold(g, w):
				return "The two differ in upper and lower case only, which counts."
			case strings.TrimPrefix(g, "api://") == strings.TrimPrefix(w, "api://"):
				return "With and without api:// is not the same: Entra's version 1 tokens have the identifier URI as audience, version 2 tokens the client id."
			case g == "00000003-0000-0000-c000-000000000000" || strings.HasPrefix(g, "https://graph.microsoft.com"):
				return "It is for Microsoft Graph: the app asked for a scope of Graph (or for none but openid) instead of one of this API."
			}
		}
	}
	if len(got) == 1 && got[0] == "account" {
		return "It is for Keycloak's account console only: add an audience mapper for this API."
	}
	return "Request it for this API."
}

func quoteAll(list []string) string {
	var quoted []string
	for i, s := range list {
		if i == 8 {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, show(s))
	}
	return strings.Join(quoted, ", ")
}

// times judges exp, nbf and iat against the clock, with leeway.
func (in *inspection) times(needExp, needIat bool) {
	exp, hasExp := in.seconds("exp")
	nbf, hasNbf := in.seconds("nbf")
	iat, hasIat := in.seconds("iat")
	now := in.now
	clock := fmt.Sprintf("clock %s, leeway %s", moment(now), span(in.leeway))
	wrong := false
	bad := func(code, name, expected string, at float64, text string) {
		wrong = true
		in.add(Problem{Code: code, Place: "claims." + name, Expected: expected, Got: moment(at), Text: text})
	}
	if _, there := in.claims()["exp"]; !there {
		if needExp {
			in.missing("exp", fmt.Sprintf("%s must say when it expires (exp).", sentenceStart(in.want.Type.name())))
			wrong = true
		} else if in.want.Type == TypeAny {
			in.weak(CodeNoExpiry, "claims.exp", "a time", "nothing", "The token never expires: it has no exp.")
		}
	}
	if _, there := in.claims()["iat"]; !there && needIat {
		in.missing("iat", fmt.Sprintf("%s must say when it was issued (iat).", sentenceStart(in.want.Type.name())))
	}
	if hasExp && now-in.leeway >= exp {
		bad(CodeExpired, "exp", "a time after "+clock, exp, fmt.Sprintf("The token expired %s ago, at %s.", span(now-exp), moment(exp)))
	}
	if hasNbf && nbf < 1e12 && now+in.leeway < nbf {
		bad(CodeNotYetValid, "nbf", "a time up to "+clock, nbf, fmt.Sprintf("The token becomes valid only in %s, at %s. A difference of minutes means that a clock is wrong.", span(nbf-now), moment(nbf)))
	}
	if hasIat && iat < 1e12 && now+in.leeway < iat {
		bad(CodeFutureIssue, "iat", "a time up to "+clock, iat, fmt.Sprintf("The token claims to be issued %s in the future, at %s: the clock of the issuer or of this machine is wrong.", span(iat-now), moment(iat)))
	}
	if hasExp && hasIat && exp < iat {
		in.weak(CodeTimeOrder, "claims.exp", "a time after iat, "+moment(iat), moment(exp), "The token expires before it was issued.")
	}
	if hasExp && hasNbf && exp <= nbf {
		in.weak(CodeTimeOrder, "claims.nbf", "a time before exp, "+moment(exp), moment(nbf), "The token expires before it becomes valid.")
	}
	if limit := in.want.MaxLifetime.Seconds(); limit > 0 && hasExp && exp < 1e12 {
		from, since := now, "now"
		if hasIat && iat < now {
			from, since = iat, "its iat"
		}
		if exp-from > limit+in.leeway {
			wrong = true
			in.add(Problem{
				Code: CodeLifetime, Also: []string{CodeExpired}, Place: "claims.exp", Expected: fmt.Sprintf("at most %s after %s", span(limit), since), Got: fmt.Sprintf("%s (%s)", span(exp-from), moment(exp)),
				Text: fmt.Sprintf("The token is valid for %s, longer than the %s that are allowed.", span(exp-from), span(limit)),
			})
		}
	}
	switch {
	case wrong:
		in.wrong("times", "The token is not valid now.")
	case hasExp:
		in.ok("times", fmt.Sprintf("The token is valid until %s, for another %s.", moment(exp), span(exp-now)))
		if exp < now {
			in.report.Checks[len(in.report.Checks)-1].Text = fmt.Sprintf("The token expired %s ago, which the leeway of %s forgives.", span(now-exp), span(in.leeway))
		}
	}
}

// scope says where a scope is not in the standard's form.
func (in *inspection) scope() {
	scope, there := in.claims()["scope"]
	if _, isString := scope.(string); there && !isString {
		in.weak(CodeScope, "claims.scope", "one string with blanks between", show(scope), fmt.Sprintf("scope is %s; the standard has one string with blanks between, and readers of that form see no scope at all.", kindOf(scope)))
	}
}
