package ingest

import (
	"bytes"
	"strings"
	"time"

	"usher"
	"usher/oauth"
)

// kcEvent is an event of Keycloak on its way into usher's form. Log lines, the
// event store and the admin API name its fields alike.
type kcEvent struct {
	d     *Decoder
	ev    usher.Event
	text  []byte // the record in its own words, masked
	under string // what stands before a key in the places of its values

	realmID, realmName, clientID string
	reason, scope, authMethod    string
	refreshID, codeID, parent    string
	sub                          string // whom the presented refresh token is of
	operation, resource, path    string // of an admin event
	targetRealm                  string
	representation               []byte
	changed                      bool // the record is an admin event
}

// plain gives the place for the value of a key that is taken as it is, the
// event's field, and whether that holds an identifier; nil for other keys.
func (e *kcEvent) plain(key string) (to *string, field string, id bool) {
	ev := &e.ev
	switch key {
	case "type":
		return &ev.Code, "event_code", true
	case "id":
		return &ev.Original, "original_event_uid", true
	case "realmId":
		return &e.realmID, "tenant_uid", true
	case "realmName":
		return &e.realmName, "tenant_uid", true
	case "clientId":
		return &e.clientID, "client.uid", false
	case "userId":
		return &ev.User.UID, "user.uid", true
	case "refresh_token_sub": // of a refused refresh, which has no userId
		return &e.sub, "user.uid", true
	case "username":
		return &ev.User.Name, "user.name", false
	case "sessionId":
		return &ev.Session, "session_uid", true
	case "ipAddress":
		return &ev.Source.IP, "src_endpoint.ip", true
	case "error":
		return &ev.StatusCode, "status_code", false
	case "reason":
		return &e.reason, "status_detail", false
	case "redirect_uri":
		return &ev.OAuth.RedirectURI, "oauth.redirect_uri", false
	case "response_type":
		return &ev.OAuth.ResponseType, "oauth.response_type", false
	case "grant_type":
		return &ev.OAuth.GrantType, "oauth.grant_type", true
	case "client_auth_method":
		return &ev.OAuth.ClientAuth, "oauth.client_auth", true
	case "scope":
		return &e.scope, "oauth.scopes", false
	case "auth_method":
		return &e.authMethod, "auth_protocol", true
	case "code_id":
		return &e.codeID, "correlation_uid", true
	case "authSessionParentId":
		return &e.parent, "correlation_uid", true
	case "refresh_token_id":
		return &e.refreshID, "oauth.token_uid", true
	case "user_agent":
		return &ev.UserAgent, "user_agent", false
	case "operationType":
		return &e.operation, "change.operation", true
	case "resourceType":
		return &e.resource, "change.type", true
	case "resourcePath":
		return &e.path, "change.path", false
	}
	return nil, "", false
}

// field takes a field of the record; of one that comes twice the first counts.
func (e *kcEvent) field(key string, val []byte) {
	d, ev := e.d, &e.ev
	to, field, id := e.plain(key)
	if to != nil && *to == "" {
		if *to = d.clean(field, val, id); *to != "" {
			d.at(field, e.under+key)
		}
	}
	switch key {
	case "grant_type":
		ev.OAuth.GrantType = grantName(ev.OAuth.GrantType)
	case "client_auth_method":
		d.keep(ev, key, val)
		ev.OAuth.ClientAuth = clientAuthName(ev.OAuth.ClientAuth)
	case "auth_method":
		d.keep(ev, key, val)
	case "operationType", "resourceType":
		e.changed = true
	case "audience", "requested_audience":
		for _, a := range bytes.Fields(val) {
			if s := d.text("oauth.audiences", a); s != "" && len(ev.OAuth.Audiences) < maxList {
				ev.OAuth.Audiences = append(ev.OAuth.Audiences, s)
			}
		}
	case "representation":
		if len(e.representation) == 0 {
			e.representation = val
		}
	default:
		if to != nil {
			return
		}
		if !secretKey(key) {
			d.keep(ev, key, val)
		} else if len(val) > 0 && !bytes.Equal(val, []byte("null")) {
			d.masked = append(d.masked, "unmapped."+key)
		}
	}
}

// say adds a field to the event's message, in the form of a log line.
func (e *kcEvent) say(p pair) {
	if len(e.text) > maxText || bytes.Equal(p.val, []byte("null")) {
		return
	}
	val := masked
	if !secretKey(p.key) {
		val = e.d.clean("message", p.val, !freeText(p.key))
	}
	if len(e.text) > 0 {
		e.text = append(e.text, ", "...)
	}
	e.text = append(e.text, p.key...)
	e.text = append(e.text, `="`...)
	e.text = append(e.text, val...)
	e.text = append(e.text, '"')
}

