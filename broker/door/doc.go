// Package door hands tokens to programs over HTTP.
//
// GET /connections/{id}/token gives the access token of a connection to whoever
// has a key that may use it; GET /connections/events tells for how long it is
// good and what befell it, and never the token. What is asked most is answered
// without a database: the token comes from the broker's cache, the key from a
// small one of the door's own, which is good for less than two seconds.
package door
