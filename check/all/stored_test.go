package all_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/check"
	"usher/check/all"
	"usher/check/read"
	"usher/evidence"
	"usher/oauth"
	"usher/provider/knowledge"
	"usher/token"
)

// now is when the stored documents are judged: every certificate in them is
// good then.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// parts gives the document and the keys of a stored copy; keys is nil where
// none were stored.
func parts(tb testing.TB, name string) (document, keys json.RawMessage) {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "discovery", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	var doc struct {
		Metadata json.RawMessage `json:"metadata"`
		JWKS     json.RawMessage `json:"jwks"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		tb.Fatal(err)
	}
	if string(doc.JWKS) == "null" {
		doc.JWKS = nil
	}
	return doc.Metadata, doc.JWKS
}

// stored reads a stored provider document as a target.
func stored(tb testing.TB, name string) *check.Target {
	tb.Helper()
	document, published := parts(tb, name)
	m, err := oauth.ParseMetadata(document)
	if err != nil {
		tb.Fatal(err)
	}
	profile, err := check.ProfileNamed("")
	if err != nil {
		tb.Fatal(err)
	}
	t := &check.Target{
		Now: now, Provider: knowledge.Named("generic"), Profile: profile,
		Metadata: []*check.Metadata{{Metadata: m, Place: name + ".json"}},
	}
	if published != nil {
		keys, err := token.ParseKeySet(published)
		if err != nil {
			tb.Fatal(err)
		}
		t.KeySets = []*check.KeySet{{KeySet: keys, Place: name + ".json", Raw: published}}
	}
	return t
}

// expected reads what must be found on each stored document.
func expected(tb testing.TB) map[string]map[string]usher.Outcome {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "discovery", "expected.jsonl"))
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]map[string]usher.Outcome{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		var row struct {
			Name     string `json:"name"`
			Findings map[string]struct {
				Outcome usher.Outcome `json:"outcome"`
			} `json:"findings"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			tb.Fatal(err)
		}
		out[row.Name] = map[string]usher.Outcome{}
		for id, f := range row.Findings {
			out[row.Name][id] = f.Outcome
		}
	}
	if len(out) != 15 {
		tb.Fatalf("%d stored documents, want 15", len(out))
	}
	return out
}

// TestStored: on each stored document exactly what is expected is wrong, and
// what is expected to be unknown is.
func TestStored(t *testing.T) {
	for name, want := range expected(t) {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/known=%t", name, known), func(t *testing.T) {
				target := stored(t, name)
				if known {
					target.Provider = knowledge.Of(target.Metadata[0].Issuer)
				}
				compare(t, target, want)
			})
		}
	}
}

// TestStoredRead: the same, read from files as the command reads them, one for
// the document and one for the keys.
func TestStoredRead(t *testing.T) {
	for name, want := range expected(t) {
		t.Run(name, func(t *testing.T) {
			document, keys := parts(t, name)
			inputs := []evidence.Input{{Name: "discovery.json", Data: document}}
			if keys != nil {
				inputs = append(inputs, evidence.Input{Name: "jwks.json", Data: keys})
			}
			set, err := evidence.Read(inputs)
			if err != nil {
				t.Fatal(err)
			}
			target := read.Target(set, now, "")
			if target.Profile, err = check.ProfileNamed(""); err != nil {
				t.Fatal(err)
			}
			if len(target.Metadata) != 1 || (len(target.KeySets) == 1) != (keys != nil) {
				t.Fatalf("%d documents and %d key sets were read; ignored: %v", len(target.Metadata), len(target.KeySets), set.Ignored)
			}
			compare(t, target, want)
		})
	}
}

func compare(t *testing.T, target *check.Target, want map[string]usher.Outcome) {
	t.Helper()
	findings, _ := check.Run(target, all.Checks())
	got := map[string]usher.Outcome{}
	for _, f := range findings {
		if f.Outcome == usher.OutcomeWrong {
			got[f.Check] = f.Outcome
			if _, there := want[f.Check]; !there {
				t.Errorf("%s is wrong, and nobody expects it: %s\n%s %v", f.Check, f.Title, f.Detail, f.Proof)
			}
			if len(f.Proof) == 0 || len(f.Fix) == 0 {
				t.Errorf("%s: a wrong finding without proof or fix", f.Check)
			}
		} else if got[f.Check] == "" || f.Outcome == usher.OutcomeUnknown && got[f.Check] != usher.OutcomeWrong {
			got[f.Check] = f.Outcome
		}
	}
	for id, outcome := range want {
		if got[id] != outcome {
			t.Errorf("%s is %q, want %q", id, got[id], outcome)
		}
	}
}

// TestStoredGot: the proofs hold what is expected to be got, where it is told.
func TestStoredGot(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "discovery", "expected.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var row struct {
			Name     string `json:"name"`
			Findings map[string]struct {
				Outcome usher.Outcome `json:"outcome"`
				Got     any           `json:"got"`
			} `json:"findings"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		findings, _ := check.Run(stored(t, row.Name), all.Checks())
		for id, want := range row.Findings {
			var text string
			proofs := 0
			for _, f := range findings {
				if f.Check == id {
					proofs = len(f.Proof)
					text += f.Title + " " + f.Detail
					for _, p := range f.Proof {
						text += " " + p.Quote + " " + p.Got
					}
				}
			}
			switch got := want.Got.(type) {
			case []any:
				for _, g := range got {
					if !strings.Contains(text, g.(string)) {
						t.Errorf("%s: %s does not name %v: %s", row.Name, id, g, text)
					}
				}
			case float64:
				if proofs != int(got) {
					t.Errorf("%s: %s has %d proofs, want %v", row.Name, id, proofs, got)
				}
			case string:
				if got != "absent" && got != "announced" && !strings.Contains(text, got) {
					t.Errorf("%s: %s does not name %s: %s", row.Name, id, got, text)
				}
			}
		}
	}
}
