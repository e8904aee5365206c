package token_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/token"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func forgedConfig(t testing.TB) *token.Expectations {
	t.Helper()
	e, err := token.ParseExpectations(read(t, "forged-config.json"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

type forgedRow struct {
	ID, Token, Expect, Reason, Why, Finding string
	Also                                    []string
}

func forgedRows(t testing.TB) (rows []forgedRow, lines [][]byte) {
	t.Helper()
	s := bufio.NewScanner(bytes.NewReader(read(t, "forged-tokens.jsonl")))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var row forgedRow
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
		lines = append(lines, bytes.Clone(s.Bytes()))
	}
	return rows, lines
}

func TestForgedTokens(t *testing.T) {
	config := forgedConfig(t)
	rows, lines := forgedRows(t)
	if len(rows) != 78 {
		t.Fatalf("got %d rows, want 78", len(rows))
	}
	for i, row := range rows {
		t.Run(row.ID, func(t *testing.T) {
			got, err := config.Judge(lines[i])
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Verdict) != row.Expect {
				t.Fatalf("verdict %s %v, want %s: %s", got.Verdict, got.Reasons, row.Expect, row.Why)
			}
			if row.Expect == "reject" {
				allowed := append(row.Also, row.Reason)
				if len(got.Reasons) == 0 || !slices.Contains(allowed, got.Reasons[0]) {
					t.Errorf("reasons %v, the first must be one of %v", got.Reasons, allowed)
				}
			}
			if row.Finding != "" && !slices.Contains(got.Findings, row.Finding) {
				t.Errorf("findings %v, want %s among them", got.Findings, row.Finding)
			}
			if testing.Verbose() {
				t.Logf("want %q %q, got %v", row.Reason, row.Also, got.Reasons)
			}
		})
	}
}

// contested rows of Wycheproof, see SOURCE.md: a verifier that obeys the key's
// alg and refuses characters outside of base64url must refuse the first six,
// and the last two are byte for byte a valid row.
var contested = []int{346, 347, 350, 351, 372, 373, 367, 370}

func TestWycheproofSignatures(t *testing.T) {
	var file struct {
		TestGroups []struct {
			Comment         string
			Public, Private json.RawMessage
			Tests           []struct {
				TcID    int
				Comment string
				JWS     any
				Result  string
			}
		}
	}
	if err := json.Unmarshal(read(t, "wycheproof/json_web_signature.odd.json"), &file); err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, group := range file.TestGroups {
		keys := group.Public
		if keys == nil {
			keys = group.Private
		}
		set, err := token.ParseKeySet(keys)
		if err != nil {
			t.Fatal(group.Comment, err)
		}
		for _, test := range group.Tests {
			if slices.Contains(contested, test.TcID) {
				continue
			}
			raw, isString := test.JWS.(string)
			if !isString {
				data, _ := json.Marshal(test.JWS)
				raw = string(data)
			}
			judged++
			r := token.Inspect(raw, token.Expect{Type: token.TypeJWS, Keys: set})
			if want := test.Result == "valid"; (r.Verdict == token.Accept) != want {
				t.Errorf("%d %s: %s, want %s: %+v", test.TcID, test.Comment, r.Verdict, test.Result, r.Problems)
			}
			if r.Verdict == token.Unknown {
				t.Errorf("%d %s: the verdict is unknown", test.TcID, test.Comment)
			}
		}
	}
	if judged < 190 {
		t.Errorf("only %d rows were judged", judged)
	}
}

