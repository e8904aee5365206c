package usher_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"usher"
)

// full fills every field that it can reach, so that a field that gets lost on
// the way through JSON, or that the schema does not know, is seen.
func full(v reflect.Value, name string) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 11, 25, 10, 2, 3, 456789000, time.UTC)))
		return
	case usher.Duration:
		v.SetInt(int64(90 * time.Second))
		return
	case usher.Status:
		v.SetInt(int64(usher.StatusFailure))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(word(v.Type(), name))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		full(v.Index(0), name)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"key": "value of " + name}))
	case reflect.Struct:
		for i := range v.NumField() {
			full(v.Field(i), v.Type().Field(i).Name)
		}
	default:
		panic("no filling for " + v.Type().String())
	}
}

// word gives a value of a closed vocabulary, or any word.
func word(t reflect.Type, name string) string {
	switch t {
	case reflect.TypeFor[usher.EventKind]():
		return string(usher.EventSignIn)
	case reflect.TypeFor[usher.CaseState]():
		return string(usher.CaseVerifying)
	case reflect.TypeFor[usher.CaseKind]():
		return string(usher.CaseFailure)
	case reflect.TypeFor[usher.EntryKind]():
		return string(usher.EntryTries)
	case reflect.TypeFor[usher.Severity]():
		return string(usher.SeverityHigh)
	case reflect.TypeFor[usher.Outcome]():
		return string(usher.OutcomeWrong)
	case reflect.TypeFor[usher.Step]():
		return string(usher.StepSignIn)
	case reflect.TypeFor[usher.Fixer]():
		return string(usher.FixerDeveloper)
	case reflect.TypeFor[usher.Risk]():
		return string(usher.RiskNeutral)
	case reflect.TypeFor[usher.ActionKind]():
		return string(usher.ActionAddRedirectURI)
	case reflect.TypeFor[usher.RunState]():
		return string(usher.RunApplied)
	}
	return "some " + name
}

func nouns() map[string]any {
	nouns := map[string]any{
		"event": new(usher.Event), "finding": new(usher.Finding), "fix": new(usher.FixRun), "case": new(usher.Case),
	}
	for _, n := range nouns {
		full(reflect.ValueOf(n).Elem(), "noun")
	}
	return nouns
}

func TestRoundTrip(t *testing.T) {
	for name, noun := range nouns() {
		text, err := json.Marshal(noun)
		if err != nil {
			t.Fatal(name, err)
		}
		back := reflect.New(reflect.TypeOf(noun).Elem()).Interface()
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(back); err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(noun, back) {
			t.Errorf("%s: JSON loses something:\n%+v\n%+v", name, noun, back)
		}
	}
}

// TestSchema holds the full nouns, and ones that lack a member or hold a word
// outside of a vocabulary, against the schemas that are published.
func TestSchema(t *testing.T) {
	for name, noun := range nouns() {
		schema := compile(t, name)
		text, _ := json.Marshal(noun)
		if err := schema.Validate(decoded(t, text)); err != nil {
			t.Errorf("%s: the schema refuses a full %s: %v", name, name, err)
		}
		members := decoded(t, text).(map[string]any)
		for member, value := range members {
			wrong := map[string]any{}
			for k, v := range members {
				wrong[k] = v
			}
			wrong[member] = []any{map[string]any{}, value}
			if schema.Validate(wrong) == nil {
				t.Errorf("%s: the schema takes a wrong value for %q", name, member)
			}
		}
	}
}

func TestSchemaKnowsVocabularies(t *testing.T) {
	c := nouns()["case"].(*usher.Case)
	c.State = "solved"
	text, _ := json.Marshal(c)
	if compile(t, "case").Validate(decoded(t, text)) == nil {
		t.Error("the schema takes a state that does not exist")
	}
	e := nouns()["event"].(*usher.Event)
	e.Status = 3
	text, _ = json.Marshal(e)
	if compile(t, "event").Validate(decoded(t, text)) == nil {
		t.Error("the schema takes a status that does not exist")
	}
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("docs", "reference", name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFieldPaths(t *testing.T) {
	e := nouns()["event"].(*usher.Event)
	text, _ := json.Marshal(e)
	members := decoded(t, text).(map[string]any)
	for _, path := range usher.FieldPaths() {
		value, ok := e.Field(path)
		if !ok || value == "" {
			t.Errorf("%s: a full event has no value", path)
		}
		if empty, _ := new(usher.Event).Field(path); empty != "" {
			t.Errorf("%s: an empty event has the value %q", path, empty)
		}
		at := any(members)
		for part := range strings.SplitSeq(path, ".") {
			m, ok := at.(map[string]any)
			if !ok || m[part] == nil {
				t.Errorf("%s: no such member in the JSON form", path)
				break
			}
			at = m[part]
		}
	}
	if _, ok := e.Field("no.such"); ok {
		t.Error("a path that does not exist has a value")
	}
}

func TestPartyIs(t *testing.T) {
	tests := []struct {
		a, b usher.Party
		want bool
	}{
		{usher.Party{}, usher.Party{}, false},
		{usher.Party{UID: "1"}, usher.Party{UID: "1", Name: "x"}, true},
		{usher.Party{UID: "1", Name: "x"}, usher.Party{UID: "2", Name: "x"}, false},
		{usher.Party{Name: "x"}, usher.Party{UID: "2", Name: "x"}, true},
		{usher.Party{UID: "x"}, usher.Party{Name: "x"}, false},
	}
	for _, tt := range tests {
		if got := tt.a.Is(tt.b); got != tt.want {
			t.Errorf("%+v is %+v: %v", tt.a, tt.b, got)
		}
	}
}

func TestValidate(t *testing.T) {
	good := usher.Event{UID: "1", Kind: usher.EventToken, Time: time.Unix(1, 0), Status: usher.StatusSuccess}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*usher.Event){
		"uid:":         func(e *usher.Event) { e.UID = "" },
		"time:":        func(e *usher.Event) { e.Time = time.Time{} },
		"kind:":        func(e *usher.Event) { e.Kind = "nonsense" },
		"status_id:":   func(e *usher.Event) { e.Status = 3 },
		"interrupted:": func(e *usher.Event) { e.Interrupted = true },
	} {
		e := good
		spoil(&e)
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s %v", name, err)
		}
	}
}

// TestSecretsAreNoMembers keeps values of secrets out of what is stored: a noun
// with a member of type Secret would be stored as a fingerprint of no use.
func TestSecretsAreNoMembers(t *testing.T) {
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, path string) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(typ.Elem(), path)
		case reflect.Struct:
			for i := range typ.NumField() {
				walk(typ.Field(i).Type, path+"."+typ.Field(i).Name)
			}
		case reflect.String:
			if typ == reflect.TypeFor[usher.Secret]() {
				t.Errorf("%s holds a secret", path)
			}
		}
	}
	for name, noun := range nouns() {
		walk(reflect.TypeOf(noun).Elem(), name)
	}
}
