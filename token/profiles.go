package token

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// accessToken judges what RFC 9068 section 4 demands.
func (in *inspection) accessToken() {
	in.issuer(in.want.Issuer, true)
	in.audience(in.want.Audience, true)
	in.times(true, !in.lax)
	if !in.lax {
		in.require("RFC 9068 section 2.2", "sub", "client_id", "jti")
	}
}

// idToken judges what OpenID Connect Core sections 2 and 3.1.3.7 demand.
func (in *inspection) idToken() {
	in.issuer(in.want.Issuer, true)
	var want []string
	if in.want.ClientID != "" {
		want = []string{in.want.ClientID}
	} else {
		want = in.want.Audience
	}
	in.audience(want, true)
	in.authorizedParty()
	in.times(true, true)
	in.require("OpenID Connect Core section 2", "sub")
	if sub, _ := in.text("sub"); len(sub) > 255 {
		in.weak(CodeClaimType, "claims.sub", "at most 255 characters", count(len(sub), "character"), "sub has more than 255 characters, which OpenID Connect forbids.")
	}
	in.nonce("OpenID Connect Core section 3.1.3.7")
	in.halfHash("at_hash", "access token", in.want.AccessToken.Reveal())
	in.halfHash("c_hash", "code", in.want.Code.Reveal())
	in.authTime()
	in.contextClass()
	if events, isObject := in.claims()["events"].(map[string]any); isObject && events[logoutEvent] != nil {
		in.add(Problem{Code: CodeTyp, Place: "claims.events", Expected: "an ID token", Got: "a logout token", Text: "The token holds the back-channel logout event: it is a logout token, not an ID token."})
	}
}

// authorizedParty judges azp, OpenID Connect Core section 3.1.3.7.
func (in *inspection) authorizedParty() {
	azp, isString := in.text("azp")
	_, there := in.claims()["azp"]
	got, _ := in.audiences()
	switch {
	case in.want.ClientID == "":
	case there && isString && azp != in.want.ClientID:
		in.add(Problem{Code: CodeAuthorized, Place: "claims.azp", Expected: show(in.want.ClientID), Got: show(azp), Text: "The token was issued to another client (azp)."})
	case !there && len(got) > 1:
		in.add(Problem{
			Code: CodeAuthorized, Also: []string{CodeMissingClaim, CodeAudience}, Place: "claims.azp", Expected: show(in.want.ClientID), Got: "nothing",
			Text: "The token has several audiences and does not say which client it was issued to (azp).",
		})
	}
}

// nonce compares with the nonce that was sent.
func (in *inspection) nonce(ref string) {
	got, _ := in.text("nonce")
	_, there := in.claims()["nonce"]
	switch {
	case in.want.Nonce == nil:
		if there {
			in.unknown("nonce", "Whether nonce is that of the request is unknown.", "the nonce that was sent", false)
		}
	case !there:
		in.add(Problem{Code: CodeNonce, Place: "claims.nonce", Expected: show(*in.want.Nonce), Got: "nothing", Text: fmt.Sprintf("A nonce was sent, but the token holds none (%s).", ref)})
		in.wrong("nonce", "There is no nonce.")
	case subtle.ConstantTimeCompare([]byte(got), []byte(*in.want.Nonce)) != 1 || in.unclear("nonce"):
		text := "The nonce is that of another request: the token may be replayed, or the sign-in was started twice."
		if strings.EqualFold(got, *in.want.Nonce) {
			text = "The nonce differs in upper and lower case, which counts."
		}
		in.add(Problem{Code: CodeNonce, Place: "claims.nonce", Expected: show(*in.want.Nonce), Got: show(in.claims()["nonce"]), Text: text})
		in.wrong("nonce", text)
	default:
		in.ok("nonce", "The nonce is that of the request.")
	}
}

