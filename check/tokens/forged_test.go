package tokens_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	tokenchecks "usher/check/tokens"
	"usher/evidence"
	"usher/oauth"
	"usher/token"
)

// TestForged holds the checks to the forged and the good tokens that the room
// token is held to: a token that must be refused has something that is wrong,
// one that must be taken has nothing.
func TestForged(t *testing.T) {
	const folder = "../../token/testdata/vectors/"
	var config struct {
		Now              int64
		Issuer, Audience string
		ClientID         string `json:"client_id"`
		Nonce            string
		Algs             []string
		JWKS             map[string]json.RawMessage
	}
	data, err := os.ReadFile(folder + "forged-config.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	clock := time.Unix(config.Now, 0)
	data, err = os.ReadFile(folder + "forged-tokens.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	judged := 0
	for lines.Scan() {
		var row struct {
			ID, Profile, JWKS, Token, Expect, Why, Finding string
			AccessToken                                    string `json:"access_token"`
			Code, Method, URL, JKT                         string
			Nonce                                          *string
			MaxAge                                         *int64 `json:"max_age"`
			ACR                                            json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.Profile == "client-assertion" {
			continue // of the checks of clients
		}
		judged++
		parsed, _ := token.Parse(row.Token)
		tok := &check.Token{Parsed: parsed, Place: row.ID, Type: token.Type(row.Profile), Raw: usher.Secret(row.Token)}
		keys, err := token.ParseKeySet(config.JWKS[row.JWKS])
		if err != nil && row.Profile != "dpop" {
			t.Fatalf("%s: %v", row.ID, err)
		}
		given := target(tokens(tok), issuer(config.Issuer), expect(check.Expect{Audiences: []string{config.Audience}, Algs: config.Algs}))
		given.Now = clock
		if keys != nil && row.Profile != "dpop" {
			given.KeySets = []*check.KeySet{{KeySet: keys, Place: "jwks"}}
		}
		switch row.Profile {
		case "id":
			r := &oauth.AuthorizationRequest{ClientID: config.ClientID, Nonce: config.Nonce}
			if row.Nonce != nil {
				r.Nonce = *row.Nonce
			}
			if row.MaxAge != nil {
				r.MaxAge = string(jsonOf(*row.MaxAge))
			}
			if len(row.ACR) > 0 {
				var values []string
				if json.Unmarshal(row.ACR, &values) != nil {
					values = []string{strings.Trim(string(row.ACR), `"`)}
				}
				r.Claims = string(jsonOf(obj{"id_token": obj{"acr": obj{"essential": true, "values": values}}}))
			}
			given.AuthCalls = []*check.AuthCall{{Place: "request", Request: r, Response: &oauth.AuthorizationResponse{Code: usher.Secret("code")}}}
			tok.Call = &check.TokenCall{Request: &oauth.TokenRequest{GrantType: oauth.GrantAuthorizationCode, ClientID: config.ClientID, Code: usher.Secret(row.Code)}, Response: &check.TokenResponse{AccessToken: usher.Secret(row.AccessToken)}}
		case "logout":
			given.Request = &oauth.AuthorizationRequest{ClientID: config.ClientID}
		case "dpop":
			given.Tokens = nil
			bound := &check.Token{Parsed: &token.Parsed{Form: token.FormOpaque, Claims: obj{"cnf": obj{"jkt": row.JKT}}}}
			if row.JKT == "" {
				bound = nil
			}
			x := &evidence.Exchange{Method: row.Method, URL: row.URL, Request: http.Header{"Dpop": {row.Token}}}
			if row.AccessToken != "" {
				x.Request.Set("Authorization", "DPoP "+row.AccessToken)
			}
			given.APICalls = []*check.APICall{{Place: "call", Exchange: x, Token: bound, Time: clock}}
		}
		found, _ := check.Run(given, tokenchecks.Checks)
		said := ""
		for _, f := range found {
			if f.Outcome == usher.OutcomeWrong && forgery(f.Check) {
				said += "\n\t" + f.Check + ": " + f.Title
			}
		}
		switch {
		case row.Expect == "accept" && said != "":
			t.Errorf("%s is good (%s), and is called wrong:%s", row.ID, row.Why, said)
		case row.ID == "typ-missing": // few providers write at+jwt; that alone is not called wrong
		case row.Expect == "reject" && said == "":
			t.Errorf("%s must be refused (%s), and nothing is called wrong", row.ID, row.Why)
		}
	}
	if judged < 70 {
		t.Errorf("only %d rows were judged", judged)
	}
}

// forgery tells whether a check is about what a token must be refused for, not
// about what could be better.
func forgery(id string) bool {
	switch id {
	case "token-lifetime", "token-unique", "token-size", "token-pii", "token-not-for-us":
		return false
	}
	return true
}
