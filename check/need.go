package check

// Need names evidence that a check cannot do without.
type Need string

// The needs. How each is met stands in Needs.
const (
	NeedNothing        Need = ""
	NeedDiscovery      Need = "discovery"
	NeedKeys           Need = "jwks"
	NeedToken          Need = "token"
	NeedRegistration   Need = "registration"
	NeedCredentials    Need = "secret-metadata" // of a registration's secrets and certificates
	NeedAuthRequest    Need = "authz-request"
	NeedAuthResponse   Need = "authz-response"
	NeedTokenRequest   Need = "token-request"
	NeedTokenResponse  Need = "token-response"
	NeedAPIRequest     Need = "resource-request"
	NeedAPIResponse    Need = "resource-response"
	NeedIntrospection  Need = "introspection-response"
	NeedLogs           Need = "logs"
	NeedHeaders        Need = "http-headers"
	NeedTLS            Need = "tls"
	NeedResource       Need = "prm"  // protected resource metadata, RFC 9728
	NeedClientDocument Need = "cimd" // client id metadata document
	NeedDCR            Need = "dcr-response"
	NeedNetwork        Need = "network"  // the provider, over the network
	NeedIssuer         Need = "issuer"   // the issuer that was asked for
	NeedHistory        Need = "history"  // an earlier look
	NeedProbe          Need = "probe"    // leave to ask: --probe
	NeedChange         Need = "change"   // leave to make and undo something: --probe --change
	NeedClient         Need = "client"   // --client-id, for probes
	NeedSettings       Need = "settings" // configuration of the client's own software
	NeedPolicy         Need = "policy"   // what the operator expects: --expect
)

// Means says what a need is for a person, and how to meet it.
type Means struct{ What, How string }

// Needs says how each need is met.
var Needs = map[Need]Means{
	NeedDiscovery:      {"the provider's discovery document", "give its issuer, or the file: curl -s ISSUER/.well-known/openid-configuration > discovery.json"},
	NeedKeys:           {"the provider's keys", "give its issuer, or the file: curl -s JWKS_URI > jwks.json"},
	NeedToken:          {"a token", "give a file with a token, or the answer of the token endpoint; it is masked everywhere"},
	NeedRegistration:   {"the client's registration", "export it at the provider (Entra: the app's manifest; Keycloak: Clients, Export; Okta and Auth0: the API's answer) and give the file"},
	NeedCredentials:    {"the dates of the client's secrets", "export the registration with its credentials (Entra: the manifest's passwordCredentials)"},
	NeedAuthRequest:    {"an authorization request", "give the address that the browser is sent to, or a HAR of the sign-in"},
	NeedAuthResponse:   {"the answer of the authorization endpoint", "give the address that the browser comes back to, or a HAR of the sign-in"},
	NeedTokenRequest:   {"a token request", "give it as a curl command or in a HAR; secrets in it are masked"},
	NeedTokenResponse:  {"the answer of the token endpoint", "give its JSON, or a HAR; tokens in it are masked"},
	NeedAPIRequest:     {"a call of the API", "give it as a curl command or in a HAR"},
	NeedAPIResponse:    {"the answer of the API", "give it with its headers (curl -i) or in a HAR"},
	NeedIntrospection:  {"an answer of the introspection endpoint", "give its JSON, with headers where they matter"},
	NeedLogs:           {"sign-in or access logs", "export the provider's sign-in log for the client and give the file"},
	NeedHeaders:        {"the headers of an answer", "give it with its headers (curl -i), or check the provider over the network"},
	NeedTLS:            {"a look at the connection", "check the provider over the network: usher check ISSUER"},
	NeedResource:       {"the API's resource metadata", "give its address with --resource, or the file"},
	NeedClientDocument: {"the client's metadata document", "give its address as --client-id, or the file"},
	NeedDCR:            {"the answer of the registration endpoint", "give its JSON"},
	NeedNetwork:        {"the provider itself", "check it over the network: usher check ISSUER"},
	NeedIssuer:         {"the issuer that the client is configured with", "give it as the first argument, or with --issuer"},
	NeedHistory:        {"an earlier look", "run usher watch ISSUER on a schedule"},
	NeedProbe:          {"leave to ask the provider", "add --probe (and --client-id): usher says what it sends before it does"},
	NeedChange:         {"leave to make something and undo it", "add --probe --change: usher asks before it does"},
	NeedClient:         {"the client to ask for", "add --client-id"},
	NeedSettings:       {"the configuration of the client's software", "give the file with its settings"},
	NeedPolicy:         {"what you expect", "give --expect FILE: audiences, tenants, lifetimes, roles"},
}
