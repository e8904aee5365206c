package casebook_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"usher"
)

// memory is a casebook.Tx that keeps everything in maps. What it gives and
// takes are copies through JSON, as a store's are.
type memory struct {
	cases  map[int64]string
	keys   map[int64][]string
	wakes  map[int64]time.Time
	tries  map[int64]map[string]bool // "event:", "user:" and "address:"
	counts map[string]int
	marks  map[int64][]string
	filed  map[string]map[int64]bool
	events map[string]string
	parsed []*usher.Event
	last   int64
	saves  int
}

func newMemory() *memory {
	return &memory{
		cases: map[int64]string{}, keys: map[int64][]string{}, wakes: map[int64]time.Time{},
		tries: map[int64]map[string]bool{}, counts: map[string]int{}, marks: map[int64][]string{}, events: map[string]string{}, filed: map[string]map[int64]bool{},
	}
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func decode[T any](text string) *T {
	v := new(T)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		panic(err)
	}
	return v
}

func (m *memory) Case(id int64) (*usher.Case, error) {
	text, ok := m.cases[id]
	if !ok {
		return nil, nil
	}
	return decode[usher.Case](text), nil
}

func (m *memory) CasesUnder(keys ...string) (found []*usher.Case, err error) {
	ids := map[int64]bool{}
	for _, key := range keys {
		maps.Copy(ids, m.filed[key])
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		found = append(found, decode[usher.Case](m.cases[id]))
	}
	return found, nil
}

func (m *memory) SaveCase(c *usher.Case, keys []string, wake time.Time) error {
	if c.ID == 0 {
		m.last++
		c.ID = m.last
	}
	m.saves++
	for _, key := range m.keys[c.ID] {
		delete(m.filed[key], c.ID)
	}
	for _, key := range keys {
		if m.filed[key] == nil {
			m.filed[key] = map[int64]bool{}
		}
		m.filed[key][c.ID] = true
	}
	m.cases[c.ID], m.keys[c.ID], m.wakes[c.ID] = encode(c), slices.Clone(keys), wake
	return nil
}

func (m *memory) Due(now time.Time) (due []*usher.Case, err error) {
	for id := int64(1); id <= m.last; id++ {
		if w := m.wakes[id]; !w.IsZero() && !w.After(now) {
			due = append(due, decode[usher.Case](m.cases[id]))
		}
	}
	slices.SortStableFunc(due, func(a, b *usher.Case) int { return m.wakes[a.ID].Compare(m.wakes[b.ID]) })
	return due, nil
}

func (m *memory) AddTry(id int64, ev *usher.Event) (bool, int, int, error) {
	if m.tries[id] == nil {
		m.tries[id] = map[string]bool{}
	}
	count := func(what, value string) (n int, added bool) {
		key := fmt.Sprint(id, what)
		if value != "" && !m.tries[id][what+value] {
			m.tries[id][what+value] = true
			m.counts[key]++
			added = true
		}
		return min(m.counts[key], 1000), added
	}
	_, added := count("event:", ev.UID)
	if old := "user:" + ev.User.Name; added && ev.User.UID != "" && ev.User.UID != ev.User.Name && m.tries[id][old] {
		delete(m.tries[id], old)
		m.counts[fmt.Sprint(id, "user:")]--
	}
	users, _ := count("user:", cmp.Or(ev.User.UID, ev.User.Name))
	addresses, _ := count("address:", ev.Source.IP)
	return added, users, addresses, nil
}

func (m *memory) AddMark(id int64, mark string) (bool, error) {
	if slices.Contains(m.marks[id], mark) || len(m.marks[id]) >= 1000 {
		return false, nil
	}
	m.marks[id] = append(m.marks[id], mark)
	return true, nil
}

func (m *memory) Marks(id int64) ([]string, error) { return slices.Clone(m.marks[id]), nil }

func (m *memory) Event(uid string) (*usher.Event, error) {
	text, ok := m.events[uid]
	if !ok {
		return nil, nil
	}
	return decode[usher.Event](text), nil
}

func (m *memory) Changes(from, to time.Time) (list []*usher.Event, err error) {
	list = m.find(func(ev *usher.Event) bool {
		return ev.Change != nil && (ev.Kind == usher.EventAdmin || ev.Kind == usher.EventConsent) && in(ev.Time, from, to)
	})
	slices.Reverse(list)
	return list, nil
}

func (m *memory) Successes(tenant, client, address string, from, to time.Time) ([]*usher.Event, error) {
	return m.find(func(ev *usher.Event) bool {
		return ev.Status == usher.StatusSuccess && ev.Kind != usher.EventAdmin && ev.Kind != usher.EventConsent && ev.Tenant == tenant &&
			(client == "" || cmp.Or(ev.Client.UID, ev.Client.Name) == client) && (address == "" || ev.Source.IP == address) && in(ev.Time, from, to)
	}), nil
}

func in(at, from, to time.Time) bool { return !at.Before(from) && !at.After(to) }

// find gives the events that fit, the earliest first.
func (m *memory) find(fits func(*usher.Event) bool) (list []*usher.Event) {
	for _, ev := range m.parsed {
		if fits(ev) {
			list = append(list, decode[usher.Event](m.events[ev.UID]))
		}
	}
	slices.SortFunc(list, func(a, b *usher.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.UID, b.UID))
	})
	return list[:min(len(list), 1000)]
}

// add stores an event, once.
func (m *memory) add(ev *usher.Event) (added bool) {
	if _, ok := m.events[ev.UID]; ok {
		return false
	}
	m.events[ev.UID] = encode(ev)
	m.parsed = append(m.parsed, decode[usher.Event](m.events[ev.UID]))
	return true
}

func (m *memory) all() (list []*usher.Case) {
	for id := int64(1); id <= m.last; id++ {
		list = append(list, decode[usher.Case](m.cases[id]))
	}
	return list
}
