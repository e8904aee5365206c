package evidence

import "usher"

// FromClient makes evidence of what a provider knows of a client. provider is
// its kind ("keycloak"), place says where it was looked up.
func FromClient(c *usher.Client, provider, place string) Item {
	reg := &Registration{
		Provider: provider, Shape: provider + "-client", ClientID: c.ID, Name: c.Name, Place: place,
		GrantTypes: c.GrantTypes, Scopes: c.Scopes, Public: ptr(c.Public), Enabled: ptr(!c.Disabled),
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
	return it
}
