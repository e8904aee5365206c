package lab

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"usher/oauth"
)

// Lifetimes of what the lab gives out.
const (
	lifeCode    = time.Minute
	lifeAccess  = 5 * time.Minute
	lifeRefresh = 30 * time.Minute
	lifeSession = 10 * time.Hour
)

// session is one sign-in of a person in one browser.
type session struct {
	id      string
	user    *User
	started time.Time
	gone    map[string]bool // clients that lost it, because a refresh token was reused
	device  *device
	ended   bool
}

func (s *session) alive(now time.Time) bool { return !s.ended && now.Sub(s.started) < lifeSession }

// device is what the lab knows of a device that a person signs in with.
type device struct {
	ID        string `json:"deviceId"`
	Name      string `json:"displayName"`
	Compliant bool   `json:"isCompliant"`
}

// code is an authorization code that waits to be exchanged.
type code struct {
	client    *client
	session   *session
	dialect   Dialect
	redirect  string
	scopes    []string
	asked     []string
	nonce     string
	challenge string
	method    string
	resource  []string
	made      time.Time
	used      bool
}

// family is a grant and all refresh tokens that descend from it.
type family struct {
	id       string
	client   *client
	session  *session
	dialect  Dialect
	scopes   []string
	resource []string
	nonce    string
}

// refresh is one refresh token.
type refresh struct {
	id     string // what logs may show of it
	family *family
	made   time.Time
	used   bool
}

// grant is what tokens are made of.
type grant struct {
	client   *client
	session  *session // nil: the client signed in as itself
	dialect  Dialect
	scopes   []string
	resource []string // RFC 8707
	nonce    string
	family   *family // nil: no refresh token
	openid   bool
}

// issued is the answer of a token endpoint and what logs tell of it.
type issued struct {
	access, refresh, id       string
	accessID, refreshID       string
	scopes                    []string
	expires, refreshExpiresIn int64
}

// issue makes the tokens of a grant.
func (l *Lab) issue(r *http.Request, g grant) (issued, error) {
	out := issued{scopes: g.scopes, expires: int64(lifeAccess / time.Second)}
	signer := l.now().Add(l.skew)
	made, ends := signer, signer.Add(lifeAccess)
	if l.staleOn {
		who := g.client.ID + "\x00" + g.subject()
		if !l.stale[who] {
			l.stale[who] = true
			made, ends = signer.Add(-lifeAccess-time.Hour), signer.Add(-time.Hour)
		}
	}
	prefix := map[bool]string{true: "onrtac:", false: "trrtcc:"}[g.session != nil]
	out.accessID = prefix + randomID()
	claims := l.claims(r, g)
	claims["iat"], claims["nbf"], claims["exp"] = seconds(made), seconds(made), seconds(ends)
	claims["jti"], claims["aud"] = out.accessID, l.audience(g)
	l.accessClaims(claims, r, g)
	var err error
	if out.access, err = l.keys.sign(claims, "JWT"); err != nil {
		return issued{}, err
	}
	if g.session != nil && g.openid {
		id := l.claims(r, g)
		id["iat"], id["exp"], id["jti"] = seconds(signer), seconds(signer.Add(lifeAccess)), randomID()
		id["aud"], id["at_hash"] = g.client.audienceID(g.dialect), leftHalf(out.access)
		if g.nonce != "" {
			id["nonce"] = g.nonce
		}
		if g.dialect == DialectKeycloak {
			id["typ"] = "ID"
		}
		if out.id, err = l.keys.sign(id, "JWT"); err != nil {
			return issued{}, err
		}
	}
	if g.family != nil {
		out.refresh, out.refreshID = random(32), randomID()
		out.refreshExpiresIn = int64(lifeRefresh / time.Second)
		l.refresh.put(out.refresh, &refresh{id: out.refreshID, family: g.family, made: l.now()})
	}
	return out, nil
}

// subject gives the id of whom the tokens speak about.
func (g grant) subject() string {
	if g.session != nil {
		return g.session.user.ID
	}
	return g.client.serviceID()
}

