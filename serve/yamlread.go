package serve

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"usher"
)

// reader fills a Config from the nodes of a YAML document. It goes on after
// every mistake, and remembers the node of every value so that later checks can
// point at it.
type reader struct {
	file     string
	text     string
	at       map[string]*yaml.Node // by the path of the key
	secrets  []string              // values that were written in clear
	clear    map[string]bool       // paths of what holds a secret in clear
	problems Problems
}

// maxConfig bounds a configuration, in bytes.
const maxConfig = 1 << 20

// read reads text over cfg.
func (r *reader) read(cfg *Config) {
	text := strings.TrimPrefix(r.text, "\ufeff")
	if !utf8.ValidString(text) {
		r.problems = append(r.problems, Problem{File: r.file, Message: "the file is not UTF-8 text", Hint: "save it as UTF-8"})
		return
	}
	var doc yaml.Node
	if err := yaml.Load([]byte(text), &doc, yaml.WithUniqueKeys(false)); err != nil {
		if !strings.Contains(err.Error(), "no documents") { // an empty file is a file of defaults
			r.syntax(err)
		}
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	r.findSecrets(doc.Content[0], 0)
	r.value("", doc.Content[0], reflect.ValueOf(cfg).Elem())
}

// syntax tells what the YAML parser could not read.
func (r *reader) syntax(err error) {
	p := Problem{File: r.file, Message: "this is no YAML: " + firstLine(err.Error()), Hint: "check the indentation and the colons near this line"}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		p.Line, p.Column = load.Mark.Line, max(1, load.Mark.Column)
		p.Message = "this is no YAML: " + firstLine(load.Message)
	}
	if strings.Contains(p.Message, "multiple documents") || strings.Contains(p.Message, "expected single document") {
		p.Hint = "keep one document: delete the lines from '---' on"
	}
	// The parser may quote what it met, and nothing is known yet of secrets.
	r.secrets = append(r.secrets, looseSecrets(r.text)...)
	p.Message = r.mask(p.Message)
	p.Excerpt = excerpt(r.text, p.Line, p.Column, 1, r.secrets)
	r.problems = append(r.problems, p)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// looseSecrets finds the values of keys that sound like secrets in text that
// did not parse.
func looseSecrets(text string) []string {
	var found []string
	for _, line := range strings.Split(text, "\n") {
		rest := line
		for {
			at := strings.IndexAny(rest, ":")
			if at < 0 {
				break
			}
			words := strings.FieldsFunc(rest[:at], func(c rune) bool { return strings.ContainsRune(" \t{,-\"'", c) })
			value := strings.Trim(strings.TrimSpace(rest[at+1:]), `"'}`)
			if len(words) > 0 && secretKey(words[len(words)-1]) && value != "" {
				found = append(found, value)
			}
			rest = rest[at+1:]
		}
	}
	return found
}

// secretKeys are the keys under which people write secrets.
var secretKeys = []string{"client_secret", "clientsecret", "secret", "password", "passwd", "pass", "token", "api_key", "apikey", "private_key", "access_token", "refresh_token", "client-secret", "admin_password", "credential"}

func secretKey(key string) bool { return slices.Contains(secretKeys, strings.ToLower(key)) }

// findSecrets remembers every value that stands under such a key, so that no
// excerpt shows it.
func (r *reader) findSecrets(n *yaml.Node, depth int) {
	if depth > 100 {
		return
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && secretKey(n.Content[i-1].Value) {
			r.hide(c, 0)
		}
		r.findSecrets(c, depth+1)
	}
}

func (r *reader) hide(n *yaml.Node, depth int) {
	if n.Kind == yaml.ScalarNode {
		r.secrets = append(r.secrets, n.Value)
		for _, line := range strings.Split(n.Value, "\n") { // of a block
			r.secrets = append(r.secrets, strings.TrimSpace(line))
		}
		return
	}
	if depth < 100 {
		for _, c := range n.Content {
			r.hide(c, depth+1)
		}
	}
}

func (r *reader) mask(s string) string {
	for _, secret := range r.secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[masked]")
		}
	}
	return s
}

// wrong notes a mistake at a node.
func (r *reader) wrong(n *yaml.Node, key, message, hint string) { r.note(n, key, message, hint, false) }

// warn notes what is allowed and perhaps not meant.
func (r *reader) warn(n *yaml.Node, key, message, hint string) { r.note(n, key, message, hint, true) }

func (r *reader) note(n *yaml.Node, key, message, hint string, warning bool) {
	p := Problem{File: r.file, Key: r.mask(key), Message: r.mask(message), Hint: r.mask(hint), Warning: warning}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
		width := 1
		if n.Kind == yaml.ScalarNode {
			width = utf8.RuneCountInString(n.Value)
			if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
				width += 2
			}
			if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
				width = 1
			}
		}
		p.Excerpt = excerpt(r.text, p.Line, p.Column, width, r.secrets)
	}
	r.problems = append(r.problems, p)
}

