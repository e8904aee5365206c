package lab

var wrongAudience = &Fault{
	Name:    "token-wrong-audience",
	Title:   "Access tokens are for another API",
	Dialect: DialectAPI,
	Does:    "Access tokens name the provider's default audience, unless the request names the API by the parameter resource (RFC 8707).",
	Provoke: "Sign in without the parameter resource and call the API.",
	Shows:   "Clients that rely on a provider's default audience.",
	Fix:     "The client asks for a token for the API: resource=" + apiName + " in the authorization request or the token request.",
	Proof:   "The same client's next call for the same person succeeds, with a token for another audience.",
	on:      func(l *Lab) { l.noAudience = true },
	off:     func(l *Lab) { l.noAudience = false },
}
