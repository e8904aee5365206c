package oauth

// RedirectRule is how one provider compares redirect URIs and what it lets be
// registered. The zero value compares byte for byte.
type RedirectRule struct {
	Provider string // "entra"; "standard" for the rule of the RFCs
	Words    string // how to speak of the rule: "by Entra's rule", "by the standard"
}

// RedirectRuleFor gives the rule of a provider by its short name ("entra",
// "keycloak"). An unknown provider gets the standard's rule.
func RedirectRuleFor(provider string) RedirectRule { return RedirectRule{} }
