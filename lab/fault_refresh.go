package lab

var refreshReusedFault = &Fault{
	Name:    "refresh-token-reused",
	Title:   "The answer to a refresh is lost, so that the old token is used again",
	Dialect: DialectKeycloak,
	Does:    "The first refresh of each grant is carried out, and the connection breaks before its answer. Rotation and the detection of reuse are always on.",
	Provoke: "Sign in, refresh, and refresh again with the token that the client still holds.",
	Shows:   "Clients that try again after a broken connection, two instances that refresh at once, and clients that save only the access token. The provider ends the whole grant.",
	Fix:     "Sign in again; refresh in one place, and store each answer before it is used.",
	Proof:   "The same client's next refresh for the same person succeeds, with another refresh token.",
	on:      func(l *Lab) { l.loseAnswers = true; clear(l.lost) },
	off:     func(l *Lab) { l.loseAnswers = false },
}
