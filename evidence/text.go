package evidence

import (
	"net/netip"
	"strconv"
	"strings"

	"usher"
)

// largeText is the size over which a text is not matched as a whole: its
// beginning, its end and the lines that speak of errors are.
const largeText = 1 << 20

// readText is the reader for everything that is nothing else: messages, logs,
// stack traces, sentences. What is embedded in them is read as well.
func readText(r *reader, p *piece) bool {
	if len(p.text) > largeText {
		r.largeText(p)
		return true
	}
	text := p.text
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return true
	}
	start := strings.Index(text, trimmed[:1])
	lower := p.fold()
	r.secretsIn(text, lower)
	it := &Item{Line: p.line(start)}
	it.Place = p.place(start)
	it.Text = plainText(trimmed)
	it.Provider = providerIn(lower)
	it.Kind = textKind(lower)
	scanText(it, p, text, lower)
	if it.Kind == usher.KindStatement && (it.Error != nil || it.has("status", "")) {
		it.Kind = usher.KindErrorText
	}
	it.Summary = summary(trimmed)
	kept := r.add(it)
	if kept && p.depth < maxUnpack {
		r.embedded(p, text, lower)
	}
	return true
}

// largeText reads the beginning and the end of a long text, and between them
// the lines that speak of errors.
func (r *reader) largeText(p *piece) {
	const edge, most = 256 << 10, 256 << 10
	text := p.text
	headEnd, tailStart := edge, len(text)-edge
	if i := strings.LastIndexByte(text[:headEnd], '\n'); i > 0 {
		headEnd = i + 1
	}
	if i := strings.IndexByte(text[tailStart:], '\n'); i >= 0 && tailStart+i+1 < len(text) {
		tailStart += i + 1
	}
	head := p.part(0, headEnd)
	readText(r, &head)
	picked, last := 0, headEnd
	for _, mark := range [...]string{"AADSTS", "invalid_", "\"error\"", "error=", "WWW-Authenticate", "access_denied", "unauthorized", "IDX", "Exception", " ERROR "} {
		for at, n := headEnd, 0; at < tailStart && picked < most && n < 20; n++ {
			i := strings.Index(text[at:tailStart], mark)
			if i < 0 {
				break
			}
			at += i
			from, to := lineAround(text, at, headEnd, tailStart)
			at = to + 1
			if from < last && last != headEnd {
				continue
			}
			last = to
			picked += to - from
			line := p.part(from, to)
			readText(r, &line)
		}
		last = headEnd
	}
	tail := p.part(tailStart, len(text))
	readText(r, &tail)
	r.note(p.src.name + " is long: its beginning, its end and the lines that speak of errors were read")
}

// lineAround gives the line that holds offset at, at most 8 KiB of it.
func lineAround(text string, at, least, most int) (from, to int) {
	const reach = 4 << 10
	from, to = max(least, at-reach), min(most, at+reach)
	if i := strings.LastIndexByte(text[from:at], '\n'); i >= 0 {
		from += i + 1
	}
	if i := strings.IndexByte(text[at:to], '\n'); i >= 0 {
		to = at + i
	}
	return from, to
}

// errorMarks are words that make a text a report of a failure.
var errorMarks = [...]string{
	"error", "exception", "fail", "denied", "invalid", "unauthorized", "forbidden", "aadsts", "expired", "refused", "rejected",
	"mismatch", "does not match", "not allowed", "blocked", "traceback", "panic:", "warn", "unable to", "could not", "cannot", "not found", "did not match", "timeout", "timed out", "missing", "problem", "rejects", "refuses",
}

// pageMarks open the text of an error page, copied without its markup.
var pageMarks = [...]string{
	"need admin approval", "you can't get there from here", "you cannot access this right now", "you don't have access to this",
	"sorry, but we\u2019re having trouble", "sorry, but we're having trouble", "access blocked:", "error 400: ", "error 403: ", "error 401: ", "url blocked:",
	"your sign-in was successful but", "oops, something went wrong", "oops!, something went wrong", "help us keep your device secure",
	"pick an account", "we are sorry...", "this app isn't verified", "approval required", "redirect uri error", "set up your device to get access",
	"set up your device", "this app is blocked", "more information required", "selected user account does not exist",
}

