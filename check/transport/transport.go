// Package transport holds the checks of connections and HTTP answers.
package transport

import (
	"strings"

	"usher"
	"usher/check"
)

// Checks are the checks of the group transport.
var Checks = []*check.Check{
	egressBlocked, tlsVersion, tlsCertificate, tlsCiphers, tlsVerifyOff,
	credentialsInURI, tokenNoStore, tokenPostOnly,
	proxyForwarded, redirect307, mtlsHeaderSpoof,
	corsAuthorization, corsTokenSPA, clickjacking, referrerLeak, hsts,
}

// handshakes is the probe of checks that look at connections.
var handshakes = &check.Probe{What: "TLS handshakes with the hosts of the endpoints; nothing is sent over them", Safety: check.S0}

// bare gives an address without its query, fragment and user.
func bare(address string) string {
	if i := strings.IndexAny(address, "?#"); i >= 0 {
		address = address[:i]
	}
	if scheme, rest, ok := strings.Cut(address, "://"); ok {
		host, path, slash := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(host, '@'); i >= 0 {
			address = scheme + "://" + host[i+1:]
			if slash {
				address += "/" + path
			}
		}
	}
	return check.Clip(address, 200)
}

// loopback tells whether a host, with or without a port, is this machine.
func loopback(host string) bool {
	return check.Loopback(check.HostOf(host))
}

func placeOf(a *check.Answer) string {
	if a.Place != "" {
		return a.Place
	}
	return bare(a.URL)
}

// header quotes a header of an answer.
func header(a *check.Answer, name, expected string) usher.Proof {
	value := strings.Join(a.Header.Values(name), ", ")
	p := usher.Proof{Place: placeOf(a), Quote: name + ": " + check.Clip(value, 160), Expected: expected, Got: check.Clip(value, 120)}
	if value == "" {
		p.Quote, p.Got = "no "+name, "absent"
	}
	return p
}
