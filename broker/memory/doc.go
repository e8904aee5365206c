// Package memory is a store in memory, for tests and simulations.
package memory
