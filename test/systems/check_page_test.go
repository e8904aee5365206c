package systems_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"usher/test/systems/keycloak"
)

// checkPage tells people what is found on each provider. The tests hold it, and
// write it with USHER_UPDATE=1.
const checkPage = "../../docs/check-providers.md"

// pageRow is a line of the page: how the provider was set up, and what was
// wrong then.
type pageRow struct {
	setting string
	wrong   []string
}

func (r pageRow) String() string {
	found := "nothing"
	if len(r.wrong) > 0 {
		found = "`" + strings.Join(slices.Sorted(slices.Values(r.wrong)), "`, `") + "`"
	}
	return "| " + r.setting + " | " + found + " |"
}

var pageLock sync.Mutex

// holdPage holds the table of a provider on the page.
func holdPage(t *testing.T, provider string, rows []pageRow) {
	t.Helper()
	pageLock.Lock()
	defer pageLock.Unlock()
	data, err := os.ReadFile(checkPage)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"| set up | wrong |", "|---|---|"}
	for _, r := range rows {
		want = append(want, r.String())
	}
	lines := strings.Split(string(data), "\n")
	start := slices.Index(lines, "## "+provider)
	if start < 0 {
		t.Fatalf("%s has no part %q", checkPage, provider)
	}
	first := start + 1
	for first < len(lines) && !strings.HasPrefix(lines[first], "|") && !strings.HasPrefix(lines[first], "## ") {
		first++
	}
	last := first
	for last < len(lines) && strings.HasPrefix(lines[last], "|") {
		last++
	}
	if slices.Equal(lines[first:last], want) {
		return
	}
	if os.Getenv("USHER_UPDATE") == "" {
		t.Errorf("%s is old for %s (USHER_UPDATE=1 writes it)\n got\n%s\nwant\n%s", checkPage, provider, strings.Join(lines[first:last], "\n"), strings.Join(want, "\n"))
		return
	}
	lines = slices.Replace(lines, first, last, want...)
	if err := os.WriteFile(checkPage, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// providerVersion is the pinned version of a package of package.json.
func providerVersion(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	return manifest.Dependencies[name]
}

// TestCheckPage: the page names the versions that the tests run.
func TestCheckPage(t *testing.T) {
	data, err := os.ReadFile(checkPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n## npm oidc-provider\n\nVersion " + providerVersion(t, "oidc-provider") + ".",
		"\n## Keycloak\n\nVersion " + keycloak.Version + ".",
		"\n## glewlwyd\n\nVersion " + glewlwydVersion + ".",
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%s lacks %q", checkPage, want)
		}
	}
}