// freeText tells whether the value of a key may be any text.
func freeText(key string) bool {
	switch key {
	case "clientId", "username", "reason", "redirect_uri", "error", "scope", "representation", "resourcePath":
		return true
	}
	return !strings.HasSuffix(key, "Id") && !strings.HasSuffix(key, "_id") && !strings.HasSuffix(key, "_method") && !strings.HasSuffix(key, "_type")
}

// secretKey tells whether a detail is a secret by its name.
func secretKey(key string) bool {
	switch strings.ToLower(key) {
	case "code", "access_token", "refresh_token", "id_token", "token", "client_secret", "secret", "password", "assertion", "code_verifier", "device_code",
		"client_assertion", "subject_token", "actor_token", "id_token_hint", "user_code", "otp", "state":
		return true
	}
	return false
}

// grantName gives the short name of a grant type.
func grantName(g string) string {
	switch g {
	case "urn:ietf:params:oauth:grant-type:device_code":
		return "device_code"
	case "urn:ietf:params:oauth:grant-type:token-exchange":
		return "token-exchange"
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		return "jwt-bearer"
	case "urn:ietf:params:oauth:grant-type:saml2-bearer":
		return "saml2-bearer"
	case "urn:openid:params:grant-type:ciba":
		return "ciba"
	}
	return g
}

// clientAuthName gives the name of RFC 7591 to a client authenticator of
// Keycloak. "client-secret" covers two methods and stays as it is.
func clientAuthName(m string) string {
	switch m {
	case "client-jwt":
		return "private_key_jwt"
	case "client-secret-jwt":
		return "client_secret_jwt"
	case "client-x509":
		return "tls_client_auth"
	}
	return m
}

// kcType says what a type of Keycloak's events is. Its _ERROR ending is off.
func kcType(code string) (kind usher.EventKind, endpoint, grant string) {
	switch code {
	case "LOGIN", "IDENTITY_PROVIDER_LOGIN", "IDENTITY_PROVIDER_FIRST_LOGIN", "IDENTITY_PROVIDER_POST_LOGIN":
		return usher.EventSignIn, "authorize", ""
	case "CODE_TO_TOKEN":
		return usher.EventToken, "token", "authorization_code"
	case "REFRESH_TOKEN":
		return usher.EventToken, "token", "refresh_token"
	case "CLIENT_LOGIN":
		return usher.EventAppSignIn, "token", "client_credentials"
	case "TOKEN_EXCHANGE":
		return usher.EventToken, "token", "token-exchange"
	case "OAUTH2_EXTENSION_GRANT", "PERMISSION_TOKEN":
		return usher.EventToken, "token", ""
	case "OAUTH2_DEVICE_CODE_TO_TOKEN":
		return usher.EventToken, "token", "device_code"
	case "AUTHREQID_TO_TOKEN":
		return usher.EventToken, "token", "ciba"
	case "JWT_AUTHORIZATION_GRANT":
		return usher.EventToken, "token", "jwt-bearer"
	case "OAUTH2_DEVICE_AUTH", "OAUTH2_DEVICE_VERIFY_USER_CODE":
		return usher.EventToken, "device", "device_code"
	case "PUSHED_AUTHORIZATION_REQUEST":
		return usher.EventToken, "par", ""
	case "INTROSPECT_TOKEN", "VALIDATE_ACCESS_TOKEN":
		return usher.EventAPI, "introspect", ""
	case "USER_INFO_REQUEST":
		return usher.EventAPI, "userinfo", ""
	case "GRANT_CONSENT", "UPDATE_CONSENT":
		return usher.EventConsent, "authorize", ""
	case "REVOKE_GRANT":
		return usher.EventConsent, "revoke", ""
	case "LOGOUT", "USER_SESSION_DELETED":
		return usher.EventSession, "", ""
	}
	return usher.EventOther, "", ""
}

// kcChange says what an event of a user or client changes of the things that decide.
func kcChange(code string) (operation, what string, ok bool) {
	switch code {
	case "CLIENT_REGISTER":
		return "create", "client", true
	case "CLIENT_UPDATE":
		return "update", "client", true
	case "CLIENT_DELETE":
		return "delete", "client", true
	case "REGISTER":
		return "create", "user", true
	case "DELETE_ACCOUNT":
		return "delete", "user", true
	case "UPDATE_EMAIL", "UPDATE_PROFILE", "UPDATE_PASSWORD", "RESET_PASSWORD", "UPDATE_TOTP", "REMOVE_TOTP", "UPDATE_CREDENTIAL", "REMOVE_CREDENTIAL",
		"USER_DISABLED_BY_PERMANENT_LOCKOUT", "USER_DISABLED_BY_TEMPORARY_LOCKOUT", "FEDERATED_IDENTITY_LINK", "REMOVE_FEDERATED_IDENTITY", "IMPERSONATE":
		return "update", "user", true
	}
	return "", "", false
}

