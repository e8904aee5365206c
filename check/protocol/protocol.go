// Package protocol holds the checks of the protocol as a whole, and profiles.
package protocol

import (
	"strconv"

	"usher"
	"usher/check"
)

// Checks are the checks of the group protocol.
var Checks = []*check.Check{
	mixedVersions,
	jarObject, parUsedRight, parRequired, jarmResponse, unknownParameters, firstParty,
	profileOAuth20, profileBCP, profileOAuth21, profileBrowser, profileNative, profileFAPI2, profileMCP,
}

// member quotes a member of a document.
func member(m *check.Metadata, name string) usher.Proof {
	if raw, ok := m.Raw[name]; ok {
		return usher.Proof{Place: m.Place, Quote: strconv.Quote(name) + ": " + check.Clip(string(raw), 160)}
	}
	return usher.Proof{Place: m.Place, Quote: strconv.Quote(name) + " is not there"}
}
