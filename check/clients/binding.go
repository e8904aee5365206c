package clients

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/oauth"
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
	case n == 0 && r.Provider != "" && r.TLSNames == nil && !known(r, "TLSNames"):
		return check.Unknown(check.NeedRegistration, "the export does not hold the subject that is expected", here)
	case n == 0:
		return check.Wrong(theClient(nameOf(r))+" uses mutual TLS, and no subject is registered", "Any certificate of the authority would do, or none does.", here)
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
	return check.Wrong(theClient(nameOf(r))+" presents "+got+", registered is "+want, "The provider finds another client than the registered one, and refuses it. A certificate that was renewed under another name looks like this.", proof(place, got, want, got), here)
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
		return check.Wrong(theClient(nameOf(r))+" uses a certificate of its own, and no key of it is registered", "The provider can compare it with nothing: jwks or jwks_uri with the certificate (x5c) is needed.", proof(r.Place, oauth.AuthSelfSignedTLS, "jwks or jwks_uri", "neither"))
	}
	named := boundTo(t, r.ClientID)
	if named == nil {
		return check.Unknown(check.NeedTLS, "which certificate the client presents is not in the evidence", here)
	}
	for i := range r.Credentials {
		got := thumbprint(r.Credentials[i].Thumbprint)
		if len(got) == len(named) && string(got) == string(named) {
			return check.OK("the certificate is registered", here, proof(r.Credentials[i].Place, shown(got), "", ""))
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
					return check.OK("the certificate is registered", here, proof(s.Place, shown(named), "", ""))
				}
			}
		}
	}
	return check.Wrong(theClient(nameOf(r))+" presents a certificate that is not among its keys", "The provider compares the certificate itself, so a renewed one has to be registered before it is used.", proof(place, shown(named), "a certificate of its keys", shown(named)), here)
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
