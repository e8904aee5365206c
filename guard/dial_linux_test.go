package guard_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"usher"
	"usher/guard"
)

// TestEveryAddress: an address that takes no connection leaves time for the
// others, and one without a route does not hide what the others say.
func TestEveryAddress(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "there") }))
	defer s.Close()
	host := "http://sso.example:" + port(s)
	full := hole(t, s.Listener.Addr().(*net.TCPAddr).Port)
	w := &names{answers: map[string][][]netip.Addr{"sso.example": {append(full, netip.MustParseAddr("127.0.0.1"))}}}
	said, err := get(t, guard.New(guard.Options{Trusted: []string{host}, Resolver: w, Timeout: 6 * time.Second}), host)
	if err != nil || said != "there" {
		t.Errorf("the last of its addresses was not asked: %v", err)
	}

	s.Close()
	w = &names{answers: map[string][][]netip.Addr{"sso.example": {addrs("224.0.0.1", "127.0.0.1")}}} // the first has no route for TCP
	_, err = get(t, guard.New(guard.Options{Trusted: []string{host}, Resolver: w}), host)
	wantCode(t, err, usher.ErrUnreachable, "refused the connection")
	if guard.NoNetwork(err) {
		t.Error("the network is blamed")
	}
}

// hole gives an address of this machine at which a port swallows connections:
// its queue is full.
func hole(t *testing.T, port int) []netip.Addr {
	t.Helper()
	at := netip.MustParseAddr("127.0.0.2")
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: at.As4()}), syscall.Listen(fd, 0)); err != nil {
		t.Skip("NOT TESTED: no second address of loopback: ", err)
	}
	for range 8 {
		if conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(at, uint16(port)).String(), 200*time.Millisecond); err == nil { // #nosec G115 -- a port
			t.Cleanup(func() { _ = conn.Close() })
		} else {
			return []netip.Addr{at}
		}
	}
	t.Skip("NOT TESTED: this system takes every connection, so that none hangs")
	return nil
}
