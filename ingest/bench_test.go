package ingest_test

import (
	"bytes"
	"testing"

	"usher/ingest"
)

// BenchmarkDecode gives the time of one record and the bytes a second, of each
// kind of source from its text.
func BenchmarkDecode(b *testing.B) {
	for _, source := range []struct{ name, kind, path string }{
		{"entra/azure-monitor", "entra", "made-entra-53003/azuremonitor.ndjson"},
		{"entra/log-analytics", "entra", "made-entra-53003/loganalytics.ndjson"},
		{"entra/log-analytics-real", "entra", "entra-loganalytics-msticpy/signinlogs.ndjson"},
		{"entra/graph", "entra", "made-entra-53003/graph-beta.ndjson"},
		{"entra/m365", "entra", "made-entra-53003/m365-audit.ndjson"},
		{"keycloak/quoted", "keycloak", "made-keycloak/quoted.log"},
		{"keycloak/bare", "keycloak", "made-keycloak/unquoted.log"},
		{"usher", "usher", ""},
	} {
		b.Run(source.name, func(b *testing.B) {
			text := []byte(ownEvent)
			if source.path != "" {
				text = data(b, source.path)
			}
			lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
			d := decoder(b, source.kind, ingest.Options{})
			b.SetBytes(int64(len(text) / len(lines)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				evs, err := d.Line(lines[i%len(lines)])
				if err != nil || len(evs) != 1 {
					b.Fatalf("%d events, %v", len(evs), err)
				}
			}
		})
	}
}
