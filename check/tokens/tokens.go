// Package tokens holds the checks of tokens.
package tokens

import "usher/check"

// Checks are the checks of the group token.
var Checks = []*check.Check{}
