package evidence_test

import (
	"fmt"
	"slices"
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

// TestMisshapen: a member that cannot be read for its form is said, with its
// place, and one that can be is not.
func TestMisshapen(t *testing.T) {
	set, err := evidence.Read([]evidence.Input{{Name: "app.json", Data: []byte(`{"clientId":"x","redirectUris":7,"webOrigins":"[\"https://a.test\"]","enabled":"true","publicClient":"perhaps","grant_types":null,"protocol":"openid-connect"}`)}})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, ig := range set.Ignored {
		told = append(told, ig.Place+" "+ig.Reason)
	}
	want := []string{
		"app.json:1:17 redirectUris is not a list, as it must be, and was not read",
		"app.json:1:87 publicClient is not true or false, as it must be, and was not read",
	}
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}
