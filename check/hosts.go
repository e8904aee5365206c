package check

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Loopback tells whether a host, without its port, is this machine: localhost,
// a name below it (RFC 6761 section 6.3) or an address of the loopback network.
func Loopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// SameSite tells whether two hosts are of one site, as browsers mean it: they
// are one, or lie below one domain that somebody can register.
func SameSite(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if a == b {
		return a != ""
	}
	x, err := publicsuffix.EffectiveTLDPlusOne(a)
	if err != nil {
		return false
	}
	y, err := publicsuffix.EffectiveTLDPlusOne(b)
	return err == nil && x == y
}
