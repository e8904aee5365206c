// Command reference writes docs/reference/*.schema.json and the pages of the
// nouns from the source of the package usher, so that neither can grow old.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"usher"
)

// page is one noun with its page and its schema.
type page struct {
	name  string // of the files
	title string
	intro string
	root  string // Go type
	typ   reflect.Type
}

var pages = []page{
	{"event", "Event", "One attempt to get, use, refresh or revoke a token or to sign in, or one change to the things that decide it. `usher` writes and takes events as JSON, one a line.", "Event", reflect.TypeFor[usher.Event]()},
	{"finding", "Finding", "A cause held against evidence. Answers ([explain-json.md](explain-json.md)) and cases ([case.md](case.md)) are made of findings.", "Finding", reflect.TypeFor[usher.Finding]()},
	{"fix", "Fix, plan and run", "A way out of a case; the exact difference that it would make; and what became of it.", "FixRun", reflect.TypeFor[usher.FixRun]()},
	{"case", "Case", "The findings with one fingerprint over time, as `usher cases show N --format json` and `GET /api/v1/cases/{id}` give it.", "Case", reflect.TypeFor[usher.Case]()},
}

func main() {
	dir := filepath.Join("docs", "reference")
	if err := write(dir); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	src, err := parseSource(".")
	if err != nil {
		return err
	}
	for _, p := range pages {
		schema, err := schemaOf(p.typ, src)
		if err != nil {
			return err
		}
		schema.Title = "usher " + p.title
		schema.Schema = "https://json-schema.org/draft/2020-12/schema"
		text, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, p.name+".schema.json"), append(text, '\n'), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, p.name+".md"), src.page(p), 0o644); err != nil {
			return err
		}
	}
	for name, text := range map[string][]byte{"providers.md": providersPage(), "checks.md": checksPage()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// source is what the Go files of the package say.
type source struct {
	structs map[string]*ast.StructType
	docs    map[string]string
	values  map[string][]constant // of named string types, in their order
}

type constant struct{ value, doc string }

func parseSource(dir string) (*source, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	s := &source{structs: map[string]*ast.StructType{}, docs: map[string]string{}, values: map[string][]constant{}}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				s.declare(g)
			}
		}
	}
	return s, nil
}

func (s *source) declare(g *ast.GenDecl) {
	typ := ""
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if st, ok := spec.Type.(*ast.StructType); ok {
				s.structs[spec.Name.Name] = st
			}
			s.docs[spec.Name.Name] = flat(g.Doc)
		case *ast.ValueSpec:
			if id, ok := spec.Type.(*ast.Ident); ok {
				typ = id.Name
			}
			if len(spec.Values) != 1 {
				continue
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && g.Tok == token.CONST && typ != "" {
				s.values[typ] = append(s.values[typ], constant{strings.Trim(lit.Value, `"`), flat(spec.Comment)})
			}
		}
	}
}

func flat(c *ast.CommentGroup) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(c.Text(), "nolint:gosec")), " ")
}

// field is one member of a struct in JSON.
type field struct {
	name, goType, doc string
	optional          bool
}

func (s *source) fields(name string) []field {
	var list []field
	for _, f := range s.structs[name].Fields.List {
		if f.Tag == nil || len(f.Names) == 0 {
			continue
		}
		tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json")
		member, options, _ := strings.Cut(tag, ",")
		if member == "" || member == "-" {
			continue
		}
		doc := flat(f.Doc)
		if c := flat(f.Comment); c != "" {
			doc = strings.TrimSpace(doc + " " + c)
		}
		list = append(list, field{member, typeName(f.Type), doc, strings.Contains(options, "omit")})
	}
	return list
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return "[]" + typeName(e.Elt)
	case *ast.MapType:
		return "map[" + typeName(e.Key) + "]" + typeName(e.Value)
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	}
	return "?"
}

