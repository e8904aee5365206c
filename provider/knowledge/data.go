package knowledge

// generic is the provider that nothing is known of.
var generic = &Provider{Name: "generic", Title: "an OpenID provider", Redirect: "standard"}

// Named gives what is known of a provider by its name, or generic.
func Named(name string) *Provider { return generic }

// Of gives what is known of the provider with an issuer, or generic.
func Of(issuer string) *Provider { return generic }
