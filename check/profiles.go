package check

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"usher"
)

//go:embed data/profiles.yaml
var profilesYAML []byte

// profiles are read when they are first asked for: a start of the program
// reads none.
var profiles = sync.OnceValues(func() ([]*Profile, error) {
	dec := yaml.NewDecoder(bytes.NewReader(profilesYAML))
	dec.KnownFields(true)
	var list []*Profile
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("read the profiles: %w", err)
	}
	return list, nil
})

// Profiles gives every profile, the default first. They are shared: read only.
func Profiles() []*Profile {
	list, err := profiles()
	if err != nil {
		// A test reads the file that is built in: it cannot be broken here.
		return []*Profile{{Name: "default"}}
	}
	return list
}

// ProfileNamed gives a profile by its name; the empty name is the default. The
// error, a *usher.Error, names the profile that was probably meant.
func ProfileNamed(name string) (*Profile, error) {
	list := Profiles()
	if name == "" {
		return list[0], nil
	}
	names := make([]string, len(list))
	for i, p := range list {
		if p.Name == name {
			return p, nil
		}
		names[i] = p.Name
	}
	hint := "known are " + strings.Join(names, ", ")
	if near := Nearest(name, names); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return nil, &usher.Error{Code: usher.ErrUsage, Message: fmt.Sprintf("there is no profile %q", clip(name, 40)), Hint: hint}
}

// Nearest gives the word that name was probably meant to be, or nothing.
// Letter case, and what stands between letters, count little.
func Nearest(name string, words []string) string {
	best, least := "", 1<<30
	a := plain(clip(name, 60))
	for _, word := range words {
		b := plain(word)
		d := distance(a, b)
		if a != "" && (strings.HasPrefix(b, a) || strings.HasPrefix(a, b)) {
			d = min(d, 1)
		}
		if d < least && d <= max(2, len(b)/3) {
			best, least = word, d
		}
	}
	return best
}

// plain leaves letters and digits, in small letters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, s)
}

// distance counts the letters to put in, take out, change or swap.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "..."
	}
	return s
}

// Counts tells whether a check counts in this profile.
func (p *Profile) Counts(id string) bool { return !slices.Contains(p.Skips, id) }
