// Package oauth is the protocol's vocabulary: errors, challenges, authorization requests and responses, metadata, scope sets, redirect URI comparison, PKCE.
//
// It reads what clients and providers send each other and never talks to
// either: no input, no output, no clock. Every reader is bounded and tolerant,
// because its input is evidence of something that went wrong. Redact masks
// credentials in free text and stands before every output of the program.
package oauth
