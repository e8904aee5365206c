package evidence

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/token"
)

func sniffJWT(p *piece) int {
	h := p.start()
	if len(h) < 20 || !strings.HasPrefix(h, "eyJ") {
		return 0
	}
	t := strings.TrimSpace(p.text)
	for i := 0; i < len(t); i++ {
		if !isTokenByte(t[i]) && t[i] != '.' && t[i] != '=' {
			return 0
		}
	}
	return 88
}

// readJWT reads a token that stands alone.
func readJWT(r *reader, p *piece) bool {
	t := strings.TrimSpace(p.text)
	r.secret(t)
	parsed, err := token.Parse(t)
	if err != nil || parsed == nil {
		r.ignore(p.place(0), "a token that cannot be read: "+errText(err))
		return true
	}
	it := &Item{Line: p.line(0), Token: parsed, Raw: usher.Secret(t), Origin: p.origin}
	it.Kind, it.Place = usher.KindToken, p.place(0)
	tokenFacts(it, parsed, p.origin, it.Place)
	it.Text = claimsText(parsed)
	it.Summary = tokenSummary(parsed, p.origin)
	r.add(it)
	return true
}

func errText(err error) string {
	if err == nil {
		return "nothing is there"
	}
	return err.Error()
}

// claimsText is what signatures may be matched against: header and claims,
// never the token itself.
func claimsText(t *token.Parsed) string {
	if t.Header == nil && t.Claims == nil {
		return t.Why
	}
	h, _ := json.Marshal(t.Header)
	c, _ := json.Marshal(t.Claims)
	text := string(h) + " " + string(c)
	if len(text) > 64<<10 {
		text = strings.ToValidUTF8(text[:64<<10], "")
	}
	return text
}

func tokenSummary(t *token.Parsed, origin string) string {
	what := "token"
	switch origin {
	case "":
	case "assertion", "client_assertion", "client_secret", "id_token", "access_token", "refresh_token", "logout_token", "DPoP":
		what = strings.ReplaceAll(origin, "_", " ") + ": token"
	}
	if t.Claims == nil {
		return summary(what + ", " + string(t.Form) + ": " + t.Why)
	}
	parts := []string{what}
	if t.Alg != "" {
		parts[0] += " (" + t.Alg + ")"
	}
	for _, c := range [...]string{"iss", "aud"} {
		if s := claimText(t.Claims[c]); s != "" {
			parts = append(parts, c+" "+s)
		}
	}
	return summary(strings.Join(parts, ", "))
}

// claimText gives a claim as text; a list with blanks between.
func claimText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		var b strings.Builder
		for i, e := range v {
			if i == 8 {
				break
			}
			if s, ok := e.(string); ok {
				if b.Len() > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(s)
			}
		}
		return b.String()
	}
	return ""
}

// tokenFacts describes a token by its header and claims.
func tokenFacts(it *Item, t *token.Parsed, origin, place string) {
	kind := string(t.Form)
	switch t.Form {
	case token.FormJWS, token.FormJSON:
		kind = "jwt"
	case token.FormJWE:
		kind = "jwe"
	}
	it.fact("token-kind", kind, place, "")
	assertion := origin == "client_assertion" || origin == "assertion" || origin == "client_secret"
	prefix := "token"
	if assertion {
		prefix = "assertion"
	}
	kid := "absent"
	if t.Kid != "" {
		kid = "present"
	}
	if t.Header != nil {
		it.factIf(prefix+"-alg", t.Alg, place, t.Alg)
		it.factIf(prefix+"-typ", t.Typ, place, t.Typ)
		it.fact(prefix+"-kid", kid, place, t.Kid)
	}
	claimFacts(it, t.Claims, assertion, place)
}

// claimFacts describes claims. They may come from a token or stand alone.
func claimFacts(it *Item, claims map[string]any, assertion bool, place string) {
	if claims == nil {
		return
	}
	for _, name := range [...]string{"scp", "roles", "cnf", "nonce", "at_hash", "azp", "scope", "groups", "tid", "nbf", "acr", "amr", "xms_cc", "wids", "email", "aud", "exp", "sub", "jti", "idtyp"} {
		if _, ok := claims[name]; ok {
			it.fact("token-has", name, place, claimText(claims[name]))
		}
	}
	it.factIf("token-ver", claimText(claims["ver"]), place, "")
	it.factIf("token-iss", claimText(claims["iss"]), place, claimText(claims["iss"]))
	it.factIf("token-aud", claimText(claims["aud"]), place, claimText(claims["aud"]))
	it.factIf("token-tid", claimText(claims["tid"]), place, "")
	use := claimText(claims["token_use"])
	switch {
	case use != "":
	case assertion:
		use = "assertion"
	case claims["events"] != nil && claims["sid"] != nil:
		use = "logout"
	case claims["at_hash"] != nil || claims["nonce"] != nil && claims["scp"] == nil:
		use = "id"
	case claims["scp"] != nil || claims["scope"] != nil || claims["roles"] != nil && claims["nonce"] == nil:
		use = "access"
	}
	it.factIf("token-use", use, place, "")
	for _, name := range [...]string{"client_id", "azp", "appid"} {
		if s := claimText(claims[name]); s != "" {
			it.fact("client-id", s, place, s)
			break
		}
	}
	for _, s := range strings.Fields(claimText(claims["scp"]) + " " + claimText(claims["scope"])) {
		it.fact("token-scope", s, place, s)
	}
	iat, exp := claimTime(claims["iat"]), claimTime(claims["exp"])
	if iat.Year() > 3000 || exp.Year() > 3000 {
		it.fact("token-time", "milliseconds", place, claimText(claims["iat"]))
	} else if !iat.IsZero() && !exp.IsZero() && exp.Sub(iat) > 183*24*time.Hour {
		it.fact("token-lifetime", "too-long", place, claimText(claims["exp"]))
	}
	if it.Provider == "" {
		it.Provider = providerOf(claimText(claims["iss"]))
	}
	if it.Provider == "" && (assertion || use == "assertion") {
		it.Provider = providerOf(claimText(claims["aud"]))
	}
}

