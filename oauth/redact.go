package oauth

import (
	"encoding/base64"
	"html"
	"net/url"
	"sort"
	"strings"

	"usher"
)

// Redact masks every credential in a text of any form: URLs, forms, JSON,
// headers, command lines, configuration, stack traces. A credential is known
// by the name before it (client_secret=...), by its scheme (Bearer ...), by its
// shape (a JWT, a vendor's prefix), or because it is a long random run. Error
// words, codes, GUIDs, client ids and plain words stay. A mask is the
// fingerprint of usher.Secret, so equal secrets look equal. Redact(Redact(s))
// is Redact(s).
func Redact(s string) string {
	m := masker{in: s}
	m.scan()
	return m.result()
}

// Redactor masks known secrets, in the encodings in which they travel, and
// everything that Redact masks. The zero value is ready.
type Redactor struct {
	known    map[string]string // encoded secret to its mask
	replacer *strings.Replacer
}

// leastSecret is the shortest known secret that is searched for: a shorter one
// would mask ordinary words.
const leastSecret = 6

// Add makes a secret known.
func (r *Redactor) Add(secret usher.Secret) {
	plain := secret.Reveal()
	if len(plain) < leastSecret {
		return
	}
	if r.known == nil {
		r.known = map[string]string{}
	}
	r.replacer = nil
	mask := secret.Fingerprint()
	for _, form := range [...]string{
		plain, url.QueryEscape(plain), url.PathEscape(plain), strings.ToLower(url.QueryEscape(plain)), html.EscapeString(plain), jsonEscape(plain),
		base64.RawStdEncoding.EncodeToString([]byte(plain)), base64.RawURLEncoding.EncodeToString([]byte(plain)), unescape(plain),
	} {
		if len(form) >= leastSecret {
			r.known[form] = mask
		}
	}
}

// Redact masks the known secrets and every other credential in s.
func (r *Redactor) Redact(s string) string {
	if len(r.known) > 0 {
		if r.replacer == nil {
			r.build()
		}
		s = r.replacer.Replace(s)
	}
	return Redact(s)
}

// build makes the replacer, the longest forms first.
func (r *Redactor) build() {
	forms := make([]string, 0, len(r.known))
	for form := range r.known {
		forms = append(forms, form)
	}
	sort.Slice(forms, func(i, j int) bool {
		if len(forms[i]) != len(forms[j]) {
			return len(forms[i]) > len(forms[j])
		}
		return forms[i] < forms[j]
	})
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, r.known[form])
	}
	r.replacer = strings.NewReplacer(pairs...)
}

func jsonEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "/", `\/`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s)
}

// masker walks over a text once. done is how far the input has been copied.
type masker struct {
	in   string
	out  strings.Builder
	done int
	at   int
}

func (m *masker) result() string {
	if m.done == 0 {
		return m.in
	}
	m.out.WriteString(m.in[m.done:])
	return m.out.String()
}

// mask replaces in[start:end] and goes on behind it.
func (m *masker) mask(start, end int) {
	m.out.WriteString(m.in[m.done:start])
	m.out.WriteString(usher.Secret(m.in[start:end]).Fingerprint())
	m.done, m.at = end, end
}

// runClass tells for each byte whether it belongs to a word (1) and whether it
// can stand inside a credential (2).
var runClass = func() (table [256]uint8) {
	for c := 0; c < 256; c++ {
		b := byte(c)
		switch {
		case b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b == '-':
			table[c] = 3
		case strings.IndexByte("+/=.~", b) >= 0:
			table[c] = 2
		}
	}
	return table
}()

func (m *masker) scan() {
	in := m.in
	for m.at < len(in) {
		start := m.at
		for start < len(in) && runClass[in[start]]&1 == 0 {
			if in[start] == ':' && strings.HasPrefix(in[start:], "://") {
				m.at = start + 3
				m.userinfo()
				start = m.at
				continue
			}
			start++
		}
		end := start
		for end < len(in) && runClass[in[end]]&1 != 0 {
			end++
		}
		m.at = end
		if start < end {
			m.word(start, end)
		}
	}
}

