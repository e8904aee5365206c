package evidence

import (
	"net/http"
	"strconv"
	"strings"

	"usher"
)

// Limits of exchanges.
const (
	maxBody      = 1 << 20
	maxHeaders   = 200
	maxExchanges = 200
)

// message is an exchange on its way from lines, with the pieces that its parts
// stand in, so that places stay exact.
type message struct {
	x         Exchange
	at        piece // where the exchange starts
	length    int   // how far it goes from there, 0: unknown
	statusAt  int   // where its status line starts, counted from at
	reqBody   piece
	respBody  piece
	www       []piece // values of WWW-Authenticate
	headSeen  bool    // request headers were seen
	headers   int     // lines of headers that were kept
	noRequest bool    // the response stands alone
	harError  string  // what the browser says of a request that failed
}

func isMethod(s string) bool {
	switch s {
	case "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE":
		return true
	}
	return false
}

// requestLine reads "POST /token HTTP/1.1"; the version may be missing.
func requestLine(line string) (method, target string, ok bool) {
	method, rest, found := strings.Cut(line, " ")
	if !found || !isMethod(method) {
		return "", "", false
	}
	target, version, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if version != "" && !strings.HasPrefix(version, "HTTP/") {
		return "", "", false
	}
	if target == "" || target[0] != '/' && target[0] != '*' && !strings.Contains(target, "://") && method != "CONNECT" {
		return "", "", false
	}
	return method, target, true
}

// statusLine reads "HTTP/1.1 401 Unauthorized".
func statusLine(line string) (status int, ok bool) {
	if !strings.HasPrefix(line, "HTTP/") {
		return 0, false
	}
	_, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimLeft(rest, " ")
	if len(rest) < 3 {
		return 0, false
	}
	n, err := strconv.Atoi(rest[:3])
	if err != nil || n < 100 || n > 599 || len(rest) > 3 && rest[3] != ' ' {
		return 0, false
	}
	return n, true
}

// headerLine reads "Name: value".
func headerLine(line string) (name, val string, ok bool) {
	i := strings.IndexByte(line, ':')
	if i <= 0 || i > 64 {
		return "", "", false
	}
	start := 0
	if line[0] == ':' { // HTTP/2 pseudo header
		start = 1
	}
	for j := start; j < i; j++ {
		if !isTokenByte(line[j]) {
			return "", "", false
		}
	}
	return line[:i], strings.TrimSpace(line[i+1:]), true
}

// curlLine takes the mark of curl -v from a line: '>' sent, '<' received, '*' talk.
func curlLine(line string) (mark byte, rest string) {
	if len(line) >= 1 && (line[0] == '>' || line[0] == '<' || line[0] == '*') {
		if len(line) == 1 {
			return line[0], ""
		}
		if line[1] == ' ' {
			return line[0], line[2:]
		}
	}
	return 0, line
}

func sniffExchange(p *piece) int {
	h := p.start()
	first, rest, _ := strings.Cut(h, "\n")
	mark, line := curlLine(first)
	if mark != 0 {
		if strings.Contains(h, "\n> ") || strings.Contains(h, "\n< ") || mark != '*' {
			if _, _, ok := requestLine(line); ok || strings.Contains(h, "HTTP/") {
				return 78
			}
		}
		return 0
	}
	if _, ok := statusLine(line); ok {
		return 76
	}
	if _, _, ok := requestLine(line); ok {
		second, _, _ := strings.Cut(rest, "\n")
		_, _, header := headerLine(second)
		_, status := statusLine(second)
		if strings.Contains(line, " HTTP/") || header || status {
			return 76
		}
	}
	if strings.HasPrefix(first, "% Total") || strings.HasPrefix(first, "Note: Unnecessary use") {
		return 60
	}
	return 0
}