// page writes the tables of a noun and of everything in it.
func (s *source) page(p page) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n%s The JSON Schema is [%s.schema.json](%s.schema.json); this page is made from the source (`make docs`).\n\n", p.title, p.intro, p.name, p.name)
	b.WriteString("Later versions add members and never rename or remove one. A member that is not marked *always* is absent when there is nothing to say: absent is unknown, never false. Every string is masked.\n")
	done := map[string]bool{}
	queue := []string{p.root}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if done[name] {
			continue
		}
		done[name] = true
		if other := pageOf(name); other != "" && other != p.name {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| member | type | there | meaning |\n|---|---|---|---|\n", name, s.docs[name])
		for _, f := range s.fields(name) {
			there := "always"
			if f.optional {
				there = ""
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, s.jsonType(f.goType, p.name), there, strings.ReplaceAll(f.doc, "|", "\\|"))
			base := strings.TrimPrefix(f.goType, "[]")
			if s.structs[base] != nil {
				queue = append(queue, base)
			}
		}
		s.enums(&b, name, done)
	}
	return b.Bytes()
}

// enums lists the values of the named types that a struct uses, once a page.
func (s *source) enums(b *bytes.Buffer, name string, done map[string]bool) {
	for _, f := range s.fields(name) {
		base := strings.TrimPrefix(f.goType, "[]")
		if len(s.values[base]) == 0 || done["="+base] {
			continue
		}
		done["="+base] = true
		fmt.Fprintf(b, "\n%s\n\n| value | meaning |\n|---|---|\n", s.docs[base])
		for _, v := range s.values[base] {
			fmt.Fprintf(b, "| `%s` | %s |\n", v.value, v.doc)
		}
	}
}

func pageOf(name string) string {
	switch name {
	case "Fix", "FixPlan", "FixRun", "FixStep", "Action", "ProofCondition", "Difference":
		return "fix"
	}
	for _, p := range pages {
		if p.root == name {
			return p.name
		}
	}
	return ""
}

func (s *source) jsonType(goType, page string) string {
	if elem, ok := strings.CutPrefix(goType, "[]"); ok {
		return "array of " + s.jsonType(elem, page)
	}
	switch goType {
	case "string":
		return "string"
	case "bool":
		return "boolean"
	case "int", "int64", "float64", "Status":
		return "number"
	case "time.Time":
		return "string, RFC 3339"
	case "Duration":
		return "string, \"1h30m0s\""
	case "map[string]string":
		return "object of strings"
	}
	if s.structs[goType] == nil {
		return "string"
	}
	link := "#" + strings.ToLower(goType)
	if other := pageOf(goType); other != "" && other != page {
		link = other + ".md" + link
	}
	return "[" + goType + "](" + link + ")"
}

// schemaOf gives the JSON Schema of a type, with the comments as descriptions
// and the values of closed vocabularies.
func schemaOf(t reflect.Type, src *source) (*jsonschema.Schema, error) {
	duration := &jsonschema.Schema{Type: "string", Pattern: `^-?([0-9.]+(h|m|s|ms|us|µs|ns))+$`}
	known := map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[usher.Duration](): duration,
		reflect.TypeFor[usher.Status]():   {Type: "integer", Enum: []any{0, 1, 2}},
	}
	for _, p := range pages {
		if p.typ != t {
			known[p.typ] = &jsonschema.Schema{Ref: p.name + ".schema.json"}
		}
	}
	schema, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		return nil, err
	}
	src.describe(schema, t)
	return schema, nil
}

// describe fills in what reflection cannot see.
func (s *source) describe(schema *jsonschema.Schema, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if schema.Ref != "" {
		return
	}
	switch {
	case t.Kind() == reflect.Slice:
		// A list that may be empty is written as a list, never as null.
		schema.Type, schema.Types = "array", nil
		s.describe(schema.Items, t.Elem())
	case t.Kind() == reflect.Struct && s.structs[t.Name()] != nil:
		if len(schema.Types) > 0 {
			schema.Type, schema.Types = "object", nil
		}
		schema.AdditionalProperties = nil // a later version adds members
		docs := map[string]string{}
		for _, f := range s.fields(t.Name()) {
			docs[f.name] = f.doc
		}
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if member := schema.Properties[name]; member != nil {
				s.describe(member, f.Type)
				member.Description = docs[name]
			}
		}
	case t.Kind() == reflect.String && len(s.values[t.Name()]) > 0:
		schema.Enum = nil
		for _, v := range s.values[t.Name()] {
			schema.Enum = append(schema.Enum, v.value)
		}
	case len(schema.Types) > 0 && t.Kind() == reflect.Bool:
		schema.Type, schema.Types = "boolean", nil
	}
}
