package check

// Probe judges what came back of a check's probe. need says what would have to
// be given to send it, NeedProbe or NeedChange. judge is asked only when the
// probe was sent and does not judge by itself.
func (t *Target) Probe(id string, need Need, judge func(a *ProbeAnswer) Verdict) []Verdict {
	a := t.Probed[id]
	switch {
	case a == nil:
		return []Verdict{Unknown(need, "")}
	case a.Skipped != "":
		return []Verdict{Unknown(need, "not asked: "+a.Skipped)}
	case a.Verdict != nil:
		return []Verdict{*a.Verdict}
	case a.Status == 0 && a.Error == nil:
		return []Verdict{Unknown(NeedNothing, "asked, and no answer came: "+a.Note)}
	}
	return []Verdict{judge(a)}
}
