package credential

import (
	"cmp"
	"context"
	"slices"
	"time"

	"usher"
)

// View is a managed secret as a person sees it. It holds no value.
type View struct {
	Config   Config        `json:"config"`
	Version  int64         `json:"version"`          // current
	ID       string        `json:"id,omitempty"`     // the provider's id of it
	Born     time.Time     `json:"born"`             // when the current version was made, or handed in
	Expires  time.Time     `json:"expires,omitzero"` //
	Health   Health        `json:"health"`           //
	Old      *OldVersion   `json:"old,omitempty"`    // that still works
	Next     string        `json:"next"`             // what comes next, a sentence
	Turn     usher.Fixer   `json:"turn,omitempty"`   // whose turn it is; empty: usher's
	Rotation *RotationAt   `json:"rotation,omitempty"`
	Users    []PlanUser    `json:"users"`
	Versions []VersionView `json:"versions"`
	Leaks    []Leak        `json:"leaks,omitempty"`
	Past     []Past        `json:"past,omitempty"`
}

// OldVersion is a version that still works and is to be retired.
type OldVersion struct {
	Version int64     `json:"version"`
	Users   []string  `json:"users"` // who still has it, as far as is known
	Used    time.Time `json:"used,omitzero"`
	UsedBy  string    `json:"used_by,omitempty"`
	Ends    time.Time `json:"ends,omitzero"` // by itself, at the provider
}

// RotationAt is where a rotation stands.
type RotationAt struct {
	Step    Step        `json:"step"`
	From    int64       `json:"from"`
	To      int64       `json:"to,omitempty"`
	Why     string      `json:"why,omitempty"`
	By      string      `json:"by,omitempty"`
	Began   time.Time   `json:"began"`
	Moved   time.Time   `json:"moved,omitzero"`
	Undone  string      `json:"undone,omitempty"`
	Holds   []Hold      `json:"holds,omitempty"`
	Trouble string      `json:"trouble,omitempty"`
	Turn    usher.Fixer `json:"turn,omitempty"`
}

// VersionView is a version without its value.
type VersionView struct {
	N        int64        `json:"n"`
	ID       string       `json:"id,omitempty"`
	State    VersionState `json:"state"`
	Made     time.Time    `json:"made"`
	Expires  time.Time    `json:"expires,omitzero"`
	Verified time.Time    `json:"verified,omitzero"`
	Used     time.Time    `json:"used,omitzero"`
	Ended    time.Time    `json:"ended,omitzero"`
	EndedWhy string       `json:"ended_why,omitempty"`
	Leaked   bool         `json:"leaked,omitempty"`
}

// List gives all managed secrets, by name.
func (m *Manager) List(ctx context.Context) ([]View, error) {
	all, err := m.records(ctx)
	if err != nil {
		return nil, err
	}
	views := []View{}
	for _, r := range all {
		views = append(views, m.view(r))
	}
	slices.SortFunc(views, func(a, b View) int { return cmp.Compare(a.Config.Name, b.Config.Name) })
	return views, nil
}

// Get gives one.
func (m *Manager) Get(ctx context.Context, name string) (View, error) {
	r, err := m.load(ctx, name)
	if err != nil {
		return View{}, err
	}
	return m.view(r), nil
}

func (m *Manager) view(r *record) View {
	now := m.now().UTC()
	c := r.current()
	v := View{
		Config: r.Config, Version: c.N, ID: c.ID, Born: c.Made, Expires: c.Expires, Health: r.Health,
		Rotation: m.rotationAt(r, now), Users: r.users(), Leaks: slices.Clone(r.Leaks), Past: slices.Clone(r.Past),
	}
	for _, w := range slices.Backward(r.Versions) {
		v.Versions = append(v.Versions, VersionView{w.N, w.ID, w.State, w.Made, w.Expires, w.Verified, w.Used, w.Ended, w.EndedWhy, len(r.signals(w.N)) > 0})
	}
	if old := r.old(); old != nil {
		v.Old = &OldVersion{Version: old.N, Users: []string{}, Used: old.Used, UsedBy: old.UsedBy, Ends: r.Rotation.OldEnds}
		for _, h := range m.callerHolds(r) {
			v.Old.Users = append(v.Old.Users, h.Who)
		}
	}
	v.Next, v.Turn = m.next(r, now)
	return v
}

func (m *Manager) rotationAt(r *record, now time.Time) *RotationAt {
	rot := r.Rotation
	if rot == nil {
		return nil
	}
	return &RotationAt{
		Step: rot.Step, From: rot.From, To: rot.To, Why: rot.Why, By: rot.By, Began: rot.Began, Moved: rot.Moved, Undone: rot.Undone,
		Holds: m.holdups(r, now), Trouble: rot.Trouble, Turn: rot.Turn,
	}
}

// next says what comes next, and whose turn it is.
func (m *Manager) next(r *record, now time.Time) (string, usher.Fixer) {
	rot := r.Rotation
	if rot == nil {
		switch {
		case len(r.signals(r.current().N)) > 0:
			return "it leaked: rotate it", usher.FixerTenantAdmin
		case r.Health.Outcome == usher.OutcomeWrong && r.Health.Wrongs >= 2:
			return r.Health.Title, usher.FixerDeveloper
		case m.near(r.current(), now):
			return "it ends at " + minute(r.current().Expires) + ": rotate it", usher.FixerDeveloper
		case r.Health.At.IsZero():
			return "is being verified", ""
		case r.Health.Outcome == usher.OutcomeUnknown:
			return "whether it works is not known: " + r.Health.Title, ""
		case r.Config.RotateEvery > 0:
			return "rotated at " + r.current().Made.Add(time.Duration(r.Config.RotateEvery)).UTC().Format("2006-01-02"), ""
		}
		return "verified at " + minute(r.Health.Next), ""
	}
	if rot.Trouble != "" {
		return string(rot.Step) + ": " + rot.Trouble, rot.Turn
	}
	switch rot.Step {
	case StepCreating:
		return "the provider is asked for a new one", ""
	case StepVerifying:
		return "the new one is tried", ""
	case StepRetiring, StepDropping:
		return "version " + itoa(rot.From) + " is being ended", ""
	}
	holds := m.holdups(r, now)
	if len(holds) == 0 {
		return "the old one is retired next", ""
	}
	h := holds[0]
	text := h.Text
	callers := 0
	for _, h := range holds {
		if h.Kind == "caller" {
			callers++
		}
	}
	switch {
	case h.Kind == "caller" && callers == 2:
		text += "; and so has 1 more caller"
	case h.Kind == "caller" && callers > 2:
		text += "; and so have " + itoa(int64(callers-1)) + " more callers"
	}
	return text, h.Turn
}
