// Package broker holds the whole broker to its promises: three replicas that
// share a store, a provider that forgives nothing, callers at the moment of
// expiry, kills, pauses and outages; a checker of histories decides.
package broker
