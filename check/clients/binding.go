package clients

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

var mtlsBindingRegistered = &check.Check{
	ID: "mtls-binding-registered", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The client's certificate is registered",
	Judged: "Whether a client with mutual TLS has exactly one subject or name, or keys, registered, and whether the certificate that it presents fits.",
	Needs:  []check.Need{check.NeedRegistration},
	Cause:  causeMethod, Step: usher.StepRegistration, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Register the new certificate (its subject or one of its names, or its key) before the client uses it."),
	},
	References: []string{"RFC 8705 section 2.1", "RFC 8705 section 2.2"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(r *evidence.Registration) check.Verdict { return judgeBinding(t, r) })
	},
}

func judgeBinding(t *check.Target, r *evidence.Registration) check.Verdict {
	allowed := methods(t, r)
	switch {
	case contains(allowed, oauth.AuthTLS):
		return judgeNamed(t, r)
	case contains(allowed, oauth.AuthSelfSignedTLS):
		return judgeSelfSigned(t, r)
	case len(allowed) > 0:
		return check.NotApplicable("the client does not authenticate by mutual TLS")
	}
	if _, told := publicOf(r); told && r.Provider != "" {
		return check.NotApplicable("the client does not authenticate by mutual TLS")
	}
	return check.Unknown(check.NeedNothing, "the registration does not say how the client authenticates")
}

// judgeNamed judges a certificate of a known authority, RFC 8705 section 2.1.
func judgeNamed(t *check.Target, r *evidence.Registration) check.Verdict {
	n, name, want := 0, "", ""
	for _, member := range [...]string{"tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri", "tls_client_auth_san_ip", "tls_client_auth_san_email"} {
		if v := r.TLSNames[member]; v != "" {
			n, name, want = n+1, member, v
		}
	}
	here := proof(r.Place, name+"="+want, "one subject or name", itoa(n))
	switch {
	case n == 0 && r.Provider == "keycloak" && r.TLSNames == nil:
		return check.Unknown(check.NeedRegistration, "the export does not hold the subject that is expected", here)
	case n == 0:
		return check.Wrong("The client "+nameOf(r)+" uses mutual TLS, and no subject is registered", "Any certificate of the authority would do, or none does.", here)
	case n > 1:
		return check.Wrong(fmt.Sprintf("The client %s has %d names registered for its certificate", nameOf(r), n), "RFC 8705 allows exactly one of them.", here)
	}
	cert, place := presented(t, r.ClientID)
	if cert == nil {
		return check.Unknown(check.NeedTLS, "which certificate the client presents is not in the evidence (a Client-Cert header of RFC 9440 would show it)", here)
	}
	if holds(cert, name, want) {
		return check.OK("the certificate has the registered name", here, proof(place, cert.Subject.String(), "", ""))
	}
	got := cert.Subject.String()
	if name != "tls_client_auth_subject_dn" {
		got = names(cert)
	}
	return check.Wrong("The client "+nameOf(r)+" presents "+got+", registered is "+want, "", proof(place, got, want, got), here)
}

// holds tells whether a certificate has a name.
func holds(cert *x509.Certificate, member, want string) bool {
	switch member {
	case "tls_client_auth_subject_dn":
		return sameDN(cert.Subject.String(), want)
	case "tls_client_auth_san_dns":
		return contains(cert.DNSNames, want)
	case "tls_client_auth_san_email":
		return contains(cert.EmailAddresses, want)
	case "tls_client_auth_san_uri":
		for _, u := range cert.URIs {
			if u.String() == want {
				return true
			}
		}
	case "tls_client_auth_san_ip":
		for _, ip := range cert.IPAddresses {
			if ip.String() == want {
				return true
			}
		}
	}
	return false
}