// finish makes the event whole and gives it out.
func (e *kcEvent) finish() {
	d, ev := e.d, &e.ev
	ev.Tenant = e.realmID
	if e.realmName != "" { // as the issuer's address has it
		ev.Tenant = e.realmName
		if e.realmID != "" && e.realmID != e.realmName {
			d.keep(ev, "realmId", []byte(e.realmID))
		}
	}
	ev.Message = cut(string(e.text), maxText)
	if e.changed {
		e.finishChange()
		return
	}
	ev.Class = usher.ClassAuthentication
	code := strings.TrimSuffix(ev.Code, "_ERROR")
	failed := ev.StatusCode != "" || code != ev.Code
	endpoint, grant := "", ""
	ev.Kind, endpoint, grant = kcType(code)
	ev.OAuth.Endpoint = endpoint
	if ev.OAuth.GrantType == "" {
		ev.OAuth.GrantType = grant
	}
	if code == "LOGIN" && ev.OAuth.GrantType != "" && ev.OAuth.GrantType != "authorization_code" {
		ev.OAuth.Endpoint = "token" // the user name and password came from the app
	}
	ev.Client.UID = e.clientID
	if ev.User.UID == "" {
		ev.User.UID = e.sub
	}
	ev.Correlation = e.codeID
	if ev.Correlation == "" {
		ev.Correlation = e.parent
	}
	e.protocol()
	ev.Status, ev.Severity = usher.StatusSuccess, 1
	if failed {
		ev.Status, ev.Severity = usher.StatusFailure, 2
		ev.StatusDetail = e.reason
		ev.Interrupted = kcInterrupt(ev.StatusCode)
		if oauth.KnownError(ev.StatusCode) {
			ev.OAuth.Error = ev.StatusCode
		}
	} else if e.reason != "" {
		d.keep(ev, "reason", []byte(e.reason))
	}
	e.scopes(failed)
	if ev.OAuth.GrantType == "refresh_token" && ev.Kind == usher.EventToken {
		ev.OAuth.TokenIn, ev.OAuth.TokenUID = "refresh_token", e.refreshID
	} else if e.refreshID != "" {
		d.keep(ev, "refresh_token_id", []byte(e.refreshID))
	}
	switch {
	case code == "CLIENT_LOGIN":
		ev.UserType = "service-principal"
	case ev.User.Known():
		ev.UserType = "user"
	}
	if !failed {
		e.succeeded(code)
	}
	e.out()
}

// protocol names the protocol.
func (e *kcEvent) protocol() {
	switch ev := &e.ev; {
	case strings.HasPrefix(e.authMethod, "saml"):
		ev.Protocol = "saml"
	case e.authMethod == "openid-connect":
		ev.Protocol = "openid"
	case ev.OAuth.GrantType != "" || ev.OAuth.RedirectURI != "":
		ev.Protocol = "oauth2"
	}
}

// scopes sorts the scopes: those of a success were granted.
func (e *kcEvent) scopes(failed bool) {
	words := strings.Fields(e.scope)
	if failed {
		if s, ok := strings.CutPrefix(e.reason, "Invalid scopes: "); ok && len(words) == 0 {
			words = strings.Fields(s)
		}
	}
	words = words[:min(len(words), maxList)]
	if len(words) == 0 {
		return
	}
	if failed {
		e.ev.OAuth.Requested = words
	} else {
		e.ev.OAuth.Granted = words
	}
}

// succeeded notes what only a success tells: a change, and the user's name.
func (e *kcEvent) succeeded(code string) {
	ev := &e.ev
	switch ev.Kind {
	case usher.EventSignIn, usher.EventToken, usher.EventAppSignIn:
		learn(&e.d.people, ev.User.UID, ev.User.Name)
	case usher.EventConsent:
		op := map[string]string{"GRANT_CONSENT": "create", "UPDATE_CONSENT": "update", "REVOKE_GRANT": "delete"}[code]
		ev.Change = &usher.Change{Operation: op, Type: "consent", Target: ev.Client}
	case usher.EventOther:
		op, what, ok := kcChange(code)
		if !ok {
			return
		}
		ev.Kind, ev.Class = usher.EventAdmin, usher.ClassEntityChange
		ev.Change = &usher.Change{Operation: op, Type: what, Target: ev.User}
		if what == "client" {
			ev.Change.Target = ev.Client
		}
		ev.Actor = ev.User
	}
}

// kcInterrupt tells whether an error only asks for the next step.
func kcInterrupt(code string) bool {
	switch code {
	case "login_required", "interaction_required", "consent_required", "account_selection_required", "authorization_pending", "slow_down":
		return true
	}
	return false
}

// out gives the event out, with a UID by its id where it has one.
func (e *kcEvent) out() {
	if e.ev.Original != "" {
		e.ev.UID = hash(KindKeycloak, []byte(e.ev.Original))
	}
	e.d.emit(&e.ev)
}

// unixMilli is a time in milliseconds, which Keycloak's JSON has.
func unixMilli(n int64) time.Time { return time.UnixMilli(n).UTC() }
