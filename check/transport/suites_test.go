package transport_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"usher"
	"usher/check"
	"usher/check/transport"
	"usher/report"
)

// TestSuitesAreNamed: no suite that a server may take looks like a secret, so
// that a person reads which one it is.
func TestSuitesAreNamed(t *testing.T) {
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range list {
			target := target(with(func(h *check.Host) { h.Version, h.Weak = tls.VersionTLS12, []uint16{s.ID} }))
			target.Profile = &check.Profile{Name: "default"}
			findings, _ := check.Run(target, transport.Checks)
			shown := report.Masked(usher.Answer{Findings: findings})
			for i := range shown.Findings {
				f := &shown.Findings[i]
				if f.Check != "tls-ciphers" {
					continue
				}
				if cipher := s.Name[strings.LastIndexByte(s.Name, '_')+1:]; !strings.Contains(f.Title, cipher) || !strings.Contains(f.Proof[0].Quote, cipher) || f.Proof[0].Got == "" || strings.Contains(f.Title+f.Proof[0].Quote+f.Proof[0].Got, "[secret") {
					t.Errorf("%s: %q, %+v", s.Name, f.Title, f.Proof)
				}
			}
		}
	}
}