// sameDN compares names of RFC 4514 part by part: blanks after commas, the case
// of attribute names, and either order.
func sameDN(a, b string) bool {
	x, y := dn(a), dn(b)
	if len(x) != len(y) {
		return false
	}
	same, turned := true, true
	for i := range x {
		same = same && x[i] == y[i]
		turned = turned && x[i] == y[len(y)-1-i]
	}
	return same || turned
}

func dn(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		out = append(out, strings.ToUpper(strings.TrimSpace(k))+"="+strings.TrimSpace(v))
		if len(out) == 50 {
			break
		}
	}
	return out
}

func names(cert *x509.Certificate) string {
	out := append([]string{}, cert.DNSNames...)
	out = append(out, cert.EmailAddresses...)
	for _, u := range cert.URIs {
		out = append(out, u.String())
	}
	for _, ip := range cert.IPAddresses {
		out = append(out, ip.String())
	}
	if len(out) == 0 {
		return "no alternative name"
	}
	return strings.Join(out[:min(len(out), 10)], ", ")
}

// judgeSelfSigned judges a certificate of the client's own, RFC 8705 section 2.2.
func judgeSelfSigned(t *check.Target, r *evidence.Registration) check.Verdict {
	keys, place := clientKeys(t, r.ClientID)
	certs := 0
	for i := range r.Credentials {
		if r.Credentials[i].Kind == "certificate" {
			certs++
		}
	}
	here := proof(r.Place, oauth.AuthSelfSignedTLS, "", "")
	if keys == nil && certs == 0 && r.KeysURI == "" {
		return check.Wrong("The client "+nameOf(r)+" uses a certificate of its own, and no key of it is registered", "The provider can compare it with nothing: jwks or jwks_uri with the certificate (x5c) is needed.", proof(r.Place, oauth.AuthSelfSignedTLS, "jwks or jwks_uri", "neither"))
	}
	named := boundTo(t, r.ClientID)
	if named == nil {
		return check.Unknown(check.NeedTLS, "which certificate the client presents is not in the evidence", here)
	}
	for i := range r.Credentials {
		got := thumbprint(r.Credentials[i].Thumbprint)
		if len(got) == len(named) && string(got) == string(named) {
			return check.OK("the certificate is registered", here, proof(r.Credentials[i].Place, hex.EncodeToString(got), "", ""))
		}
	}
	if keys == nil {
		return check.Unknown(check.NeedKeys, "the client's own keys were not given", here)
	}
	for _, s := range t.KeySets {
		if s == nil || s.Client == "" || !sameClient(s.Client, r.ClientID) {
			continue
		}
		for _, e := range s.Entries() {
			chain := list(e, "x5c")
			if len(chain) == 0 {
				continue
			}
			if der, err := base64.StdEncoding.DecodeString(chain[0]); err == nil {
				if sum := sha256.Sum256(der); string(sum[:]) == string(named) {
					return check.OK("the certificate is registered", here, proof(s.Place, hex.EncodeToString(named), "", ""))
				}
			}
		}
	}
	return check.Wrong("The client "+nameOf(r)+" presents a certificate that is not among its keys", "", proof(place, hex.EncodeToString(named), "a certificate of its keys", hex.EncodeToString(named)), here)
}

// presented gives the certificate of a client as a proxy hands it on, RFC 9440.
func presented(t *check.Target, client string) (*x509.Certificate, string) {
	for c := range tokenCalls(t) {
		if c.Exchange == nil || !sameClient(c.Request.ClientID, client) {
			continue
		}
		if cert := clientCert(c.Exchange.Request.Get("Client-Cert")); cert != nil {
			return cert, c.Place
		}
	}
	return nil, ""
}

func clientCert(header string) *x509.Certificate {
	inner, ok := strings.CutPrefix(header, ":")
	if !ok || len(inner) > 64<<10 {
		return nil
	}
	der, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(inner, ":"))
	if err != nil {
		return nil
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return cert
}

