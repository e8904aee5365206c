package providers

import (
	"slices"
	"strconv"
	"strings"

	"usher"
	"usher/check"
	"usher/token"
)

var discoveryReachable = &check.Check{
	ID: "discovery-reachable", Group: check.GroupProvider, Mode: check.Passive, Severity: usher.SeverityHigh,
	Title:  "The discovery document is answered with 200 and JSON",
	Judged: "Status 200, content type application/json, a JSON object, below 256 KiB.",
	Needs:  []check.Need{check.NeedNetwork}, Cause: "discovery-failed",
	Step: usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Open the address in a browser without signing in: it must show JSON, and no sign-in page, redirect or error of a proxy."),
		check.Neutral("Let the path /.well-known/ through the proxy or firewall in front of the provider."),
	},
	References: []string{"OpenID Connect Discovery section 4.2", "RFC 8414 section 3.2"},
	Probe:      getPublic,
	Judge: func(t *check.Target) []check.Verdict {
		var failed []usher.Proof
		first := ""
		for _, m := range t.Metadata {
			if m.Answer == nil || !strings.HasPrefix(m.Answer.Role, "discovery") {
				continue
			}
			if why := badAnswer(m.Answer, maxDiscovery); why != "" {
				return check.Only(check.Wrong("The discovery document is there, but "+why, "Clients that look at the headers refuse it.", proofOf(m.Answer)).As(usher.SeverityMedium))
			}
			return check.Only(check.OK("", proofOf(m.Answer)))
		}
		for _, a := range t.Answers {
			if !strings.HasPrefix(a.Role, "discovery") {
				continue
			}
			if a.NoNetwork {
				return check.Only(noNetwork(a))
			}
			why := badAnswer(a, maxDiscovery)
			if why == "" {
				why = "it is no discovery document"
				if len(t.Metadata) > 0 && t.Metadata[0].Answer == nil {
					return check.Only(check.OK("", proofOf(a)))
				}
			}
			if first == "" {
				first = why
			}
			failed = append(failed, proofOf(a))
		}
		return check.Only(check.Wrong("The discovery document cannot be had: "+first,
			"Without it a client knows neither endpoints nor keys.", failed...))
	},
}

// noNetwork is said of an answer that this machine could not ask for: of the
// provider it tells nothing.
func noNetwork(a *check.Answer) check.Verdict {
	return check.Unknown(check.NeedNetwork, "It could not be asked from here: "+check.Clip(a.Err, 200)+".", proofOf(a))
}

const (
	maxDiscovery = 256 << 10
	maxKeySet    = 1 << 20
)

// badAnswer says why an answer is no JSON document, or nothing.
func badAnswer(a *check.Answer, most int) string {
	ct, _, _ := strings.Cut(strings.ToLower(a.Header.Get("Content-Type")), ";")
	ct = strings.TrimSpace(ct)
	switch {
	case a.Err != "":
		return check.Clip(a.Err, 200)
	case a.Defect != "":
		return "it " + check.Clip(a.Defect, 200)
	case a.Status >= 300 && a.Status < 400:
		return "status " + strconv.Itoa(a.Status) + " sends on to another address"
	case a.Status == 401 || a.Status == 403:
		return "status " + strconv.Itoa(a.Status) + " asks for a sign-in"
	case a.Status != 200:
		return "the status is " + strconv.Itoa(a.Status)
	case a.Size > most:
		return "it has " + strconv.Itoa(a.Size>>10) + " KiB"
	case ct == "text/html":
		return "a page came in place of JSON: a sign-in page or a proxy's error"
	case ct == "":
		return "no content type is said"
	case ct != "application/json" && !strings.HasSuffix(ct, "+json"):
		return "the content type is " + check.Clip(ct, 60)
	}
	return ""
}

// proofOf quotes status and content type of an answer.
func proofOf(a *check.Answer) usher.Proof {
	p := usher.Proof{Place: placeOf(a), Quote: check.Clip(a.Err, 200)}
	if a.Err == "" {
		p.Quote = "status " + strconv.Itoa(a.Status)
		if ct := a.Header.Get("Content-Type"); ct != "" {
			p.Quote += ", Content-Type: " + check.Clip(ct, 80)
		}
	}
	return p
}

