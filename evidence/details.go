package evidence

import (
	"net/netip"
	"strings"

	"usher"
)

// detailLabels are the lines of the block "Troubleshooting details" on Entra's
// error pages, and of the block "More details" of older ones.
var detailLabels = [...]struct{ label, key string }{
	{"request id", "request-id"},
	{"correlation id", "correlation"},
	{"timestamp", "time"},
	{"app name", "client-name"},
	{"app id", "client-id"},
	{"ip address", "ip"},
	{"device identifier", "device-id"},
	{"device platform", "device-platform"},
	{"device state", "device-state"},
	{"error code", "code"},
	{"message", "message"},
	{"signed in as", "user"},
	{"username", "user"},
	{"upn", "user"},
	{"flag sign-in errors", ""},
	{"tenant id", "tenant-id"},
	{"session id", "session-id"},
	{"trace id", "request-id"},
}

func sniffDetails(p *piece) int {
	if h := p.start(); len(p.text) > 64<<10 || h == "" || h[0] == '{' || h[0] == '<' || h[0] == '[' {
		return 0
	}
	if f := p.fold(); !f.has("error code") && !f.has("device") && !f.has("app id") && !f.has("app name") {
		return 0
	}
	l := p.fold().s
	n := 0
	if strings.Contains(l, "troubleshooting details") {
		n = 3
	}
	for _, label := range [...]string{"request id:", "correlation id:", "timestamp:", "app name:", "app id:", "ip address:", "device identifier:", "device platform:", "device state:", "error code:"} {
		if i := strings.Index(l, label); i >= 0 && (i == 0 || l[i-1] == '\n' || l[i-1] == ' ') {
			n++
		}
	}
	if n >= 3 && (n >= 4 || strings.Contains(l, "device ") || strings.Contains(l, "app ") || strings.Contains(l, "error code:")) {
		return 60
	}
	return 0
}

// readDetails reads the troubleshooting block; the sentences before it stay in
// the text of the item.
func readDetails(r *reader, p *piece) bool {
	text := strings.TrimSpace(p.text)
	lower := p.fold()
	r.secretsIn(p.text, lower)
	at := strings.Index(p.text, text)
	it := &Item{Line: p.line(at), Text: plainText(text)}
	it.Kind, it.Place = usher.KindErrorDetails, p.place(at)
	it.Provider = "entra"
	scanText(it, p, p.text, lower)
	detailFacts(it, p.text, lower)
	it.body()
	it.Summary = summary(errorSummary(it.Error))
	if it.Summary == "" {
		it.Summary = summary("troubleshooting details: " + text)
	}
	if r.add(it) {
		r.embedded(p, p.text, lower)
	}
	return true
}

// detailFacts draws the lines of a troubleshooting block out of a text.
func detailFacts(it *Item, text string, folded *folded) {
	if !folded.has("error code") && !folded.has("device") && !folded.has("app id") && !folded.has("app name") {
		return
	}
	lower := folded.s
	for _, d := range detailLabels {
		val := detailLine(text, lower, d.label)
		if val == "" || d.key == "" {
			continue
		}
		switch d.key {
		case "code":
			if w, _, _ := strings.Cut(val, " "); allDigits(w) && len(w) >= 4 && len(w) <= 8 {
				it.code("entra", "AADSTS"+w, it.Place, val)
			}
		case "message":
			if it.Error != nil && it.Error.Description == "" {
				it.Error.Description = val
			}
		case "time":
			if t, ok := parseTime(val); ok {
				it.Time = t
			}
		case "ip":
			ipFacts(it, val, it.Place)
		case "device-id":
			state := "present"
			if l := lowerASCII(val); strings.HasPrefix(l, "not available") || l == "none" {
				state = "absent"
			}
			it.fact("device-id", state, it.Place, val)
		case "correlation", "request-id":
			w, _, _ := strings.Cut(val, " ")
			it.fact(d.key, w, it.Place, w)
		default:
			it.fact(d.key, val, it.Place, val)
		}
	}
}

// detailLine gives what stands behind a label that starts a line, up to the
// end of the line or the next label.
func detailLine(text, lower, label string) string {
	for from := 0; ; {
		i := strings.Index(lower[from:], label)
		if i < 0 {
			return ""
		}
		i += from
		from = i + len(label)
		if i > 0 && isWordByte(lower[i-1]) {
			continue
		}
		rest := text[from:min(len(text), from+300)]
		trimmed := strings.TrimLeft(rest, " \t")
		if trimmed == "" || trimmed[0] != ':' {
			continue
		}
		rest = trimmed[1:]
		if j := strings.IndexByte(strings.TrimLeft(rest, " \t\n"), '\n'); j >= 0 {
			rest = strings.TrimLeft(rest, " \t\n")[:j]
		}
		l := lowerASCII(rest)
		for _, next := range detailLabels { // blocks that were pasted in one line
			if j := strings.Index(l, " "+next.label+":"); j > 0 {
				rest, l = rest[:j], l[:j]
			}
		}
		return strings.TrimSpace(rest)
	}
}

// ipFacts tells what kind of address it is.
func ipFacts(it *Item, s, place string) {
	s = strings.Trim(strings.TrimSpace(s), "[]")
	a, err := netip.ParseAddr(s)
	if err != nil {
		if ap, err2 := netip.ParseAddrPort(s); err2 == nil {
			a, err = ap.Addr(), nil
		}
	}
	if err != nil {
		return
	}
	a = a.Unmap()
	it.fact("ip", a.String(), place, s)
	switch {
	case a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast():
		it.fact("ip-family", "private", place, s)
	case a.Is4():
		it.fact("ip-family", "v4", place, s)
	default:
		it.fact("ip-family", "v6", place, s)
	}
}
