// Package transport holds the checks of connections and HTTP answers.
package transport

import "usher/check"

// Checks are the checks of the group transport.
var Checks = []*check.Check{}
