package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxTries bounds how many keys are tried for one token.
const maxTries = 16

// signature picks the key and verifies, and adds what is wrong with either. It
// is for an alg that is allowed.
func (in *inspection) signature() {
	if in.want.Type == TypeDPoP {
		in.proofKey()
		return
	}
	in.foreignKeys()
	keys := in.want.Keys
	if keys == nil {
		in.unknown("signature", "Whether the signature is good is unknown: no keys were given.", "the issuer's key set", true)
		return
	}
	candidates, choice, problem := in.candidates(keys)
	in.report.Key = choice
	if problem != nil {
		in.add(*problem)
		in.wrong("signature", problem.Text)
		return
	}
	in.try(candidates)
}

// algorithm judges alg and tells whether it makes sense to look for a key.
func (in *inspection) algorithm() bool {
	value, there := in.header()["alg"]
	alg, isString := value.(string)
	switch {
	case !there:
		in.add(Problem{Code: CodeMalformed, Place: "header.alg", Expected: "an algorithm", Got: "nothing", Text: "The header names no algorithm (alg), which every token must."})
	case !isString:
		in.add(Problem{Code: CodeMalformed, Place: "header.alg", Expected: "a string", Got: show(value), Text: fmt.Sprintf("alg is %s, not a string.", kindOf(value))})
	case strings.EqualFold(strings.TrimSpace(alg), "none"):
		text := "The token is not signed: its alg is none. Anybody can write such a token."
		if alg != "none" {
			text = fmt.Sprintf("The token is not signed: its alg is %s, a spelling of none that slips through filters. Anybody can write such a token.", show(alg))
		}
		in.add(Problem{Code: CodeAlgNone, Also: []string{CodeAlgNotAllowed}, Place: "header.alg", Expected: in.allowed(), Got: show(alg), Text: text})
	default:
		if why := in.notAllowed(alg); why != "" {
			in.add(Problem{Code: CodeAlgNotAllowed, Place: "header.alg", Expected: in.allowed(), Got: show(alg), Text: why})
			in.namedKeyUnfit(alg)
			break
		}
		return true
	}
	in.wrong("signature", "The signature was not checked, as alg rules the token out.")
	return false
}

func (in *inspection) allowed() string {
	if len(in.want.Algs) > 0 {
		return "one of " + strings.Join(in.want.Algs, ", ")
	}
	return "an asymmetric algorithm such as RS256, PS256, ES256 or EdDSA"
}

func (in *inspection) notAllowed(alg string) string {
	a, known := lookupAlgorithm(alg)
	if len(in.want.Algs) > 0 {
		for _, allowed := range in.want.Algs {
			if sameAlgorithm(allowed, alg) && known && (in.want.Type != TypeDPoP || a.kty != "oct") {
				return ""
			}
		}
	}
	switch {
	case !known:
		for _, name := range [...]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512", "EdDSA"} {
			if strings.EqualFold(name, alg) {
				return fmt.Sprintf("The algorithm %s is written in the wrong case; it is called %s.", show(alg), name)
			}
		}
		return fmt.Sprintf("The algorithm %s is none that is verified here.", show(alg))
	case a.kty == "oct" && in.want.Type == TypeDPoP:
		return fmt.Sprintf("A DPoP proof is signed with an asymmetric algorithm, not with %s.", alg)
	case a.kty == "oct" && (len(in.want.Algs) > 0 || in.want.Keys != nil && !in.want.Keys.hasSecret()):
		return fmt.Sprintf("%s is keyed with a shared secret, but only public keys are trusted here. If a public key were taken for the secret, anybody could sign.", alg)
	case len(in.want.Algs) > 0:
		return fmt.Sprintf("The algorithm %s is not one of the allowed ones.", alg)
	}
	return ""
}

func (s *KeySet) hasSecret() bool {
	for _, k := range s.Keys {
		if k.Kty == "oct" {
			return true
		}
	}
	return false
}

