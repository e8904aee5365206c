package token_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"usher/token"
)

// FuzzInspect: whatever comes, the report is consistent, holds nothing of the
// signature, and what is accepted is accepted by an independent library too.
func FuzzInspect(f *testing.F) {
	rows, _ := forgedRows(f)
	for _, row := range rows {
		if len(row.Token) < 4000 {
			f.Add(row.Token)
		}
	}
	f.Add(sign("RS256", accessHeader, accessClaims))
	f.Add(sign("", `{"alg":"none"}`, accessClaims))
	keys := mainSet(f)
	f.Fuzz(func(t *testing.T, raw string) {
		expect := token.Expect{Keys: keys, Issuer: issuer, Audience: []string{api}, Now: clock}
		for _, typ := range append(token.Types, token.TypeAny) {
			expect.Type = typ
			r := token.Inspect(raw, expect)
			known(t, r, raw)
			if r.Verdict == token.Accept && r.Wrong() || r.Verdict == token.Reject && !r.Wrong() {
				t.Fatalf("%s with %+v", r.Verdict, r.Problems)
			}
			if r.Verdict == token.Accept && typ == token.TypeAccess {
				if _, err := peer(raw); err != nil {
					t.Fatalf("accepted here, refused by golang-jwt: %v", err)
				}
			}
		}
		p, err := token.Parse(raw)
		if p == nil || err == nil && p.Why == "" && p.Claims == nil {
			t.Fatalf("%+v %v", p, err)
		}
	})
}

// peer verifies with golang-jwt, as its documentation shows.
func peer(raw string) (*jwt.Token, error) {
	s := signers()
	return jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256", "PS256", "ES256", "EdDSA"}),
		jwt.WithIssuer(issuer), jwt.WithAudience(api), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(time.Minute), jwt.WithTimeFunc(clock), jwt.WithStrictDecoding(),
	).Parse(raw, func(t *jwt.Token) (any, error) {
		switch t.Header["kid"] {
		case "r":
			return &s.rsa.PublicKey, nil
		case "o":
			return &s.other.PublicKey, nil
		case "e":
			return &s.ec.PublicKey, nil
		case "d":
			return s.ed.Public(), nil
		}
		return jwt.VerificationKeySet{Keys: []jwt.VerificationKey{&s.rsa.PublicKey, &s.other.PublicKey, &s.ec.PublicKey, s.ed.Public()}}, nil
	})
}

// TestAgreesWithGolangJWT holds both against well-formed tokens: on what
// golang-jwt checks at all, the two must agree.
func TestAgreesWithGolangJWT(t *testing.T) {
	headers := map[string]string{
		"RS256": `{"alg":"RS256","typ":"at+jwt","kid":"r"}`, "PS256": `{"alg":"PS256","typ":"at+jwt","kid":"r"}`,
		"ES256": `{"alg":"ES256","typ":"at+jwt","kid":"e"}`, "EdDSA": `{"alg":"EdDSA","typ":"at+jwt","kid":"d"}`,
		"other": `{"alg":"RS256","typ":"at+jwt","kid":"r"}`,
	}
	changes := [][]string{
		nil,
		{`exp=1767225539`},
		{`exp=1767225541`},
		{`exp=1767225600.5`},
		{`exp=`},
		{`exp="1"`},
		{`exp=-5`},
		{`exp=253402300799`},
		{`nbf=1767225661`},
		{`nbf=1767225600`},
		{`nbf=1767225660`},
		{`iat=1767225661`},
		{`iat=1767225659`},
		{`iss="x"`},
		{`iss=`},
		{`iss=5`},
		{`aud="x"`},
		{`aud=["x","https://api.example.test"]`},
		{`aud=[]`},
		{`aud=`},
		{`aud=5`},
		{`scope=["a"]`},
		{`x=12345678901234567890`},
		{`x={"y":[1,2,{"z":null}]}`},
		{`sub="ü"`},
	}
	expect := token.Expect{Type: token.TypeAccess, Keys: mainSet(t), Issuer: issuer, Audience: []string{api}, Now: clock, Algs: []string{"RS256", "PS256", "ES256", "EdDSA"}}
	for alg, header := range headers {
		for _, change := range changes {
			raw := sign(alg, header, with(accessClaims, change...))
			r := token.Inspect(raw, expect)
			_, err := peer(raw)
			if (r.Verdict == token.Accept) != (err == nil) {
				t.Errorf("%s %v: here %s %v, golang-jwt %v", alg, change, r.Verdict, r.Reasons(), err)
			}
		}
	}
}

