package strategy

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"usher"
	"usher/broker/grant"
	"usher/catalog"
	"usher/diagnose"
	"usher/evidence"
	"usher/guard"
	"usher/oauth"
)

// Input is a refusal and what is known of the connection that met it.
type Input struct {
	GrantType   string         // of the request that was refused, as it was sent: "refresh_token"
	Interactive bool           // only a person can begin the grant anew
	HasRefresh  bool           // the request presented a refresh token
	Managed     bool           // the client's secret is managed, so that it can be rotated
	Tries       int            // refusals in a row before this one
	Refusal     *grant.Refusal // nil is as one of which nothing is known

	ClientID   string   // optional, as are the others
	AuthMethod string   //
	Requested  []string // scopes
	Granted    []string // scopes of the token before; nil: not known

	Now time.Time
}

// Unknown is the cause where none could be told.
const Unknown = "unknown"

// sure is how sure a cause must be to decide; with less, the code does.
const sure = 0.5

// surely is how sure a cause must be for a token that may still serve callers to
// be put away.
const surely = 0.85

// anew is how long is waited before a grant begins anew that was refused when it
// began.
const anew = 30 * time.Second

// Decide says what is done about a refusal. It asks nobody, takes well below a
// millisecond and is safe for concurrent use.
func Decide(in Input) Decision {
	if in.Refusal == nil {
		in.Refusal = &grant.Refusal{Kind: grant.Unreadable}
	}
	d := in.decide()
	in.settle(&d)
	return d
}

func (in *Input) decide() Decision {
	r := in.Refusal
	switch r.Kind {
	case grant.Misused:
		return Decision{Cause: "app-misconfigured", Confidence: 1, Strategy: GiveUp, Title: "no request can be made of the configuration" + told(r.Err), Turn: usher.FixerDeveloper}
	case grant.Unreachable:
		return in.unreached()
	case grant.Lost:
		d := in.of("provider-outage", 0.6)
		d.Title = in.lost()
		return d
	case grant.Busy:
		// What says "not now" is taken at its word, whatever it says beside.
		if r.Status == http.StatusTooManyRequests {
			d := in.of("throttled", 0.95)
			d.Wait = cmp.Or(r.RetryAfter, d.Wait)
			return d
		}
		d := in.of("provider-outage", 0.85)
		d.Title = "the provider says that it is not available now (status " + strconv.Itoa(r.Status) + ")"
		return d
	}
	cause, confidence := in.diagnosed()
	if row, ok := RowOf(cause); ok && confidence >= sure && (in.answered() || row.Person == Retry) && !in.denies(row) {
		return in.of(cause, confidence)
	}
	return in.fallback()
}

// denies tells whether the code says that it is not the refresh token that is no
// good, whatever the words beside it remind of: they may be about the client's
// own assertion. A token that was sent and is said to lack was lost on the way.
func (in *Input) denies(row Row) bool {
	switch in.Refusal.Code {
	case oauth.ErrInvalidClient:
		return row.Dead
	case oauth.ErrInvalidRequest:
		return row.Cause == "refresh-token-missing" && in.HasRefresh
	}
	return false
}

// answered tells whether the refusal is in words that can be the endpoint's own.
// A page, a redirect or a success without a token may come from whatever stands
// before it, so that nothing is given up for it: what it seems to say counts only
// where that is to try again.
func (in *Input) answered() bool {
	r := in.Refusal
	return r.Kind == grant.Refused || !r.Page && r.Status/100 >= 4 && r.Body != ""
}

// someTries is how often what is not the endpoint's own answer is tried again
// before it is taken for what the endpoint has to say.
const someTries = 4

// of makes a decision of the row of a cause.
func (in *Input) of(cause string, confidence float64) Decision {
	row, _ := RowOf(cause)
	d := Decision{
		Cause: cause, Confidence: confidence, Strategy: row.Service, Wait: row.Wait, Turn: row.Turn,
		Endpoint: row.Endpoint, Dead: row.Dead && in.HasRefresh, Revoked: row.Revoked && confidence >= surely,
	}
	if in.Interactive {
		d.Strategy = row.Person
	}
	if e := catalog.Cause(cause); e != nil {
		d.Title = small(e.Title)
		d.Turn = cmp.Or(d.Turn, e.Fixer)
	}
	return d
}

