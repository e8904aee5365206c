package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher"
	"usher/token"
)

const (
	now    = 1767225600
	issuer = "https://as.example.test/tenant-a"
	api    = "https://api.example.test"
	client = "shop-web"
)

func clock() time.Time { return time.Unix(now, 0) }

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// signers are made once; the keys are thrown away with the process.
var signers = sync.OnceValue(func() (s struct {
	rsa, other *rsa.PrivateKey
	ec         *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
	hmac       []byte
},
) {
	s.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	s.other, _ = rsa.GenerateKey(rand.Reader, 2048)
	s.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, s.ed, _ = ed25519.GenerateKey(rand.Reader)
	s.hmac = []byte("0123456789abcdef0123456789abcdef")
	return s
})

func rsaJWK(k *rsa.PrivateKey, more string) string {
	return fmt.Sprintf(`{"kty":"RSA","n":"%s","e":"AQAB"%s}`, b64(k.N.Bytes()), more)
}

func ecJWK(k *ecdsa.PrivateKey, more string) string {
	point, _ := k.PublicKey.Bytes()
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"%s","y":"%s"%s}`, b64(point[1:33]), b64(point[33:]), more)
}

func edJWK(k ed25519.PrivateKey, more string) string {
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":"%s"%s}`, b64(k.Public().(ed25519.PublicKey)), more)
}

