package clients

import (
	"fmt"
	"strings"

	"usher"
	"usher/check"
)

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
		if c == nil || c.Request == nil || c.Partial {
			continue // what the operator tells of a request is no address
		}
		looked = true
		if s := c.Request.Params.Get("client_secret"); s != "" {
			b.add(c.Request.ClientID, check.Wrong("The client secret of "+whom(c.Request.ClientID)+" goes through the browser", "It stands in the address that the browser is sent to: in its history, in the provider's log, and in every proxy on the way.",
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
		if hasSecretParameter(e.Request.Path) {
			b.add(e.Client.UID, check.Wrong("A log holds a request with the client secret in its address", "Whoever may read the log may act as the client, and the address went through every proxy on the way.", proof(check.RecordPlace(e), e.Request.Host+e.Request.Path, "no client_secret in an address", "client_secret")))
		}
		for _, f := range e.Masked {
			if strings.Contains(f, "client_secret") || strings.Contains(f, "clientSecret") {
				b.add(e.Client.UID, check.Wrong("A log holds a client secret", "Whoever may read the log may act as the client.", proof(check.RecordPlace(e), f, "no secret", "a secret, masked here")))
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
			b.add(e.Client.UID, check.OK("its credential is used by one service, as far as the log tells", proof(check.RecordPlace(e), e.OAuth.Credential, "", "")))
		case now.agent != "" && was.agent != "" && now.agent != was.agent && now.asn != 0 && was.asn != 0 && now.asn != was.asn:
			b.add(e.Client.UID, check.Wrong("Several services use one credential of "+e.Client.String(), "It comes from other software in another network: two deployments share it.",
				proof(check.RecordPlace(was.event), was.event.UserAgent, "", fmt.Sprintf("AS%d", was.asn)), proof(check.RecordPlace(e), e.UserAgent, "one service a credential", fmt.Sprintf("AS%d", now.asn))))
		}
	}
}

// product gives the first product of a user agent, without its version.
func product(agent string) string {
	p, _, _ := strings.Cut(agent, "/")
	return p
}
