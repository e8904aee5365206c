package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"usher"
	"usher/report"
)

// problemBody is how the API tells that something went wrong.
type problemBody struct {
	Error problem       `json:"error"`
	Lines []lineProblem `json:"lines,omitempty"` // of takeEvents: every line that is wrong, at most 100
}

type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

type lineProblem struct {
	Line    int    `json:"line"` // from 1
	Message string `json:"message"`
}

// linesError is an error that names lines.
type linesError struct {
	told  *usher.Error
	lines []lineProblem
}

func (e *linesError) Error() string { return e.told.Error() }

// statuses gives the HTTP status of a code.
var statuses = map[string]int{
	usher.ErrUsage: http.StatusBadRequest, usher.ErrUnreadable: http.StatusBadRequest,
	usher.ErrTooLarge: http.StatusRequestEntityTooLarge, usher.ErrInternal: http.StatusInternalServerError,
	usher.ErrNotFound: http.StatusNotFound, usher.ErrForbidden: http.StatusForbidden,
	usher.ErrRefused: http.StatusConflict, usher.ErrChanged: http.StatusConflict, usher.ErrUnreachable: http.StatusBadGateway,
	CodeConflict: http.StatusConflict, CodeUnavailable: http.StatusServiceUnavailable, CodeSignIn: http.StatusUnauthorized,
	CodeTooMany: http.StatusTooManyRequests, CodeMethod: http.StatusMethodNotAllowed,
	CodeWrongType: http.StatusUnsupportedMediaType, CodeUnprocessed: http.StatusUnprocessableEntity,
}

// refusal makes an error for the person or program that asked.
func refusal(code, message, hint string) error {
	return &usher.Error{Code: code, Message: message, Hint: hint}
}

// asProblem gives what is told of an error. The text of one that is not meant
// for the person stays in the log.
func (c *console) asProblem(r *http.Request, err error) (problemBody, int) {
	var told *usher.Error
	var large *http.MaxBytesError
	var lines *linesError
	switch {
	case errors.As(err, &large):
		told = &usher.Error{Code: usher.ErrTooLarge, Message: "the request is over the limit", Hint: "send less at once"}
	case errors.As(err, &lines):
		told = lines.told
	case errors.As(err, &told) && told.Code != usher.ErrInternal:
	case errors.Is(err, ErrNotFound):
		told = &usher.Error{Code: usher.ErrNotFound, Message: "there is no such thing"}
	default:
		c.opt.Log.Error("a request could not be answered", "method", r.Method, "path", r.URL.Path, "error", err)
		told = &usher.Error{Code: usher.ErrInternal, Message: "something went wrong inside usher", Hint: "look at the log of usher serve"}
	}
	status, ok := statuses[told.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	body := problemBody{Error: problem{told.Code, report.Inert(told.Message), report.Inert(told.Hint)}}
	if lines != nil {
		body.Lines = lines.lines
	}
	return body, status
}

// tell answers a request that failed, in the form of its route.
func (c *console) tell(rt route, w http.ResponseWriter, r *http.Request, err error) {
	body, status := c.asProblem(r, err)
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "10")
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="usher"`)
	}
	if rt.API || strings.HasPrefix(r.URL.Path, "/api/") {
		writeJSON(w, status, body)
		return
	}
	c.problemPage(w, r, status, body.Error)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // our own types always can
		http.Error(w, `{"error":{"code":"internal","message":"the answer cannot be written as JSON"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// notFound answers what no route is for, and names the methods of a path that
// has others.
func notFound(c *console, w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := c.mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 && !slices.Contains(allowed, r.Method) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return refusal(CodeMethod, "this address does not take "+r.Method, "use "+strings.Join(allowed, " or "))
	}
	return refusal(usher.ErrNotFound, "there is nothing at this address", "the cases are at /")
}