func keySet(t testing.TB, keys ...string) *token.KeySet {
	t.Helper()
	set, err := token.ParseKeySet([]byte(`{"keys":[` + strings.Join(keys, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func mainSet(t testing.TB) *token.KeySet {
	s := signers()
	return keySet(t, rsaJWK(s.rsa, `,"kid":"r"`), rsaJWK(s.other, `,"kid":"o","alg":"RS256"`), ecJWK(s.ec, `,"kid":"e"`), edJWK(s.ed, `,"kid":"d"`))
}

// sign signs any header and payload, as they stand, as alg says.
func sign(alg, header, payload string) string {
	return signInput(alg, b64([]byte(header))+"."+b64([]byte(payload)))
}

func signInput(alg, input string) string {
	s := signers()
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	switch alg {
	case "RS256":
		sig, _ = rsa.SignPKCS1v15(nil, s.rsa, crypto.SHA256, sum[:])
	case "RS512":
		sum := sha512.Sum512([]byte(input))
		sig, _ = rsa.SignPKCS1v15(nil, s.rsa, crypto.SHA512, sum[:])
	case "other":
		sig, _ = rsa.SignPKCS1v15(nil, s.other, crypto.SHA256, sum[:])
	case "PS256":
		sig, _ = rsa.SignPSS(rand.Reader, s.rsa, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case "ES256":
		r, z, _ := ecdsa.Sign(rand.Reader, s.ec, sum[:])
		sig = append(r.FillBytes(make([]byte, 32)), z.FillBytes(make([]byte, 32))...)
	case "ES256-der":
		sig, _ = ecdsa.SignASN1(rand.Reader, s.ec, sum[:])
	case "EdDSA":
		sig = ed25519.Sign(s.ed, []byte(input))
	case "HS256":
		mac := hmac.New(sha256.New, s.hmac)
		mac.Write([]byte(input))
		sig = mac.Sum(nil)
	case "":
	default:
		panic(alg)
	}
	return input + "." + b64(sig)
}

// with changes JSON: name=value pairs, an empty value takes the member out.
func with(base string, changes ...string) string {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(base), &m); err != nil {
		panic(err)
	}
	for _, c := range changes {
		name, value, _ := strings.Cut(c, "=")
		if value == "" {
			delete(m, name)
			continue
		}
		m[name] = json.RawMessage(value)
	}
	out, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(out)
}

const (
	accessHeader = `{"alg":"RS256","typ":"at+jwt","kid":"r"}`
	accessClaims = `{"iss":"https://as.example.test/tenant-a","sub":"u","aud":"https://api.example.test","client_id":"shop-web","iat":1767225540,"exp":1767226140,"jti":"1","scope":"read"}`
	idClaims     = `{"iss":"https://as.example.test/tenant-a","sub":"u","aud":"shop-web","iat":1767225540,"exp":1767226140,"nonce":"n"}`
	logoutHeader = `{"alg":"RS256","typ":"logout+jwt","kid":"r"}`
	logoutClaims = `{"iss":"https://as.example.test/tenant-a","aud":"shop-web","iat":1767225540,"exp":1767226140,"jti":"1","sub":"u","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`
	claClaims    = `{"iss":"shop-web","sub":"shop-web","aud":"https://as.example.test/tenant-a","iat":1767225595,"exp":1767225655,"jti":"1"}`
	proofClaims  = `{"jti":"1","htm":"GET","htu":"https://api.example.test/orders","iat":1767225595}`
)

func proofHeader(more string) string {
	return `{"alg":"ES256","typ":"dpop+jwt","jwk":` + ecJWK(signers().ec, more) + `}`
}

func TestAttacks(t *testing.T) {
	nonce := "n"
	access := token.Expect{Type: token.TypeAccess, Keys: mainSet(t), Issuer: issuer, Audience: []string{api}, Now: clock}
	id := token.Expect{Type: token.TypeID, Keys: access.Keys, Issuer: issuer, ClientID: client, Nonce: &nonce, Now: clock}
	logout := token.Expect{Type: token.TypeLogout, Keys: access.Keys, Issuer: issuer, ClientID: client, Now: clock}
	assertion := token.Expect{Type: token.TypeAssertion, Keys: access.Keys, Issuer: issuer, TokenEndpoint: issuer + "/token", ClientID: client, MaxLifetime: 5 * time.Minute, Now: clock}
	proof := token.Expect{Type: token.TypeDPoP, Method: "GET", URL: api + "/orders?page=2", Now: clock}
	but := func(e token.Expect, change func(*token.Expect)) token.Expect { change(&e); return e }
	acc := func(changes ...string) string { return sign("RS256", accessHeader, with(accessClaims, changes...)) }
	hdr := func(changes ...string) string { return sign("RS256", with(accessHeader, changes...), accessClaims) }
	idt := func(changes ...string) string {
		return sign("RS256", `{"alg":"RS256","kid":"r"}`, with(idClaims, changes...))
	}
	cla := func(changes ...string) string {
		return sign("RS256", `{"alg":"RS256","kid":"r"}`, with(claClaims, changes...))
	}
	out := func(changes ...string) string { return sign("RS256", logoutHeader, with(logoutClaims, changes...)) }
	dpop := func(changes ...string) string { return sign("ES256", proofHeader(""), with(proofClaims, changes...)) }
	s := signers()
	private, err := s.ec.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	good := acc()
	sig := good[strings.LastIndex(good, ".")+1:]
	trailing := func(s string) string { // the same bytes, spelt with set trailing bits
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(alphabet, s[len(s)-1])
		return s[:len(s)-1] + string(alphabet[last|1])
	}
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	one := keySet(t, rsaJWK(s.rsa, ""))
	two := keySet(t, rsaJWK(s.other, ""), rsaJWK(s.rsa, ""))

	rows := []struct {
		name   string
		token  string
		expect token.Expect
		want   string // a reason; "" to accept; "~code" to accept with this weakness
	}{
		{"good RS256", good, access, ""},
		{"good PS256", sign("PS256", with(accessHeader, `alg="PS256"`), accessClaims), access, ""},
		{"good ES256", sign("ES256", with(accessHeader, `alg="ES256"`, `kid="e"`), accessClaims), access, ""},
		{"good EdDSA", sign("EdDSA", with(accessHeader, `alg="EdDSA"`, `kid="d"`), accessClaims), access, ""},
		{"good Ed25519", sign("EdDSA", with(accessHeader, `alg="Ed25519"`, `kid="d"`), accessClaims), access, ""},
		{"full media type", hdr(`typ="application/at+jwt"`), access, ""},
		{"no kid, one key", hdr(`kid=`), but(access, func(e *token.Expect) { e.Keys = one }), ""},
		{"kid, set without kids", good, but(access, func(e *token.Expect) { e.Keys = one }), ""},
		{"no kid, two keys", hdr(`kid=`), but(access, func(e *token.Expect) { e.Keys = two }), "~key_ambiguous"},
		{"doubled kid", good, but(access, func(e *token.Expect) { e.Keys = keySet(t, rsaJWK(s.other, `,"kid":"r"`), rsaJWK(s.rsa, `,"kid":"r"`)) }), "~key_ambiguous"},
		{"unknown types in the set", good, but(access, func(e *token.Expect) {
			e.Keys = keySet(t, `{"kty":"AKP","kid":"x"}`, `null`, `{}`, `{"kty":"RSA"}`, rsaJWK(s.rsa, `,"kid":"r"`))
		}), ""},
		{"fractions of seconds", acc(`iat=1767225540.25`, `exp=1767226140.75`), access, ""},
		{"exponent", acc(`exp=1.76722614e9`), access, ""},
		{"unknown claims", acc(`x=[{"y":null}]`), access, ""},

		{"none", sign("", `{"alg":"none"}`, accessClaims), access, "alg_none"},
		{"nOnE with a signature", sign("RS256", `{"alg":"nOnE","typ":"at+jwt","kid":"r"}`, accessClaims), access, "alg_none"},
		{"none, no dot", strings.TrimSuffix(sign("", `{"alg":"none"}`, accessClaims), "."), access, "malformed"},
		{"empty alg", hdr(`alg=""`), access, "alg_not_allowed"},
		{"alg in lower case", hdr(`alg="rs256"`), access, "alg_not_allowed"},
		{"alg in an array", hdr(`alg=["RS256"]`), access, "malformed"},
		{"Alg for alg", sign("RS256", `{"Alg":"RS256","typ":"at+jwt","kid":"r"}`, accessClaims), access, "malformed"},
		{"alg escaped twice", sign("RS256", `{"alg":"RS256","typ":"at+jwt","kid":"r","\u0061lg":"none"}`, accessClaims), access, "duplicate_member"},
		{"duplicate deep in the header", sign("RS256", `{"alg":"RS256","typ":"at+jwt","kid":"r","x":[{"a":1,"a":2}]}`, accessClaims), access, "duplicate_member"},
		{"duplicate deep in the claims", sign("RS256", accessHeader, strings.Replace(accessClaims, "{", `{"cnf":{"jkt":"a","jkt":"b"},`, 1)), access, "duplicate_member"},
		{"ES256K", hdr(`alg="ES256K"`), access, "alg_not_allowed"},
		{"RSA1_5 as signature", hdr(`alg="RSA1_5"`), access, "alg_not_allowed"},
		{"HS256 with a PEM", sign("HS256", with(accessHeader, `alg="HS256"`), accessClaims), access, "alg_not_allowed"},
		{"HS256 with its secret", sign("HS256", `{"alg":"HS256","typ":"at+jwt","kid":"h"}`, accessClaims), but(access, func(e *token.Expect) {
			e.Keys = keySet(t, fmt.Sprintf(`{"kty":"oct","kid":"h","k":"%s"}`, b64(s.hmac)))
		}), ""},
		{"RS256 signed as PS256", sign("PS256", accessHeader, accessClaims), access, "sig_invalid"},
		{"RS256 signed as RS512", sign("RS512", accessHeader, accessClaims), access, "sig_invalid"},
		{"other key", sign("other", accessHeader, accessClaims), access, "sig_invalid"},
		{"DER signature", sign("ES256-der", with(accessHeader, `alg="ES256"`, `kid="e"`), accessClaims), access, "sig_invalid"},
		{"stripped signature", good[:strings.LastIndex(good, ".")+1], access, "sig_invalid"},
		{"changed payload", b64([]byte(accessHeader)) + "." + b64([]byte(with(accessClaims, `sub="admin"`))) + "." + sig, access, "sig_invalid"},

		{"embedded jwk", sign("other", with(accessHeader, `jwk=`+rsaJWK(s.other, "")), accessClaims), access, "embedded_key"},
		{"embedded x5c", sign("other", with(accessHeader, `x5c=["MIIB"]`), accessClaims), access, "embedded_key"},
		{"embedded jwk, good signature", hdr(`jwk=` + rsaJWK(s.other, "")), access, "~embedded_key"},
		{"x5u", sign("other", with(accessHeader, `x5u="http://127.0.0.1/x"`), accessClaims), access, "remote_key"},
		{"kid is a path", hdr(`kid="../../../dev/null"`), access, "key_not_found"},
		{"kid is empty", hdr(`kid=""`), access, "key_not_found"},
		{"kid is a number", hdr(`kid=1`), access, "malformed"},
		{"kid with NUL", hdr(`kid="r\u0000"`), access, "key_not_found"},
		{"kid in another case", hdr(`kid="R"`), access, "key_not_found"},
		{"key_ops without verify", good, but(access, func(e *token.Expect) { e.Keys = keySet(t, rsaJWK(s.rsa, `,"kid":"r","key_ops":["encrypt"]`)) }), "key_unfit"},
		{"key for encryption", good, but(access, func(e *token.Expect) { e.Keys = keySet(t, rsaJWK(s.rsa, `,"kid":"r","use":"enc"`)) }), "key_unfit"},
		{"named key is broken", good, but(access, func(e *token.Expect) { e.Keys = keySet(t, `{"kty":"RSA","kid":"r","n":"*","e":"AQAB"}`) }), "key_unfit"},
		{"no keys at all", good, but(access, func(e *token.Expect) { e.Keys = keySet(t) }), "key_not_found"},

		{"crit unknown", hdr(`crit=["exp2"]`, `exp2=1`), access, "crit_unknown"},
		{"crit b64", hdr(`crit=["b64"]`, `b64=false`), access, "crit_unknown"},
		{"b64 without crit", hdr(`b64=false`), access, "crit_unknown"},
		{"crit is a string", hdr(`crit="x"`, `x=1`), access, "malformed"},
		{"crit is null", hdr(`crit=null`), access, "malformed"},
		{"crit holds a number", hdr(`crit=[1]`), access, "malformed"},

		{"typ JWT", hdr(`typ="JWT"`), access, "typ_mismatch"},
		{"typ JWT is right here", hdr(`typ="JWT"`), but(access, func(e *token.Expect) { e.Typ = []string{"JWT"} }), ""},
		{"typ logout+jwt", hdr(`typ="logout+jwt"`), access, "typ_mismatch"},
		{"typ in an array", hdr(`typ=["at+jwt"]`), access, "malformed"},
		{"proof as access token", dpop(), access, "typ_mismatch"},

		{"padding", good + "==", access, "encoding"},
		{"trailing bits", trailing(good), access, "encoding"},
		{"line end at the end", good + "\n", access, "encoding"},
		{"line end within", good[:40] + "\r\n" + good[40:], access, "encoding"},
		{"blank in front", " " + good, access, "encoding"},
		{"blank before the dot", strings.Replace(good, ".", " .", 1), access, "encoding"},
		{"NUL at the end", good + "\x00", access, "encoding"},
		{"ä", good + "ä", access, "encoding"},
		{"empty payload", signInput("RS256", b64([]byte(accessHeader))+"."), access, "malformed"},
		{"empty header", "." + strings.SplitN(good, ".", 2)[1], access, "malformed"},
		{"payload null", sign("RS256", accessHeader, "null"), access, "malformed"},
		{"payload string", sign("RS256", accessHeader, `"x"`), access, "malformed"},
		{"payload twice", sign("RS256", accessHeader, accessClaims+accessClaims), access, "malformed"},
		{"payload with a BOM", sign("RS256", accessHeader, "\ufeff"+accessClaims), access, "malformed"},
		{"payload not UTF-8", sign("RS256", accessHeader, strings.Replace(accessClaims, `"u"`, "\"\xff\"", 1)), access, "malformed"},
		{"half a surrogate", sign("RS256", accessHeader, strings.Replace(accessClaims, `"u"`, `"\ud800"`, 1)), access, "malformed"},
		{"comma too many", sign("RS256", accessHeader, strings.Replace(accessClaims, `}`, `,}`, 1)), access, "malformed"},
		{"NaN", sign("RS256", accessHeader, strings.Replace(accessClaims, `1767226140`, `NaN`, 1)), access, "malformed"},
		{"leading zero", sign("RS256", accessHeader, strings.Replace(accessClaims, `1767226140`, `01767226140`, 1)), access, "malformed"},
		{"nested token", sign("RS256", with(accessHeader, `cty="JWT"`), good), access, "malformed"},
		{"deep claims", acc(`x=` + deep), access, "too_large"},
		{"deep header", hdr(`x=` + deep), access, "too_large"},
		{"deep arrays", acc(`x=` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000)), access, "too_large"},
		{"huge header", hdr(`x="` + strings.Repeat("a", 20000) + `"`), access, "too_large"},
		{"too large for a header", acc(`groups=["` + strings.Repeat("a", 13000) + `"]`), access, "too_large"},
		{"large, but said to be right", acc(`groups=["` + strings.Repeat("a", 13000) + `"]`), but(access, func(e *token.Expect) { e.MaxBytes = 32 << 10 }), "~too_large"},
		{"rather large for a header", acc(`groups=["` + strings.Repeat("a", 8000) + `"]`), access, "~too_large"},
		{"huge token", acc(`x="` + strings.Repeat("a", 300000) + `"`), access, "too_large"},
		{"a million dots", strings.Repeat(".", 1000000), access, "too_large"},
		{"five parts, no JWE", good + ".a.b", access, "malformed"},
		{"JWE", b64([]byte(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA","zip":"DEF"}`)) + ".a.b.c.d", access, "encrypted"},
		{"JSON serialization", `{"payload":"e30","protected":"` + b64([]byte(accessHeader)) + `","signature":"` + sig + `"}`, access, "malformed"},
		{"empty", "", access, "malformed"},
		{"opaque", "2YotnFZFEjr1zCsicMWpAA", access, "opaque"},

		{"iss in capitals", acc(`iss="HTTPS://as.example.test/tenant-a"`), access, "iss_mismatch"},
		{"iss with a port", acc(`iss="https://as.example.test:443/tenant-a"`), access, "iss_mismatch"},
		{"iss begins the same", acc(`iss="https://as.example.test/tenant-a.evil.test"`), access, "iss_mismatch"},
		{"iss is empty", acc(`iss=""`), access, "iss_mismatch"},
		{"iss is null", acc(`iss=null`), access, "claim_type"},
		{"aud is empty", acc(`aud=""`), access, "aud_mismatch"},
		{"aud is an empty array", acc(`aud=[]`), access, "aud_mismatch"},
		{"aud begins the same", acc(`aud="https://api.example.test.evil.test"`), access, "aud_mismatch"},
		{"aud with a slash", acc(`aud="https://api.example.test/"`), access, "aud_mismatch"},
		{"aud holds several in one", acc(`aud="https://x.test https://api.example.test"`), access, "aud_mismatch"},
		{"aud holds a number", acc(`aud=["https://api.example.test",1]`), access, "claim_type"},
		{"aud is an object", acc(`aud={"https://api.example.test":1}`), access, "claim_type"},
		{"aud is null", acc(`aud=null`), access, "claim_type"},
		{"sub is a number", acc(`sub=12`), access, "claim_type"},
		{"sub is missing", acc(`sub=`), access, "missing_claim"},
		{"sub is empty", acc(`sub=""`), access, "missing_claim"},
		{"client_id is missing", acc(`client_id=`), access, "missing_claim"},
		{"jti is missing", acc(`jti=`), access, "missing_claim"},
		{"iat is missing", acc(`iat=`), access, "missing_claim"},
		{"exp just over", acc(`exp=1767225540`), access, "expired"},
		{"exp just within", acc(`exp=1767225541`), access, ""},
		{"exp at its leeway, none given", acc(`exp=1767225600`), but(access, func(e *token.Expect) { e.Leeway = -1 }), "expired"},
		{"exp negative", acc(`exp=-1`), access, "expired"},
		{"exp zero", acc(`exp=0`), access, "expired"},
		{"exp in milliseconds", acc(`exp=1767226140000`), access, "claim_type"},
		{"exp true", acc(`exp=true`), access, "claim_type"},
		{"exp as date", acc(`exp="2026-01-01T00:00:00Z"`), access, "claim_type"},
		{"exp minus infinity", acc(`exp=-1e999`), access, "claim_type"},
		{"exp in the year 9999", acc(`exp=253402300799`), access, ""},
		{"nbf string", acc(`nbf="0"`), access, "claim_type"},
		{"nbf within leeway", acc(`nbf=1767225660`), access, ""},
		{"nbf over leeway", acc(`nbf=1767225661`), access, "not_yet_valid"},
		{"iat in milliseconds", acc(`iat=1767225540000`), access, "claim_type"},
		{"iat within leeway", acc(`iat=1767225660`), access, ""},
		{"lives too long", acc(`exp=1767312000`), but(access, func(e *token.Expect) { e.MaxLifetime = time.Hour }), "lifetime_too_long"},
		{"key of another issuer", good, but(access, func(e *token.Expect) {
			e.Keys = keySet(t, rsaJWK(s.rsa, `,"kid":"r","issuer":"https://as.example.test/tenant-b"`))
		}), "iss_mismatch"},
		{"key of a template", acc(`tid="tenant-a"`), but(access, func(e *token.Expect) {
			e.Keys = keySet(t, rsaJWK(s.rsa, `,"kid":"r","issuer":"https://as.example.test/{tenantid}"`))
		}), ""},
		{"tid is of another tenant", acc(`tid="tenant-b"`), but(access, func(e *token.Expect) {
			e.Keys = keySet(t, rsaJWK(s.rsa, `,"kid":"r","issuer":"https://as.example.test/{tenantid}"`))
		}), "iss_mismatch"},
		{"scope is an array", acc(`scope=["a"]`), access, "~scope_not_string"},

		{"good ID token", idt(), id, ""},
		{"access token as ID token", good, id, "typ_mismatch"},
		{"logout token as ID token", sign("RS256", `{"alg":"RS256","kid":"r"}`, with(idClaims, `events={"http://schemas.openid.net/event/backchannel-logout":{}}`)), id, "typ_mismatch"},
		{"azp missing", idt(`aud=["shop-web","x"]`), id, "azp_mismatch"},
		{"azp is another, one audience", idt(`azp="x"`), id, "azp_mismatch"},
		{"at_hash is right", idt(`at_hash="` + token.HalfHash("RS256", "tok") + `"`), but(id, func(e *token.Expect) { e.AccessToken = "tok" }), ""},
		{"at_hash is wrong", idt(`at_hash="` + token.HalfHash("RS256", "toc") + `"`), but(id, func(e *token.Expect) { e.AccessToken = "tok" }), "hash_mismatch"},
		{"at_hash is missing", idt(), but(id, func(e *token.Expect) { e.AccessToken = "tok" }), "~hash_missing"},
		{"c_hash is wrong", idt(`c_hash="x"`), but(id, func(e *token.Expect) { e.Code = "code" }), "hash_mismatch"},
		{"c_hash is a number", idt(`c_hash=1`), but(id, func(e *token.Expect) { e.Code = "code" }), "claim_type"},
		{"auth_time is missing", idt(), but(id, func(e *token.Expect) { e.MaxAge = time.Hour }), "missing_claim"},
		{"auth_time is fresh", idt(`auth_time=1767225000`), but(id, func(e *token.Expect) { e.MaxAge = time.Hour }), ""},
		{"max_age=0", idt(`auth_time=1767225500`), but(id, func(e *token.Expect) { e.MaxAge = -1 }), "stale_auth"},
		{"acr is missing", idt(), but(id, func(e *token.Expect) { e.ACR = []string{"2"} }), "acr_mismatch"},
		{"acr is a number", idt(`acr=2`), but(id, func(e *token.Expect) { e.ACR = []string{"2"} }), "claim_type"},
		{"sub is missing in ID token", idt(`sub=`), id, "missing_claim"},
		{"exp is missing in ID token", idt(`exp=`), id, "missing_claim"},
		{"nonce is a number", idt(`nonce=1`), id, "claim_type"},

		{"good logout token", out(), logout, ""},
		{"by session", out(`sub=`, `sid="s"`), logout, ""},
		{"without typ", sign("RS256", `{"alg":"RS256","kid":"r"}`, logoutClaims), logout, "~typ_mismatch"},
		{"ID token as logout token", idt(), logout, "missing_claim"},
		{"neither sub nor sid", out(`sub=`), logout, "missing_claim"},
		{"another event", out(`events={"http://x.test/e":{}}`), logout, "missing_claim"},
		{"event is a string", out(`events={"http://schemas.openid.net/event/backchannel-logout":"x"}`), logout, "claim_type"},
		{"events is an array", out(`events=["http://schemas.openid.net/event/backchannel-logout"]`), logout, "claim_type"},
		{"nonce is null", out(`nonce=null`), logout, "claim_type"},
		{"jti missing in logout token", out(`jti=`), logout, "missing_claim"},

		{"good assertion", cla(), assertion, ""},
		{"assertion for the token endpoint", cla(`aud="https://as.example.test/tenant-a/token"`), assertion, "~aud_mismatch"},
		{"assertion for another server", cla(`aud="https://evil.test/token"`), assertion, "aud_mismatch"},
		{"assertion for another server as well", cla(`aud=["https://as.example.test/tenant-a","https://evil.test"]`), assertion, "aud_mismatch"},
		{"assertion by another", cla(`iss="x"`), assertion, "iss_mismatch"},
		{"assertion about another", cla(`sub="x"`), assertion, "sub_mismatch"},
		{"assertion for a day", cla(`exp=1767312000`), assertion, "lifetime_too_long"},
		{"assertion without exp", cla(`exp=`), assertion, "missing_claim"},
		{"assertion without jti", cla(`jti=`), assertion, "missing_claim"},
		{"access token as assertion", good, assertion, "typ_mismatch"},

		{"good proof", dpop(), proof, ""},
		{"address in capitals", dpop(`htu="HTTPS://API.example.test:443/./x/../%6frders"`), proof, ""},
		{"address with query", dpop(`htu="https://api.example.test/orders?page=1"`), proof, "~htu_mismatch"},
		{"address with a slash", dpop(`htu="https://api.example.test/orders/"`), proof, "htu_mismatch"},
		{"address with http", dpop(`htu="http://api.example.test/orders"`), proof, "htu_mismatch"},
		{"path in capitals", dpop(`htu="https://api.example.test/Orders"`), proof, "htu_mismatch"},
		{"another port", dpop(`htu="https://api.example.test:8443/orders"`), proof, "htu_mismatch"},
		{"address is relative", dpop(`htu="/orders"`), proof, "htu_mismatch"},
		{"address with a user", dpop(`htu="https://api.example.test@evil.test/orders"`), proof, "htu_mismatch"},
		{"another method", dpop(`htm="POST"`), proof, "htm_mismatch"},
		{"method in lower case", dpop(`htm="get"`), proof, "htm_mismatch"},
		{"proof from the future", dpop(`iat=1767225700`), proof, "issued_in_future"},
		{"proof without iat", dpop(`iat=`), proof, "missing_claim"},
		{"proof with exp over", dpop(`exp=1767225000`), proof, "expired"},
		{"proof without key", sign("ES256", `{"alg":"ES256","typ":"dpop+jwt"}`, proofClaims), proof, "key_not_found"},
		{"proof with private key", sign("ES256", proofHeader(`,"d":"`+b64(private)+`"`), proofClaims), proof, "key_unfit"},
		{"proof with a secret", sign("HS256", fmt.Sprintf(`{"alg":"HS256","typ":"dpop+jwt","jwk":{"kty":"oct","k":"%s"}}`, b64(s.hmac)), proofClaims), proof, "alg_not_allowed"},
		{"proof with none", sign("", with(proofHeader(""), `alg="none"`), proofClaims), proof, "alg_none"},
		{"proof without typ", sign("ES256", with(proofHeader(""), `typ=`), proofClaims), proof, "typ_mismatch"},
		{"proof by another key", sign("ES256", `{"alg":"ES256","typ":"dpop+jwt","jwk":{"kty":"EC","crv":"P-256","x":"0Cc4Zx1Gu6ued91rggKm6lc4WIsv4GJIS4NumwnHrDs","y":"2v6M-PwKch7SXjm7xQk9PrcHA_nvN0ZMmp4LsrqaNfA"}}`, proofClaims), proof, "sig_invalid"},
		{"proof bound to another key", dpop(), but(proof, func(e *token.Expect) { e.JKT = "x" }), "jkt_mismatch"},
		{"proof without ath", dpop(), but(proof, func(e *token.Expect) { e.AccessToken = "x" }), "ath_mismatch"},
		{"proof without the server's nonce", dpop(), but(proof, func(e *token.Expect) { e.Nonce = &nonce }), "nonce_mismatch"},
		{"proof with the server's nonce", dpop(`nonce="n"`), but(proof, func(e *token.Expect) { e.Nonce = &nonce }), ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := token.Inspect(row.token, row.expect)
			reasons := r.Reasons()
			weakness, isWeak := strings.CutPrefix(row.want, "~")
			switch {
			case row.want == "" || isWeak:
				if r.Verdict != token.Accept {
					t.Fatalf("%s: %v %+v", r.Verdict, reasons, r.Problems)
				}
				if isWeak && !slices.Contains(reasons, weakness) || !isWeak && len(reasons) > 0 {
					t.Errorf("weaknesses %v, want %q", reasons, weakness)
				}
			case r.Verdict == token.Accept:
				t.Fatalf("accepted, want %s", row.want)
			case len(reasons) == 0 || reasons[0] != row.want:
				t.Errorf("reasons %v, want %s first", reasons, row.want)
			}
			known(t, r, row.token)
		})
	}
}

// known checks what holds of every report: codes that are in the table, whole
// sentences, and not a piece of the token.
func known(t testing.TB, r token.Report, raw string) {
	t.Helper()
	for _, p := range r.Problems {
		for _, code := range append(p.Also, p.Code) {
			if _, there := token.LookupCode(code); !there {
				t.Errorf("the code %q is not in the table", code)
			}
		}
		if p.Place == "" || p.Text == "" || !strings.HasSuffix(p.Text, ".") && !strings.HasSuffix(p.Text, "?") {
			t.Errorf("%s has no place or no sentence: %q", p.Code, p.Text)
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if at := strings.LastIndex(raw, "."); at >= 0 && len(raw)-at > 20 {
		if strings.Contains(string(data), raw[at+1:]) {
			t.Error("the report holds the signature")
		}
	}
	if len(raw) > 60 && strings.Contains(string(data), raw) {
		t.Error("the report holds the token")
	}
	for _, c := range r.Checks {
		if c.Text == "" {
			t.Errorf("the check %s has no text", c.What)
		}
	}
}

func TestZeroExpectIsNeverOK(t *testing.T) {
	good := sign("RS256", accessHeader, accessClaims)
	r := token.Inspect(good, token.Expect{Now: clock})
	if r.Verdict != token.Unknown || r.Wrong() {
		t.Errorf("%s %+v", r.Verdict, r.Problems)
	}
	for _, what := range []string{"signature", "issuer", "audience"} {
		found := false
		for _, c := range r.Checks {
			if c.What == what {
				found = true
				if c.Outcome != usher.OutcomeUnknown || c.Missing == "" {
					t.Errorf("%s is %s, missing %q", what, c.Outcome, c.Missing)
				}
			}
		}
		if !found {
			t.Errorf("nothing is said of %s", what)
		}
	}
	// The signature alone is not enough either.
	if r := token.Inspect(good, token.Expect{Now: clock, Keys: mainSet(t)}); r.Verdict != token.Unknown {
		t.Errorf("with keys only: %s", r.Verdict)
	}
}

func TestEverythingWrongIsSaid(t *testing.T) {
	raw := sign("other", with(accessHeader, `typ="JWT"`, `crit=["x"]`, `x=1`), with(accessClaims, `iss="https://x.test"`, `aud="y"`, `exp=1`, `nbf=9767225661`, `sub=`, `scope=[]`))
	r := token.Inspect(raw, token.Expect{Type: token.TypeAccess, Keys: mainSet(t), Issuer: issuer, Audience: []string{api}, Now: clock})
	var codes []string
	for _, p := range r.Problems {
		codes = append(codes, p.Code)
	}
	for _, want := range []string{"crit_unknown", "typ_mismatch", "sig_invalid", "iss_mismatch", "aud_mismatch", "expired", "not_yet_valid", "missing_claim", "scope_not_string"} {
		if !slices.Contains(codes, want) {
			t.Errorf("%s is not among %v", want, codes)
		}
	}
}

func TestKeyChoiceSaysWhyNot(t *testing.T) {
	r := token.Inspect(sign("RS256", accessHeader, accessClaims), token.Expect{Keys: mainSet(t), Now: clock})
	if r.Key == nil || r.Key.Kid != "r" || r.Key.Thumbprint == "" || len(r.Key.Rejected) != 3 {
		t.Errorf("%+v", r.Key)
	}
	set := keySet(t, `{"kty":"XYZ","kid":"r"}`)
	r = token.Inspect(sign("RS256", accessHeader, accessClaims), token.Expect{Keys: set, Now: clock})
	if r.Key == nil || len(r.Key.Rejected) != 1 || !strings.Contains(r.Key.Rejected[0].Why, "XYZ") {
		t.Errorf("%+v", r.Key)
	}
}

func TestWeakKeys(t *testing.T) {
	s := signers()
	even := new(big.Int).Add(s.rsa.N, big.NewInt(1))
	for name, jwk := range map[string]string{
		"exponent 1":       fmt.Sprintf(`{"kty":"RSA","kid":"r","n":"%s","e":"AQ"}`, b64(s.rsa.N.Bytes())),
		"even exponent":    fmt.Sprintf(`{"kty":"RSA","kid":"r","n":"%s","e":"BA"}`, b64(s.rsa.N.Bytes())),
		"empty exponent":   fmt.Sprintf(`{"kty":"RSA","kid":"r","n":"%s","e":""}`, b64(s.rsa.N.Bytes())),
		"large exponent":   fmt.Sprintf(`{"kty":"RSA","kid":"r","n":"%s","e":"AQAAAAAB"}`, b64(s.rsa.N.Bytes())),
		"even modulus":     fmt.Sprintf(`{"kty":"RSA","kid":"r","n":"%s","e":"AQAB"}`, b64(even.Bytes())),
		"small modulus":    fmt.Sprintf(`{"kty":"RSA","kid":"r","n":"%s","e":"AQAB"}`, b64(s.rsa.N.Bytes()[:128])),
		"huge modulus":     fmt.Sprintf(`{"kty":"RSA","kid":"r","n":"%s","e":"AQAB"}`, b64(make([]byte, 1))+strings.Repeat("_", 4000)),
		"no modulus":       `{"kty":"RSA","kid":"r","e":"AQAB"}`,
		"modulus a number": `{"kty":"RSA","kid":"r","n":5,"e":"AQAB"}`,
		"duplicate member": fmt.Sprintf(`{"kty":"RSA","kid":"r","kid":"r","n":"%s","e":"AQAB"}`, b64(s.rsa.N.Bytes())),
	} {
		set := keySet(t, jwk)
		r := token.Inspect(sign("RS256", accessHeader, accessClaims), token.Expect{Type: token.TypeJWS, Keys: set})
		if r.Verdict != token.Reject || r.Reasons()[0] != "key_unfit" && name != "duplicate member" {
			t.Errorf("%s: %s %v", name, r.Verdict, r.Reasons())
		}
	}
	zero := `{"kty":"OKP","crv":"Ed25519","kid":"d","x":"` + b64(make([]byte, 32)) + `"}`
	r := token.Inspect(sign("EdDSA", `{"alg":"EdDSA","kid":"d"}`, "{}"), token.Expect{Type: token.TypeJWS, Keys: keySet(t, zero)})
	if r.Verdict != token.Reject || r.Reasons()[0] != "key_unfit" {
		t.Errorf("small order: %s %v", r.Verdict, r.Reasons())
	}
}

// TestMalleable: another spelling of the same signature is none.
func TestMalleable(t *testing.T) {
	raw := sign("EdDSA", `{"alg":"EdDSA","kid":"d"}`, "{}")
	at := strings.LastIndex(raw, ".")
	sig, err := base64.RawURLEncoding.DecodeString(raw[at+1:])
	if err != nil {
		t.Fatal(err)
	}
	// S plus the order of the group, in little endian.
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	s = new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(s)
	forged := raw[:at+1] + b64(append(slices.Clone(sig[:32]), s...))
	for in, want := range map[string]token.Verdict{raw: token.Accept, forged: token.Reject} {
		if r := token.Inspect(in, token.Expect{Type: token.TypeJWS, Keys: mainSet(t)}); r.Verdict != want {
			t.Errorf("%s %v, want %s", r.Verdict, r.Reasons(), want)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	set := keySet(t, fmt.Sprintf(`{"kty":"oct","kid":"h","k":"%s"}`, b64(signers().hmac)))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if out := fmt.Sprintf(verb, set.Keys[0]); strings.Contains(out, "0123456789") || strings.Contains(out, "30313233") {
			t.Errorf("%s prints the secret: %s", verb, out)
		}
	}
}