func textKind(lower *folded) usher.EvidenceKind {
	t := markIndex()
	switch {
	case lower.any(t.pages, 2048):
		return usher.KindErrorPage
	case lower.any(t.errors, len(lower.s)+1):
		return usher.KindErrorText
	}
	return usher.KindStatement
}

// scanText draws the facts out of a text. lower is the text in lower case.
func scanText(it *Item, p *piece, text string, lower *folded) {
	scanCodes(it, p, text, lower)
	scanErrorWords(it, p, text, lower.s)
	scanStatus(it, p, text, lower.s)
	scanIDs(it, text, lower)
	scanParameters(it, p, text, lower)
}

// note gives the ErrorBody of an item that has none yet.
func (it *Item) body() *ErrorBody {
	if it.Error == nil {
		it.Error = &ErrorBody{}
	}
	return it.Error
}

// code adds a provider's code, in the form in which the catalog keeps it.
func (it *Item) code(provider, code, place, quote string) {
	if it.has("code", provider+"/"+lowerASCII(code)) {
		return
	}
	e := it.body()
	if len(e.Codes) >= 64 {
		return
	}
	e.Codes = append(e.Codes, code)
	it.fact("code", provider+"/"+code, place, quote)
	if it.Provider == "" && provider != "dotnet" && provider != "rfc" {
		it.Provider = provider
	}
}

// codeMarks are how the codes of providers and libraries begin. A code is the
// mark, at most two separators and least to most digits (or hex digits).
var codeMarks = [...]struct {
	mark, prefix, provider string
	least, most            int
	hex                    bool
}{
	{"aadsts", "AADSTS", "entra", 4, 8, false},
	{"aadb2c", "AADB2C", "entra", 4, 8, false},
	{"e0000", "E0000", "okta", 3, 3, true},
	{"idx", "IDX", "dotnet", 5, 5, false},
	{"msis", "MSIS", "adfs", 3, 5, false},
	{"caa", "CAA", "entra", 5, 5, true},
}

func scanCodes(it *Item, p *piece, text string, folded *folded) {
	lower := folded.s
	for i := range codeMarks {
		m := &codeMarks[i]
		from := folded.index(m.mark)
		for n := 0; n < 64 && from >= 0; n++ {
			at := strings.Index(lower[from:], m.mark)
			if at < 0 {
				break
			}
			at += from
			from = at + len(m.mark)
			if at > 0 && isWordByte(lower[at-1]) && lower[at-1] != '_' {
				continue
			}
			end := from
			for end < len(lower) && end-from < 2 && m.prefix == "AADSTS" && strings.IndexByte(" :-_#", lower[end]) >= 0 {
				end++
			}
			first := end
			for end < len(lower) && end-first <= m.most && (lower[end] >= '0' && lower[end] <= '9' || m.hex && lower[end] >= 'a' && lower[end] <= 'f') {
				end++
			}
			if end-first < m.least || end-first > m.most || end < len(lower) && isWordByte(lower[end]) && lower[end] != '_' {
				continue
			}
			it.code(m.provider, m.prefix+strings.ToUpper(text[first:end]), p.place(at), text[at:end])
			from = end
		}
	}
}