// boundTo gives the hash of the certificate that a client presented: of its
// connection, or of the tokens that are bound to it (RFC 8705 section 3.1).
func boundTo(t *check.Target, client string) []byte {
	if cert, _ := presented(t, client); cert != nil {
		sum := sha256.Sum256(cert.Raw)
		return sum[:]
	}
	for _, tok := range t.Tokens {
		if tok == nil || tok.Parsed == nil {
			continue
		}
		cnf, _ := tok.Claims["cnf"].(map[string]any)
		s, _ := cnf["x5t#S256"].(string)
		id, _ := tok.Claims["client_id"].(string)
		if id == "" {
			id, _ = tok.Claims["azp"].(string)
		}
		if s != "" && sameClient(id, client) {
			return thumbprint(s)
		}
	}
	return nil
}

var federatedCredentialSubject = &check.Check{
	ID: "federated-credential-subject", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The outside token fits the trust entry",
	Judged: "Issuer, subject and audience of the workload's token, byte for byte against the federated credentials of the client.",
	Cause:  causeAssertion, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Set issuer, subject and audience of the federated credential to what the token holds: the subject names the branch, tag, environment or service account, and case counts."),
	},
	References: []string{"RFC 7523 section 3"},
	Judge:      judgeFederated,
}

func judgeFederated(t *check.Target) []check.Verdict {
	var b book
	n := 0
	for c := range tokenCalls(t) {
		p := assertion(c)
		if p == nil || n == maxAssertions {
			continue
		}
		n++
		client := c.Request.ClientID
		r := registration(t, client)
		if !outside(p, client) || r != nil && len(r.Federated) == 0 && !known(r, "Federated") && !refusedTrust(c) {
			continue
		}
		b.add(client, judgeTrust(c, p, client, r))
	}
	for _, tok := range t.Tokens {
		// A token of an outside issuer, given beside the registration.
		if tok == nil || tok.Parsed == nil || tok.Claims == nil || n == maxAssertions {
			continue
		}
		for _, r := range t.Registrations {
			if r == nil || r.ClientID == "" || !meant(r, tok.Parsed) {
				continue
			}
			n++
			b.add(r.ClientID, fits(r, tok.Parsed, tok.Place))
		}
	}
	if len(b.list) > 0 {
		return b.list
	}
	for _, r := range t.Registrations {
		if r == nil || r.ClientID == "" {
			continue
		}
		switch {
		case len(r.Federated) > 0:
			b.add(r.ClientID, check.Unknown(check.NeedToken, "the client trusts outside tokens; one of them is needed to compare", proof(r.Federated[0].Place, r.Federated[0].Subject, "", "")))
		case known(r, "Federated"):
			b.add(r.ClientID, check.NotApplicable("the client trusts no outside issuer"))
		case r.Provider != "" && r.Provider != "entra" && r.Provider != "google":
			b.add(r.ClientID, check.NotApplicable("the registration has no federated credentials"))
		default:
			b.add(r.ClientID, check.Unknown(check.NeedRegistration, "the export does not hold the federated credentials"))
		}
	}
	return b.or(check.Unknown(check.NeedRegistration, ""))
}

// meant tells whether an outside token was made for a trust entry: the issuer or
// the audience is that of one.
func meant(r *evidence.Registration, p *token.Parsed) bool {
	iss, _ := p.Claims["iss"].(string)
	for i := range r.Federated {
		f := &r.Federated[i]
		if i == 100 {
			break
		}
		if iss != "" && strings.TrimSuffix(iss, "/") == strings.TrimSuffix(f.Issuer, "/") {
			return true
		}
	}
	return false
}

func refusedTrust(c *check.TokenCall) bool { return trustCode(errorOf(c)) != "" }

// trustCode gives the member of a trust entry that a provider found nothing for.
func trustCode(e *evidence.ErrorBody) string {
	if e == nil {
		return ""
	}
	for i, code := range e.Codes {
		if i == 8 {
			break
		}
		switch code {
		case "AADSTS700211":
			return "issuer"
		case "AADSTS700212":
			return "audience"
		case "AADSTS700213", "AADSTS7000226":
			return "subject"
		case "AADSTS7002138":
			return "subject (it differs in case alone)"
		case "AADSTS70021":
			return "token"
		}
	}
	return ""
}

