package console_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	infer "github.com/google/jsonschema-go/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"usher"
	"usher/console"
	"usher/console/consoletest"
)

var update = flag.Bool("update", false, "write the OpenAPI document anew")

// TestOpenAPI holds the document to the routes and the types that it is made from.
func TestOpenAPI(t *testing.T) {
	want, err := json.MarshalIndent(makeDocument(t, false), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	for _, path := range []string{"openapi.json", filepath.FromSlash("../docs/reference/openapi.json")} {
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the routes and types say; run go test ./console -run OpenAPI -update", path)
		}
	}
}

// TestOpenAPIListsEveryRoute compares the document with the table of routes.
func TestOpenAPIListsEveryRoute(t *testing.T) {
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			ID string `json:"operationId"`
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	listed := 0
	for _, methods := range doc.Paths {
		listed += len(methods)
	}
	documented := 0
	for _, r := range console.Routes() {
		if !r.API {
			if r.ID != "" {
				t.Errorf("%s %s is a page and has an operation", r.Method, r.Path)
			}
			continue
		}
		documented++
		if r.ID == "" || doc.Paths[r.Path][strings.ToLower(r.Method)].ID != r.ID {
			t.Errorf("%s %s stands not in the document", r.Method, r.Path)
		}
	}
	if listed != documented {
		t.Errorf("the document lists %d operations, the server has %d", listed, documented)
	}
}

