// Package redirects holds the checks of redirect URIs.
package redirects

import "usher/check"

// Checks are the checks of the group redirect-uri.
var Checks = []*check.Check{}
