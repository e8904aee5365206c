package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"usher"
	"usher/report"
)

// act runs what a form asks for and goes back to the case, where what went
// wrong is told with everything else in sight.
func (c *console) act(w http.ResponseWriter, r *http.Request, do func(id int64) (anchor string, err error)) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return err
	}
	anchor, err := do(id)
	if err != nil {
		return c.showCase(w, r, id, http.StatusConflict, r.PostFormValue("plan"), err)
	}
	http.Redirect(w, r, fmt.Sprintf("/cases/%d%s", id, anchor), http.StatusSeeOther)
	return nil
}

func (c *console) planForm(w http.ResponseWriter, r *http.Request) error {
	return c.act(w, r, func(id int64) (string, error) {
		plan, err := c.opt.Cases.Plan(r.Context(), id, r.PostFormValue("fix"), by(r))
		if err != nil {
			return "", err
		}
		c.plans.keep(plan, c.opt.Now())
		return "?plan=" + url.QueryEscape(plan.ID) + "#fix-" + url.PathEscape(plan.Fix.ID), nil
	})
}

// secretView is the page that shows a new secret, once.
type secretView struct {
	ID     int64
	Secret string
	Client string
}

// applyForm carries out the plan that was shown. A plan that weakens is
// confirmed a second time by typing the name of the client.
func (c *console) applyForm(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return err
	}
	confirm := Confirm{Fix: r.PostFormValue("fix"), Plan: r.PostFormValue("plan")}
	again := func(err error) error { return c.showCase(w, r, id, http.StatusConflict, confirm.Plan, err) }
	plan, ok := c.plans.find(id, confirm.Plan, c.opt.Now())
	if !ok || plan.Fix.ID != confirm.Fix {
		return again(refusal(CodeConflict, "the difference was shown too long ago to be confirmed", "look at it once more"))
	}
	if weakens(&plan) {
		if plan.Fix.Action == nil || r.PostFormValue("client") != report.Exact(plan.Fix.Action.Client) {
			return again(refusal(usher.ErrRefused, "this fix weakens security, and the name that was typed is not the client's", "type the name exactly as it is shown"))
		}
		confirm.Weaken = true
	}
	ctx, cancel := patient(r)
	defer cancel()
	applied, err := c.apply(ctx, id, confirm, by(r))
	if err != nil && applied.Secret == "" {
		return again(err)
	}
	if applied.Secret != "" { // no redirect: it is told in this answer and nowhere else
		problem := ""
		if err != nil {
			problem = "The secret was replaced, and that could not be noted with the case yet."
		}
		c.render(w, r, http.StatusOK, "secret", page{
			Problem: problem,
			Title:   "The new secret", Section: "list", URL: fmt.Sprintf("/cases/%d", id),
			View: secretView{id, applied.Secret.Reveal(), report.Exact(plan.Fix.Action.Client)},
		})
		return nil
	}
	http.Redirect(w, r, fmt.Sprintf("/cases/%d#runs", id), http.StatusSeeOther)
	return nil
}

// apply carries a fix out. An error beside a secret does not reach whoever asked,
// who must have the secret; it is in the log.
func (c *console) apply(ctx context.Context, id int64, confirm Confirm, by string) (Applied, error) {
	applied, err := c.opt.Cases.Apply(ctx, id, confirm, by)
	if err != nil && applied.Secret != "" {
		c.opt.Log.Error("a secret was replaced and that is not noted", "case", id, "error", err)
	}
	return applied, err
}

func (c *console) undoForm(w http.ResponseWriter, r *http.Request) error {
	return c.act(w, r, func(id int64) (string, error) {
		ctx, cancel := patient(r)
		defer cancel()
		_, err := c.opt.Cases.Undo(ctx, id, r.PostFormValue("run"), by(r))
		return "#runs", err
	})
}

func (c *console) declareForm(w http.ResponseWriter, r *http.Request) error {
	return c.act(w, r, func(id int64) (string, error) {
		_, err := c.declare(r, id, Declaration{Fix: r.PostFormValue("fix"), Reason: r.PostFormValue("reason")})
		return "#runs", err
	})
}

func (c *console) intendForm(w http.ResponseWriter, r *http.Request) error {
	return c.act(w, r, func(id int64) (string, error) {
		// The day itself still belongs to it.
		day, err := time.ParseInLocation(time.DateOnly, r.PostFormValue("expires"), c.opt.Location)
		if err != nil {
			return "", refusal(CodeUnprocessed, "say when this is to be looked at again", "a day, as 2026-12-31")
		}
		intent := Intent{r.PostFormValue("owner"), r.PostFormValue("reason"), day.AddDate(0, 0, 1).Add(-time.Second).UTC()}
		_, err = c.intend(r, id, intent)
		return "", err
	})
}

func (c *console) reopenForm(w http.ResponseWriter, r *http.Request) error {
	return c.act(w, r, func(id int64) (string, error) {
		_, err := c.opt.Cases.Reopen(r.Context(), id, by(r))
		return "", err
	})
}
