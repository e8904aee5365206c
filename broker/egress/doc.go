// Package egress is a proxy that puts the token in.
//
// A program sends its request to usher, with its own key, and usher sends it on
// with the token of a connection:
//
//	http://127.0.0.1:5305/egress/shop-gateway/https/api.example/v1/charges
//
// or, as an HTTP proxy, with the connection as user and the key as password, the
// whole URL in the request line. Connections are tunnelled for nobody: what is
// inside a tunnel cannot be given a token.
//
// The token goes to the origins that the connection names as its targets, and
// nowhere else; no redirect is followed. An API that refuses the token as invalid
// has the broker get another one, and the request is sent once more where that is
// safe: never twice, and never where it could be carried out twice.
package egress
