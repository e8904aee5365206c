package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/report"
	"usher/token"
)

// TokenCmd answers: what is in this token, and everything that is wrong with it.
type TokenCmd struct {
	Token string `arg:"" optional:"" help:"A token, a file that holds one, or - for standard input. With --each-line a file of rows."`

	Keys      string   `placeholder:"FILE" help:"The issuer's key set (what its jwks_uri answers), or a public key in PEM."`
	Issuer    string   `placeholder:"URL" help:"Expected iss. For a client assertion: the authorization server."`
	Audience  []string `placeholder:"AUD" sep:"none" help:"Expected aud, repeatable."`
	Type      string   `enum:"any,access,id,dpop,logout,client-assertion,jws" default:"any" help:"What the token must be: ${enum}."`
	ClientID  string   `placeholder:"ID" help:"The client: audience of ID and logout tokens, iss and sub of client assertions."`
	Alg       []string `placeholder:"ALG" help:"Allowed signature algorithms; without it every asymmetric one."`
	Typ       []string `placeholder:"TYP" help:"Values of the header's typ to accept besides the standard's, such as JWT."`
	Now       string   `placeholder:"TIME" help:"The time to judge at, RFC 3339 or seconds since 1970; without it the clock of this machine."`
	Leeway    string   `placeholder:"60s" help:"Difference of clocks to forgive."`
	Nonce     string   `help:"The nonce that was sent."`
	MaxAge    string   `placeholder:"SECONDS" help:"The max_age that was sent."`
	ACR       []string `name:"acr" placeholder:"ACR" help:"The acr values of which one is demanded."`
	Lifetime  string   `name:"max-lifetime" placeholder:"5m" help:"Longest time from iat to exp."`
	Companion string   `name:"access-token" placeholder:"TOKEN" help:"The access token that came with it, or a file that holds it: for at_hash and ath."`
	Code      string   `help:"The authorization code that came with it, for c_hash."`
	Method    string   `help:"DPoP: the method of the request."`
	URL       string   `name:"url" help:"DPoP: the address of the request."`
	JKT       string   `name:"jkt" help:"DPoP: the key thumbprint that the access token is bound to (cnf.jkt)."`
	Endpoint  string   `name:"token-endpoint" placeholder:"URL" help:"Client assertion: another acceptable audience."`

	Expect     string `placeholder:"FILE" help:"Read all expectations from a JSON file, see docs/tokens.md; flags win over it."`
	EachLine   bool   `help:"Read a JSON row a line with a token and what belongs to it, write a verdict a line."`
	Format     string `enum:"text,json" default:"text" help:"Form of the answer: ${enum}."`
	ShowClaims bool   `help:"Show the values of all claims; without it those that may be of a person are hidden. Signatures never."`
}

// Run reads the token, holds it against the expectations and prints the report.
func (c *TokenCmd) Run(env *Env) error {
	expectations, err := c.expectations(env)
	if err != nil {
		return err
	}
	if c.EachLine {
		return c.eachLine(env, expectations)
	}
	expect, err := c.expect(env, expectations)
	if err != nil {
		return err
	}
	raw, err := c.read(env)
	if err != nil {
		return err
	}
	r := token.Inspect(raw, expect)
	now := env.Now
	if expect.Now != nil {
		now = expect.Now
	}
	out := bufio.NewWriter(env.Stdout)
	if c.Format == "json" {
		err = tokenJSON(out, r, c.ShowClaims)
	} else {
		tokenText(out, r, c.ShowClaims, now(), env.Color)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return err
	}
	switch {
	case r.Verdict == token.Reject:
		return exitWrong
	case r.Wrong():
		return exitUnknown // opaque or encrypted: not for us to judge
	}
	return nil
}

// expectations reads the file of expectations, if any, and lets the flags win.
func (c *TokenCmd) expectations(env *Env) (*token.Expectations, error) {
	e := &token.Expectations{}
	if c.Expect != "" {
		data, err := env.readSmall(c.Expect)
		if err != nil {
			return nil, err
		}
		if e, err = token.ParseExpectations(data); err != nil {
			return nil, err
		}
	}
	e.Now = env.Now
	if c.Keys != "" {
		data, err := env.readSmall(c.Keys)
		if err != nil {
			return nil, err
		}
		keys, err := token.ParseKeySet(data)
		if err != nil {
			return nil, err
		}
		e.SetKeys(keys)
	}
	if c.Type != "any" {
		e.Profile = token.Type(c.Type)
	}
	for _, flag := range []struct {
		value string
		to    *string
	}{{c.Issuer, &e.Issuer}, {c.ClientID, &e.ClientID}, {c.Endpoint, &e.TokenEndpoint}} {
		if flag.value != "" {
			*flag.to = flag.value
		}
	}
	for _, flag := range []struct {
		value []string
		to    *[]string
	}{{c.Audience, (*[]string)(&e.Audience)}, {c.Alg, &e.Algs}, {c.Typ, &e.Typ}} {
		if len(flag.value) > 0 {
			*flag.to = flag.value
		}
	}
	if c.Leeway != "" {
		seconds, err := parseSpan("--leeway", c.Leeway)
		if err != nil {
			return nil, err
		}
		e.Leeway = &seconds
	}
	if c.Lifetime != "" {
		seconds, err := parseSpan("--max-lifetime", c.Lifetime)
		if err != nil {
			return nil, err
		}
		e.MaxLifetime, e.Assertion = seconds, seconds
	}
	if c.Now != "" {
		at, err := parseMoment(c.Now)
		if err != nil {
			return nil, err
		}
		seconds := float64(at.UnixMilli()) / 1000
		e.Clock = &seconds
	}
	return e, nil
}

