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
	for c := range tokenCalls(t) {
		if c.Request.ClientSecret == "" {
			continue
		}
		client := c.Request.ClientID
		at := c.Time
		if at.IsZero() {
			at = t.Now
		}
		s := sent{client: client, secret: c.Request.ClientSecret, method: c.Request.AuthMethod, place: c.Place, at: at, reg: registration(t, client)}
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
	own := sent{client: client, secret: t.Secret, place: "the secret that was given", at: t.Now, reg: registration(t, client)}
	if a := t.Probed["secret-valid"]; a == nil {
		if t.Secret != "" {
			b.add(client, own.held(t))
		}
		if len(b.list) > 0 {
			return b.list
		}
	}
	for _, v := range probed(t, "secret-valid", check.NeedProbe, func(a *check.ProbeAnswer) check.Verdict {
		if a.Error == nil && a.Status/100 == 2 {
			return check.OK("the provider gave a token for it", proof(a.Place, a.Sent, "", ""))
		}
		return own.refused(t, a.Error, a.Place, a.Status)
	}) {
		b.add(client, v)
	}
	return b.list
}

// sent is a secret on its way to the provider.
type sent struct {
	client, method, place string
	secret                usher.Secret
	at                    time.Time // when it was sent
	reg                   *evidence.Registration
}

