package oauth

// Error codes of the protocol family, as registered with IANA (OAuth
// Extensions Error Registry) and in OpenID Connect.
const (
	ErrInvalidRequest           = "invalid_request"                   // RFC 6749 section 5.2, RFC 6750 section 3.1
	ErrInvalidClient            = "invalid_client"                    // RFC 6749 section 5.2
	ErrInvalidGrant             = "invalid_grant"                     // RFC 6749 section 5.2
	ErrUnauthorizedClient       = "unauthorized_client"               // RFC 6749 section 4.1.2.1
	ErrUnsupportedGrantType     = "unsupported_grant_type"            // RFC 6749 section 5.2
	ErrUnsupportedResponseType  = "unsupported_response_type"         // RFC 6749 section 4.1.2.1
	ErrInvalidScope             = "invalid_scope"                     // RFC 6749 section 5.2
	ErrAccessDenied             = "access_denied"                     // RFC 6749 section 4.1.2.1
	ErrServerError              = "server_error"                      // RFC 6749 section 4.1.2.1
	ErrTemporarilyUnavailable   = "temporarily_unavailable"           // RFC 6749 section 4.1.2.1
	ErrInvalidToken             = "invalid_token"                     // RFC 6750 section 3.1
	ErrInsufficientScope        = "insufficient_scope"                // RFC 6750 section 3.1
	ErrUnsupportedTokenType     = "unsupported_token_type"            // RFC 7009 section 2.2.1
	ErrInvalidRedirectURI       = "invalid_redirect_uri"              // RFC 7591 section 3.2.2
	ErrInvalidClientMetadata    = "invalid_client_metadata"           // RFC 7591 section 3.2.2
	ErrAuthorizationPending     = "authorization_pending"             // RFC 8628 section 3.5
	ErrSlowDown                 = "slow_down"                         // RFC 8628 section 3.5
	ErrExpiredToken             = "expired_token"                     // RFC 8628 section 3.5
	ErrInvalidTarget            = "invalid_target"                    // RFC 8707 section 2
	ErrInvalidRequestURI        = "invalid_request_uri"               // RFC 9101 section 7
	ErrInvalidRequestObject     = "invalid_request_object"            // RFC 9101 section 7
	ErrInvalidAuthDetails       = "invalid_authorization_details"     // RFC 9396 section 5
	ErrInvalidDPoPProof         = "invalid_dpop_proof"                // RFC 9449 section 5
	ErrUseDPoPNonce             = "use_dpop_nonce"                    // RFC 9449 section 8
	ErrInsufficientUserAuth     = "insufficient_user_authentication"  // RFC 9470 section 3
	ErrInteractionRequired      = "interaction_required"              // OpenID Connect Core section 3.1.2.6
	ErrLoginRequired            = "login_required"                    // OpenID Connect Core section 3.1.2.6
	ErrAccountSelection         = "account_selection_required"        // OpenID Connect Core section 3.1.2.6
	ErrConsentRequired          = "consent_required"                  // OpenID Connect Core section 3.1.2.6
	ErrRequestNotSupported      = "request_not_supported"             // OpenID Connect Core section 3.1.2.6
	ErrRequestURINotSupported   = "request_uri_not_supported"         // OpenID Connect Core section 3.1.2.6
	ErrRegistrationNotSupported = "registration_not_supported"        // OpenID Connect Core section 3.1.2.6
	ErrUnmetAuthentication      = "unmet_authentication_requirements" // OpenID Connect Unmet Authentication Requirements
	ErrInsufficientClaims       = "insufficient_claims"               // Entra, continuous access evaluation
)

var knownErrors = [...]string{
	ErrInvalidRequest, ErrInvalidClient, ErrInvalidGrant, ErrUnauthorizedClient, ErrUnsupportedGrantType,
	ErrUnsupportedResponseType, ErrInvalidScope, ErrAccessDenied, ErrServerError, ErrTemporarilyUnavailable,
	ErrInvalidToken, ErrInsufficientScope, ErrUnsupportedTokenType, ErrInvalidRedirectURI, ErrInvalidClientMetadata,
	ErrAuthorizationPending, ErrSlowDown, ErrExpiredToken, ErrInvalidTarget, ErrInvalidRequestURI, ErrInvalidRequestObject,
	ErrInvalidAuthDetails, ErrInvalidDPoPProof, ErrUseDPoPNonce, ErrInsufficientUserAuth, ErrInteractionRequired,
	ErrLoginRequired, ErrAccountSelection, ErrConsentRequired, ErrRequestNotSupported, ErrRequestURINotSupported,
	ErrRegistrationNotSupported, ErrUnmetAuthentication, ErrInsufficientClaims,
}

// KnownError tells whether code is an error code of the protocol family.
func KnownError(code string) bool {
	for _, known := range knownErrors {
		if code == known {
			return true
		}
	}
	return false
}

// Grant types.
const (
	GrantAuthorizationCode = "authorization_code"                              // RFC 6749 section 4.1.3
	GrantRefreshToken      = "refresh_token"                                   // RFC 6749 section 6
	GrantClientCredentials = "client_credentials"                              // RFC 6749 section 4.4
	GrantPassword          = "password"                                        // RFC 6749 section 4.3; removed by RFC 9700
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628 section 3.4
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693 section 2.1
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523 section 2.1
	GrantSAMLBearer        = "urn:ietf:params:oauth:grant-type:saml2-bearer"   // RFC 7522 section 2.1
	GrantCIBA              = "urn:openid:params:grant-type:ciba"               // OpenID Connect CIBA section 10.1
)

// Client authentication methods, the values of token_endpoint_auth_method.
const (
	AuthNone          = "none"                        // RFC 7591 section 2
	AuthBasic         = "client_secret_basic"         // RFC 6749 section 2.3.1
	AuthPost          = "client_secret_post"          // RFC 6749 section 2.3.1
	AuthSecretJWT     = "client_secret_jwt"           // OpenID Connect Core section 9
	AuthPrivateKeyJWT = "private_key_jwt"             // OpenID Connect Core section 9
	AuthTLS           = "tls_client_auth"             // RFC 8705 section 2.1
	AuthSelfSignedTLS = "self_signed_tls_client_auth" // RFC 8705 section 2.2
)
