// Package scopes holds the checks of scopes.
package scopes

import "usher/check"

// Checks are the checks of the group scope.
var Checks = []*check.Check{}
