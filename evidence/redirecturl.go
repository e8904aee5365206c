package evidence

import (
	"strings"

	"usher"
	"usher/oauth"
)

// param is one parameter of a query, a fragment or a form.
type param struct {
	key, val string // decoded
	raw      string // the value as it was written
	at       int    // offset of the key in the text it was read from
}

type params []param

// maxParams bounds the parameters of one query.
const maxParams = 500

// parseParams reads key=value pairs between "&" (or ";", or "&amp;").
func parseParams(s string, at int) params {
	var list params
	for s != "" && len(list) < maxParams {
		pair := s
		skip := len(s)
		if i := strings.IndexByte(s, '&'); i >= 0 {
			pair, skip = s[:i], i+1
			if strings.HasPrefix(s[skip:], "amp;") {
				skip += 4
			}
		}
		if key, val, _ := strings.Cut(pair, "="); key != "" {
			list = append(list, param{key: unescapeQuery(key), val: unescapeQuery(val), raw: val, at: at})
		}
		s = s[skip:]
		at += skip
	}
	return list
}

// get gives the value of the first parameter of that name.
func (ps params) get(key string) string {
	if p := ps.find(key); p != nil {
		return p.val
	}
	return ""
}

func (ps params) find(key string) *param {
	for i := range ps {
		if ps[i].key == key {
			return &ps[i]
		}
	}
	return nil
}

func (ps params) has(key string) bool { return ps.find(key) != nil }

func sniffURL(p *piece) int {
	h := p.start()
	i := strings.Index(h[:min(len(h), 80)], "://")
	if i <= 0 || !isScheme(h[:i]) {
		if len(h) > 2 && (h[0] == '/' || h[0] == '?' || h[0] == '#') && len(p.text) < 16<<10 && strings.IndexByte(strings.TrimSpace(p.text), ' ') < 0 && strings.IndexByte(h, '=') > 0 {
			return 50 // a path with a query
		}
		return 0
	}
	if strings.ContainsAny(strings.TrimSpace(h), " \n\t\"") || len(strings.TrimSpace(p.text)) > 64<<10 {
		return 0
	}
	return 85
}

// readURL reads a URL that stands alone. One that says nothing of a flow is
// left to the reader of texts.
func readURL(r *reader, p *piece) bool {
	text := strings.TrimSpace(p.text)
	at := strings.Index(p.text, text)
	part := p.part(at, at+len(text))
	part.origin = p.origin
	return r.url(&part)
}

// splitURL gives the parts of a URL without judging it.
func splitURL(u string) (base, query, fragment string, queryAt, fragAt int) {
	base = u
	if i := strings.IndexByte(base, '#'); i >= 0 {
		base, fragment, fragAt = base[:i], base[i+1:], i+1
	}
	if i := strings.IndexByte(base, '?'); i >= 0 {
		base, query, queryAt = base[:i], base[i+1:], i+1
	}
	// Apps with hash routes put the query behind the route.
	if i := strings.IndexByte(fragment, '?'); i >= 0 && !strings.Contains(fragment[:i], "=") {
		fragAt += i + 1
		fragment = fragment[i+1:]
	}
	return base, query, fragment, queryAt, fragAt
}

