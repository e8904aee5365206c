package lab

import (
	"slices"
	"strings"

	"usher"
)

var redirectMismatch = &Fault{
	Name:    "redirect-uri-mismatch",
	Title:   "The registered redirect URI differs by a slash",
	Dialect: DialectKeycloak,
	Does:    "An administrator edits the client: each registered redirect URI loses the slash at its end, or gains one.",
	Provoke: "Start a sign-in with the redirect URI that was registered before.",
	Command: `curl -si '{authorize}?response_type=code&client_id={id}&redirect_uri={redirect}&scope=openid'`,
	Shows:   "Every client that sends the same redirect URI as ever: the sign-in ends on a page of the provider, and the app is never called back.",
	Fix:     "Register the URI that the app sends (usher can do it), or send the one that is registered.",
	Proof:   "The client's next sign-in with the refused redirect URI succeeds; or, if the app was changed, the same person's next sign-in with another one.",
	Action:  usher.ActionAddRedirectURI,
	on: func(l *Lab) {
		c := l.target()
		old := slices.Clone(c.RedirectURIs)
		if len(old) > 0 {
			l.sent[c.ID] = old[0]
		}
		for i, uri := range c.RedirectURIs {
			if trimmed, had := strings.CutSuffix(uri, "/"); had {
				c.RedirectURIs[i] = trimmed
			} else {
				c.RedirectURIs[i] = uri + "/"
			}
		}
		l.edited(c, clientRep{RedirectURIs: c.RedirectURIs})
		l.before["redirect-uri-mismatch"] = func() {
			c.RedirectURIs = old
			delete(l.sent, c.ID)
			l.edited(c, clientRep{RedirectURIs: c.RedirectURIs})
		}
	},
	off: func(l *Lab) { l.putBack("redirect-uri-mismatch") },
}
