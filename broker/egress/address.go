package egress

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"usher"
)

// origin is scheme, host and port of a target, in the one form in which targets
// are compared: lower case, the port written out, no dot of the root.
type origin struct{ scheme, host, port string }

func (o origin) String() string { return o.scheme + "://" + o.authority() }

// authority is what is asked: the port only where it is not the scheme's own.
func (o origin) authority() string {
	if o.scheme == "http" && o.port == "80" || o.scheme == "https" && o.port == "443" {
		if strings.Contains(o.host, ":") {
			return "[" + o.host + "]"
		}
		return o.host
	}
	return net.JoinHostPort(o.host, o.port)
}

// ParseTarget reads a target as a connection names it: an origin, as
// "https://api.example" or "http://127.0.0.1:8080", and nothing behind it.
func ParseTarget(text string) (origin, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	o, why := parseOrigin(scheme, strings.TrimSuffix(rest, "/"))
	if why != "" {
		return o, &usher.Error{Code: usher.ErrUsage, Message: "the target " + clip(text) + " " + why, Hint: "write scheme, host and port, as https://api.example"}
	}
	return o, nil
}

// parseOrigin reads a scheme and an authority, strictly: what two readers could
// read differently is refused. why is empty where it is good.
func parseOrigin(scheme, authority string) (o origin, why string) {
	o.scheme = strings.ToLower(scheme)
	switch {
	case o.scheme != "https" && o.scheme != "http":
		return o, "is neither https nor http"
	case authority == "":
		return o, "names no host"
	case len(authority) > 300:
		return o, "has a host that is longer than any name"
	case strings.Contains(authority, "@"):
		return o, "has a user name in it"
	}
	for i := range len(authority) {
		switch b := authority[i]; {
		case b >= 0x80:
			return o, "has a host with characters beyond ASCII, which may look like another: write it as xn--..."
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '.', b == ':', b == '[', b == ']', b == '_':
		default:
			return o, "has a character in its host that does not belong there"
		}
	}
	host, port := authority, ""
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return o, "has a bracket that does not end"
		}
		host, port = authority[1:end], authority[end+1:]
		a, err := netip.ParseAddr(host)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return o, "has no IPv6 address in its brackets"
		}
		host = a.String()
		if port != "" && port[0] != ':' {
			return o, "has something behind its host"
		}
	} else {
		host, _, _ = strings.Cut(authority, ":")
		if port = authority[len(host):]; strings.ContainsAny(host, "[]") {
			return o, "has a bracket in its host"
		}
	}
	if port == ":" {
		return o, "has no port behind its colon"
	}
	port = strings.TrimPrefix(port, ":")
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[o.scheme]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return o, "has a port that is none"
	}
	o.host, o.port = strings.ToLower(strings.TrimSuffix(host, ".")), port
	if o.host == "" || strings.HasPrefix(o.host, ".") || strings.Contains(o.host, "..") {
		return o, "names no host"
	}
	return o, ""
}

func bad(what, hint string) *problem {
	return &problem{status: http.StatusBadRequest, code: "request_malformed", cause: "request-malformed", what: what, hint: hint}
}

// readable refuses requests that a proxy must not pass on, before anything else
// is looked at.
func (c *call) readable() *problem {
	r := c.r
	size := 0
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + 4
		}
	}
	switch {
	case size > mostHeader:
		return &problem{status: http.StatusRequestHeaderFieldsTooLarge, code: "headers_too_large", cause: "request-malformed", what: "the headers are larger than 64 KiB", hint: "send fewer, or shorter ones"}
	case r.Method == http.MethodConnect:
		return &problem{status: http.StatusMethodNotAllowed, code: "tunnel", cause: "request-malformed", what: "usher tunnels nothing: it could not put a token into what is inside", hint: "ask for /egress/{connection}/https/{host}/{path}"}
	case r.Method == http.MethodTrace:
		return &problem{status: http.StatusMethodNotAllowed, code: "trace", cause: "request-malformed", what: "TRACE would send the token back", hint: "use another method"}
	case r.Header.Get("Upgrade") != "" || connectionSays(r.Header, "upgrade"):
		return &problem{status: http.StatusNotImplemented, code: "upgrade", cause: "request-malformed", what: "connections that change their protocol, as websockets do, are not passed on", hint: "take the token by GET /connections/{id}/token and open the connection yourself"}
	case r.Header.Get("Expect") != "" && !strings.EqualFold(r.Header.Get("Expect"), "100-continue"):
		return &problem{status: http.StatusExpectationFailed, code: "expect", cause: "request-malformed", what: "the expectation is not known", hint: "leave out the header Expect"}
	case viaUs(r.Header):
		return &problem{status: http.StatusLoopDetected, code: "loop", cause: "request-malformed", what: "the request came through usher already", hint: "see what the target of the connection is"}
	}
	return nil
}

