package token_test

import (
	"os"
	"strings"
	"testing"

	"usher/token"
)

// TestDocsListEveryCode holds the table of docs/tokens.md to the code. With
// UPDATE=1 it rewrites the table.
func TestDocsListEveryCode(t *testing.T) {
	const path = "../docs/tokens.md"
	const begin, end = "<!-- codes: written by go test ./token with UPDATE=1 -->\n", "<!-- end of codes -->\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), begin)
	table, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no table of codes between its two marks", path)
	}
	var want strings.Builder
	want.WriteString("| code | what is wrong | what to do | written in |\n| --- | --- | --- | --- |\n")
	for _, c := range token.Codes {
		name := "`" + c.Name + "`"
		if c.Weak {
			name += " (weakness)"
		}
		want.WriteString("| " + name + " | " + c.Meaning + " | " + c.Fix + " | " + c.Ref + " |\n")
	}
	if table == want.String() {
		return
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(before+begin+want.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the table of codes in %s is not that of the code: run UPDATE=1 go test ./token -run Docs", path)
}
