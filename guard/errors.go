package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"

	"usher"
)

// Explain makes of whatever an http.Client answered an error for a person: what
// happened where, and what to do. The query and the user of the URL, which
// http's own error shows, are left out. An *usher.Error within is given as it
// is. Use it with HTTP; Do has done it.
func Explain(u *url.URL, err error) error {
	if err == nil {
		return nil
	}
	var told *usher.Error
	if errors.As(err, &told) {
		return told
	}
	var in *errInside
	if errors.As(err, &in) {
		return refused(
			"the URL "+shown(u)+" may not be asked: "+in.Error(),
			"if this address is yours, add its origin to the configuration; if a document named it, ask who wrote that")
	}
	code, why, hint := usher.ErrUnreachable, "gave no answer", "see whether it runs, and whether this machine may reach it"
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, context.Canceled):
		why, hint = "was not waited for: the call was cancelled", ""
	case errors.As(err, &dns) && !dns.IsNotFound:
		why, hint = "was not found: no name server tells where "+dns.Name+" lies", "see whether this machine has a network, and its name servers (/etc/resolv.conf)"
	case noRoute(err):
		why, hint = "cannot be reached: this machine has no route to it", "see whether this machine has a network, and whether it must go through a proxy"
	case errors.As(err, &dns):
		why, hint = "cannot be found: the name "+dns.Name+" does not resolve", "see the spelling of the host, and the name servers of this machine"
	case errors.As(err, &unknown):
		why, hint = "has a certificate of an authority that is not known here", "name its authority's certificate with ca_file"
	case errors.As(err, &cert):
		why, hint = "has a certificate that is not valid for it", "see its names and dates: openssl s_client -connect "+hostPort(u)
	case strings.Contains(err.Error(), "response headers exceeded") || strings.Contains(err.Error(), "response header list larger"):
		code, why, hint = usher.ErrTooLarge, "sends more than "+strconv.Itoa(maxHeader)+" bytes of headers", "see whether the address is the right one"
	case errors.Is(err, http.ErrSchemeMismatch):
		why, hint = "does not speak TLS", "see whether the address should begin with http:// and whether the port is right"
	case errors.Is(err, syscall.ECONNREFUSED):
		why, hint = "refused the connection: nothing listens at "+hostPort(u), "see whether it runs; if it has moved to another address, restart usher, which keeps to the address that it found first"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), timedOut(err):
		why, hint = "did not answer in time", "see whether it is overloaded, or a firewall drops the packets"
	}
	// The cause is for the log; it is unwrapped from url.Error, which repeats
	// the whole URL.
	var whole *url.Error
	if errors.As(err, &whole) {
		err = whole.Err
	}
	return &usher.Error{Code: code, Message: shown(u) + " " + why, Hint: hint, Err: quiet{err}}
}

// NoNetwork tells whether an error lies on this side: no name server answers, or
// there is no route. Nothing is known of the other side then.
func NoNetwork(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && !dns.IsNotFound && !errors.Is(err, context.Canceled) || noRoute(err)
}

func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETDOWN) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// quiet keeps an error for errors.Is and errors.As and prints nothing of it,
// since it may quote what the other side wrote.
type quiet struct{ err error }

func (q quiet) Error() string { return "" }
func (q quiet) Unwrap() error { return q.err }

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

func hostPort(u *url.URL) string {
	o, err := originOf(u)
	if err != nil {
		return u.Host
	}
	return o.dialled()
}
