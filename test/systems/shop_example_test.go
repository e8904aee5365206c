package systems_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"usher"
)

// TestShopExample runs the script of examples/shop: by hand with usher serve, a
// provider and curl, and then the shop's day.
func TestShopExample(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "../../examples/shop/run.sh")
	var told strings.Builder
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("examples/shop/run.sh: %v\n%s\n%s", err, out, told.String())
	}
	for _, want := range []string{"Usher-Replayed: 1", "target_not_allowed", `"failed": 0`, `"cause": "token-expired"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("run.sh does not say %q:\n%s", want, out)
		}
	}
}

// TestShopStory holds what the demo prints to its form, whatever it came to.
func TestShopStory(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", "usher/cmd/usher", "demo", "--story", "shop", "--fast", "--format", "json", "--listen", "127.0.0.1:0")
	var told strings.Builder
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, told.String())
	}
	type tally struct {
		Checkouts, Failed, ChargedTwice *int
	}
	var got struct {
		With, Without *tally
		Case          *usher.Case
	}
	var names map[string]json.RawMessage
	if json.Unmarshal(out, &got) != nil || json.Unmarshal(out, &names) != nil || len(names) != 3 || got.With == nil || got.Without == nil || got.Case == nil {
		t.Fatalf("it prints %s", out)
	}
	for _, one := range []*tally{got.With, got.Without} {
		if one.Checkouts == nil || one.Failed == nil || one.ChargedTwice == nil || *one.Checkouts < 1000 {
			t.Fatalf("it prints %.300s", out)
		}
	}
	if *got.With.Failed != 0 || *got.With.ChargedTwice != 0 || *got.Without.Failed == 0 || *got.With.Checkouts != *got.Without.Checkouts {
		t.Errorf("it prints %.300s", out)
	}
	if got.Case.Finding.Cause != "token-expired" {
		t.Errorf("the case names %s", got.Case.Finding.Cause)
	}
}
