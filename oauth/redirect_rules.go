package oauth

import "strings"

// RedirectRule is how one provider compares redirect URIs, as flags. The zero
// value compares byte for byte and forgives nothing; every flag is a departure
// from that.
type RedirectRule struct {
	Name string // the provider's key: entra, google, okta ... or standard
	// Unknown is the provider that was asked for and has no rule, so that the
	// standard judges.
	Unknown string

	// What a request may differ in.

	LoopbackPort         LoopbackHosts    // hosts whose port is not compared (RFC 8252 section 7.3)
	LoopbackPortless     bool             // ... only while the entry names no port
	LoopbackTLS          bool             // ... over https too
	NativeLoopback       bool             // a native app may depart in scheme, loopback name and port
	Wildcard             RedirectWildcard // what a star, or an entry, stands for
	Placeholders         bool             // {organization_name} in an entry is filled in
	DecodesAgain         bool             // the value is decoded once more, so that an entry with an escape never matches
	UnregisteredLoopback LoopbackClients  // clients that need no entry for a loopback address
	OutOfBand            OutOfBandRule    // what becomes of urn:ietf:wg:oauth:2.0:oob

	// What a request must have.

	Needed   bool // redirect_uri is needed even where one entry alone is registered
	Optional bool // redirect_uri may always be left out
	ValidURI bool // a request that is no valid URI is refused, even where a star would cover it

	PlatformTypes bool // the type of an entry decides who may redeem the code

	// What may be registered.

	MaxLength            int    // characters of an entry; 0 is no limit
	ForbiddenCharacters  string // characters that no entry may have
	NoFragment           bool   // RFC 6749 section 3.1.2
	NoUserinfo           bool
	NoDotSegments        bool
	NoIP                 bool // no address in place of a name; loopback is not meant
	NoLoopback           bool
	NoIPv6Loopback       bool
	HTTPForLoopbackOnly  bool // http is for this machine, everything else is https
	NoWildcard           bool
	WildcardSetting      bool // a star needs WildcardRedirect = SUBDOMAIN
	OneWildcard          bool // at most one star
	NoPersonalWildcard   bool // no star when personal accounts may sign in
	NoPersonalQuery      bool // no query when personal accounts may sign in
	ThirdPartyExact      bool // a third-party app has no stars
	NotRegistrableDomain bool // a star may not stand for a whole registrable domain
}

// LoopbackHosts are the hosts that a loopback exception covers.
type LoopbackHosts string

// Kinds of LoopbackHosts; the empty one is none.
const (
	LoopbackIP    LoopbackHosts = "ip"    // 127.0.0.0/8 and [::1], as RFC 8252 section 7.3 has it
	LoopbackNames LoopbackHosts = "names" // these and localhost
)

// LoopbackClients are clients that may use a loopback address unregistered.
type LoopbackClients string

// Kinds of LoopbackClients; the empty one is none.
const (
	LoopbackDesktop LoopbackClients = "desktop" // RedirectContext.ClientType desktop
	LoopbackPublic  LoopbackClients = "public"  // public clients without any entry
)

// OutOfBandRule is what becomes of the out-of-band value of old native apps.
type OutOfBandRule string

// Kinds of OutOfBandRule; the empty one is to compare it as any other value.
const (
	OutOfBandOff    OutOfBandRule = "off"
	OutOfBandPublic OutOfBandRule = "public" // allowed to public clients without any entry
)

// RedirectWildcard is what an entry covers beside itself.
type RedirectWildcard string

// Kinds of RedirectWildcard; the empty one is nothing.
const (
	WildcardLabel    RedirectWildcard = "leftmost-label" // a star in the first label of the host
	WildcardTrailing RedirectWildcard = "trailing"       // a star at the end
	WildcardGlob     RedirectWildcard = "glob"           // * within a segment, ** across
	WildcardPrefix   RedirectWildcard = "prefix"         // sub-domains and deeper paths, without a star
)

// redirectRules has a rule for each provider whose documentation, tests or
// source were read, or whose habits are known.
var redirectRules = [...]RedirectRule{
	{Name: "standard", LoopbackPort: LoopbackIP, NoFragment: true},
	{
		Name: "entra", LoopbackPort: LoopbackNames, Wildcard: WildcardLabel, PlatformTypes: true,
		MaxLength: 256, ForbiddenCharacters: "!$'(),;", NoFragment: true, NoIPv6Loopback: true, HTTPForLoopbackOnly: true,
		NoPersonalWildcard: true, NoPersonalQuery: true,
	},
	{
		Name: "google", UnregisteredLoopback: LoopbackDesktop, OutOfBand: OutOfBandOff, Needed: true,
		NoFragment: true, NoUserinfo: true, NoDotSegments: true, NoIP: true, HTTPForLoopbackOnly: true, NoWildcard: true,
	},
	{Name: "okta", Wildcard: WildcardLabel, WildcardSetting: true, NoFragment: true},
	{
		Name: "auth0", Wildcard: WildcardLabel, Placeholders: true, NoFragment: true,
		OneWildcard: true, ThirdPartyExact: true, NotRegistrableDomain: true,
	},
	{Name: "keycloak", LoopbackPort: LoopbackNames, LoopbackPortless: true, Wildcard: WildcardTrailing, ValidURI: true},
	{Name: "github", LoopbackPort: LoopbackIP, Wildcard: WildcardPrefix, Optional: true, NoFragment: true},
	{Name: "gitlab", LoopbackPort: LoopbackIP, NoFragment: true},
	{Name: "cognito", HTTPForLoopbackOnly: true, NoFragment: true},
	{Name: "apple", NoLoopback: true, NoIP: true, HTTPForLoopbackOnly: true, NoFragment: true},
	{Name: "salesforce", HTTPForLoopbackOnly: true, NoFragment: true},
	{Name: "spring", LoopbackPort: LoopbackIP, LoopbackTLS: true, NoFragment: true},
	{Name: "dex", UnregisteredLoopback: LoopbackPublic, OutOfBand: OutOfBandPublic},
	{Name: "zitadel", NativeLoopback: true, Wildcard: WildcardGlob, DecodesAgain: true, Needed: true},
	{Name: "fosite", LoopbackPort: LoopbackIP, NoFragment: true},
}

// redirectRuleAliases are other names of the same comparison.
var redirectRuleAliases = [...][2]string{
	{"hydra", "fosite"},
	{"ory", "fosite"},
	{"doorkeeper", "gitlab"},
	{"spring-authorization-server", "spring"},
	{"azure", "entra"},
	{"azuread", "entra"},
	{"microsoft", "entra"},
	{"microsoft-entra", "entra"},
	{"rfc", "standard"},
	{"oidc", "standard"},
	{"", "standard"},
}

// RedirectRuleFor gives the rule of a provider, named as the catalog names it
// (case does not count). An unknown provider is judged by the standard, and
// the explanation says so.
func RedirectRuleFor(provider string) RedirectRule {
	name := strings.ToLower(strings.TrimSpace(provider))
	for _, alias := range redirectRuleAliases {
		if alias[0] == name {
			name = alias[1]
			break
		}
	}
	for _, rule := range redirectRules {
		if rule.Name == name {
			return rule
		}
	}
	standard := redirectRules[0]
	standard.Unknown = name
	return standard
}
