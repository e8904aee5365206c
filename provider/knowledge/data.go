package knowledge

import (
	"slices"
	"strings"
)

// providers are all that anything is known of, generic last: where two patterns
// fit an issuer, the first counts.
var providers = []*Provider{
	entra, google, okta, auth0, cognito, github, gitlab, apple, salesforce, slack, keycloak, ping, adfs, generic,
}

// All gives every provider, generic last. They are shared: read only.
func All() []*Provider { return slices.Clone(providers) }

// Named gives what is known of a provider by its name, or generic.
func Named(name string) *Provider {
	for _, p := range providers {
		if strings.EqualFold(p.Name, name) {
			return p
		}
	}
	return generic
}

// Of gives what is known of the provider with an issuer, or generic. A
// placeholder such as {tenantid} counts as a segment.
func Of(issuer string) *Provider {
	rest := issuer
	if i := strings.Index(issuer, "://"); i >= 0 {
		rest = issuer[i+3:]
	}
	rest = strings.TrimSuffix(strings.ToLower(rest), "/")
	if rest == "" || len(rest) > 2048 {
		return generic
	}
	for _, p := range providers {
		for _, pattern := range p.Issuers {
			if fits(pattern, rest) {
				return p
			}
		}
	}
	return generic
}

// fits matches text against a pattern whose stars stand for one and more
// characters that are no slash.
func fits(pattern, text string) bool {
	for {
		i := strings.IndexByte(pattern, '*')
		if i < 0 {
			return pattern == text
		}
		if !strings.HasPrefix(text, pattern[:i]) {
			return false
		}
		pattern, text = pattern[i+1:], text[i:]
		end := strings.IndexByte(text, '/')
		if end < 0 {
			end = len(text)
		}
		if j := strings.IndexByte(pattern, '*'); j < 0 && !strings.Contains(pattern, "/") {
			// The last star of a segment: what is behind it must end the text.
			return end == len(text) && len(text) > len(pattern) && strings.HasSuffix(text, pattern)
		}
		// Up to the next literal, which is looked for within this segment.
		next := pattern
		if j := strings.IndexByte(pattern, '*'); j >= 0 {
			next = pattern[:j]
		}
		if next == "" {
			return false // two stars in a row are no pattern of ours
		}
		head, _, _ := strings.Cut(next, "/")
		if head == "" { // the star ends its segment
			if end == 0 {
				return false
			}
			text = text[end:]
			continue
		}
		k := strings.LastIndex(text[:end], head)
		if k < 1 {
			return false
		}
		text = text[k:]
	}
}
