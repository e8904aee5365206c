// Package memory is a store of the broker in memory, for tests and for one process.
package memory
