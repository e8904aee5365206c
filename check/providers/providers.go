// Package providers holds the checks of providers and their documents.
package providers

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"usher"
	"usher/check"
	"usher/provider/knowledge"
)

// Checks are the checks of the group provider.
var Checks = []*check.Check{
	issuerIdentical, issuerTemplate, issuerURLForm,
	discoveryReachable, discoveryPathForm, discoveryCache,
	discoveryRequired, discoveryTypes, signedMetadata,
	endpointsHTTPS, hostsForeign, internalHost,
	jwksReachable, jwksNoPrivate, jwksSymmetric, jwksKeySize, jwksKidUnique, jwksUseAlg, jwksX5C, jwksIssuer, jwksUnknown,
	discoveryDrift, rotationOverlap, jwksFlapping,
	algNone, algWeak,
	pkceAnnounced, pkcePlain, pkceEnforced, pkceDowngrade,
	issResponse, parSupported, senderConstraint, mtlsAliases,
	revocationOffered, introspectionOffered, logoutOffered,
	dcrOpen, cimdSupported,
	acrKnown, capabilityGap,
	providerClock, endOfLife, keysPinned,
}

// each judges every discovery document on its own.
func each(t *check.Target, judge func(m *check.Metadata) check.Verdict) []check.Verdict {
	out := make([]check.Verdict, 0, len(t.Metadata))
	for _, m := range t.Metadata {
		out = append(out, judge(m))
	}
	return out
}

// eachSet judges every key set of a provider on its own; a client's own keys
// are left to the checks of clients.
func eachSet(t *check.Target, judge func(k *check.KeySet) check.Verdict) []check.Verdict {
	out := make([]check.Verdict, 0, len(t.KeySets))
	for _, k := range t.KeySets {
		if k.Client == "" && k.KeySet != nil {
			out = append(out, judge(k))
		}
	}
	return out
}

// known gives what is known of the provider, never nil.
func known(t *check.Target) *knowledge.Provider {
	if t.Provider == nil {
		return knowledge.Named("")
	}
	return t.Provider
}

// can gives what is known of an ability of the provider.
func can(t *check.Target, name string) (able, told bool) {
	a, told := known(t).Can[name]
	return a.Can, told
}

// member quotes a member of a document as it stands there.
func member(m *check.Metadata, name, expected, got string) usher.Proof {
	raw, ok := m.Raw[name]
	quote := `"` + name + `" is not there`
	if ok {
		long := 160
		if expected == "" {
			long = 60 // it is in order, nobody looks closely
		}
		quote = `"` + name + `": ` + check.Clip(string(raw[:min(len(raw), long+4)]), long)
	}
	p := usher.Proof{Place: m.Place, Quote: quote, Expected: expected, Got: got}
	if ok && expected != "" {
		p.Place = m.At(name) // something is wrong there
	}
	return p
}

// has tells whether a member is there and holds something.
func has(m *check.Metadata, name string) bool {
	raw, ok := m.Raw[name]
	return ok && len(raw) > 0 && string(raw) != "null" && string(raw) != `""` && string(raw) != "false"
}

// internal tells whether a host can be reached from inside alone.
func internal(host string) bool {
	if host == "" {
		return false
	}
	if check.Loopback(host) {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || carrier.Contains(ip)
	}
	if !strings.Contains(host, ".") {
		return true
	}
	for _, end := range [...]string{".local", ".svc", ".internal", ".lan", ".intranet", ".localdomain", ".home.arpa", ".corp", ".private"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return false
}

// carrier is what carriers use behind their own translation, RFC 6598.
var carrier = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)

// lab tells whether the operator asked for a provider on this very machine and
// does not call it production: plain http is no leak there.
func lab(t *check.Target) bool {
	return t.Issuer != "" && check.Loopback(check.HostOf(t.Issuer)) && (t.Expect == nil || t.Expect.Production == nil || !*t.Expect.Production)
}

// pathOf gives the path of an address without a last slash.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

// sorted gives the keys that f accepts, in order.
func sorted(m *check.Metadata, f func(name string, raw json.RawMessage) bool) []string {
	var out []string
	for name, raw := range m.Raw {
		if f(name, raw) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
