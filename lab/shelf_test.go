package lab

import (
	"strconv"
	"testing"
)

// TestShelfForgets: the oldest goes when the shelf is full, and what was dropped
// takes no other's place.
func TestShelfForgets(t *testing.T) {
	var s shelf[int]
	for i := range shelfSize + 10 {
		s.put(strconv.Itoa(i), i)
		if i%2 == 0 {
			s.drop(strconv.Itoa(i))
		}
	}
	if _, ok := s.get("9"); ok || len(s.items) > shelfSize || len(s.order) != shelfSize {
		t.Errorf("%d items, %d in order", len(s.items), len(s.order))
	}
	if got, ok := s.get("11"); !ok || got != 11 {
		t.Error("one that there is room for is gone")
	}
}
