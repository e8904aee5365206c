// Package protocol holds the checks of the protocol as a whole, and profiles.
package protocol

import (
	"net/url"
	"strconv"
	"strings"

	"usher"
	"usher/check"
)

// Checks are the checks of the group protocol.
var Checks = []*check.Check{
	mixedVersions,
	jarObject, parUsedRight, parRequired, jarmResponse, unknownParameters, firstParty,
	profileOAuth20, profileBCP, profileOAuth21, profileBrowser, profileNative, profileFAPI2, profileMCP,
}

func one(v check.Verdict) []check.Verdict { return []check.Verdict{v} }

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func names(list []string) string {
	const most = 10
	if len(list) > most {
		return strings.Join(list[:most], ", ") + " and " + strconv.Itoa(len(list)-most) + " more"
	}
	return strings.Join(list, ", ")
}

func shorten(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "..."
	}
	return s
}

// sameAddress compares two addresses without the case of scheme and host.
func sameAddress(a, b string) bool {
	if a == b {
		return a != ""
	}
	ua, err1 := url.Parse(a)
	ub, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && ua.Host != "" && strings.EqualFold(ua.Scheme, ub.Scheme) && strings.EqualFold(ua.Host, ub.Host) && ua.Path == ub.Path
}

// member quotes a member of a document.
func member(m *check.Metadata, name string) usher.Proof {
	if raw, ok := m.Raw[name]; ok {
		return usher.Proof{Place: m.Place, Quote: strconv.Quote(name) + ": " + shorten(string(raw), 160)}
	}
	return usher.Proof{Place: m.Place, Quote: strconv.Quote(name) + " is not there"}
}
