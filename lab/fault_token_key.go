package lab

var keyNotFound = &Fault{
	Name:    "token-key-not-found",
	Title:   "Tokens are signed with a key that is not published",
	Dialect: DialectAPI,
	Does:    "The provider signs with a new key and leaves it out of its key set.",
	Provoke: "Get a new token and call the API, or let the client check its ID token.",
	Command: `SECRET=$(curl -s {base}/lab/clients/{client} | jq -r '.secrets[-1].value // .secrets[-1].secret_id')
TOKEN=$(curl -s {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=client_credentials | jq -r .access_token)
curl -si {api} -H "Authorization: Bearer $TOKEN"`,
	Shows: "Everybody who verifies tokens; clients that load the key set again at an unknown key id find nothing there either.",
	Fix:   "Whoever runs the provider publishes the key (switch the fault off). A verifier then loads the key set once more.",
	Proof: "The same client's next call succeeds, with the key that was unknown.",
	on:    func(l *Lab) { l.keys.rotate(false) },
	off:   func(l *Lab) { l.keys.publish() },
}