// lost says what came in place of an answer.
func (in *Input) lost() string {
	r := in.Refusal
	var known *usher.Error
	switch large := errors.As(r.Err, &known) && known.Code == usher.ErrTooLarge; {
	case r.Status/100 == 2:
		return "the provider's answer broke off (status " + strconv.Itoa(r.Status) + "), so that nobody knows what it gave"
	case r.Status != 0:
		return "what stands before the provider got no answer from it (status " + strconv.Itoa(r.Status) + ")"
	case large:
		return "the provider gave an answer that cannot be taken" + told(r.Err)
	}
	return "the provider was asked and gave no answer"
}

// unreached decides about a request that did not go out.
func (in *Input) unreached() Decision {
	err := in.Refusal.Err
	cause := "network-proxy"
	switch {
	case untrusted(err):
		cause = "tls-trust"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET): // this machine has a way to it
		cause = "provider-outage"
	}
	d := in.of(cause, 0.9)
	d.Title = "the provider cannot be reached" + told(err)
	// That this machine has no network says nothing about the endpoint, and the
	// breaker is shared by all replicas.
	d.Endpoint = !guard.NoNetwork(err)
	return d
}

// settle fits a decision to what the connection has.
func (in *Input) settle(d *Decision) {
	if d.Strategy == Narrow && !in.canNarrow() {
		d.Strategy = GiveUp
		if in.Interactive && d.Cause != "scope-invalid" {
			d.Strategy = Ask
		}
	}
	if d.Strategy == Rotate && in.AuthMethod == oauth.AuthNone {
		d.Strategy = GiveUp // it has nothing to rotate
	}
	if d.Strategy == Rotate && in.Managed {
		d.Turn = "" // usher does it
	}
	if d.Strategy == Authenticate && in.Interactive {
		d.Strategy = Ask
	}
	if d.Strategy == Ask && !in.Interactive {
		d.Strategy = Authenticate // nobody has to be asked
	}
	switch {
	case d.Strategy == Authenticate && in.HasRefresh:
		d.Dead = true // it begins anew without it
	case d.Strategy == Authenticate:
		d.Wait = max(d.Wait, anew) // what was refused was a beginning: the next one is no other
	case d.Strategy == Ask && d.Dead:
		d.Wait = 0 // there is nothing left to look at again
	}
	if d.Turn == usher.FixerNobody || d.Strategy == Authenticate {
		d.Turn = ""
	}
	if w := in.Refusal.RetryAfter; w > d.Wait {
		d.Wait = w
	}
	if d.Title == "" {
		d.Title = "the provider refused the token"
	}
	d.Title = oauth.Redact(d.Title)
}

// canNarrow tells whether less can be asked for than was.
func (in *Input) canNarrow() bool {
	return len(in.Granted) > 0 && len(in.Requested) > 0 && len(oauth.MinusScope(in.Requested, in.Granted)) > 0
}

var explainers = sync.Pool{New: func() any { return diagnose.New() }}

// diagnosed gives the first cause that the diagnosis names.
func (in *Input) diagnosed() (cause string, confidence float64) {
	set, err := evidence.Read([]evidence.Input{{Name: "answer of the token endpoint", Data: []byte(in.exchange())}})
	if err != nil {
		return "", 0
	}
	x := explainers.Get().(*diagnose.Explainer)
	answer := x.Explain(set, diagnose.Options{Now: in.Now})
	explainers.Put(x)
	for _, f := range answer.Findings {
		if f.Outcome == usher.OutcomeWrong {
			return f.Cause, f.Confidence
		}
	}
	return "", 0
}

// unseen stands where a secret stood in the request: that one was sent tells
// something, and what it was tells nothing.
const unseen = "unseen"

