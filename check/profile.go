package check

import "usher"

// Profile is a standard or a recommendation that a configuration is held to, as
// data: which checks it demands, and how much they weigh in it.
type Profile struct {
	Name       string   `yaml:"name"`  // "oauth2.1"
	Title      string   `yaml:"title"` // "OAuth 2.1"
	Says       string   `yaml:"says"`  // whom it is for, a sentence or two
	References []string `yaml:"references"`
	// Requires are ids of checks that must be ok.
	Requires []string `yaml:"requires"`
	// Severity sets the severity of checks in this profile.
	Severity map[string]usher.Severity `yaml:"severity"`
	// Skips are ids of checks that do not count in this profile.
	Skips []string `yaml:"skips"`
}

func (p *Profile) severity(c *Check, v *Verdict) usher.Severity {
	if s := p.Severity[c.ID]; s != "" {
		return s
	}
	if v.Severity != "" {
		return v.Severity
	}
	return c.Severity
}
