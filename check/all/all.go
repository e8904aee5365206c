// Package all lists every check.
package all

import (
	"usher/check"
	"usher/check/clients"
	"usher/check/protocol"
	"usher/check/providers"
	"usher/check/redirects"
	"usher/check/scopes"
	"usher/check/tokens"
	"usher/check/transport"
)

// Checks gives every check, by group, in the order of a reading person. The
// slice is new, the checks are shared: read only.
func Checks() []*check.Check {
	var all []*check.Check
	for _, group := range [...][]*check.Check{
		redirects.Checks, clients.Checks, scopes.Checks, tokens.Checks, providers.Checks, transport.Checks, protocol.Checks,
	} {
		all = append(all, group...)
	}
	return all
}
