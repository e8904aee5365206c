package lab

import (
	"slices"
	"time"
)

var secretExpiredFault = &Fault{
	Name:    "client-secret-expired",
	Title:   "The client's secret has passed its end date",
	Dialect: DialectEntra,
	Does:    "The client's secrets ended an hour ago.",
	Provoke: "Ask the token endpoint for anything with the client's secret.",
	Command: `SECRET=$(curl -s {base}/lab/clients/{client} | jq -r '.secrets[-1].value // .secrets[-1].secret_id')
curl -si {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=client_credentials`,
	Shows: "Every confidential client; tokens that it holds already go on working until they end.",
	Fix:   "A person makes a new secret (POST /lab/clients/CLIENT/secrets) and puts it into the app. The old one stays dead.",
	Proof: "The client's next token request succeeds, with another credential.",
	on: func(l *Lab) {
		c := l.target()
		old := slices.Clone(c.secrets)
		for i := range c.secrets {
			c.secrets[i].expires = l.now().Add(-time.Hour)
		}
		l.before["client-secret-expired"] = func() { c.secrets = old }
	},
	off: func(l *Lab) { l.putBack("client-secret-expired") },
}
