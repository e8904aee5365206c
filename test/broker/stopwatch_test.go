package broker_test

import (
	"syscall"
	"time"
)

// stopwatch measures the processor time of this process: in a bubble of
// testing/synctest the clock is not the machine's.
func stopwatch() func() time.Duration {
	var start syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &start)
	return func() time.Duration {
		var now syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &now)
		return time.Duration(now.Utime.Nano() - start.Utime.Nano() + now.Stime.Nano() - start.Stime.Nano()).Round(time.Millisecond)
	}
}