// serviceID is the id of the client's own account.
func (c *client) serviceID() string { return madeID("service account", c.UUID) }

// audienceID is how a client is named in tokens.
func (c *client) audienceID(d Dialect) string {
	if d == DialectEntra {
		return c.AppID
	}
	return c.ID
}

// claims are those that access and ID tokens share.
func (l *Lab) claims(r *http.Request, g grant) map[string]any {
	claims := map[string]any{
		"iss": l.issuer(r, g.dialect), "sub": g.subject(), "azp": g.client.audienceID(g.dialect),
	}
	if g.dialect == DialectEntra {
		claims["tid"], claims["oid"], claims["ver"] = l.opt.Tenant, g.subject(), "2.0"
	}
	if g.session == nil {
		claims["preferred_username"] = "service-account-" + g.client.ID
		return claims
	}
	u := g.session.user
	claims["sid"], claims["auth_time"] = g.session.id, seconds(g.session.started)
	claims["preferred_username"] = u.Name
	if g.dialect == DialectEntra {
		claims["preferred_username"] = u.Email
	}
	if g.dialect == DialectEntra || slices.Contains(g.scopes, "profile") {
		claims["name"] = strings.TrimSpace(u.Given + " " + u.Family)
		claims["given_name"], claims["family_name"] = u.Given, u.Family
	}
	if slices.Contains(g.scopes, "email") {
		claims["email"], claims["email_verified"] = u.Email, true
	}
	return claims
}

// accessClaims adds what an access token alone has.
func (l *Lab) accessClaims(claims map[string]any, r *http.Request, g grant) {
	if g.dialect == DialectEntra {
		if g.session != nil {
			claims["scp"] = strings.Join(entraScopes(g.scopes), " ")
		} else {
			claims["roles"] = entraScopes(g.scopes)
		}
		return
	}
	claims["typ"], claims["scope"] = "Bearer", strings.Join(g.scopes, " ")
	claims["client_id"] = g.client.ID
	if g.session == nil && len(g.client.Roles) > 0 {
		claims["resource_access"] = map[string]any{"realm-management": map[string]any{"roles": g.client.Roles}}
	}
}

// audience names the API that the token is for: the lab's API, unless the
// request names another one (RFC 8707) or a fault took it away.
func (l *Lab) audience(g grant) any {
	api := apiName
	if g.dialect == DialectEntra {
		api = apiEntra
	}
	if slices.Contains(g.resource, apiName) || slices.Contains(g.resource, apiEntra) {
		return api
	}
	other := "account"
	if g.dialect == DialectEntra {
		other = "00000003-0000-0000-c000-000000000000" // Microsoft Graph
	}
	if l.noAudience || len(g.resource) > 0 {
		return other
	}
	return api
}

// apiScope tells the scopes of the API.
func apiScope(name string) bool {
	return name == scopeOrders || strings.HasPrefix(name, scopeOrders+".")
}

// entraScopes leaves out the scopes that Entra never puts into scp.
func entraScopes(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == "openid" || s == "offline_access" })
}

// leftHalf is at_hash, OpenID Connect Core section 3.1.3.6.
func leftHalf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// authenticate finds the client of a token request and checks its secret.
func (l *Lab) authenticate(req *oauth.TokenRequest) (*client, refusal) {
	c := l.client(req.ClientID)
	switch {
	case c == nil:
		return nil, refusal{is: clientUnknown}
	case c.Disabled:
		return c, refusal{is: clientDisabled}
	case c.Public:
		return c, refusal{}
	case c.keyed():
		return c, l.asserted(c, req)
	case req.ClientSecret == "":
		return c, refusal{is: secretMissing}
	}
	for _, s := range c.secrets {
		switch {
		case req.ClientSecret.Reveal() == s.id:
			return c, refusal{is: secretIsID, credential: s.id}
		case req.ClientSecret != s.value, s.off, l.now().Before(s.works):
		case !s.expires.IsZero() && !l.now().Before(s.expires):
			return c, refusal{is: secretExpired, credential: s.id}
		default:
			return c, refusal{credential: s.id}
		}
	}
	return c, refusal{is: secretWrong}
}