// url reads a URL of a flow: an authorization request, a way back, an error page.
func (r *reader) url(p *piece) bool {
	base, query, fragment, queryAt, fragAt := splitURL(p.text)
	q := parseParams(query, queryAt)
	f := parseParams(fragment, fragAt)
	all := append(q, f...)
	_, host := splitURI(base)
	path := base[strings.Index(base, "://")+1:]
	endpoint := endpointOf(base)

	it := &Item{Line: p.line(0)}
	it.Place = p.place(0)
	it.Text = plainText(p.text)
	lower := fold(p.text)
	r.secretsIn(p.text, lower)
	r.paramSecrets(all)
	it.factIf("host", host, it.Place, host)

	switch {
	case all.has("error") || all.has("error_code") && all.has("error_description"):
		it.Kind = usher.KindRedirectURL
		if strings.HasSuffix(host, "amazoncognito.com") {
			it.Provider = "cognito"
		}
		if providerOf(host) == "" {
			endpoint = "callback" // whatever its path is called
		} else if endpoint == "" {
			endpoint = "signin"
		}
		it.fact("endpoint", endpoint, it.Place, base)
		r.redirectError(it, all, p)
		it.Summary = summary("redirect to " + host + " with error " + errorSummary(it.Error))
	case all.get("response_type") != "" || all.has("client_id") && (all.has("redirect_uri") || all.has("scope")) && endpoint == "authorize" || all.has("client_id") && all.has("request_uri"):
		it.Kind = usher.KindAuthRequest
		it.Provider = providerOf(base)
		r.authRequest(it, base, all, p)
		it.Summary = summary("authorization request to " + host + " by client " + all.get("client_id"))
	case all.has("code") && (all.has("state") || all.has("session_state") || all.has("iss") || all.has("scope")) || all.has("access_token") || all.has("id_token"):
		it.Kind = usher.KindRedirectURL
		it.fact("endpoint", "callback", it.Place, base)
		it.Summary = summary("redirect to " + host + " with " + strings.Join(paramNames(all), ", "))
		if iss := all.get("iss"); iss != "" {
			it.fact("issuer", iss, it.Place, iss)
			it.Provider = providerOf(iss)
		}
	case endpoint != "" && endpoint != "api" && endpoint != "callback" && path != "":
		it.Kind = usher.KindStatement
		it.Provider = providerIn(lower)
		it.fact("endpoint", endpoint, it.Place, base)
		it.Summary = summary("URL of the " + endpoint + " endpoint at " + host)
		if all.has("client_id") {
			it.fact("client-id", all.get("client_id"), it.Place, all.get("client_id"))
		}
	default:
		return false
	}
	if it.Kind == usher.KindRedirectURL {
		it.AuthResponse, _ = oauth.ParseAuthorizationResponse(p.text)
	}
	if it.Provider == "" {
		it.Provider = providerOf(plainPercent(p.text))
	}
	if tenant := tenantOf(base); tenant != "" {
		it.fact("tenant", tenant, it.Place, base)
	}
	for _, name := range [...]string{"id_token", "access_token", "code", "response", "request", "id_token_hint"} {
		if t := all.find(name); t != nil && strings.HasPrefix(t.val, "eyJ") {
			defer r.part(p.inside(t.at, t.val, name))
		}
	}
	r.add(it)
	return true
}

func paramNames(list params) []string {
	names := make([]string, 0, min(len(list), 8))
	for i := range list {
		if len(names) == 8 {
			break
		}
		names = append(names, list[i].key)
	}
	return names
}

// redirectError reads the error parameters of a way back, or of a form body.
func (r *reader) redirectError(it *Item, all params, p *piece) {
	e := &ErrorBody{
		Code:        all.get("error"),
		Description: all.get("error_description"),
		URI:         all.get("error_uri"),
		Suberror:    all.get("error_subcode"),
		Claims:      all.get("claims"),
		State:       all.get("state"),
		Issuer:      all.get("iss"),
	}
	for _, name := range [...]string{"error_message", "error_reason", "message"} {
		if e.Description == "" {
			e.Description = all.get(name)
		}
	}
	if s := all.get("suberror"); s != "" {
		e.Suberror = s
	}
	if e.Claims != "" {
		claimsChallenge(e)
	}
	it.Error = e
	if e.Code != "" {
		at := all.find("error")
		it.fact("error", e.Code, p.place(at.at), e.Code)
	}
	it.factIf("suberror", e.Suberror, it.Place, e.Suberror)
	if e.Issuer != "" {
		it.fact("issuer", e.Issuer, it.Place, e.Issuer)
		it.Provider = providerOf(e.Issuer)
	}
	for _, id := range e.PolicyIDs {
		it.fact("ca-policy-id", id, it.Place, id)
	}
	// Codes and ids stand in the description; the places are those of the URL.
	text := it.Text
	inner := piece{src: p.src, text: text, base: p.off(0), fixed: true, depth: p.depth}
	scanText(it, &inner, text, fold(text))
	if code := all.get("error_code"); code != "" && e.Code == "" {
		e.Code = code
		it.fact("error", code, it.Place, code)
	}
	if strings.Contains(e.URI, "login.microsoftonline") {
		if _, code, ok := strings.Cut(e.URI, "code="); ok && allDigits(code) {
			it.code("entra", "AADSTS"+code, it.Place, e.URI)
		}
	}
	if it.Provider != "" && e.Code != "" && len(e.Codes) == 0 {
		it.fact("code", it.Provider+"/"+e.Code, it.Place, e.Code)
	}
}

