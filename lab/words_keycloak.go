package lab

import "net/http"

// kcWords is how Keycloak tells a problem: to the client, on a page, in its log.
type kcWords struct {
	status int    // of the token endpoint
	error  string // RFC 6749
	text   string // error_description
	page   string // where nobody may be sent back
	log    string // error in the log; empty: nothing is written
	reason string // reason in the log
}

// keycloakWords puts a problem into Keycloak's words, as version 26 has them.
func keycloakWords(bad refusal) kcWords {
	const client = "Invalid client or Invalid client credentials"
	switch bad.is {
	case requestMalformed:
		text := "Missing parameter: " + bad.detail
		if bad.detail == "code_challenge_method" {
			text = "Invalid parameter: code challenge method is not matching the configured one"
		}
		return kcWords{status: 400, error: "invalid_request", text: text, log: "invalid_request", reason: text}
	case grantUnknown:
		return kcWords{status: 400, error: "unsupported_grant_type", text: "Unsupported grant_type", log: "invalid_request", reason: "Unsupported grant_type"}
	case grantNotAllowed:
		text := "Client not enabled to retrieve service account"
		return kcWords{status: 401, error: "unauthorized_client", text: text, log: "invalid_client", reason: text}
	case clientUnknown:
		return kcWords{status: 401, error: "invalid_client", text: client, page: "Client not found.", log: "client_not_found"}
	case clientDisabled:
		return kcWords{status: 401, error: "invalid_client", text: client, page: "Login requester not enabled", log: "client_disabled"}
	case secretMissing:
		text := "Client secret not provided in request"
		return kcWords{status: 401, error: "unauthorized_client", text: text, log: "invalid_client_credentials"}
	case secretWrong, secretExpired, secretIsID:
		return kcWords{status: 401, error: "unauthorized_client", text: client, log: "invalid_client_credentials"}
	case redirectUnknown:
		return kcWords{page: "Invalid parameter: redirect_uri", log: "invalid_redirect_uri"}
	case redirectDiffers:
		return kcWords{status: 400, error: "invalid_grant", text: "Incorrect redirect_uri", log: "invalid_code", reason: "Incorrect redirect_uri"}
	case responseType:
		return kcWords{error: "unsupported_response_type", log: "invalid_request"}
	case pkceMissing:
		text := "Missing parameter: code_challenge_method"
		return kcWords{error: "invalid_request", text: text, log: "invalid_request", reason: text}
	case pkceMalformed:
		text := "Invalid parameter: code_challenge"
		return kcWords{error: "invalid_request", text: text, log: "invalid_request", reason: text}
	case pkceWrong:
		text := "PKCE verification failed: " + bad.detail
		return kcWords{status: 400, error: "invalid_grant", text: text, log: "pkce_verification_failed", reason: text}
	case scopeUnknown:
		text := "Invalid scopes: " + bad.detail
		return kcWords{status: 400, error: "invalid_scope", text: text, log: "invalid_request", reason: text}
	case codeInvalid, codeUsed, codeOfOther:
		return kcWords{status: 400, error: "invalid_grant", text: "Code not valid", log: "invalid_code"}
	case refreshInvalid:
		return kcWords{status: 400, error: "invalid_grant", text: "Invalid refresh token", log: "invalid_token", reason: "Invalid refresh token"}
	case refreshEnded:
		return kcWords{status: 400, error: "invalid_grant", text: "Token is not active", log: "invalid_token", reason: "Token is not active"}
	case refreshReused:
		text := "Maximum allowed refresh token reuse exceeded"
		return kcWords{status: 400, error: "invalid_grant", text: text, log: "invalid_token", reason: text}
	case sessionGone:
		text := "Session doesn't have required client"
		return kcWords{status: 400, error: "invalid_grant", text: text, log: "invalid_token", reason: text}
	case loginRequired:
		return kcWords{error: "login_required"}
	case consentMissing:
		return kcWords{status: 400, error: "consent_required", log: "consent_denied"}
	case consentRefused:
		return kcWords{error: "access_denied", log: "rejected_by_user"}
	case passwordWrong:
		return kcWords{log: "invalid_user_credentials"}
	case userUnknown:
		return kcWords{error: "login_required", log: "user_not_found"}
	case userDisabled:
		return kcWords{status: 400, error: "invalid_grant", text: "User disabled", log: "user_disabled"}
	}
	return kcWords{status: http.StatusInternalServerError, error: "unknown_error"}
}