// readExchange reads raw HTTP messages and the output of curl -v.
func readExchange(r *reader, p *piece) bool {
	var m *message
	var list []*message
	const (
		nowhere = iota
		requestHead
		requestBody
		responseHead
		responseBody
	)
	state, bodyAt := nowhere, -1
	begin := func(at int) {
		m = &message{at: p.part(at, at), x: Exchange{Request: http.Header{}, Header: http.Header{}}}
		list = append(list, m)
	}
	closeBody := func(end int) {
		if m == nil || bodyAt < 0 || bodyAt >= end {
			bodyAt = -1
			return
		}
		part := p.part(bodyAt, min(end, bodyAt+maxBody))
		switch state {
		case requestBody:
			m.reqBody, m.x.RequestBody = part, strings.TrimSpace(part.text)
		case responseBody:
			m.respBody, m.x.Body = part, strings.TrimSpace(part.text)
		}
		bodyAt = -1
	}
	curl := false
	for at := 0; at < len(p.text) && len(list) <= maxExchanges; {
		end := strings.IndexByte(p.text[at:], '\n')
		if end < 0 {
			end = len(p.text)
		} else {
			end += at
		}
		full := p.text[at:end]
		mark, line := curlLine(full)
		if mark != 0 {
			curl = true
		}
		lineAt := end - len(line)
		method, target, isReq := requestLine(strings.TrimSpace(line))
		status, isStatus := statusLine(strings.TrimSpace(line))
		if curl && mark == 0 && (isReq || isStatus) && state >= requestBody && state != responseHead {
			isReq, isStatus = false, false // a body that speaks of HTTP
		}
		switch {
		case mark == '*':
			closeBody(at)
			if curl && (state == requestBody || state == responseBody) {
				bodyAt = -1
			}
			if strings.Contains(line, "SSL") || strings.Contains(line, "Could not resolve") || strings.Contains(line, "refused") {
				part := p.part(lineAt, end)
				if strings.Contains(lowerASCII(line), "error") || strings.Contains(line, "problem") || strings.Contains(line, "refused") || strings.Contains(line, "Could not") {
					r.part(part)
				}
			}
		case isReq:
			closeBody(at)
			if m == nil || m.x.Method != "" || !m.noRequest || m.x.Body != "" || len(m.x.Header) > 0 {
				begin(lineAt)
			}
			m.x.Method, m.x.URL = method, target
			state = requestHead
		case isStatus:
			closeBody(at)
			if m == nil || m.x.Status >= 200 && !(m.x.Method == "CONNECT" || m.x.Status == 200 && len(m.x.Header) == 0 && strings.Contains(p.text[max(0, at-200):at], "established")) {
				begin(lineAt)
				m.noRequest = true
			}
			m.x.Status = status
			m.statusAt = p.off(lineAt) - m.at.base
			state = responseHead
		case state == requestHead || state == responseHead:
			if strings.TrimSpace(line) == "" {
				state++
				bodyAt = -1
				break
			}
			name, val, ok := headerLine(line)
			if !ok {
				if curl && mark == 0 { // curl prints the body without a mark
					state++
					bodyAt = lineAt
				} else if mark == 0 {
					state++
					bodyAt = lineAt
				}
				break
			}
			h := m.x.Request
			if state == responseHead {
				h = m.x.Header
			} else {
				m.headSeen = true
			}
			if m.headers < maxHeaders { // lines, not names: one name may stand a million times
				m.headers++
				h.Add(name, val)
			}
			if strings.EqualFold(name, "WWW-Authenticate") && len(m.www) < maxChallenges {
				m.www = append(m.www, p.part(end-len(strings.TrimLeft(line[len(name)+1:], " ")), end))
			}
		case (state == requestBody || state == responseBody) && bodyAt < 0 && strings.TrimSpace(full) != "":
			if strings.HasPrefix(full, "{ [") || strings.HasPrefix(full, "} [") {
				break // curl's counter of bytes
			}
			bodyAt = at
		}
		at = end + 1
	}
	closeBody(len(p.text))
	if len(list) == 0 {
		return false
	}
	for i, m := range list {
		end := p.off(len(p.text))
		if i+1 < len(list) {
			end = list[i+1].at.base
		}
		m.length = end - m.at.base
	}
	for _, m := range list {
		r.message(m)
	}
	r.flowOf(list)
	return true
}

// fullURL gives the URL of a request whose line holds only a path.
func (m *message) fullURL() string {
	u := m.x.URL
	if strings.Contains(u, "://") {
		return u
	}
	host := m.x.Request.Get("Host")
	if host == "" {
		host = m.x.Request.Get(":authority")
	}
	if host == "" {
		return u
	}
	scheme := "https://"
	if hostKind(host) == "localhost" || strings.HasPrefix(host, "localhost:") || strings.HasPrefix(host, "127.") {
		scheme = "http://"
	}
	return scheme + host + u
}

