package lab

var wrongAudience = &Fault{
	Name:    "token-wrong-audience",
	Title:   "Access tokens are for another API",
	Dialect: DialectAPI,
	Does:    "Access tokens name the provider's default audience, unless the request names the API by the parameter resource (RFC 8707).",
	Provoke: "Sign in without the parameter resource and call the API.",
	Command: `SECRET=$(curl -s {base}/lab/clients/{client} | jq -r '.secrets[-1].value // .secrets[-1].secret_id')
TOKEN=$(curl -s {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=client_credentials | jq -r .access_token)
curl -si {api} -H "Authorization: Bearer $TOKEN"`,
	Shows: "Clients that rely on a provider's default audience.",
	Fix:   "The client asks for a token for the API: resource=" + apiName + " in the authorization request or the token request.",
	Proof: "The same client's next call for the same person succeeds, with a token for another audience.",
	on:    func(l *Lab) { l.noAudience = true },
	off:   func(l *Lab) { l.noAudience = false },
}
