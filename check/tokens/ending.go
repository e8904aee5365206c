package tokens

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/provider/knowledge"
	"usher/token"
)

var revokeOnLogout = &check.Check{
	ID: "revoke-on-logout", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Logging out ends the tokens",
	Judged: "Where a logout is seen, the refresh token is revoked with it, by a call of the revocation endpoint or because the provider ends the session that it hangs on.",
	Cause:  "", Step: usher.StepSignOut, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Call the revocation endpoint with the refresh token before the app forgets it, then send the person to the end-session endpoint."),
	},
	References: []string{"RFC 7009 section 2", "RFC 9700 section 4.14.2"},
	Judge: func(t *check.Target) []check.Verdict {
		if !t.Has(check.NeedLogs) && !t.Has(check.NeedHeaders) && !t.Has(check.NeedTokenRequest) {
			return []check.Verdict{check.Unknown(check.NeedLogs, "")}
		}
		var all verdicts
		all.add(revokedInCalls(t))
		for _, v := range revokedInLogs(t) {
			all.add(v)
		}
		return all.or(check.Unknown(check.NeedLogs, "no logout is there"))
	},
}

// revokedInCalls looks at the calls of an app, as a HAR shows them.
func revokedInCalls(t *check.Target) check.Verdict {
	var out *check.Answer
	for _, a := range t.Answers {
		switch a.Role {
		case "revoke", "revocation":
			if a.Status >= 200 && a.Status < 300 {
				return check.OK("The app calls the revocation endpoint.", usher.Proof{Place: a.Place, Quote: fmt.Sprintf("revocation answered %d", a.Status)})
			}
			return check.Wrong(fmt.Sprintf("The revocation endpoint refuses the call (%d)", a.Status), "The tokens stay good until they end.", usher.Proof{Place: a.Place, Quote: fmt.Sprintf("revocation answered %d", a.Status), Expected: "200", Got: fmt.Sprint(a.Status)})
		case "logout", "end_session":
			out = a
		}
	}
	if out == nil {
		return check.Verdict{}
	}
	if endsWithSession(t) {
		return check.OK("The provider ends the tokens with the session.", usher.Proof{Place: out.Place, Quote: "logout"})
	}
	if cannotRevoke(t) {
		return check.NotApplicable("the provider has no revocation endpoint")
	}
	for _, c := range t.TokenCalls {
		if c.Response != nil && c.Response.RefreshToken != "" && after(out.At, c.Time) {
			return check.Wrong("The app logs out and revokes nothing", "The refresh token that it got goes on being good, wherever a copy of it lies.",
				usher.Proof{Place: c.Response.Place, Quote: "refresh_token is there"}, usher.Proof{Place: out.Place, Quote: "logout", Expected: "a call of the revocation endpoint", Got: "none"}).Of(clientOfCall(c))
		}
	}
	return check.Unknown(check.NeedTokenResponse, "a logout is there, and no refresh token before it that could have been revoked")
}

// endsWithSession tells whether the provider ends refresh tokens with the
// session of the browser, unless they are offline tokens.
func endsWithSession(t *check.Target) bool {
	if t.Provider == nil || t.Provider.Name != "keycloak" {
		return false
	}
	for _, c := range t.TokenCalls {
		if c.Response != nil && c.Response.RefreshToken != "" && strings.Contains(" "+strings.Join(c.Response.Scope, " ")+" ", " offline_access ") {
			return false
		}
	}
	return true
}

// cannotRevoke tells whether the provider is known to have no revocation endpoint.
func cannotRevoke(t *check.Target) bool {
	if t.Provider == nil {
		return false
	}
	a, known := t.Provider.Can[knowledge.CanRevoke]
	return known && !a.Can
}

