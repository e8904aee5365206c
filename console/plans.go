package console

import (
	"sync"
	"time"

	"usher"
)

// plans keeps the plans that were shown, so that the page with the question can
// be loaded again. What is confirmed is the plan's id, a hash of all of it: a
// plan that is lost here is asked for again.
type plans struct {
	mu   sync.Mutex
	kept map[string]shownPlan
}

type shownPlan struct {
	usher.FixPlan
	at time.Time
}

const (
	maxPlans = 64
	planLife = 15 * time.Minute
)

func newPlans() *plans { return &plans{kept: map[string]shownPlan{}} }

func (p *plans) keep(plan usher.FixPlan, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, old := range p.kept {
		if now.Sub(old.at) > planLife {
			delete(p.kept, id)
		}
	}
	if len(p.kept) >= maxPlans {
		clear(p.kept)
	}
	p.kept[plan.ID] = shownPlan{plan, now}
}

func (p *plans) find(caseID int64, id string, now time.Time) (usher.FixPlan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	plan, ok := p.kept[id]
	if !ok || plan.Case != caseID || now.Sub(plan.at) > planLife {
		return usher.FixPlan{}, false
	}
	return plan.FixPlan, true
}
