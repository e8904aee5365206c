//go:build unix

package all_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

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

// processor gives the time that this process has computed for.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
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
			start := processor()
			for b.Loop() {
				check.Run(target, checks)
			}
			// Of processor time: other work on the machine does not count.
			b.ReportMetric(float64(b.N)/(processor()-start).Seconds(), "checks/s")
		})
	}
}

// BenchmarkFiles reads the two files first.
func BenchmarkFiles(b *testing.B) {
	for _, c := range [...]struct{ name, registration, document string }{
		{"keycloak", "registration-keycloak.json", "keycloak"},
		{"entra", "registration-entra.json", "entra-v2-common"},
	} {
		b.Run(c.name, func(b *testing.B) {
			document, _ := parts(b, c.document)
			inputs := []evidence.Input{{Name: "discovery.json", Data: document}, registration(b, c.registration)}
			profile, err := check.ProfileNamed("")
			if err != nil {
				b.Fatal(err)
			}
			checks := all.Checks()
			b.ReportAllocs()
			start := processor()
			for b.Loop() {
				set, err := evidence.Read(inputs)
				if err != nil {
					b.Fatal(err)
				}
				target := read.Target(set, now, "")
				target.Profile = profile
				check.Run(target, checks)
			}
			b.ReportMetric(float64(b.N)/(processor()-start).Seconds(), "checks/s")
		})
	}
}
