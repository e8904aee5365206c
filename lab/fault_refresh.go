package lab

var refreshReusedFault = &Fault{
	Name:    "refresh-token-reused",
	Title:   "The answer to a refresh is lost, so that the old token is used again",
	Dialect: DialectKeycloak,
	Does:    "The first refresh of each grant is carried out, and the connection breaks before its answer. Rotation and the detection of reuse are always on.",
	Provoke: "Sign in, refresh, and refresh again with the token that the client still holds.",
	Command: `SECRET=$(curl -s {base}/lab/clients/{client} | jq -r '.secrets[-1].value // .secrets[-1].secret_id')
CODE=$(curl -s -o /dev/null -w '%{redirect_url}' '{authorize}?response_type=code&client_id={id}&redirect_uri={redirect}&scope={scope}&login_hint=lab:dana' | sed 's/.*[?&]code=\([^&]*\).*/\1/')
REFRESH=$(curl -s {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=authorization_code -d code=$CODE -d redirect_uri={redirect} | jq -r .refresh_token)
curl -s {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=refresh_token -d refresh_token=$REFRESH # this answer is lost
curl -si {token} -d client_id={id} --data-urlencode client_secret=$SECRET -d grant_type=refresh_token -d refresh_token=$REFRESH`,
	Shows: "Clients that try again after a broken connection, two instances that refresh at once, and clients that save only the access token. The provider ends the whole grant.",
	Fix:   "Sign in again; refresh in one place, and store each answer before it is used.",
	Proof: "The same client's next refresh for the same person succeeds, with another refresh token.",
	on:    func(l *Lab) { l.loseAnswers = true; l.lost = shelf[bool]{} },
	off:   func(l *Lab) { l.loseAnswers = false },
}
