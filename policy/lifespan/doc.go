// Package lifespan decides when tokens are renewed and how long callers may
// count on them, and says why.
package lifespan
