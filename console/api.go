package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"usher"
	"usher/report"
)

// The bodies of the API. Those of cases and plans are the root's.
type (
	list struct {
		Version int          `json:"version"` // usher.CaseVersion
		Cases   []usher.Case `json:"cases"`
	}
	caseBody  = usher.Case
	planBody  = usher.FixPlan
	eventBody = usher.Event

	fixChoice struct {
		Fix string `json:"fix"`
	}
	runChoice struct {
		Run string `json:"run"`
	}
	runBody struct {
		Run usher.FixRun `json:"run"`
	}
	appliedBody struct {
		Run    usher.FixRun `json:"run"`
		Secret string       `json:"secret,omitempty"` // only of replace-secret, only here
	}
	takenBody struct {
		Taken int `json:"taken"` // lines that were read
		Added int `json:"added"` // of them, events that were not known already
	}
	healthBody struct {
		Status string `json:"status"` // "ok"
	}
	documentBody struct {
		OpenAPI string `json:"openapi"`
	}
)

// readJSON reads the one object of a request.
func readJSON(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return &usher.Error{Code: usher.ErrUnreadable, Message: "the body is not the JSON object that this address takes: " + plainJSONError(err), Hint: "see /api/v1/openapi.json"}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refusal(usher.ErrUnreadable, "the body holds more than one JSON object", "")
	}
	return nil
}

// plainJSONError tells a mistake without Go's names.
func plainJSONError(err error) string {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		return "\"" + kind.Field + "\" cannot be a " + kind.Value
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func caseID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, refusal(usher.ErrNotFound, "there is no such case", "cases have numbers from 1: see /")
	}
	return id, nil
}

func readFilter(r *http.Request) (Filter, error) {
	query := r.URL.Query()
	f := Filter{Client: query.Get("client")}
	for _, s := range query["state"] {
		if s == "" {
			continue
		}
		state := usher.CaseState(s)
		if !slices.Contains(usher.CaseStates, state) {
			words := make([]string, len(usher.CaseStates))
			for i, known := range usher.CaseStates {
				words[i] = string(known)
			}
			return f, refusal(usher.ErrUsage, "there is no such state of a case", "the states are "+strings.Join(words, ", "))
		}
		f.States = append(f.States, state)
	}
	switch query.Get("all") {
	case "", "0", "false":
	case "1", "true":
		f.All = true
	default:
		return f, refusal(usher.ErrUsage, "all must be true or false", "")
	}
	return f, nil
}

func (c *console) apiList(w http.ResponseWriter, r *http.Request) error {
	filter, err := readFilter(r)
	if err != nil {
		return err
	}
	cases, err := c.opt.Cases.List(r.Context(), filter)
	if err != nil {
		return err
	}
	if cases == nil {
		cases = []usher.Case{}
	}
	writeJSON(w, http.StatusOK, list{usher.CaseVersion, cases})
	return nil
}

func (c *console) apiCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	found, err := c.opt.Cases.Case(r.Context(), id)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, found)
	return nil
}

func (c *console) apiPlan(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	var choice fixChoice
	if err := readJSON(r, &choice); err != nil {
		return err
	}
	plan, err := c.opt.Cases.Plan(r.Context(), id, choice.Fix, by(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, plan)
	return nil
}

func (c *console) apiApply(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	var confirm Confirm
	if err := readJSON(r, &confirm); err != nil {
		return err
	}
	if confirm.Plan == "" || confirm.Fix == "" {
		return refusal(CodeUnprocessed, "say which fix and which plan", "ask for the plan first: what is applied is what was shown")
	}
	ctx, cancel := patient(r)
	defer cancel()
	applied, err := c.apply(ctx, id, confirm, by(r))
	if err != nil && applied.Secret == "" {
		return err
	}
	writeJSON(w, http.StatusOK, appliedBody{applied.Run, applied.Secret.Reveal()})
	return nil
}

func (c *console) apiUndo(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	var choice runChoice
	if err := readJSON(r, &choice); err != nil {
		return err
	}
	ctx, cancel := patient(r)
	defer cancel()
	run, err := c.opt.Cases.Undo(ctx, id, choice.Run, by(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, runBody{run})
	return nil
}

func (c *console) apiDeclare(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	var d Declaration
	if err := readJSON(r, &d); err != nil {
		return err
	}
	run, err := c.declare(r, id, d)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, runBody{run})
	return nil
}

func (c *console) apiIntend(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	var intent Intent
	if err := readJSON(r, &intent); err != nil {
		return err
	}
	return answerCase(w, func() (*usher.Case, error) { return c.intend(r, id, intent) })
}

func (c *console) apiReopen(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	return answerCase(w, func() (*usher.Case, error) { return c.opt.Cases.Reopen(r.Context(), id, by(r)) })
}

func answerCase(w http.ResponseWriter, change func() (*usher.Case, error)) error {
	changed, err := change()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, changed)
	return nil
}

