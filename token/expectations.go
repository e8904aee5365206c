package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher"
)

// Expectations are what many tokens are held against: the content of an
// expectations file, written in JSON (see docs/tokens.md).
type Expectations struct {
	// Clock is the time to judge at, in seconds since 1970; nil: now.
	Clock *float64 `json:"now"`
	// Leeway is in seconds; nil: 60.
	Leeway        *float64 `json:"leeway"`
	Profile       Type     `json:"profile"`
	Issuer        string   `json:"issuer"`
	Audience      list     `json:"audience"`
	ClientID      string   `json:"client_id"`
	Nonce         *string  `json:"nonce"` // of ID tokens
	TokenEndpoint string   `json:"token_endpoint"`
	DPoPWindow    float64  `json:"dpop_window"`            // seconds
	MaxLifetime   float64  `json:"max_lifetime"`           // seconds, of every type
	Assertion     float64  `json:"assertion_max_lifetime"` // seconds, of client assertions
	Algs          []string `json:"algs"`
	MinRSABits    int      `json:"min_rsa_bits"`
	MaxBytes      int      `json:"max_bytes"`
	Typ           []string `json:"typ"` // further accepted values of the header's typ
	// JWKS is a key set, or an object of key sets by name.
	JWKS json.RawMessage `json:"jwks"`

	// Now is the clock when the file names none; nil: time.Now.
	Now func() time.Time `json:"-"`

	sets map[string]*KeySet
}

// list is a string or an array of strings.
type list []string

// UnmarshalJSON reads either form.
func (l *list) UnmarshalJSON(data []byte) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return nil
	}
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return errors.New("it is neither a string nor an array of strings")
	}
	*l = many
	return nil
}

// Row is one token with what belongs to it alone: a line for --each-line. An
// empty member leaves what the expectations say.
type Row struct {
	ID          json.RawMessage `json:"id"`
	Profile     Type            `json:"profile"`
	JWKS        json.RawMessage `json:"jwks"` // the name of a key set, or a key set
	Token       json.RawMessage `json:"token"`
	AccessToken usher.Secret    `json:"access_token"`
	Code        usher.Secret    `json:"code"`
	Method      string          `json:"method"`
	URL         string          `json:"url"`
	JKT         string          `json:"jkt"`
	Nonce       *string         `json:"nonce"`
	MaxAge      *float64        `json:"max_age"`
	ACR         list            `json:"acr"`
}

// defaultSet is the name of the key set that is meant when none is named.
const defaultSet = "main"

// ParseExpectations reads an expectations file. Errors are *usher.Error.
func ParseExpectations(data []byte) (*Expectations, error) {
	e := &Expectations{sets: map[string]*KeySet{}}
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), e); err != nil {
		return nil, &usher.Error{
			Code: usher.ErrUnreadable, Message: "the expectations are not the JSON that was expected: " + err.Error(),
			Hint: "see docs/tokens.md for the members that they may have", Err: err,
		}
	}
	if !e.Profile.Valid() {
		return nil, &usher.Error{Code: usher.ErrUnreadable, Message: fmt.Sprintf("the expectations name the profile %s, which is not known", show(string(e.Profile))), Hint: typesHint()}
	}
	if len(e.JWKS) == 0 {
		return e, nil
	}
	var named map[string]json.RawMessage
	if err := json.Unmarshal(e.JWKS, &named); err != nil {
		return nil, &usher.Error{Code: usher.ErrUnreadable, Message: "jwks of the expectations is neither a key set nor an object of key sets", Err: err}
	}
	if _, isSet := named["keys"]; isSet {
		named = map[string]json.RawMessage{defaultSet: e.JWKS}
	}
	for name, raw := range named {
		set, err := ParseKeySet(raw)
		if err != nil {
			return nil, fmt.Errorf("the key set %s of the expectations: %w", show(name), err)
		}
		e.sets[name] = set
	}
	return e, nil
}

func typesHint() string {
	s := "known are"
	for i, t := range Types {
		if i > 0 {
			s += ","
		}
		s += " " + string(t)
	}
	return s
}

