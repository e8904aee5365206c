// Package client gets tokens from a broker: a token source for golang.org/x/oauth2 and for plain HTTP clients.
package client
