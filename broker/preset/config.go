package preset

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"usher"
	"usher/broker"
	"usher/oauth"
)

// Wish is what somebody says to make a connection from a preset. What is empty
// is the preset's.
type Wish struct {
	ID         string
	Grant      string            // short name or grant type
	ClientID   string            //
	AuthMethod string            // one of those that the preset knows
	Scopes     []string          //
	Values     map[string]string // by the name of Preset.Values
	Params     map[string]string // further parameters of the token request
}

// Config makes a configuration of a wish. Its error is an *usher.Error that
// names the field and says what to give.
func (p *Preset) Config(w Wish) (broker.Config, error) {
	grant, err := p.grant(w.Grant)
	if err != nil {
		return broker.Config{}, err
	}
	auth, err := p.auth(w.AuthMethod)
	if err != nil {
		return broker.Config{}, err
	}
	set, err := p.fill(w.Values)
	if err != nil {
		return broker.Config{}, err
	}
	c := broker.Config{
		ID: w.ID, Preset: p.Name, ClientID: w.ClientID, Grant: grant, AuthMethod: auth,
		Issuer: put(p.Issuer, set), Audience: put(p.Aud, set),
		Endpoints: broker.Endpoints{
			Token: put(p.Endpoints.Token, set), Authorization: put(p.Endpoints.Authorization, set), DeviceAuthorization: put(p.Endpoints.DeviceAuthorization, set),
			Revocation: put(p.Endpoints.Revocation, set), Introspection: put(p.Endpoints.Introspection, set), JWKS: put(p.Endpoints.JWKS, set),
			IssuerInResponse: p.Endpoints.IssuerInResponse,
		},
		Scopes: p.scopes(grant, w.Scopes), ReuseGrace: usher.Duration(p.Refresh.Grace),
	}
	if len(p.Token) > 0 || len(w.Params) > 0 {
		c.Extra = map[string]string{}
		maps.Copy(c.Extra, p.Token)
		maps.Copy(c.Extra, w.Params)
	}
	return c, nil
}

func (p *Preset) grant(wanted string) (string, error) {
	if wanted == "" {
		wanted = p.Grants[0]
	}
	grant, ok := GrantType(wanted)
	if !ok {
		return "", wrong("grant_type", strconv.Quote(clip(wanted))+" is no grant that a connection can live by", "use one of "+strings.Join(p.Grants, ", "))
	}
	for _, name := range p.Grants {
		if has, _ := GrantType(name); has == grant {
			return grant, nil
		}
	}
	if grant == broker.GrantRefresh && p.Refresh.Given != "never" {
		return grant, nil // a refresh token that somebody got elsewhere
	}
	return "", wrong("grant_type", p.Title+" does not take "+clip(wanted), "use one of "+strings.Join(p.Grants, ", "))
}

func (p *Preset) auth(wanted string) (string, error) {
	switch {
	case wanted == "":
		return p.Auth[0], nil
	case slices.Contains(p.Auth, wanted):
		return wanted, nil
	}
	return "", wrong("token_endpoint_auth_method", p.Title+" is not known to take "+clip(wanted), "use one of "+strings.Join(p.Auth, ", "))
}

// scopes are those that are wished for, or the preset's; and the one without
// which a person would have to connect again with every access token.
func (p *Preset) scopes(grant string, wished []string) []string {
	scopes := slices.Clone(wished)
	if len(scopes) == 0 {
		scopes = slices.Clone(p.Scopes.Default)
		if grant == broker.GrantClientCredentials && len(p.Scopes.ClientCredentials) > 0 {
			scopes = slices.Clone(p.Scopes.ClientCredentials)
		}
	}
	if s := p.Scopes.Refresh; s != "" && (grant == broker.GrantCode || grant == broker.GrantDevice) && !slices.Contains(scopes, s) {
		scopes = append(scopes, s)
	}
	return scopes
}

// fill gives what stands in the braces.
func (p *Preset) fill(given map[string]string) (Params, error) {
	set := Params{}
	for _, v := range p.Values {
		text := given[v.Name]
		if len(v.Choices) > 0 {
			if text == "" {
				text = v.Choices[0].Name
			}
			i := slices.IndexFunc(v.Choices, func(c Choice) bool { return c.Name == text })
			if i < 0 {
				return nil, wrong(v.Name, strconv.Quote(clip(text))+" is none of its choices", "use one of "+strings.Join(choiceNames(v), ", "))
			}
			maps.Copy(set, v.Choices[i].Set)
			continue
		}
		if text == "" {
			text = v.Default
		}
		if text == "" {
			return nil, wrong(v.Name, p.Title+" needs it: "+v.Means, "for example "+v.Name+"="+v.Example)
		}
		if !fits(v.Form, text) {
			return nil, wrong(v.Name, strconv.Quote(clip(text))+" is no "+formWords[v.Form], "for example "+v.Name+"="+v.Example)
		}
		set[v.Name] = text
	}
	for name := range given {
		if !slices.ContainsFunc(p.Values, func(v Value) bool { return v.Name == name }) {
			return nil, wrong(clip(name), p.Title+" has no such value", valueHint(p))
		}
	}
	return set, nil
}

func choiceNames(v Value) (names []string) {
	for _, c := range v.Choices {
		names = append(names, c.Name)
	}
	return names
}

func valueHint(p *Preset) string {
	var names []string
	for _, v := range p.Values {
		names = append(names, v.Name)
	}
	if len(names) == 0 {
		return "leave it out"
	}
	return "it has " + strings.Join(names, ", ")
}

var formWords = map[string]string{"label": "part of a host name: letters, digits and hyphens", "host": "host name, written without https:// and path", "segment": "part of a path: letters, digits, dots, hyphens and underscores"}

// fits holds a value to the place that it is put into: what somebody types must
// not choose another host or path than the preset means.
func fits(form, text string) bool {
	if text == "" || len(text) > 200 {
		return false
	}
	switch form {
	case "label":
		return isLabel(text)
	case "host":
		if _, err := netip.ParseAddr(text); err == nil || !strings.Contains(text, ".") {
			return false
		}
		for _, label := range strings.Split(text, ".") {
			if !isLabel(label) {
				return false
			}
		}
		return true
	case "segment":
		return text[0] != '.' && !strings.Contains(text, "..") && onlySegment(text)
	}
	return false
}

func onlySegment(text string) bool {
	for _, r := range text {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_') {
			return false
		}
	}
	return true
}

func isLabel(text string) bool {
	if text == "" || len(text) > 63 || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	for _, r := range text {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
			return false
		}
	}
	return true
}

// put replaces braces. What nobody set stays, and the linter holds presets to
// set all of them.
func put(text string, set Params) string {
	for name, value := range set {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// AuthorizeParams are further parameters of the authorization request of a
// connection: its preset's, and over them its own. Those that usher sets itself
// are never among them.
func AuthorizeParams(c broker.Config) url.Values {
	q := url.Values{}
	add := func(params map[string]string) {
		for name, value := range params {
			if !slices.Contains(ownParams, name) {
				q.Set(name, value)
			}
		}
	}
	if p, err := Named(c.Preset); err == nil {
		add(p.Ask)
	}
	add(c.Authorize)
	return q
}

// AuthMethods are the ways in which a client may authenticate at the token
// endpoint of a connection.
var AuthMethods = []string{oauth.AuthBasic, oauth.AuthPost, oauth.AuthSecretJWT, oauth.AuthPrivateKeyJWT, oauth.AuthNone}

func wrong(field, message, hint string) error {
	return &usher.Error{Code: usher.ErrUsage, Message: field + ": " + message, Hint: hint}
}
