package console

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"usher"
)

// policy lets in what the pages hold and nothing else: no script but the one
// file, no inline style, no frame around, no form to another place.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// defend holds before any route is looked up: what the browser is told to
// refuse, and that the request was meant for this server.
func (c *console) defend(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		// Not no-referrer: with it browsers send "Origin: null" with forms, and
		// where a page came over plain http that header is all there is to tell
		// a form of ours from a form of theirs. Other sites learn nothing either way.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !IsTrusted(r.Context()) && !c.meant(r.Host) {
			// A foreign name that leads here is how a web page reaches into
			// a network (DNS rebinding).
			c.tell(route{API: true}, w, r, refusal(usher.ErrForbidden, "this server does not answer to the name in the Host header",
				"use the address that usher serve printed, or set its url in the configuration"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowedHosts gives the names that lead here, in lower case and without a port.
func allowedHosts(listen, address string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(listen); err == nil && host != "" {
		hosts = append(hosts, strings.ToLower(host))
	}
	if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
		hosts = append(hosts, strings.ToLower(u.Hostname()))
	}
	return hosts
}

// meant tells whether a Host header names this server. Where it listens on
// every address of the machine, any literal address will do: a name has to be
// rebound, an address cannot be.
func (c *console) meant(hostport string) bool {
	host := hostOnly(hostport)
	if slices.Contains(c.doors, host) {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return addr.IsLoopback() || slices.Contains(c.doors, "0.0.0.0") || slices.Contains(c.doors, "::")
}

func hostOnly(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// admit holds for a route before anybody is recognised: where the request comes
// from and in which form it comes.
func (c *console) admit(rt route, r *http.Request) error {
	if IsTrusted(r.Context()) {
		return checkType(rt, r)
	}
	if !changes(r) {
		// A foreign page may lead a person here, and may do nothing else: no
		// picture, no stream, no frame.
		site := r.Header.Get("Sec-Fetch-Site")
		if (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return errForeign
		}
		return nil
	}
	if !c.ownOrigin(r) {
		return errForeign
	}
	return checkType(rt, r)
}

var errForeign = refusal(usher.ErrForbidden, "the request comes from another site", "open the page of usher itself and try again")

// ownOrigin tells whether a request that may change something comes from a page
// of this server. Programs send neither header and have no cookie; the cookie is
// what a foreign page would misuse. Another port of the same machine is "same
// site" to a browser, and foreign to us.
func (c *console) ownOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin != "" && origin != "null" {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "none": // typed or reloaded by the person
		return origin != "null"
	case "":
		if origin == "" {
			return !hasSessionCookie(r)
		}
		return origin != "null"
	}
	return false
}

// checkType holds the body to the form of its route: a foreign form cannot send
// JSON without asking first.
func checkType(rt route, r *http.Request) error {
	if !changes(r) || rt.Method == "" {
		return nil
	}
	want := "application/x-www-form-urlencoded"
	if rt.API {
		want = "application/json"
		if rt.Doc.TakesType != "" {
			want = rt.Doc.TakesType
		}
		if rt.Doc.Takes == nil && r.Header.Get("Content-Type") == "" && r.ContentLength == 0 {
			return nil
		}
	}
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != want {
		return refusal(CodeWrongType, "the Content-Type of this request must be "+want, "")
	}
	return nil
}