// Bounds of what a person writes about a case, in characters. What is longer
// would be cut where it is kept, so it is refused.
const (
	maxReason   = 1000
	maxDeclared = 300
)

// declare notes that a person has carried out a fix.
func (c *console) declare(r *http.Request, id int64, d Declaration) (usher.FixRun, error) {
	d.Reason = oneLine(d.Reason)
	if utf8.RuneCountInString(d.Reason) > maxDeclared {
		return usher.FixRun{}, refusal(CodeUnprocessed, "what was done is told at too great length", fmt.Sprintf("a sentence or two, in at most %d characters", maxDeclared))
	}
	return c.opt.Cases.Declare(r.Context(), id, d, by(r))
}

// oneLine makes a sentence of what was typed into several lines.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// intend holds what a person says to what it must hold: somebody answers for
// it, it says why, and it ends.
func (c *console) intend(r *http.Request, id int64, intent Intent) (*usher.Case, error) {
	intent.Owner, intent.Reason = strings.TrimSpace(intent.Owner), oneLine(intent.Reason)
	now := c.opt.Now()
	switch {
	case checkName(intent.Owner) != nil:
		return nil, refusal(CodeUnprocessed, "say who answers for the refusal", "a name or a team, in at most 64 characters")
	case intent.Reason == "" || utf8.RuneCountInString(intent.Reason) > maxReason:
		return nil, refusal(CodeUnprocessed, "say why the refusal is right", "a sentence or two, in at most "+thousands(maxReason)+" characters")
	case !intent.Expires.After(now):
		return nil, refusal(CodeUnprocessed, "say when this is to be looked at again", "a day to come")
	case intent.Expires.After(now.Add(2 * 366 * 24 * time.Hour)):
		return nil, refusal(CodeUnprocessed, "two years are the longest that a refusal may go without being looked at", "choose an earlier day")
	}
	return c.opt.Cases.Intend(r.Context(), id, intent, by(r))
}

func (c *console) health(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, healthBody{"ok"})
	return nil
}

func (c *console) ready(w http.ResponseWriter, r *http.Request) error {
	if c.opt.Ready != nil {
		if err := c.opt.Ready(r.Context()); err != nil {
			c.opt.Log.Warn("not ready", "error", err)
			problem := "the server cannot do its work now"
			if by(r) != "" { // a reason tells names of files
				problem += ": " + report.Line(err.Error(), maxText)
			}
			return refusal(CodeUnavailable, problem, "look at the log of usher serve")
		}
	}
	writeJSON(w, http.StatusOK, healthBody{"ok"})
	return nil
}

func (c *console) metrics(w http.ResponseWriter, r *http.Request) error {
	if c.opt.Metrics == nil {
		return refusal(usher.ErrNotFound, "no metrics are kept", "")
	}
	if !c.opt.OpenMetrics && by(r) == "" {
		return refusal(CodeSignIn, "sign in first", "give the scraper a key, or open the metrics in the configuration")
	}
	c.opt.Metrics.ServeHTTP(w, r)
	return nil
}
