package transport

import (
	"strings"
	"time"

	"usher"
	"usher/check"
)

var egressBlocked = &check.Check{
	ID: "egress-blocked", Group: check.GroupTransport, Mode: check.Passive, Severity: usher.SeverityHigh,
	Title:  "The provider can be reached from here",
	Judged: "Name, connection, TLS and HTTP of each host are tried one after the other, each with its time. Hosts of callbacks alone are left out: only browsers go there.",
	Needs:  []check.Need{check.NeedTLS}, Cause: "network-proxy",
	Step: usher.StepDiscovery, Fixer: usher.FixerDeveloper,
	Fix: []usher.FixStep{
		check.Neutral("Let this host reach the named one on its port, or set the proxy that it must go through."),
	},
	References: []string{"OpenID Connect Discovery section 4"},
	Probe:      &check.Probe{What: "name resolution, connection, handshake and GET of what is public", Safety: check.S0},
	Judge:      func(t *check.Target) []check.Verdict { return reach(t) },
}

func reach(t *check.Target) []check.Verdict {
	var out []check.Verdict
	var fine []usher.Proof
	refused := ""
	for _, h := range t.Hosts {
		if len(h.Roles) == 1 && h.Roles[0] == "callback" {
			continue
		}
		p := usher.Proof{Place: h.Name, Quote: steps(h)}
		if h.Err == "" {
			fine = append(fine, p)
			continue
		}
		if h.Stage == "" {
			refused = h.Name + " was not looked at: time had run out"
			continue
		}
		if h.Code == usher.ErrRefused {
			refused = "usher does not go to " + h.Name + ": " + check.Clip(h.Err, 200) // nothing was sent, so nothing is known of the way
			continue
		}
		p.Got = check.Clip(h.Err, 200)
		title, do := "", ""
		switch h.Stage {
		case "resolve":
			title, do = "The name of "+h.Name+" is not found", "Look at the name server of this host (resolv.conf), and whether the name is known inside."
		case "connect":
			title, do = "No connection to "+h.Name+" comes about", "Open the way out to "+h.Name+" in the firewall, or set the proxy."
		case "tls":
			if h.ChainErr != "" {
				continue // tls-certificate says so
			}
			title, do = h.Name+" answers, and TLS does not come about", "Look whether a proxy that breaks TLS open stands between, and whether both sides speak one version."
		default:
			title, do = h.Name+" is reached, and HTTP gets no answer", "Look whether a proxy or a firewall with rules for content stands between."
		}
		out = append(out, check.Wrong(title, check.Clip(h.Err, 200), p).Do(do))
	}
	if len(out) > 0 {
		return out
	}
	if refused != "" {
		return check.Only(check.Unknown(check.NeedNothing, refused, fine...))
	}
	if len(fine) == 0 {
		return check.Only(check.Unknown(check.NeedTLS, ""))
	}
	return check.Only(check.OK("", fine...))
}

// steps says how long each step took.
func steps(h *check.Host) string {
	var parts []string
	for _, s := range [...]struct {
		name string
		took time.Duration
	}{{"name", h.Resolved}, {"connection", h.Connected}, {"TLS", h.Shaken}} {
		if s.took > 0 {
			parts = append(parts, s.name+" "+s.took.Round(time.Microsecond*10).String())
		}
	}
	if len(parts) == 0 {
		return "nothing was reached"
	}
	return strings.Join(parts, ", ")
}