var durationType = reflect.TypeFor[usher.Duration]()

// value reads a node into v.
func (r *reader) value(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		r.wrong(n, path, "anchors and aliases are not read", "write the value out")
		return
	}
	if path != "" {
		r.at[path] = n
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		r.wrong(n, path, keyName(path)+" has no value", "write a value behind the colon, or delete the line")
		return
	}
	switch {
	case v.Type() == durationType:
		r.duration(path, n, v)
	case v.Kind() == reflect.String:
		r.plain(path, n, v)
	case v.Kind() == reflect.Float64:
		r.number(path, n, v)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		v.Elem().Set(defaultOf(v.Type().Elem()))
		r.mapping(path, n, v.Elem())
	case v.Kind() == reflect.Struct:
		r.mapping(path, n, v)
	case v.Kind() == reflect.Slice:
		r.sequence(path, n, v)
	}
}

func (r *reader) plain(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		r.wrong(n, path, keyName(path)+" is "+kindName(n)+"; it must be a text", "write: "+lastKey(path)+": ...")
		return
	}
	if strings.TrimSpace(n.Value) == "" {
		r.wrong(n, path, keyName(path)+" has no value", "write a value behind the colon, or delete the line")
		return
	}
	v.SetString(n.Value)
}

func (r *reader) number(path string, n *yaml.Node, v reflect.Value) {
	f, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		r.wrong(n, path, keyName(path)+" is no number", "write: "+lastKey(path)+": 0.75")
		return
	}
	v.SetFloat(f)
}

// maxDuration is the longest that a duration may be: ten years.
const maxDuration = 87600 * time.Hour

func (r *reader) duration(path string, n *yaml.Node, v reflect.Value) {
	var d time.Duration
	err := errors.New("no scalar")
	if n.Kind == yaml.ScalarNode {
		d, err = time.ParseDuration(n.Value)
	}
	switch {
	case err != nil && n.Kind == yaml.ScalarNode && strings.Trim(n.Value, "0123456789") == "" && n.Value != "":
		r.wrong(n, path, keyName(path)+" lacks a unit", fmt.Sprintf("write: %s: %sm, or with s, m or h for seconds, minutes or hours", lastKey(path), clip(n.Value)))
	case err != nil && strings.HasSuffix(n.Value, "d") && strings.Trim(n.Value, "0123456789d") == "":
		r.wrong(n, path, keyName(path)+" counts in days", fmt.Sprintf("write it in hours: %s: %s", lastKey(path), inHours(n.Value)))
	case err != nil:
		r.wrong(n, path, keyName(path)+" is no duration", fmt.Sprintf("write: %s: 1h, or 90s, 15m, 72h", lastKey(path)))
	case d <= 0:
		r.wrong(n, path, keyName(path)+" must be longer than nothing", fmt.Sprintf("write: %s: 1h", lastKey(path)))
	case d > maxDuration:
		r.wrong(n, path, keyName(path)+" is longer than ten years", fmt.Sprintf("write: %s: 72h", lastKey(path)))
	default:
		v.SetInt(int64(d))
	}
}

// inHours gives a number of days in hours.
func inHours(days string) string {
	n, err := strconv.Atoi(strings.TrimSuffix(days, "d"))
	if err != nil || n < 1 || n > 3650 {
		return "24h"
	}
	return fmt.Sprintf("%dh", 24*n)
}

// maxList bounds a list, in elements.
const maxList = 1000

func (r *reader) sequence(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		r.wrong(n, path, keyName(path)+" is "+kindName(n)+"; it must be a list", "write its elements on lines that begin with '- ', or in brackets: ["+clip(r.mask(n.Value))+"]")
		return
	}
	if len(n.Content) > maxList {
		r.wrong(n, path, fmt.Sprintf("%s has more than %d elements", keyName(path), maxList), "use several servers")
		return
	}
	if len(n.Content) == 0 {
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		list.Index(i).Set(defaultOf(list.Type().Elem()))
		r.value(fmt.Sprintf("%s[%d]", path, i), c, list.Index(i))
	}
	v.Set(list)
}

func (r *reader) mapping(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		what := keyName(path)
		if path == "" {
			what = "the file"
		}
		r.wrong(n, path, what+" is "+kindName(n)+"; it must hold keys with values", "write: "+exampleKey(v.Type())+": ...")
		return
	}
	known := map[string]int{}
	for i := range v.NumField() {
		known[keyOf(v.Type().Field(i))] = i
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		name := join(path, key.Value)
		field, ok := known[key.Value]
		switch first := seen[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			r.wrong(key, path, "a key must be a word", "write: "+exampleKey(v.Type())+": ...")
		case first != nil:
			r.wrong(key, name, fmt.Sprintf("%q stands twice, first on line %d", clip(key.Value), first.Line), "delete one of them")
		case !ok:
			r.unknownKey(key, val, path, v.Type())
		default:
			seen[key.Value] = key
			r.value(name, val, v.Field(field))
		}
	}
	r.required(path, n, v, seen)
}

