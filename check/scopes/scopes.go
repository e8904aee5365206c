// Package scopes holds the checks of scopes.
package scopes

import "usher/check"

// Checks are the checks of the group scope: what is asked for, what is granted,
// what the API says, and what the registration lets through.
var Checks = []*check.Check{
	syntax, known, openID, offline, resource, authorizationDetails,
	grantedLess, grantedMore, consentMissing, consentStale,
	insufficient, challengePresent, formatClaim,
	broad, appVsDelegated, fullAllowed, collision, unused, offlineUnneeded,
	roleMap, roleChange,
}
