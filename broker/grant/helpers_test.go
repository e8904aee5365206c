package grant_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"testing"
)

// writeCA writes a certificate to a file.
func writeCA(t *testing.T, path string, cert *x509.Certificate) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}