// word looks at one word: is it a name with a credential behind it, a scheme,
// a key block, a known shape, or random?
func (m *masker) word(start, end int) {
	word := m.in[start:end]
	switch {
	case m.block(start, word), m.named(start, end), m.scheme(word, end), m.userFlag(start, end):
	default:
		m.shape(start, end)
	}
}

// block masks a PEM private key, also with escaped line ends.
func (m *masker) block(start int, word string) bool {
	if !strings.HasPrefix(word, "-----BEGIN") {
		return false
	}
	rest := m.in[start:]
	head := rest[:min(len(rest), 64)]
	if !strings.Contains(head, "PRIVATE KEY") {
		return false
	}
	end := len(m.in)
	if i := strings.Index(rest[10:], "-----END"); i >= 0 {
		end = start + 10 + i
		if j := strings.Index(m.in[end+8:], "-----"); j >= 0 {
			end += 8 + j + 5
		}
	}
	m.mask(start, end)
	return true
}

// userinfo masks the password of scheme://user:password@host.
func (m *masker) userinfo() {
	colon := -1
	for i := m.at; i < len(m.in) && i < m.at+512; i++ {
		switch c := m.in[i]; {
		case c == ':' && colon < 0:
			colon = i
		case c == '@':
			if colon >= 0 && i > colon+1 && !isMask(m.in[colon+1:i]) {
				m.mask(colon+1, i)
			}
			return
		case c <= ' ' || strings.IndexByte(`/?#"'<>\`, c) >= 0:
			return
		}
	}
}

// named masks the value behind the name of a credential.
func (m *masker) named(start, end int) bool {
	kind := nameKind(m.in[start:end])
	if kind == nameNone {
		return false
	}
	v, ok := m.valueAt(start, end, kind)
	if !ok || v.start >= v.end {
		return false
	}
	text := m.in[v.start:v.end]
	if keepValue(text) || !v.credential(m.in, kind, text) {
		return false
	}
	if scheme, rest, found := strings.Cut(text, " "); found && isScheme(scheme) {
		lead := len(text) - len(strings.TrimLeft(rest, " "))
		if keepValue(text[lead:]) || strings.Contains(rest, "=\"") {
			return false
		}
		v.start += lead
	}
	m.mask(v.start, v.end)
	return true
}

type nameClass uint8

const (
	nameNone   nameClass = iota
	nameStrict           // what stands behind it is a credential
	nameLoose            // it is one if it looks like one: token, code, key
	nameHeader           // a header whose value goes to the end of the line
)

// harmlessEnds are the ends of names that speak about a credential.
var harmlessEnds = [...]string{
	"_type", "type", "_use", "_endpoint", "endpoint", "_url", "url", "_uri", "uri", "_method", "method", "_id", "-id", "keyid", "_name", "_at", "_in", "expires", "expiry",
	"expiration", "expireson", "lifetime", "_hint", "version", "challenge", "policy", "enabled", "required", "supported", "_alg", "_header", "credentials", "length", "count",
	"status", "provider", "mode", "format", "domain", "path", "samesite", "secure", "httponly", "issuer", "audience", "scope", "scopes", "handler", "service", "exception", "error",
	"request", "validation", "parameters", "store", "cache", "source", "manager", "protection", "_basic", "_post", "_jwt", "name", "age", "location", "reuse",
}

// nameKind sorts a word as the name of a credential.
func nameKind(word string) nameClass {
	n := len(word)
	if n < 3 || n > 48 {
		return nameNone
	}
	var buf [48]byte
	for i := 0; i < n; i++ {
		c := word[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	name := string(buf[:n])
	switch name {
	case "authorization", "proxy-authorization", "cookie", "set-cookie", "dpop":
		return nameHeader
	case "code", "token", "key", "jwt", "request", "verifier", "-oauth2-bearer", "--oauth2-bearer", "user_code", "usercode", "ticket", "credential", "sig", "signature":
		return nameLoose
	case "password", "passwd", "pwd", "pass", "passphrase", "assertion", "samlresponse", "samlrequest", "device_code", "devicecode", "code_verifier", "codeverifier", "secret", "authcode", "auth_code", "authorization_code",
		"apikey", "api_key", "api-key", "x-api-key", "privatekey", "private_key", "subject_token", "actor_token", "ssws", "id_token_hint", "secretvalue", "sessionid", "session_id", "jsessionid", "client_key":
		return nameStrict
	}
	if !strings.Contains(name, "secret") && !strings.Contains(name, "passw") && !strings.Contains(name, "token") && !strings.Contains(name, "assertion") &&
		!strings.Contains(name, "apikey") && !strings.Contains(name, "api_key") && !strings.Contains(name, "private_key") && !strings.Contains(name, "privatekey") && !strings.Contains(name, "cookie") && !strings.Contains(name, "pwd") {
		return nameNone
	}
	if name != "id_token_hint" {
		for _, end := range harmlessEnds {
			if strings.HasSuffix(name, end) {
				return nameNone
			}
		}
	}
	return nameStrict
}

// span is a value that was found behind a name, and how.
type span struct {
	start, end int
	quoted     bool
	form       bool // in a query or a form: the value is a credential whatever it looks like
	colon      bool
}

// valueAt finds the value that belongs to a name: name=value, name: value,
// "name":"value", name%3Dvalue, <name>value</name>, {"name":N,"value":V}, and
// the part of a multipart form.
func (m *masker) valueAt(start, end int, kind nameClass) (span, bool) {
	in := m.in
	i := skipAny(in, end, `"'\`)
	var v span
	switch {
	case i < len(in) && in[i] == '>' && start > 0 && in[start-1] == '<':
		v.start, v.form = i+1, true
		n := strings.IndexByte(in[v.start:], '<')
		if n < 0 {
			n = len(in) - v.start
		}
		v.end = v.start + n
		return v, true
	case strings.HasPrefix(in[i:], "%3D"), strings.HasPrefix(in[i:], "%3d"):
		v.start, v.form = i+3, true
		v.end = v.start + strings.IndexAny(in[v.start:]+" ", " &\"'\r\n\t<>")
		if n := strings.Index(strings.ToLower(in[v.start:v.end]), "%26"); n >= 0 {
			v.end = v.start + n
		}
		return v, true
	case i > end && i < len(in) && in[i] == ',':
		return m.pairValue(i)
	case i > end && strings.HasPrefix(in[i:], "\r\n\r\n"), i > end && strings.HasPrefix(in[i:], "\n\n"):
		v.start = i + len(in[i:]) - len(strings.TrimLeft(in[i:], "\r\n"))
		v.end, v.form = v.start+strings.IndexAny(in[v.start:]+"\n", "\r\n"), true
		return v, true
	}
	j := skipAny(in, i, " \t")
	if j >= len(in) || in[j] != '=' && in[j] != ':' {
		if strings.HasSuffix(in[start:end], "oauth2-bearer") {
			v.start = j
			v.end = j + strings.IndexAny(in[j:]+" ", " \t\r\n\"'")
			v.form = true
			return v, v.end > v.start
		}
		return span{}, false
	}
	v.colon = in[j] == ':'
	v.form = in[j] == '=' && i == end && j == i && (start == 0 || strings.IndexByte("?&#;\n\"' ", in[start-1]) >= 0)
	j++
	if j < len(in) && (in[j] == '>' || in[j] == '=') { // => and ==
		j++
	}
	j = skipAny(in, j, " \t")
	escaped := strings.HasPrefix(in[j:], `\"`) || strings.HasPrefix(in[j:], `\'`)
	if escaped {
		j++
	}
	if j < len(in) && (in[j] == '"' || in[j] == '\'' || in[j] == '`') {
		v.start, v.quoted = j+1, true
		v.end = quoteEnd(in, v.start, in[j], escaped)
		return v, true
	}
	v.start = j
	stop := " \t\r\n&;,)}]<>\"'`|\\"
	if kind == nameHeader {
		stop = "\r\n\"'`\\"
	}
	v.end = j + strings.IndexAny(in[j:]+"\n", stop)
	return v, true
}

// pairValue reads {"name":"client_secret","value":"..."}, as HAR has it.
func (m *masker) pairValue(comma int) (span, bool) {
	in := m.in
	i := skipAny(in, comma+1, " \t\r\n\"'\\")
	if !strings.HasPrefix(in[i:], "value") {
		return span{}, false
	}
	i = skipAny(in, i+5, " \t\r\n\"'\\")
	if i >= len(in) || in[i] != ':' {
		return span{}, false
	}
	i = skipAny(in, i+1, " \t\r\n")
	escaped := strings.HasPrefix(in[i:], `\"`)
	if escaped {
		i++
	}
	if i >= len(in) || in[i] != '"' {
		return span{}, false
	}
	return span{start: i + 1, end: quoteEnd(in, i+1, '"', escaped), quoted: true, form: true}, true
}

func quoteEnd(in string, start int, quote byte, escaped bool) int {
	for i := start; i < len(in); i++ {
		switch {
		case escaped && in[i] == '\\' && i+1 < len(in) && in[i+1] == quote:
			return i
		case !escaped && in[i] == '\\':
			i++
		case in[i] == quote:
			return i
		}
	}
	return len(in)
}

func skipAny(in string, at int, set string) int {
	for at < len(in) && strings.IndexByte(set, in[at]) >= 0 {
		at++
	}
	return at
}

// isMask tells whether a text is a mask already.
func isMask(text string) bool {
	return strings.HasPrefix(text, "[secret ") || strings.HasPrefix(text, "[no secret]") || strings.HasPrefix(text, "[secret")
}

// keepValue tells whether a value is no credential whatever its name: empty,
// a mask, a literal, a placeholder, an object.
func keepValue(text string) bool {
	switch strings.ToLower(text) {
	case "", "true", "false", "null", "nil", "none", "undefined", "yes", "no", "n/a", "***", "xxx", "...", "redacted", "<secret>", "empty", "missing", "s256", "plain":
		return true
	}
	switch text[0] {
	case '{', '[', '$', '<', '*', '(', '%':
		return text[0] != '%' && text[0] != '$' && text[0] != '*' && text[0] != '(' || len(text) < 3 ||
			text[0] == '$' && isName(strings.Trim(text[1:], "{}()")) || strings.Trim(text, "*") == ""
	}
	return isPlaceholder(text)
}

// isPlaceholder tells CLIENT_SECRET_GOES_HERE from a value.
func isPlaceholder(text string) bool {
	return strings.Contains(text, "_") && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

func isName(text string) bool {
	return text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.") == ""
}

// credential tells whether the value of a name is one, by the kind of the name
// and the way it was written.
func (v span) credential(in string, kind nameClass, text string) bool {
	switch kind {
	case nameHeader:
		return !isChallenge(text)
	case nameLoose:
		if v.form && !v.quoted {
			return !isErrorCode(text)
		}
		return len(text) >= 12 && random(text) && !isErrorCode(text)
	}
	if v.quoted || v.form || !v.colon {
		return !(v.colon && strings.Contains(text, " ") && !random(text) && len(text) > 40)
	}
	// name: word and then more words is a sentence
	return !(strings.Trim(text, "abcdefghijklmnopqrstuvwxyz'.") == "" && v.end < len(in) && in[v.end] == ' ' && v.end+1 < len(in) && isLetter(in[v.end+1]))
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// isChallenge tells a challenge (Bearer error="...") from credentials.
func isChallenge(text string) bool {
	return strings.Contains(text, `="`) && !strings.HasPrefix(text, "Digest") || strings.Contains(text, "=\\\"")
}

// isErrorCode tells 53003, invalid_grant, AADSTS53003 and ETIMEDOUT from an
// authorization code.
func isErrorCode(text string) bool {
	if len(text) <= 7 && strings.Trim(text, "0123456789") == "" || strings.Trim(text, "-0123456789") == "" && len(text) <= 10 {
		return true
	}
	letters := strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-. ") == ""
	upper := strings.ToUpper(text)
	return letters && len(text) < 64 || strings.HasPrefix(upper, "AADSTS") && len(text) < 16 || strings.HasPrefix(upper, "E0000") && len(text) <= 8 || strings.HasPrefix(upper, "IDX") && len(text) < 10
}

func isScheme(word string) bool {
	switch strings.ToLower(word) {
	case "bearer", "basic", "dpop", "ssws", "token", "negotiate", "digest", "pop", "mac":
		return true
	}
	return false
}

// scheme masks what stands behind Bearer, Basic, DPoP and SSWS anywhere.
func (m *masker) scheme(word string, end int) bool {
	if len(word) < 4 || len(word) > 6 || word[len(word)-1] == 'n' || !isScheme(word) || end >= len(m.in) || m.in[end] != ' ' && m.in[end] != '+' && m.in[end] != '%' {
		return false
	}
	start := skipAny(m.in, end, " +")
	if strings.HasPrefix(m.in[start:], "%20") {
		start += 3
	}
	stop := start
	for stop < len(m.in) && runClass[m.in[stop]]&2 != 0 {
		stop++
	}
	value := m.in[start:stop]
	if len(value) < 8 || strings.Contains(strings.TrimRight(value, "="), "=") || isErrorWord(value) || !random(value) && len(value) < 20 {
		return false
	}
	m.mask(start, stop)
	return true
}

func isErrorWord(value string) bool {
	return strings.Trim(value, "abcdefghijklmnopqrstuvwxyz_-.") == "" && len(value) < 30
}

// userFlag masks the password of -u user:password.
func (m *masker) userFlag(start, end int) bool {
	word := m.in[start:end]
	if word != "-u" && word != "--user" && word != "--proxy-user" || end >= len(m.in) || m.in[end] != ' ' {
		return false
	}
	i := skipAny(m.in, end, " \"'")
	stop := i + strings.IndexAny(m.in[i:]+" ", " \t\r\n\"'")
	colon := strings.IndexByte(m.in[i:stop], ':')
	if colon < 0 || keepValue(m.in[i+colon+1:stop]) {
		return false
	}
	m.mask(i+colon+1, stop)
	return true
}

// prefixes of credentials, by vendor.
var prefixes = [...]struct {
	prefix string
	least  int
}{
	{"ya29", 20}, {"1//0", 20}, {"GOCSPX-", 15}, {"AIza", 30}, {"ghp_", 20}, {"gho_", 20}, {"ghu_", 20}, {"ghs_", 20}, {"ghr_", 20}, {"github_pat_", 20},
	{"glpat-", 15}, {"gloas-", 15}, {"xoxb-", 15}, {"xoxp-", 15}, {"xoxa-", 15}, {"xoxr-", 15}, {"xoxs-", 15}, {"xoxe", 15}, {"xapp-", 15}, {"sk_live_", 15}, {"sk_test_", 15},
	{"rk_live_", 15}, {"rk_test_", 15}, {"whsec_", 15}, {"SG.", 30}, {"AKIA", 18}, {"ASIA", 18}, {"EAA", 40}, {"npm_", 20}, {"shpat_", 20}, {"shpss_", 20}, {"pat-na1-", 20}, {"0.A", 40}, {"1.A", 40}, {"M.C", 40}, {"eyJ", 40}, {"dop_v1_", 20},
}

// shape masks a credential that is known by its form alone.
func (m *masker) shape(start, end int) {
	in := m.in
	stop := end
	for stop < len(in) && runClass[in[stop]]&2 != 0 {
		stop++
	}
	for stop > end && (in[stop-1] == '.' || in[stop-1] == '/') {
		stop--
	}
	if stop-start < 15 {
		return
	}
	run := in[start:stop]
	for i := range prefixes {
		p := &prefixes[i]
		if run[0] != p.prefix[0] || len(run) < p.least || !strings.HasPrefix(run, p.prefix) {
			continue
		}
		if p.prefix == "eyJ" && strings.IndexByte(run, '.') < 0 {
			break // base64 of JSON, no JWT
		}
		m.mask(start, stop)
		return
	}
	if i := strings.Index(run, "Q~"); i >= 3 && i <= 6 && len(run) >= 30 { // Entra client secrets
		m.mask(start, stop)
		return
	}
	word := in[start:end]
	// A run without dots and slashes is one value; one with them is a path or
	// a name unless its first part is random already.
	if len(run) >= 32 && strings.IndexByte(run, '/') < 0 && strings.IndexByte(run, '.') < 0 {
		word = run
	}
	if len(word) >= 32 && highEntropy(word) && !m.afterID(start) {
		m.mask(start, start+len(word))
	}
}

// idNames stand before values that are long and random and no secrets.
var idNames = [...]string{"kid", "x5t", "x5t#s256", "thumbprint", "trace", "correlation", "request", "id", "fingerprint", "sha", "sha256", "commit", "hash", "jkt", "code_challenge", "nonce", "state", "client_id", "clientid", "claims", "key"}

// afterID tells whether the name before a value is that of an identifier.
func (m *masker) afterID(start int) bool {
	i := start
	for i > 0 && strings.IndexByte(` "'=:\#`, m.in[i-1]) >= 0 {
		i--
	}
	if i == start {
		return false
	}
	end := i
	for i > 0 && runClass[m.in[i-1]]&1 != 0 {
		i--
	}
	name := strings.ToLower(m.in[i:end])
	for _, id := range idNames {
		if name == id || id == "id" && (strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "-id")) {
			return true
		}
	}
	return false
}

// random tells whether a text mixes kinds of characters as words do not.
func random(text string) bool {
	upper, lower, digit, other := classes(text)
	kinds := 0
	for _, n := range [...]int{upper, lower, digit, other} {
		if n > 0 {
			kinds++
		}
	}
	return digit > 0 && kinds >= 2 || upper > 2 && lower > 2 && changes(text) > len(text)/4
}

// highEntropy tells a random run of 32 and more characters from GUIDs, hex
// identifiers and names of classes.
func highEntropy(text string) bool {
	if IsGUID(text) {
		return false
	}
	upper, lower, digit, _ := classes(text)
	if strings.Trim(strings.ToLower(text), "0123456789abcdef") == "" {
		return len(text) >= 40 && digit > 0 && upper == 0
	}
	return digit >= 2 && upper >= 2 && lower >= 2 && changes(text) >= len(text)/5 || digit >= 6 && upper+lower >= 8 && changes(text) >= len(text)/4 && strings.Count(text, "-") < 4
}

func classes(text string) (upper, lower, digit, other int) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= 'a' && c <= 'z':
			lower++
		case c >= '0' && c <= '9':
			digit++
		default:
			other++
		}
	}
	return
}

// changes counts how often the kind of character changes.
func changes(text string) (n int) {
	last := byte(0)
	for i := 0; i < len(text); i++ {
		kind := byte('o')
		switch c := text[i]; {
		case c >= 'A' && c <= 'Z':
			kind = 'u'
		case c >= 'a' && c <= 'z':
			kind = 'l'
		case c >= '0' && c <= '9':
			kind = 'd'
		}
		if kind != last && i > 0 {
			n++
		}
		last = kind
	}
	return n
}

// IsGUID tells whether a text is a GUID in its usual form, RFC 9562 section 4.
func IsGUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}