// message makes the items of one exchange.
func (r *reader) message(m *message) {
	x := &m.x
	u := m.fullURL()
	x.URL = u
	base, query, _, _, _ := splitURL(u)
	it := &Item{Line: m.at.line(0), Exchange: x, Time: x.Started}
	it.Kind, it.Place = usher.KindExchange, m.at.place(0)
	it.bound(&m.at, 0, m.length)
	_, host := splitURI(u)
	endpoint := endpointOf(base)
	lower := fold(u)
	it.Provider = providerIn(lower)
	if it.Provider == "" {
		it.Provider = headerProvider(x.Header)
	}
	it.factIf("method", x.Method, it.Place, x.Method)
	it.factIf("host", host, it.Place, u)
	it.factIf("endpoint", endpoint, it.Place, u)
	it.factIf("tenant", tenantOf(base), it.Place, u)
	if x.Status != 0 {
		it.fact("status", itoa(x.Status), m.at.place(m.statusAt), itoa(x.Status))
	}
	r.headerSecrets(x.Request)
	r.headerSecrets(x.Header)
	r.secretsIn(u, lower)
	r.headerFacts(it, m, endpoint)
	var text strings.Builder
	if x.Method != "" {
		text.WriteString(x.Method + " " + plainText(u) + "\n")
	}
	writeHeader(&text, x.Request)
	if x.Status != 0 {
		text.WriteString("HTTP " + itoa(x.Status) + " " + http.StatusText(x.Status) + "\n")
	}
	writeHeader(&text, x.Header)
	if b := x.Body; b != "" && b[0] != '<' {
		text.WriteString(plainText(b[:min(len(b), 64<<10)]))
	}
	it.Text = text.String()
	inner := piece{src: m.at.src, text: it.Text, base: m.at.base, fixed: true, depth: m.at.depth}
	scanText(it, &inner, it.Text, fold(it.Text))
	for i := range it.Facts { // the scan saw a text that was put together
		if f := &it.Facts[i]; f.Place == it.Place && f.Quote != "" && f.Key != "method" {
			if place, ok := it.PlaceOf(f.Quote); ok {
				f.Place = place
			}
		}
	}
	if it.Error != nil && it.Error.Status == 0 && x.Status >= 400 {
		it.Error.Status = x.Status
	}
	it.Summary = summary(exchangeSummary(x, host))
	if !r.add(it) {
		return
	}
	defer r.within(x, len(r.set.Items))
	for i := range m.www {
		r.challenge(m.www[i], m.www[i].text)
	}
	if strings.Contains(query, "=") && (endpoint == "authorize" || strings.Contains(query, "error=") || strings.Contains(query, "code=")) {
		part := m.at.inside(0, u, "url")
		r.url(&part)
	}
	if loc := x.Header.Get("Location"); strings.Contains(loc, "=") {
		part := m.at.inside(0, loc, "location")
		r.url(&part)
	}
	if body := strings.TrimSpace(m.reqBody.text); body != "" {
		r.requestBody(m, u, body)
	}
	if strings.TrimSpace(m.respBody.text) != "" {
		part := m.respBody
		part.origin = "body"
		r.inner(&part)
	}
}

// within notes of the items from one on that they were found in an exchange.
func (r *reader) within(x *Exchange, from int) {
	for i := from; i < len(r.set.Items); i++ {
		r.set.Items[i].Of = x
	}
}

// requestBody reads the body of a request: the form of a token request, or JSON.
func (r *reader) requestBody(m *message, u, body string) {
	if body[0] == '{' {
		doc := parseJSON(body, 0)
		var all params
		for i := range doc.root.kids {
			k := &doc.root.kids[i]
			if s := k.str(); s != "" {
				all = append(all, param{key: k.key, val: s, raw: s})
			}
		}
		if !doc.failed && all.has("grant_type") {
			r.tokenItem(m.reqBody, u, m.x.Request.Get("Authorization"), all)
			return
		}
	} else if all := parseParams(body, 0); all.has("grant_type") || all.has("client_id") || all.has("token") {
		r.tokenItem(m.reqBody, u, m.x.Request.Get("Authorization"), all)
		return
	}
	part := m.reqBody
	part.origin = "request"
	r.inner(&part)
}

// tokenItem makes an item of a token request.
func (r *reader) tokenItem(p piece, u, authorization string, all params) {
	it := &Item{Line: p.line(0)}
	it.Place = p.place(0)
	it.Text = plainText(strings.TrimSpace(u + " " + p.text))
	r.tokenRequest(it, u, authorization, all, &p)
	it.Provider = providerOf(u)
	r.add(it)
}

func exchangeSummary(x *Exchange, host string) string {
	s := x.Method
	if s == "" {
		s = "answer"
	}
	if host != "" {
		base, _, _, _, _ := splitURL(x.URL)
		s += " " + base
	}
	if x.Status != 0 {
		s += ": " + itoa(x.Status) + " " + http.StatusText(x.Status)
	}
	return s
}