// drive is a request for every operation, and the fault that each must answer.
var drive = map[string]struct {
	path, body string
	status     int
	wrong      string // path or body of a request that is refused
	wrongBody  string
	refused    int
}{
	"listCases":           {path: "/api/v1/cases?all=true&state=open&client=shop", status: 200, wrong: "/api/v1/cases?state=odd", refused: 400},
	"getCase":             {path: "/api/v1/cases/6", status: 200, wrong: "/api/v1/cases/99", refused: 404},
	"planFix":             {path: "/api/v1/cases/1/plan", body: `{"fix":"1"}`, status: 200, wrong: "/api/v1/cases/1/plan", wrongBody: `{"fix":1}`, refused: 400},
	"applyFix":            {path: "/api/v1/cases/1/apply", body: `{"fix":"1","plan":"PLAN"}`, status: 200, wrong: "/api/v1/cases/1/apply", wrongBody: `{"fix":"1","plan":"0"}`, refused: 409},
	"undoFix":             {path: "/api/v1/cases/6/undo", body: `{"run":"1"}`, status: 200, wrong: "/api/v1/cases/6/undo", wrongBody: `{"run":"9"}`, refused: 404},
	"declareFix":          {path: "/api/v1/cases/1/declare", body: `{"fix":"2"}`, status: 200, wrong: "/api/v1/cases/1/declare", wrongBody: `{"fux":"2"}`, refused: 400},
	"intendCase":          {path: "/api/v1/cases/4/intend", body: `{"owner":"ada","reason":"an old app","expires":"2026-12-24T00:00:00Z"}`, status: 200, wrong: "/api/v1/cases/4/intend", wrongBody: `{"owner":"","reason":"x","expires":"2026-12-24T00:00:00Z"}`, refused: 422},
	"reopenCase":          {path: "/api/v1/cases/4/reopen", status: 200, wrong: "/api/v1/cases/0/reopen", refused: 404},
	"watchCases":          {path: "/api/v1/watch"},
	"takeEvents":          {path: "/api/v1/events", body: `{"uid":"e1","kind":"token","time":"2026-11-25T10:00:00Z","status_id":1,"user":{},"actor":{},"client":{},"resource":{},"src_endpoint":{},"http_request":{},"device":{},"oauth":{}}`, status: 200, wrong: "/api/v1/events", wrongBody: "{\"uid\":\"e2\"}\n{}", refused: 400},
	"makeKey":             {path: "/api/v1/keys", body: `{"name":"ci","days":30}`, status: 200, wrong: "/api/v1/keys", wrongBody: `{"name":""}`, refused: 422},
	"listKeys":            {path: "/api/v1/keys", status: 200},
	"dropKey":             {path: "/api/v1/keys/unknown", status: 204},
	"listConnections":     {path: "/api/v1/connections", status: 200},
	"addConnection":       {path: "/api/v1/connections", body: `{"config":{"id":"shop-new","preset":"paypal","endpoints":{"revocation_endpoint":"https://gw.example/revoke"}},"client_secret":"s"}`, status: 200, wrong: "/api/v1/connections", wrongBody: `{"config":{"id":"Shop!"}}`, refused: 422},
	"getConnection":       {path: "/api/v1/connections/shop-gateway", status: 200, wrong: "/api/v1/connections/none", refused: 404},
	"configureConnection": {path: "/api/v1/connections/shop-mail", body: `{"revision":1,"config":{"id":"shop-mail","client_id":"shop","endpoints":{"token_endpoint":"https://gw.example/token"},"grant_type":"client_credentials","token_endpoint_auth_method":"client_secret_basic","made":"2026-11-25T10:00:00Z"}}`, status: 200, wrong: "/api/v1/connections/shop-gateway", wrongBody: `{"revision":9,"config":{}}`, refused: 409},
	"removeConnection":    {path: "/api/v1/connections/shop-old", status: 204, wrong: "/api/v1/connections/none", refused: 404},
	"renewConnection":     {path: "/api/v1/connections/shop-gateway/renew", status: 200, wrong: "/api/v1/connections/none/renew", refused: 404},
	"connectConnection":   {path: "/api/v1/connections/shop-calendar/connect", status: 200, wrong: "/api/v1/connections/none/connect", refused: 404},
	"explainConnection":   {path: "/api/v1/connections/shop-gateway/explain", status: 200, wrong: "/api/v1/connections/none/explain", refused: 404},
	"listPresets":         {path: "/api/v1/presets", status: 200},
	"listSecrets":         {path: "/api/v1/secrets", status: 200},
	"addSecret":           {path: "/api/v1/secrets", body: `{"config":{"name":"brand-new","provider":"sso","client_id":"shop"},"client_secret":"s"}`, status: 200, wrong: "/api/v1/secrets", wrongBody: `{"config":{"name":"Shop!"},"client_secret":"s"}`, refused: 422},
	"getSecret":           {path: "/api/v1/secrets/moving", status: 200, wrong: "/api/v1/secrets/none", refused: 404},
	"removeSecret":        {path: "/api/v1/secrets/gone", status: 204, wrong: "/api/v1/secrets/moving", refused: 409},
	"planRotation":        {path: "/api/v1/secrets/shop/plan", status: 200, wrong: "/api/v1/secrets/none/plan", refused: 404},
	"rotateSecret":        {path: "/api/v1/secrets/late/rotate", body: `{"reason":"a test"}`, status: 200, wrong: "/api/v1/secrets/moving/rotate", wrongBody: `{"reason":"twice"}`, refused: 409},
	"retireSecret":        {path: "/api/v1/secrets/moving/retire", body: `{"confirm":""}`, status: 200, wrong: "/api/v1/secrets/moving/retire", wrongBody: `{"confirm":"0123"}`, refused: 409},
	"declareRetired":      {path: "/api/v1/secrets/stuck/declare", status: 200, wrong: "/api/v1/secrets/shop/declare", refused: 409},
	"undoRotation":        {path: "/api/v1/secrets/undone/undo", status: 200, wrong: "/api/v1/secrets/shop/undo", refused: 409},
	"verifySecret":        {path: "/api/v1/secrets/shop/verify", status: 200, wrong: "/api/v1/secrets/none/verify", refused: 404},
	"forgetCaller":        {path: "/api/v1/secrets/moving/forget", body: `{"caller":"key shop"}`, status: 200, wrong: "/api/v1/secrets/moving/forget", wrongBody: `{"caller":"key nobody"}`, refused: 404},
	"reportLeak":          {path: "/api/v1/secrets/any/leaked", body: `{"value":"value-of-shop","source":"a scanner","detail":"in a repository"}`, status: 200, wrong: "/api/v1/secrets/shop/leaked", wrongBody: `{"sha256":"xyz"}`, refused: 422},
	"getDocument":         {path: "/api/v1/openapi.json", status: 200},
	"health":              {path: "/healthz", status: 200},
	"ready":               {path: "/readyz", status: 200},
	"metrics":             {path: "/metrics", status: 200},
}

