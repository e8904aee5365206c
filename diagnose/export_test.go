package diagnose

import "usher/evidence"

// Speaks tells whether a rule holds for a text.
func Speaks(rule, text string) bool {
	set, err := evidence.Read([]evidence.Input{{Name: "text", Data: []byte(text)}})
	if err != nil {
		return false
	}
	x := New()
	s := newSituation(x, set, Options{})
	s.run()
	for _, c := range s.candidates {
		if c.sources[rule] {
			return true
		}
	}
	return false
}
