package providers

import (
	"slices"
	"strings"

	"usher"
	"usher/check"
)

var endpointsHTTPS = &check.Check{
	ID: "discovery-endpoints-https", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityCritical,
	Title:  "Every endpoint is https",
	Judged: "Each address of the document starts with https; http on this machine is let through where the issuer that was asked for lies there.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Tightening("Tell the provider its public https address (hostname, frontend or base URL); behind a proxy also that forwarded headers are to be believed from it."),
		check.Tightening("Close the http port, or let it do nothing but send on to https."),
	},
	References: []string{"RFC 6749 section 3.1", "RFC 8414 section 2", "RFC 9700 section 2.6"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return overHTTPS(t, m) })
	},
}

func overHTTPS(t *check.Target, m *check.Metadata) check.Verdict {
	var bad []string
	var proof []usher.Proof
	inLab, tolerated := lab(t), 0
	list := m.Addresses()
	for _, a := range list {
		if len(a.URL) >= 8 && strings.EqualFold(a.URL[:8], "https://") {
			continue
		}
		scheme, _, ok := strings.Cut(a.URL, ":")
		if a.URL == "" || a.Name == "authorization_endpoint" && ok && scheme != "http" {
			continue // an app's own scheme, as wallets have it
		}
		if inLab && scheme == "http" && check.Loopback(check.HostOf(a.URL)) {
			tolerated++
			continue
		}
		bad = append(bad, a.Name)
		proof = append(proof, member(m, a.Name, "https", ""))
	}
	switch {
	case len(bad) > 0:
		return check.Wrong(check.Count(len(bad), "endpoint is", "endpoints are")+" not https: "+check.Names(bad),
			"Codes, secrets and tokens go over the network in the clear, and keys can be exchanged on the way.", proof...)
	case tolerated > 0:
		return check.OK("http, which is sound on this machine alone", usher.Proof{Place: m.Place, Quote: check.Count(tolerated, "address", "addresses") + " on loopback"})
	case len(list) == 0:
		return check.NotApplicable("the document names no endpoint")
	}
	return check.OK("", usher.Proof{Place: m.Place, Quote: check.Count(len(list), "address", "addresses") + ", each https"})
}

var hostsForeign = &check.Check{
	ID: "discovery-hosts-foreign", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityMedium,
	Title:  "The endpoints lie on the issuer's own host",
	Judged: "The hosts of all addresses are compared with the issuer's; one that is known to be the provider's weighs less.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Compare the hosts with the provider's pages before you send secrets there: a foreign token endpoint receives your codes and secrets."),
		check.Neutral("Allow exactly these hosts in the firewall's outgoing rules."),
	},
	References: []string{"RFC 8414 section 6.2", "RFC 9700 section 4.4"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return foreign(t, m) })
	},
}

func foreign(t *check.Target, m *check.Metadata) check.Verdict {
	home := check.HostOf(m.Issuer)
	if home == "" {
		return check.NotApplicable("the document names no issuer")
	}
	var hosts []string
	var proof []usher.Proof
	allKnown, allNear := true, true
	for _, a := range m.Addresses() {
		host := check.HostOf(a.URL)
		if host == "" || host == home || !strings.Contains(a.URL, "://") {
			continue
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
			allKnown = allKnown && knownHost(t, host)
			allNear = allNear && check.SameSite(home, host)
		}
		proof = append(proof, member(m, a.Name, home, host))
	}
	if len(hosts) == 0 {
		return check.OK("", member(m, "issuer", "", home))
	}
	slices.Sort(hosts)
	v := check.Wrong("Endpoints lie on other hosts than the issuer "+home+": "+check.Names(hosts), "", proof...)
	switch {
	case allKnown:
		v.Detail = known(t).Title + " is known to use them; they must be allowed in a firewall, and nothing else need be done."
		return v.As(usher.SeverityInfo).Do("Allow these hosts in the firewall's outgoing rules, beside the issuer's.")
	case allNear:
		v.Detail = "They are of the same domain. Make sure that whoever can write there may also see codes and tokens."
		return v.As(usher.SeverityLow)
	}
	v.Detail = "Codes, secrets or tokens go there. A document that was tampered with looks just so."
	return v
}

// knownHost tells whether the provider is known to use a host. A star stands
// for one label.
func knownHost(t *check.Target, host string) bool {
	for _, h := range known(t).Hosts {
		if h == host {
			return true
		}
		if rest, ok := strings.CutPrefix(h, "*."); ok {
			if _, after, ok := strings.Cut(host, "."); ok && after == rest {
				return true
			}
		}
	}
	return false
}

var internalHost = &check.Check{
	ID: "discovery-internal-host", Group: check.GroupProvider, Mode: check.Offline, Severity: usher.SeverityHigh,
	Title:  "The document names no inside host",
	Judged: "The host of each address is looked at: loopback, private addresses, bare names, .local, .svc and the like are reached from inside alone.",
	Needs:  []check.Need{check.NeedDiscovery},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Set the provider's public host name (hostname, frontend or base URL), so that browsers and servers see one issuer."),
		check.Neutral("If servers shall take an inside way, resolve the public name to the inside address for them."),
	},
	References: []string{"RFC 8414 section 3.3"},
	Judge: func(t *check.Target) []check.Verdict {
		return each(t, func(m *check.Metadata) check.Verdict { return inside(t, m) })
	},
}

func inside(t *check.Target, m *check.Metadata) check.Verdict {
	asked := check.HostOf(t.Issuer)
	var hosts []string
	var proof []usher.Proof
	list := m.Addresses()
	if strings.Contains(m.Issuer, "://") {
		list = append(list, check.Address{Name: "issuer", URL: m.Issuer})
	}
	own := false
	for _, a := range list {
		host := check.HostOf(a.URL)
		if !strings.Contains(a.URL, "://") || !internal(host) {
			continue
		}
		if asked != "" && internal(asked) && (host == asked || check.Loopback(host) && check.Loopback(asked)) {
			own = true
			continue
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
			proof = append(proof, member(m, a.Name, "a public host", host))
		}
	}
	switch {
	case len(hosts) > 0:
		slices.Sort(hosts)
		return check.Wrong("The document names hosts that are reached from inside alone: "+check.Names(hosts),
			"A browser or an app outside cannot get there, and the issuer in tokens is one that nobody outside can check.", proof...)
	case own:
		return check.NotApplicable("the issuer that was asked for lies inside itself")
	case len(list) == 0:
		return check.NotApplicable("the document names no endpoint")
	}
	return check.OK("", usher.Proof{Place: m.Place, Quote: check.Count(len(list), "address", "addresses") + ", each of a public host"})
}
