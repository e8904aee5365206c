package report

import (
	"strconv"
	"strings"

	"usher"
)

// sureness says a confidence in a word. The words keep to the contract:
// "likely" begins where an answer counts as answered.
func sureness(confidence float64) string {
	switch {
	case confidence >= 0.95:
		return "certain"
	case confidence >= 0.5:
		return "likely"
	}
	return "possible"
}

func number(confidence float64) string {
	return strconv.FormatFloat(confidence, 'f', 2, 64)
}

// whoFixes is the sentence of the headline.
func whoFixes(f usher.Fixer) string {
	switch f {
	case usher.FixerUser:
		return "The person who signs in can fix it."
	case usher.FixerDeveloper:
		return "The app's developer can fix it."
	case usher.FixerTenantAdmin:
		return "The tenant's administrator can fix it."
	case usher.FixerProvider:
		return "Only the identity provider can fix it."
	case usher.FixerNobody:
		return "Nobody has to fix anything."
	}
	return ""
}

// FixerName is who fixes something, in a few words for the end of a sentence.
func FixerName(f usher.Fixer) string {
	switch f {
	case usher.FixerUser:
		return "the user"
	case usher.FixerDeveloper:
		return "the developer"
	case usher.FixerTenantAdmin:
		return "the tenant's administrator"
	case usher.FixerProvider:
		return "the provider"
	case usher.FixerNobody:
		return "nobody"
	}
	return label(string(f))
}

func fixerLong(f usher.Fixer) string {
	switch f {
	case usher.FixerUser:
		return "The user: the person who signs in."
	case usher.FixerDeveloper:
		return "The developer: whoever owns the app's code, its configuration or its host."
	case usher.FixerTenantAdmin:
		return "The tenant's administrator: whoever runs the provider's tenant, realm or organisation."
	case usher.FixerProvider:
		return "The identity provider itself."
	case usher.FixerNobody:
		return "Nobody: this is a normal step, or it passes by itself."
	}
	return ""
}

// StepName is a step as a person says it.
func StepName(s usher.Step) string {
	switch s {
	case usher.StepRegistration, usher.StepDiscovery, usher.StepConsent, usher.StepRefresh:
		return string(s)
	case usher.StepSignIn:
		return "sign-in"
	case usher.StepSignOut:
		return "sign-out"
	case usher.StepAPICall:
		return "API call"
	}
	return label(strings.ReplaceAll(string(s), "-", " "))
}

// stateWords says what is known of a step; anything unheard of counts as
// unknown, never as passed.
func stateWords(state string) (mark, words string) {
	switch state {
	case usher.FlowPassed:
		return "✓", "passed"
	case usher.FlowFailed:
		return "✗", "failed"
	case usher.FlowNotReached:
		return "·", "not reached"
	}
	return "?", "not seen"
}

func kindName(k usher.EvidenceKind) string {
	switch k {
	case usher.KindHAR:
		return "browser recording (HAR)"
	case usher.KindToken:
		return "token"
	case usher.KindKeySet:
		return "key set"
	case usher.KindExchange:
		return "HTTP exchange"
	case usher.KindRedirectURL:
		return "redirect URL"
	case usher.KindChallenge:
		return "WWW-Authenticate header"
	}
	return label(strings.ReplaceAll(string(k), "-", " "))
}

// ProviderName is a provider as it calls itself.
func ProviderName(s string) string {
	switch s {
	case "usher":
		return s
	case "entra":
		return "Microsoft Entra ID"
	case "cognito":
		return "Amazon Cognito"
	case "github":
		return "GitHub"
	case "gitlab":
		return "GitLab"
	case "paypal":
		return "PayPal"
	case "linkedin":
		return "LinkedIn"
	case "onelogin":
		return "OneLogin"
	case "ibm":
		return "IBM"
	case "rfc":
		return "RFC"
	case "oidc":
		return "OpenID Connect"
	}
	return capital(label(s))
}

// Capital begins a sentence with a capital letter, unless it begins with a name
// that is written otherwise: a code, a member, an address.
func Capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	word, _, _ := strings.Cut(s, " ")
	if strings.ContainsAny(strings.TrimRight(word, ".,:;!?"), "_.:/=@") {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

func capital(s string) string { return Capital(s) }

// Weakening tells whether a step is marked as one that weakens security: one
// that says what not to do is not.
func Weakening(s usher.FixStep) bool {
	return s.Risk == usher.RiskWeakening && !strings.HasPrefix(s.Text, "Do not ") && !strings.HasPrefix(s.Text, "Never ")
}

// sentence ends a line with a full stop, unless it ends with one already.
func sentence(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".?!:") {
		return s
	}
	return s + "."
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
