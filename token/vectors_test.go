package token_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

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
				r := token.Inspect(v.Token, token.Expect{Type: token.TypeDPoP, Method: v.Claims.HTM, URL: v.Claims.HTU, JKT: v.JKT, AccessToken: v.AccessToken,
					Now: func() time.Time { return time.Unix(v.Claims.IAT+1, 0) }})
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
