package oauth

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"

	"usher"
)

// Redactor masks known secrets, in the encodings in which they travel, and
// everything that Redact masks. The zero value is ready.
type Redactor struct {
	known    map[string]string // encoded secret to its mask
	replacer *strings.Replacer
	shown    []string // ids that are no secrets, see Show
}

// leastSecret is the shortest known secret that is searched for: a shorter one
// would mask ordinary words.
const leastSecret = 6

// Add makes a secret known: as it is, percent-encoded, as a form, in JSON and
// HTML, in hex, and in base64 wherever it stands in what was encoded, as behind
// the client id of a Basic header.
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
	add := func(form string) {
		if len(form) >= leastSecret {
			r.known[form] = mask
		}
	}
	forms := []string{plain}
	if decoded, err := url.QueryUnescape(plain); err == nil && decoded != plain {
		forms = append(forms, decoded)
	}
	for _, form := range forms {
		add(form)
		add(hex.EncodeToString([]byte(form)))
		add(strings.ToUpper(hex.EncodeToString([]byte(form))))
		base64Cores(form, add)
		if unreserved(form) {
			continue
		}
		escapes(form, add)
		base64Cores(url.QueryEscape(form), add) // RFC 6749 section 2.3.1
	}
}

// Redact masks the known secrets and every other credential in s.
func (r *Redactor) Redact(s string) string {
	if len(r.known) > 0 {
		if r.replacer == nil {
			r.build()
		}
		s = r.replace(s)
	}
	if len(r.shown) > 0 {
		return r.around(s)
	}
	return Redact(s)
}

// replace masks the known secrets between the masks that are there already: a
// secret such as "secret" is a part of every mask.
func (r *Redactor) replace(s string) string {
	if strings.IndexByte(s, '[') < 0 {
		return r.replacer.Replace(s)
	}
	var out strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		if n := maskAt(s, i); n > 0 {
			out.WriteString(r.replacer.Replace(s[done:i]))
			out.WriteString(s[i : i+n])
			done = i + n
			i = done - 1
		}
	}
	if done == 0 {
		return r.replacer.Replace(s)
	}
	out.WriteString(r.replacer.Replace(s[done:]))
	return out.String()
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

// unreserved tells whether no encoding of text changes it, RFC 3986 section 2.3.
func unreserved(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; !isLetter(c) && !isDigit(c) && strings.IndexByte("-._~", c) < 0 {
			return false
		}
	}
	return true
}

// escapes adds the percent-encoded, JSON and HTML forms of a secret.
func escapes(plain string, add func(string)) {
	form := url.QueryEscape(plain)
	percent := strings.ReplaceAll(form, "+", "%20")
	component := strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(percent) // as JavaScript encodes
	for _, s := range [...]string{form, percent, component, url.PathEscape(plain), url.QueryEscape(form), url.QueryEscape(percent)} {
		add(s)
		add(lowerPercent(s))
	}
	add(html.EscapeString(plain))
	add(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(plain))
	add(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(plain))
	simple := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(plain)
	quoted := jsonString(plain)
	for _, s := range [...]string{simple, quoted, asciiJSON(simple), asciiJSON(quoted)} {
		add(s)
		add(strings.ReplaceAll(s, "/", `\/`))
		add(jsonString(s)) // JSON in JSON
	}
}

func jsonString(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return string(data[1 : len(data)-1])
}

// asciiJSON writes what is not ASCII as \u escapes.
func asciiJSON(s string) string {
	var out strings.Builder
	for _, r := range s {
		if r < 0x80 {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			digits := strconv.FormatUint(uint64(unit), 16)
			out.WriteString(`\u` + "0000"[len(digits):] + digits)
		}
	}
	return out.String()
}

// lowerPercent writes %2F as %2f.
func lowerPercent(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			for j := i + 1; j <= i+2; j++ {
				if b[j] >= 'A' && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
		}
	}
	return string(b)
}

// base64Cores adds what base64 makes of a text at each of the three places it
// can have in a group of three bytes, without the characters that its
// neighbours have a share in.
func base64Cores(text string, add func(string)) {
	for offset, skip := range [...]int{0, 2, 3} {
		raw := make([]byte, offset+len(text))
		copy(raw[offset:], text)
		whole := len(raw) * 8 / 6
		add(base64.RawStdEncoding.EncodeToString(raw)[skip:whole])
		add(base64.RawURLEncoding.EncodeToString(raw)[skip:whole])
	}
}