// HalfHash computes at_hash and c_hash of a value for a token with this alg:
// the left half of the hash that the algorithm uses, OpenID Connect Core
// section 3.1.3.6. It gives the empty string for an algorithm without one.
func HalfHash(alg, value string) string {
	a, known := lookupAlgorithm(alg)
	if !known {
		return ""
	}
	hash := a.hash
	if a.kty == "OKP" {
		hash = crypto.SHA512 // the hash inside Ed25519
	}
	h := hash.New()
	h.Write([]byte(value))
	sum := h.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// halfHash compares at_hash or c_hash with the value that came beside the token.
func (in *inspection) halfHash(name, what, value string) {
	got, isString := in.text(name)
	_, there := in.claims()[name]
	switch {
	case !there && value != "":
		in.weak(CodeHashMissing, "claims."+name, "the hash of the "+what, "nothing", fmt.Sprintf("The token holds no %s, so that it is not tied to the %s. Only the code flow allows that.", name, what))
	case !there || !isString:
	case value == "":
		in.unknown(name, fmt.Sprintf("Whether %s fits the %s is unknown.", name, what), "the "+what+" that came with the token", false)
	default:
		alg := in.report.Parsed.Alg
		want := HalfHash(alg, value)
		switch {
		case want == "":
			in.unknown(name, fmt.Sprintf("%s cannot be computed for alg %s.", name, show(alg)), "", false)
		case subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1:
			in.ok(name, fmt.Sprintf("%s fits the %s.", name, what))
		default:
			text := fmt.Sprintf("%s does not fit the %s: the two are not of one response.", name, what)
			for _, other := range [...]string{"RS256", "RS384", "RS512"} {
				if HalfHash(other, value) == got {
					text = fmt.Sprintf("%s was computed with the hash of %s, but alg is %s, whose hash must be used.", name, other, alg)
				}
			}
			if whole := sha256.Sum256([]byte(value)); base64.RawURLEncoding.EncodeToString(whole[:]) == got {
				text = fmt.Sprintf("%s is the whole hash; it must be its left half.", name)
			}
			in.add(Problem{Code: CodeHash, Place: "claims." + name, Expected: show(want), Got: show(got), Text: text})
			in.wrong(name, text)
		}
	}
}

// authTime holds auth_time against max_age.
func (in *inspection) authTime() {
	if in.want.MaxAge == 0 {
		return
	}
	limit := max(in.want.MaxAge.Seconds(), 0)
	at, usable := in.seconds("auth_time")
	if _, there := in.claims()["auth_time"]; !there {
		in.add(Problem{
			Code: CodeMissingClaim, Also: []string{CodeStaleAuth}, Place: "claims.auth_time", Expected: "the time of the sign-in", Got: "nothing",
			Text: "max_age was sent, so that the token must say when the person signed in (auth_time).",
		})
		return
	}
	if !usable {
		return
	}
	switch age := in.now - at; {
	case age > limit+in.leeway:
		text := fmt.Sprintf("The person signed in %s ago, longer than the %s that were asked for (max_age).", span(age), span(limit))
		in.add(Problem{Code: CodeStaleAuth, Place: "claims.auth_time", Expected: fmt.Sprintf("at most %s ago", span(limit)), Got: moment(at), Text: text})
		in.wrong("sign-in", text)
	case at < 1e12 && -age > in.leeway:
		in.add(Problem{Code: CodeFutureIssue, Also: []string{CodeStaleAuth}, Place: "claims.auth_time", Expected: "a time up to " + moment(in.now), Got: moment(at), Text: "The token claims that the person signed in in the future."})
	default:
		in.ok("sign-in", fmt.Sprintf("The person signed in %s ago.", span(age)))
	}
}

// contextClass holds acr against what was demanded.
func (in *inspection) contextClass() {
	if len(in.want.ACR) == 0 {
		return
	}
	got, isString := in.text("acr")
	value, there := in.claims()["acr"]
	switch {
	case !there:
		in.add(Problem{Code: CodeACR, Also: []string{CodeMissingClaim}, Place: "claims.acr", Expected: quoteAll(in.want.ACR), Got: "nothing", Text: "An acr was demanded, but the token holds none."})
	case !isString || !slices.Contains(in.want.ACR, got):
		in.add(Problem{Code: CodeACR, Place: "claims.acr", Expected: quoteAll(in.want.ACR), Got: show(value), Text: "The sign-in was not as strong as demanded (acr)."})
	default:
		in.ok("acr", "The acr is "+show(got)+".")
	}
}

// logoutEvent is the member of events that makes a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutToken judges what OpenID Connect Back-Channel Logout section 2.6 demands.
func (in *inspection) logoutToken() {
	in.issuer(in.want.Issuer, true)
	want := in.want.Audience
	if in.want.ClientID != "" {
		want = []string{in.want.ClientID}
	}
	in.audience(want, true)
	in.times(true, true)
	in.require("OpenID Connect Back-Channel Logout section 2.4", "jti", "events")
	if _, there := in.claims()["nonce"]; there {
		in.add(Problem{Code: CodeNoncePresent, Place: "claims.nonce", Expected: "no nonce", Got: "one", Text: "A logout token must not hold a nonce, so that no ID token passes for it."})
	}
	sub, _ := in.claims()["sub"]
	sid, _ := in.claims()["sid"]
	if (sub == nil || sub == "") && (sid == nil || sid == "") {
		in.missing("sub", "The logout token names neither a person (sub) nor a session (sid).")
	}
	events, isObject := in.claims()["events"].(map[string]any)
	if !isObject || in.unclear("events") {
		return
	}
	event, there := events[logoutEvent]
	if _, isObject := event.(map[string]any); !there {
		in.add(Problem{Code: CodeMissingClaim, Also: []string{CodeClaimType, CodeTyp}, Place: "claims.events", Expected: logoutEvent, Got: show(events), Text: "events does not hold the event of back-channel logout, so that this is no logout token."})
	} else if !isObject {
		in.add(Problem{Code: CodeClaimType, Also: []string{CodeMalformed}, Place: "claims.events", Expected: "an object", Got: show(event), Text: "The logout event must be an object, usually an empty one."})
	}
}

// assertion judges what RFC 7523 section 3 and OpenID Connect Core section 9 demand.
func (in *inspection) assertion() {
	id := in.want.ClientID
	in.issuer(id, true)
	if sub, isString := in.text("sub"); id != "" && isString && sub != "" && sub != id {
		in.add(Problem{Code: CodeSubject, Also: []string{CodeIssuer}, Place: "claims.sub", Expected: show(id), Got: show(sub), Text: "sub must be the client id in a client assertion, as iss is."})
	} else if iss, _ := in.text("iss"); id == "" && isString && iss != sub {
		in.add(Problem{Code: CodeSubject, Also: []string{CodeIssuer}, Place: "claims.sub", Expected: show(iss), Got: show(sub), Text: "iss and sub must both be the client id in a client assertion."})
	}
	var want []string
	for _, server := range append([]string{in.want.Issuer, in.want.TokenEndpoint}, in.want.Audience...) {
		if server != "" {
			want = append(want, server)
		}
	}
	if in.audience(want, true) {
		in.soleAudience(want)
	}
	in.times(true, false)
	in.require("OpenID Connect Core section 9", "sub", "jti")
}

// soleAudience says where an assertion could be used at another server as well.
func (in *inspection) soleAudience(want []string) {
	got, _ := in.audiences()
	for _, aud := range got {
		if !slices.Contains(want, aud) && !sameServer(aud, in.want.Issuer) {
			in.add(Problem{
				Code: CodeAudience, Place: "claims.aud", Expected: "this server only: " + quoteAll(want), Got: quoteAll(got),
				Text: fmt.Sprintf("The assertion is for %s as well, which could use it here in the client's name.", show(aud)),
			})
			return
		}
	}
	if in.want.Issuer != "" && (len(got) != 1 || got[0] != in.want.Issuer) {
		in.weak(CodeAudience, "claims.aud", show(in.want.Issuer)+", alone", quoteAll(got), "The audience should be the issuer alone, so that the assertion cannot be used elsewhere (draft-ietf-oauth-rfc7523bis).")
	}
}

// sameServer tells whether two addresses have one scheme and host.
func sameServer(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && x.Host != "" && x.User == nil && strings.EqualFold(x.Scheme, y.Scheme) && strings.EqualFold(x.Host, y.Host)
}

// proof judges what RFC 9449 section 4.3 demands.
func (in *inspection) proof() {
	in.require("RFC 9449 section 4.2", "jti", "htm", "htu")
	if htm, isString := in.text("htm"); isString && htm != "" {
		switch {
		case in.want.Method == "":
			in.unknown("method", fmt.Sprintf("Whether %s is the method of the request is unknown.", show(htm)), "the method of the request", true)
		case htm != in.want.Method:
			text := "The proof was made for another method."
			if strings.EqualFold(htm, in.want.Method) {
				text = "The method differs in upper and lower case, which counts."
			}
			in.add(Problem{Code: CodeMethod, Place: "claims.htm", Expected: show(in.want.Method), Got: show(htm), Text: text})
			in.wrong("method", text)
		default:
			in.ok("method", "The proof is for "+htm+".")
		}
	}
	in.target()
	in.proofAge()
	in.tokenHash()
	in.nonce("RFC 9449 section 8")
}

// target compares htu with the address of the request.
func (in *inspection) target() {
	htu, isString := in.text("htu")
	if !isString || htu == "" {
		return
	}
	got, err := targetURI(htu)
	switch {
	case err != nil:
		in.add(Problem{Code: CodeURL, Also: []string{CodeMalformed, CodeClaimType}, Place: "claims.htu", Expected: "an absolute URI", Got: show(bare(htu)), Text: "htu is no absolute http or https address."})
		return
	case in.want.URL == "":
		in.unknown("address", fmt.Sprintf("Whether %s is the address of the request is unknown.", show(got)), "the address of the request", true)
		return
	}
	want, err := targetURI(in.want.URL)
	if err != nil {
		in.unknown("address", "The address of the request that was given is no absolute http or https address.", "the address of the request", true)
		return
	}
	if got != want {
		text := "The proof was made for another address."
		if strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/") {
			text = "The address differs in a slash at its end, which counts."
		} else if strings.TrimPrefix(got, "http") == strings.TrimPrefix(want, "https") || strings.TrimPrefix(got, "https") == strings.TrimPrefix(want, "http") {
			text = "The address differs in http and https: behind a proxy, the server must be told its public address."
		}
		in.add(Problem{Code: CodeURL, Place: "claims.htu", Expected: show(want), Got: show(got), Text: text})
		in.wrong("address", text)
		return
	}
	in.ok("address", "The proof is for "+show(got)+".")
	if strings.ContainsAny(htu, "?#") {
		in.weak(CodeURL, "claims.htu", "an address without query and fragment", "one with it", "htu must be without query and fragment (RFC 9449 section 4.2); they were ignored.")
	}
}

