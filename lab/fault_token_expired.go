package lab

var tokenExpired = &Fault{
	Name:    "token-expired",
	Title:   "The first access token has ended already",
	Dialect: DialectAPI,
	Does:    "The first access token that a client gets for a person (or for itself) ended an hour ago, whatever expires_in says; the next one is good.",
	Provoke: "Sign in and call the API.",
	Shows:   "Clients that give up at a 401, in place of refreshing once and trying again.",
	Fix:     "The client answers invalid_token with one refresh and one more try.",
	Proof:   "The same client's next call for the same person succeeds, with another token.",
	on:      func(l *Lab) { l.staleOn = true; clear(l.stale) },
	off:     func(l *Lab) { l.staleOn = false },
}
