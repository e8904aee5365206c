package clients

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
)

var secretValid = &check.Check{
	ID: "secret-valid", Group: check.GroupClient, Mode: check.Active, Severity: usher.SeverityHigh,
	Title:  "The provider accepts the client's secret",
	Judged: "The answer to a token request with the secret, told apart from refusals that come after the secret was accepted; and the secret compared with what the registration says of it.",
	Cause:  causeSecretWrong, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Compare the secret that leaves the app with the newest one of exactly this client, by length and last characters: look for blanks, a line break, quotes, a cut at # or $, and instances that still run with an old one."),
		check.Neutral("Make a new secret, deploy its value everywhere, see that it works, and remove the old one."),
	},
	References: []string{"RFC 6749 section 5.2", "RFC 6749 section 2.3.1"},
	Probe:      &check.Probe{What: "one token request with a made-up authorization code and the client's own secret", Safety: check.S1},
	Judge:      judgeSecretValid,
}

func judgeSecretValid(t *check.Target) []check.Verdict {
	var b book
	lone := unanswered(t)
	for _, c := range t.TokenCalls {
		if c == nil || c.Request != nil && c.Request.ClientSecret == "" {
			continue
		}
		s := sentBy(t, c)
		if c.Request == nil {
			e := errorOf(c)
			if e == nil {
				continue
			}
			if lone != nil {
				s = sentBy(t, lone)
			}
			// An answer alone tells as much as it says itself.
			if lone != nil || ofSecret(causeOf(t, e)) {
				b.add(s.client, s.refused(t, e, placeOf(c), c.Response.Status))
			}
			continue
		}
		client := s.client
		switch {
		case granted(c):
			b.add(client, check.OK("the provider gave a token for it", proof(placeOf(c), s.method, "", "")))
		case c.Response != nil && c.Response.Error != nil:
			b.add(client, s.refused(t, c.Response.Error, placeOf(c), c.Response.Status))
		default:
			b.add(client, s.held(t))
		}
	}
	client := askedClient(t)
	own := &sent{client: client, secret: t.Secret, place: "the secret that was given", at: t.Now, reg: registration(t, client)}
	own.entra = vendor(t, own.reg) == "entra"
	asked := probed(t, "secret-valid", check.NeedProbe, func(a *check.ProbeAnswer) check.Verdict {
		if a.Error == nil && a.Status/100 == 2 {
			return check.OK("the provider gave a token for it", proof(a.Place, a.Sent, "", ""))
		}
		return own.refused(t, a.Error, a.Place, a.Status)
	})
	told := !onlyUnknown(asked)
	if t.Secret != "" && !told {
		// What can be said without the provider; why it is not known, the probe knows better.
		if v := own.held(t); v.Outcome != usher.OutcomeUnknown || t.Probed["secret-valid"] == nil {
			b.add(client, v)
		}
	}
	if told || len(b.list) == 0 || t.Probed["secret-valid"] != nil {
		for _, v := range asked {
			if v.Outcome == usher.OutcomeWrong && notLookedAt(t, v.Cause) {
				v = unlooked(v.Proof...)
			}
			b.add(client, v)
		}
	}
	return b.list
}

// unlooked is the verdict on a secret of a client that the provider refuses
// itself: client-id-known says what is wrong.
func unlooked(p ...usher.Proof) check.Verdict {
	return check.Unknown(check.NeedNothing, "the provider refuses the client id itself, so that it does not look at the secret; see client-id-known", p...)
}

// notLookedAt tells whether the probe of a secret was refused for its client id:
// by what the probe of the id found, else by the cause of the refusal.
func notLookedAt(t *check.Target, cause string) bool {
	switch idProbed(t) {
	case usher.OutcomeWrong:
		return true
	case usher.OutcomeOK:
		return false
	}
	return cause == causeUnknown
}

// idProbed gives what the probe of the client id found by itself; empty where it
// left that open.
func idProbed(t *check.Target) usher.Outcome {
	if a := t.Probed["client-id-known"]; a != nil && a.Verdict != nil {
		return a.Verdict.Outcome
	}
	return ""
}