// authRequest tells what an authorization request asks for.
func (r *reader) authRequest(it *Item, base string, all params, p *piece) {
	raw := p.text
	if base == "" {
		raw = "?" + raw
	}
	if a, err := oauth.ParseAuthorizationRequest(raw); err == nil {
		it.AuthRequest = a
	}
	it.fact("endpoint", "authorize", it.Place, base)
	at := func(key string) (string, string) {
		if q := all.find(key); q != nil {
			return p.place(q.at), q.val
		}
		return it.Place, ""
	}
	for _, key := range [...][2]string{{"response_type", "response-type"}, {"response_mode", "response-mode"}, {"prompt", "prompt"}, {"client_id", "client-id"}, {"acr_values", "acr"}} {
		if place, val := at(key[0]); val != "" {
			it.fact(key[1], val, place, val)
		}
	}
	clientIDShape(it, all, p)
	scopeFacts(it, all.get("scope"), it.Place)
	if uri := all.get("redirect_uri"); uri != "" {
		place, _ := at("redirect_uri")
		redirectFacts(it, uri, place)
	}
	if place, challenge := at("code_challenge"); challenge != "" {
		method := lowerASCII(all.get("code_challenge_method"))
		if method == "" {
			method = "plain"
		}
		it.fact("pkce", method, place, challenge)
	} else {
		it.fact("pkce", "none", it.Place, "")
	}
	for _, key := range [...]string{"state", "nonce"} {
		if all.has(key) {
			it.fact(key, "sent", it.Place, all.get(key))
		} else {
			it.fact(key, "missing", it.Place, "")
		}
	}
}

// clientIDShape tells what looks wrong with a client id.
func clientIDShape(it *Item, all params, p *piece) {
	q := all.find("client_id")
	if q == nil {
		return
	}
	place := p.place(q.at)
	switch id := q.val; {
	case id == "":
		it.fact("client-id-shape", "empty", place, q.raw)
	case strings.TrimSpace(id) != id:
		it.fact("client-id-shape", "whitespace", place, q.raw)
	case looksGUID(id):
		it.fact("client-id-shape", "guid", place, id)
	case strings.HasSuffix(id, ".apps.googleusercontent.com"):
		it.fact("client-id-shape", "google", place, id)
	case strings.HasPrefix(id, "0oa") && len(id) == 20:
		it.fact("client-id-shape", "okta", place, id)
	case isPlaceholder(id):
		it.fact("client-id-shape", "placeholder", place, id)
	}
}

// scopeFacts gives each scope, and tells of scopes for several resources.
func scopeFacts(it *Item, scope, place string) {
	if len(scope) > 8192 {
		return
	}
	resources := map[string]bool{}
	n := 0
	for _, s := range strings.Fields(scope) {
		if n++; n > 64 {
			break
		}
		it.fact("scope", s, place, scope)
		if i := strings.LastIndexByte(s, '/'); i > 8 && strings.Contains(s, "://") {
			resources[s[:i]] = true
		}
	}
	if len(resources) > 1 {
		it.fact("scope-count", "many", place, scope)
	}
}

// paramSecrets notes the credentials among parameters.
func (r *reader) paramSecrets(list params) {
	for i := range list {
		switch q := &list[i]; q.key {
		case "code":
			if len(q.val) >= 8 && (looksRandom(q.val) || len(q.val) >= 20) {
				r.secretParam(q)
			}
		case "client_secret", "access_token", "id_token", "refresh_token", "password", "assertion", "client_assertion", "code_verifier",
			"device_code", "SAMLResponse", "id_token_hint", "subject_token", "actor_token", "token", "request", "logout_token", "auth_req_id", "user_code":
			r.secretParam(q)
		}
	}
}

func (r *reader) secretParam(q *param) {
	r.secret(q.val)
	if q.raw != q.val {
		r.secret(q.raw)
	}
}

