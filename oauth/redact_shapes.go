package oauth

import "strings"

// scheme masks what stands behind Bearer, Basic, DPoP and SSWS anywhere.
func (m *masker) scheme(start, end int) bool {
	in := m.in
	if n := end - start; n < 3 || n > 6 || end >= len(in) || in[end] != ' ' && in[end] != '+' && in[end] != '%' || !isScheme(in[start:end]) || in[end-1] == 'n' {
		return false
	}
	i := skipAny(in, end, " +")
	if strings.HasPrefix(in[i:], "%20") {
		i += 3
	}
	stop := i
	for stop < len(in) && (byteClass[in[stop]]&inRun != 0 || in[stop] == '=') {
		stop++
	}
	value := in[i:stop]
	if len(value) < 8 || len(value) < longValue && strings.Contains(strings.TrimRight(value, "="), "=") || isErrorWord(value) || !random(value) && len(value) < 20 {
		return false
	}
	m.mask(i, stop)
	return true
}

func isErrorWord(value string) bool {
	return len(value) < 30 && strings.Trim(value, "abcdefghijklmnopqrstuvwxyz_-.") == ""
}

// prefixes of credentials, by vendor.
var prefixes = [...]struct {
	prefix string
	least  int
}{
	{"ya29", 20},
	{"1//0", 20},
	{"GOCSPX-", 15},
	{"AIza", 30},
	{"ghp_", 20},
	{"gho_", 20},
	{"ghu_", 20},
	{"ghs_", 20},
	{"ghr_", 20},
	{"github_pat_", 20},
	{"glpat-", 15},
	{"gloas-", 15},
	{"xoxb-", 15},
	{"xoxp-", 15},
	{"xoxa-", 15},
	{"xoxr-", 15},
	{"xoxs-", 15},
	{"xoxe", 15},
	{"xapp-", 15},
	{"sk_live_", 15},
	{"sk_test_", 15},
	{"rk_live_", 15},
	{"rk_test_", 15},
	{"whsec_", 15},
	{"SG.", 30},
	{"AKIA", 18},
	{"ASIA", 18},
	{"EAA", 40},
	{"npm_", 20},
	{"shpat_", 20},
	{"shpss_", 20},
	{"pat-na1-", 20},
	{"0.A", 40},
	{"1.A", 40},
	{"M.C", 40},
	{"eyJ", 40},
	{"dop_v1_", 20},
}

var firstOfPrefix = func() (table [256]bool) {
	for i := range prefixes {
		table[prefixes[i].prefix[0]] = true
	}
	return table
}()

// mostRandom bounds how much of a run is looked at to tell whether it is random.
const mostRandom = 256

// shape masks a credential that is known by its form alone.
func (m *masker) shape(start, end int) bool {
	in := m.in
	if end > m.run {
		stop := end
		for stop < len(in) && byteClass[in[stop]]&inRun != 0 {
			stop++
		}
		for stop > end && (in[stop-1] == '.' || in[stop-1] == '/') {
			stop--
		}
		m.run = stop
	}
	stop := m.run
	if stop-start < 12 {
		return false
	}
	run := in[start:stop]
	if firstOfPrefix[run[0]] {
		for i := range prefixes {
			p := &prefixes[i]
			if len(run) < p.least || !strings.HasPrefix(run, p.prefix) {
				continue
			}
			if p.prefix == "eyJ" && strings.IndexByte(run[:min(len(run), 1<<12)], '.') < 0 {
				break // base64 of JSON, no JWT
			}
			m.mask(start, stop)
			return true
		}
	}
	if len(run) >= 12 && strings.Contains(run[3:8], "Q~") { // Entra client secrets
		m.mask(start, stop)
		return true
	}
	if m.encodedLine(run) {
		m.mask(start, stop)
		return true
	}
	// A run without dots and slashes is one value; one with them is a path or
	// a name unless its first part is random already.
	word := run
	for i := end - start; i < min(len(run), mostRandom); i++ {
		if run[i] == '/' || run[i] == '.' {
			word = in[start:end]
			break
		}
	}
	if len(word) < 32 || !highEntropy(word[:min(len(word), mostRandom)]) || m.afterID(start) || strings.HasSuffix(run, ".apps.googleusercontent.com") {
		return false
	}
	m.mask(start, start+len(word))
	return true
}

// afterID tells whether the name before a value is that of an identifier: its
// value is long and random and no secret.
func (m *masker) afterID(start int) bool {
	in, i := m.in, start
	for i > m.done && strings.IndexByte(` "'=:\#[`, in[i-1]) >= 0 {
		i--
	}
	if i == start {
		return false
	}
	end := i
	for i > m.done && byteClass[in[i-1]]&inWord != 0 {
		i--
	}
	if end-i > mostName {
		i = end - mostName
	}
	var buf [mostName]byte
	name := lower(&buf, in[i:end])
	switch string(name) {
	case "kid", "x5t", "s256", "x5c", "thumbprint", "trace", "correlation", "request", "fingerprint", "sha", "sha256", "commit", "hash", "jkt", "code_challenge", "nonce", "state", "claims", "key",
		"sub", "oid", "jti", "traceparent", "identifier", "n", "x", "y", "digest", "etag":
		return true
	}
	for _, suffix := range [...]string{"id", "identifier", "thumbprint", "_hash"} {
		if n := len(name) - len(suffix); n >= 0 && string(name[n:]) == suffix {
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
	if digit < 2 {
		return false
	}
	if isHex(text) {
		return len(text) >= 40 && upper == 0
	}
	return strings.IndexByte(text, '~') > 0 && upper > 0 && lower > 0 || upper >= 2 && lower >= 2 && changes(text) >= len(text)/5 || digit >= 6 && upper+lower >= 8 && changes(text) >= len(text)/4 && strings.Count(text, "-") < 4
}

func isHex(text string) bool {
	for i := 0; i < len(text); i++ {
		if hexValue(text[i]) > 15 {
			return false
		}
	}
	return true
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
