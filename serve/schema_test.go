package serve_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"usher/serve"
)

// TestReference: the reference page and the schema are what the code gives.
func TestReference(t *testing.T) {
	for name, got := range map[string][]byte{"usher.schema.json": serve.Schema(), "configuration.md": serve.Reference()} {
		path := filepath.Join("..", "docs", "reference", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is old: go test ./serve -run TestReference -update", path)
		}
	}
}

// beyond are the samples whose mistake no schema can tell: it lies between
// keys, in the words of a URL, on this machine or in how YAML is written.
var beyond = map[string]string{
	"duplicate_names": "names must differ", "duplicate_key": "a key twice", "anchors": "how it is written", "two_documents": "how it is written",
	"secret_not_set": "the environment", "secret_file_missing": "the machine", "issuer_discovery": "the words of the URL", "no_yaml": "no YAML", "secret_in_broken": "no YAML",
}

// TestSchemaAgrees: the schema accepts what Load accepts, and refuses what Load
// refuses, but for what lies beyond it.
func TestSchemaAgrees(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(serve.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("usher.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("usher.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("testdata/config/*.yaml")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, _, loadErr := serve.Parse(file, data, serve.LoadOptions{Getenv: environment, Static: true})
		var value any = map[string]any{}
		if err := yaml.Unmarshal(data, &value); err != nil || value == nil {
			value = map[string]any{}
		}
		schemaErr := schema.Validate(value)
		switch {
		case loadErr == nil && schemaErr != nil:
			t.Errorf("%s: Load accepts, the schema does not: %v", name, schemaErr)
		case loadErr != nil && schemaErr == nil && beyond[name] == "":
			t.Errorf("%s: the schema accepts, Load does not: %v", name, loadErr)
		case loadErr != nil && schemaErr != nil && beyond[name] != "":
			t.Errorf("%s: the schema refuses what was said to lie beyond it: %v", name, schemaErr)
		}
	}
}
