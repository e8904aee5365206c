package providers_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher"
	"usher/provider/snapshot"
)

// TestTimeline: on the published keys of real providers, as they were looked at
// over months, one set flaps and the others rotate as they should.
func TestTimeline(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "provider", "keys", "testdata", "jwks-timeline.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]*snapshot.Look{}
	for line := range strings.Lines(string(data)) {
		var row struct {
			Issuer string    `json:"issuer"`
			Seen   time.Time `json:"seen"`
			Kids   []string  `json:"kids"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		all[row.Issuer] = append(all[row.Issuer], snapshot.OfKids(row.Seen, row.Kids...))
	}
	for name, want := range map[string]struct {
		flapping, overlap usher.Outcome
		words             string
	}{
		"entra-common": {wrong, ok, "34 keys vanished and came back"},
		"google":       {ok, ok, ""},
		"spotify":      {ok, ok, ""},
		"battle-net":   {ok, ok, ""},
		"apple":        {ok, ok, ""},
	} {
		looks := all[name]
		if len(looks) == 0 {
			t.Fatalf("no looks at %s", name)
		}
		last := looks[len(looks)-1]
		var list []m
		for _, kid := range last.Kids() {
			list = append(list, rsaKey(kid, nil))
		}
		target := target(keys(list...))
		target.Now, target.Previous = last.At, looks[:len(looks)-1]
		if f := judge(t, target, "jwks-flapping"); f.Outcome != want.flapping || !strings.Contains(f.Title, want.words) {
			t.Errorf("%s: flapping is %s: %s %s", name, f.Outcome, f.Title, f.Detail)
		}
		if f := judge(t, target, "jwks-rotation-overlap"); f.Outcome != want.overlap {
			t.Errorf("%s: overlap is %s: %s %v", name, f.Outcome, f.Title, f.Proof)
		}
	}
}
