package transport

import (
	"crypto/tls"
	"strings"
	"time"

	"usher"
	"usher/check"
)

// secured gives the hosts that TLS was spoken with, and says why there is none.
func secured(t *check.Target) (hosts []*check.Host, why check.Verdict) {
	plain := 0
	for _, h := range t.Hosts {
		switch {
		case h.Version != 0:
			hosts = append(hosts, h)
		case h.Stage == "done" && h.Err == "":
			plain++
		}
	}
	if len(hosts) == 0 && plain > 0 {
		return nil, check.NotApplicable("no TLS is spoken: the addresses are http")
	}
	return hosts, check.Unknown(check.NeedTLS, "no connection came about")
}

var tlsVersion = &check.Check{
	ID: "tls-version", Group: check.GroupTransport, Mode: check.Passive, Severity: usher.SeverityHigh,
	Title:  "TLS 1.2 or newer is spoken everywhere",
	Judged: "A handshake with each host of the endpoints, and whether it accepts TLS 1.0 or 1.1 as well.",
	Needs:  []check.Need{check.NeedTLS},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Switch TLS 1.0 and 1.1 off at the proxy that ends TLS.")},
	References: []string{"RFC 9325 section 3.1.1", "RFC 9700 section 2.6", "FAPI 2.0 Security Profile section 5.2.1"},
	Probe:      handshakes,
	Judge: func(t *check.Target) []check.Verdict {
		hosts, why := secured(t)
		if len(hosts) == 0 {
			return check.Only(why)
		}
		var wrong, fine []usher.Proof
		untried := 0
		for _, h := range hosts {
			p := usher.Proof{Place: h.Name, Quote: "speaks " + tls.VersionName(h.Version), Expected: "TLS 1.2 or newer"}
			switch {
			case h.Version < tls.VersionTLS12:
				p.Got = tls.VersionName(h.Version)
				wrong = append(wrong, p)
			case len(h.Old) > 0:
				p.Got = versions(h.Old)
				p.Quote += ", and accepts " + p.Got
				wrong = append(wrong, p)
			default:
				fine = append(fine, p)
			}
			if !h.OldTried {
				untried++
			}
		}
		switch {
		case len(wrong) > 0:
			return check.Only(check.Wrong(wrong[0].Place+" accepts "+wrong[0].Got, "Old versions have known attacks; one who stands between can bring both sides down to them.", wrong...))
		case untried > 0:
			return check.Only(check.Unknown(check.NeedTLS, "a new version is spoken; whether old ones are accepted as well was not tried", fine...))
		}
		return check.Only(check.OK("", fine...))
	},
}

func versions(list []uint16) string {
	var out []string
	for _, v := range list {
		out = append(out, tls.VersionName(v))
	}
	return strings.Join(out, ", ")
}

var tlsCertificate = &check.Check{
	ID: "tls-certificate", Group: check.GroupTransport, Mode: check.Passive, Severity: usher.SeverityCritical,
	Title:  "The certificates hold and last",
	Judged: "Chain, name and dates of each host's certificate; a warning from 21 days before its end.",
	Needs:  []check.Need{check.NeedTLS}, Cause: "tls-trust",
	Step: usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix: []usher.FixStep{
		check.Neutral("Renew the certificate for every name that clients use, and install the whole chain."),
		check.Neutral("If it is of a private authority, install that authority's certificate where the client runs."),
		check.Neutral("Let renewal run by itself (ACME), and watch the end."),
	},
	References: []string{"RFC 6749 section 10.9", "RFC 9525"},
	Probe:      handshakes,
	Judge:      func(t *check.Target) []check.Verdict { return certificates(t) },
}