// refused reads a refusal of a token request: was it of the secret, of the way
// it was sent, or of something that is looked at later?
func (s *sent) refused(t *check.Target, e *evidence.ErrorBody, place string, status int) check.Verdict {
	if e == nil || status == 429 || status >= 500 {
		return check.Unknown(check.NeedProbe, "the provider's answer says nothing of the secret", proof(place, fmt.Sprintf("status %d", status), "", ""))
	}
	quote := proof(place, quoteOf(e), "", "")
	cause := causeOf(t, e)
	switch cause {
	case causeSecretPast:
		return s.expired(quote)
	case causeSecretID:
		return s.isID(quote)
	case causeSecretWrong:
		return s.wrong(t, quote)
	case causeMethod:
		return s.way(quote)
	case causeType:
		return check.Wrong("The client "+s.client+" takes no secret: it is registered as public", "The provider refuses a secret from a client that may not have one.", quote).Because(causeType).
			Do("Send no client_secret, but PKCE; or, if the app runs on a server, register it as a confidential client.")
	case causeUnknown:
		return check.Wrong("The provider knows no client "+s.client+", so its secret is not looked at", "The client id is wrong, or of another tenant, realm or environment than the endpoint.", quote).Because(causeUnknown).
			Do("Take client id and secret from one registration, in the tenant and environment that the token endpoint belongs to.")
	case causeDisabled:
		return check.Wrong("The client "+s.client+" is switched off, so its secret is not looked at", "", quote).Because(causeDisabled).
			Do("Switch the application on at the provider.")
	case causeAssertion:
		return check.Wrong("The provider refuses the client assertion of "+s.client, "", quote).Because(causeAssertion).
			Do("See what usher check says of the assertion: key, audience, lifetime.")
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
		return s.wrong(t, quote)
	case oauth.ErrInvalidGrant, oauth.ErrUnsupportedGrantType, oauth.ErrInvalidScope, oauth.ErrInvalidTarget,
		oauth.ErrUnauthorizedClient, oauth.ErrAuthorizationPending, oauth.ErrSlowDown, oauth.ErrExpiredToken, oauth.ErrAccessDenied:
		if providerIs(t, "entra") || strings.HasPrefix(firstOf(e.Codes), "AADSTS") {
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
	if s.reg != nil {
		for i := range s.reg.Credentials {
			if c := &s.reg.Credentials[i]; c.ID != "" && strings.EqualFold(c.ID, value) {
				return s.isID(here, proof(c.Place, "keyId of "+c.Name, "the value of the secret", "its id"))
			}
		}
	}
	if vendor(t, s.reg) == "entra" && oauth.IsGUID(value) {
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
		v := s.wrong(t, here)
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
	return check.Wrong("The secret of "+s.client+" has expired", "The provider holds it and refuses it, because its end date has passed.", p...).Because(causeSecretPast).
		Do("Make a new secret, put its value into the app's settings, restart every instance, and remove the old one.",
			"Note the end date of the new one where it is read in time, or use a certificate, federated credential or managed identity.")
}

func (s *sent) isID(p ...usher.Proof) check.Verdict {
	return check.Wrong("The id of the secret of "+s.client+" is sent in place of its value", "What is sent is the GUID that the portal lists as secret id. The value is shown only once, when the secret is made.", p...).Because(causeSecretID).
		Do("Make a new secret, and copy the column Value at once, not Secret ID.")
}

func (s *sent) wrong(t *check.Target, p ...usher.Proof) check.Verdict {
	detail := "The provider found the client, and the secret does not fit."
	value := s.secret.Reveal()
	if vendor(t, s.reg) == "entra" && oauth.IsGUID(value) {
		return s.isID(p...)
	}
	switch {
	case value == "":
	case strings.TrimSpace(value) != value:
		detail = "The secret that is sent has a blank or a line break at its end or beginning."
	case len(value) > 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0]:
		detail = "The secret that is sent has quotes around it, as from a settings file."
	}
	return check.Wrong("The secret of "+s.client+" is not the one that the provider holds", detail, p...).Because(causeSecretWrong)
}

func (s *sent) way(p ...usher.Proof) check.Verdict {
	how := s.method
	if how == "" {
		how = "this method"
	}
	return check.Wrong("The client "+s.client+" may not authenticate by "+how, "The secret may be right: the provider refuses the way in which it is sent.", p...).Because(causeMethod).
		Do("Send the secret as token_endpoint_auth_method of the registration says, in the Authorization header or in the body; or change the registration.")
}

var secretEntropy = &check.Check{
	ID: "secret-entropy", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The secret is long and random",
	Judged: "Length and alphabet of the secret: at least 128 bits, and 256 where it is the key of HS256.",
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Let the provider make the secret, or take 32 random bytes: openssl rand -base64 32."),
		check.Tightening("Use a key (private_key_jwt) or a federated identity in place of a secret."),
	},
	References: []string{"RFC 6819 section 5.1.4.2.2", "OpenID Connect Core section 16.19", "RFC 7518 section 3.2"},
	Judge:      judgeEntropy,
}

func judgeEntropy(t *check.Target) []check.Verdict {
	var b book
	seen := 0
	judge := func(client, place string, s usher.Secret, r *evidence.Registration) {
		if s == "" || seen == 1000 {
			return
		}
		seen++
		if r == nil {
			r = registration(t, client)
		}
		if vendor(t, r) == "entra" && oauth.IsGUID(s.Reveal()) {
			return // the id of a secret: secret-valid says so
		}
		if strings.Count(s.Reveal(), ".") == 2 && strings.HasPrefix(s.Reveal(), "ey") {
			return // Apple's secrets are signed tokens
		}
		b.add(client, strong(s.Reveal(), client, place, r != nil && contains(r.AuthMethods, oauth.AuthSecretJWT)))
	}
	for _, r := range t.Registrations {
		if r == nil {
			continue
		}
		for i := range r.Credentials {
			if c := &r.Credentials[i]; c.Kind == "secret" {
				judge(r.ClientID, c.Place, c.Value, r)
			}
		}
	}
	for c := range tokenCalls(t) {
		judge(c.Request.ClientID, c.Place, c.Request.ClientSecret, nil)
	}
	judge(askedClient(t), "the secret that was given", t.Secret, nil)
	return b.or(check.Unknown(check.NeedCredentials, "the value of the secret is needed to judge it; it is never shown"))
}

// strong judges what a secret looks like, without showing any of it.
func strong(s, client, place string, hmac bool) check.Verdict {
	bits, what := guess(s)
	got := fmt.Sprintf("%d %s, about %d bits", len(s), what, bits)
	p := proof(place, "the secret of "+client, "at least 128 bits", got)
	switch word := phrase(s); {
	case word:
		return check.Wrong("The secret of "+client+" is made of words", "It can be guessed from a list, however long it is.", p)
	case oauth.IsGUID(s):
		return check.Wrong("The secret of "+client+" is a UUID, with 122 random bits at most", "Just short of the 128 bits that are asked for; some generators of UUIDs are not made for secrets.", p).As(usher.SeverityLow)
	case bits < 128:
		return check.Wrong(fmt.Sprintf("The secret of %s has about %d bits", client, bits), fmt.Sprintf("It is %d %s: too few against guessing.", len(s), what), p)
	case hmac && len(s) < 32:
		p.Expected = "at least 32 bytes"
		return check.Wrong(fmt.Sprintf("The secret of %s has %d bytes and is the key of HS256", client, len(s)), "The key of HS256 needs 256 bits; many libraries refuse a shorter one.", p)
	}
	return check.OK("as far as length and alphabet tell", p)
}

// guess estimates the bits of a secret from its length and alphabet.
func guess(s string) (bits int, what string) {
	var lower, upper, digit, other, hex bool
	hex = true
	var seen [256]bool
	distinct := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !seen[c] {
			seen[c] = true
			distinct++
		}
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'a' && c <= 'f':
			lower = true
		case c >= 'a' && c <= 'z':
			lower, hex = true, false
		case c >= 'A' && c <= 'F':
			upper = true
		case c >= 'A' && c <= 'Z':
			upper, hex = true, false
		default:
			other, hex = true, false
		}
	}
	tenths := 0 // of a bit for each character
	switch {
	case hex && !(lower && upper) && (lower || upper):
		tenths, what = 40, "hexadecimal digits"
	case digit && !lower && !upper && !other:
		tenths, what = 33, "digits"
	case other && (lower || upper):
		tenths, what = 60, "letters, digits and signs"
	case lower && upper:
		tenths, what = 57, "letters"
		if digit {
			tenths, what = 59, "letters and digits"
		}
	case digit:
		tenths, what = 51, "letters and digits"
	case lower || upper:
		tenths, what = 47, "letters of one case"
	default:
		tenths, what = 40, "signs"
	}
	if distinct*5 < len(s) && !hex && len(s) < 256 || distinct < 6 {
		tenths, what = 5, "characters, most of them the same"
	}
	return len(s) * tenths / 10, what
}

