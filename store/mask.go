package store

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"

	"usher/oauth"
)

// masked gives a deep copy of an event or a case in which every string went
// through redaction once more, so that a secret that somebody overlooked is
// not written to the disk.
func masked[T any](v T) T {
	return maskValue(reflect.ValueOf(v), "").Interface().(T)
}

// identifiers are members that hold long random values which are no
// credentials: what is kept could not be found again with them masked.
var identifiers = map[string]bool{
	"uid": true, "id": true, "fingerprint": true, "event": true, "original_event_uid": true, "tenant_uid": true, "correlation_uid": true,
	"session_uid": true, "credential_uid": true, "token_uid": true, "key_uid": true, "user_home": true, "client": true, "policy": true,
	"resource": true, "tenant": true, "audiences": true, "place": true,
}

func maskString(s, member string) string {
	if s == "" {
		return s
	}
	if !identifiers[member] {
		return oauth.Redact(s)
	}
	// With a harmless name before it a value is masked only for what it surely is.
	const head, tail = `"id":"`, `"`
	if inner, ok := strings.CutPrefix(oauth.Redact(head+s+tail), head); ok {
		if inner, ok = strings.CutSuffix(inner, tail); ok && inner != "" {
			return inner
		}
	}
	return oauth.Redact(s)
}

// opaque prepares a string that is only ever compared: it stays as it is,
// unless something in it would be masked. A mask is another one in the next
// process, so then it is its hash that is kept.
func opaque(s string) string {
	if s == "" || maskString(s, "uid") == s {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// maskValue copies by reflection, so that a member that a later version adds is
// masked without anyone thinking of it.
func maskValue(v reflect.Value, member string) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		out := reflect.New(v.Type()).Elem()
		out.SetString(maskString(v.String(), member))
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				out.Field(i).Set(maskValue(v.Field(i), name))
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(maskValue(v.Index(i), member))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for iter := v.MapRange(); iter.Next(); {
			name, _ := iter.Key().Interface().(string)
			out.SetMapIndex(maskValue(iter.Key(), ""), maskNamed(iter.Value(), name))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(maskValue(v.Elem(), member))
		return out
	}
	return v
}

// maskNamed masks a value with its name before it, for what a value is can
// often be told from its name only.
func maskNamed(v reflect.Value, name string) reflect.Value {
	if v.Kind() != reflect.String || v.Len() == 0 {
		return maskValue(v, "")
	}
	out := reflect.New(v.Type()).Elem()
	head, tail := `"`+name+`":"`, `"`
	text := oauth.Redact(v.String())
	if inner, ok := strings.CutPrefix(oauth.Redact(head+v.String()+tail), head); ok {
		if inner, ok = strings.CutSuffix(inner, tail); ok && inner != "" {
			text = inner
		}
	}
	out.SetString(text)
	return out
}
