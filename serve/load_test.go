package serve_test

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"usher/serve"
)

var update = flag.Bool("update", false, "renew golden files")

// static knows one variable and looks at no file.
func environment(name string) (string, bool) { return "x", name == "USHER_SHOP_SECRET" }

// planted stands in the samples where people write secrets.
const planted = "hunter2-Zx81"

// TestBadFiles holds one file a mistake against what is said of it.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatal("no samples", err)
	}
	t.Chdir("testdata/config")
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			_, problems := load(t, name)
			got := problems.Text()
			golden := strings.TrimSuffix(name, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if strings.Contains(got, planted) {
				t.Error("the secret is repeated")
			}
			if good := strings.HasPrefix(name, "good"); good && problems.Wrong() {
				t.Errorf("a good file is refused:\n%s", got)
			}
		})
	}
}

func load(t *testing.T, name string) (*serve.Config, serve.Problems) {
	t.Helper()
	cfg, problems, err := serve.Load(name, serve.LoadOptions{Getenv: environment})
	if err != nil {
		wrong, ok := err.(serve.Problems)
		if !ok {
			t.Fatal(err)
		}
		problems = wrong
	}
	return cfg, problems
}

func TestLoadGood(t *testing.T) {
	cfg, problems, err := serve.Load("testdata/config/good.yaml", serve.LoadOptions{Getenv: environment, Static: true})
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if want, _ := filepath.Abs("testdata/config/usher-data"); cfg.Data != want {
		t.Errorf("data %q does not start at the folder of the file", cfg.Data)
	}
	p := cfg.Providers[0]
	if p.Name != "shop" || p.Admin.ClientSecretEnv != "USHER_SHOP_SECRET" || p.Sources[0].From != "end" || p.Tenants[0] != "shop" {
		t.Errorf("%+v", p)
	}
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "usher.yaml")
	secret := filepath.Join(dir, "s.key")
	text := "providers:\n- name: shop\n  kind: keycloak\n  issuer: https://id.example.com/realms/shop\n  admin: {client_id: usher, client_secret_file: s.key}\n  sources: [{kind: keycloak, path: kc.log}]\n"
	write(t, file, text, 0o600)
	for _, c := range []struct {
		content string
		mode    os.FileMode
		want    string
	}{
		{planted + "\n", 0o600, ""},
		{planted + "\n", 0o400, ""},
		{planted + "\n", 0o640, "others than its owner"},
		{planted + "\n", 0o602, "others than its owner"},
		{"\n", 0o600, "empty"},
		{planted + "\nmore\n", 0o600, "more than one line"},
		{strings.Repeat("x", 70<<10), 0o600, "larger than 64 KiB"},
	} {
		write(t, secret, c.content, c.mode)
		cfg, _, err := serve.Load(file, serve.LoadOptions{})
		if c.want == "" {
			if err != nil {
				t.Errorf("mode %o: %v", c.mode, err)
				continue
			}
			s, err := cfg.Providers[0].Admin.Secret(nil)
			if err != nil || s.Reveal() != planted {
				t.Errorf("secret %v, %v", s, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.(serve.Problems).Text(), planted) {
			t.Errorf("mode %o: %v, want %q", c.mode, err, c.want)
		}
	}
}

func write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	_ = os.Remove(name)
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

// FuzzLoad: no input breaks the reader; a secret under a key of one is never
// repeated; and what is accepted is accepted again as it is printed.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/config/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		opt := serve.LoadOptions{Getenv: environment, Static: true}
		cfg, _, err := serve.Parse("usher.yaml", []byte(text), opt)
		if err != nil {
			problems, ok := err.(serve.Problems)
			if !ok || !problems.Wrong() {
				t.Fatalf("refused without a problem: %v", err)
			}
			for _, p := range problems {
				if p.Message == "" || p.Line < 0 {
					t.Fatalf("empty problem: %+v", p)
				}
			}
			return
		}
		printed, err := yaml.Dump(cfg)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := serve.Parse("usher.yaml", printed, opt)
		if err != nil {
			t.Fatalf("not read again:\n%s\n%v", printed, err)
		}
		if !reflect.DeepEqual(cfg, again) {
			t.Fatalf("read differently:\n%+v\n%+v", cfg, again)
		}
	})
}