// Expect gives what a token of this row is held against. The row may be the
// zero Row, for a token that comes alone.
func (e *Expectations) Expect(row Row) (Expect, error) {
	want := Expect{
		Type: e.Profile, Algs: e.Algs, MinRSABits: e.MinRSABits, MaxBytes: e.MaxBytes,
		Issuer: e.Issuer, Audience: e.Audience, ClientID: e.ClientID, Typ: e.Typ, Now: e.Now,
		MaxLifetime: seconds(e.MaxLifetime), Window: seconds(e.DPoPWindow), TokenEndpoint: e.TokenEndpoint,
		AccessToken: row.AccessToken, Code: row.Code, ACR: row.ACR,
		Method: row.Method, URL: row.URL, JKT: row.JKT,
	}
	if row.Profile != "" {
		want.Type = row.Profile
	}
	if !want.Type.Valid() {
		return want, &usher.Error{Code: usher.ErrUnreadable, Message: fmt.Sprintf("the profile %s is not known", show(string(want.Type))), Hint: typesHint()}
	}
	if e.Clock != nil {
		at := time.UnixMilli(int64(*e.Clock * 1000))
		want.Now = func() time.Time { return at }
	}
	if e.Leeway != nil {
		if want.Leeway = seconds(*e.Leeway); want.Leeway <= 0 {
			want.Leeway = -1
		}
	}
	switch want.Type {
	case TypeID:
		want.Nonce = e.Nonce
	case TypeAssertion:
		if e.Assertion > 0 {
			want.MaxLifetime = seconds(e.Assertion)
		}
		want.Audience = nil // the API's, not the server's
	}
	if row.Nonce != nil {
		want.Nonce = row.Nonce
	}
	if row.MaxAge != nil {
		if want.MaxAge = seconds(*row.MaxAge); want.MaxAge <= 0 {
			want.MaxAge = -1
		}
	}
	var err error
	want.Keys, err = e.keys(row.JWKS)
	return want, err
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// keys finds the key set that a row names, or reads the one that it brings.
func (e *Expectations) keys(ref json.RawMessage) (*KeySet, error) {
	ref = bytes.TrimSpace(ref)
	if len(ref) == 0 || bytes.Equal(ref, []byte("null")) {
		if set, there := e.sets[defaultSet]; there || len(e.sets) != 1 {
			return set, nil
		}
		for _, set := range e.sets {
			return set, nil
		}
	}
	var name string
	if json.Unmarshal(ref, &name) != nil {
		return ParseKeySet(ref)
	}
	set, there := e.sets[name]
	if !there {
		return nil, &usher.Error{Code: usher.ErrUnreadable, Message: fmt.Sprintf("the key set %s is not in the expectations", show(name))}
	}
	return set, nil
}

// SetKeys makes keys the set that is meant where no other is named.
func (e *Expectations) SetKeys(keys *KeySet) {
	if e.sets == nil {
		e.sets = map[string]*KeySet{}
	}
	e.sets[defaultSet] = keys
}

// RowVerdict is the answer to a row. A row is accepted or rejected; what could
// not be told is rejected.
type RowVerdict struct {
	ID      json.RawMessage `json:"id"`
	Verdict Verdict         `json:"verdict"`
	// Reasons are the codes of the defects, of an accepted token those of its weaknesses.
	Reasons []string `json:"reasons"`
	// Findings are the codes of the weaknesses.
	Findings []string `json:"findings,omitempty"`
	Error    string   `json:"error,omitempty"` // why the row itself cannot be read
}

// Judge reads one line and judges its token. The error, which is also in the
// answer, says why the line itself cannot be read.
func (e *Expectations) Judge(line []byte) (RowVerdict, error) {
	out := RowVerdict{ID: json.RawMessage("null"), Verdict: Reject, Reasons: []string{CodeMalformed}}
	fail := func(err error) (RowVerdict, error) {
		out.Error = err.Error()
		return out, err
	}
	var row Row
	if err := json.Unmarshal(line, &row); err != nil {
		var id struct {
			ID json.RawMessage `json:"id"`
		}
		if json.Unmarshal(line, &id) == nil && id.ID != nil {
			out.ID = id.ID
		}
		return fail(errors.New("the line is not the JSON that was expected"))
	}
	if row.ID != nil {
		out.ID = row.ID
	}
	want, err := e.Expect(row)
	if err != nil {
		return fail(err)
	}
	var raw string
	switch {
	case bytes.HasPrefix(row.Token, []byte("{")):
		raw = string(row.Token) // the JSON serialization, not in quotes
	case json.Unmarshal(row.Token, &raw) != nil || bytes.Equal(row.Token, []byte("null")):
		return fail(errors.New("its token is missing or no string"))
	}
	r := Inspect(raw, want)
	out.Verdict, out.Reasons = r.Verdict, r.Reasons()
	if r.Verdict == Unknown {
		out.Verdict = Reject
		if !r.Wrong() {
			out.Reasons = []string{CodeKeyNotFound} // no keys: the signature could not be checked
			for _, c := range r.Checks {
				if c.What == "signature" && c.Outcome == usher.OutcomeOK {
					out.Verdict, out.Reasons = Accept, []string{} // only expectations are missing
				}
			}
		}
	}
	for _, p := range r.Problems {
		if p.Weakness && !slices.Contains(out.Findings, p.Code) {
			out.Findings = append(out.Findings, p.Code)
		}
	}
	return out, nil
}