func placeOf(a *check.Answer) string {
	if a.Place != "" {
		return a.Place
	}
	return "GET " + check.Clip(a.URL, 200)
}

var discoveryPathForm = &check.Check{
	ID: "discovery-path-form", Group: check.GroupProvider, Mode: check.Passive, Severity: usher.SeverityMedium,
	Title:  "The discovery document lies where clients look for it",
	Judged: "For an issuer with a path, the address with /.well-known/openid-configuration behind the path (OpenID Connect) and those with the path behind /.well-known/... (RFC 8414) are tried.",
	Needs:  []check.Need{check.NeedNetwork}, Cause: "discovery-failed",
	Step: usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Serve the document at both forms; a rewrite in the proxy is enough."),
		check.Neutral("Or give the client the endpoints by hand."),
	},
	References: []string{"RFC 8414 section 3.1", "RFC 8414 section 5", "OpenID Connect Discovery section 4.1"},
	Probe:      &check.Probe{What: "GET of up to three well-known addresses of the issuer", Safety: check.S0},
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(pathForm(t)) },
}

func pathForm(t *check.Target) check.Verdict {
	issuer := t.Issuer
	if issuer == "" && len(t.Metadata) > 0 {
		issuer = t.Metadata[0].Issuer
	}
	path := pathOf(issuer)
	if path == "" {
		return check.NotApplicable("the issuer has no path, so that both forms are one")
	}
	root := strings.TrimSuffix(strings.TrimSuffix(issuer, "/"), path)
	suffix := formAt(t, root+path+"/.well-known/openid-configuration")
	insertOIDC := formAt(t, root+"/.well-known/openid-configuration"+path)
	insertOAuth := formAt(t, root+"/.well-known/oauth-authorization-server"+path)
	var proof []usher.Proof
	for _, f := range [...]form{suffix, insertOIDC, insertOAuth} {
		if f.answer != nil {
			proof = append(proof, proofOf(f.answer))
		}
	}
	inserted := insertOIDC.works || insertOAuth.works
	insertedTried := insertOIDC.answer != nil || insertOAuth.answer != nil
	switch {
	case suffix.works && inserted:
		return check.OK("behind the path and in front of it", proof...)
	case suffix.works && insertedTried:
		return check.OK("behind the path alone, as OpenID Connect has it; a client that knows RFC 8414 alone does not find it", proof...)
	case suffix.works:
		return check.Unknown(check.NeedNetwork, "found behind the path; the form of RFC 8414 was not tried", proof...)
	case inserted && suffix.answer != nil && openID(t):
		return check.Wrong("The document lies at the form of RFC 8414 alone", "OpenID Connect clients look behind the path, at "+check.Clip(root+path, 160)+"/.well-known/openid-configuration, and find nothing.", proof...)
	case inserted:
		return check.OK("in front of the path, as RFC 8414 has it", proof...)
	case suffix.answer != nil && suffix.answer.NoNetwork:
		return noNetwork(suffix.answer)
	case suffix.answer != nil && insertedTried:
		return check.Wrong("The document is at none of the addresses that the standards name", "A client that is given the issuer "+check.Clip(issuer, 160)+" finds no document.", proof...)
	}
	return check.Unknown(check.NeedNetwork, "not every form was tried", proof...)
}

// form is one of the addresses where a document may lie.
type form struct {
	answer *check.Answer
	works  bool
}

func formAt(t *check.Target, address string) form {
	for _, a := range t.Answers {
		if a.URL == address {
			return form{a, a.Err == "" && badAnswer(a, maxDiscovery) == ""}
		}
	}
	return form{}
}

// openID tells whether a document is that of an OpenID provider.
func openID(t *check.Target) bool {
	for _, m := range t.Metadata {
		if isOpenID(m) {
			return true
		}
	}
	return false
}

