// Package egress is a proxy that puts the token in.
package egress
