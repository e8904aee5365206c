// Package source is what we know, as it is written by hand: it reads and
// lints the data files of the catalog. The program itself runs on the form
// that gen makes of them; only gen and the tests come here.
package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"

	"usher"
)

// Examples are texts that must lead to an entry, and texts that must not.
type Examples struct {
	Match []string `yaml:"match"`
	Pass  []string `yaml:"pass"`
}

// Cause is a file of data/causes.
type Cause struct {
	Label         string            `yaml:"label"`
	Title         string            `yaml:"title"`
	Meaning       string            `yaml:"meaning"`
	Step          usher.Step        `yaml:"step"`
	Fixer         usher.Fixer       `yaml:"fixer"`
	Fix           []FixStep         `yaml:"fix"`
	Verify        string            `yaml:"verify"`
	Proof         Proof             `yaml:"proof"`
	Questions     []string          `yaml:"questions"`
	Decides       string            `yaml:"decides"`
	How           string            `yaml:"how"`
	Query         map[string]string `yaml:"query"`
	References    []string          `yaml:"references"`
	ConsequenceOf []string          `yaml:"consequence_of"`
	Reviewed      string            `yaml:"reviewed"`
	Examples      Examples          `yaml:"examples"`

	File string `yaml:"-"`
}

// Proof says which later success proves that a cause is fixed.
type Proof struct {
	Equal   []string `yaml:"equal"`   // fields of usher.FieldPaths that must equal the refusal's
	Differ  []string `yaml:"differ"`  // that must differ from it
	Applied bool     `yaml:"applied"` // only after the fix was carried out or declared
	Text    string   `yaml:"text"`    // the same for a person
	None    string   `yaml:"none"`    // why no success can prove it; then nothing else is given
}

// FixStep is one step of a fix.
type FixStep struct {
	Text string     `yaml:"text" json:"text"`
	Risk usher.Risk `yaml:"risk" json:"risk"`
}

// Code is a line of data/codes.
type Code struct {
	Code             string      `json:"code"`
	Name             string      `json:"name"`
	Meaning          string      `json:"meaning"`
	Cause            string      `json:"cause"`
	Fixer            usher.Fixer `json:"fixer"`
	Kind             string      `json:"kind"`
	OAuthError       string      `json:"oauth_error"`
	AfterFirstFactor bool        `json:"after_first_factor"`
	Confidence       float64     `json:"confidence"`
	Title            string      `json:"title"`
	Step             usher.Step  `json:"step"`
	Fix              []FixStep   `json:"fix"`
	Verify           string      `json:"verify"`
	Source           string      `json:"source"`

	// For reviewers only; gen leaves them out.
	OAuthErrorBasis string   `json:"oauth_error_basis"`
	OAuthErrorAlt   []string `json:"oauth_error_alt"`
	Suberror        string   `json:"suberror"`
	ClaimsHint      string   `json:"claims_hint"`

	Provider string `json:"-"`
	File     string `json:"-"`
	Line     int    `json:"-"`
}

// Rule is an entry of data/signatures.
type Rule struct {
	ID         string   `yaml:"id"`
	Cause      string   `yaml:"cause"`
	Fact       string   `yaml:"fact"`
	Confidence float64  `yaml:"confidence"`
	Step       string   `yaml:"step"`
	Within     int      `yaml:"within"`
	All        []Group  `yaml:"all"`
	None       Group    `yaml:"none"`
	Facts      []string `yaml:"facts"`
	Given      []string `yaml:"given"`
	Demotes    []string `yaml:"demotes"`
	Says       string   `yaml:"says"`
	Fix        string   `yaml:"fix"`
	Examples   Examples `yaml:"examples"`

	File string `yaml:"-"`
	Line int    `yaml:"-"`
}

// Group is a list of alternative patterns, written as one string or as a list.
type Group []string

// UnmarshalYAML reads both forms of a group.
func (g *Group) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*g = Group{node.Value}
		return nil
	}
	var list []string
	if err := node.Decode(&list); err != nil {
		return err
	}
	*g = list
	return nil
}

// Data is everything in the data folder.
type Data struct {
	Causes       []Cause  // by label
	Codes        []Code   // by provider, then as in the file
	Rules        []Rule   // by file, then as in the file
	KnownNumbers []string // AADSTS numbers without a description, sorted
	// Confidence is how sure a code is alone, for codes that are vaguer than
	// their provider's others: "provider/code" to 0..1.
	Confidence map[string]float64
}

// Load reads the data folder. A file that does not parse is an error that
// names the file; what parses but is wrong is for Lint.
func Load(dir fs.FS) (*Data, error) {
	d := &Data{Confidence: map[string]float64{}}
	files, err := fs.Glob(dir, "causes/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		c := Cause{File: file}
		if err := readYAML(dir, file, &c); err != nil {
			return nil, err
		}
		d.Causes = append(d.Causes, c)
	}
	sort.Slice(d.Causes, func(i, j int) bool { return d.Causes[i].Label < d.Causes[j].Label })
	if files, err = fs.Glob(dir, "codes/*.jsonl"); err != nil {
		return nil, err
	}
	for _, file := range files {
		if err := d.loadCodes(dir, file); err != nil {
			return nil, err
		}
	}
	if files, err = fs.Glob(dir, "signatures/*.yaml"); err != nil {
		return nil, err
	}
	for _, file := range files {
		if err := d.loadRules(dir, file); err != nil {
			return nil, err
		}
	}
	if err := readYAML(dir, "codes/confidence.yaml", &d.Confidence); err != nil {
		return nil, err
	}
	return d, d.loadKnownNumbers(dir)
}

func readYAML(dir fs.FS, file string, into any) error {
	data, err := fs.ReadFile(dir, file)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (d *Data) loadCodes(dir fs.FS, file string) error {
	data, err := fs.ReadFile(dir, file)
	if err != nil {
		return err
	}
	provider := strings.TrimSuffix(path.Base(file), ".jsonl")
	owner, _, _ := strings.Cut(provider, "-") // entra-suberror and entra-seen are Entra's
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		c := Code{Provider: owner, File: file, Line: n}
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
		if strings.HasSuffix(provider, "-suberror") {
			c.Code = "suberror:" + c.Code
		}
		d.Codes = append(d.Codes, c)
	}
	return lines.Err()
}

func (d *Data) loadRules(dir fs.FS, file string) error {
	data, err := fs.ReadFile(dir, file)
	if err != nil {
		return err
	}
	var nodes []yaml.Node
	if err := yaml.Unmarshal(data, &nodes); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var rules []Rule
	if err := readYAML(dir, file, &rules); err != nil {
		return err
	}
	for i := range rules {
		rules[i].File = file
		if i < len(nodes) {
			rules[i].Line = nodes[i].Line
		}
	}
	d.Rules = append(d.Rules, rules...)
	return nil
}

func (d *Data) loadKnownNumbers(dir fs.FS) error {
	data, err := fs.ReadFile(dir, "codes/entra-known-codes.txt")
	if err != nil {
		return err
	}
	for _, field := range strings.Fields(string(data)) {
		number := strings.TrimPrefix(strings.Trim(field, ","), "AADSTS")
		if number != "" && strings.Trim(number, "0123456789") == "" {
			d.KnownNumbers = append(d.KnownNumbers, number)
		}
	}
	sort.Strings(d.KnownNumbers)
	return nil
}
