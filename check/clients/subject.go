package clients

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
)

// maxProofs bounds the proofs of one verdict: a person reads a few.
const maxProofs = 8

func proof(place, quote, expected, got string) usher.Proof {
	return usher.Proof{Place: place, Quote: quote, Expected: expected, Got: got}
}

// each asks a question of every client's registration; settings of a realm or a
// tenant are no client's.
func each(t *check.Target, judge func(r *evidence.Registration) check.Verdict) []check.Verdict {
	var out []check.Verdict
	for _, r := range t.Registrations {
		if r != nil && r.ClientID != "" {
			out = append(out, judge(r).Of(r.ClientID))
		}
	}
	if out == nil {
		return []check.Verdict{check.Unknown(check.NeedRegistration, "")}
	}
	return out
}

// registration gives the registration of a client; of a request that names
// none, the only one there is. It gives nil where there is none or which is
// meant cannot be told.
func registration(t *check.Target, client string) *evidence.Registration {
	var found *evidence.Registration
	for _, r := range t.Registrations {
		switch {
		case r == nil || r.ClientID == "":
		case client != "" && sameClient(r.ClientID, client):
			return r
		case client == "" && found != nil:
			return nil
		case client == "":
			found = r
		}
	}
	return found
}

// theClient names a client at the start of a sentence.
func theClient(id string) string {
	if id == "" {
		return "The client"
	}
	return "The client " + id
}

// whom names a client in the midst of a sentence.
func whom(id string) string { return cmp.Or(id, "the client") }

// sameClient compares client ids. Those that are GUIDs are written in either case.
func sameClient(a, b string) bool {
	return a == b || len(a) == len(b) && oauth.IsGUID(a) && strings.EqualFold(a, b)
}

// secretMethod tells whether a method of authentication rests on a shared secret.
func secretMethod(m string) bool {
	return m == oauth.AuthBasic || m == oauth.AuthPost || m == oauth.AuthSecretJWT
}

// known tells whether the export held a field although it is empty.
func known(r *evidence.Registration, field string) bool {
	for _, k := range r.Known {
		if k == field {
			return true
		}
	}
	return false
}

// grant gives the name of a grant as RFC 7591 writes it, from the words that
// providers use for it.
func grant(word string) string {
	switch word {
	case "device_code", "deviceCode", "urn:ietf:params:oauth:grant-type:device_code":
		return oauth.GrantDeviceCode
	case "http://auth0.com/oauth/grant-type/password-realm", "http://auth0.com/oauth/grant-type/password", "ropc":
		return oauth.GrantPassword
	case "token-exchange":
		return oauth.GrantTokenExchange
	case "jwt-bearer":
		return oauth.GrantJWTBearer
	}
	return word
}

func hasGrant(list []string, want string) bool {
	for _, g := range list {
		if grant(g) == want {
			return true
		}
	}
	return false
}

// short gives the name of a grant for a person.
func short(g string) string {
	if i := strings.LastIndexByte(g, ':'); i >= 0 {
		return g[i+1:]
	}
	return g
}

// book collects one verdict for each client: the worst counts, and the proofs
// of verdicts alike come together.
type book struct {
	list []check.Verdict
	at   map[string]int // made when there are many
}

// find gives the place of a client's verdict in the list, -1 where there is none.
func (b *book) find(client string) int {
	if b.at == nil && len(b.list) > 16 {
		b.at = make(map[string]int, 2*len(b.list))
		for i := range b.list {
			b.at[b.list[i].Subject.Client] = i
		}
	}
	if b.at != nil {
		if i, there := b.at[client]; there {
			return i
		}
		return -1
	}
	for i := range b.list {
		if b.list[i].Subject.Client == client {
			return i
		}
	}
	return -1
}

func (b *book) add(client string, v check.Verdict) {
	v = v.Of(client)
	i := b.find(client)
	if i < 0 {
		b.list = append(b.list, v)
		if b.at != nil {
			b.at[client] = len(b.list) - 1
		}
		return
	}
	have := &b.list[i]
	switch a, c := weight(&v), weight(have); {
	case a > c:
		if v.Outcome == have.Outcome {
			v.Proof = joined(v.Proof, have.Proof)
		}
		*have = v
	case v.Outcome == have.Outcome:
		have.Proof = joined(have.Proof, v.Proof)
	}
}

// weight orders verdicts: wrong before unknown before ok, and the severe first.
func weight(v *check.Verdict) int {
	switch v.Outcome {
	case usher.OutcomeWrong:
		s := v.Severity
		if s == "" {
			return 15 // the check's own severity, before what was set lower
		}
		return 14 - s.Rank()
	case usher.OutcomeUnknown:
		return 2
	case usher.OutcomeOK:
		return 1
	}
	return 0
}

func joined(a, b []usher.Proof) []usher.Proof {
	for _, p := range b {
		if len(a) >= maxProofs {
			break
		}
		a = append(a[:len(a):len(a)], p)
	}
	return a
}

// or gives the verdicts, or the one for nothing at all.
func (b *book) or(none check.Verdict) []check.Verdict {
	if len(b.list) == 0 {
		return []check.Verdict{none}
	}
	return b.list
}

// requests gives the authorization requests that were seen whole: not those of
// which the operator said a part, nor sign-outs.
func requests(t *check.Target) func(func(*check.AuthCall) bool) {
	return func(yield func(*check.AuthCall) bool) {
		for _, c := range t.AuthCalls {
			if c == nil || c.Request == nil || c.Partial || c.Request == t.Request || c.Request.Params.Has("post_logout_redirect_uri") {
				continue
			}
			if !yield(c) {
				return
			}
		}
	}
}

