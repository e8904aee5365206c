package clients

import "usher/check"

// probed gives what the probe of a check found. Where it left the judgement of
// an answer to its check, judge reads it.
func probed(t *check.Target, id string, need check.Need, judge func(a *check.ProbeAnswer) check.Verdict) []check.Verdict {
	a := t.Probed[id]
	if a == nil || a.Verdict != nil || a.Skipped != "" || a.Status == 0 && a.Error == nil {
		return t.FromProbe(id, need)
	}
	return []check.Verdict{judge(a)}
}