// isOpenID tells an OpenID provider from a plain authorization server.
func isOpenID(m *check.Metadata) bool {
	if strings.Contains(m.URL, "/oauth-authorization-server") {
		return false
	}
	for _, name := range [...]string{"userinfo_endpoint", "id_token_signing_alg_values_supported", "subject_types_supported"} {
		if _, ok := m.Raw[name]; ok {
			return true
		}
	}
	return strings.Contains(m.URL, "/openid-configuration") || slices.Contains(m.ScopesSupported, "openid")
}

var discoveryCache = &check.Check{
	ID: "discovery-cache", Group: check.GroupProvider, Mode: check.Passive, Severity: usher.SeverityLow,
	Title:  "Document and keys may be kept for a sensible time",
	Judged: "Cache-Control of both: no-store makes every verification fetch; more than 24 hours for the keys hides a rotation.",
	Needs:  []check.Need{check.NeedHeaders},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Send Cache-Control: max-age between 600 and 86400 seconds with the keys."),
		check.Neutral("In the verifier: keep keys for an hour whatever the header says, and fetch once more when a token names an unknown one."),
	},
	References: []string{"OpenID Connect Core section 10.1.1", "RFC 9111 section 5.2"},
	Probe:      getPublic,
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(cache(t)) },
}

func cache(t *check.Target) check.Verdict {
	var wrong, fine []usher.Proof
	title := ""
	for _, a := range t.Answers {
		keys := a.Role == "jwks"
		if a.Status != 200 || !keys && a.Role != "discovery" {
			continue
		}
		what := "discovery document"
		if keys {
			what = "key set"
		}
		header := strings.Join(a.Header.Values("Cache-Control"), ", ")
		p := usher.Proof{Place: placeOf(a), Quote: "Cache-Control: " + check.Clip(header, 120)}
		age, told := maxAge(header)
		why := ""
		switch {
		case check.Directive(header, "no-store"):
			why, p.Expected, p.Got = "The "+what+" may not be kept (no-store)", "max-age between 600 and 86400", "no-store"
		case keys && told && age > 86400:
			why, p.Expected, p.Got = "The key set may be kept for "+strconv.Itoa(age/3600)+" hours", "at most 24 hours", strconv.Itoa(age)+" seconds"
		default:
			fine = append(fine, p)
			continue
		}
		if title == "" {
			title = why
		}
		wrong = append(wrong, p)
	}
	switch {
	case len(wrong) > 0:
		return check.Wrong(title, "With no-store a verifier that obeys asks before each token; with a long max-age one that obeys does not see a new key, or that an old one was withdrawn.", wrong...)
	case len(fine) > 0:
		return check.OK("", fine...)
	}
	return check.Unknown(check.NeedNetwork, "")
}

func maxAge(header string) (seconds int, ok bool) {
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(name, "max-age") {
			n, err := strconv.Atoi(strings.Trim(value, `"`))
			return n, err == nil
		}
	}
	return 0, false
}

var jwksReachable = &check.Check{
	ID: "jwks-reachable", Group: check.GroupProvider, Mode: check.Passive, Severity: usher.SeverityCritical,
	Title:  "The key set is answered and has a key to verify with",
	Judged: "Status 200, a JSON object with keys, and at least one signing key for an algorithm that the provider announces.",
	Cause:  "discovery-failed",
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Open jwks_uri in a browser without signing in: it must show JSON with keys."),
		check.Neutral("Let the verifier's host reach it: name resolution, firewall, proxy, certificate authority."),
	},
	References: []string{"RFC 7517 section 5", "OpenID Connect Discovery section 3"},
	Probe:      getPublic,
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(keysReachable(t)) },
}

