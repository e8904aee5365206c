package report

import (
	"bytes"
	"encoding/json"
	"reflect"

	"usher"
)

// Masked gives a deep copy of an answer in which every string went through
// redaction, so that a secret that slipped through diagnosis does not reach a
// screen, a file or a chat. Lists that the contract promises are never nil in
// the copy, and the version is set.
func Masked(a usher.Answer) usher.Answer {
	out := maskValue(reflect.ValueOf(a)).Interface().(usher.Answer)
	if out.Version == 0 {
		out.Version = usher.AnswerVersion
	}
	out.ID = maskID(a.ID)
	return out
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

// maskValue copies by reflection, so that a member that a later version adds
// to the answer is masked without anyone thinking of it.
func maskValue(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		out := reflect.New(v.Type()).Elem()
		out.SetString(redact(v.String()))
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(maskValue(v.Field(i)))
			}
		}
		return out
	case reflect.Slice:
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(maskValue(v.Index(i)))
		}
		return out
	case reflect.Map:
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for iter := v.MapRange(); iter.Next(); {
			out.SetMapIndex(maskValue(iter.Key()), maskValue(iter.Value()))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(maskValue(v.Elem()))
		return out
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type()).Elem()
		out.Set(maskValue(v.Elem()))
		return out
	}
	return v
}