// address reads where a request is to go and the caller's key: from the path, or
// from the whole URL of a request to a proxy.
func (c *call) address() (key usher.Secret, no *problem) {
	r := c.r
	if r.URL.IsAbs() {
		return c.asProxy()
	}
	// The path is read as it was sent: cleaned or decoded, it could name another
	// host to us than to whoever looks at it before us.
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	rest, ok := strings.CutPrefix(raw, "/egress/")
	if !ok {
		return "", &problem{status: http.StatusNotFound, code: "address_unknown", cause: "request-malformed", what: "there is nothing at this address", hint: "ask for /egress/{connection}/{scheme}/{host}/{path}"}
	}
	id, rest, _ := strings.Cut(rest, "/")
	scheme, rest, _ := strings.Cut(rest, "/")
	authority, path, _ := strings.Cut(rest, "/")
	if no = c.target(id, scheme, authority, "/"+path); no != nil {
		return "", no
	}
	return keyOf(r.Header)
}

// asProxy reads a request as a proxy gets it, RFC 9112 section 3.2.2.
func (c *call) asProxy() (usher.Secret, *problem) {
	u := c.r.URL
	if u.User != nil || strings.Contains(u.Host, "@") {
		return "", bad("the URL has a user name in it", "leave it out: usher puts the token in")
	}
	id, key, ok := proxyUser(c.r.Header)
	if !ok {
		return "", &problem{status: http.StatusProxyAuthRequired, code: "key_missing", cause: "token-missing", what: "the request names no connection and no key", hint: "set the proxy to http://CONNECTION:KEY@HOST:PORT"}
	}
	path := cmp.Or(u.RawPath, u.EscapedPath(), "/")
	return key, c.target(id, u.Scheme, u.Host, path)
}

func (c *call) target(id, scheme, authority, path string) *problem {
	if !validID(id) {
		return bad("the address names no connection", "ask for /egress/{connection}/{scheme}/{host}/{path}")
	}
	c.id = id
	o, why := parseOrigin(scheme, authority)
	if why != "" {
		return bad("the address of the API "+why, "ask for /egress/"+id+"/https/{host}/{path}, as in /egress/"+id+"/https/api.example/v1/charges")
	}
	c.to = o
	if why := badPath(path); why != "" {
		return bad("the path "+why, "send it as the API wants it, without . and .. in it")
	}
	c.path = written(path)
	return nil
}

// written encodes what a path may not hold as it is, RFC 3986 section 3.3, and
// leaves all else: url.URL would write the whole path anew where it finds such a
// character, and make a slash of %2F.
func written(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c >= 0x80 || strings.IndexByte("\"<>^`{|}", c) >= 0 {
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func validID(id string) bool {
	if id == "" || len(id) > 100 {
		return false
	}
	for _, b := range []byte(id) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			return false
		}
	}
	return true
}

// badPath tells what two servers could read differently. why is empty for a path
// that is good.
func badPath(path string) string {
	for _, b := range []byte(path) {
		if b <= ' ' || b == 0x7f || b == '\\' || b == '#' {
			return "has a character in it that does not belong there"
		}
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return "has a percent sign that encodes nothing"
	}
	if strings.ContainsAny(plain, "\\\x00\r\n") {
		return "has a character encoded in it that does not belong there"
	}
	for segment := range strings.SplitSeq(plain, "/") {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return "has . or .. in it"
		}
	}
	return ""
}

// keyOf gives the caller's key: of the header Usher-Key, else the bearer token.
func keyOf(h http.Header) (usher.Secret, *problem) {
	if own := h.Values("Usher-Key"); len(own) > 0 {
		if len(own) > 1 || len(own[0]) > 300 {
			return "", bad("there is more than one key", "send one")
		}
		return usher.Secret(strings.TrimSpace(own[0])), nil
	}
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", nil
	}
	scheme, value, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || len(value) > 300 {
		return "", bad("the header Authorization holds no single bearer key", "send the key of usher as \"Usher-Key: ...\"")
	}
	return usher.Secret(strings.TrimSpace(value)), nil
}

// proxyUser gives user and password of Proxy-Authorization: connection and key.
func proxyUser(h http.Header) (string, usher.Secret, bool) {
	values := h.Values("Proxy-Authorization")
	if len(values) != 1 || len(values[0]) > 600 {
		return "", "", false
	}
	scheme, value, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil {
		return "", "", false
	}
	id, key, ok := strings.Cut(string(text), ":")
	return id, usher.Secret(key), ok && id != "" && key != ""
}

// connectionSays tells whether the header Connection lists a word.
func connectionSays(h http.Header, word string) bool {
	for _, line := range h.Values("Connection") {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), word) {
				return true
			}
		}
	}
	return false
}

// via is how usher names itself to those behind it, RFC 9110 section 7.6.3.
const via = "usher-egress"

func viaUs(h http.Header) bool {
	for _, line := range h.Values("Via") {
		for part := range strings.SplitSeq(line, ",") {
			if strings.HasSuffix(strings.TrimSpace(part), " "+via) {
				return true
			}
		}
	}
	return false
}

func clip(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