func keysReachable(t *check.Target) check.Verdict {
	var failed, got []usher.Proof
	why := ""
	for _, a := range t.Answers {
		if a.Role != "jwks" {
			continue
		}
		if a.NoNetwork {
			return noNetwork(a)
		}
		ct := strings.ToLower(a.Header.Get("Content-Type"))
		bad := badAnswer(a, maxKeySet)
		if a.Status == 200 && a.Err == "" && a.Defect == "" && a.Size <= maxKeySet && !strings.Contains(ct, "html") {
			bad = "" // the content type of keys is often none that is registered
		}
		if bad == "" {
			got = append(got, proofOf(a))
			continue
		}
		if why == "" {
			why = bad
		}
		failed = append(failed, proofOf(a))
	}
	if len(failed) > 0 {
		return check.Wrong("The key set cannot be had: "+why, "No token of this provider can be verified.", failed...)
	}
	sets := 0
	for _, k := range t.KeySets {
		if k.Client != "" || k.KeySet == nil {
			continue
		}
		sets++
		if !usable(t, k) {
			if leavesUnknown(k) {
				return check.Unknown(check.NeedNothing, "its keys are of kinds that are not known here, so that nothing can be said of them", usher.Proof{Place: k.Place, Quote: check.Count(len(k.Left), "entry", "entries") + " left out"})
			}
			return check.Wrong("The key set has no key that a token could be verified with",
				"None of its keys is a public one for signatures of an announced algorithm.", usher.Proof{Place: k.Place, Quote: check.Count(len(k.Keys), "key", "keys") + ", " + check.Count(len(k.Left), "entry", "entries") + " left out"})
		}
	}
	switch {
	case len(got) > 0 && sets == 0:
		return check.Wrong("What jwks_uri answers is no key set", "No token of this provider can be verified.", got...)
	case len(got) > 0:
		return check.OK("", got...)
	case sets > 0:
		return check.Unknown(check.NeedNetwork, "the keys were given as a file; whether the provider answers with them was not looked at")
	}
	return check.Unknown(check.NeedKeys, "")
}

// leavesUnknown tells whether a set has keys of kinds that are not known here.
func leavesUnknown(k *check.KeySet) bool {
	return slices.ContainsFunc(k.Left, func(l token.LeftKey) bool { return strings.Contains(l.Why, "not known here") })
}

// usable tells whether a set has a public signing key for what is announced.
// Where ID tokens are signed with the client's secret (HMAC) alone, access
// tokens may be signed with any.
func usable(t *check.Target, k *check.KeySet) bool {
	var announced []string
	if len(t.Metadata) == 1 {
		for _, alg := range t.Metadata[0].IDTokenAlgs {
			if !strings.HasPrefix(alg, "HS") && alg != "none" {
				announced = append(announced, alg)
			}
		}
		if len(announced) == 0 && len(t.Metadata[0].IDTokenAlgs) > 0 && len(k.Keys)+len(k.Left) == 0 {
			return true // none is needed
		}
	}
	for _, key := range k.Keys {
		if key.Kty == "oct" || key.Use == "enc" || encAlg(key.Alg) {
			continue
		}
		if len(announced) == 0 {
			return true
		}
		for _, alg := range announced {
			if fits(key.Kty, key.Crv, alg) && (key.Alg == "" || key.Alg == alg || sameFamily(key.Alg, alg)) {
				return true
			}
		}
	}
	return false
}

// sameFamily lets Ed25519 and EdDSA be one, RFC 9864.
func sameFamily(a, b string) bool {
	return (a == "EdDSA" || a == "Ed25519") && (b == "EdDSA" || b == "Ed25519")
}

// fits tells whether a key of a kind can make signatures of an algorithm.
func fits(kty, crv, alg string) bool {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return kty == "RSA"
	case "ES256":
		return kty == "EC" && crv == "P-256"
	case "ES384":
		return kty == "EC" && crv == "P-384"
	case "ES512":
		return kty == "EC" && crv == "P-521"
	case "EdDSA":
		return kty == "OKP"
	case "Ed25519":
		return kty == "OKP" && crv == "Ed25519"
	}
	return false
}

func encAlg(alg string) bool {
	return strings.HasPrefix(alg, "RSA-OAEP") || strings.HasPrefix(alg, "RSA1_5") || strings.HasPrefix(alg, "ECDH-ES") || strings.HasSuffix(alg, "KW") || strings.HasPrefix(alg, "PBES2") || alg == "dir"
}
