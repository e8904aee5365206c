package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"usher"
	"usher/token"
)

func TestParseIsLenient(t *testing.T) {
	good := sign("RS256", accessHeader, accessClaims)
	header, payload := b64([]byte(accessHeader)), b64([]byte(accessClaims))
	jwe := b64([]byte(`{"alg":"dir","enc":"A128GCM","kid":"x"}`)) + "..aa.bb.cc"
	rows := []struct {
		name, in string
		form     token.Form
		iss      bool // the claims can be read
		why      string
		problem  string
	}{
		{"good", good, token.FormJWS, true, "", ""},
		{"bearer", "Bearer " + good, token.FormJWS, true, "", ""},
		{"header line", "authorization:  bearer " + good + "\r\n", token.FormJWS, true, "", ""},
		{"quoted member", `"access_token": "` + good + `",`, token.FormJWS, true, "", ""},
		{"wrapped", good[:70] + "\n  " + good[70:140] + "\r\n" + good[140:], token.FormJWS, true, "", ""},
		{"no signature", header + "." + payload + ".", token.FormJWS, true, "", ""},
		{"signature cut off", header + "." + payload, token.FormBroken, true, "", "malformed"},
		{"header only", header, token.FormBroken, false, "not whole", "malformed"},
		{"payload cut off", header + "." + payload[:41], token.FormBroken, false, "no JSON", "malformed"},
		{"standard base64 and padding", header + "." + strings.NewReplacer("-", "+", "_", "/").Replace(payload) + "=.AAAA", token.FormJWS, true, "", "encoding"},
		{"duplicate", sign("RS256", accessHeader, strings.Replace(accessClaims, "{", `{"iss":"x",`, 1)), token.FormJWS, true, "", "duplicate_member"},
		{"encrypted", jwe, token.FormJWE, false, "encrypted", "encrypted"},
		{"opaque", "abc.def", token.FormOpaque, false, "opaque token", "opaque"},
		{"UUID", "4a3b2c1d-0000-4000-8000-123456789abc", token.FormOpaque, false, "UUID", "opaque"},
		{"SAML", "PHNhbWxwOlJlc3BvbnNl", token.FormOpaque, false, "SAML", "opaque"},
		{"JSON", `{"protected":"` + header + `","payload":"` + payload + `","signature":"AAAA"}`, token.FormJSON, true, "JSON serialization", "malformed"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p, err := token.Parse(row.in)
			if err != nil {
				t.Fatal(err)
			}
			if p.Form != row.form || (p.Claims["iss"] != nil) != row.iss || !strings.Contains(p.Why, row.why) || row.why == "" && p.Why != "" {
				t.Errorf("%s, claims %v, why %q", p.Form, p.Claims, p.Why)
			}
			problem := ""
			if len(p.Problems) > 0 {
				problem = p.Problems[0].Code
			}
			if problem != row.problem {
				t.Errorf("problems %+v", p.Problems)
			}
			if p.Describe() == "" {
				t.Error("it is not described")
			}
		})
	}
	var known *usher.Error
	if p, err := token.Parse(" \n"); p == nil || p.Form != token.FormMissing || !errors.As(err, &known) || known.Code != usher.ErrUnreadable {
		t.Errorf("%+v %v", p, err)
	}
	if p, err := token.Parse(strings.Repeat("a", token.MaxToken+1)); p == nil || !errors.As(err, &known) || known.Code != usher.ErrTooLarge {
		t.Errorf("%+v %v", p, err)
	}
}

func TestOpaqueVendors(t *testing.T) {
	for raw, vendor := range map[string]string{
		"ya29.a0Af": "Google access token", "gho_16C7e42F292c": "GitHub OAuth access token", "xoxb-1-2": "Slack bot token",
		"1.AVsAexample": "Entra authorization code or refresh token", "v4.public.eyJ": "PASETO", "glpat-x": "GitLab personal access token",
	} {
		p, err := token.Parse(raw)
		if err != nil || p.Form != token.FormOpaque || p.Vendor != vendor {
			t.Errorf("%s: %+v %v", raw, p, err)
		}
		if strings.Contains(fmt.Sprintf("%+v", p), raw) {
			t.Errorf("%s stands in what was parsed", raw)
		}
	}
}

func TestLooks(t *testing.T) {
	for _, row := range []struct {
		header, claims string
		want           token.Type
	}{
		{accessHeader, accessClaims, token.TypeAccess},
		{`{"alg":"RS256","typ":"JWT"}`, idClaims, token.TypeID},
		{logoutHeader, logoutClaims, token.TypeLogout},
		{`{"alg":"RS256"}`, logoutClaims, token.TypeLogout},
		{`{"alg":"RS256"}`, claClaims, token.TypeAssertion},
		{proofHeader(""), proofClaims, token.TypeDPoP},
		{`{"alg":"RS256","typ":"JWT"}`, `{"iss":"https://x.test","scp":"a b"}`, token.TypeAccess},
		{`{"alg":"RS256"}`, `{}`, token.TypeAny},
	} {
		p, err := token.Parse(sign("RS256", row.header, row.claims))
		if err != nil || p.Looks() != row.want {
			t.Errorf("%s %s: %q, want %q, %v", row.header, row.claims, p.Looks(), row.want, err)
		}
	}
}

