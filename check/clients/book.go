package clients

import (
	"usher"
	"usher/check"
)

// maxProofs bounds the proofs of one verdict: a person reads a few.
const maxProofs = 8

func proof(place, quote, expected, got string) usher.Proof {
	return usher.Proof{Place: place, Quote: quote, Expected: expected, Got: got}
}

// book collects one verdict for each client: the worst counts, and the proofs
// of verdicts alike come together.
type book struct {
	list []check.Verdict
	at   map[string]int // made when there are many
}

// find gives the place of a client's verdict in the list, -1 where there is none.
func (b *book) find(client string) int {
	if b.at == nil && len(b.list) > 16 {
		b.at = make(map[string]int, 2*len(b.list))
		for i := range b.list {
			b.at[b.list[i].Subject.Client] = i
		}
	}
	if b.at != nil {
		if i, there := b.at[client]; there {
			return i
		}
		return -1
	}
	for i := range b.list {
		if b.list[i].Subject.Client == client {
			return i
		}
	}
	return -1
}

func (b *book) add(client string, v check.Verdict) {
	v = v.Of(client)
	i := b.find(client)
	if i < 0 {
		b.list = append(b.list, v)
		if b.at != nil {
			b.at[client] = len(b.list) - 1
		}
		return
	}
	have := &b.list[i]
	switch a, c := weight(&v), weight(have); {
	case a > c:
		if v.Outcome == have.Outcome {
			v.Proof = joined(v.Proof, have.Proof)
		}
		*have = v
	case v.Outcome == have.Outcome:
		have.Proof = joined(have.Proof, v.Proof)
	}
}

// weight orders verdicts: wrong before unknown before ok, and the severe first.
func weight(v *check.Verdict) int {
	switch v.Outcome {
	case usher.OutcomeWrong:
		s := v.Severity
		if s == "" {
			return 15 // the check's own severity, before what was set lower
		}
		return 14 - s.Rank()
	case usher.OutcomeUnknown:
		return 2
	case usher.OutcomeOK:
		return 1
	}
	return 0
}

func joined(a, b []usher.Proof) []usher.Proof {
	for _, p := range b {
		if len(a) >= maxProofs {
			break
		}
		a = append(a[:len(a):len(a)], p)
	}
	return a
}

// or gives the verdicts, or the one for nothing at all.
func (b *book) or(none check.Verdict) []check.Verdict {
	if len(b.list) == 0 {
		return []check.Verdict{none}
	}
	return b.list
}
