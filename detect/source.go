package detect

import "net/netip"

// Source gives the address from which somebody acts: an IPv4 address as it is,
// of an IPv6 address its /64, which one customer of a provider has as a whole.
// What is no address is given as empty.
func Source(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return ""
	}
	return prefix.String()
}
