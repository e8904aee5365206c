package evidence_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"usher/catalog"
	"usher/evidence"
)

// TestRulesAskForKnownFacts: a rule that asks for a fact nobody can give never
// holds. A key is a reader's (FactKeys), a rule's own (fact:), or one that
// diagnose draws from others.
func TestRulesAskForKnownFacts(t *testing.T) {
	known := map[string]bool{}
	for _, k := range evidence.FactKeys {
		known[k.Key] = true
	}
	for _, key := range observedKeys(t, filepath.Join("..", "diagnose", "*.go")) {
		known[key] = true
	}
	words := map[string]map[string]bool{} // key to the values that rules set; nil: not set by rules
	for _, r := range catalog.Rules() {
		if key, value, ok := strings.Cut(r.Fact, "="); ok {
			if words[key] == nil {
				words[key] = map[string]bool{}
			}
			words[key][value] = true
		}
	}
	for _, r := range catalog.Rules() {
		for _, condition := range r.Facts {
			key, values, _ := strings.Cut(strings.TrimPrefix(condition, "!"), "=")
			if !known[key] && words[key] == nil {
				t.Errorf("rule %s asks for the fact %q, which nobody gives", r.ID, condition)
				continue
			}
			for _, value := range strings.Split(values, "|") {
				if value != strings.ToLower(value) {
					t.Errorf("rule %s: the value %q is not in lower case", r.ID, value)
				}
				if !known[key] && !words[key][value] {
					t.Errorf("rule %s asks for %s=%s, which no rule sets", r.ID, key, value)
				}
			}
		}
	}
}

// observedKeys gives the first argument of every call of a method observe.
func observedKeys(t *testing.T, glob string) (keys []string) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files at %s: %v", glob, err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			lit, isLit := call.Args[0].(*ast.BasicLit)
			if ok && isLit && sel.Sel.Name == "observe" && lit.Kind == token.STRING {
				key, _ := strconv.Unquote(lit.Value)
				keys = append(keys, key)
			}
			return true
		})
	}
	return keys
}