func TestShownMasks(t *testing.T) {
	inner := sign("RS256", accessHeader, accessClaims)
	raw := sign("ES256", proofHeader(`,"d":"c2VjcmV0"`), with(accessClaims, `email="ada@example.test"`, `groups=["a","b"]`, `delegated="`+inner+`"`, `address={"street":"x"}`, `vip=true`))
	p, err := token.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	header, claims := p.Shown(false)
	if claims["iss"] != issuer || claims["email"] != "[hidden, 16 characters]" || claims["groups"] != "[hidden, an array of 2]" || claims["vip"] != "[hidden, a boolean]" {
		t.Errorf("%v", claims)
	}
	if _, isHidden := header["jwk"].(string); !isHidden {
		t.Errorf("%v", header)
	}
	header, claims = p.Shown(true)
	out, _ := json.Marshal([]any{header, claims})
	if claims["email"] != "ada@example.test" || strings.Contains(string(out), "c2VjcmV0") || strings.Contains(string(out), inner) {
		t.Errorf("%s", out)
	}
	if header["jwk"].(map[string]any)["d"] != "[secret]" {
		t.Errorf("%v", header)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü": "plain ü", "a\nb": `a\nb`, "\x1b[2J": `\x1b[2J`, "a\u202eb": `a\u202eb`, "a\xffb": `a\ufffdb`,
	} {
		if got := token.Printable(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := token.Printable(strings.Repeat("x", 500)); len(got) > 130 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestExpectationsThatAreWrong(t *testing.T) {
	for _, in := range []string{``, `[]`, `{"jwks":5}`, `{"jwks":{"a":5}}`, `{"profile":"refresh"}`, `{"audience":5}`, `{"now":"x"}`} {
		var known *usher.Error
		if _, err := token.ParseExpectations([]byte(in)); !errors.As(err, &known) {
			t.Errorf("%s: %v", in, err)
		}
	}
	e, err := token.ParseExpectations([]byte(`{"issuer":"i","audience":["a","b"],"leeway":0,"jwks":{"keys":[]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.Expect(token.Row{})
	if err != nil || want.Keys == nil || len(want.Audience) != 2 || want.Leeway >= 0 {
		t.Errorf("%+v %v", want, err)
	}
	for _, line := range []string{`x`, `{"token":5}`, `{}`, `{"id":1,"token":"a","jwks":"b"}`, `{"token":"a","profile":"x"}`, `{"token":null}`} {
		if v, err := e.Judge([]byte(line)); err == nil || v.Verdict != token.Reject || v.Error == "" {
			t.Errorf("%s: %+v %v", line, v, err)
		}
	}
	if v, err := e.Judge([]byte(`{"id":"x","token":{"payload":""}}`)); err != nil || v.Verdict != token.Reject || string(v.ID) != `"x"` {
		t.Errorf("%+v %v", v, err)
	}
}

func TestKeySetsThatAreNone(t *testing.T) {
	for _, in := range []string{``, `[]`, `"x"`, `{}`, `{"keys":{}}`, `<html>`, `{"keys":[` + strings.Repeat(`{},`, token.MaxKeys) + `{}]}`, strings.Repeat(" ", token.MaxKeySet+1), "-----BEGIN X-----"} {
		var known *usher.Error
		if set, err := token.ParseKeySet([]byte(in)); !errors.As(err, &known) || set != nil {
			t.Errorf("%.40s: %v %v", in, set, err)
		}
	}
	set, err := token.ParseKeySet([]byte(`{"keys":[5,{"kty":"OKP","crv":"X25519","kid":"x","x":"AA"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"EC","crv":"secp256k1"},{"kty":"oct","k":5},{"kty":5}]}`))
	if err != nil || len(set.Keys) != 0 || len(set.Left) != 6 {
		t.Errorf("%v %v", set, err)
	}
}

func TestPEMKeys(t *testing.T) {
	set, err := token.ParseKeySet([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKSexBRK64+3c/kZ4KBKLrSkDJpkZ\n9whgacjE32xzKDjHeHlk6qwA5ZIfsUmKYPRgZ2az2WhQAVWNGpdOc0FRPg==\n-----END PUBLIC KEY-----\n"))
	if err != nil || len(set.Keys) != 1 || len(set.Left) != 1 || set.Keys[0].Crv != "P-256" {
		t.Errorf("%v %v", set, err)
	}
}