// sent is a secret on its way to the provider.
type sent struct {
	client, method, place string
	secret                usher.Secret
	at                    time.Time // when it was sent
	entra                 bool      // to Entra
	device                bool      // for a device code
	reg                   *evidence.Registration
}

// sentBy gives the secret of a token request.
func sentBy(t *check.Target, c *check.TokenCall) *sent {
	s := &sent{place: c.Place, at: c.Time}
	if r := c.Request; r == nil {
		s.client = t.SoleClient()
	} else {
		s.client, s.secret, s.method, s.entra = r.ClientID, r.ClientSecret, r.AuthMethod, entraAt(r.Endpoint)
		s.device = grant(r.GrantType) == oauth.GrantDeviceCode
	}
	if s.at.IsZero() {
		s.at = t.Now
	}
	s.reg = registration(t, s.client)
	s.entra = s.entra || vendor(t, s.reg) == "entra"
	return s
}

// unanswered gives the only token request with a secret that has no answer: an
// answer that stands alone is to it. Nil where there are several, or none.
func unanswered(t *check.Target) *check.TokenCall {
	var only *check.TokenCall
	for c := range tokenCalls(t) {
		if c.Request.ClientSecret == "" || c.Response != nil {
			continue
		}
		if only != nil {
			return nil
		}
		only = c
	}
	return only
}

// whom gives the client's name for a person, else its id, which may be empty.
func (s *sent) whom() string {
	if s.reg != nil {
		return nameOf(s.reg)
	}
	return s.client
}

// ofSecret tells whether a cause is about a secret or the way it is sent.
func ofSecret(cause string) bool {
	switch cause {
	case causeSecretID, causeSecretPast, causeSecretWrong, causeMethod:
		return true
	}
	return false
}

// name gives the client's name for the midst of a sentence.
func (s *sent) name() string { return whom(s.whom()) }

