package transport

import (
	"slices"
	"strings"

	"usher"
	"usher/check"
)

var tlsVerifyOff = &check.Check{
	ID: "tls-verify-off", Group: check.GroupTransport, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "The client verifies certificates",
	Judged: "The settings and commands of the client's software are looked through for switches that turn verification off, and its requests to the provider for plain http.",
	Cause:  "tls-trust",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Switch verification on again, and install the certificate of the private authority where the client runs (SSL_CERT_FILE, NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE, a trust store)."),
		check.Tightening("Replace secrets that were sent meanwhile."),
	},
	References: []string{"RFC 6749 section 10.9", "RFC 9700 section 2.6"},
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(verifies(t)) },
}

func verifies(t *check.Target) check.Verdict {
	said := usher.Proof{}
	for _, f := range t.Settings {
		text := f.Quote + "\n" + f.Key + "=" + f.Value
		off, on := verifySwitch(text[:min(len(text), 8<<10)])
		if off {
			return check.Wrong("The client does not verify certificates: "+check.Clip(strings.TrimSpace(f.Quote), 80), "Whoever stands between gets secrets, codes and tokens, and can put in keys of their own.",
				usher.Proof{Place: f.Place, Quote: check.Clip(f.Quote, 160), Expected: "verification on"})
		}
		if on && said.Place == "" {
			said = usher.Proof{Place: f.Place, Quote: check.Clip(f.Quote, 160)}
		}
	}
	for _, c := range t.TokenCalls {
		if c.Request == nil || c.Request.Endpoint == "" {
			continue
		}
		rest, plain := strings.CutPrefix(c.Request.Endpoint, "http://")
		host, _, _ := strings.Cut(rest, "/")
		if plain && !loopback(host) {
			return check.Wrong("The client sends token requests over http", "Its secret and the tokens go over the network in the clear.",
				usher.Proof{Place: c.Place, Quote: "POST " + bare(c.Request.Endpoint), Expected: "https", Got: "http"}).Of(c.Request.ClientID)
		}
	}
	if said.Place != "" {
		return check.OK("the settings say so", said)
	}
	if len(t.Settings) == 0 {
		return check.Unknown(check.NeedSettings, "")
	}
	return check.Unknown(check.NeedSettings, "the settings that were given do not speak of certificates")
}

// verifySwitch tells whether a text switches the verification of certificates
// off, or speaks of it and leaves it on.
func verifySwitch(text string) (off, on bool) {
	if insecureCommand(text) {
		return true, false
	}
	for _, sign := range [...]string{"trustallcertificates", "acceptanycertificate", "dangerousacceptanyservercertificatevalidator"} {
		if strings.Contains(plainName(text), sign) {
			return true, false
		}
	}
	for rest := text; rest != ""; {
		i := strings.IndexAny(rest, "=:")
		if i < 0 {
			break
		}
		name, value := lastName(rest[:i]), firstWord(rest[i+1:])
		rest = rest[i+1:]
		switch sense := verifySense(name); {
		case sense == 0:
		case sense > 0 && no(value) || sense < 0 && yes(value):
			return true, false
		case sense == 2 && value != "" || sense > 0 && yes(value) || sense < 0 && no(value):
			on = true
		}
	}
	return false, on
}

// verifySense says what a setting is about, by its name without case and signs:
// 1 switches verification on, -1 switches it off, 2 names who is believed, 0 is
// about something else ("email_verify").
func verifySense(name string) int {
	switch {
	case name == "skipverify", name == "noverify", name == "sslinsecure", name == "tlsinsecure", name == "allowinsecurehttp", name == "insecureskipissuerverification",
		ends(name, "insecureskipverify", "tlsskipverify", "skiptlsverify", "sslskipverify", "skipsslverify", "insecuretls", "insecuressl"):
		return -1
	case name == "verify", ends(name, "rejectunauthorized", "sslverify", "verifyssl", "tlsverify", "verifytls", "validatecertificate", "validatecertificates", "verifycertificate", "pythonhttpsverify", "requirehttpsmetadata"):
		return 1
	case ends(name, "cafile", "cabundle", "sslcertfile", "extracacerts", "truststore", "cacert"):
		return 2
	}
	return 0
}

func ends(name string, with ...string) bool {
	return slices.ContainsFunc(with, func(end string) bool { return strings.HasSuffix(name, end) })
}

func yes(value string) bool {
	return value == "true" || value == "1" || value == "yes" || value == "on"
}

func no(value string) bool {
	return value == "false" || value == "0" || value == "no" || value == "off" || value == "none"
}

// insecureCommand knows curl and its like with the switch that verifies nothing.
func insecureCommand(text string) bool {
	words := strings.Fields(text)
	curl := false
	for _, w := range words {
		w = strings.Trim(w, "`\"'")
		curl = curl || w == "curl" || strings.HasSuffix(w, "/curl")
		short := len(w) >= 2 && len(w) <= 6 && w[0] == '-' && w[1] != '-' && strings.Contains(w, "k")
		if w == "--insecure" || w == "--no-check-certificate" || curl && short && strings.Trim(w[1:], "ksSLfivIN") == "" {
			return true
		}
	}
	return false
}

// lastName gives the name that a text ends with, in small letters and without
// what languages put between its words: SSL_VERIFY, sslVerify, ssl-verify. What
// stands before a dot is where the setting lies.
func lastName(s string) string {
	s = strings.TrimRight(s, " \t\"'")
	i := len(s)
	for i > 0 && (letterOrDigit(s[i-1]) || s[i-1] == '_' || s[i-1] == '-') {
		i--
	}
	return plainName(s[i:])
}

// firstWord gives the value that a text begins with, in small letters.
func firstWord(s string) string {
	s = strings.TrimLeft(s, " \t\"'=")
	i := 0
	for i < len(s) && !strings.ContainsRune(" \t\r\n\"',;)}]", rune(s[i])) {
		i++
	}
	return strings.ToLower(s[:i])
}

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// plainName leaves letters and digits, in small letters.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, s)
}
