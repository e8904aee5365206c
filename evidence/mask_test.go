package evidence_test

import (
	"strings"
	"testing"

	"usher/evidence"
)

// TestMaskLongestFirst: of a credential that holds another one, which was met
// before it, no part stays in a summary.
func TestMaskLongestFirst(t *testing.T) {
	const short, long = "k8Jq2Lr9Xw4T", "k8Jq2Lr9Xw4T-Zp7Vb3Nc"
	set, err := evidence.Read([]evidence.Input{
		{Name: "a", Data: []byte("grant_type=client_credentials&client_id=x&client_secret=" + short)},
		{Name: "b", Data: []byte("grant_type=refresh_token&client_id=x&refresh_token=" + long)},
		{Name: "c", Data: []byte("AADSTS7000215: refused " + long)},
	})
	if err != nil {
		t.Fatal(err)
	}
	last := set.Items[len(set.Items)-1].Summary
	if !strings.Contains(last, "AADSTS7000215") || strings.Contains(last, "Zp7Vb3Nc") {
		t.Errorf("summary %q shows a part of a credential", last)
	}
}
