package lab

import (
	"slices"
	"time"

	"usher"
)

var secretInvalid = &Fault{
	Name:    "client-secret-invalid",
	Title:   "The client's secret was made new at the provider",
	Dialect: DialectKeycloak,
	Does:    "An administrator regenerates the client's secret; the app has the old one.",
	Provoke: "Ask the token endpoint for anything with the old secret: a code, a refresh, client credentials.",
	Command: `SECRET=$(curl -s {base}/lab/clients/{client} | jq -r '.secrets[-1].value // .secrets[-1].secret_id')
curl -si {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=client_credentials`,
	Shows:  "Every confidential client that reads its secret once at its start.",
	Fix:    "Give the app the new secret; usher can make another one and shows it once. The person puts it into the app.",
	Proof:  "The client's next token request succeeds.",
	Action: usher.ActionReplaceSecret,
	on: func(l *Lab) {
		c := l.target()
		old, created := slices.Clone(c.secrets), c.created
		c.setSecret("", time.Time{})
		c.created = l.now()
		l.tellAdmin(l.person(), "ACTION", "CLIENT", "clients/"+c.UUID+"/client-secret", map[string]string{"type": "secret", "value": "**********"})
		l.before["client-secret-invalid"] = func() {
			c.secrets, c.created = old, created
			if len(old) > 0 {
				c.Secret = old[0].value
			}
			secret := c.Secret.Reveal()
			l.edited(c, clientRep{Secret: &secret})
		}
	},
	off: func(l *Lab) { l.putBack("client-secret-invalid") },
}
