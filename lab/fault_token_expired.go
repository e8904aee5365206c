package lab

var tokenExpired = &Fault{
	Name:    "token-expired",
	Title:   "The first access token has ended already",
	Dialect: DialectAPI,
	Does:    "The first access token that a client gets for a person (or for itself) ended an hour ago, whatever expires_in says; the next one is good.",
	Provoke: "Sign in and call the API.",
	Command: `SECRET=$(curl -s {base}/lab/clients/{client} | jq -r '.secrets[-1].value // .secrets[-1].secret_id')
TOKEN=$(curl -s {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=client_credentials | jq -r .access_token)
curl -si {api} -H "Authorization: Bearer $TOKEN"`,
	Shows: "Clients that give up at a 401, in place of refreshing once and trying again.",
	Fix:   "The client answers invalid_token with one refresh and one more try.",
	Proof: "The same client's next call for the same person succeeds, with another token.",
	on:    func(l *Lab) { l.staleOn = true; clear(l.stale) },
	off:   func(l *Lab) { l.staleOn = false },
}
