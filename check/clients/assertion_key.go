package clients

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"usher"
	"usher/check"
	"usher/evidence"
	"usher/token"
)

var assertionKeyRegistered = &check.Check{
	ID: "assertion-key-registered", Group: check.GroupClient, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The client signs with a key that is registered",
	Judged: "Whether the key that the assertion names stands in the client's keys or certificates, verifies it, and is not past.",
	Cause:  causeAssertion, Step: usher.StepTokenRequest, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Register the public key or certificate of the key that the client signs with, before it signs with it; or let it sign with the registered one."),
		check.Neutral("Name it in the header as the provider wants it: kid, or x5t (x5t#S256) with the certificate's thumbprint for Entra and ADFS."),
	},
	References: []string{"RFC 7523 section 3", "RFC 7591 section 2"},
	Judge: func(t *check.Target) []check.Verdict {
		return assertions(t, faultKey, func(c *check.TokenCall, p *token.Parsed, client string) check.Verdict {
			return judgeKey(t, c, p, client)
		})
	},
}

func judgeKey(t *check.Target, c *check.TokenCall, p *token.Parsed, client string) check.Verdict {
	if strings.HasPrefix(p.Alg, "HS") {
		return check.NotApplicable("the assertion is signed with the client's secret, not with a key")
	}
	here := proof(c.Place, fmt.Sprintf("alg=%s kid=%s", p.Alg, p.Kid), "", "")
	keys, place := clientKeys(t, client)
	if keys != nil {
		report, _ := inspect(c, p, client, keys, t.Now)
		for i := range report.Problems {
			pr := &report.Problems[i]
			got := proof(c.Place, pr.Place, pr.Expected, pr.Got)
			switch pr.Code {
			case token.CodeKeyNotFound:
				return check.Wrong(fmt.Sprintf("The client %s signs with the kid %q, which is not registered", client, p.Kid), "Registered are: "+kids(keys)+".", got, proof(place, kids(keys), "", ""))
			case token.CodeSignature:
				return check.Wrong(theClient(client)+" signs with another key than the registered one", "The assertion names a registered key, or none, and its signature does not fit.", got, proof(place, kids(keys), "", ""))
			case token.CodeKeyUnfit:
				return check.Wrong("The registered key of "+whom(client)+" is not one for this signature", pr.Text, got, proof(place, kids(keys), "", ""))
			}
		}
		for _, ch := range report.Checks {
			if ch.What == "signature" && ch.Outcome == usher.OutcomeOK {
				return check.OK("a registered key verifies it", here, proof(place, kids(keys), "", ""))
			}
		}
	}
	r := registration(t, client)
	if r == nil {
		if granted(c) {
			return check.OK("the provider gave a token for it", here, proof(placeOf(c), "access_token", "", ""))
		}
		return check.Unknown(check.NeedRegistration, "", here)
	}
	if v, told := byThumbprint(t, c, p, client, r); told {
		return v
	}
	if granted(c) {
		return check.OK("the provider gave a token for it", here, proof(placeOf(c), "access_token", "", ""))
	}
	return check.Unknown(check.NeedRegistration, "the registration that was given does not hold the client's keys", here)
}

func clientKeys(t *check.Target, client string) (*token.KeySet, string) {
	for _, s := range t.KeySets {
		if s != nil && s.KeySet != nil && s.Client != "" && sameClient(s.Client, client) {
			return s.KeySet, s.Place
		}
	}
	return nil, ""
}

func kids(keys *token.KeySet) string {
	var out []string
	for i, k := range keys.Keys {
		if i == 5 {
			out = append(out, "...")
			break
		}
		if k.Kid != "" {
			out = append(out, "kid "+k.Kid)
		} else {
			out = append(out, k.Kty+", thumbprint "+k.Thumbprint)
		}
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, ", ")
}

// byThumbprint compares the certificate that the header names with those of the
// registration.
func byThumbprint(t *check.Target, c *check.TokenCall, p *token.Parsed, client string, r *evidence.Registration) (check.Verdict, bool) {
	named := headerThumbprint(p)
	if named == nil {
		return check.Verdict{}, false
	}
	at := c.Time
	if at.IsZero() {
		at = t.Now
	}
	here := proof(c.Place, "certificate "+shown(named), "", "")
	certs := 0
	var list []string
	for i := range r.Credentials {
		cr := &r.Credentials[i]
		if cr.Kind != "certificate" {
			continue
		}
		got := thumbprint(cr.Thumbprint)
		if len(got) != len(named) {
			return check.Verdict{}, false // another hash, or none: nothing can be said of the others
		}
		certs++
		if len(list) < 5 {
			list = append(list, shown(got))
		}
		if !bytes.Equal(got, named) {
			continue
		}
		if !cr.Expires.IsZero() && !cr.Expires.After(at) {
			return check.Wrong("The certificate that "+whom(client)+" signs with ended on "+day(cr.Expires), "It is registered, and past.", here, proof(cr.Place, "ends "+day(cr.Expires), "a date after "+day(at), day(cr.Expires))).
				Do("Make a new certificate, register it beside the old one, let the client sign with it, and remove the old one."), true
		}
		return check.OK("the certificate is registered", here, proof(cr.Place, cr.Name, "", "")), true
	}
	if certs == 0 {
		if known(r, "Credentials") || len(r.Credentials) > 0 {
			return check.Wrong(theClient(client)+" signs with a certificate, and none is registered", "The provider has nothing to verify the assertion with, and refuses it.", here, proof(r.Place, "certificates", "the certificate that it signs with", "none")), true
		}
		return check.Verdict{}, false
	}
	all := strings.Join(list, ", ")
	return check.Wrong(theClient(client)+" signs with a certificate that is not registered", "Registered are those with "+all+".", here, proof(r.Place, all, all, shown(named))), true
}

// headerThumbprint gives the hash of the certificate that a header names, from
// x5t#S256 or x5t, or from a kid that is one, as Microsoft's libraries write it.
func headerThumbprint(p *token.Parsed) []byte {
	for _, name := range [...]string{"x5t#S256", "x5t"} {
		if s, ok := p.Header[name].(string); ok {
			if b := thumbprint(s); b != nil {
				return b
			}
		}
	}
	if b, err := hex.DecodeString(p.Kid); err == nil && len(b) == 20 {
		return b
	}
	return nil
}

// shown writes a thumbprint so that nobody takes it for a secret.
func shown(sum []byte) string { return "thumbprint " + hex.EncodeToString(sum) }

// thumbprint decodes a hash as hexadecimal or base64; nil where it is neither.
func thumbprint(s string) []byte {
	if len(s) > 100 {
		return nil
	}
	s = strings.ReplaceAll(s, ":", "")
	if b, err := hex.DecodeString(s); err == nil && (len(b) == 20 || len(b) == 32) {
		return b
	}
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	if b, err := base64.RawStdEncoding.DecodeString(s); err == nil && (len(b) == 20 || len(b) == 32) {
		return b
	}
	return nil
}
