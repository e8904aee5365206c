// Package oauth is the protocol's vocabulary: errors, challenges, authorization requests and responses, metadata, scope sets, redirect URI comparison, PKCE.
//
// It also knows what in a message is a credential, and masks it (Redact).
package oauth