// claimTime reads a NumericDate; the zero time when there is none.
func claimTime(v any) time.Time {
	s := claimText(v)
	if s == "" || len(s) > 20 {
		return time.Time{}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f <= 0 || f > 1e14 {
		return time.Time{}
	}
	return time.Unix(int64(f), 0).UTC()
}

// claimsObject reads decoded claims, or a decoded JOSE header, that stand alone.
func (r *reader) claimsObject(v *value, p *piece) bool {
	if !v.is(jsonObject) {
		return false
	}
	n := 0
	for _, name := range [...]string{"iss", "aud", "exp", "iat", "sub", "nbf", "jti", "azp", "appid", "tid", "oid", "scp", "ver", "token_use", "client_id", "cnf", "nonce"} {
		if v.get(name) != nil {
			n++
		}
	}
	jose := v.get("alg").is(jsonString) && len(v.kids) <= 8 && v.get("kty") == nil && (v.get("typ") != nil || v.get("kid") != nil || v.get("enc") != nil)
	strong := v.get("iss") != nil && (v.get("aud") != nil || v.get("exp") != nil || v.get("sub") != nil) && v.get("error") == nil && v.get("authorization_endpoint") == nil
	if !jose && (n < 3 || !strong) {
		return false
	}
	it, _, _ := r.newItem(usher.KindToken, v, p)
	m, _ := v.any().(map[string]any)
	for key, x := range m {
		if f, ok := x.(float64); ok {
			m[key] = json.Number(strconv.FormatFloat(f, 'f', -1, 64))
		}
	}
	t := &token.Parsed{Form: token.FormJWS, Signed: true}
	if jose {
		t.Header = m
		t.Alg, t.Kid, t.Typ = v.get("alg").str(), v.get("kid").str(), v.get("typ").str()
		if v.get("enc") != nil {
			t.Form = token.FormJWE
		}
	} else {
		t.Claims = m
	}
	origin := p.origin
	if k := lowerASCII(v.key); strings.Contains(k, "client_secret") {
		origin = "client_secret"
	} else if strings.Contains(k, "assertion") {
		origin = "client_assertion"
	}
	it.Token, it.Origin = t, origin
	it.Object = m
	tokenFacts(it, t, origin, it.Place)
	it.Summary = "decoded " + tokenSummary(t, origin)
	if jose {
		it.Summary = "decoded token header"
	}
	r.add(it)
	return true
}

// tokenResponse reads the answer of a token endpoint.
func (r *reader) tokenResponse(v *value, p *piece) bool {
	if !v.is(jsonObject) || v.get("error") != nil || v.get("access_token").str() == "" && (v.get("id_token").str() == "" || v.get("token_type") == nil && len(v.kids) > 6) {
		return false
	}
	it, _, _ := r.newItem(usher.KindExchange, v, p)
	it.JSON, _ = json.Marshal(v.any())
	it.fact("endpoint", "token", it.Place, "")
	for _, name := range [...]string{"access_token", "id_token", "refresh_token"} {
		m := v.get(name)
		r.secret(m.str())
		if m != nil {
			it.fact("answer-has", name, p.place(int(m.keyAt)), name)
		} else {
			it.fact("answer-lacks", name, it.Place, "")
		}
	}
	for _, s := range strings.Fields(v.get("scope").str()) {
		it.fact("granted-scope", s, it.Place, s)
	}
	it.factIf("token-type", v.get("token_type").str(), it.Place, "")
	it.Summary = summary("answer of a token endpoint with " + strings.Join(memberNames(v, 10), ", "))
	if !r.add(it) {
		return true
	}
	for _, name := range [...]string{"access_token", "id_token"} {
		if m := v.get(name); m.str() != "" {
			part := p.inside(int(m.at), m.text, name)
			if strings.HasPrefix(m.text, "eyJ") {
				r.part(part)
			} else if name == "access_token" {
				r.opaque(&part)
			}
		}
	}
	return true
}

// introspection reads the answer of an introspection endpoint, RFC 7662 section 2.2.
func (r *reader) introspection(v *value, p *piece) bool {
	if !v.is(jsonObject) || !v.get("active").is(jsonBool) {
		return false
	}
	for _, name := range [...]string{"iss", "scope", "client_id", "exp", "aud", "token_type", "username", "sub"} {
		if v.get(name) == nil {
			continue
		}
		return r.introspected(v, p)
	}
	return len(v.kids) == 1 && r.introspected(v, p)
}

func (r *reader) introspected(v *value, p *piece) bool {
	it, raw, lower := r.newItem(usher.KindExchange, v, p)
	it.JSON, _ = json.Marshal(v.any())
	it.scan(v, p, raw, lower)
	it.fact("endpoint", "introspect", it.Place, "")
	it.Summary = summary("answer of an introspection endpoint with " + strings.Join(memberNames(v, 10), ", "))
	return r.add(it)
}

// opaque notes a token that only its issuer can read.
func (r *reader) opaque(p *piece) {
	parsed, err := token.Parse(strings.TrimSpace(p.text))
	if err != nil || parsed == nil {
		return
	}
	it := &Item{Line: p.line(0), Token: parsed, Text: parsed.Why, Origin: p.origin}
	it.Kind, it.Place = usher.KindToken, p.place(0)
	tokenFacts(it, parsed, p.origin, it.Place)
	it.Summary = tokenSummary(parsed, p.origin)
	r.add(it)
}