// namedKeyUnfit says, of a token whose alg is refused anyway, that the key it
// names would not do either.
func (in *inspection) namedKeyUnfit(alg string) {
	kid, isString := in.header()["kid"].(string)
	if !isString || in.want.Keys == nil {
		return
	}
	for _, k := range in.want.Keys.Lookup(kid) {
		if why := k.unfit(alg, in.minRSABits()); why != "" {
			in.add(in.keyUnfit(kid, why))
			return
		}
	}
}

func (in *inspection) minRSABits() int {
	if in.want.MinRSABits > 0 {
		return in.want.MinRSABits
	}
	return 2048
}

// foreignKeys looks at the ways in which a token brings its own key. Whether
// they are a defect or a weakness is decided by the signature.
func (in *inspection) foreignKeys() {
	for _, name := range [...]string{"jwk", "x5c"} {
		if value, there := in.header()[name]; there {
			in.foreign = append(in.foreign, Problem{
				Code: CodeEmbeddedKey, Place: "header." + name, Expected: "a kid of the issuer's key set", Got: kindOf(value),
				Text: fmt.Sprintf("The token brings its own key (%s). That proves nothing, as the sender made both; it was not used.", name),
			})
		}
	}
	for _, name := range [...]string{"jku", "x5u"} {
		if value, there := in.header()[name]; there {
			in.foreign = append(in.foreign, Problem{
				Code: CodeRemoteKey, Place: "header." + name, Expected: "a kid of the issuer's key set", Got: show(value),
				Text: fmt.Sprintf("The token names an address for its key (%s). The sender chose it; it was not visited.", name),
			})
		}
	}
}

// settleForeign adds what foreignKeys found: as defects when the signature is
// not good, in front of the problem of the signature.
func (in *inspection) settleForeign(weakness bool) {
	for _, problem := range in.foreign {
		problem.Weakness = weakness
		in.add(problem)
	}
	in.foreign = nil
}

func (in *inspection) keyUnfit(kid, why string) Problem {
	name := "The only key"
	if kid != "" {
		name = "The key " + show(kid)
	}
	return Problem{
		Code: CodeKeyUnfit, Place: "header.kid", Expected: "a key that may verify " + in.report.Parsed.Alg, Got: why,
		Text: fmt.Sprintf("%s must not verify this token: %s.", name, why),
	}
}