func certificates(t *check.Target) []check.Verdict {
	var out []check.Verdict
	var fine []usher.Proof
	for _, h := range t.Hosts {
		p := usher.Proof{Place: h.Name, Quote: "certificate of " + check.Clip(h.Subject, 120) + " by " + check.Clip(h.Issuer, 120)}
		if h.ChainErr != "" {
			p.Got = check.Clip(h.ChainErr, 200)
			out = append(out, check.Wrong("The certificate of "+h.Name+" does not hold: "+check.Clip(h.ChainErr, 160), "Clients refuse the connection.", p))
			continue
		}
		if h.NotAfter.IsZero() {
			continue
		}
		p.Quote += ", until " + h.NotAfter.UTC().Format(time.DateOnly)
		p.Expected, p.Got = "valid for 21 days more", h.NotAfter.UTC().Format(time.RFC3339)
		left := h.NotAfter.Sub(t.Now)
		days := int(left.Hours() / 24)
		switch {
		case left <= 0:
			out = append(out, check.Wrong("The certificate of "+h.Name+" ended "+h.NotAfter.UTC().Format(time.DateOnly), "Clients refuse the connection.", p))
		case t.Now.Before(h.NotBefore):
			p.Got = h.NotBefore.UTC().Format(time.RFC3339)
			out = append(out, check.Wrong("The certificate of "+h.Name+" is not valid before "+h.NotBefore.UTC().Format(time.DateOnly), "Clients refuse the connection; or our clock is wrong.", p))
		case days < 7:
			out = append(out, check.Wrong("The certificate of "+h.Name+" ends in "+check.Count(days, "day", "days"), "From then on nobody can sign in.", p).As(usher.SeverityHigh))
		case days < 21:
			out = append(out, check.Wrong("The certificate of "+h.Name+" ends in "+check.Count(days, "day", "days"), "It should have been renewed by now.", p).As(usher.SeverityMedium))
		default:
			fine = append(fine, p)
		}
	}
	if len(out) > 0 {
		return out
	}
	if len(fine) > 0 {
		return check.Only(check.OK("", fine...))
	}
	_, why := secured(t)
	return check.Only(why)
}

var tlsCiphers = &check.Check{
	ID: "tls-ciphers", Group: check.GroupTransport, Mode: check.Passive, Severity: usher.SeverityMedium,
	Title:  "Strong cipher suites are spoken",
	Judged: "The suite that each host chose, and whether it takes a weak one when it is offered nothing better: TLS 1.3, or with TLS 1.2 one with ephemeral keys and authenticated encryption.",
	Needs:  []check.Need{check.NeedTLS},
	Step:   usher.StepDiscovery, Fixer: usher.FixerTenantAdmin,
	Fix:        []usher.FixStep{check.Tightening("Offer at the proxy only TLS 1.3 and, with TLS 1.2, the suites ECDHE with AES-GCM or ChaCha20-Poly1305.")},
	References: []string{"RFC 9325 section 4.2", "FAPI 2.0 Security Profile section 5.2.2"},
	Probe:      handshakes,
	Judge: func(t *check.Target) []check.Verdict {
		hosts, why := secured(t)
		if len(hosts) == 0 {
			return check.Only(why)
		}
		var wrong, fine []usher.Proof
		untried := false
		for _, h := range hosts {
			p := usher.Proof{Place: h.Name, Quote: tls.VersionName(h.Version) + " with " + suiteName(h.Suite)}
			switch {
			case len(h.Weak) > 0:
				p.Expected, p.Got = "ECDHE with AES-GCM or ChaCha20-Poly1305", suiteName(h.Weak[0])
				p.Quote += ", and takes " + p.Got + " when it is offered nothing better"
				wrong = append(wrong, p)
				continue
			case h.Version >= tls.VersionTLS13 || strongSuite(h.Suite):
				fine = append(fine, p)
				untried = untried || !h.WeakTried
				continue
			}
			p.Expected, p.Got = "ECDHE with AES-GCM or ChaCha20-Poly1305", suiteName(h.Suite)
			wrong = append(wrong, p)
		}
		if len(wrong) > 0 {
			return check.Only(check.Wrong(wrong[0].Place+" takes "+wrong[0].Got, "What is recorded today can be read when the server's key is known, or be attacked in its padding.", wrong...))
		}
		if untried {
			return check.Only(check.Unknown(check.NeedTLS, "a strong suite is chosen; whether a weak one is taken as well was not tried", fine...))
		}
		return check.Only(check.OK("", fine...))
	},
}

// suiteName writes the name of a suite as words, "ECDHE-RSA with
// AES-128-CBC-SHA256": in one piece it is long and mixed enough to be masked as
// a secret.
func suiteName(id uint16) string {
	name := strings.TrimPrefix(tls.CipherSuiteName(id), "TLS_")
	return strings.ReplaceAll(strings.ReplaceAll(name, "_WITH_", " with "), "_", "-")
}

// strongSuite knows the suites of RFC 9325 section 4.2 for TLS 1.2.
func strongSuite(suite uint16) bool {
	switch suite {
	case tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:
		return true
	}
	return false
}
