package report_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"usher"
)

// TestContractPage holds docs/reference/explain-json.md against usher.Answer:
// each type has its section, each member its row in it and no row is left
// over, and whatever may be absent is said to be.
func TestContractPage(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/explain-json.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(page), "\n## ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		sections[name] = text
	}
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Slice, reflect.Pointer:
			visit(typ.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[typ] {
			return
		}
		seen[typ] = true
		text, ok := sections[typ.Name()]
		if !ok {
			t.Errorf("the page has no section %s", typ.Name())
		}
		rows := tableRows(text)
		for i := range typ.NumField() {
			field := typ.Field(i)
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			row, ok := rows[name]
			if !ok {
				t.Errorf("%s.%s (%s) has no row on the page", typ.Name(), name, field.Name)
			}
			if always := row.there == "always"; ok && always == strings.Contains(options, "omitempty") {
				t.Errorf("%s.%s is tagged %q and said to be there: %s", typ.Name(), name, field.Tag.Get("json"), row.there)
			}
			if want := jsonType(field.Type); ok && !strings.Contains(row.typ, want) {
				t.Errorf("%s.%s is %s, the page says %s", typ.Name(), name, want, row.typ)
			}
			delete(rows, name)
			visit(field.Type)
		}
		for name := range rows {
			t.Errorf("the page has a row %s.%s that there is not", typ.Name(), name)
		}
	}
	visit(reflect.TypeFor[usher.Answer]())
}

type tableRow struct{ typ, there string }

var rowOf = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]+) \\| ([^|]+) \\|")

func tableRows(section string) map[string]tableRow {
	rows := map[string]tableRow{}
	for _, m := range rowOf.FindAllStringSubmatch(section, -1) {
		rows[m[1]] = tableRow{m[2], m[3]}
	}
	return rows
}

func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "array of " + jsonType(t.Elem())
	case reflect.Struct:
		return "[" + t.Name() + "]"
	case reflect.Map:
		return "object"
	case reflect.Interface:
		return "any"
	}
	return "string"
}

// TestContractCheck holds what the page says of answers of check against the
// members of the contract.
func TestContractCheck(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/explain-json.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "\n## Answers of `usher check`\n")
	if !ok {
		t.Fatal("the page says nothing of check")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	known := map[string]bool{}
	for _, typ := range []reflect.Type{reflect.TypeFor[usher.Answer](), reflect.TypeFor[usher.Finding]()} {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			known[name] = true
		}
	}
	rows := regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(text, -1)
	told := map[string]bool{}
	for _, row := range rows {
		for name := range strings.SplitSeq(row[1], ", ") {
			name = strings.Trim(name, "`")
			told[name] = true
			if !known[name] {
				t.Errorf("there is no member %s", name)
			}
		}
	}
	for _, name := range []string{"findings", "check", "severity", "cause", "confidence", "missing", "answered"} {
		if !told[name] {
			t.Errorf("what %s means in an answer of check is not told", name)
		}
	}
}

// TestContractWords looks for every word of the contract's closed lists.
func TestContractWords(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/explain-json.md")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{
		string(usher.OutcomeWrong), string(usher.OutcomeOK), string(usher.OutcomeUnknown), string(usher.OutcomeNotApplicable),
		string(usher.FixerUser), string(usher.FixerDeveloper), string(usher.FixerTenantAdmin), string(usher.FixerProvider), string(usher.FixerNobody),
		string(usher.RiskNeutral), string(usher.RiskTightening), string(usher.RiskWeakening),
		usher.FlowPassed, usher.FlowFailed, usher.FlowUnknown, usher.FlowNotReached,
		"--each-line", "--show-claims",
	}
	for _, s := range usher.Steps {
		words = append(words, string(s))
	}
	for _, k := range []usher.EvidenceKind{
		usher.KindErrorText, usher.KindErrorResponse, usher.KindErrorPage, usher.KindErrorDetails, usher.KindRedirectURL,
		usher.KindAuthRequest, usher.KindTokenRequest, usher.KindChallenge, usher.KindExchange, usher.KindHAR, usher.KindToken,
		usher.KindLogRecord, usher.KindRegistration, usher.KindDiscovery, usher.KindKeySet, usher.KindPolicy, usher.KindStatement, usher.KindContext,
	} {
		words = append(words, string(k))
	}
	for _, w := range words {
		if !strings.Contains(string(page), "`"+w+"`") {
			t.Errorf("the page does not name `%s`", w)
		}
	}
}