func TestWycheproofKeys(t *testing.T) {
	var file struct {
		TestGroups []struct {
			Comment         string
			Public, Private json.RawMessage
			Tests           []struct {
				TcID    int
				Comment string
				JWS     string
				Result  string
			}
		}
	}
	if err := json.Unmarshal(read(t, "wycheproof/json_web_key.json"), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.TestGroups {
		for _, keys := range []json.RawMessage{group.Public, group.Private} {
			if keys == nil {
				continue
			}
			set, err := token.ParseKeySet(keys)
			if err != nil {
				t.Fatal(group.Comment, err)
			}
			for _, test := range group.Tests {
				r := token.Inspect(test.JWS, token.Expect{Type: token.TypeJWS, Keys: set})
				if want := test.Result == "valid"; (r.Verdict == token.Accept) != want {
					t.Errorf("%d %s: %s, want %s: %+v %v", test.TcID, test.Comment, r.Verdict, test.Result, r.Problems, set.Left)
				}
			}
		}
	}
}

func TestRFCVectors(t *testing.T) {
	s := bufio.NewScanner(bytes.NewReader(read(t, "rfc.jsonl")))
	for s.Scan() {
		var v struct {
			ID, Kind, Alg, Token, Value, Hash, Thumbprint, JKT, Expect string
			AccessToken                                                string `json:"access_token"`
			JWK                                                        json.RawMessage
			Claims                                                     struct {
				HTM, HTU string
				IAT      int64
			}
		}
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		t.Run(v.ID, func(t *testing.T) {
			switch v.Kind {
			case "jws":
				want := token.Expect{Now: func() time.Time { return time.Unix(1300819000, 0) }}
				if v.JWK != nil {
					set, err := token.ParseKeySet(v.JWK)
					if err != nil {
						t.Fatal(err)
					}
					want.Keys, want.Type = set, token.TypeJWS
				}
				r := token.Inspect(v.Token, want)
				if v.Expect == "reject" != (r.Verdict == token.Reject) {
					t.Errorf("%s %+v", r.Verdict, r.Problems)
				}
			case "dpop":
				r := token.Inspect(v.Token, token.Expect{
					Type: token.TypeDPoP, Method: v.Claims.HTM, URL: v.Claims.HTU, JKT: v.JKT, AccessToken: usher.Secret(v.AccessToken),
					Now: func() time.Time { return time.Unix(v.Claims.IAT+1, 0) },
				})
				if r.Verdict != token.Accept {
					t.Errorf("%s %+v", r.Verdict, r.Problems)
				}
			case "jwk-thumbprint":
				set, err := token.ParseKeySet(v.JWK)
				if err != nil || len(set.Keys) != 1 || set.Keys[0].Thumbprint != v.Thumbprint {
					t.Errorf("%+v %v", set, err)
				}
			case "half-hash":
				if got := token.HalfHash(v.Alg, v.Value); got != v.Hash {
					t.Errorf("got %s, want %s", got, v.Hash)
				}
			}
		})
	}
}

func TestWycheproofRawECDSA(t *testing.T) {
	var file struct {
		TestGroups []struct {
			PublicKeyJWK json.RawMessage
			PublicKeyPEM string
			Tests        []struct {
				TcID         int
				Comment, Msg string
				Sig, Result  string
			}
		}
	}
	if err := json.Unmarshal(read(t, "wycheproof/ecdsa_secp256r1_sha256_p1363.json"), &file); err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, group := range file.TestGroups {
		for _, keys := range [][]byte{group.PublicKeyJWK, []byte(group.PublicKeyPEM)} {
			if keys == nil {
				continue
			}
			set, err := token.ParseKeySet(keys)
			if err != nil || len(set.Keys) != 1 {
				t.Fatal(err, set)
			}
			for _, test := range group.Tests {
				msg, _ := hex.DecodeString(test.Msg)
				sig, _ := hex.DecodeString(test.Sig)
				judged++
				if got := token.VerifyRaw(set, "ES256", string(msg), sig) == nil; got != (test.Result == "valid") {
					t.Errorf("%d %s: got %v, want %s", test.TcID, test.Comment, got, test.Result)
				}
			}
		}
	}
	if judged < 262 {
		t.Errorf("only %d signatures were judged", judged)
	}
}

func TestRFC7520(t *testing.T) {
	type vector struct {
		Input struct {
			Key json.RawMessage
			Alg string
		}
		Signing struct {
			Input     string `json:"sig-input"`
			Signature string `json:"sig"`
		}
		Output struct{ Compact string }
	}
	load := func(name string) (v vector, keys *token.KeySet) {
		if err := json.Unmarshal(read(t, "rfc7520/"+name), &v); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "jwe-") {
			return v, nil
		}
		keys, err := token.ParseKeySet(v.Input.Key)
		if err != nil || len(keys.Keys) != 1 {
			t.Fatal(name, err, keys.Left)
		}
		return v, keys
	}
	for _, name := range []string{"jws-4_1.rsa_v15_signature.json", "jws-4_3.ecdsa_signature.json", "jws-4_5.signature_with_detached_content.json", "curve25519-jws.json"} {
		v, keys := load(name)
		// Of detached content the recipient puts the payload back in.
		r := token.Inspect(v.Signing.Input+"."+v.Signing.Signature, token.Expect{Type: token.TypeJWS, Keys: keys})
		if r.Verdict != token.Accept {
			t.Errorf("%s: %s %+v", name, r.Verdict, r.Problems)
		}
		if strings.HasPrefix(name, "jws-4_5") {
			if r := token.Inspect(v.Output.Compact, token.Expect{Type: token.TypeJWS, Keys: keys}); r.Verdict != token.Reject {
				t.Errorf("%s without its content: %s", name, r.Verdict)
			}
		}
	}
	v, keys := load("rfc7797-hmac-sha2_b64_false.json")
	r := token.Inspect(v.Output.Compact, token.Expect{Type: token.TypeJWS, Keys: keys})
	if r.Verdict != token.Reject || !slices.Contains(r.Reasons(), token.CodeCrit) {
		t.Errorf("b64=false: %s %v", r.Verdict, r.Reasons())
	}
	files, err := os.ReadDir("testdata/vectors/rfc7520")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := file.Name()
		switch {
		case strings.HasPrefix(name, "jwe-"):
			v, _ := load(name)
			r := token.Inspect(v.Output.Compact, token.Expect{})
			if r.Verdict != token.Unknown || !slices.Equal(r.Reasons()[:1], []string{token.CodeEncrypted}) || r.Parsed.Header["enc"] == nil {
				t.Errorf("%s: %s %v", name, r.Verdict, r.Reasons())
			}
		case strings.HasPrefix(name, "jwk-"):
			set, err := token.ParseKeySet(read(t, "rfc7520/"+name))
			if err != nil || len(set.Keys) != 1 {
				t.Errorf("%s: %v %+v", name, err, set)
			}
		}
	}
}
