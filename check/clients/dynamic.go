package clients

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/oauth"
)

var cimdDocument = &check.Check{
	ID: "cimd-document", Group: check.GroupClient, Mode: check.Passive, Severity: usher.SeverityMedium,
	Title:  "The client's metadata document is sound",
	Judged: "Its address (https, with a path, no fragment), how it is served, and what it holds: its own address as client_id, redirect URIs, no secret, at most 5 KiB.",
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Serve it as a static file at a stable https address with a path, with client_id the very same address, and without a secret."),
	},
	References: []string{"draft-ietf-oauth-client-id-metadata-document section 3", "draft-ietf-oauth-client-id-metadata-document section 4"},
	Probe:      &check.Probe{What: "a GET of the client's own document", Safety: check.S0},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		for _, d := range t.Documents {
			if d != nil {
				b.add(documentID(d), judgeDocument(d))
			}
		}
		id := askedClient(t)
		switch {
		case len(b.list) > 0:
			return b.list
		case id != "" && !strings.HasPrefix(id, "https://"):
			return []check.Verdict{check.NotApplicable("the client id is no address").Of(id)}
		case id == "" && len(t.Registrations) > 0:
			return []check.Verdict{check.NotApplicable("the client is registered at the provider")}
		}
		return []check.Verdict{check.Unknown(check.NeedClientDocument, "")}
	},
}

// maxDocument is the size that a provider need not read beyond, by the draft.
const maxDocument = 5 << 10

func documentID(d *check.ClientDocument) string {
	if d.URL != "" {
		return d.URL
	}
	return check.Member(d.Raw, "client_id")
}

func judgeDocument(d *check.ClientDocument) check.Verdict {
	var wrong []string
	var proofs []usher.Proof
	sev := usher.Severity("")
	say := func(what string, p usher.Proof) {
		wrong = append(wrong, what)
		if len(proofs) < maxProofs {
			proofs = append(proofs, p)
		}
	}
	id := documentID(d)
	if what := badClientURL(id); what != "" {
		say(what, proof(d.Place, id, "https://host/path", id))
	}
	if a := d.Answer; a != nil {
		switch {
		case a.Status/100 == 3:
			say("it is behind a redirect", proof(a.Place, "status", "200", itoa(a.Status)))
		case a.Status != 200 && a.Status != 0:
			say(fmt.Sprintf("its address answers with status %d", a.Status), proof(a.Place, "status", "200", itoa(a.Status)))
		case a.Status == 0:
			say("its address does not answer", proof(a.Place, a.Err, "200", "no answer"))
		}
		if ct := a.Header.Get("Content-Type"); a.Status == 200 && ct != "" && !strings.Contains(ct, "json") {
			say("it is served as "+ct, proof(a.Place, "Content-Type", "application/json", ct))
		}
	}
	if d.Raw != nil {
		if got := check.Member(d.Raw, "client_id"); d.URL != "" && got != d.URL {
			if got == "" {
				got = "nothing"
			}
			say("its client_id is "+got, proof(d.Place, "client_id", d.URL, got))
		} else if got == "" {
			say("it holds no client_id", proof(d.Place, "client_id", "its own address", "nothing"))
		}
		for _, name := range [...]string{"client_secret", "client_secret_expires_at"} {
			if _, there := d.Raw[name]; there {
				say("it holds "+name, proof(d.Place, name, "none: everybody can read it", "there"))
				if name == "client_secret" {
					sev = usher.SeverityCritical
				}
			}
		}
		if m := check.Member(d.Raw, "token_endpoint_auth_method"); secretMethod(m) {
			say("it wants to authenticate by "+m, proof(d.Place, "token_endpoint_auth_method", "none or private_key_jwt", m))
		}
		if len(list(d.Raw, "redirect_uris")) == 0 && redirects(d.Raw) {
			say("it lists no redirect_uris", proof(d.Place, "redirect_uris", "the addresses of the app", "none"))
		}
	}
	if d.Size > maxDocument {
		say(fmt.Sprintf("it has %d bytes", d.Size), proof(d.Place, "size", "at most 5120 bytes", itoa(d.Size)))
	}
	if len(wrong) > 0 {
		v := check.Wrong("The metadata document of "+id+" is not sound: "+wrong[0], "A provider that keeps to the draft does not take the client.", proofs...).As(sev)
		if len(wrong) > 1 {
			v.Detail += " Also: " + strings.Join(wrong[1:], "; ") + "."
		}
		return v
	}
	if d.Raw == nil {
		return check.Unknown(check.NeedClientDocument, "the document itself was not read")
	}
	return check.OK("it is as the draft asks for", proof(d.Place, id, "", ""))
}

// redirects tells whether a document's client uses the authorization endpoint.
func redirects(raw map[string]json.RawMessage) bool {
	grants := list(raw, "grant_types")
	return len(grants) == 0 || contains(grants, oauth.GrantAuthorizationCode) || contains(grants, "implicit")
}

