package report

import (
	"reflect"
	"strings"

	"usher"
)

// maskedCase gives a deep copy of a case in which every string went through
// redaction once more. Lists are never nil in the copy, and the version is set.
func maskedCase(c *usher.Case) usher.Case {
	out := maskMembers(reflect.ValueOf(*c), "").Interface().(usher.Case)
	if out.Version == 0 {
		out.Version = usher.CaseVersion
	}
	for i := range out.Finding.Proof {
		keepQuoted(&out.Finding.Proof[i], c.Finding.Proof[i].Got)
	}
	return out
}

// caseIdentifiers are members of cases and events whose values are long and
// random and no credentials: people and programs look them up elsewhere.
var caseIdentifiers = map[string]bool{
	"uid": true, "id": true, "fingerprint": true, "event": true, "original_event_uid": true, "tenant_uid": true, "correlation_uid": true,
	"session_uid": true, "credential_uid": true, "token_uid": true, "key_uid": true, "user_home": true, "client": true, "policy": true,
	"resource": true, "tenant": true, "audiences": true, "place": true,
}

// maskMembers is maskValue that knows the name of the member that it masks.
func maskMembers(v reflect.Value, member string) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		out := reflect.New(v.Type()).Elem()
		if caseIdentifiers[member] && v.Len() > 0 {
			out.SetString(maskMember("id", v.String()))
		} else {
			out.SetString(redact(v.String()))
		}
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				out.Field(i).Set(maskMembers(v.Field(i), name))
			}
		}
		return out
	case reflect.Slice:
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(maskMembers(v.Index(i), member))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(maskMembers(v.Elem(), member))
		return out
	}
	return maskValue(v) // maps, and what holds no string
}
