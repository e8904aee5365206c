package check

// FromProbe gives what the probe of a check found, or why it is not known: need
// is NeedProbe, or NeedChange for a probe that makes something.
func (t *Target) FromProbe(id string, need Need) []Verdict {
	a := t.Probed[id]
	switch {
	case a == nil:
		return []Verdict{Unknown(need, "")}
	case a.Verdict != nil:
		return []Verdict{*a.Verdict}
	}
	return []Verdict{Unknown(NeedNothing, a.Skipped)}
}
