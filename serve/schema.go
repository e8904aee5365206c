package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"usher"
)

// Schema gives the JSON Schema of the configuration, for editors. What hangs on
// the machine (files, the environment) and on several keys at a time is Load's
// alone.
func Schema() []byte {
	s := schemaOf(reflect.ValueOf(*Default()))
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Configuration of usher serve"
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // maps of text and numbers always can
	return b.Bytes()
}

// durationPattern is what time.ParseDuration reads of positive spans.
const durationPattern = `^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`

// patterns say of some keys how their values must look.
var patterns = map[string]string{
	"listen":            `^(localhost|[0-9.]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$`,
	"name":              `^[a-z0-9][a-z0-9-]{0,62}$`,
	"issuer":            `^https?://[^/?#@]+(/[^?#]*)?$`,
	"url":               `^https?://[^/?#@]+/?$`,
	"client_secret_env": `^[A-Z_][A-Z0-9_]*$`,
	"key_env":           `^[A-Z_][A-Z0-9_]*$`,
	"store":             `^(sqlite|postgres(ql)?://([^/?#@:]+@)?[^/?#@]*/[^/?#]+(\?.*)?)$`,
}

// schemaOf makes the schema of a value with its defaults.
func schemaOf(v reflect.Value) map[string]any {
	switch {
	case v.Type() == durationType:
		s := map[string]any{"type": "string", "pattern": durationPattern, "examples": []string{"90s", "1h", "72h"}}
		if v.Int() != 0 {
			s["default"] = time.Duration(v.Interface().(usher.Duration)).String()
		}
		return s
	case v.Kind() == reflect.String:
		s := map[string]any{"type": "string", "pattern": `\S`}
		if v.String() != "" {
			s["default"] = v.String()
		}
		return s
	case v.Kind() == reflect.Float64:
		s := map[string]any{"type": "number"}
		if v.Float() != 0 {
			s["default"] = v.Float()
		}
		return s
	case v.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "maxItems": maxList, "items": schemaOf(defaultOf(v.Type().Elem()))}
	case v.Kind() == reflect.Pointer:
		return schemaOf(defaultOf(v.Type().Elem()))
	}
	properties := map[string]any{}
	var required []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := keyOf(f)
		p := schemaOf(v.Field(i))
		p["description"] = f.Tag.Get("doc")
		if words := f.Tag.Get("enum"); words != "" {
			p["enum"] = strings.Split(words, ",")
			delete(p, "pattern")
		}
		if pattern := patterns[key]; pattern != "" {
			p["pattern"] = pattern
		}
		if f.Tag.Get("required") != "" {
			required = append(required, key)
		}
		properties[key] = p
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if required != nil {
		s["required"] = required
	}
	switch v.Type() {
	case reflect.TypeFor[Admin]():
		s["oneOf"] = []any{map[string]any{"required": []string{"client_secret_env"}}, map[string]any{"required": []string{"client_secret_file"}}}
	case reflect.TypeFor[Broker]():
		s["not"] = map[string]any{"required": []string{"key_file", "key_env"}}
	case reflect.TypeFor[Provider]():
		s["dependentRequired"] = map[string]any{"admin": []string{"issuer"}}
	}
	return s
}

// Reference gives the reference page of the configuration in Markdown.
func Reference() []byte {
	var b bytes.Buffer
	b.WriteString(`# The configuration of usher serve

One YAML file, ` + "`usher.yaml`" + ` in the folder where ` + "`usher serve`" + ` is started, or the file named with ` + "`--config`" + `. Every key has a default but those that are marked; an empty file is a good one. A key that is not known is a mistake, not a comment. ` + "`usher check usher.yaml`" + ` says everything that is wrong, each with its place and what to write; ` + "`usher serve --print-config`" + ` prints what takes effect.

Secrets are never in the file: ` + "`client_secret_env`" + ` names an environment variable, ` + "`client_secret_file`" + ` a file that only its owner may read. Relative paths start at the folder of the file. Durations are written like 90s, 15m, 1h or 72h. Anchors and aliases are not read.

For help while typing, put this line at the top of the file (the schema is ` + "[usher.schema.json](usher.schema.json)" + `):

` + "```yaml\n# yaml-language-server: $schema=PATH/TO/docs/reference/usher.schema.json\n```\n")
	referenceOf(&b, "", reflect.ValueOf(*Default()))
	return b.Bytes()
}

// referenceOf writes the table of one set of keys, then those below it.
func referenceOf(b *bytes.Buffer, path string, v reflect.Value) {
	title := "The file"
	if path != "" {
		title = "`" + path + "`"
	}
	fmt.Fprintf(b, "\n## %s\n\n| key | default | meaning |\n|---|---|---|\n", title)
	type below struct {
		path string
		v    reflect.Value
	}
	var next []below
	for i := range v.NumField() {
		f := v.Type().Field(i)
		text := f.Tag.Get("doc")
		if words := f.Tag.Get("enum"); words != "" {
			text += " One of `" + strings.ReplaceAll(words, ",", "`, `") + "`."
		}
		inner := v.Field(i)
		value := ""
		switch {
		case f.Tag.Get("required") != "":
			value = "(needed)"
		case inner.Type() == durationType:
			value = shortDuration(time.Duration(inner.Int()))
		case inner.Kind() == reflect.String && inner.String() != "":
			value = "`" + inner.String() + "`"
		}
		key := join(path, keyOf(f))
		switch {
		case inner.Type() == durationType:
		case inner.Kind() == reflect.Struct:
			next = append(next, below{key, inner})
		case inner.Kind() == reflect.Pointer:
			next = append(next, below{key, defaultOf(inner.Type().Elem())})
		case inner.Kind() == reflect.Slice && inner.Type().Elem().Kind() == reflect.Struct:
			next = append(next, below{key + "[]", defaultOf(inner.Type().Elem())})
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", keyOf(f), value, strings.ReplaceAll(text, "|", "\\|"))
	}
	for _, n := range next {
		referenceOf(b, n.path, n.v)
	}
}

// shortDuration writes "72h" for 72h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	s = strings.TrimSuffix(s, "0s")
	s = strings.TrimSuffix(s, "0m")
	if s == "" {
		s = d.String()
	}
	return "`" + s + "`"
}
