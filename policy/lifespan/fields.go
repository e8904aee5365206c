package lifespan

import (
	"strconv"
	"time"

	"usher"
)

// field is one value of a Policy: how it is read, written, worded and compared.
// Every value is a number here, times in nanoseconds; 0 is none.
type field struct {
	name  string
	get   func(*Policy) float64
	set   func(*Policy, float64)
	more  bool // the greater value is the stricter one
	part  bool // it is a part of the life and no time
	text  string
	after string
}

func duration(at func(*Policy) *usher.Duration) (func(*Policy) float64, func(*Policy, float64)) {
	return func(p *Policy) float64 { return float64(*at(p)) }, func(p *Policy, v float64) { *at(p) = usher.Duration(v) }
}

func timed(name string, more bool, text, after string, at func(*Policy) *usher.Duration) field {
	get, set := duration(at)
	return field{name: name, get: get, set: set, more: more, text: text, after: after}
}

// fields are those of a Policy in the order in which they are explained.
var fields = [...]field{
	timed("assume_life", false, "a token of which nobody says how long it lives is taken to live ", "", func(p *Policy) *usher.Duration { return &p.AssumeLife }),
	timed("max_life", false, "a token is used at most ", "", func(p *Policy) *usher.Duration { return &p.MaxLife }),
	timed("least_life", true, "callers are promised a token that lives at least ", "", func(p *Policy) *usher.Duration { return &p.LeastLife }),
	{
		name: "renew_at", part: true, text: "it is renewed after ", after: " of its life",
		get: func(p *Policy) float64 { return p.RenewAt }, set: func(p *Policy, v float64) { p.RenewAt = v },
	},
	timed("renew_before", true, "it is renewed at the latest ", " before its end", func(p *Policy) *usher.Duration { return &p.RenewBefore }),
	{
		name: "jitter", part: true, more: true, text: "renewals are spread over ", after: " of its life",
		get: func(p *Policy) float64 { return p.Jitter }, set: func(p *Policy, v float64) { p.Jitter = v },
	},
	timed("idle", false, "it is no longer renewed when no caller used it for ", "", func(p *Policy) *usher.Duration { return &p.Idle }),
	timed("absolute", false, "a person must connect again after ", "", func(p *Policy) *usher.Duration { return &p.Absolute }),
}

func (f *field) stricter(v, than float64) bool {
	if f.more {
		return v > than
	}
	return v < than
}

func (f *field) show(v float64) string {
	if f.part {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return span(time.Duration(v))
}

// words say the value as the end of a sentence.
func (f *field) words(v float64) string {
	if f.part {
		return f.text + percent(v) + f.after
	}
	return f.text + f.show(v) + f.after
}
