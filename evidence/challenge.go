package evidence

import (
	"strings"

	"usher"
	"usher/oauth"
)

// maxChallenges bounds what one header may hold.
const maxChallenges = 16

// authSchemes are the schemes by which a header value is known without its name.
var authSchemes = [...]string{"bearer", "dpop", "basic", "negotiate", "digest", "pop", "hmac", "gnap"}

func sniffChallenge(p *piece) int {
	h := p.start()
	h = h[:min(len(h), 64)]
	l := lowerASCII(h)
	if strings.HasPrefix(l, "www-authenticate") {
		return 72
	}
	for _, scheme := range authSchemes[:3] {
		if strings.HasPrefix(l, scheme+" ") {
			rest := l[len(scheme)+1:]
			for _, name := range [...]string{"realm=", "error=", "scope=", "authorization_uri=", "resource_metadata=", "error_description=", "algs=", "claims=", "acr_values="} {
				if strings.HasPrefix(strings.TrimLeft(rest, " "), name) {
					return 75
				}
			}
		}
	}
	return 0
}

// readChallenge reads a WWW-Authenticate header, with or without its name, and
// leaves what stands behind it to the other readers.
func readChallenge(r *reader, p *piece) bool {
	at := len(p.text) - len(strings.TrimLeft(p.text, " \t\n\u00a0"))
	line := p.text[at:]
	end := len(p.text)
	if i := headerEnd(line); i < len(line) {
		line, end = line[:i], at+i
	}
	start := at
	if strings.HasPrefix(lowerASCII(line[:min(len(line), 20)]), "www-authenticate") {
		skip := len("www-authenticate")
		skip += len(line[skip:]) - len(strings.TrimLeft(line[skip:], " :=\t\"'"))
		line = line[skip:]
		start += skip
	}
	if !r.challenge(p.part(start, end), line) {
		return false
	}
	if strings.TrimSpace(p.text[end:]) != "" {
		r.part(p.part(end, len(p.text)))
	}
	return true
}

// headerEnd gives the end of a header value that starts s: folded lines belong to it.
func headerEnd(s string) int {
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '\n')
		if j < 0 {
			return len(s)
		}
		i += j
		if i+1 < len(s) && (s[i+1] == ' ' || s[i+1] == '\t') && strings.TrimSpace(s[i:min(len(s), i+64)]) != "" && strings.Contains(s[:i], ",") {
			i++
			continue
		}
		return i
	}
	return len(s)
}

// challenge makes an item of the value of a WWW-Authenticate header.
func (r *reader) challenge(p piece, val string) bool {
	val = strings.Join(strings.Fields(strings.ReplaceAll(val[:min(len(val), 64<<10)], `\"`, `"`)), " ")
	list, err := oauth.ParseChallenges(val)
	if len(list) == 0 {
		return false
	}
	if err != nil {
		r.ignore(p.place(0), "a part of the challenge cannot be read: "+err.Error())
	}
	list = list[:min(len(list), maxChallenges)]
	it := &Item{Line: p.line(0), Challenges: list}
	it.Kind, it.Place = usher.KindChallenge, p.place(0)
	lower := fold(val)
	it.Provider = providerIn(lower)
	r.secretsIn(val, lower)
	text := val
	e := &ErrorBody{}
	for i := range list {
		c := &list[i]
		it.fact("challenge-scheme", c.Scheme, it.Place, c.Scheme)
		r.secret(c.Token68)
		if len(c.Params) == 0 {
			it.fact("challenge", "none", it.Place, c.Scheme)
		}
		if code := c.Params["error"]; code != "" {
			if e.Code == "" {
				e.Code = code
			}
			it.fact("challenge-error", code, it.Place, code)
			it.fact("error", code, it.Place, code)
		}
		if d := c.Params["error_description"]; d != "" && e.Description == "" {
			e.Description = d
		}
		if claims := c.Params["claims"]; claims != "" {
			e.Claims = claims
			claimsChallenge(e)
			it.fact("challenge", "claims", it.Place, e.Claims)
			text += " " + e.Claims
		}
		for _, name := range [...][2]string{{"acr_values", "acr"}, {"max_age", "max-age"}, {"resource_metadata", "resource-metadata"}, {"scope", "scope"}} {
			if v := c.Params[name[0]]; v != "" {
				it.fact("challenge", name[1], it.Place, v)
			}
		}
		scopeFacts(it, c.Params["scope"], it.Place)
		it.factIf("tenant", tenantOf(c.Params["authorization_uri"]), it.Place, c.Params["authorization_uri"])
	}
	for _, id := range e.PolicyIDs {
		it.fact("ca-policy-id", id, it.Place, id)
	}
	if strings.Contains(e.Claims, "xms_rp_ipaddr") {
		it.fact("challenge", "ip-address", it.Place, e.Claims)
	}
	if strings.Contains(e.Claims, `"nbf"`) {
		it.fact("challenge", "nbf", it.Place, e.Claims)
	}
	if strings.Contains(e.Claims, `"acrs"`) {
		it.fact("challenge", "acrs", it.Place, e.Claims)
	}
	it.Text = plainText(text)
	if e.Code != "" || e.Description != "" || e.Claims != "" {
		it.Error = e
	}
	inner := piece{src: p.src, text: val, base: p.off(0), fixed: true, depth: p.depth}
	scanText(it, &inner, val, lower)
	it.Summary = summary("challenge " + val)
	return r.add(it)
}