// phrase tells whether a secret reads like words: without a digit and with one
// that people use for secrets.
func phrase(s string) bool {
	if strings.ContainsAny(s, "0123456789") || len(s) > 256 {
		return false
	}
	s = strings.ToLower(s)
	for _, w := range [...]string{"secret", "password", "passwort", "changeme", "change-me", "change_me", "client", "default", "example", "admin", "test"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

var secretExposed = &check.Check{
	ID: "secret-exposed", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "The secret is nowhere that it should not be",
	Judged: "Whether a client secret stands in an address, in a log or in what a browser gets.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Withdraw the secret first, then look in the sign-in log for its use since it was exposed, then remove the copy."),
		check.Tightening("Send the secret in the body or the Authorization header of the token request, never in an address: addresses are logged."),
	},
	References: []string{"RFC 6819 section 4.1.1", "RFC 6749 section 2.3.1", "RFC 9700 section 2.5"},
	Judge:      judgeExposed,
}

func judgeExposed(t *check.Target) []check.Verdict {
	var b book
	looked := false
	for _, c := range t.AuthCalls {
		if c == nil || c.Request == nil {
			continue
		}
		looked = true
		if s := c.Request.Params.Get("client_secret"); s != "" {
			b.add(c.Request.ClientID, check.Wrong("The client secret of "+c.Request.ClientID+" goes through the browser", "It stands in the address that the browser is sent to: in its history, in the provider's log, and in every proxy on the way.",
				proof(c.Place, "client_secret="+usher.Secret(s).Fingerprint(), "no client_secret", "a client_secret")))
		}
	}
	for _, c := range t.TokenCalls {
		if c == nil || c.Exchange == nil {
			continue
		}
		looked = true
		if i := strings.IndexByte(c.Exchange.URL, '?'); i >= 0 && hasSecretParameter(c.Exchange.URL[i+1:]) {
			client := ""
			if c.Request != nil {
				client = c.Request.ClientID
			}
			b.add(client, check.Wrong("The token request carries the client secret in its address", "Addresses are logged by servers and proxies.",
				proof(c.Place, "client_secret in the query", "client_secret in the body or the Authorization header", "in the query")))
		}
	}
	for _, a := range t.Answers {
		if a == nil {
			continue
		}
		if loc := a.Header.Get("Location"); loc != "" && hasSecretParameter(loc) {
			looked = true
			b.add("", check.Wrong("A redirect carries a client secret", "The browser follows it and keeps the address.", proof(a.Place, "Location with client_secret", "no client_secret", "a client_secret")))
		}
	}
	for _, e := range t.Events {
		if e == nil {
			continue
		}
		looked = true
		for _, f := range e.Masked {
			if strings.Contains(f, "client_secret") || strings.Contains(f, "clientSecret") {
				b.add(e.Client.UID, check.Wrong("A log holds a client secret", "Whoever may read the log may act as the client.", proof("record "+e.UID, f, "no secret", "a secret, masked here")))
			}
		}
	}
	if len(b.list) > 0 {
		return b.list
	}
	if !looked {
		return []check.Verdict{check.Unknown(check.NeedLogs, "")}
	}
	return []check.Verdict{check.OK("none in the addresses and records that were given")}
}