// TestOperations drives every operation and holds each answer, good and bad,
// against the document. Here the document is strict: an answer with a member
// that it does not list is wrong too.
func TestOperations(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("doc.json", plain(t, makeDocument(t, true))); err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, kind reflect.Type, body []byte) {
		t.Helper()
		schema, err := compiler.Compile("doc.json#/components/schemas/" + schemaName(kind))
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("no JSON: %v\n%s", err, body)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("the answer is not what the document says: %v\n%.600s", err, body)
		}
	}
	var plan struct{ ID string }
	for _, r := range console.Routes() {
		if !r.API {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			d, ok := drive[r.ID]
			if !ok {
				t.Fatal("no request is written down for this operation")
			}
			kind := r.TakesType
			if kind == "" && r.Takes != nil {
				kind = "application/json"
			}
			if d.wrong != "" {
				got := s.do(t, r.Method, d.wrong, d.wrongBody, trusted, header("Content-Type", kind))
				if got.status != d.refused {
					t.Errorf("status %d for a wrong request, want %d: %s", got.status, d.refused, got.body)
				}
				check(t, reflect.TypeFor[console.ProblemBody](), []byte(got.body))
			}
			if r.ID == "watchCases" {
				return // TestWatch
			}
			got := s.do(t, r.Method, d.path, strings.ReplaceAll(d.body, "PLAN", plan.ID), trusted, header("Content-Type", kind))
			if got.status != d.status {
				t.Fatalf("status %d, want %d: %s", got.status, d.status, got.body)
			}
			switch {
			case r.ID == "planFix":
				if err := json.Unmarshal([]byte(got.body), &plan); err != nil {
					t.Fatal(err)
				}
				check(t, r.Gives, []byte(got.body))
			case r.Gives != nil && r.GivesType == "" && r.Gives != reflect.TypeFor[console.DocumentBody]():
				check(t, r.Gives, []byte(got.body))
			}
			if d.body != "" && r.Takes != nil {
				check(t, r.Takes, []byte(strings.ReplaceAll(d.body, "PLAN", "x")))
			}
			if !r.Open {
				if got := s.do(t, r.Method, d.path, d.body, header("Content-Type", kind)); got.status != http.StatusUnauthorized {
					t.Errorf("status %d for nobody", got.status)
				} else {
					check(t, reflect.TypeFor[console.ProblemBody](), []byte(got.body))
				}
			}
		})
	}
}

// enums are the closed vocabularies of the contract.
var enums = map[reflect.Type][]any{
	reflect.TypeFor[usher.EventKind]():  anys(usher.EventKinds),
	reflect.TypeFor[usher.CaseState]():  anys(usher.CaseStates),
	reflect.TypeFor[usher.CaseKind]():   {usher.CaseFailure, usher.CaseAttack, usher.CaseExposure, usher.CaseConfiguration},
	reflect.TypeFor[usher.Risk]():       {usher.RiskNeutral, usher.RiskTightening, usher.RiskWeakening},
	reflect.TypeFor[usher.RunState]():   {usher.RunApplying, usher.RunApplied, usher.RunUndone, usher.RunFailed, usher.RunDeclared},
	reflect.TypeFor[usher.Outcome]():    {usher.OutcomeWrong, usher.OutcomeOK, usher.OutcomeUnknown, usher.OutcomeNotApplicable},
	reflect.TypeFor[usher.Step]():       append(anys(usher.Steps), ""),
	reflect.TypeFor[usher.ActionKind](): {usher.ActionAddRedirectURI, usher.ActionReplaceRedirectURI, usher.ActionAllowScope, usher.ActionEnableClient, usher.ActionReplaceSecret},
}