// shownHeaders are the headers that knowledge asks for; the rest would only be noise.
var shownHeaders = [...]string{
	"Www-Authenticate", "X-Amzn-Errortype", "X-Amzn-Errormessage", "Retry-After", "Location", "Access-Control-Allow-Origin", "Origin",
	"X-Ms-Request-Id", "X-Okta-Request-Id", "X-Ratelimit-Remaining", "X-Rate-Limit-Remaining", "Dpop-Nonce", "X-Oauth-Scopes", "X-Accepted-Oauth-Scopes", "X-Forwarded-Proto", "Content-Type", "Date", "X-Frame-Options",
}

func writeHeader(b *strings.Builder, h http.Header) {
	for _, name := range shownHeaders {
		for _, v := range h.Values(name) {
			if len(v) < 8192 {
				b.WriteString(name + ": " + plainText(v) + "\n")
			}
		}
	}
}

func headerProvider(h http.Header) string {
	switch {
	case h.Get("x-ms-request-id") != "" || h.Get("x-ms-ests-server") != "":
		return "entra"
	case h.Get("x-okta-request-id") != "":
		return "okta"
	case h.Get("x-auth0-requestid") != "":
		return "auth0"
	case h.Get("x-amzn-errortype") != "" || h.Get("x-amz-cognito-request-id") != "":
		return "cognito"
	case h.Get("x-github-request-id") != "":
		return "github"
	case h.Get("x-slack-req-id") != "":
		return "slack"
	}
	return ""
}

func (r *reader) headerSecrets(h http.Header) {
	for name, vals := range h {
		for _, v := range vals {
			line := name + ": " + v
			switch http.CanonicalHeaderKey(name) {
			case "Authorization", "Proxy-Authorization":
				if scheme, cred, ok := strings.Cut(v, " "); ok {
					if !strings.EqualFold(scheme, "basic") {
						r.secret(cred)
					}
				} else {
					r.secret(v)
				}
			case "Cookie", "Set-Cookie":
				r.cookies(v)
				continue
			case "X-Api-Key", "Dpop", "X-Csrf-Token":
				r.secret(v)
			}
			r.secretsIn(line, fold(line))
		}
	}
}

// headerFacts tells what is missing from, or odd with, the headers.
func (r *reader) headerFacts(it *Item, m *message, endpoint string) {
	x := &m.x
	auth := x.Request.Get("Authorization")
	if m.headSeen && auth == "" && (endpoint == "api" || endpoint == "userinfo" || endpoint == "" && x.Status == 401) && x.Method != "OPTIONS" {
		it.fact("header-missing", "authorization", it.Place, x.Method+" "+x.URL)
	}
	if auth != "" {
		scheme, cred, _ := strings.Cut(auth, " ")
		it.fact("authorization-scheme", scheme, it.Place, scheme)
		if strings.HasPrefix(cred, "eyJ") && endpoint != "token" {
			part := m.at.inside(0, strings.TrimSpace(cred), "access_token")
			defer r.part(part)
		} else if strings.HasPrefix(cred, "Bearer ") || strings.HasPrefix(cred, "bearer ") {
			it.fact("authorization-shape", "scheme-twice", it.Place, "")
		} else if cred == "undefined" || cred == "null" || cred == "" || cred == "[object Object]" {
			it.fact("authorization-shape", "empty", it.Place, auth)
		}
	}
	if v := x.Header.Get("X-Amzn-Errortype"); v != "" {
		name, _, _ := strings.Cut(v, ":")
		e := it.body()
		e.Code, e.Description = name, x.Header.Get("X-Amzn-Errormessage")
		it.fact("error", name, it.Place, v)
		it.fact("code", "cognito/"+name, it.Place, v)
	}
	if x.Header.Get("Retry-After") != "" {
		it.fact("header", "retry-after", it.Place, "Retry-After: "+x.Header.Get("Retry-After"))
	}
	if x.Header.Get("Dpop-Nonce") != "" {
		it.fact("header", "dpop-nonce", it.Place, "")
	}
	if origin := x.Request.Get("Origin"); origin != "" && origin != "null" && x.Status != 0 {
		allow := x.Header.Get("Access-Control-Allow-Origin")
		_, oh := splitURI(origin)
		_, uh := splitURI(x.URL)
		switch {
		case oh == uh:
		case allow == "":
			it.fact("cors", "no-header", it.Place, "Origin: "+origin)
		case allow != "*" && allow != origin:
			it.fact("cors", "origin-mismatch", it.Place, "Access-Control-Allow-Origin: "+allow)
		}
	}
	if t, err := http.ParseTime(x.Header.Get("Date")); err == nil && it.Time.IsZero() {
		it.Time = t.UTC()
	}
}