// hasSecretParameter tells whether a query or an address carries a client secret.
func hasSecretParameter(s string) bool {
	for len(s) > 0 {
		i := strings.Index(s, "client_secret=")
		if i < 0 {
			return false
		}
		value := s[i+len("client_secret="):]
		if (i == 0 || s[i-1] == '&' || s[i-1] == '?' || s[i-1] == '#') && value != "" && value[0] != '&' {
			return true
		}
		s = value
	}
	return false
}

var secretShared = &check.Check{
	ID: "secret-shared", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "Each deployment has a credential of its own",
	Judged: "Whether one secret serves several clients, or is used from several services at once.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Give each service and environment a registration of its own, or at least a secret of its own, so that one can be withdrawn without the others."),
	},
	References: []string{"RFC 8252 section 8.5", "RFC 6819 section 5.2.3.4"},
	Judge:      judgeShared,
}

func judgeShared(t *check.Target) []check.Verdict {
	var b book
	owner := map[usher.Secret]usher.Proof{}
	client := map[usher.Secret]string{}
	note := func(id, place string, s usher.Secret) {
		if s == "" || id == "" || len(owner) > 1000 {
			return
		}
		first, there := client[s]
		if !there {
			client[s], owner[s] = id, proof(place, id, "", "")
			return
		}
		if !sameClient(first, id) {
			b.add(id, check.Wrong(fmt.Sprintf("The clients %s and %s have the same secret", first, id), "Whoever gets the secret of the one can act as both.",
				owner[s], proof(place, s.Fingerprint(), "a secret of its own", "that of "+first)))
			return
		}
		b.add(id, check.OK("its secret is no other client's, as far as was given", proof(place, s.Fingerprint(), "", "")))
	}
	for _, r := range t.Registrations {
		if r != nil {
			for i := range r.Credentials {
				note(r.ClientID, r.Credentials[i].Place, r.Credentials[i].Value)
			}
		}
	}
	for c := range tokenCalls(t) {
		note(c.Request.ClientID, c.Place, c.Request.ClientSecret)
	}
	usedFrom(t, &b)
	return b.or(check.Unknown(check.NeedLogs, ""))
}

// usedFrom looks in the log for one credential that several services use: other
// software, from another network. One of the two alone is an update or a move.
func usedFrom(t *check.Target, b *book) {
	type use struct {
		agent string
		asn   int
		event *usher.Event
	}
	first := map[string]use{}
	for _, e := range t.Events {
		if e == nil || e.OAuth.Credential == "" || e.Status != usher.StatusSuccess || len(first) > 1000 {
			continue
		}
		now := use{agent: product(e.UserAgent), asn: e.Source.ASN, event: e}
		was, there := first[e.OAuth.Credential]
		switch {
		case !there:
			first[e.OAuth.Credential] = now
			b.add(e.Client.UID, check.OK("its credential is used by one service, as far as the log tells", proof("record "+e.UID, e.OAuth.Credential, "", "")))
		case now.agent != "" && was.agent != "" && now.agent != was.agent && now.asn != 0 && was.asn != 0 && now.asn != was.asn:
			b.add(e.Client.UID, check.Wrong("Several services use one credential of "+e.Client.String(), "It comes from other software in another network: two deployments share it.",
				proof("record "+was.event.UID, was.event.UserAgent, "", fmt.Sprintf("AS%d", was.asn)), proof("record "+e.UID, e.UserAgent, "one service a credential", fmt.Sprintf("AS%d", now.asn))))
		}
	}
}

