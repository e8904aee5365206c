package guard

import (
	"net/netip"
	"sync"
)

// special are the ranges that no document may lead to, with the word for a
// person. What netip has a word for is asked there.
type special struct {
	prefix netip.Prefix
	what   string
}

var specials = sync.OnceValue(func() []special {
	table := [...][2]string{
		{"0.0.0.0/8", "this network"},
		{"100.64.0.0/10", "a carrier's inner network (CGNAT), where clouds keep metadata too"},
		{"168.63.129.16/32", "Azure's host service"},
		{"192.0.0.0/24", "a protocol assignment"},
		{"192.0.2.0/24", "documentation"},
		{"192.88.99.0/24", "a 6to4 relay"},
		{"198.18.0.0/15", "benchmarks"},
		{"198.51.100.0/24", "documentation"},
		{"203.0.113.0/24", "documentation"},
		{"240.0.0.0/4", "reserved"},
		{"64:ff9b:1::/48", "a local translator (NAT64)"},
		{"100::/64", "a sink (discard-only)"},
		{"2001::/23", "a protocol assignment (Teredo, ORCHID)"},
		{"2001:db8::/32", "documentation"},
		{"2002::/16", "a 6to4 tunnel"},
		{"2620:4f:8000::/48", "a protocol assignment"},
		{"3fff::/20", "documentation"},
	}
	list := make([]special, 0, len(table))
	for _, row := range table {
		list = append(list, special{netip.MustParsePrefix(row[0]), row[1]})
	}
	return list
})

// inside tells why an address is none of the public internet; empty for one
// that is. The address is the one dialled, in whatever form: what is mapped or
// translated is judged by the IPv4 address within.
func inside(a netip.Addr) (why string) {
	a = a.WithZone("")
	if v4, ok := within(a); ok {
		if why := inside(v4); why != "" {
			return why + ", written as IPv6"
		}
		return ""
	}
	switch {
	case !a.IsValid():
		return "no address"
	case a.IsUnspecified():
		return "the unspecified address, which is this machine"
	case a.IsLoopback():
		return "this machine (loopback)"
	case a.IsLinkLocalUnicast():
		return "a link-local address, where clouds keep metadata and credentials"
	case a.IsPrivate():
		return "a private address"
	case a.IsMulticast():
		return "a multicast address"
	}
	for _, s := range specials() {
		if s.prefix.Contains(a) {
			return "an address of " + s.what
		}
	}
	// Of IPv6 only 2000::/3 is given out as public (RFC 4291 section 2.4).
	b := a.As16()
	if a.Is6() && b[0]&0xe0 != 0x20 {
		return "no public IPv6 address"
	}
	// A host of ISATAP (RFC 5214 section 6.1) hides an IPv4 address behind any prefix.
	if a.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		if why := inside(netip.AddrFrom4([4]byte(b[12:16]))); why != "" {
			return why + ", behind a tunnel (ISATAP)"
		}
	}
	return ""
}

// within gives the IPv4 address in a mapped (::ffff:0:0/96), compatible
// (::/96), or translated one (64:ff9b::/96, RFC 6052; an IPv4-translated
// ::ffff:0:0:0/96, RFC 2765).
func within(a netip.Addr) (netip.Addr, bool) {
	if a.Is4In6() {
		return a.Unmap(), true
	}
	if !a.Is6() || a.IsUnspecified() || a.IsLoopback() {
		return netip.Addr{}, false
	}
	b := a.As16()
	v4 := netip.AddrFrom4([4]byte(b[12:16]))
	head := [12]byte(b[:12])
	switch head {
	case [12]byte{}, // compatible
		[12]byte{0x00, 0x64, 0xff, 0x9b},         // NAT64
		[12]byte{8: 0xff, 9: 0xff, 10: 0, 11: 0}: // IPv4-translated
		return v4, true
	}
	return netip.Addr{}, false
}