// revokedInLogs looks at the provider's log: a logout and a revocation of one
// session, or of one person and client near each other.
func revokedInLogs(t *check.Target) []check.Verdict {
	var logouts, revocations []*usher.Event
	for _, e := range t.Events {
		if e.Status == usher.StatusFailure {
			continue
		}
		switch low := strings.ToLower(e.Code); {
		case e.OAuth.Endpoint == "revoke" || strings.Contains(low, "revoke"):
			revocations = append(revocations, e)
		case e.Kind == usher.EventSession && strings.Contains(low, "logout") || e.OAuth.Endpoint == "logout":
			logouts = append(logouts, e)
		}
		if len(logouts) == maxCalls || len(revocations) == maxCalls {
			break
		}
	}
	if len(logouts) == 0 {
		return nil
	}
	var all verdicts
	for _, out := range logouts {
		p := usher.Proof{Place: check.RecordPlace(out), Quote: token.Printable(out.Code) + " " + out.Time.UTC().Format(time.RFC3339)}
		switch r := revocationOf(out, revocations); {
		case r != nil:
			all.add(check.OK("The tokens are revoked at logout.", p, usher.Proof{Place: check.RecordPlace(r), Quote: token.Printable(r.Code)}).Of(r.Client.UID))
		case out.Provider == "keycloak":
			all.add(check.OK("Keycloak ends the refresh tokens of the session with it; offline tokens stay.", p))
		case cannotRevoke(t):
			all.add(check.NotApplicable("the provider has no revocation endpoint"))
		case !revokes(out.Client.UID, revocations):
			all.add(check.Unknown(check.NeedTokenRequest, "the log holds logouts of a client and no revocation by it: it may have no refresh tokens, or the log may not write them", p).Of(out.Client.UID))
		default:
			p.Expected, p.Got = "a revocation of the same session", "none"
			all.add(check.Wrong("A logout without revocation", "The client revokes tokens elsewhere in the log, so that it has some to revoke.", p).Of(out.Client.UID))
		}
	}
	return all.end()
}

func revokes(client string, revocations []*usher.Event) bool {
	return slices.ContainsFunc(revocations, func(r *usher.Event) bool { return r.Client.UID == client })
}

func revocationOf(out *usher.Event, revocations []*usher.Event) *usher.Event {
	for _, r := range revocations {
		if out.Session != "" && r.Session != "" {
			if out.Session == r.Session {
				return r
			}
			continue
		}
		if out.User.Is(r.User) && out.Time.Sub(r.Time).Abs() < time.Minute {
			return r
		}
	}
	return nil
}

var logoutToken = &check.Check{
	ID: "logout-token", Group: check.GroupToken, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The logout token is in order",
	Judged: "It has the event of back-channel logout, sub or sid, aud, iat, exp and jti, no nonce, and best the typ logout+jwt.",
	Needs:  []check.Need{check.NeedToken}, Cause: "signout-error", Step: usher.StepSignOut, Fixer: usher.FixerProvider,
	Fix: []usher.FixStep{
		check.Tightening("Refuse it (400), so that no other token ends sessions."),
		check.Neutral("Have the provider write it as OpenID Connect Back-Channel Logout says."),
	},
	References: []string{"OpenID Connect Back-Channel Logout section 2.6"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, kinds{token.TypeLogout}, func(tok *check.Token, _ token.Type, r *token.Report) check.Verdict {
			if v, ok := readable(tok); !ok {
				return v
			}
			if r == nil {
				return check.Unknown(check.NeedToken, "")
			}
			var found []usher.Proof
			title := ""
			weak := true
			for i := range r.Problems {
				p := &r.Problems[i]
				if !ofLogout(p) || p.Weakness && title != "" {
					continue
				}
				if title == "" {
					title, weak = p.Text, p.Weakness
				}
				if len(found) < 2*maxProofs {
					found = append(found, proof(tok, p))
				}
			}
			if title != "" {
				v := check.Wrong("The logout token is not in order: "+lower(title), "A client that takes it may be made to end sessions by whoever holds some other token.", found...)
				if weak {
					v = v.As(usher.SeverityLow)
				}
				return v
			}
			return check.OK("The logout token has all that it must have.", usher.Proof{Place: tok.Place, Quote: tok.Describe()})
		})
	},
}

// ofLogout tells whether a problem is of what makes a logout token, not of its
// signature or form, which have checks of their own.
func ofLogout(p *token.Problem) bool {
	switch p.Code {
	case token.CodeTyp, token.CodeNoncePresent, token.CodeMissingClaim, token.CodeClaimType, token.CodeAudience, token.CodeIssuer:
		return true
	}
	return false
}
