package lab

// shelfSize bounds what the lab keeps of each kind: codes, sessions, tokens.
const shelfSize = 4096

// shelf keeps things by key, and forgets the oldest when it is full.
type shelf[T any] struct {
	items map[string]T
	order []string
}

func (s *shelf[T]) put(key string, item T) {
	if s.items == nil {
		s.items = map[string]T{}
	}
	if _, known := s.items[key]; !known {
		s.order = append(s.order, key)
	}
	s.items[key] = item
	for len(s.order) > shelfSize {
		delete(s.items, s.order[0])
		s.order = s.order[1:]
	}
}

func (s *shelf[T]) get(key string) (T, bool) {
	item, ok := s.items[key]
	return item, ok
}

// drop leaves the key in the order, where it is forgotten in time.
func (s *shelf[T]) drop(key string) { delete(s.items, key) }