func anys[T any](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

// makeDocument makes the OpenAPI document from the routes and their types.
func makeDocument(t *testing.T, strict bool) map[string]any {
	t.Helper()
	d := &documenter{t: t, strict: strict, schemas: map[string]any{}, of: map[string]reflect.Type{}, words: readComments(t)}
	paths := map[string]map[string]any{}
	for _, r := range console.Routes() {
		if !r.API {
			continue
		}
		if paths[r.Path] == nil {
			paths[r.Path] = map[string]any{}
		}
		paths[r.Path][strings.ToLower(r.Method)] = d.operation(r)
	}
	d.ref(reflect.TypeFor[console.ProblemBody]())
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "usher", "version": "1",
			"description": "Cases of refused sign-ins, token requests and API calls, their fixes and their proofs. Later versions add members and never rename or remove one: read past what you do not know.",
			"license":     map[string]any{"name": "see LICENSE"},
		},
		"servers":  []any{map[string]any{"url": "http://127.0.0.1:5303"}},
		"security": []any{map[string]any{"key": []any{}}, map[string]any{"session": []any{}}},
		"paths":    paths,
		"components": map[string]any{
			"schemas": d.schemas,
			"securitySchemes": map[string]any{
				"key":     map[string]any{"type": "http", "scheme": "bearer", "description": "A key made at /keys. Over the unix socket nothing is asked for."},
				"session": map[string]any{"type": "apiKey", "in": "cookie", "name": "usher_session", "description": "A browser that is signed in."},
			},
		},
	}
}

type documenter struct {
	t       *testing.T
	strict  bool
	schemas map[string]any
	of      map[string]reflect.Type // the type of each schema
	words   map[string]string
}