// refused reads a refusal of a token request: was it of the secret, of the way
// it was sent, or of something that is looked at later?
func (s *sent) refused(t *check.Target, e *evidence.ErrorBody, place string, status int) check.Verdict {
	if e == nil || status == 429 || status >= 500 {
		return check.Unknown(check.NeedProbe, "the provider's answer says nothing of the secret", proof(place, fmt.Sprintf("status %d", status), "", ""))
	}
	quote := proof(place, quoteOf(e), "", "")
	s.entra = s.entra || strings.HasPrefix(firstOf(e.Codes), "AADSTS")
	cause := causeOf(t, e)
	switch cause {
	case causeSecretPast:
		return s.expired(quote)
	case causeSecretID:
		return s.isID(quote)
	case causeSecretWrong:
		return s.wrong(quote)
	case causeMethod:
		return s.way(quote)
	case causeType:
		return check.Wrong(theClient(s.whom())+" takes no secret: it is registered as public", "The provider refuses a secret from a client that may not have one.", quote).Because(causeType).
			Do("Send no client_secret, but PKCE; or, if the app runs on a server, register it as a confidential client.")
	case causeUnknown:
		return unlooked(quote)
	case causeDisabled:
		return check.Wrong(theClient(s.whom())+" is switched off, so its secret is not looked at", "Every request with its client id is refused until it is switched on.", quote).Because(causeDisabled).
			Do("Switch the application on at the provider.")
	case causeAssertion:
		return check.Wrong("The provider refuses the client assertion of "+s.name(), "Its key, its audience or its times are not what the provider wants.", quote).Because(causeAssertion).
			Do("See what usher check says of the assertion: key, audience, lifetime.")
	}
	if cause != "" && e.Code == oauth.ErrInvalidClient {
		return check.Unknown(check.NeedProbe, "the provider refused something else, which says nothing of the secret", quote)
	}
	switch {
	case e.Code == oauth.ErrAccessDenied && vendor(t, s.reg) == "auth0":
		return s.wrong(quote) // Auth0 says so of a secret that does not fit
	case e.Code == oauth.ErrAccessDenied && !s.device:
		return check.Unknown(check.NeedProbe, "access_denied is of device codes; what this provider means by it is not known", quote)
	case e.Code == oauth.ErrUnsupportedGrantType && vendor(t, s.reg) == "keycloak":
		return check.Unknown(check.NeedProbe, "Keycloak looks at the grant before it looks at the secret, so this refusal does not tell", quote)
	}
	switch e.Code {
	case oauth.ErrInvalidClient:
		if v := s.held(t); v.Outcome == usher.OutcomeWrong {
			v.Proof = joined(v.Proof, []usher.Proof{quote})
			return v
		}
		if m := s.misfit(t); m != "" {
			v := s.way(quote)
			v.Proof = joined(v.Proof, []usher.Proof{proof(s.place, s.method, m, s.method)})
			return v
		}
		return s.wrong(quote)
	case oauth.ErrInvalidGrant, oauth.ErrUnsupportedGrantType, oauth.ErrInvalidScope, oauth.ErrInvalidTarget,
		oauth.ErrUnauthorizedClient, "bad_verification_code", "invalid_code", oauth.ErrAuthorizationPending, oauth.ErrSlowDown, oauth.ErrExpiredToken, oauth.ErrAccessDenied:
		if s.entra {
			return check.Unknown(check.NeedTokenResponse, "Entra may look at the code before it looks at the secret, so this refusal does not tell", quote)
		}
		return check.OK("the provider refused "+e.Code+", which comes after the client is authenticated", quote)
	}
	return check.Unknown(check.NeedProbe, "the provider refused the request for another reason, which says nothing of the secret", quote)
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// held holds a secret against what the registration says of the client's
// secrets, without asking anybody.
func (s *sent) held(t *check.Target) check.Verdict {
	value := s.secret.Reveal()
	here := proof(s.place, s.secret.Fingerprint(), "", "")
	if oauth.IsGUID(value) && s.entra {
		here.Expected, here.Got = "the value of the secret, as it was shown when it was made", "a GUID"
	}
	if s.reg != nil {
		for i := range s.reg.Credentials {
			if c := &s.reg.Credentials[i]; c.ID != "" && strings.EqualFold(c.ID, value) {
				return s.isID(here, proof(c.Place, "keyId of "+c.Name, "the value of the secret", "its id"))
			}
		}
	}
	if s.entra && oauth.IsGUID(value) {
		return s.isID(here)
	}
	if s.reg == nil {
		return check.Unknown(check.NeedProbe, "", here)
	}
	var live, past, fits, fitsPast, valued, hinted int
	var old *evidence.Credential
	for i := range s.reg.Credentials {
		c := &s.reg.Credentials[i]
		if c.Kind != "secret" {
			continue
		}
		ended := !c.Expires.IsZero() && !c.Expires.After(s.at)
		if ended {
			past++
			if old == nil || c.Expires.After(old.Expires) {
				old = c
			}
		} else {
			live++
		}
		fit := false
		switch {
		case c.Value != "":
			valued++
			fit = c.Value == s.secret
		case c.Hint != "":
			hinted++
			fit = strings.HasPrefix(value, strings.TrimRight(c.Hint, "*."))
		}
		if fit && ended {
			fitsPast++
			old = c
		} else if fit {
			fits++
		}
	}
	switch told := valued + hinted; {
	case live+past == 0:
		return check.Unknown(check.NeedProbe, "", here)
	case live == 0, fits == 0 && fitsPast > 0 && told == live+past:
		return s.expired(here, proof(old.Place, "ends "+day(old.Expires), "a date after "+day(s.at), day(old.Expires)))
	case fits > 0 && valued > 0 && hinted == 0:
		return check.OK("it is the one in the registration that was given", here)
	case fits == 0 && told == live+past:
		v := s.wrong(here)
		for i := range s.reg.Credentials {
			if c := &s.reg.Credentials[i]; c.Value != "" {
				if how := unlike(value, c.Value.Reveal()); how != "" {
					v.Detail = how
				}
				v.Proof = joined(v.Proof, []usher.Proof{proof(c.Place, c.Value.Fingerprint(), "", "")})
			} else if c.Hint != "" {
				v.Proof = joined(v.Proof, []usher.Proof{proof(c.Place, "hint of "+c.Name, "a secret that begins as the hint says", "another beginning")})
			}
		}
		return v
	}
	return check.Unknown(check.NeedProbe, "nothing speaks against it in the registration", here)
}

// unlike says how a secret differs from the registered one, where the
// difference is one that happens on the way. It quotes neither.
func unlike(got, want string) string {
	switch trimmed := strings.TrimSpace(got); {
	case trimmed == want:
		return "It is the registered one with a blank or a line break around it."
	case strings.Trim(trimmed, `"'`) == want:
		return "It is the registered one with quotes around it."
	case len(got) >= 4 && strings.HasPrefix(want, got):
		return fmt.Sprintf("It is the registered one cut off: %d of %d characters, which happens at a $ or # in a settings file.", len(got), len(want))
	case len(want) >= 4 && strings.HasPrefix(got, want):
		return fmt.Sprintf("It is the registered one with %d characters more.", len(got)-len(want))
	case got == url.QueryEscape(want):
		return "It is the registered one, encoded once more than the provider decodes."
	case len(got) == len(want) && strings.EqualFold(got, want):
		return "It is the registered one with other upper and lower case."
	}
	if decoded, err := url.QueryUnescape(want); err == nil && decoded == got && got != want {
		return "It is the registered one, decoded on the way: a + or % in it was not encoded."
	}
	return ""
}

// misfit gives the methods that the client may use, where the one it used is
// not among them.
func (s *sent) misfit(t *check.Target) string {
	if s.method == "" || s.reg == nil {
		return ""
	}
	allowed := methods(t, s.reg)
	if len(allowed) == 0 || contains(allowed, s.method) {
		return ""
	}
	return strings.Join(allowed, " or ")
}

func (s *sent) expired(p ...usher.Proof) check.Verdict {
	return check.Wrong("The secret of "+s.name()+" has expired", "The provider holds it and refuses it, because its end date has passed.", p...).Because(causeSecretPast).
		Do("Make a new secret, put its value into the app's settings, restart every instance, and remove the old one.",
			"Note the end date of the new one where it is read in time, or use a certificate, federated credential or managed identity.")
}

func (s *sent) isID(p ...usher.Proof) check.Verdict {
	return check.Wrong("The id of the secret of "+s.name()+" is sent in place of its value", "What is sent is the GUID that the portal lists as secret id. The value is shown only once, when the secret is made.", p...).Because(causeSecretID).
		Do("Make a new secret, and copy the column Value at once, not Secret ID.")
}

func (s *sent) wrong(p ...usher.Proof) check.Verdict {
	detail := "The provider refuses what the client proves itself with. Where it does not say more, the client id may be wrong as well."
	value := s.secret.Reveal()
	if s.entra && oauth.IsGUID(value) {
		return s.isID(p...)
	}
	switch {
	case value == "":
	case strings.TrimSpace(value) != value:
		detail = "The secret that is sent has a blank or a line break at its end or beginning."
	case len(value) > 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0]:
		detail = "The secret that is sent has quotes around it, as from a settings file."
	}
	return check.Wrong("The secret of "+s.name()+" is not the one that the provider holds", detail, p...).Because(causeSecretWrong)
}

func (s *sent) way(p ...usher.Proof) check.Verdict {
	how := s.method
	if how == "" {
		how = "this method"
	}
	return check.Wrong(theClient(s.whom())+" may not authenticate by "+how, "The secret may be right: the provider refuses the way in which it is sent.", p...).Because(causeMethod).
		Do("Send the secret as token_endpoint_auth_method of the registration says, in the Authorization header or in the body; or change the registration.")
}