// candidates picks the keys to try, and says why the others are not.
func (in *inspection) candidates(keys *KeySet) ([]*Key, *KeyChoice, *Problem) {
	alg := in.report.Parsed.Alg
	value, hasKid := in.header()["kid"]
	kid, isString := value.(string)
	choice := &KeyChoice{}
	reject := func(kid, why string) { choice.Rejected = append(choice.Rejected, RejectedKey{kid, why}) }
	if hasKid && !isString {
		choice.Why = "kid is no string"
		return nil, choice, &Problem{Code: CodeMalformed, Also: []string{CodeKeyNotFound}, Place: "header.kid", Expected: "a string", Got: show(value), Text: fmt.Sprintf("kid is %s, not a string.", kindOf(value))}
	}
	named := keys.Keys
	if hasKid {
		named = keys.Lookup(kid)
		if len(named) == 0 {
			// A set without any kid leaves the choice to the type of key.
			for _, k := range keys.Keys {
				if k.Kid == "" {
					named = append(named, k)
				}
			}
		}
		for _, k := range keys.Keys {
			if k.Kid != kid && k.Kid != "" {
				reject(k.Kid, "it has another kid")
			}
		}
	}
	var fit []*Key
	var unfitWhy, unfitKid string
	unfit := 0
	for _, k := range named {
		why := k.unfit(alg, in.minRSABits())
		if why == "" && k.Kty == "oct" && keys.mixed() {
			why = "it is a secret that stands in one set with public keys, as if it had been published"
		}
		if why != "" {
			unfit++
			unfitWhy, unfitKid = why, k.Kid
			reject(k.Kid, why)
			continue
		}
		fit = append(fit, k)
	}
	secrets := 0 // that cannot be used, but have the token's kid
	for _, left := range keys.Left {
		reject(left.Kid, left.Why)
		if hasKid && left.Kid == kid && left.kty == "oct" {
			secrets++
		}
		if hasKid && left.Kid == kid && kid != "" && len(named) == 0 {
			unfit++
			unfitWhy, unfitKid = left.Why, left.Kid
		}
	}
	if len(fit) > 0 && fit[0].Kty == "oct" && hasKid && len(fit)+secrets > 1 {
		choice.Why = "several secrets share the kid"
		p := in.keyUnfit(kid, "more than one secret has this kid, and secrets are not tried in turn")
		p.Also = []string{CodeKeyAmbiguous, CodeKeyNotFound}
		return nil, choice, &p
	}
	if len(fit) > 0 {
		return fit, choice, nil
	}
	if hasKid && unfit > 0 || len(keys.Keys) == 1 && unfit == 1 {
		choice.Why = "the key is unfit"
		p := in.keyUnfit(unfitKid, unfitWhy)
		return nil, choice, &p
	}
	choice.Why = "no key was found"
	p := Problem{
		Code: CodeKeyNotFound, Place: "header.kid", Expected: "a key of the set: " + keys.names(), Got: "no kid",
		Text: fmt.Sprintf("The token names no key (kid), and none of the %s fits its alg %s.", count(len(keys.Keys)+len(keys.Left), "key"), show(alg)),
	}
	if unfit > 0 {
		p.Also = []string{CodeKeyUnfit}
	}
	if hasKid {
		p.Got = show(kid)
		p.Text = fmt.Sprintf("No key of the set is called %s. Either the issuer has rotated its keys since the set was fetched, or the token is not from this issuer.", show(kid))
	}
	return nil, choice, &p
}

// names lists the kids of a set.
func (s *KeySet) names() string {
	if len(s.Keys) == 0 {
		return "(none can be used)"
	}
	var names []string
	for i, k := range s.Keys {
		if i == 8 {
			names = append(names, "…")
			break
		}
		if k.Kid == "" {
			names = append(names, k.Kty+" without kid")
			continue
		}
		names = append(names, show(k.Kid))
	}
	return strings.Join(names, ", ")
}

// try verifies with each candidate until one fits.
func (in *inspection) try(candidates []*Key) {
	if in.parts.sig == nil || !in.parts.canonical {
		in.settleForeign(false)
		in.unknown("signature", "The signature was not checked: what is not in the one right encoding cannot be what was signed.", "the token as it was sent", true)
		return
	}
	choice := in.report.Key
	alg, input, sig := in.report.Parsed.Alg, in.parts.input, in.parts.sig
	var firstErr error
	for i, k := range candidates {
		if i == maxTries {
			firstErr = fmt.Errorf("the first %d of %d keys that fit were tried and none made the signature", maxTries, len(candidates))
			break
		}
		err := k.verify(alg, input, sig)
		if err == nil {
			in.chosen(k, len(candidates))
			return
		}
		choice.Rejected = append(choice.Rejected, RejectedKey{k.Kid, err.Error()})
		if firstErr == nil || errors.Is(firstErr, errSignature) {
			firstErr = err
		}
	}
	choice.Why = "no key fits the signature"
	in.settleForeign(false)
	text := sentence(firstErr.Error())
	if errors.Is(firstErr, errSignature) {
		text = in.explainSignature(candidates)
	}
	in.add(Problem{Code: CodeSignature, Place: "signature", Expected: fmt.Sprintf("a signature by %s", candidates[0]), Got: "one that does not fit", Text: text})
	in.wrong("signature", text)
}