func (d *documenter) operation(r console.Route) map[string]any {
	op := map[string]any{"operationId": r.ID, "summary": r.Summary}
	if r.Detail != "" {
		op["description"] = r.Detail
	}
	if r.Open {
		op["security"] = []any{}
	}
	var parameters []any
	if strings.Contains(r.Path, "/connections/{id}") {
		parameters = append(parameters, map[string]any{"name": "id", "in": "path", "required": true, "description": "id of the connection", "schema": map[string]any{"type": "string"}})
	} else if strings.Contains(r.Path, "{id}") {
		parameters = append(parameters, map[string]any{"name": "id", "in": "path", "required": true, "description": "number of the case", "schema": map[string]any{"type": "integer", "minimum": 1}})
	}
	if strings.Contains(r.Path, "{key}") {
		parameters = append(parameters, map[string]any{"name": "key", "in": "path", "required": true, "description": "id of the key", "schema": map[string]any{"type": "string"}})
	}
	for _, q := range r.Query {
		schema := map[string]any{"type": q.Type}
		if q.Name == "state" {
			schema = map[string]any{"type": "array", "items": map[string]any{"type": "string", "enum": enums[reflect.TypeFor[usher.CaseState]()]}}
		}
		parameters = append(parameters, map[string]any{"name": q.Name, "in": "query", "description": q.Detail, "schema": schema})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if r.Takes != nil {
		kind := r.TakesType
		if kind == "" {
			kind = "application/json"
		}
		op["requestBody"] = map[string]any{"required": true, "content": map[string]any{kind: map[string]any{"schema": d.ref(r.Takes)}}}
	}
	good := map[string]any{"description": "done"}
	status := "204"
	if r.Gives != nil {
		status = "200"
		kind := r.GivesType
		if kind == "" {
			kind = "application/json"
		}
		good = map[string]any{"description": "the answer", "content": map[string]any{kind: map[string]any{"schema": d.ref(r.Gives)}}}
	}
	op["responses"] = map[string]any{
		status:    good,
		"default": map[string]any{"description": "what went wrong, and what to do", "content": map[string]any{"application/json": map[string]any{"schema": d.ref(reflect.TypeFor[console.ProblemBody]())}}},
	}
	return op
}

// schemaName is the name of a type in the document.
func schemaName(kind reflect.Type) string {
	name := kind.Name()
	if strings.HasSuffix(kind.PkgPath(), "/broker") { // its words are short: Config, Status
		return "Connection" + name
	}
	if strings.HasSuffix(kind.PkgPath(), "/broker/credential") {
		return "Secret" + name
	}
	switch name {
	case "list":
		return "CaseList"
	case "problem":
		return "Error"
	case "Change":
		if kind == reflect.TypeFor[console.Change]() {
			return "CaseChange" // the root's is a change to what decides
		}
	}
	name = strings.ToUpper(name[:1]) + name[1:]
	return strings.TrimSuffix(name, "Body")
}

// ref gives a reference to the schema of a type and makes the schema, and those
// of the types inside, where they are not made yet.
func (d *documenter) ref(kind reflect.Type) any {
	if kind.Kind() != reflect.Struct {
		return map[string]any{"type": "string"}
	}
	name := schemaName(kind)
	reference := map[string]any{"$ref": "#/components/schemas/" + name}
	if _, done := d.schemas[name]; done {
		if d.of[name] != kind {
			d.t.Fatalf("%v and %v have one name in the document", d.of[name], kind)
		}
		return reference
	}
	d.schemas[name], d.of[name] = nil, kind // on its way
	inside := map[reflect.Type]*infer.Schema{
		reflect.TypeFor[usher.Duration](): {Type: "string", Description: "as \"90s\" or \"72h0m0s\""},
		reflect.TypeFor[time.Time]():      {Type: "string", Format: "date-time"},
	}
	for enum, values := range enums {
		inside[enum] = &infer.Schema{Type: "string", Enum: values}
	}
	d.visit(kind, kind, inside)
	schema, err := infer.ForType(kind, &infer.ForOptions{TypeSchemas: inside})
	if err != nil {
		d.t.Fatal(err)
	}
	made := plain(d.t, schema).(map[string]any)
	d.finish(made, kind)
	d.schemas[name] = made
	if required, ok := wishes[kind]; ok {
		properties := made["properties"].(map[string]any)
		properties["config"] = d.wish(schemaName(kind)+"Config", properties["config"].(map[string]any), required)
	}
	return reference
}

// wishes are the requests whose config may leave out everything but this: the
// server fills the rest in.
var wishes = map[reflect.Type][]any{
	reflect.TypeFor[console.NewConnection](): {"id"},
	reflect.TypeFor[console.NewSecret]():     {"name", "provider", "client_id"},
}

// wish makes a schema like the one that is referred to, in which little is
// required, and gives a reference to it.
func (d *documenter) wish(name string, reference map[string]any, required []any) map[string]any {
	const prefix = "#/components/schemas/"
	schema := maps.Clone(d.schemas[strings.TrimPrefix(reference["$ref"].(string), prefix)].(map[string]any))
	delete(schema, "required")
	if required != nil {
		schema["required"] = required
	}
	properties := maps.Clone(schema["properties"].(map[string]any))
	if endpoints, ok := properties["endpoints"].(map[string]any); ok {
		properties["endpoints"] = d.wish("NewConnectionEndpoints", endpoints, nil)
	}
	schema["properties"] = properties
	d.schemas[name] = schema
	reference = maps.Clone(reference)
	reference["$ref"] = prefix + name
	return reference
}

// visit makes references of the struct types inside a type.
func (d *documenter) visit(top, kind reflect.Type, inside map[reflect.Type]*infer.Schema) {
	for i := range kind.NumField() {
		f := kind.Field(i).Type
		for f.Kind() == reflect.Pointer || f.Kind() == reflect.Slice {
			f = f.Elem()
		}
		if f.Kind() != reflect.Struct || inside[f] != nil || f == top {
			continue
		}
		d.ref(f)
		inside[f] = &infer.Schema{Ref: "#/components/schemas/" + schemaName(f)}
	}
}

// finish puts the words of the comments into a schema, and opens it for members
// to come where it is for readers.
func (d *documenter) finish(schema map[string]any, kind reflect.Type) {
	if words := d.words[kind.String()]; words != "" {
		schema["description"] = words
	}
	if !d.strict {
		delete(schema, "additionalProperties")
	}
	properties, _ := schema["properties"].(map[string]any)
	for i := range kind.NumField() {
		f := kind.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		property, ok := properties[name].(map[string]any)
		if !ok {
			continue
		}
		if property["$ref"] != nil { // a pointer: it is there or it is left out, never null
			delete(property, "type")
			delete(property, "types")
		}
		if words := d.words[kind.String()+"."+f.Name]; words != "" && property["description"] == nil {
			property["description"] = words
		}
	}
}

// plain turns a value into what encoding/json makes of its JSON.
func plain(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if out, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return out
}

// readComments reads what the code says of its types and fields.
func readComments(t *testing.T) map[string]string {
	t.Helper()
	words := map[string]string{}
	for _, pattern := range []string{"../*.go", "*.go", "../broker/*.go", "../policy/lifespan/*.go"} {
		paths, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				group, ok := decl.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, spec := range group.Specs {
					if s, ok := spec.(*ast.TypeSpec); ok {
						readType(words, file.Name.Name+".", s, group.Doc)
					}
				}
			}
		}
	}
	return words
}

