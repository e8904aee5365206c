//go:build race

package evidence_test

// slower is how much longer a bound may take under the race detector.
const slower = 6
