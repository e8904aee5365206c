package evidence

import "usher"

// FromClient makes evidence of what a provider knows of a client. provider is
// its kind ("keycloak"), place says where it was looked up.
func FromClient(c *usher.Client, provider, place string) Item {
	reg := &Registration{
		Provider: provider, Shape: provider + "-client", ClientID: c.ID, Name: c.Name, Place: place,
		GrantTypes: c.GrantTypes, Scopes: c.Scopes, WebOrigins: c.WebOrigins, Public: ptr(c.Public), Enabled: ptr(!c.Disabled),
	}
	for _, u := range c.RedirectURIs {
		reg.RedirectURIs = append(reg.RedirectURIs, RegisteredURI{URI: u, Place: place})
	}
	it := Item{Registration: reg, Text: "client " + c.ID}
	it.Kind, it.Provider, it.Place = usher.KindRegistration, provider, place
	name := c.Name
	if name == "" {
		name = c.ID
	}
	it.Summary = summary("registration of " + name + " (" + reg.Shape + ") with " + itoa(len(reg.RedirectURIs)) + " redirect URIs")
	registrationFacts(&it, reg)
	it.derive()
	settings(reg, c, place)
	return it
}

// settings adds what checks ask of a client beside what an explanation does.
func settings(reg *Registration, c *usher.Client, place string) {
	reg.DefaultScopes, reg.FullScope = c.DefaultScopes, ptr(c.FullScope)
	reg.PKCERequired = ptr(c.PKCE != "")
	if c.AuthMethod != "" {
		reg.AuthMethods = []string{c.AuthMethod}
	}
	if !c.SecretCreated.IsZero() || !c.SecretExpires.IsZero() {
		reg.Credentials = append(reg.Credentials, Credential{Kind: "secret", Starts: c.SecretCreated, Expires: c.SecretExpires, Place: place})
	}
	reg.Known = []string{"RedirectURIs", "GrantTypes", "WebOrigins"}
}
