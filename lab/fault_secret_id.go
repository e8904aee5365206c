package lab

var secretIDUsed = &Fault{
	Name:    "client-secret-id-used",
	Title:   "The secret's id is handed out in place of its value",
	Dialect: DialectEntra,
	Does:    "Where the lab tells the client's settings it shows the Secret ID, as a portal does to whoever comes back later: the value is not shown again.",
	Provoke: "Configure the app with what is shown as the secret, and ask the token endpoint for anything.",
	Command: `SECRET=$(curl -s {base}/lab/clients/{client} | jq -r '.secrets[-1].value // .secrets[-1].secret_id')
curl -si {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=client_credentials`,
	Shows: "Every confidential client that is configured with it. Entra's answer is that of any wrong secret; the request beside it, or the lab's record (additionalDetails, which Entra leaves empty), tells the difference.",
	Fix:   "A person makes a new secret (POST /lab/clients/CLIENT/secrets), copies its value and puts it into the app.",
	Proof: "The client's next token request succeeds, with a credential.",
	on:    func(*Lab) {}, // what is shown asks whether the fault is on
	off:   func(*Lab) {},
}