// isErrorWord tells whether a word is an error code of OAuth, OpenID Connect or
// of a provider that gives such codes in their place.
func isErrorWord(w string) bool {
	switch w {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
		"access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable",
		"interaction_required", "login_required", "account_selection_required", "consent_required", "invalid_request_uri",
		"invalid_request_object", "request_not_supported", "request_uri_not_supported", "registration_not_supported",
		"invalid_token", "insufficient_scope", "insufficient_user_authentication", "insufficient_claims", "unmet_authentication_requirements",
		"authorization_pending", "slow_down", "expired_token", "invalid_target", "invalid_dpop_proof", "use_dpop_nonce", "invalid_resource",
		"invalid_redirect_uri", "invalid_client_metadata", "invalid_software_statement", "unapproved_software_statement",
		"redirect_uri_mismatch", "redirect_mismatch", "admin_policy_enforced", "disallowed_useragent", "org_internal", "deleted_client",
		"mfa_required", "invalid_code", "code_already_used", "bad_verification_code", "incorrect_client_credentials", "invalid_client_id",
		"invalid_client_credentials", "application_suspended", "incorrect_device_code", "device_flow_disabled", "authorization_declined",
		"bad_client_secret", "bad_redirect_uri", "token_revoked", "token_expired", "invalid_auth", "missing_scope", "not_authed", "account_inactive",
		"account_locked", "unsupported_token_type", "invalid_refresh_token", "rate_limit_exceeded", "too_many_requests", "unverified_user",
		"invalid_user_credentials", "user_not_found", "client_not_found", "unknown_user", "invalid_session", "expired_authorization_code",
		"inactive_user", "inactive_org", "invalid_app_access", "oauth_ec_app_not_found", "user_cancelled", "user_cancelled_login", "user_cancelled_authorize",
		"pkce_verification_failed", "code_expired", "not_allowed", "resource_not_found", "identity_provider_error", "token_not_found":
		return true
	}
	return false
}

// scanErrorWords finds error codes: all of them have an underscore.
func scanErrorWords(it *Item, p *piece, text, lower string) {
	scan := lower[:min(len(lower), largeText)]
	for from, n := 0, 0; n < 2000; n++ {
		at := strings.IndexByte(scan[from:], '_')
		if at < 0 {
			return
		}
		at += from
		start, end := at, at+1
		for start > 0 && at-start < 40 && (scan[start-1] >= 'a' && scan[start-1] <= 'z' || scan[start-1] == '_') {
			start--
		}
		for end < len(scan) && end-at < 40 && (scan[end] >= 'a' && scan[end] <= 'z' || scan[end] == '_') {
			end++
		}
		from = end
		if w := scan[start:end]; isErrorWord(w) {
			if strings.HasSuffix(scan[:start], "add") || end < len(scan) && (scan[end] == '(' || scan[end] == '=') {
				continue // a function or a parameter of that name
			}
			e := it.body()
			if e.Code == "" {
				e.Code = w
			}
			it.fact("error", w, p.place(start), text[start:end])
		}
	}
}

// reasonPhrases are what stands behind an HTTP status.
var reasonPhrases = [...]string{
	"unauthorized", "forbidden", "bad request", "not found", "too many requests", "internal server error", "bad gateway",
	"service unavailable", "gateway time", "method not allowed", "conflict", "gone", "unsupported media", "ok", "client error", "server error",
}

// scanStatus finds HTTP statuses: three digits in a fitting company.
func scanStatus(it *Item, p *piece, text, lower string) {
	scan := lower[:min(len(lower), 256<<10)]
	found := 0
	for i := 0; i+3 <= len(scan) && found < 8; i++ {
		c := scan[i]
		if c < '0' || c > '9' {
			continue
		}
		end := i
		for end < len(scan) && scan[end] >= '0' && scan[end] <= '9' {
			end++
		}
		start := i
		i = end
		if end-start != 3 || c < '2' || c > '5' {
			continue
		}
		if end < len(scan) && (isWordByte(scan[end]) || scan[end] == '-' || scan[end] == '.' && end+1 < len(scan) && isWordByte(scan[end+1])) {
			continue
		}
		if start > 0 && (isWordByte(scan[start-1]) || scan[start-1] == '.' || scan[start-1] == '-' || scan[start-1] == '/' && !strings.HasSuffix(scan[:start], "http/")) {
			continue
		}
		if statusCompany(scan, start, end) {
			n, _ := strconv.Atoi(scan[start:end])
			e := n
			if n < 400 {
				e = 0
			}
			if e != 0 {
				if b := it.body(); b.Status == 0 {
					b.Status = n
				}
				it.fact("status", scan[start:end], p.place(start), text[start:end])
				found++
			}
		}
	}
}

