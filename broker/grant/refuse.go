package grant

import (
	"bytes"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"usher"
	"usher/oauth"
)

const (
	maxText  = 2 << 10 // of a body or a description that is kept
	maxCode  = 120
	maxRetry = 24 * time.Hour // that is believed
)

// refused tells whether the members say that something went wrong.
func (r *reader) refused() bool {
	if raw := r.values["ok"]; string(raw) == "false" {
		return true // Slack
	}
	code, description, _ := r.problem()
	return code != "" || description != ""
}

// problem finds the error in an answer: RFC 6749 section 5.2, or what other
// APIs write in its place.
func (r *reader) problem() (code, description, uri string) {
	uri = r.text("error_uri")
	code, description = r.text("error"), r.first("error_description", "error_message", "errorDescription")
	if inner, ok := r.object("error"); ok {
		// Facebook: message, type, code, error_subcode. Google: code, message, status.
		code = inner.first("status", "type", "code", "error")
		if n := inner.text("code"); n != "" && n != code {
			description = join(n, inner.text("error_subcode"))
		}
		description = join(description, inner.first("message", "error_description", "description", "error_user_msg"))
	}
	if code != "" || description != "" {
		return code, description, uri
	}
	if inner, ok := r.object("fault"); ok { // Apigee
		if detail, ok := inner.object("detail"); ok {
			code = detail.first("errorcode")
		}
		return code, inner.text("faultstring"), uri
	}
	if list := bytes.TrimSpace(r.values["errors"]); len(list) > 0 && list[0] == '[' {
		if inner, ok := firstOf(list); ok {
			return inner.first("code", "errorType", "error", "status"), inner.first("message", "detail", "title"), uri
		}
		if texts := textList(list); len(texts) > 0 {
			return "", texts[0], uri
		}
	}
	code = r.first("errorCode", "error_code", "errcode", "code")
	description = r.first("errorSummary", "errmsg", "error_msg", "message", "Message", "msg", "detail", "title")
	if code == "0" { // of those who number also what went well
		code = ""
	}
	return code, description, uri
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

// firstOf gives the first object of a list.
func firstOf(list []byte) (members, bool) {
	at := bytes.IndexByte(list, '{')
	if at < 0 || len(bytes.TrimSpace(list[1:at])) > 0 {
		return members{}, false
	}
	m, _, err := readObject(list[at:])
	return m, err == nil
}

// refusal makes a refusal of an answer that can be read.
func (r *reader) refusal() *Refusal {
	code, description, uri := r.problem()
	if r.status/100 != 2 && code == "" && description == "" {
		return r.unreadable(nil)
	}
	out := r.begin()
	switch {
	case !oauth.KnownError(code):
		out.Kind = r.before(Refused)
	case r.busy():
		out.Kind = Busy
	default:
		out.Kind = Refused
	}
	out.Code = r.hide.word(code, maxCode)
	out.Description = r.hide.text(description, maxText)
	out.URI = r.hide.text(uri, 300)
	return out
}

// unreadable makes a refusal of an answer that is neither a token nor an error.
func (r *reader) unreadable(why error) *Refusal {
	out := r.begin()
	out.Page, out.Kind = r.page, r.before(Unreadable)
	told := &usher.Error{Code: usher.ErrUnreadable, Message: "its answer holds no error that can be read"}
	if why != nil {
		told.Message = why.Error()
	}
	switch {
	case out.Page:
		told.Hint = "see what stands before the endpoint: a proxy, a sign-in page of the network, maintenance; and whether the address is the token endpoint"
	case r.status/100 == 3:
		told.Message = "it sends elsewhere, and a secret is not sent along"
		told.Hint = "put the address into the configuration to which it has moved, if that is right"
	}
	out.Err = told
	return out
}

// busy tells whether the status says: not now.
func (r *reader) busy() bool {
	return r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable
}

// before gives the kind of an answer that may be of what stands before the
// endpoint, in JSON too: Kong and API gateways write {"message": "..."}. None of
// them took part in what the endpoint did.
func (r *reader) before(otherwise RefusalKind) RefusalKind {
	switch {
	case r.status == http.StatusBadGateway, r.status == http.StatusGatewayTimeout, r.status == http.StatusServiceUnavailable && r.passedOn():
		return Lost // it says that no answer came
	case r.busy():
		return Busy
	}
	return otherwise
}

// patient is how long nobody holds a request whom he could have told at once
// that he takes none.
const patient = 10 * time.Second

// passedOn tells of a 503 that the request had gone on to the endpoint: Envoy
// says 503 of connections that broke under one, and some gateways when they
// have waited for long enough.
func (r *reader) passedOn() bool {
	if r.retryAfter() > 0 {
		return false
	}
	if why, ok := bytes.CutPrefix(r.body, []byte("upstream connect error or disconnect/reset before headers")); ok {
		for _, never := range []string{"connection failure", "connection timeout", "overflow", "refused"} {
			if bytes.Contains(why, []byte(never)) {
				return false // it had no connection to go out on
			}
		}
		return true
	}
	return r.came.Sub(r.sent) >= patient
}

// begin fills in what every refusal has.
func (r *reader) begin() *Refusal {
	return &Refusal{
		Endpoint: r.endpoint, Status: r.status, RetryAfter: r.retryAfter(),
		Body: r.hide.text(r.shownBody(), maxText), SecretID: r.secretID,
	}
}

// shownBody is what of a body is kept for the diagnosis. Of a success nothing is
// that cannot be read: it may hold the new token, in whatever form.
func (r *reader) shownBody() string {
	if r.first("access_token", "device_code") != "" || r.status/100 == 2 && r.values == nil && !r.page {
		return ""
	}
	return string(r.body)
}

// retryAfter tells when it may be asked again: RFC 9110 section 10.2.3, or what
// APIs say with 429 in its place.
func (r *reader) retryAfter() time.Duration {
	now := r.came
	if date, ok := dateOf(r.header); ok {
		now = date // a date in the answer is of the same clock
	}
	if s := strings.TrimSpace(r.header.Get("Retry-After")); s != "" {
		if n, err := strconv.ParseFloat(s, 64); err == nil && n > 0 {
			return seconds(n)
		}
		if at, err := http.ParseTime(s); err == nil {
			return min(max(at.Sub(now), 0), maxRetry)
		}
	}
	if r.status != http.StatusTooManyRequests {
		return 0
	}
	for _, name := range []string{"X-Rate-Limit-Reset", "X-RateLimit-Reset", "RateLimit-Reset"} {
		n, err := strconv.ParseFloat(strings.TrimSpace(r.header.Get(name)), 64)
		switch {
		case err != nil || n <= 0:
		case n > 1e9: // a point in time
			if at, ok := unix(n); ok {
				return min(max(at.Sub(now), 0), maxRetry)
			}
		default:
			return seconds(n)
		}
	}
	if n, _, ok := r.number("retry_after"); ok && n > 0 { // Discord
		return seconds(n)
	}
	return 0
}

// seconds is a duration that is bounded before it is computed.
func seconds(n float64) time.Duration {
	return time.Duration(math.Round(min(n, maxRetry.Seconds())*1000)) * time.Millisecond
}
