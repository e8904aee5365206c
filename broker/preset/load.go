package preset

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

	"usher"
)

//go:embed data
var files embed.FS

// all parses the presets when the first one is asked for. A defect in them is a
// defect of the program, which the linter's tests find; here it loses the preset
// and no more.
var all = sync.OnceValue(func() []*Preset {
	presets, _ := load(files)
	return presets
})

// All gives every preset, by name. Nobody changes what it gives.
func All() []*Preset { return all() }

// TakesJSON tells of a token endpoint that a preset says it takes its requests as
// JSON.
func TakesJSON(endpoint string) bool { return slices.Contains(jsonEndpoints(), endpoint) }

var jsonEndpoints = sync.OnceValue(func() (endpoints []string) {
	for _, p := range all() {
		if p.Body == "json" {
			endpoints = append(endpoints, p.tokenEndpoints()...)
		}
	}
	return endpoints
})

// tokenEndpoints gives each address that the choices of a preset make.
func (p *Preset) tokenEndpoints() []string {
	made := []string{p.Endpoints.Token}
	for _, v := range p.Values {
		var next []string
		for _, address := range made {
			for _, c := range v.Choices {
				next = append(next, put(address, c.Set))
			}
		}
		made = next
	}
	return made
}

// Named gives a preset, or an *usher.Error that names those that are nearest.
func Named(name string) (*Preset, error) {
	var near []string
	for _, p := range all() {
		if p.Name == name {
			return p, nil
		}
		if strings.Contains(p.Name, name) && name != "" || strings.HasPrefix(p.Name, firstWord(name)) {
			near = append(near, p.Name)
		}
	}
	hint := "usher connections presets lists them; --issuer URL takes every provider that publishes its metadata"
	if len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return nil, &usher.Error{Code: usher.ErrNotFound, Message: "preset: there is none of the name " + strconv.Quote(clip(name)), Hint: hint}
}

func firstWord(name string) string {
	word, _, _ := strings.Cut(name, "-")
	if len(word) < 3 {
		return "\x00" // nothing is near
	}
	return word
}

// load reads every file of data, and tells which cannot be read.
func load(from fs.FS) (presets []*Preset, problems []error) {
	entries, err := fs.ReadDir(from, "data")
	if err != nil {
		return nil, []error{err}
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".yaml")
		if !ok {
			continue
		}
		text, err := fs.ReadFile(from, "data/"+e.Name())
		if err == nil {
			var p *Preset
			if p, err = parse(name, text); err == nil {
				presets = append(presets, p)
				continue
			}
		}
		problems = append(problems, fmt.Errorf("data/%s: %w", e.Name(), err))
	}
	slices.SortFunc(presets, func(a, b *Preset) int { return strings.Compare(a.Name, b.Name) })
	return presets, problems
}

// parse reads one preset. A field that it does not know is an error.
func parse(name string, text []byte) (*Preset, error) {
	p := &Preset{Name: name}
	if err := yaml.Load(text, p, yaml.WithKnownFields()); err != nil {
		return nil, err
	}
	return p, nil
}

// UnmarshalText reads "90d", "30m", "36h".
func (s *Span) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n <= 0 || n > 10000 {
			return fmt.Errorf("%q is no number of days", clip(string(text)))
		}
		*s = Span(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no time, write 90d, 8h or 30m", clip(string(text)))
	}
	*s = Span(d)
	return nil
}

// MarshalText writes whole days as days.
func (s Span) MarshalText() ([]byte, error) {
	d := time.Duration(s)
	if d > 0 && d%(24*time.Hour) == 0 {
		return append(strconv.AppendInt(nil, int64(d/(24*time.Hour)), 10), 'd'), nil
	}
	return []byte(d.String()), nil
}

func clip(s string) string {
	const most = 80
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