// clientOf gives the client of an authorization request or answer. An answer
// alone is of the request with its state, or of the only client there is.
func clientOf(t *check.Target, c *check.AuthCall) string {
	if c.Request != nil {
		return c.Request.ClientID
	}
	if c.Response != nil && c.Response.State != "" {
		for a := range requests(t) {
			if a.Request.State == c.Response.State {
				return a.Request.ClientID
			}
		}
	}
	return t.SoleClient()
}

// backAt gives the place of the answer to an authorization request.
func backAt(c *check.AuthCall) string {
	if c.ResponsePlace != "" {
		return c.ResponsePlace
	}
	return c.Place
}

// entraAt tells whether an endpoint is one of Entra's.
func entraAt(endpoint string) bool {
	rest, ok := strings.CutPrefix(endpoint, "https://")
	if !ok {
		return false
	}
	host, _, _ := strings.Cut(rest, "/")
	switch host {
	case "login.windows.net", "login.microsoft.com", "sts.windows.net", "login.chinacloudapi.cn", "login.partner.microsoftonline.cn":
		return true
	}
	return strings.HasPrefix(host, "login.microsoftonline.")
}

// pushed tells whether the parameters of a request lie elsewhere: at the
// provider (RFC 9126) or in a signed object (RFC 9101).
func pushed(r *oauth.AuthorizationRequest) bool {
	return r.RequestURI != "" || r.Params.Has("request")
}

// asksFor tells whether response_type holds a word: "code" of "code id_token".
// Without response_type the answer is code, as the one that everybody has.
func asksFor(responseType, word string) bool {
	if responseType == "" {
		return word == "code"
	}
	for w := range strings.FieldsSeq(responseType) {
		if w == word {
			return true
		}
	}
	return false
}

// tokenCalls gives the token requests that were seen.
func tokenCalls(t *check.Target) func(func(*check.TokenCall) bool) {
	return func(yield func(*check.TokenCall) bool) {
		for _, c := range t.TokenCalls {
			if c != nil && c.Request != nil && !yield(c) {
				return
			}
		}
	}
}

// sameCall tells whether two requests may be one that was given twice, in a
// recording and as a command: their times do not tell them apart.
func sameCall(a, b *check.TokenCall) bool {
	return a.Time.IsZero() || b.Time.IsZero() || a.Time.Equal(b.Time)
}

// granted tells whether a token request was answered with a token.
func granted(c *check.TokenCall) bool {
	return c.Response != nil && c.Response.Error == nil && (c.Response.AccessToken != "" || c.Response.IDToken != "")
}

// requestOf gives the authorization request that a code came from: the one
// whose answer held the code, or, where no answer with a code is known, the only
// request of that client. Nil is unknown.
func requestOf(t *check.Target, c *check.TokenCall) *check.AuthCall {
	var only *check.AuthCall
	n := 0
	for a := range requests(t) {
		if a.Response != nil && a.Response.Code != "" {
			if a.Response.Code == c.Request.Code {
				return a
			}
			continue
		}
		if a.Response != nil || !asksFor(a.Request.ResponseType, "code") {
			continue
		}
		if c.Request.ClientID == "" || sameClient(a.Request.ClientID, c.Request.ClientID) {
			only = a
			n++
		}
	}
	if n == 1 && codeCalls(t) == 1 {
		return only
	}
	return nil
}

func codeCalls(t *check.Target) int {
	n := 0
	for c := range tokenCalls(t) {
		if c.Request.GrantType == oauth.GrantAuthorizationCode {
			n++
		}
	}
	return n
}

// metadataOf gives the document whose endpoint a request went to, or the only
// document there is.
func metadataOf(t *check.Target, endpoint string) *check.Metadata {
	for _, m := range t.Metadata {
		if m == nil || m.Metadata == nil || endpoint == "" {
			continue
		}
		if m.AuthorizationEndpoint == endpoint || m.TokenEndpoint == endpoint {
			return m
		}
	}
	if len(t.Metadata) == 1 && t.Metadata[0] != nil && t.Metadata[0].Metadata != nil {
		return t.Metadata[0]
	}
	return nil
}

// can tells whether the provider can do something, and whether that is known.
func can(t *check.Target, what string) (yes, told bool) {
	if t.Provider == nil {
		return false, false
	}
	a, told := t.Provider.Can[what]
	return a.Can, told
}

// knownOf gives what is known of the provider that a client is registered at:
// the registration says which, else it is the one that is asked. Nil is unknown.
func knownOf(t *check.Target, r *evidence.Registration) *knowledge.Provider {
	if r.Provider == "" || t.Provider != nil && t.Provider.Name == r.Provider {
		return t.Provider
	}
	return knowledge.Named(r.Provider)
}

// elsewhere tells whether a client is registered at another provider than the
// one that is known to be asked.
func elsewhere(t *check.Target, r *evidence.Registration) bool {
	return r.Provider != "" && t.Provider != nil && t.Provider.Name != "generic" && t.Provider.Name != r.Provider
}

func providerIs(t *check.Target, name string) bool {
	return t.Provider != nil && t.Provider.Name == name
}

// vendor gives the provider of a registration.
func vendor(t *check.Target, r *evidence.Registration) string {
	if r != nil && r.Provider != "" {
		return r.Provider
	}
	if t.Provider != nil && t.Provider.Name != "generic" {
		return t.Provider.Name
	}
	return ""
}

// days gives a time span in words.
func days(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	switch n := int(d.Hours() / 24); {
	case d < 2*time.Minute:
		return itoa(int(d.Seconds())) + " seconds"
	case d < 2*time.Hour:
		return itoa(int(d.Minutes())) + " minutes"
	case n < 2:
		return itoa(int(d.Hours())) + " hours"
	default:
		return itoa(n) + " days"
	}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

func contains(list []string, s string) bool { return slices.Contains(list, s) }
