// Package protocol holds the checks of the protocol as a whole, and profiles.
package protocol

import "usher/check"

// Checks are the checks of the group protocol.
var Checks = []*check.Check{}
