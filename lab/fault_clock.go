package lab

import "time"

// clockAhead is how far the clock of the fault is ahead: more than any leeway.
const clockAhead = 10 * time.Minute

var clockSkew = &Fault{
	Name:    "clock-skew",
	Title:   "The provider's clock is ten minutes ahead",
	Dialect: DialectAPI,
	Does:    "Tokens are dated ten minutes into the future: iat, nbf and exp.",
	Provoke: "Get a new token and call the API at once.",
	Command: `SECRET=$(curl -s {base}/lab/clients/{client} | jq -r '.secrets[-1].value // .secrets[-1].secret_id')
TOKEN=$(curl -s {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=client_credentials | jq -r .access_token)
curl -si {api} -H "Authorization: Bearer $TOKEN"`,
	Shows: "Everybody who verifies nbf or iat; the same token works ten minutes later.",
	Fix:   "Whoever runs the provider sets its clock (switch the fault off); tokens from before have to be got anew.",
	Proof: "The same client's next call succeeds, with another token.",
	on:    func(l *Lab) { l.skew = clockAhead },
	off:   func(l *Lab) { l.skew = 0 },
}
