package grant

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"usher"
)

// Error says what happened, where; what the endpoint said is masked.
func (r *Refusal) Error() string {
	switch {
	case r.Kind == Lost && r.Status != 0 && r.Status/100 != 2:
		return r.Endpoint + " gave no answer, as what stands before it says (status " + strconv.Itoa(r.Status) + "), so that what it did is unknown"
	case r.Kind == Lost:
		return r.Endpoint + " was asked and gave no answer, so that what it did is unknown" + behind(r.Err)
	case r.Kind == Unreachable, r.Kind == Misused:
		return r.Endpoint + " was not asked" + behind(r.Err)
	case r.Code != "" && r.Description != "":
		return r.Endpoint + " answered " + r.Code + ": " + r.Description
	case r.Code != "":
		return r.Endpoint + " answered " + r.Code
	case r.Page:
		return r.Endpoint + " answered with a page for a browser (status " + strconv.Itoa(r.Status) + ")"
	case r.Kind == Unreadable && r.Err != nil:
		return r.Endpoint + " answered with status " + strconv.Itoa(r.Status) + behind(r.Err)
	case r.Status != 0:
		return strings.TrimSpace(r.Endpoint + " answered with status " + strconv.Itoa(r.Status) + " " + http.StatusText(r.Status))
	}
	return r.Endpoint + " gave no token" + behind(r.Err)
}

// behind gives what an error adds to a sentence.
func behind(err error) string {
	var told *usher.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &told):
		return ": " + told.Message
	}
	if text := err.Error(); text != "" {
		return ": " + text
	}
	return ""
}

// misused is a refusal of a request that cannot be sent.
func misused(endpoint, why string, err error) *Refusal {
	return &Refusal{Kind: Misused, Endpoint: shownEndpoint(endpoint), Err: &usher.Error{
		Code: usher.ErrUsage, Message: why, Err: err, Hint: "see the configuration of the connection",
	}}
}
