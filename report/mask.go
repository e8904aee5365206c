package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"usher"
	"usher/oauth"
)

// Masked gives a deep copy of an answer in which every string went through
// redaction, so that a secret that slipped through diagnosis does not reach a
// screen, a file or a chat. Lists that the contract promises are never nil in
// the copy, and the version is set.
func Masked(a usher.Answer) usher.Answer {
	m := masker{ids: answerIDs}
	for i := range a.Findings {
		m.known.Show(a.Findings[i].Subject.Client)
	}
	out := m.mask(reflect.ValueOf(a), "").Interface().(usher.Answer)
	if out.Version == 0 {
		out.Version = usher.AnswerVersion
	}
	out.ID = maskID(a.ID)
	for i := range out.Findings {
		for j := range out.Findings[i].Proof {
			keepQuoted(&out.Findings[i].Proof[j], a.Findings[i].Proof[j].Got)
		}
	}
	return out
}

// answerIDs are members whose values are ids and no credentials, long and random
// as many are.
var answerIDs = map[string]bool{"client": true, "resource": true, "policy": true, "tenant": true, "kid": true}

// keepQuoted gives a proof its got value back where the masked quotation shows
// it anyway: beside its name a key id is known to be none of the secrets that
// it looks like.
func keepQuoted(p *usher.Proof, got string) {
	if strings.Contains(p.Quote, got) {
		p.Got = got
	}
}

// redact replaces what looks like a secret by its fingerprint.
func redact(s string) string { return oauth.Redact(s) }

// identifiers are claims whose values are long and random and no credentials.
var identifiers = map[string]bool{
	"kid": true, "x5t": true, "x5t#S256": true, "jkt": true, "sub": true, "jti": true, "sid": true, "uti": true, "oid": true, "nonce": true,
	"at_hash": true, "c_hash": true, "s_hash": true, "ath": true, "azp": true, "client_id": true, "cid": true, "uid": true,
}

// maskMember masks a claim with its name before it, for what a value is can
// often be told from its name only.
func maskMember(name, value string) string {
	if identifiers[name] {
		name = "id"
	}
	head, tail := `"`+name+`":"`, `"`
	masked := redact(head + value + tail)
	if inner, ok := strings.CutPrefix(masked, head); ok && len(inner) > 0 {
		if inner, ok = strings.CutSuffix(inner, tail); ok {
			return inner
		}
	}
	return redact(value)
}

// MaskClaims gives a deep copy of decoded claims in which every credential is
// masked: by its name, or by what it looks like. Nil stays nil.
func MaskClaims(claims map[string]any) map[string]any {
	if claims == nil {
		return nil
	}
	return maskValue(reflect.ValueOf(claims)).Interface().(map[string]any)
}

// maskID reads an id that was kept as it stood in its row, for what is raw
// would pass unmasked.
func maskID(id any) any {
	raw, ok := id.(json.RawMessage)
	if !ok {
		if id == nil {
			return nil
		}
		return maskValue(reflect.ValueOf(id)).Interface()
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // a long number stays what it was
	var v any
	if len(raw) == 0 || dec.Decode(&v) != nil || v == nil {
		return nil
	}
	return maskValue(reflect.ValueOf(v)).Interface()
}

// maskValue copies a value and masks every string in it.
func maskValue(v reflect.Value) reflect.Value { return new(masker).mask(v, "") }

// masker copies by reflection, so that a member that a later version adds to a
// contract is masked without anyone thinking of it.
type masker struct {
	ids   map[string]bool // JSON names of members whose values are ids and no credentials
	known oauth.Redactor  // what is public all the same
}

// mask masks a value that stands in a member, or in a list that does.
func (m *masker) mask(v reflect.Value, member string) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		out := reflect.New(v.Type()).Elem()
		if m.ids[member] && v.Len() > 0 {
			out.SetString(maskMember("id", v.String()))
		} else {
			out.SetString(m.known.Redact(v.String()))
		}
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				out.Field(i).Set(m.mask(v.Field(i), name))
			}
		}
		return out
	case reflect.Slice:
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(m.mask(v.Index(i), member))
		}
		return out
	case reflect.Map:
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for iter := v.MapRange(); iter.Next(); {
			key, value := iter.Key(), iter.Value()
			if s, ok := value.Interface().(string); ok && key.Kind() == reflect.String {
				out.SetMapIndex(m.mask(key, ""), reflect.ValueOf(maskMember(key.String(), s)))
				continue
			}
			out.SetMapIndex(m.mask(key, ""), m.mask(value, ""))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(m.mask(v.Elem(), member))
		return out
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type()).Elem()
		out.Set(m.mask(v.Elem(), member))
		return out
	}
	return v
}