func readType(words map[string]string, prefix string, spec *ast.TypeSpec, doc *ast.CommentGroup) {
	name := prefix + spec.Name.Name
	if spec.Doc != nil {
		doc = spec.Doc
	}
	words[name] = oneLine(doc)
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range structure.Fields.List {
		told := oneLine(f.Doc)
		if told == "" {
			told = oneLine(f.Comment)
		}
		for _, n := range f.Names {
			words[name+"."+n.Name] = told
		}
	}
}

func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// TestErrorsHaveAStatus finds a code that nobody gave a status.
func TestErrorsHaveAStatus(t *testing.T) {
	s := start(t, consoletest.Story(noon)...)
	for _, code := range []string{
		usher.ErrUsage, usher.ErrUnreadable, usher.ErrTooLarge, usher.ErrRefused, usher.ErrForbidden, usher.ErrNotFound, usher.ErrChanged,
		usher.ErrUnreachable, console.CodeConflict, console.CodeUnavailable, console.CodeSignIn, console.CodeTooMany, console.CodeMethod,
		console.CodeWrongType, console.CodeUnprocessed,
	} {
		s.memory.Fail = func(method string) error {
			if method != "Case" {
				return nil
			}
			return &usher.Error{Code: code, Message: "it was so", Hint: "do this"}
		}
		got := s.do(t, "GET", "/api/v1/cases/1", "", trusted)
		if got.status == http.StatusInternalServerError || got.status < 400 {
			t.Errorf("%s: status %d", code, got.status)
		}
		if want := `{"error":{"code":"` + code + `","message":"it was so","hint":"do this"}}`; strings.TrimSpace(got.body) != want {
			t.Errorf("%s: %s, want %s", code, got.body, want)
		}
	}
	for _, defect := range []error{os.ErrPermission, &usher.Error{Code: usher.ErrInternal, Message: "permission denied"}} {
		s.memory.Fail = func(string) error { return defect }
		got := s.do(t, "GET", "/api/v1/cases/1", "", trusted)
		if got.status != 500 || strings.Contains(got.body, "permission") {
			t.Errorf("a defect is told as %d %s", got.status, got.body)
		}
	}
	if !strings.Contains(s.log.String(), "permission denied") {
		t.Error("a defect is not logged")
	}
}
