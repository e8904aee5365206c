// Package clients holds the checks of clients.
package clients

import "usher/check"

// Checks are the checks of the group client.
var Checks = []*check.Check{}
