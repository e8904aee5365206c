package casebook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"usher"
)

// act is something that happens to a case, or that somebody does to it.
type act string

const (
	actPlan    act = "plan a fix" // a look at the difference, which changes nothing
	actApply   act = "carry a fix out"
	actApplied act = "note a fix as carried out"
	actFail    act = "note a fix as failed"
	actUndo    act = "undo a fix"
	actDeclare act = "declare a fix as done"
	actIntend  act = "mark it as intended"
	actReopen  act = "reopen it"

	actTry     act = "try"     // refused, later than anything before
	actRefused act = "refused" // refused although a fix was carried out
	actProof   act = "proof"
	actDoubt   act = "doubt" // the proof does not stand
	actSilence act = "silence"
	actExpire  act = "expire"
	actAwait   act = "await"    // the cause behind which it stands is fixed
	actGotIn   act = "escalate" // an attacker had a success
)

// moves says where every act leads from every state. What is not in it is
// impossible. Only a proof leads to fixed.
var moves = map[usher.CaseState]map[act]usher.CaseState{
	usher.CaseOpen: {
		actPlan: usher.CaseOpen, actApply: usher.CaseFixing, actDeclare: usher.CaseVerifying, actIntend: usher.CaseIntended,
		actApplied: usher.CaseVerifying, actFail: usher.CaseOpen, actUndo: usher.CaseOpen,
		actTry: usher.CaseOpen, actRefused: usher.CaseOpen, actProof: usher.CaseFixed, actSilence: usher.CaseQuiet,
		actAwait: usher.CaseVerifying, actGotIn: usher.CaseOpen,
	},
	usher.CaseFixing: {
		actPlan: usher.CaseFixing, actApply: usher.CaseFixing, actDeclare: usher.CaseVerifying, actIntend: usher.CaseIntended,
		actApplied: usher.CaseVerifying, actFail: usher.CaseOpen, actUndo: usher.CaseOpen, actReopen: usher.CaseOpen,
		actTry: usher.CaseFixing, actRefused: usher.CaseFixing, actProof: usher.CaseFixed, actSilence: usher.CaseQuiet,
		actAwait: usher.CaseFixing, actGotIn: usher.CaseOpen,
	},
	usher.CaseVerifying: {
		actPlan: usher.CaseVerifying, actApply: usher.CaseFixing, actDeclare: usher.CaseVerifying, actIntend: usher.CaseIntended,
		actApplied: usher.CaseVerifying, actFail: usher.CaseOpen, actUndo: usher.CaseOpen, actReopen: usher.CaseOpen,
		actTry: usher.CaseVerifying, actRefused: usher.CaseOpen, actProof: usher.CaseFixed, actSilence: usher.CaseQuiet,
		actAwait: usher.CaseVerifying, actGotIn: usher.CaseOpen,
	},
	usher.CaseFixed: {
		actUndo: usher.CaseOpen, actReopen: usher.CaseOpen,
		actApplied: usher.CaseFixed, actFail: usher.CaseFixed,
		actTry: usher.CaseRegressed, actRefused: usher.CaseRegressed, actDoubt: usher.CaseOpen, actGotIn: usher.CaseRegressed,
	},
	usher.CaseRegressed: {
		actPlan: usher.CaseRegressed, actApply: usher.CaseFixing, actDeclare: usher.CaseVerifying, actIntend: usher.CaseIntended,
		actApplied: usher.CaseVerifying, actFail: usher.CaseRegressed, actUndo: usher.CaseOpen,
		actTry: usher.CaseRegressed, actRefused: usher.CaseRegressed, actProof: usher.CaseFixed, actSilence: usher.CaseQuiet,
		actAwait: usher.CaseVerifying, actGotIn: usher.CaseRegressed,
	},
	usher.CaseQuiet: {
		actPlan: usher.CaseQuiet, actApply: usher.CaseFixing, actDeclare: usher.CaseVerifying, actIntend: usher.CaseIntended,
		actApplied: usher.CaseVerifying, actFail: usher.CaseOpen, actUndo: usher.CaseOpen, actReopen: usher.CaseOpen,
		actTry: usher.CaseOpen, actRefused: usher.CaseOpen, actProof: usher.CaseFixed,
		actGotIn: usher.CaseOpen,
	},
	usher.CaseIntended: {
		actUndo: usher.CaseOpen, actReopen: usher.CaseOpen, actIntend: usher.CaseIntended,
		actApplied: usher.CaseIntended, actFail: usher.CaseIntended,
		actTry: usher.CaseIntended, actRefused: usher.CaseIntended, actExpire: usher.CaseOpen,
	},
}

// personal are the acts of people, in the order in which they are offered.
var personal = []act{actPlan, actApply, actDeclare, actUndo, actIntend, actReopen}

// can tells whether an act leads anywhere from the state of a case.
func can(c *usher.Case, a act) bool {
	_, ok := moves[c.State][a]
	return ok
}

// move does an act to a case, or says what is possible in its place. The
// caller says in its own entry of the timeline why.
func move(c *usher.Case, a act) error {
	to, ok := moves[c.State][a]
	if !ok {
		return &usher.Error{
			Code:    usher.ErrUsage,
			Message: fmt.Sprintf("case %d is %s: one cannot %s now", c.ID, c.State, a),
			Hint:    "possible are: " + strings.Join(possible(c), ", "),
		}
	}
	if c.State == usher.CaseFixed && to != usher.CaseFixed {
		c.Proven = nil // the timeline keeps it
	}
	if c.State == usher.CaseIntended && to != usher.CaseIntended {
		c.Owner, c.Reason, c.Expires = "", "", time.Time{}
	}
	c.State = to
	return nil
}

// possible lists what a person can do to a case in its state.
func possible(c *usher.Case) (list []string) {
	for _, a := range personal {
		if can(c, a) && (a != actUndo || slices.ContainsFunc(c.Runs, undoable)) {
			list = append(list, string(a))
		}
	}
	if len(list) == 0 {
		list = []string{"to wait"}
	}
	return list
}

func noCase(id int64) error {
	return &usher.Error{Code: usher.ErrNotFound, Message: fmt.Sprintf("there is no case %d", id), Hint: "usher cases list --all shows every case"}
}

// undoable tells whether a run can be taken back.
func undoable(r usher.FixRun) bool { return r.State == usher.RunApplied }

// done tells whether a run counts as carried out.
func done(r *usher.FixRun) bool { return r.State == usher.RunApplied || r.State == usher.RunDeclared }

// applying tells whether a run is being carried out.
func applying(c *usher.Case) bool {
	return slices.ContainsFunc(c.Runs, func(r usher.FixRun) bool { return r.State == usher.RunApplying })
}