// product gives the first product of a user agent, without its version.
func product(agent string) string {
	p, _, _ := strings.Cut(agent, "/")
	return p
}

var secretChars = &check.Check{
	ID: "secret-chars", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The secret survives its encoding",
	Judged: "Whether characters such as + and % in the secret were encoded in the form and before Basic.",
	Cause:  causeSecretWrong, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Encode id and secret as a form does before they are joined for Basic, and every value of a form body (+ becomes %2B, % becomes %25); let the library build both."),
		check.Neutral("Or send the secret in the body (client_secret_post), where the client may use that, or make a new one of letters and digits."),
	},
	References: []string{"RFC 6749 section 2.3.1", "RFC 6749 appendix B"},
	Judge:      judgeChars,
}

func judgeChars(t *check.Target) []check.Verdict {
	var b book
	// The same secret accepted in one way and refused in the other is proof.
	type tried struct{ taken, left *check.TokenCall }
	tries := map[usher.Secret]tried{}
	for c := range tokenCalls(t) {
		if c.Request.ClientSecret == "" {
			continue
		}
		b.add(c.Request.ClientID, chars(c))
		tr := tries[c.Request.ClientSecret]
		switch {
		case granted(c):
			tr.taken = c
		case c.Response != nil && c.Response.Error != nil && c.Response.Error.Code == oauth.ErrInvalidClient:
			tr.left = c
		}
		if len(tries) < 1000 {
			tries[c.Request.ClientSecret] = tr
		}
		if tr.taken != nil && tr.left != nil && tr.taken.Request.AuthMethod == oauth.AuthPost && tr.left.Request.AuthMethod == oauth.AuthBasic &&
			strings.ContainsAny(c.Request.ClientSecret.Reveal(), "+%/:=&~ ") {
			b.add(c.Request.ClientID, check.Wrong("The secret passes in the body and not by Basic", "It holds characters that the client and the provider encode differently in the Authorization header.",
				proof(tr.left.Place, oauth.AuthBasic, "", "refused"), proof(tr.taken.Place, oauth.AuthPost, "", "accepted")))
		}
	}
	return b.or(check.Unknown(check.NeedTokenRequest, ""))
}

// chars judges how one request carries its secret.
func chars(c *check.TokenCall) check.Verdict {
	for _, d := range c.Request.Defects {
		if strings.HasPrefix(d, "client_secret ") {
			return check.Wrong("The form carries the secret unencoded: "+d, "What arrives is another value than the secret.", proof(c.Place, d, "an encoded value", "")).
				Do("Encode the value as a form does (+ as %2B, % as %25), with curl by --data-urlencode; strip line breaks from files that secrets are read from.")
		}
	}
	s := c.Request.ClientSecret.Reveal()
	if strings.TrimSpace(s) != s {
		return check.Wrong("The secret of "+c.Request.ClientID+" is sent with a blank or line break around it", "What arrives is another value than the secret.", proof(c.Place, c.Request.ClientSecret.Fingerprint(), "no blank at either end", "one"))
	}
	if c.Request.AuthMethod == oauth.AuthBasic {
		if raw, ok := basicSecret(c); ok {
			switch {
			case strings.Contains(raw, "+"):
				return check.Wrong("The secret of "+c.Request.ClientID+" has a + that was not encoded for Basic", "A provider that decodes as the standard says reads a blank there.", proof(c.Place, "Authorization: Basic", "+ as %2B", "+"))
			case badPercent(raw):
				return check.Wrong("The secret of "+c.Request.ClientID+" has a % that was not encoded for Basic", "A provider that decodes as the standard says cannot read it.", proof(c.Place, "Authorization: Basic", "% as %25", "%"))
			}
		}
	}
	return check.OK("nothing in it is lost on the way", proof(c.Place, c.Request.AuthMethod, "", ""))
}

// basicSecret gives what stands after the colon in a Basic header, undecoded.
func basicSecret(c *check.TokenCall) (string, bool) {
	if c.Exchange == nil {
		return "", false
	}
	return rawBasic(c.Exchange.Request.Get("Authorization"))
}

func badPercent(s string) bool {
	_, err := url.PathUnescape(s)
	return err != nil
}
