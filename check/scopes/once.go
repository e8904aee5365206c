package scopes

import (
	"slices"

	"usher"
	"usher/check"
)

// once makes one verdict for each client and person of those on many requests,
// tokens or calls: the first that is wrong with the proofs of all that are, else
// the first unknown, else the first that is in order. What does not apply is
// said only where nothing else is.
func once(list []check.Verdict) []check.Verdict {
	const most = 8 // proofs of one verdict
	var out []check.Verdict
	for _, v := range list {
		i := slices.IndexFunc(out, func(o check.Verdict) bool {
			return o.Subject.Client == v.Subject.Client && o.Subject.User == v.Subject.User
		})
		switch {
		case i < 0:
			out = append(out, v)
		case weight(v.Outcome) > weight(out[i].Outcome):
			out[i] = v
		case v.Outcome == usher.OutcomeWrong && out[i].Outcome == usher.OutcomeWrong:
			for _, p := range v.Proof {
				if len(out[i].Proof) < most && !slices.Contains(out[i].Proof, p) {
					out[i].Proof = append(out[i].Proof, p)
				}
			}
			if v.Severity == "" || out[i].Severity != "" && v.Severity.Rank() < out[i].Severity.Rank() {
				out[i].Severity = v.Severity // the check's own is the worst
			}
		}
	}
	return out
}

func weight(o usher.Outcome) int {
	switch o {
	case usher.OutcomeWrong:
		return 3
	case usher.OutcomeUnknown:
		return 2
	case usher.OutcomeOK:
		return 1
	}
	return 0
}
