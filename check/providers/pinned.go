package providers

import (
	"strings"

	"usher"
	"usher/check"
)

var keysPinned = &check.Check{
	ID: "federation-keys-pinned", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The provider's keys are fetched, not written down",
	Judged: "The settings of the client's software are looked through for a key or certificate of the provider in place of its issuer or jwks_uri; and registrations for keys of the client that stand there in place of an address.",
	Cause:  "token-key-not-found",
	Step:   usher.StepValidation, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Give the software the issuer or the jwks_uri in place of the key, so that it takes part in rotations."),
	},
	References: []string{"OpenID Connect Core section 10.1.1"},
	Judge:      func(t *check.Target) []check.Verdict { return check.Only(pinned(t)) },
}

func pinned(t *check.Target) check.Verdict {
	fetches := ""
	for _, f := range t.Settings {
		text := strings.ToLower(f.Quote + " " + f.Key + " " + f.Value)
		if holdsProviderKey(text) {
			return check.Wrong("A key of the provider is written down in the settings", "At the provider's next rotation every token is refused, and until somebody changes the settings.",
				usher.Proof{Place: f.Place, Quote: check.Clip(f.Quote, 120), Expected: "issuer or jwks_uri"})
		}
		for _, sign := range [...]string{"jwks", "issuer", "authority", "discovery", "well-known"} {
			if strings.Contains(text, sign) {
				fetches = f.Place
			}
		}
	}
	for _, r := range t.Registrations {
		if r.KeysURI != "" || r.ClientID == "" {
			continue
		}
		for _, k := range t.KeySets {
			if k.Client == r.ClientID && k.KeySet != nil && len(k.Keys) > 0 {
				return check.Wrong("The client's keys stand in its registration in place of an address", "When the client changes its key somebody must change the registration in the same moment, or its assertions are refused.",
					usher.Proof{Place: k.Place, Quote: keyCount(k) + " of the client in the registration", Expected: "jwks_uri"}).
					Of(r.ClientID).As(usher.SeverityLow).Because("client-assertion-invalid").
					Do("Let the client publish its keys, and register their address (jwks_uri) in place of the keys.")
			}
		}
	}
	if fetches != "" {
		return check.OK("", usher.Proof{Place: fetches, Quote: "the settings name an issuer or a key set"})
	}
	if len(t.Settings) == 0 {
		return check.Unknown(check.NeedSettings, "")
	}
	return check.Unknown(check.NeedSettings, "the settings that were given do not say where the keys come from")
}

// holdsProviderKey tells whether a setting, in small letters, holds a key that
// tokens are verified with: it names a key or certificate, and something of
// tokens. Keys of other things (push messages, captchas, TLS) are none.
func holdsProviderKey(text string) bool {
	key, tokens := false, false
	for _, sign := range [...]string{"begin public key", "begin certificate", "begin rsa public key", "public_key", "public-key", "publickey", "issuersigningkey", "signing_cert", "signing-cert", "jwt_cert"} {
		key = key || strings.Contains(text, sign)
	}
	for _, sign := range [...]string{"jwt", "token", "oidc", "oauth", "issuer", "realm", "signing", "idp", "keycloak", "auth0", "okta"} {
		tokens = tokens || strings.Contains(text, sign)
	}
	for _, sign := range [...]string{"uri", "url", "publickeytoken", "saml"} {
		key = key && !strings.Contains(text, sign)
	}
	return key && tokens
}