// chosen notes the key that made the signature.
func (in *inspection) chosen(k *Key, tried int) {
	choice := in.report.Key
	choice.Kid, choice.Thumbprint = k.Kid, k.Thumbprint
	choice.Why = "it has the token's kid, may be used with its alg, and made the signature"
	_, hasKid := in.header()["kid"]
	switch {
	case !hasKid:
		choice.Why = "the token names no key; this one may be used with its alg, and made the signature"
	case k.Kid == "":
		choice.Why = "no key of the set has the token's kid; this one has none, may be used with its alg, and made the signature"
	}
	in.ok("signature", fmt.Sprintf("The signature is good: %s by %s.", in.report.Parsed.Alg, k))
	in.settleForeign(true)
	if tried > 1 {
		text := "Several keys fit the token, so that each had to be tried."
		if hasKid && k.Kid != "" {
			text = fmt.Sprintf("Several keys of the set are called %s, so that each had to be tried.", show(k.Kid))
		}
		in.weak(CodeKeyAmbiguous, "header.kid", "a kid that names one key", fmt.Sprintf("%d keys that fit", tried), text)
	}
	if k.Private && k.Kty != "oct" {
		in.weak(CodePrivateKey, "keys", "public keys only", "a private key", fmt.Sprintf("The key set holds the private half of %s. If it has been published, withdraw the key.", k))
	}
	in.keyIssuer(k)
}

// keyIssuer holds the issuer that a key is published for against the token's:
// Entra publishes the keys of many issuers in one set.
func (in *inspection) keyIssuer(k *Key) {
	if k.Issuer == "" {
		return
	}
	iss, isString := in.claims()["iss"].(string)
	if !isString {
		return // reported where iss is judged
	}
	if issuerFits(k.Issuer, iss, in.claims()["tid"]) {
		return
	}
	in.add(Problem{
		Code: CodeIssuer, Place: "claims.iss", Expected: show(k.Issuer) + " (the issuer of the key)", Got: show(iss),
		Text: fmt.Sprintf("The key %s is published for tokens of %s, but the token says it is from %s.", show(k.Kid), show(k.Issuer), show(iss)),
	})
}

// issuerFits compares an issuer with a template in which {tenantid} stands for
// one segment, which must be the token's tid where it has one.
func issuerFits(template, iss string, tid any) bool {
	before, after, isTemplate := strings.Cut(template, "{tenantid}")
	if !isTemplate {
		return template == iss
	}
	if len(iss) <= len(before)+len(after) || !strings.HasPrefix(iss, before) || !strings.HasSuffix(iss, after) {
		return false
	}
	tenant := iss[len(before) : len(iss)-len(after)]
	if strings.ContainsAny(tenant, "/?#") {
		return false
	}
	if want, isString := tid.(string); isString {
		return tenant == want
	}
	return true
}

// explainSignature looks for the usual reasons of a signature that does not fit.
func (in *inspection) explainSignature(tried []*Key) string {
	alg, input, sig := in.report.Parsed.Alg, in.parts.input, in.parts.sig
	if in.header()["nonce"] != nil && strings.Contains(fmt.Sprint(in.claims()["iss"]), "sts.windows.net") || in.header()["nonce"] != nil && strings.Contains(fmt.Sprint(in.claims()["iss"]), "login.microsoftonline.com") {
		return "The signature does not fit, as with every access token for Microsoft Graph: its header holds a nonce, and only Graph can check it. If your API got this token, the app asked for a scope of Graph instead of one of yours."
	}
	budget := maxTries
	for _, k := range in.want.Keys.Keys {
		if budget == 0 {
			break
		}
		tried := slices.Contains(tried, k)
		if !tried && k.unfit(alg, in.minRSABits()) == "" {
			budget--
			if k.verify(alg, input, sig) == nil {
				return fmt.Sprintf("The signature does not fit the key that kid names, but it is by another of the set: %s. The issuer names the wrong kid.", k)
			}
		}
		if a, _ := lookupAlgorithm(alg); tried && a.kty == "RSA" {
			for _, other := range [...]string{"RS256", "PS256", "RS384", "PS384", "RS512", "PS512"} {
				if other != alg && k.verify(other, input, sig) == nil {
					return fmt.Sprintf("The signature is by the right key, but made with %s, while the header says %s.", other, alg)
				}
			}
		}
	}
	return "The signature does not fit: the token was changed after signing, or was signed with another key than this set's. Are the keys those of the issuer and tenant that iss names?"
}