// expect adds what belongs to one token alone.
func (c *TokenCmd) expect(env *Env, e *token.Expectations) (token.Expect, error) {
	row := token.Row{Code: usher.Secret(c.Code), Method: c.Method, URL: c.URL, JKT: c.JKT, ACR: c.ACR}
	if c.Nonce != "" {
		row.Nonce = &c.Nonce
	}
	if c.MaxAge != "" {
		seconds, err := parseSpan("--max-age", c.MaxAge)
		if err != nil {
			return token.Expect{}, err
		}
		row.MaxAge = &seconds
	}
	if c.Companion != "" {
		text, err := tokenOrFile(env, c.Companion)
		if err != nil {
			return token.Expect{}, err
		}
		row.AccessToken = usher.Secret(token.Clean(text))
	}
	return e.Expect(row)
}

// parseSpan reads seconds, with or without a unit.
func parseSpan(flag, s string) (float64, error) {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return float64(n), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, &usher.Error{Code: usher.ErrUsage, Message: fmt.Sprintf("%s %s is no length of time", flag, quoted(s)), Hint: "write it like 60, 60s or 5m"}
	}
	return d.Seconds(), nil
}

// read gets the token, without what surrounds it.
func (c *TokenCmd) read(env *Env) (string, error) {
	name := c.Token
	if name == "" {
		if !env.Piped {
			return "", &usher.Error{Code: usher.ErrUsage, Message: "there is no token", Hint: "give a token or a file, or pipe it in: pbpaste | usher token -"}
		}
		name = "-"
	}
	text, err := tokenOrFile(env, name)
	if err != nil {
		return "", err
	}
	raw := token.Clean(pick(text, c.Type))
	if raw == "" {
		return "", &usher.Error{Code: usher.ErrUnreadable, Message: "there is no token in " + sourceName(name), Hint: "copy the whole token, from eyJ to the end of its third part"}
	}
	return raw, nil
}

func sourceName(name string) string {
	switch {
	case name == "-":
		return "standard input"
	case len(name) > 100:
		return "the argument"
	}
	return name
}

// tokenOrFile gives the content of a file, standard input for "-", or the
// argument itself if it is a token. It does not quote what it cannot place: it
// may be a secret.
func tokenOrFile(env *Env, arg string) (string, error) {
	if arg == "-" {
		data, err := env.readSmall("-")
		return string(data), err
	}
	if info, err := os.Stat(arg); err == nil {
		if info.IsDir() {
			return "", &usher.Error{Code: usher.ErrUsage, Message: arg + " is a folder", Hint: "name the file in it that holds the token"}
		}
		data, err := env.readSmall(arg)
		return string(data), err
	}
	if parsed, _ := token.Parse(arg); parsed.Form == token.FormOpaque && parsed.Vendor == "" && looksLikePath(arg) {
		return "", &usher.Error{Code: usher.ErrUnreadable, Message: "the argument is neither a token nor a file that is there", Hint: "check the path, or pipe the token in: pbpaste | usher token -"}
	}
	return arg, nil
}

func looksLikePath(s string) bool {
	if len(s) < 16 || strings.HasPrefix(s, ".") || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "~") {
		return true
	}
	for _, end := range []string{".txt", ".json", ".jsonl", ".jwt", ".pem", ".har", ".log"} {
		if strings.HasSuffix(strings.ToLower(s), end) {
			return true
		}
	}
	return false
}

// pick finds the token in a text that holds more: a token response, or request headers.
func pick(text, typ string) string {
	trimmed := strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if strings.HasPrefix(trimmed, "{") {
		var response map[string]any
		if json.Unmarshal([]byte(trimmed), &response) != nil {
			return text
		}
		members := []string{"access_token", "id_token", "token", "client_assertion", "logout_token"}
		if typ == "id" {
			members = []string{"id_token"}
		}
		for _, name := range members {
			if s, isString := response[name].(string); isString {
				return s
			}
		}
		return text
	}
	if !strings.ContainsAny(trimmed, "\r\n") {
		return text
	}
	header := "authorization:"
	if typ == "dpop" {
		header = "dpop:"
	}
	for _, line := range strings.FieldsFunc(trimmed, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimLeft(line, "<> \t")
		if len(line) > len(header) && strings.EqualFold(line[:len(header)], header) {
			return line
		}
	}
	return text
}

// eachLine judges rows, one JSON object a line.
func (c *TokenCmd) eachLine(env *Env, e *token.Expectations) error {
	name := c.Token
	if name == "" {
		name = "-"
	}
	r, closeInput, err := env.open(name)
	if err != nil {
		return err
	}
	defer closeInput()
	out := bufio.NewWriter(env.Stdout)
	var row bytes.Buffer
	enc := json.NewEncoder(&row)
	enc.SetEscapeHTML(false)
	lines := bufio.NewScanner(asUTF8(r))
	lines.Buffer(make([]byte, 0, 64<<10), maxRow)
	var rejected, unreadable, n int
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(bytes.TrimPrefix(lines.Bytes(), []byte("\ufeff")))
		if len(line) == 0 {
			continue
		}
		v, err := e.Judge(line)
		if err != nil {
			unreadable++
			env.say("error", fmt.Sprintf("%s:%d: %v", place(name), n, err))
		}
		if v.Verdict != token.Accept {
			rejected++
		}
		row.Reset()
		if err := enc.Encode(v); err != nil {
			return err
		}
		if _, err := out.Write(report.PlainJSON(row.Bytes())); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if err := rowError(lines.Err(), name, n+1); err != nil {
		return err
	}
	if n == 0 {
		return emptyRows(name)
	}
	switch {
	case unreadable > 0:
		return exitUsage
	case rejected > 0:
		return exitWrong
	}
	return nil
}
