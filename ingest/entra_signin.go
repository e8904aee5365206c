package ingest

import (
	"strings"

	"usher"
)

// finishSignIn makes the event of a sign-in in the shapes of Azure Monitor, Log
// Analytics and Graph.
func (e *entraRow) finishSignIn() {
	ev := &e.ev
	ev.Class, ev.Severity = usher.ClassAuthentication, 1
	e.times()
	if ev.Original == "" {
		ev.Original = e.requestID
	}
	if e.table != "" && e.category == "" && hasFoldSuffix(e.table, "signinlogs") {
		e.category = strings.TrimPrefix(e.table, "AAD")
	}
	e.kind()
	e.who()
	e.place()
	e.result()
	oauth := &ev.OAuth
	if strings.EqualFold(oauth.TokenIn, "none") {
		oauth.TokenIn = ""
	}
	if strings.EqualFold(oauth.ClientAuth, "none") {
		oauth.ClientAuth = ""
	}
	switch {
	case oauth.GrantType != "":
	case ev.Kind == usher.EventAppSignIn:
		oauth.GrantType = "client_credentials"
	case hasFoldSuffix(oauth.TokenIn, "refreshToken"):
		oauth.GrantType = "refresh_token"
	}
}

// times sorts the times: that of the sign-in, and that of the log.
func (e *entraRow) times() {
	ev := &e.ev
	ev.Time, ev.Logged = e.created, e.logged
	if ev.Logged.IsZero() {
		ev.Logged = e.wrapped
	}
	if ev.Time.IsZero() {
		ev.Time = ev.Logged
	}
}

// kind tells how the sign-in was made, by its category and by the flags that
// other shapes have in its place.
func (e *entraRow) kind() {
	ev := &e.ev
	switch strings.ToLower(e.eventType) {
	case "interactiveuser":
		e.category = "SignInLogs"
	case "noninteractiveuser":
		e.category = "NonInteractiveUserSignInLogs"
	case "serviceprincipal":
		e.category = "ServicePrincipalSignInLogs"
	case "managedidentity":
		e.category = "ManagedIdentitySignInLogs"
	}
	byFlag := e.interactive != nil
	switch c := strings.ToLower(e.category); {
	case strings.Contains(c, "serviceprincipal"):
		ev.Kind, ev.UserType = usher.EventAppSignIn, "service-principal"
	case strings.Contains(c, "managedidentity"):
		ev.Kind, ev.UserType = usher.EventAppSignIn, "managed-identity"
	case e.servicePrincipal.UID != "" && !ev.User.Known():
		ev.Kind, ev.UserType = usher.EventAppSignIn, "service-principal"
	case byFlag && *e.interactive:
		ev.Kind = usher.EventSignIn
	case byFlag, strings.HasPrefix(c, "noninteractive"):
		ev.Kind = usher.EventSilentSignIn
	case c != "":
		ev.Kind = usher.EventSignIn
	default:
		ev.Kind = usher.EventOther
	}
	ev.Code = e.category
	if ev.Code == "" && byFlag && *e.interactive {
		ev.Code = "SignInLogs"
	}
}

// who sorts the parties and tenants.
func (e *entraRow) who() {
	ev := &e.ev
	switch {
	case ev.Kind == usher.EventAppSignIn:
		ev.User = e.servicePrincipal
		if ev.User.Name == "" {
			ev.User.Name = e.display
		}
	case ev.User.Name == "":
		ev.User.Name = e.display
	}
	switch strings.ToLower(ev.UserType) {
	case "member":
		ev.UserType = "user"
	case "guest":
		ev.UserType = "guest"
	}
	for _, t := range [...]string{e.resourceTenant, e.aadTenant, e.tenant, e.homeTenant} {
		if t == e.tenant && e.aadTenant != "" {
			continue // in Log Analytics TenantId is the workspace
		}
		if t != "" && strings.Trim(t, "0-") != "" {
			ev.Tenant = t
			break
		}
	}
	if strings.Trim(e.homeTenant, "0-") != "" {
		ev.UserHome = e.homeTenant
	}
}

// place takes the country of the wrapping where there is no better.
func (e *entraRow) place() {
	if e.ev.Source.Country == "" {
		e.ev.Source.Country = e.country
	}
}

// result sorts the status. An error code may only ask for the next step.
func (e *entraRow) result() {
	ev := &e.ev
	switch {
	case e.code == "0":
		ev.Status = usher.StatusSuccess
	case allDigits(e.code):
		ev.Status, ev.Severity = usher.StatusFailure, 2
		ev.StatusCode = "AADSTS" + e.code
		ev.StatusDetail = e.reason
		if other(e.reason) {
			ev.StatusDetail = e.description
			if other(e.description) {
				ev.StatusDetail = ""
			}
		}
		ev.Interrupted = entraInterrupt(e.code) && ev.OAuth.GrantType != "password"
		if e.code == "65001" && ev.Kind == usher.EventSilentSignIn {
			ev.Interrupted = false // nobody is there who could be asked to consent
		}
	case e.code != "":
		ev.StatusCode = e.code
	}
	if ev.Status == usher.StatusSuccess {
		switch strings.ToLower(ev.OAuth.AuthRequired) {
		case "multifactorauthentication":
			ev.MFA = yes(true)
		case "singlefactorauthentication":
			ev.MFA = yes(false)
		}
	}
}

func yes(b bool) *bool { return &b }

// other tells whether a text says nothing.
func other(s string) bool { return s == "" || s == "Other" || s == "Other." }

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) < 12
}

// entraInterrupt tells whether an error code of Entra asks for a step, which a
// browser then shows: keep me signed in, choose an account, a second factor,
// registration for one, terms of use, consent of the person, a changed password.
func entraInterrupt(code string) bool {
	switch code {
	case "16000", "16001", "16003", "50058", "50072", "50074", "50076", "50079", "50097", "50125", "50127", "50129", "50140", "50143", "50158", "50199", "50203", "50207", "51006", "52004",
		"53004", "65001", "81010", "81012", "81014", "9002341":
		return true
	}
	return false
}