// badClientURL tells what is wrong with an address as a client id.
func badClientURL(id string) string {
	u, err := url.Parse(id)
	switch {
	case id == "":
		return ""
	case err != nil || u.Host == "":
		return "its address is none"
	case u.Scheme != "https":
		return "its address is not https"
	case u.Path == "" || u.Path == "/":
		return "its address has no path"
	case u.Fragment != "" || strings.HasSuffix(id, "#"):
		return "its address has a fragment"
	case u.User != nil:
		return "its address has a user name"
	}
	for s := range strings.SplitSeq(u.EscapedPath(), "/") {
		if s == "." || s == ".." {
			return "its address has dot segments"
		}
	}
	return ""
}

var dcrResponseKept = &check.Check{
	ID: "dcr-response-kept", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "What is registered is what was asked for",
	Judged: "The registration request against the answer, member by member: a provider may change what it is asked.",
	Needs:  []check.Need{check.NeedDCR},
	Step:   usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Go by the answer, not by the request: take grant types, authentication method, scope and redirect URIs from it, and keep registration_access_token as safe as a password."),
	},
	References: []string{"RFC 7591 section 3.2.1"},
	Judge: func(t *check.Target) []check.Verdict {
		var b book
		for _, a := range t.Registered {
			if a != nil {
				b.add(check.Member(a.Raw, "client_id"), judgeDCR(a))
			}
		}
		return b.or(check.Unknown(check.NeedDCR, ""))
	},
}

func judgeDCR(a *check.DCRAnswer) check.Verdict {
	if code := check.Member(a.Raw, "error"); code != "" {
		return check.Wrong("The provider refuses the registration: "+code, cmp.Or(clip(check.Member(a.Raw, "error_description")), "There is no client then: the request has to be changed."), proof(a.Place, code, "client_id", "error"))
	}
	if a.Request == nil {
		return check.Unknown(check.NeedDCR, "the request is needed beside the answer, to compare the two")
	}
	var changed, lost []string
	var proofs []usher.Proof
	for _, name := range slices.Sorted(keysOf(a.Request)) {
		if unheard(name) {
			continue
		}
		got, there := a.Raw[name]
		if !there {
			if core(name) {
				lost = append(lost, name)
			}
			continue
		}
		if sameValue(name, a.Request[name], got) {
			continue
		}
		changed = append(changed, name)
		if len(proofs) < maxProofs {
			proofs = append(proofs, proof(a.Place, name, clip(string(a.Request[name])), clip(string(got))))
		}
	}
	switch {
	case len(changed) > 0:
		return check.Wrong("The provider registered another "+strings.Join(changed, ", ")+" than was asked for", "A client that goes by its request will be refused later.", proofs...)
	case len(lost) > 0:
		return check.Unknown(check.NeedNothing, "the answer leaves out "+strings.Join(lost, ", ")+", which it ought to repeat; what holds is not known", proof(a.Place, strings.Join(lost, ", "), "", "nothing"))
	}
	return check.OK("the answer repeats the request", proof(a.Place, "client_id", "", ""))
}

func keysOf(m map[string]json.RawMessage) func(func(string) bool) {
	return func(yield func(string) bool) {
		n := 0
		for k := range m {
			if n++; n > 200 || !yield(k) {
				return
			}
		}
	}
}

// unheard are members that no answer repeats, or that nobody should see.
func unheard(name string) bool {
	return name == "software_statement" || name == "client_secret" || name == "jwks" || strings.Contains(name, "token") && name != "token_endpoint_auth_method"
}

func core(name string) bool {
	switch name {
	case "redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method", "scope":
		return true
	}
	return false
}

// sameValue compares a member as it was asked for and registered: lists and
// scopes in any order.
func sameValue(name string, a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return string(a) == string(b)
	}
	if name == "scope" {
		s, ok := x.(string)
		u, ok2 := y.(string)
		if ok && ok2 {
			return sameSet(strings.Fields(s), strings.Fields(u))
		}
	}
	l, ok := texts(x)
	m, ok2 := texts(y)
	if ok && ok2 {
		return sameSet(l, m)
	}
	p, err := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err == nil && err2 == nil && string(p) == string(q)
}

