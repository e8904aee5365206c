package usher

import "strings"

// FieldName names a field of FieldPaths for a person, in lower case and without
// an article: "redirect URI". A path that does not exist is named as it is
// written, without its group.
func FieldName(path string) string {
	switch path {
	case "kind":
		return "kind of event"
	case "event_code":
		return "event"
	case "tenant_uid":
		return "tenant"
	case "session_uid":
		return "session"
	case "status_code":
		return "error code"
	case "user", "user.uid":
		return "user"
	case "user.name":
		return "user name"
	case "client", "client.uid":
		return "client"
	case "resource", "resource.uid":
		return "API"
	case "src_endpoint.ip":
		return "address"
	case "http_request.path":
		return "path"
	case "device", "device.uid":
		return "device"
	case "oauth.client_auth":
		return "client authentication"
	case "oauth.redirect_uri":
		return "redirect URI"
	case "oauth.token_uid":
		return "token"
	case "oauth.key_uid":
		return "key"
	case "oauth.credential_uid":
		return "credential"
	case "oauth.scopes_requested":
		return "scopes asked for"
	case "oauth.scopes_granted":
		return "scopes granted"
	case "oauth.audiences":
		return "audience"
	}
	return strings.ReplaceAll(path[strings.LastIndexByte(path, '.')+1:], "_", " ")
}