func judgeTrust(c *check.TokenCall, p *token.Parsed, client string, r *evidence.Registration) check.Verdict {
	if granted(c) {
		return check.OK("the provider took it", proof(placeOf(c), "access_token", "", ""))
	}
	if r != nil && (len(r.Federated) > 0 || known(r, "Federated")) {
		if v := fits(r, p, c.Place); v.Outcome == usher.OutcomeWrong || !refusedTrust(c) {
			return v
		}
	}
	if what := trustCode(errorOf(c)); what != "" {
		return check.Wrong("No federated credential of "+client+" has the "+what+" of the token", "", proof(c.Place, claimsOf(p), "", ""), proof(placeOf(c), quoteOf(c.Response.Error), "", ""))
	}
	return check.Unknown(check.NeedRegistration, "the federated credentials of the client are needed to compare", proof(c.Place, claimsOf(p), "", ""))
}

func claimsOf(p *token.Parsed) string {
	iss, _ := p.Claims["iss"].(string)
	sub, _ := p.Claims["sub"].(string)
	return "iss=" + iss + " sub=" + sub + " aud=" + strings.Join(audiences(p), " ")
}

// fits holds an outside token against the trust entries of a client, and names
// the one difference to the nearest.
func fits(r *evidence.Registration, p *token.Parsed, place string) check.Verdict {
	iss, _ := p.Claims["iss"].(string)
	sub, _ := p.Claims["sub"].(string)
	aud := audiences(p)
	if len(r.Federated) == 0 {
		return check.Wrong("The client "+nameOf(r)+" trusts no outside issuer", "A token of "+iss+" is presented for it.", proof(place, claimsOf(p), "a federated credential", "none"), proof(r.Place, "federated credentials", "", "none"))
	}
	best, score := 0, -1
	for i := range r.Federated {
		if i == 100 {
			break
		}
		f := &r.Federated[i]
		n := 0
		if f.Issuer == iss {
			n += 4
		} else if strings.TrimSuffix(f.Issuer, "/") == strings.TrimSuffix(iss, "/") {
			n += 3
		}
		if f.Subject == sub {
			n += 2
		} else if strings.EqualFold(f.Subject, sub) {
			n++
		}
		if anyOf(aud, f.Audiences) {
			n += 2
		}
		if n > score {
			best, score = i, n
		}
	}
	f := &r.Federated[best]
	name, want, got := "", "", ""
	switch {
	case f.Issuer != iss:
		name, want, got = "issuer", f.Issuer, iss
	case f.Subject != sub:
		name, want, got = "subject", f.Subject, sub
	case len(f.Audiences) > 0 && !anyOf(aud, f.Audiences):
		name, want, got = "audience", strings.Join(f.Audiences, " "), strings.Join(aud, " ")
	default:
		return check.OK("issuer, subject and audience are those of "+f.Name, proof(place, claimsOf(p), "", ""), proof(f.Place, f.Name, "", ""))
	}
	detail := "The nearest federated credential is " + f.Name + "; the provider compares byte for byte."
	switch {
	case strings.EqualFold(want, got):
		detail += " They differ in upper and lower case alone."
	case strings.TrimSuffix(want, "/") == strings.TrimSuffix(got, "/"):
		detail += " They differ in the slash at the end."
	}
	return check.Wrong(fmt.Sprintf("The token's %s is %s, trusted is %s", name, got, want), detail, proof(place, claimsOf(p), want, got), proof(f.Place, want, "", "")).
		Do(fmt.Sprintf("Add a federated credential with the %s %s, or let the workload run where its token has %s.", name, got, want))
}

func anyOf(have, want []string) bool {
	for _, h := range have {
		if contains(want, h) {
			return true
		}
	}
	return false
}
