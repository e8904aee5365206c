package all_test

import (
	"os"
	"path/filepath"
	"testing"

	"usher/check"
	"usher/check/all"
	"usher/check/read"
	"usher/evidence"
)

// Benchmarks of the room: what one check of a registration with a discovery
// document costs, on one core. It must be less than 0.5 ms.

func registration(tb testing.TB, name string) evidence.Input {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return evidence.Input{Name: name, Data: data}
}

// BenchmarkRun judges what was read already.
func BenchmarkRun(b *testing.B) {
	for _, c := range [...]struct{ name, registration, document string }{
		{"keycloak", "registration-keycloak.json", "keycloak"},
		{"entra", "registration-entra.json", "entra-v2-common"},
	} {
		b.Run(c.name, func(b *testing.B) {
			target := stored(b, c.document)
			target.KeySets = nil
			set, err := evidence.Read([]evidence.Input{registration(b, c.registration)})
			if err != nil {
				b.Fatal(err)
			}
			read.Add(target, set)
			if len(target.Registrations) != 1 {
				b.Fatalf("%d registrations", len(target.Registrations))
			}
			checks := all.Checks()
			b.ReportAllocs()
			for b.Loop() {
				check.Run(target, checks)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checks/s")
		})
	}
}