// required demands the keys without which the others mean nothing.
func (r *reader) required(path string, n *yaml.Node, v reflect.Value, seen map[string]*yaml.Node) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := keyOf(f)
		if f.Tag.Get("required") != "" && seen[name] == nil {
			r.wrong(n, path, keyName(path)+" has no "+name, "write: "+name+": "+exampleOf(f))
		}
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := keyOf(f)
		val := r.at[join(path, name)]
		if words := f.Tag.Get("enum"); words != "" && seen[name] != nil && val != nil && val.Kind == yaml.ScalarNode && strings.TrimSpace(val.Value) != "" {
			r.oneOf(join(path, name), val, strings.Split(words, ","))
		}
	}
}

func (r *reader) oneOf(path string, n *yaml.Node, words []string) {
	if slices.Contains(words, n.Value) {
		return
	}
	hint := "write one of: " + strings.Join(words, ", ")
	if near := nearest(n.Value, words); near != "" {
		hint = fmt.Sprintf("write: %s: %s (known are %s)", lastKey(path), near, strings.Join(words, ", "))
	}
	r.wrong(n, path, fmt.Sprintf("%s %q is not known", keyName(path), clip(n.Value)), hint)
}

// unknownKey refuses a key: silently ignored, it would be a setting that its
// writer believes in.
func (r *reader) unknownKey(key, val *yaml.Node, path string, t reflect.Type) {
	name := join(path, clip(key.Value))
	if secretKey(key.Value) && (val.Kind != yaml.ScalarNode || val.Value != "") {
		r.clear[path] = true
		r.wrong(key, name, fmt.Sprintf("%s holds a secret in clear", keyName(name)),
			"take it out of the file (and replace it at the provider, if others have read the file); write client_secret_env: NAME of an environment variable, or client_secret_file: PATH of a file that only its owner may read")
		return
	}
	names := keysOf(t)
	hint := "known here are " + strings.Join(names, ", ")
	if near := nearest(key.Value, names); near != "" {
		hint = "did you mean " + near + "?"
	} else if where := elsewhere(key.Value); where != "" {
		hint = key.Value + " belongs under " + where
	}
	r.wrong(key, name, fmt.Sprintf("the key %q is not known", clip(r.mask(key.Value))), hint)
}

// keyOf gives the key of a field.
func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}

// keysOf lists the keys of a struct, in its order.
func keysOf(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, keyOf(t.Field(i)))
	}
	return names
}

// elsewhere gives the key under which a key would be known.
func elsewhere(key string) string {
	for under, t := range map[string]reflect.Type{
		"the top of the file": reflect.TypeFor[Config](), "an element of providers": reflect.TypeFor[Provider](), "admin": reflect.TypeFor[Admin](),
		"an element of sources": reflect.TypeFor[Source](), "cases": reflect.TypeFor[Cases](), "log": reflect.TypeFor[Log](),
	} {
		if names := keysOf(t); slices.Contains(names, key) && key != "kind" {
			return under
		}
	}
	return ""
}

// nearest gives the word that key was probably meant to be, or nothing.
func nearest(key string, words []string) string {
	key = strings.ToLower(clip(key))
	best, least := "", 3
	if len(key) <= 4 {
		least = 2
	}
	for _, w := range words {
		a := strings.ReplaceAll(strings.ReplaceAll(key, "-", ""), "_", "")
		b := strings.ReplaceAll(w, "_", "")
		if a == b || a+"s" == b || a == b+"s" {
			return w
		}
		if d := distance(key, w); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance counts the characters to insert, delete, replace or swap to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range y {
		rows[0][j+1] = j + 1
	}
	for i := range x {
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			d := min(rows[i][j+1]+1, rows[i+1][j]+1, rows[i][j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				d = min(d, rows[i-1][j-1]+1)
			}
			rows[i+1][j+1] = d
		}
	}
	return rows[len(x)][len(y)]
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// keyName gives a path as a message names it.
func keyName(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a set of keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "empty"
		}
		return "a single value"
	}
	return "something else"
}

func exampleKey(t reflect.Type) string { return keyOf(t.Field(0)) }

func exampleOf(f reflect.StructField) string {
	if words := f.Tag.Get("enum"); words != "" {
		first, _, _ := strings.Cut(words, ",")
		return first
	}
	switch keyOf(f) {
	case "path":
		return "/var/log/keycloak.log"
	case "name":
		return "shop"
	case "client_id":
		return "usher"
	}
	return "..."
}

// clip shortens what somebody wrote, for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}