// endpointOf tells which endpoint of a flow a URL is, from its path.
func endpointOf(base string) string {
	lower := lowerASCII(base)
	path := lower
	if i := strings.Index(lower, "://"); i >= 0 {
		path = lower[i+3:]
		if j := strings.IndexByte(path, '/'); j >= 0 {
			path = path[j:]
		} else {
			return ""
		}
	}
	path = strings.TrimRight(path, "/")
	switch {
	case strings.Contains(path, "/.well-known/openid-configuration"), strings.Contains(path, "/.well-known/oauth-authorization-server"), strings.Contains(path, "/.well-known/oauth-protected-resource"):
		return "discovery"
	case hasAnySuffix(path, "/jwks", "/keys", "/certs", "/jwks.json", "/jwks_uri") && (strings.Contains(path, "oauth") || strings.Contains(path, "openid") || strings.Contains(path, "discovery") || strings.Contains(path, "well-known") || strings.HasSuffix(path, "jwks.json")):
		return "jwks"
	case hasAnySuffix(path, "/devicecode", "/device_authorization", "/device/code", "/auth/device", "/device/authorize"):
		return "device"
	case hasAnySuffix(path, "/introspect", "/token/introspect", "/introspection", "/tokeninfo"):
		return "introspect"
	case hasAnySuffix(path, "/revoke", "/revocation"):
		return "revoke"
	case hasAnySuffix(path, "/userinfo", "/me/userinfo"):
		return "userinfo"
	case hasAnySuffix(path, "/par", "/pushed-authorization-request", "/ext/par/request"):
		return "par"
	case hasAnySuffix(path, "/logout", "/signout", "/endsession", "/end_session", "/oidc/logout", "/logoff"):
		return "logout"
	case hasAnySuffix(path, "/token", "/access_token", "/oauth.v2.access", "/oauth.access", "/tokens", "/oauth/accesstoken", "/oauth2/token", "/oauth.v2.exchange"):
		return "token"
	case hasAnySuffix(path, "/authorize", "/authorization", "/oauth2/auth", "/openid-connect/auth", "/o/oauth2/v2/auth", "/o/oauth2/auth", "/oauth/auth", "/connect/authorize", "/dialog/oauth", "/authorize.v2", "/oauth/v2/authorize", "/as/authorization.oauth2", "/saml2", "/wsfed"),
		strings.Contains(path, "/oauth2/v2.0/authorize"), strings.Contains(path, "/v2/auth/"):
		return "authorize"
	case hasAnySuffix(path, "/callback", "/signin-oidc", "/redirect", "/oauth2callback", "/cb", "/silent-renew.html", "/login/oauth2/code", "/oauth/callback", "/auth/callback") || strings.Contains(path, "/callback") || strings.Contains(path, "/login/oauth2/code/"):
		return "callback"
	case strings.Contains(lower, "graph.microsoft.com/"), strings.Contains(lower, "://api."), strings.Contains(path, "/api/"):
		return "api"
	}
	return ""
}

func hasAnySuffix(s string, suffixes ...string) bool {
	for _, x := range suffixes {
		if strings.HasSuffix(s, x) {
			return true
		}
	}
	return false
}

// tenantOf tells the kind of tenant in the path of an Entra address.
func tenantOf(base string) string {
	i := strings.Index(base, "://")
	if i < 0 || !strings.Contains(lowerASCII(base), "login.microsoftonline") {
		return ""
	}
	_, path, _ := strings.Cut(base[i+3:], "/")
	seg, _, _ := strings.Cut(path, "/")
	switch seg = lowerASCII(seg); {
	case seg == "common", seg == "organizations", seg == "consumers":
		return seg
	case seg == "" || seg == "oauth2":
		return "empty"
	case looksGUID(seg):
		return "id"
	}
	return "name"
}

func sniffForm(p *piece) int {
	h := p.start()
	if len(p.text) > 256<<10 || strings.IndexByte(h, '=') <= 0 {
		return 0
	}
	t := strings.TrimSpace(p.text)
	if strings.ContainsAny(t, " \n\t{<") || strings.Contains(t, "://") && strings.Index(t, "://") < strings.IndexByte(t, '=') {
		return 0
	}
	key := h[:strings.IndexByte(h, '=')]
	for i := 0; i < len(key); i++ {
		if !isTokenByte(key[i]) && key[i] != '.' {
			return 0
		}
	}
	for _, name := range [...]string{"error=", "grant_type=", "client_id=", "refresh_token=", "response_type=", "access_token="} {
		if strings.HasPrefix(t, name) || strings.Contains(t, "&"+name) {
			return 70
		}
	}
	return 0
}

// readForm reads key=value&...: an error in form encoding, the body of a token
// request, or the query of an authorization request.
func readForm(r *reader, p *piece) bool {
	text := strings.TrimSpace(p.text)
	at := strings.Index(p.text, text)
	part := p.part(at, at+len(text))
	all := parseParams(text, 0)
	it := &Item{Line: part.line(0)}
	it.Place = part.place(0)
	it.Text = plainText(text)
	lower := fold(text)
	r.secretsIn(text, lower)
	r.paramSecrets(all)
	switch {
	case all.has("error"):
		it.Kind = usher.KindErrorResponse
		r.redirectError(it, all, &part)
		it.Summary = errorSummary(it.Error)
	case all.has("grant_type"):
		r.tokenRequest(it, "", "", all, &part)
	case all.has("response_type"):
		it.Kind = usher.KindAuthRequest
		r.authRequest(it, "", all, &part)
		it.Summary = summary("authorization request by client " + all.get("client_id"))
	case all.has("access_token") && all.has("token_type"):
		it.Kind = usher.KindExchange
		it.Summary = "an answer with " + strings.Join(paramNames(all), ", ")
		it.fact("endpoint", "token", it.Place, "")
	default:
		return false
	}
	if it.Provider == "" {
		it.Provider = providerOf(it.Text)
	}
	r.add(it)
	return true
}
