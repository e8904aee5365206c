package token_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"usher/token"
)

// TestTexts: what a person is told, where the plain difference is not enough.
func TestTexts(t *testing.T) {
	s := signers()
	set := mainSet(t)
	whole := sha256.Sum256([]byte("tok"))
	swapped := keySet(t, rsaJWK(s.other, `,"kid":"r"`), rsaJWK(s.rsa, `,"kid":"o"`))
	acc := func(changes ...string) string { return sign("RS256", accessHeader, with(accessClaims, changes...)) }
	const v1, v2 = "https://sts.windows.net/9b8a/", "https://login.microsoftonline.com/9b8a/v2.0"
	for _, row := range []struct {
		name, token string
		expect      token.Expect
		want        string
	}{
		{"wrong kid", acc(), token.Expect{Keys: swapped}, "The issuer names the wrong kid."},
		{"wrong alg", sign("PS256", accessHeader, accessClaims), token.Expect{Keys: set}, "made with PS256, while the header says RS256"},
		{"Graph", sign("RS256", with(accessHeader, `nonce="x"`), with(accessClaims, `iss="`+v1+`"`)), token.Expect{Keys: swapped}, "only Graph can check it"},
		{"DER", sign("ES256-der", `{"alg":"ES256","kid":"e"}`, accessClaims), token.Expect{Keys: set}, "ASN.1 DER"},
		{"none", sign("", `{"alg":"NonE"}`, accessClaims), token.Expect{}, "slips through filters"},
		{"lower case", sign("RS256", `{"alg":"rs256"}`, accessClaims), token.Expect{}, "it is called RS256"},
		{"Entra v1 for v2", acc(`iss="` + v1 + `"`), token.Expect{Issuer: v2}, "requestedAccessTokenVersion"},
		{"Entra v2 for v1", acc(`iss="` + v2 + `"`), token.Expect{Issuer: v1}, "that of version 1 is expected"},
		{"common", acc(`iss="` + v2 + `"`), token.Expect{Issuer: "https://login.microsoftonline.com/common/v2.0"}, "common stands for any tenant"},
		{"slash", acc(), token.Expect{Issuer: issuer + "/"}, "lacks the slash"},
		{"slash more", acc(`iss="` + issuer + `/"`), token.Expect{Issuer: issuer}, "a slash more"},
		{"case", acc(), token.Expect{Issuer: strings.ToUpper(issuer)}, "upper and lower case only"},
		{"blank", acc(`iss="` + issuer + ` "`), token.Expect{Issuer: issuer}, "blanks only"},
		{"scheme", acc(), token.Expect{Issuer: strings.Replace(issuer, "https", "http", 1)}, "its scheme is https instead of http"},
		{"realm", acc(), token.Expect{Issuer: "https://as.example.test/tenant-b"}, "the path differs"},
		{"another", acc(), token.Expect{Issuer: "https://x.test"}, "nothing in common"},
		{"api://", acc(`aud="api://1"`), token.Expect{Audience: []string{"1"}}, "With and without api://"},
		{"for Graph", acc(`aud="00000003-0000-0000-c000-000000000000"`), token.Expect{Audience: []string{"x"}}, "It is for Microsoft Graph"},
		{"for account", acc(`aud="account"`), token.Expect{Audience: []string{"x"}}, "audience mapper"},
		{"audience case", acc(`aud="X"`), token.Expect{Audience: []string{"x"}}, "upper and lower case only"},
		{"audience slash", acc(`aud="x/"`), token.Expect{Audience: []string{"x"}}, "a slash at the end only"},
		{"number in quotes", acc(`exp="1767226140"`), token.Expect{}, "a number in quotes"},
		{"milliseconds", acc(`exp=1767226140000`), token.Expect{}, "in milliseconds"},
		{"expired", acc(`exp=1767218400`), token.Expect{}, "expired 2 h ago, at 2025-12-31 22:00:00Z"},
		{"tomorrow", acc(`nbf=1767312000`), token.Expect{}, "only in 1 day, at 2026-01-02 00:00:00Z"},
		{"whole hash", sign("RS256", `{"alg":"RS256"}`, with(idClaims, `at_hash="`+b64(whole[:])+`"`)), token.Expect{Type: token.TypeID, AccessToken: "tok"}, "it must be its left half"},
		{"other hash", sign("RS256", `{"alg":"RS256"}`, with(idClaims, `at_hash="`+token.HalfHash("RS512", "tok")+`"`)), token.Expect{Type: token.TypeID, AccessToken: "tok"}, "the hash of RS512"},
		{"behind a proxy", sign("ES256", proofHeader(""), with(proofClaims, `htu="https://x.test/a"`)), token.Expect{Type: token.TypeDPoP, URL: "http://x.test/a"}, "behind a proxy"},
		{"a private key in the set", acc(), token.Expect{Keys: keySet(t, rsaJWK(s.rsa, `,"kid":"r","d":"AQ"`))}, "withdraw the key"},
		{"expired before issued", acc(`exp=1767225600`, `iat=1767225630`), token.Expect{}, "expires before it was issued"},
		{"cty", sign("RS256", with(accessHeader, `cty="JWT"`), accessClaims), token.Expect{}, "cty says"},
		{"amr", acc(`amr="pwd"`), token.Expect{}, "amr is a string"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.expect.Now = clock
			var texts []string
			for _, p := range token.Inspect(row.token, row.expect).Problems {
				texts = append(texts, p.Text)
			}
			if !strings.Contains(strings.Join(texts, "\n"), row.want) {
				t.Errorf("%q is not in\n%s", row.want, strings.Join(texts, "\n"))
			}
		})
	}
}

func TestTimesAreShown(t *testing.T) {
	p, err := token.Parse(sign("RS256", accessHeader, with(accessClaims, `nbf=1e30`, `auth_time=1767225600000`)))
	if err != nil {
		t.Fatal(err)
	}
	at := float64(clock().UnixMilli()) / 1000
	for name, want := range map[string]string{"exp": "2026-01-01 00:09:00Z, in 9 min", "iat": "2025-12-31 23:59:00Z, 1 min ago", "nbf": "1000000000000000000000000000000 (beyond the year 9999)", "auth_time": "1767225600000 (beyond the year 9999)"} {
		if got, ok := token.ShowTime(p.Claims[name], at); !ok || got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, ok := token.ShowTime("x", at); ok {
		t.Error("a string is no time")
	}
	if names := strings.Join(token.Names(p.Claims), " "); names != "iss sub aud client_id iat nbf exp auth_time scope jti" {
		t.Error(names)
	}
}

func TestLeewayIsForBothSides(t *testing.T) {
	raw := sign("RS256", accessHeader, with(accessClaims, `nbf=1767225540`, `exp=1767226140`))
	for now, want := range map[int64]bool{1767225480: true, 1767225479: false, 1767226199: true, 1767226200: false} {
		r := token.Inspect(raw, token.Expect{Now: func() time.Time { return time.Unix(now, 0) }})
		if r.Wrong() == want {
			t.Errorf("at %d: %v", now, r.Reasons())
		}
	}
}
