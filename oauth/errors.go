package oauth

// Error codes, the member or parameter error. A code that several documents
// define is listed under the first.
const (
	// RFC 6749 sections 4.1.2.1 and 5.2
	ErrInvalidRequest          = "invalid_request"
	ErrInvalidClient           = "invalid_client"
	ErrInvalidGrant            = "invalid_grant"
	ErrUnauthorizedClient      = "unauthorized_client"
	ErrUnsupportedGrantType    = "unsupported_grant_type"
	ErrUnsupportedResponseType = "unsupported_response_type"
	ErrInvalidScope            = "invalid_scope"
	ErrAccessDenied            = "access_denied"
	ErrServerError             = "server_error"
	ErrTemporarilyUnavailable  = "temporarily_unavailable"

	// RFC 6750 section 3.1
	ErrInvalidToken      = "invalid_token"
	ErrInsufficientScope = "insufficient_scope"

	// RFC 7009 section 2.2.1
	ErrUnsupportedTokenType = "unsupported_token_type"

	// RFC 7591 section 3.2.2
	ErrInvalidRedirectURI          = "invalid_redirect_uri"
	ErrInvalidClientMetadata       = "invalid_client_metadata"
	ErrInvalidSoftwareStatement    = "invalid_software_statement"
	ErrUnapprovedSoftwareStatement = "unapproved_software_statement"

	// RFC 8628 section 3.5
	ErrAuthorizationPending = "authorization_pending"
	ErrSlowDown             = "slow_down"
	ErrExpiredToken         = "expired_token"

	// RFC 8693 section 2.2.2 and RFC 8707 section 2
	ErrInvalidTarget = "invalid_target"

	// RFC 9101 section 6, RFC 9126 and OpenID Connect Core section 3.1.2.6
	ErrInvalidRequestURI               = "invalid_request_uri"
	ErrInvalidRequestObject            = "invalid_request_object"
	ErrRequestNotSupported             = "request_not_supported"
	ErrRequestURINotSupported          = "request_uri_not_supported"
	ErrRegistrationNotSupported        = "registration_not_supported"
	ErrInteractionRequired             = "interaction_required"
	ErrLoginRequired                   = "login_required"
	ErrAccountSelectionRequired        = "account_selection_required"
	ErrConsentRequired                 = "consent_required"
	ErrUnmetAuthenticationRequirements = "unmet_authentication_requirements" // OpenID Connect Core Unmet Authentication Requirements 1.0

	// RFC 9396 section 5
	ErrInvalidAuthorizationDetails = "invalid_authorization_details"

	// RFC 9449 sections 5, 8 and 9
	ErrInvalidDPoPProof = "invalid_dpop_proof"
	ErrUseDPoPNonce     = "use_dpop_nonce"

	// RFC 9470 section 3
	ErrInsufficientUserAuthentication = "insufficient_user_authentication"

	// OpenID Connect Client-Initiated Backchannel Authentication, section 13
	ErrExpiredLoginHintToken = "expired_login_hint_token"
	ErrUnknownUserID         = "unknown_user_id"
	ErrMissingUserCode       = "missing_user_code"
	ErrInvalidUserCode       = "invalid_user_code"
	ErrInvalidBindingMessage = "invalid_binding_message"
	ErrTransactionFailed     = "transaction_failed"
)

// Grant types, the parameter grant_type.
const (
	GrantAuthorizationCode = "authorization_code"                              // RFC 6749 section 4.1.3
	GrantImplicit          = "implicit"                                        // RFC 7591 section 2, never sent
	GrantPassword          = "password"                                        // RFC 6749 section 4.3.2
	GrantClientCredentials = "client_credentials"                              // RFC 6749 section 4.4.2
	GrantRefreshToken      = "refresh_token"                                   // RFC 6749 section 6
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523 section 2.1
	GrantSAML2Bearer       = "urn:ietf:params:oauth:grant-type:saml2-bearer"   // RFC 7522 section 2.1
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628 section 3.4
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693 section 2.1
	GrantCIBA              = "urn:openid:params:grant-type:ciba"               // CIBA section 10.1
)

// Response types, the parameter response_type.
const (
	ResponseCode             = "code"                // RFC 6749 section 4.1.1
	ResponseToken            = "token"               // RFC 6749 section 4.2.1
	ResponseIDToken          = "id_token"            // OpenID Connect Core section 3.2.2.1
	ResponseIDTokenToken     = "id_token token"      // OpenID Connect Core section 3.2.2.1
	ResponseCodeIDToken      = "code id_token"       // OpenID Connect Core section 3.3.2.1
	ResponseCodeToken        = "code token"          // OAuth 2.0 Multiple Response Type Encoding, section 5
	ResponseCodeIDTokenToken = "code id_token token" // OpenID Connect Core section 3.3.2.1
	ResponseNone             = "none"                // OAuth 2.0 Multiple Response Type Encoding, section 4
)

// Client authentication methods, values of token_endpoint_auth_method.
const (
	AuthNone          = "none"                        // RFC 7591 section 2: a public client
	AuthBasic         = "client_secret_basic"         // RFC 6749 section 2.3.1
	AuthPost          = "client_secret_post"          // RFC 6749 section 2.3.1
	AuthSecretJWT     = "client_secret_jwt"           // OpenID Connect Core section 9
	AuthPrivateKeyJWT = "private_key_jwt"             // OpenID Connect Core section 9
	AuthTLS           = "tls_client_auth"             // RFC 8705 section 2.1.1
	AuthSelfSignedTLS = "self_signed_tls_client_auth" // RFC 8705 section 2.2.1
)

// AssertionTypeJWTBearer is the client_assertion_type of RFC 7523 section 2.2.
const AssertionTypeJWTBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// KnownError tells whether code is an error code of one of the documents above.
// A vendor's own code ("InvalidAuthenticationToken") is not.
func KnownError(code string) bool {
	switch code {
	case ErrInvalidRequest, ErrInvalidClient, ErrInvalidGrant, ErrUnauthorizedClient,
		ErrUnsupportedGrantType, ErrUnsupportedResponseType, ErrInvalidScope, ErrAccessDenied,
		ErrServerError, ErrTemporarilyUnavailable, ErrInvalidToken, ErrInsufficientScope,
		ErrUnsupportedTokenType, ErrInvalidRedirectURI, ErrInvalidClientMetadata,
		ErrInvalidSoftwareStatement, ErrUnapprovedSoftwareStatement, ErrAuthorizationPending,
		ErrSlowDown, ErrExpiredToken, ErrInvalidTarget, ErrInvalidRequestURI,
		ErrInvalidRequestObject, ErrRequestNotSupported, ErrRequestURINotSupported,
		ErrRegistrationNotSupported, ErrInteractionRequired, ErrLoginRequired,
		ErrAccountSelectionRequired, ErrConsentRequired, ErrUnmetAuthenticationRequirements,
		ErrInvalidAuthorizationDetails, ErrInvalidDPoPProof, ErrUseDPoPNonce,
		ErrInsufficientUserAuthentication, ErrExpiredLoginHintToken, ErrUnknownUserID,
		ErrMissingUserCode, ErrInvalidUserCode, ErrInvalidBindingMessage, ErrTransactionFailed:
		return true
	}
	return false
}
