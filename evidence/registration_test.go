package evidence_test

import (
	"fmt"
	"strings"
	"testing"

	"usher"
	"usher/evidence"
)

// TestRealmOfManyClients: a large realm is read whole, and what is left out of a
// larger one is told.
func TestRealmOfManyClients(t *testing.T) {
	for _, c := range []struct {
		n, want int
		told    bool
	}{{3, 3, false}, {300, 300, false}, {305, 300, true}} {
		var b strings.Builder
		b.WriteString(`{"realm":"shop","clients":[{"clientId":"account","redirectUris":[]}`)
		for i := range c.n {
			fmt.Fprintf(&b, `,{"clientId":"c%d","redirectUris":["https://c%d.test/cb"],"publicClient":true}`, i, i)
		}
		b.WriteString("]}")
		set, err := evidence.Read([]evidence.Input{{Name: "realm.json", Data: []byte(b.String())}})
		if err != nil {
			t.Fatal(err)
		}
		clients, told := 0, false
		for _, it := range set.Items {
			if it.Kind == usher.KindRegistration && it.Registration.Shape == "keycloak-client" {
				clients++
			}
		}
		for _, ig := range set.Ignored {
			told = told || strings.Contains(ig.Reason, "5 were left out")
		}
		if clients != c.want || told != c.told {
			t.Errorf("%d clients: %d were read, told %v, %v", c.n, clients, told, set.Ignored)
		}
	}
}
