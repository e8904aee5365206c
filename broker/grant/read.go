package grant

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"usher"
	"usher/guard"
	"usher/oauth"
)

// reader reads one answer and notes what it forgives.
type reader struct {
	*answered
	members
	notes []string
	page  bool
}

// maxNotes bounds the notes of an answer.
const maxNotes = 16

// note keeps an oddity. What of it the other side wrote is masked by who quotes
// it.
func (r *reader) note(text string) {
	if len(r.notes) < maxNotes && !slices.Contains(r.notes, text) {
		r.notes = append(r.notes, text)
	}
}

// read makes an answer or a refusal of what came. It is pure.
func read(got *answered) (*Answer, *Refusal) {
	r := &reader{answered: got}
	if err := r.parse(); err != nil {
		return nil, r.unreadable(err)
	}
	if got.status/100 != 2 {
		return nil, r.refusal()
	}
	r.unwrap()
	if r.text("access_token") == "" {
		if r.refused() {
			return nil, r.refusal()
		}
		return nil, r.unreadable(errors.New("its answer holds no access token and no error"))
	}
	return r.answer()
}

// parse finds out what the body is written in and reads its members.
func (r *reader) parse() error {
	why, page := guard.NotJSON(r.header)
	body := r.body
	if bom := []byte("\xef\xbb\xbf"); bytes.HasPrefix(body, bom) {
		body = body[len(bom):]
		r.note("the answer begins with a byte order mark, which JSON has none of (RFC 8259 section 8.1)")
	}
	body = bytes.TrimSpace(body)
	switch {
	case r.tooLarge:
		r.page = page
		return errors.New("its answer is larger than 1 MiB")
	case len(body) == 0:
		return errors.New("its answer is empty")
	case body[0] == '<':
		r.page = true
		return errors.New("its answer is a page or XML and no JSON")
	case body[0] == '{':
		m, rest, err := readObject(body)
		if err != nil {
			return err
		}
		r.take(m)
		if why != "" && r.status/100 == 2 {
			r.note("the answer is JSON and " + r.hide.text(why, 120))
		}
		if rest > 0 {
			r.note("something follows the JSON of the answer")
		}
	default:
		r.page = page
		kind, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
		m, ok := readForm(body)
		if page || !ok {
			return errors.New("its answer is no JSON object")
		}
		r.take(m)
		if kind == "application/x-www-form-urlencoded" || kind == "text/plain" || kind == "" {
			r.note("the answer is written as a form and not as JSON (RFC 6749 section 5.1)")
		} else {
			r.note("the answer is written as a form, and " + r.hide.text(why, 120))
		}
	}
	if len(r.twice) > 0 {
		slices.Sort(r.twice)
		r.note("the answer has members twice, of which the last counts: " + r.hide.text(strings.Join(slices.Compact(r.twice), ", "), 120))
	}
	return nil
}

// take keeps the members, and makes their tokens known before anything of the
// answer is quoted.
func (r *reader) take(m members) {
	r.members = m
	all := []members{m}
	for _, name := range nested {
		if inner, ok := m.object(name); ok {
			all = append(all, inner)
		}
	}
	for _, m := range all {
		for _, name := range [...]string{"access_token", "refresh_token", "id_token", "accessToken", "refreshToken", "idToken", "device_code"} {
			r.hide.add(usher.Secret(m.text(name)))
		}
	}
}

// nested are the members that some APIs put a token answer into: Slack's
// authed_user, TikTok's data, Withings' body.
var nested = [...]string{"authed_user", "data", "body", "result"}

// camel are other spellings of the members.
var camel = [...][2]string{
	{"access_token", "accessToken"},
	{"refresh_token", "refreshToken"},
	{"id_token", "idToken"},
	{"token_type", "tokenType"},
	{"expires_in", "expiresIn"},
}

// unwrap goes to the object that holds the token, where that is not the answer
// itself, and to the members' usual names.
func (r *reader) unwrap() {
	if r.text("access_token") == "" {
		for _, name := range nested {
			if inner, ok := r.object(name); ok && inner.first("access_token", "accessToken") != "" {
				for _, outer := range []string{"ok", "error"} { // says how it went, beside the token
					if _, there := inner.values[outer]; !there && r.has(outer) {
						inner.values[outer] = r.values[outer]
					}
				}
				r.members = inner
				r.note("the token stands in the member " + name + " of the answer")
				break
			}
		}
	}
	for _, pair := range camel {
		if !r.has(pair[0]) && r.has(pair[1]) {
			r.values[pair[0]] = r.values[pair[1]]
			r.note("the answer writes " + pair[1] + " for " + pair[0])
		}
	}
}

// answer reads an answer that holds a token.
func (r *reader) answer() (*Answer, *Refusal) {
	access, err := r.sendable("access_token")
	if err != nil {
		return nil, r.unreadable(err)
	}
	a := &Answer{Access: access, Received: r.sent}
	if r.text("refresh_token") != "" {
		if a.Refresh, err = r.sendable("refresh_token"); err != nil {
			// The access token is good; the other one is kept as it came, it is sent in a form.
			a.Refresh = usher.Secret(r.text("refresh_token"))
			r.note("the refresh token holds characters that a token may not have (RFC 6749 appendix A.17)")
		}
	}
	a.ID = usher.Secret(r.text("id_token"))
	if _, nested := r.object("error"); nested || r.text("error") != "" || string(r.values["ok"]) == "false" {
		r.note("the answer holds a token, and an error too: " + r.hide.quote(r.first("error")))
	}
	if len(access) > 16<<10 {
		r.note("the access token is larger than 16 KiB, which most servers take in no header")
	}
	a.TokenType = r.tokenType()
	a.ExpiresIn = r.life(access)
	a.RefreshExpiresIn = r.refreshLife()
	a.Scopes = r.scopes()
	a.User = r.user(a.ID)
	a.Notes = r.notes
	return a, nil
}

