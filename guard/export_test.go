package guard

import "net/netip"

// PretendPublic has c take an address for a public one, so that tests have a
// public server to talk to.
func PretendPublic(c *Client, public netip.Addr) {
	c.pins.inside = func(a netip.Addr) string {
		if a == public {
			return ""
		}
		return inside(a)
	}
}

// Inside is inside.
var Inside = inside
