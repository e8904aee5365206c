package providers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // x5t is one
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/providers"
	"usher/provider/knowledge"
)

// certified adds a key with a certificate of its own, with members changed.
func certified(more m) change {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	one, two := sha1.Sum(der), sha256.Sum256(der) //nolint:gosec // see the import
	entry := ecKey("a", m{"x": b64(point[1:33]), "y": b64(point[33:]), "x5c": []string{base64.StdEncoding.EncodeToString(der)}, "x5t": b64(one[:]), "x5t#S256": b64(two[:])})
	if more["n"] != nil {
		entry = rsaKey("a", m{"x5c": entry["x5c"]})
	}
	return keys(merge(entry, more))
}

// roca makes a modulus that looks like those of the broken chips: a power of
// 65537 modulo the product of the small primes.
func roca() string {
	product := big.NewInt(1)
	for p := int64(3); p < 700; p += 2 {
		if big.NewInt(p).ProbablyPrime(20) {
			product.Mul(product, big.NewInt(p))
		}
	}
	base := new(big.Int).Exp(big.NewInt(65537), big.NewInt(12345), product)
	n := new(big.Int).Lsh(big.NewInt(1), 2047)
	n.Sub(n, new(big.Int).Mod(n, product)).Add(n, base)
	for n.BitLen() < 2048 || n.Bit(0) == 0 {
		n.Add(n, product)
	}
	return base64.RawURLEncoding.EncodeToString(n.Bytes())
}

// TestSeverity: what weighs less, or more, than the check says.
func TestSeverity(t *testing.T) {
	for _, c := range []struct {
		id, name string
		target   *check.Target
		want     usher.Severity
	}{
		{"discovery-hosts-foreign", "stranger", target(doc(m{"token_endpoint": "https://evil.test/token"})), usher.SeverityMedium},
		{"discovery-hosts-foreign", "below", target(doc(m{"token_endpoint": "https://token.id.example/token"})), usher.SeverityLow},
		{"alg-none-announced", "request objects alone", target(doc(m{"request_object_signing_alg_values_supported": []string{"none"}})), usher.SeverityLow},
		{"alg-none-announced", "ID tokens", target(doc(m{"id_token_signing_alg_values_supported": []string{"none"}})), usher.SeverityHigh},
		{"jwks-use-alg", "derivable", target(doc(m{"id_token_signing_alg_values_supported": []string{"RS256"}}), keys(rsaKey("a", m{"alg": nil}))), usher.SeverityInfo},
		{"jwks-use-alg", "not derivable", target(doc(m{"id_token_signing_alg_values_supported": []string{"RS256", "PS256"}}), keys(rsaKey("a", m{"alg": nil}))), usher.SeverityLow},
		{"jwks-issuer-member", "no token", target(keys(rsaKey("a", m{"issuer": "https://x/{tenantid}"}))), usher.SeverityInfo},
		{"discovery-drift", "something new", target(doc(m{"registration_endpoint": issuer + "/reg"}), seen(now.Add(-day), m{})), usher.SeverityInfo},
		{"discovery-drift", "endpoint gone", target(doc(nil), seen(now.Add(-day), m{"registration_endpoint": issuer + "/reg"})), usher.SeverityMedium},
		{"par-supported", "FAPI", target(held("fapi2"), doc(m{"pushed_authorization_request_endpoint": nil})), usher.SeverityHigh},
	} {
		if f := judge(t, c.target, c.id); f.Outcome != wrong || f.Severity != c.want {
			t.Errorf("%s, %s: %s %s, want wrong %s", c.id, c.name, f.Outcome, f.Severity, c.want)
		}
	}
}

// TestPlace: what is wrong with a document is shown at the line of its member.
func TestPlace(t *testing.T) {
	target := target(doc(m{"token_endpoint": "https://evil.test/token"}))
	target.Metadata[0].Locate = func(words string) string {
		if words == `"token_endpoint"` {
			return "discovery.json:7"
		}
		return ""
	}
	if f := judge(t, target, "discovery-hosts-foreign"); f.Proof[0].Place != "discovery.json:7" {
		t.Errorf("the place is %s, want discovery.json:7", f.Proof[0].Place)
	}
	target.Provider = &knowledge.Provider{Title: "Shop ID", Hosts: []string{"*.test"}}
	if f := judge(t, target, "discovery-hosts-foreign"); f.Severity != usher.SeverityInfo || !strings.Contains(f.Detail, "Shop ID is known") || !strings.Contains(f.Fix[0].Text, "firewall") {
		t.Errorf("a known host: %s %s", f.Severity, said(f))
	}
}

// TestHostile: odd members and many of them break nothing and cost little.
func TestHostile(t *testing.T) {
	odd := m{}
	for i := range 20000 {
		odd["x"+strconv.Itoa(i)+"_endpoint"] = "http://10.0.0.1:99999/" + strconv.Itoa(i)
	}
	odd["issuer"], odd["jwks_uri"], odd["mtls_endpoint_aliases"], odd["signed_metadata"] = "https://[::1%25en0]:x/{", 7, []int{1}, 7
	weird := make([]m, 0, 256)
	for i := range 256 {
		weird = append(weird, m{"kty": []int{i}, "kid": m{}, "x5c": "none", "n": 1, "e": nil, "issuer": "{", "d": nil})
	}
	target := target(doc(odd), keys(weird...), asked("::"), answered("discovery", ":", 200, "Date: never", "Cache-Control: max-age=x", "Age: -1"))
	for i := range 1000 {
		seen(now.Add(time.Duration(i-2000)*time.Hour), nil, "a", strconv.Itoa(i))(target)
	}
	start := time.Now()
	for _, c := range providers.Checks {
		findings, _ := check.Run(target, []*check.Check{c})
		for _, f := range findings {
			size := len(f.Title) + len(f.Detail)
			if size > 8000 {
				t.Errorf("%s says %d bytes", f.Check, size)
			}
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