// sendable gives a token that can be sent in a header: visible ASCII and blanks,
// RFC 6749 appendix A.12.
func (r *reader) sendable(name string) (usher.Secret, error) {
	raw := r.text(name)
	s := strings.TrimSpace(raw)
	if s != raw {
		r.note("the " + strings.ReplaceAll(name, "_", " ") + " had white space around it, which is left out")
	}
	if r.values[name][0] != '"' {
		r.note("the " + strings.ReplaceAll(name, "_", " ") + " is a number and no text")
	}
	if s == "" || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) {
		return "", errors.New("its " + strings.ReplaceAll(name, "_", " ") + " holds characters that no header takes")
	}
	r.hide.add(usher.Secret(s))
	return usher.Secret(s), nil
}

// tokenType gives the type as the protocol writes it, RFC 6749 section 7.1. The
// type is told without regard to case.
func (r *reader) tokenType() string {
	said := strings.TrimSpace(r.text("token_type"))
	switch strings.ToLower(said) {
	case "bearer":
		return "Bearer"
	case "":
		r.note("the answer names no token type; it is taken for Bearer")
		return "Bearer"
	case "dpop":
		r.note("the token is bound to a key (DPoP, RFC 9449), and none was offered: APIs will refuse it from a caller who has no such key")
		return "DPoP"
	case "mac", "pop", "n_a":
		r.note("the token is of the type " + said + " and cannot be sent as a Bearer token")
		return map[string]string{"mac": "mac", "pop": "PoP", "n_a": "N_A"}[strings.ToLower(said)]
	}
	r.note("the token type " + r.hide.quote(said) + " is not one that is registered; it is taken for Bearer")
	return "Bearer"
}

// maxScopes bounds the scopes of an answer.
const maxScopes = 256

// scopes gives the scopes that were granted; nil where the answer does not tell.
func (r *reader) scopes() []string {
	name := "scope"
	if !r.has(name) && r.has("scopes") {
		name = "scopes"
		r.note("the answer writes scopes for scope")
	}
	if !r.has(name) {
		return nil
	}
	list := []string{}
	switch raw := r.values[name]; raw[0] {
	case '"':
		text := r.text(name)
		if strings.Contains(text, ",") && !strings.Contains(strings.TrimSpace(text), " ") {
			r.note("scopes are divided by commas and not by blanks (RFC 6749 section 3.3)")
			text = strings.ReplaceAll(text, ",", " ")
		} else if strings.Contains(text, ", ") {
			r.note("scopes are divided by commas and not by blanks (RFC 6749 section 3.3)")
			text = strings.ReplaceAll(text, ", ", " ")
		}
		list = append(list, oauth.ParseScope(text)...)
	case '[':
		r.note("scopes are written as a list and not as a text (RFC 6749 section 5.1)")
		for _, s := range textList(raw) {
			list = append(list, oauth.ParseScope(s)...)
		}
	default:
		r.note("the member scope is neither text nor a list, and is not read")
		return nil
	}
	if len(list) > maxScopes {
		list = list[:maxScopes]
		r.note("the answer names more than 256 scopes, and the rest is left out")
	}
	for i, s := range list {
		list[i] = r.hide.word(s, 300)
	}
	if lacks := lacking(r.asked, list); len(lacks) > 0 {
		r.note("less was granted than was asked for: " + r.hide.text(strings.Join(lacks, " "), 200) + " is missing")
	}
	return list
}

// lacking gives the scopes that were asked for and not granted. What steers the
// answer and never stands in it does not count, nor does how Entra writes the
// scopes of an API.
func lacking(asked, granted []string) (lacks []string) {
	for _, s := range asked {
		switch s {
		case "openid", "offline_access", "profile", "email", "address", "phone":
			continue
		}
		if strings.HasSuffix(s, "/.default") || slices.Contains(granted, s) {
			continue
		}
		short := s[strings.LastIndexByte(s, '/')+1:]
		if !slices.ContainsFunc(granted, func(g string) bool {
			return strings.EqualFold(g, s) || strings.EqualFold(g[strings.LastIndexByte(g, '/')+1:], short)
		}) {
			lacks = append(lacks, s)
		}
	}
	return lacks
}

// user gives what the answer names of the user, not verified.
func (r *reader) user(id usher.Secret) string {
	name := ""
	if claims, ok := claimsOf(id); ok {
		name = claims.text("sub")
	}
	if name == "" {
		name = r.first("user_id", "userid", "username", "open_id", "openid", "sub")
	}
	return r.hide.word(name, 200)
}

// dateOf gives the time by the clock of who answered.
func dateOf(h http.Header) (time.Time, bool) {
	t, err := http.ParseTime(h.Get("Date"))
	return t, err == nil
}