func texts(v any) ([]string, bool) {
	l, ok := v.([]any)
	if !ok || len(l) > 1000 {
		return nil, false
	}
	out := make([]string, 0, len(l))
	for _, e := range l {
		s, ok := e.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

var credentialsPerIssuer = &check.Check{
	ID: "credentials-per-issuer", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "Each issuer has credentials of its own",
	Judged: "Whether one client id and secret go to two authorization servers.",
	Step:   usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Tightening("Keep credentials under the issuer that they were registered with, and register anew when the issuer changes."),
	},
	References: []string{"MCP authorization, server discovery", "RFC 6749 section 2.2"},
	Judge:      judgePerIssuer,
}

func judgePerIssuer(t *check.Target) []check.Verdict {
	var b book
	type use struct {
		server, place string
		known         bool // the server is that of a document
	}
	bySecret, byID := map[usher.Secret]use{}, map[string]use{}
	note := func(client, endpoint, place string, secret usher.Secret) {
		server, told := serverOf(t, endpoint)
		if server == "" || client == "" || len(byID) > 1000 {
			return
		}
		now := use{server, place, told}
		if secret != "" {
			was, there := bySecret[secret]
			if there && was.server != server && !(was.known && told) && (ownDomain(was.server) || ownDomain(server) || oneOwner(was.server, server)) {
				b.add(client, check.Unknown(check.NeedDiscovery, "the secret goes to "+was.server+" and "+server+", which may be two names of one provider; their documents tell", proof(was.place, was.server, "", ""), proof(place, server, "", "")))
				return
			}
			if there && was.server != server {
				b.add(client, check.Wrong("The secret of "+whom(client)+" goes to "+was.server+" and to "+server, "The one learns what opens the other.", proof(was.place, was.server, "", ""), proof(place, secret.Fingerprint(), was.server, server)))
				return
			}
			bySecret[secret] = now
		}
		was, there := byID[client]
		switch {
		case !there:
			byID[client] = now
			b.add(client, check.OK("its credentials go to one server, as far as was given", proof(place, server, "", "")))
		case was.server == server, strings.HasPrefix(client, "https://"):
		case was.known && told && generated(client):
			b.add(client, check.Wrong("The client id "+client+" goes to "+was.server+" and to "+server, "An id belongs to the server that gave it; another one does not know it, or knows somebody else by it.", proof(was.place, was.server, "", ""), proof(place, "client_id="+client, was.server, server)))
		default:
			b.add(client, check.Unknown(check.NeedDiscovery, "the client id goes to "+was.server+" and "+server+"; whether they are one issuer stands in their documents", proof(was.place, was.server, "", ""), proof(place, server, "", "")))
		}
	}
	for c := range requests(t) {
		note(c.Request.ClientID, c.Request.Endpoint, c.Place, "")
	}
	for c := range tokenCalls(t) {
		note(c.Request.ClientID, c.Request.Endpoint, c.Place, c.Request.ClientSecret)
	}
	// One id, given by two providers in two registrations.
	for i, r := range t.Registrations {
		if r == nil || r.ClientID == "" || i > 200 {
			continue
		}
		for _, other := range t.Registrations[:i] {
			if other != nil && other.ClientID == r.ClientID && other.Provider != "" && r.Provider != "" && other.Provider != r.Provider && generated(r.ClientID) {
				b.add(r.ClientID, check.Wrong("The client id "+r.ClientID+" is registered at "+other.Provider+" and at "+r.Provider, "An id belongs to the provider that gave it.", proof(other.Place, other.Provider, "", ""), proof(r.Place, r.Provider, "an id of its own", r.ClientID)))
			}
		}
	}
	return b.or(check.Unknown(check.NeedTokenRequest, "requests show which servers the client's credentials go to"))
}

// ownDomain tells whether a host is one of a provider that gives its customers
// domains of their own beside.
func ownDomain(host string) bool {
	for _, end := range [...]string{".auth0.com", ".okta.com", ".oktapreview.com", ".okta-emea.com", ".amazoncognito.com", ".onelogin.com"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return false
}

// oneOwner tells whether two hosts belong together: they lie in one domain, as
// login.salesforce.com and a customer's own there, or on this machine.
func oneOwner(a, b string) bool {
	return check.SameSite(a, b) || check.Loopback(a) && check.Loopback(b)
}

// serverOf names the authorization server of an endpoint: the issuer of the
// document that names it, else its host.
func serverOf(t *check.Target, endpoint string) (server string, told bool) {
	for _, m := range t.Metadata {
		if m != nil && m.Metadata != nil && endpoint != "" && (m.AuthorizationEndpoint == endpoint || m.TokenEndpoint == endpoint) {
			return m.Issuer, true
		}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "", false
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case host == "oauth2.googleapis.com" || host == "www.googleapis.com":
		return "accounts.google.com", false
	case strings.HasPrefix(host, "login.microsoftonline."), host == "login.windows.net", host == "sts.windows.net", host == "login.live.com":
		return "login.microsoftonline.com", false
	}
	return host, false
}

// generated tells whether a client id was given out by a provider rather than
// chosen: names such as "web" are used with every provider.
func generated(id string) bool {
	if oauth.IsGUID(id) {
		return true
	}
	return len(id) >= 16 && strings.ContainsAny(id, "0123456789")
}