// bare cuts query and fragment, which may hold secrets.
func bare(s string) string {
	if at := strings.IndexAny(s, "?#"); at >= 0 {
		return s[:at] + "?…"
	}
	return s
}

// targetURI brings an address to the form in which it compares: without query
// and fragment, normalised by RFC 3986 sections 6.2.2 and 6.2.3.
func targetURI(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", err
	}
	scheme := strings.ToLower(u.Scheme)
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if scheme != "http" && scheme != "https" || host == "" || u.User != nil || u.Opaque != "" {
		return "", fmt.Errorf("no absolute http address")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && !(scheme == "http" && port == "80" || scheme == "https" && port == "443") {
		host += ":" + port
	}
	return scheme + "://" + host + dotless(normalEscapes(u.EscapedPath())), nil
}

// normalEscapes decodes the escapes of unreserved characters and writes the
// others in upper case, RFC 3986 section 6.2.2.
func normalEscapes(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		escape := path[i : i+3]
		c, err := url.PathUnescape(escape)
		if err == nil && len(c) == 1 && (isAlnum(c[0]) || strings.Contains("-._~", c)) {
			b.WriteString(c)
		} else {
			b.WriteString(strings.ToUpper(escape))
		}
		i += 2
	}
	return b.String()
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// dotless removes dot segments, RFC 3986 section 5.2.4, and writes an empty path as a slash.
func dotless(path string) string {
	if path == "" {
		return "/"
	}
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path, "/")
	out := segments[:0:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
			if last {
				out = append(out, "")
			}
		case "..":
			if len(out) > 1 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return strings.Join(out, "/")
}

