package hostile_test

import (
	"testing"
)

// BenchmarkProcess measures a whole call of explain, from the start of the
// process to its end: what a person waits for, and the memory it takes at most.
func BenchmarkProcess(b *testing.B) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"explain", []string{"explain", "../../examples/53003/error.json"}},
		{"har", []string{"explain", "../../examples/53003/session.har"}},
		{"version", []string{"version"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			usher(b, nil, c.args...) // builds, and warms the file cache
			var wall, cpu float64
			var memory int64
			b.ResetTimer()
			for range b.N {
				r := usher(b, nil, c.args...)
				wall += float64(r.wall.Microseconds()) / 1000
				cpu += float64(r.cpu.Microseconds()) / 1000
				memory = max(memory, r.memory)
			}
			b.ReportMetric(0, "ns/op") // of the measuring process, too: of no interest
			b.ReportMetric(wall/float64(b.N), "ms/op")
			b.ReportMetric(cpu/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(memory)/(1<<20), "MB")
		})
	}
}
