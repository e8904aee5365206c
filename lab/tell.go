package lab

import (
	"net/http"
	"net/url"
)

// What follows tells a person, a client and the log about a sign-in, each in
// the words of the dialect.

// refusePage refuses where the browser may not be sent back to the client.
func (l *Lab) refusePage(w http.ResponseWriter, r *http.Request, p *pending, bad refusal) {
	l.refusePageFor(w, r, p, nil, bad)
}

func (l *Lab) refusePageFor(w http.ResponseWriter, r *http.Request, p *pending, s *session, bad refusal) {
	if p.dialect == DialectEntra {
		t := l.newTrace(r)
		l.recordSignIn(r, t, p, s, bad)
		l.page(w, http.StatusOK, l.entraPage(t, p, bad))
		return
	}
	l.logSignIn(r, p, s, bad)
	l.page(w, http.StatusBadRequest, errorPage{Realm: l.opt.Realm, Message: keycloakWords(bad).page})
}

// refuseBack sends an error to the client, RFC 6749 section 4.1.2.1.
func (l *Lab) refuseBack(w http.ResponseWriter, r *http.Request, p *pending, s *session, bad refusal) {
	if p.dialect == DialectEntra {
		t := l.newTrace(r)
		l.recordSignIn(r, t, p, s, bad)
		l.back(w, r, p, l.entraBack(t, p, bad))
		return
	}
	l.logSignIn(r, p, s, bad)
	words := keycloakWords(bad)
	q := url.Values{"error": {words.error}}
	if words.text != "" {
		q.Set("error_description", words.text)
	}
	l.back(w, r, p, q)
}

// tellSignIn writes down a sign-in that worked.
func (l *Lab) tellSignIn(r *http.Request, p *pending, s *session) {
	if p.dialect == DialectEntra {
		l.recordSignIn(r, l.newTrace(r), p, s, refusal{})
		return
	}
	l.logSignIn(r, p, s, refusal{})
}

// tellPassword writes down a password that was wrong.
func (l *Lab) tellPassword(r *http.Request, p *pending, bad refusal) {
	if p.dialect == DialectEntra {
		l.recordSignIn(r, l.newTrace(r), p, nil, bad)
		return
	}
	l.logSignIn(r, p, nil, bad)
}

// logSignIn writes LOGIN or LOGIN_ERROR.
func (l *Lab) logSignIn(r *http.Request, p *pending, s *session, bad refusal) {
	words := keycloakWords(bad)
	req := p.request
	e := userEvent{kind: "LOGIN", client: req.ClientID, ip: address(r)}
	if bad.bad() {
		if words.log == "" {
			return
		}
		e.failure = words.log
	}
	redirect := pair{"redirect_uri", req.RedirectURI}
	switch bad.is {
	case clientUnknown, clientDisabled:
	case redirectUnknown:
		e.details = []pair{redirect}
	case fine:
		e.user, e.session, e.parent, e.tab = s.user.ID, s.id, s.id, random(8)
		e.details = []pair{
			{"auth_method", "openid-connect"},
			{"auth_type", "code"},
			{"response_type", req.ResponseType},
			redirect,
			{"consent", "no_consent_required"},
			{"code_id", s.id},
			{"username", s.user.Name},
			{"response_mode", responseMode(req.ResponseMode)},
		}
	case passwordWrong, userUnknown, userDisabled:
		if u := l.user(bad.detail); u != nil {
			e.user = u.ID
		}
		e.details = []pair{{"auth_method", "openid-connect"}, {"auth_type", "code"}, redirect, {"code_id", randomID()}, {"username", bad.detail}}
	default:
		e.details = []pair{{"reason", words.reason}, {"response_type", req.ResponseType}, redirect, {"response_mode", responseMode(req.ResponseMode)}}
		if words.reason == "" {
			e.details = e.details[1:]
		}
	}
	l.logEvent(e)
}

func responseMode(mode string) string {
	if mode == "" {
		return "query"
	}
	return mode
}