// proofKey verifies a DPoP proof with the key in its header, RFC 9449 section 4.3.
func (in *inspection) proofKey() {
	value, there := in.header()["jwk"]
	members, isObject := value.(map[string]any)
	switch {
	case !there:
		in.add(Problem{Code: CodeKeyNotFound, Also: []string{CodeMalformed, CodeMissingClaim, CodeKeyUnfit}, Place: "header.jwk", Expected: "the public key of the proof", Got: "nothing", Text: "The proof holds no key: the header must carry the public key as jwk."})
		in.wrong("signature", "The signature was not checked: the proof holds no key.")
		return
	case !isObject:
		in.add(Problem{Code: CodeMalformed, Also: []string{CodeKeyUnfit}, Place: "header.jwk", Expected: "a JWK object", Got: kindOf(value), Text: fmt.Sprintf("jwk is %s, not an object.", kindOf(value))})
		in.wrong("signature", "The signature was not checked: jwk is no key.")
		return
	}
	for _, name := range [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, there := members[name]; there {
			in.add(Problem{
				Code: CodeKeyUnfit, Also: []string{CodePrivateKey, CodeMalformed, CodeEmbeddedKey}, Place: "header.jwk." + name, Expected: "a public key", Got: "a private or secret one",
				Text: "The proof carries its private key: whoever sees it can make proofs. Withdraw the key, and send the public half only.",
			})
			break
		}
	}
	choice := &KeyChoice{}
	in.report.Key = choice
	key, err := parseKey(members)
	why := ""
	if err != nil {
		why = err.Error()
	} else {
		why = key.unfit(in.report.Parsed.Alg, in.minRSABits())
	}
	if why != "" {
		choice.Why = "the proof's key is unfit"
		choice.Rejected = []RejectedKey{{Why: why}}
		in.add(Problem{Code: CodeKeyUnfit, Place: "header.jwk", Expected: "a public key that fits alg " + show(in.report.Parsed.Alg), Got: why, Text: fmt.Sprintf("The key in the proof cannot verify it: %s.", why)})
		in.wrong("signature", "The signature was not checked: "+why+".")
		return
	}
	choice.Thumbprint = key.Thumbprint
	if in.parts.sig == nil || !in.parts.canonical {
		in.unknown("signature", "The signature was not checked: what is not in the one right encoding cannot be what was signed.", "the proof as it was sent", true)
		return
	}
	if err := key.verify(in.report.Parsed.Alg, in.parts.input, in.parts.sig); err != nil {
		choice.Why = "it did not make the signature"
		in.add(Problem{Code: CodeSignature, Place: "signature", Expected: "a signature by the key in jwk", Got: "one that does not fit", Text: sentence(err.Error())})
		in.wrong("signature", sentence(err.Error()))
		return
	}
	choice.Why = "the proof carries it, and it made the signature"
	in.ok("signature", fmt.Sprintf("The signature is good: %s by the key in the proof.", in.report.Parsed.Alg))
	switch {
	case in.want.JKT == "":
		in.unknown("binding", "Whether the access token is bound to this key is unknown.", "the thumbprint of the key (cnf.jkt of the access token)", false)
	case in.want.JKT != key.Thumbprint:
		in.add(Problem{Code: CodeThumbprint, Also: []string{CodeKeyUnfit}, Place: "header.jwk", Expected: show(in.want.JKT), Got: show(key.Thumbprint), Text: "The proof is made with another key than the one that the access token is bound to."})
		in.wrong("binding", "The access token is bound to another key.")
	default:
		in.ok("binding", "The access token is bound to this key.")
	}
}
