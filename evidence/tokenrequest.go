package evidence

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"usher"
	"usher/oauth"
)

// tokenRequest reads the parameters of a request to the token endpoint (or to
// one that takes the same client authentication). authorization is the value
// of the Authorization header, where one was seen.
func (r *reader) tokenRequest(it *Item, endpointURL, authorization string, all params, p *piece) {
	it.Kind = usher.KindTokenRequest
	place := func(key string) string {
		if q := all.find(key); q != nil {
			return p.place(q.at)
		}
		return it.Place
	}
	endpoint := endpointOf(endpointURL)
	if endpoint == "" || endpoint == "api" || endpoint == "callback" {
		endpoint = "token"
	}
	it.fact("endpoint", endpoint, it.Place, endpointURL)
	if endpointURL != "" {
		_, host := splitURI(endpointURL)
		it.factIf("host", host, it.Place, endpointURL)
		it.factIf("tenant", tenantOf(endpointURL), it.Place, endpointURL)
	}
	it.TokenRequest = parsedTokenRequest(endpointURL, authorization, all)
	grant := grantName(all.get("grant_type"))
	if all.get("requested_token_use") == "on_behalf_of" {
		grant = "obo"
	}
	it.factIf("grant", grant, place("grant_type"), all.get("grant_type"))
	if id := all.get("client_id"); id != "" {
		it.fact("client-id", id, place("client_id"), id)
	}
	clientIDShape(it, all, p)
	scopeFacts(it, all.get("scope"), place("scope"))
	if uri := all.get("redirect_uri"); uri != "" {
		redirectFacts(it, uri, place("redirect_uri"))
	}
	if grant == "authorization_code" {
		if all.has("code_verifier") {
			it.fact("pkce", "verifier", place("code_verifier"), "code_verifier")
		} else {
			it.fact("pkce", "no-verifier", it.Place, "")
		}
	}
	r.clientAuth(it, authorization, all, p)
	r.paramSecrets(all)
	it.Summary = summary(strings.TrimSpace("token request: grant " + grant + " by client " + all.get("client_id")))
	for _, name := range [...]string{"client_assertion", "assertion", "client_secret", "subject_token", "id_token", "access_token", "token"} {
		if q := all.find(name); q != nil && strings.HasPrefix(q.val, "eyJ") && strings.Count(q.val, ".") >= 2 {
			part := p.inside(q.at, q.val, name)
			defer r.part(part)
		}
	}
}

// clientAuth tells how the client authenticated, and what its secret looks like.
func (r *reader) clientAuth(it *Item, authorization string, all params, p *piece) {
	var methods []string
	if len(authorization) > 6 && strings.EqualFold(authorization[:6], "basic ") {
		methods = append(methods, "basic")
		word := strings.TrimSpace(authorization[6:])
		r.secret(word)
		if plain, err := base64.StdEncoding.DecodeString(word); err == nil {
			id, pass, ok := strings.Cut(string(plain), ":")
			if ok {
				r.secret(pass)
				it.factIf("client-id", unescapeQuery(id), it.Place, "Authorization: Basic")
				secretShape(it, pass, pass, it.Place)
			}
		}
	}
	if q := all.find("client_assertion"); q != nil && q.val != "" {
		methods = append(methods, "private_key_jwt")
	}
	if q := all.find("client_secret"); q != nil {
		methods = append(methods, "post")
		secretShape(it, q.val, q.raw, p.place(q.at))
	}
	if len(methods) == 0 {
		methods = append(methods, "none")
	}
	for _, m := range methods {
		it.fact("auth-method", m, it.Place, "")
	}
	if len(methods) > 1 {
		it.fact("auth-method", "several", it.Place, "")
	}
}

// secretShape tells what is odd with a client secret. raw is the value as it
// was sent, val what it decodes to.
func secretShape(it *Item, val, raw, place string) {
	shape := ""
	switch {
	case val == "":
		shape = "empty"
	case looksGUID(val):
		shape = "guid"
	case strings.HasSuffix(val, "\n"), strings.HasSuffix(val, "\r"), strings.HasSuffix(strings.ToLower(raw), "%0a"):
		shape = "trailing-newline"
	case strings.TrimLeft(val, " \t") != val:
		shape = "leading-space"
	case strings.TrimRight(val, " \t") != val:
		shape = "trailing-space"
	case len(val) > 1 && (val[0] == '"' || val[0] == '\'') && val[len(val)-1] == val[0]:
		shape = "quoted"
	case strings.HasPrefix(val, "eyJ") && strings.Count(val, ".") == 2:
		shape = "jwt"
	case isPlaceholder(val):
		shape = "placeholder"
	case percentEncoded(val):
		shape = "percent" // encoded twice
	case raw == val && strings.Contains(raw, "+"):
		shape = "plus"
	case raw != val && strings.Contains(raw, "+") && strings.Contains(val, " "):
		shape = "plus" // a plus sign that was not encoded arrives as a blank
	}
	it.factIf("secret-shape", shape, place, val)
}

func percentEncoded(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			return true
		}
	}
	return false
}

// parsedTokenRequest hands the parameters to the protocol's own reader, as they
// were written.
func parsedTokenRequest(endpoint, authorization string, all params) *oauth.TokenRequest {
	var form strings.Builder
	for i := range all {
		if i > 0 {
			form.WriteByte('&')
		}
		raw := all[i].raw
		if strings.ContainsAny(raw, "& \n") { // it came from JSON or a command line, not from a form
			raw = url.QueryEscape(all[i].val)
		}
		form.WriteString(url.QueryEscape(all[i].key) + "=" + raw)
	}
	var header http.Header
	if authorization != "" {
		header = http.Header{"Authorization": {authorization}}
	}
	request, err := oauth.ParseTokenRequest(endpoint, header, form.String())
	if err != nil {
		return nil
	}
	return request
}