// exchange writes request and answer as the evidence that a person would give.
// Nothing in it is secret: the refusal is masked, and of the request's secrets
// only the places are there.
func (in *Input) exchange() string {
	r := in.Refusal
	var b strings.Builder
	b.WriteString("POST " + anonymous(r.Endpoint) + " HTTP/1.1\n") // without media types, whose words are no evidence
	form := url.Values{}
	set := func(name, value string) {
		if value != "" {
			form.Set(name, value)
		}
	}
	set("grant_type", in.GrantType)
	set("client_id", in.ClientID)
	set("scope", strings.Join(in.Requested, " "))
	if in.HasRefresh {
		set("refresh_token", unseen)
	}
	switch {
	case r.SecretID:
		set("client_secret", "00000000-0000-0000-0000-000000000000") // the form is what tells
	case in.AuthMethod == oauth.AuthBasic:
		b.WriteString("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(in.ClientID)+":"+unseen)) + "\n")
	case in.AuthMethod == oauth.AuthPost:
		set("client_secret", unseen)
	case in.AuthMethod == oauth.AuthPrivateKeyJWT, in.AuthMethod == oauth.AuthSecretJWT:
		set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	}
	b.WriteString("\n" + form.Encode())
	b.WriteString("\n\nHTTP/1.1 " + strconv.Itoa(r.Status) + " " + http.StatusText(r.Status) + "\n")
	body := r.Body
	if !json.Valid([]byte(body)) && !r.Page && (r.Code != "" || r.Description != "") { // it was cut, or came as a form
		if made, err := json.Marshal(map[string]string{"error": r.Code, "error_description": r.Description}); err == nil {
			body = string(made)
		}
	}
	return b.String() + "\n" + body
}

// known are hosts that tell a provider, by their ends.
var known = [...]string{
	".microsoftonline.com", ".microsoftonline.us", ".chinacloudapi.cn", ".b2clogin.com", ".ciamlogin.com", ".okta.com", ".oktapreview.com", ".auth0.com",
	".googleapis.com", ".google.com", ".github.com", ".gitlab.com", ".slack.com", ".facebook.com", ".amazoncognito.com", ".apple.com", ".paypal.com",
	".linkedin.com", ".twitter.com", ".x.com", ".salesforce.com", ".intuit.com", ".xero.com", ".stripe.com", ".squareup.com", ".dropboxapi.com", ".atlassian.com",
}

// anonymous gives an endpoint by which the provider can be told, without the
// words of the operator's own that may stand in its host and path: a realm
// called "federation" is no evidence of one.
func anonymous(endpoint string) string {
	_, rest, _ := strings.Cut(endpoint, "://")
	host, path, _ := strings.Cut(rest, "/")
	name := "idp.example"
	for _, end := range known {
		if strings.HasSuffix("."+host, end) {
			name = "tenant" + end
			if "."+host == end {
				name = host
			}
			if end == ".microsoftonline.com" || end == ".microsoftonline.us" {
				name = "login" + end
			}
		}
	}
	switch {
	case strings.HasSuffix(path, "/protocol/openid-connect/token"):
		return "https://" + name + "/realms/realm/protocol/openid-connect/token"
	case strings.HasSuffix(path, "oauth2/v2.0/token"):
		return "https://" + name + "/common/oauth2/v2.0/token"
	}
	return "https://" + name + "/oauth/token"
}

// told gives what an error says to a person, as the end of a sentence.
func told(err error) string {
	var known *usher.Error
	if errors.As(err, &known) && known.Message != "" {
		return ": " + known.Message
	}
	return ""
}

// small begins a title with a small letter, as part of a sentence; names and
// abbreviations stay.
func small(title string) string {
	r, n := utf8.DecodeRuneInString(title)
	if next, _ := utf8.DecodeRuneInString(title[n:]); unicode.IsUpper(next) {
		return title
	}
	return string(unicode.ToLower(r)) + title[n:]
}
