// Package providers holds the checks of providers and their documents.
package providers

import "usher/check"

// Checks are the checks of the group provider.
var Checks = []*check.Check{}
