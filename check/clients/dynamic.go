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
	var changed, more, lost []string
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
		if added(name, a.Request[name], got) {
			more = append(more, name)
		} else {
			changed = append(changed, name)
		}
		if len(proofs) < maxProofs {
			proofs = append(proofs, proof(a.Place, name, clip(string(a.Request[name])), clip(string(got))))
		}
	}
	switch {
	case len(changed) > 0:
		return check.Wrong("The provider registered another "+strings.Join(changed, ", ")+" than was asked for", "A client that goes by its request will be refused later.", proofs...)
	case len(more) > 0:
		return check.Wrong("The provider registered more "+strings.Join(more, ", ")+" than was asked for", "What was asked for is all there. Providers add what they give to every client; what this one does not need is better switched off.", proofs...).As(usher.SeverityLow)
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
	l, ok := words(name, a)
	m, ok2 := words(name, b)
	if ok && ok2 {
		return sameSet(l, m)
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return string(a) == string(b)
	}
	p, err := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err == nil && err2 == nil && string(p) == string(q)
}

// added tells whether a list or a scope holds all that was asked for, and more;
// more addresses that codes go to are another matter.
func added(name string, asked, got json.RawMessage) bool {
	want, ok := words(name, asked)
	have, ok2 := words(name, got)
	return ok && ok2 && name != "redirect_uris" && !slices.ContainsFunc(want, func(s string) bool { return !contains(have, s) })
}

// words gives the texts of a list, or those of a scope.
func words(name string, raw json.RawMessage) ([]string, bool) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil, false
	}
	if s, ok := v.(string); ok && name == "scope" {
		return strings.Fields(s), true
	}
	return texts(v)
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
