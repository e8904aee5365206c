package clients

import (
	"net/url"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var logoutURIRegistered = &check.Check{
	ID: "logout-uri-registered", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityLow,
	Title:  "The address after sign-out is registered",
	Judged: "post_logout_redirect_uri of sign-out requests against the registered ones, and whether id_token_hint or client_id says whose it is.",
	Cause:  causeSignout, Step: usher.StepSignOut, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Register the exact address as post_logout_redirect_uri, and send id_token_hint with the sign-out."),
	},
	References: []string{"OpenID Connect RP-Initiated Logout section 3"},
	Judge:      judgeLogout,
}

func judgeLogout(t *check.Target) []check.Verdict {
	var b book
	for c := range signouts(t) {
		client := c.client
		r := registration(t, client)
		if r != nil && client == "" {
			client = r.ClientID
		}
		b.add(client, c.judge(t, r))
	}
	if len(b.list) > 0 {
		return b.list
	}
	for _, r := range t.Registrations {
		if r != nil && r.ClientID != "" {
			return []check.Verdict{check.Unknown(check.NeedAuthRequest, "a sign-out request (the address of end_session_endpoint that the browser is sent to) is needed")}
		}
	}
	return []check.Verdict{check.Unknown(check.NeedRegistration, "")}
}

// signout is a request to sign out, OpenID Connect RP-Initiated Logout section 2.
type signout struct {
	place, client, uri string
	hint               bool
}

// signouts gives the sign-out requests that were seen, as authorization requests
// (which they look like) or as answers' addresses.
func signouts(t *check.Target) func(func(signout) bool) {
	return func(yield func(signout) bool) {
		for _, c := range t.AuthCalls {
			if c == nil || c.Request == nil || !c.Request.Params.Has("post_logout_redirect_uri") {
				continue
			}
			if !yield(signoutOf(c.Place, c.Request.Params)) {
				return
			}
		}
		for _, a := range t.Answers {
			if a == nil || !strings.Contains(a.URL, "post_logout_redirect_uri=") {
				continue
			}
			u, err := url.Parse(a.URL)
			if err != nil {
				continue
			}
			if !yield(signoutOf(a.Place, u.Query())) {
				return
			}
		}
	}
}

func signoutOf(place string, q url.Values) signout {
	s := signout{place: place, client: q.Get("client_id"), uri: q.Get("post_logout_redirect_uri"), hint: q.Get("id_token_hint") != ""}
	if s.client == "" && s.hint {
		if p := parsed(q.Get("id_token_hint")); p != nil {
			if aud := audiences(p); len(aud) == 1 {
				s.client = aud[0]
			}
		}
	}
	return s
}

func (s signout) judge(t *check.Target, r *evidence.Registration) check.Verdict {
	here := proof(s.place, "post_logout_redirect_uri="+s.uri, "", s.uri)
	if s.uri == "" {
		return check.Wrong("The sign-out names an empty address to go to", "The provider refuses it, or leaves the person on its own page.", here)
	}
	if !s.hint && s.client == "" {
		return check.Wrong("The sign-out to "+s.uri+" does not say whose it is", "Without id_token_hint or client_id the provider does not know which registration to look at, and does not redirect.", here)
	}
	if r == nil {
		return check.Unknown(check.NeedRegistration, "", here)
	}
	entries := logoutEntries(r)
	if len(entries) == 0 {
		if known(r, "LogoutURIs") {
			return check.Wrong("The sign-out goes to "+s.uri+", and no such address is registered", "The provider shows its own page instead, or an error.", here, proof(r.Place, "logout addresses", s.uri, "none"))
		}
		return check.Unknown(check.NeedRegistration, "the export does not hold the addresses after sign-out", here)
	}
	rule := oauth.RedirectRule{Name: "standard"}
	if r.Provider == "keycloak" {
		rule = oauth.RedirectRuleFor("keycloak")
	}
	res := oauth.CompareRedirect(rule, entries, s.uri, oauth.RedirectContext{})
	if res.Verdict == oauth.RedirectMatch {
		return check.OK("it is registered", here, proof(r.Place, res.Closest, "", ""))
	}
	return check.Wrong("The sign-out goes to "+s.uri+", registered is "+res.Closest, res.Explanation, proof(s.place, "post_logout_redirect_uri="+s.uri, res.Expected, res.Got), proof(r.Place, res.Closest, "", "")).
		Do("Register " + s.uri + " as an address after sign-out; or sign out to " + res.Closest + ".")
}

// logoutEntries gives the addresses that a browser may be sent to after
// sign-out. Entra takes the redirect URIs for them; Keycloak's + means the same.
func logoutEntries(r *evidence.Registration) []oauth.RegisteredRedirect {
	var out []oauth.RegisteredRedirect
	same := r.Provider == "entra"
	for _, u := range r.LogoutURIs {
		if u.URI == "+" && r.Provider == "keycloak" {
			same = true
			continue
		}
		out = append(out, oauth.RegisteredRedirect{URI: u.URI})
	}
	if same {
		for _, u := range r.RedirectURIs {
			out = append(out, oauth.RegisteredRedirect{URI: u.URI})
		}
	}
	return out
}