func statusCompany(scan string, start, end int) bool {
	before := strings.TrimRight(scan[max(0, start-32):start], " \"'=:->\u2192([{")
	for _, w := range [...]string{
		"status", "statuscode", "status code", "status_code", "http", "http/1.1", "http/1.0", "http/2", "http/2.0", "http/3", "code", "http status",
		"error", "returned", "returns", "responded", "responds", "response", "got", "answered", "with", "response code", "answers", "http code", "a", "the",
	} {
		if strings.HasSuffix(before, w) {
			if len(w) > 4 && w != "error" && w != "response" || strings.HasPrefix(w, "http") {
				return true
			}
			if w == "error" || w == "code" || w == "response" || w == "got" {
				return true
			}
			return phraseFollows(scan, end)
		}
	}
	return phraseFollows(scan, end) || strings.HasSuffix(scan[:start], "-> ") || start == 0 && end < len(scan) && (scan[end] == ' ' || scan[end] == ':' || scan[end] == '\n')
}

func phraseFollows(scan string, end int) bool {
	after := strings.TrimLeft(scan[end:min(len(scan), end+28)], " :,-(\"'")
	for _, ph := range reasonPhrases {
		if strings.HasPrefix(after, ph) {
			return true
		}
	}
	return false
}

// scanIDs finds the ids and the time that a support case asks for.
func scanIDs(it *Item, text string, lower *folded) {
	if v := labelled(text, lower, "correlation id", "correlationid", "correlation_id"); looksGUID(v) {
		it.body().Correlation = v
		it.fact("correlation", v, it.Place, v)
	}
	if v := labelled(text, lower, "trace id", "request id", "requestid", "trace_id", "x-ms-request-id"); len(v) >= 8 && len(v) <= 64 {
		it.body().TraceID = v
		it.fact("request-id", v, it.Place, v)
	}
	if at := lower.index("timestamp"); at >= 0 {
		v := strings.TrimLeft(text[at+len("timestamp"):min(len(text), at+64)], " :=\"'\\")
		if t, ok := parseTime(v); ok {
			it.Time = t
			if it.Error != nil {
				it.Error.Timestamp = t
			}
		}
	}
	if it.Time.IsZero() {
		if t, ok := parseTime(strings.TrimLeft(text[:min(len(text), 64)], " [<\"")); ok {
			it.Time = t
		}
	}
}

// labelled gives the word behind one of the labels.
func labelled(text string, lower *folded, labels ...string) string {
	for _, label := range labels {
		at := lower.index(label)
		if at < 0 {
			continue
		}
		rest := strings.TrimLeft(text[at+len(label):min(len(text), at+len(label)+160)], " :=\"'\\>\n\t")
		return rest[:wordEnd(rest)]
	}
	return ""
}

func looksGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < 36; i++ {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// scanParameters finds parameters of requests that a text quotes.
func scanParameters(it *Item, p *piece, text string, lower *folded) {
	n := 0
	lower.each("grant_type", func(at int) int {
		from := at + len("grant_type")
		if v, _ := assigned(text, from); v != "" {
			if g := grantName(unescapeQuery(v)); g != "" {
				it.fact("grant", g, p.place(at), text[at:min(len(text), from+len(v)+3)])
			}
		}
		if n++; n == 4 {
			return -1
		}
		return from
	})
	scanRedirect(it, p, text, lower)
}

// grantName gives the short name of a grant type.
func grantName(g string) string {
	g = lowerASCII(g)
	switch {
	case strings.HasSuffix(g, ":device_code"), g == "device_code":
		return "device_code"
	case strings.HasSuffix(g, ":jwt-bearer"):
		return "jwt-bearer"
	case strings.HasSuffix(g, ":saml2-bearer"):
		return "saml2-bearer"
	case strings.HasSuffix(g, ":token-exchange"):
		return "token-exchange"
	case strings.HasSuffix(g, ":ciba"):
		return "ciba"
	case strings.HasSuffix(g, ":uma-ticket"):
		return "uma-ticket"
	case strings.HasSuffix(g, "/password-realm"):
		return "password"
	}
	if len(g) > 64 || strings.ContainsAny(g, " {}<>") {
		return ""
	}
	return g
}

// redirectLabels stand before a redirect URI that was sent.
var redirectLabels = [...]string{"redirect uri", "redirect_uri", "redirect url", "reply url", "reply address", "redirecturi", "redirect_url", "callback url"}

// scanRedirect finds the redirect URI that was sent: the first URI behind such a label.
func scanRedirect(it *Item, p *piece, text string, folded *folded) {
	lower := folded.s
	for _, label := range redirectLabels {
		from := folded.index(label)
		for n := 0; n < 4 && from >= 0; n++ {
			at := strings.Index(lower[from:], label)
			if at < 0 {
				break
			}
			at += from
			from = at + len(label)
			window := text[from:min(len(text), from+48)]
			i := strings.Index(window, "://")
			enc := false
			if j := strings.Index(lowerASCII(window), "%3a%2f%2f"); j >= 0 && (i < 0 || j < i) {
				i, enc = j, true
			}
			if i < 0 || strings.IndexByte(window[:i], '\n') >= 0 {
				continue
			}
			start := from + i
			for start > from && (isWordByte(text[start-1]) || text[start-1] == '.' || text[start-1] == '+' || text[start-1] == '-') {
				start--
			}
			uri := strings.TrimRight(text[start:start+wordEnd(text[start:])], ".")
			if enc {
				uri = unescapeQuery(uri)
			}
			redirectFacts(it, uri, p.place(start))
			return
		}
	}
}

// redirectFacts describes a redirect URI that was sent.
func redirectFacts(it *Item, uri, place string) {
	scheme, host := splitURI(uri)
	if scheme == "" {
		return
	}
	kind := hostKind(host)
	if scheme != "http" && scheme != "https" {
		kind = "custom"
	}
	it.fact("redirect-scheme", scheme, place, uri)
	it.fact("redirect-host", kind, place, uri)
	it.fact("sent-redirect", scheme+"-"+kind, place, uri)
}

// splitURI gives the scheme and the host of a URI, in lower case, without port.
func splitURI(uri string) (scheme, host string) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		if scheme, _, ok = strings.Cut(uri, ":"); ok && isScheme(scheme) {
			return lowerASCII(scheme), ""
		}
		return "", ""
	}
	if !isScheme(scheme) {
		return "", ""
	}
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if strings.HasPrefix(rest, "[") {
		if i := strings.IndexByte(rest, ']'); i > 0 {
			return lowerASCII(scheme), rest[1:i]
		}
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		rest = rest[:i]
	}
	return lowerASCII(scheme), lowerASCII(rest)
}

func isScheme(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x80 || !isWordByte(c) && c != '+' && c != '-' && c != '.' || c == '_' {
			return false
		}
	}
	return s[0] > '9'
}

// hostKind tells what kind of host a name or address is.
func hostKind(host string) string {
	switch {
	case host == "":
		return "none"
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return "localhost"
	}
	if a, err := netip.ParseAddr(host); err == nil {
		switch {
		case a.IsLoopback():
			return "loopback-ip"
		case a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified():
			return "private"
		}
		return "public"
	}
	if !strings.Contains(host, ".") {
		return "private"
	}
	for _, suffix := range [...]string{".internal", ".local", ".lan", ".home.arpa", ".corp", ".intranet", ".svc", ".cluster.local", ".localdomain"} {
		if strings.HasSuffix(host, suffix) {
			return "private"
		}
	}
	return "public"
}