// proofAge judges iat, and exp and nbf where a proof has them.
func (in *inspection) proofAge() {
	window := in.want.Window.Seconds()
	if window == 0 {
		window = 300
	}
	in.times(false, true)
	iat, usable := in.seconds("iat")
	if usable && in.now-iat > window+in.leeway {
		text := fmt.Sprintf("The proof was made %s ago; at most %s are allowed. A new one is needed for every request.", span(in.now-iat), span(window))
		in.add(Problem{Code: CodeExpired, Place: "claims.iat", Expected: fmt.Sprintf("at most %s before %s", span(window), moment(in.now)), Got: moment(iat), Text: text})
		in.wrong("age", text)
	} else if usable && iat <= in.now+in.leeway {
		in.ok("age", fmt.Sprintf("The proof is %s old.", span(max(in.now-iat, 0))))
	}
}

// tokenHash compares ath with the access token.
func (in *inspection) tokenHash() {
	ath, isString := in.text("ath")
	_, there := in.claims()["ath"]
	if in.want.AccessToken == "" {
		if there {
			in.unknown("ath", "Whether ath fits the access token is unknown.", "the access token", false)
		}
		return
	}
	sum := sha256.Sum256([]byte(in.want.AccessToken.Reveal()))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	switch {
	case !there:
		in.add(Problem{Code: CodeTokenHash, Also: []string{CodeMissingClaim}, Place: "claims.ath", Expected: show(want), Got: "nothing", Text: "The proof goes with an access token, but holds no hash of it (ath)."})
	case !isString || subtle.ConstantTimeCompare([]byte(ath), []byte(want)) != 1:
		in.add(Problem{Code: CodeTokenHash, Place: "claims.ath", Expected: show(want), Got: show(in.claims()["ath"]), Text: "ath is not the hash of the access token that came with the proof."})
		in.wrong("ath", "ath does not fit the access token.")
	default:
		in.ok("ath", "ath fits the access token.")
	}
}