// FuzzParseKeySet: whatever comes, no key that is kept is without a value, and
// none that is left out is without a reason.
func FuzzParseKeySet(f *testing.F) {
	f.Add(read(f, "wycheproof/json_web_key.json"))
	var config struct{ JWKS map[string]json.RawMessage }
	if err := json.Unmarshal(read(f, "forged-config.json"), &config); err != nil {
		f.Fatal(err)
	}
	for _, set := range config.JWKS {
		f.Add([]byte(set))
	}
	f.Add([]byte(`{"kty":"oct","k":"AAAA"}`))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKSexBRK64+3c/kZ4KBKLrSkDJpkZ\n9whgacjE32xzKDjHeHlk6qwA5ZIfsUmKYPRgZ2az2WhQAVWNGpdOc0FRPg==\n-----END PUBLIC KEY-----\n"))
	raw := sign("RS256", `{"alg":"RS256"}`, accessClaims)
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := token.ParseKeySet(data)
		if (set == nil) == (err == nil) {
			t.Fatalf("%v %v", set, err)
		}
		if err != nil {
			return
		}
		for _, k := range set.Keys {
			if k.Kty == "" || k.Bits < 0 || k.Thumbprint == "" && k.Kty != "oct" {
				t.Fatalf("%v", k)
			}
		}
		for _, left := range set.Left {
			if left.Why == "" {
				t.Fatalf("%+v", left)
			}
		}
		if r := token.Inspect(raw, token.Expect{Keys: set, Now: clock}); r.Verdict == token.Accept {
			t.Fatal("a token was accepted without an expected issuer")
		}
	})
}

// FuzzJSON: on what encoding/json and this package both read, they agree; what
// this package reads, encoding/json reads as well.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{accessClaims, `[1,2.5e-3,-0,"\ud83d\ude00",{"a":{"b":null}},true]`, `"\u00e4"`, `"a\b\f\n\r\t\"\\\/"`, `"\ud800x"`, `"\u12"`, `1.`, `1e`, `-`, `{"a"}`, `{1:2}`, `{"a":1,"a":2}`, `01`, `[`, `"` + "\x01" + `"`, strings.Repeat("[", 40)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, twice, err := token.DecodeJSON(data)
		if err != nil {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(data)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("read here, refused by encoding/json: %v", err)
		}
		if len(twice) == 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v", got, want)
		}
	})
}

func BenchmarkInspectRS256(b *testing.B) {
	raw := sign("RS256", accessHeader, accessClaims)
	b.Run("usher", func(b *testing.B) {
		expect := token.Expect{Type: token.TypeAccess, Keys: mainSet(b), Issuer: issuer, Audience: []string{api}, Now: clock}
		b.ReportAllocs()
		for b.Loop() {
			if r := token.Inspect(raw, expect); r.Verdict != token.Accept {
				b.Fatal(r.Problems)
			}
		}
	})
	b.Run("golang-jwt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := peer(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkInspectHostile(b *testing.B) {
	for name, raw := range map[string]string{
		"dots":   strings.Repeat(".", 250000),
		"deep":   sign("RS256", accessHeader, strings.Repeat("[", 150000)),
		"opaque": strings.Repeat("a", 250000),
		"wide":   sign("RS256", accessHeader, `{"a":[`+strings.Repeat("1,", 90000)+`1]}`),
	} {
		b.Run(name, func(b *testing.B) {
			expect := token.Expect{Keys: mainSet(b), Now: clock}
			b.ReportAllocs()
			for b.Loop() {
				token.Inspect(raw, expect)
			}
		})
	}
}
