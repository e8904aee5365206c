package consoletest

import (
	"context"
	"encoding/json"
	"time"

	"usher/console"
)

func (m *Memory) HasAccounts(context.Context) (bool, error) {
	leave, err := m.enter("HasAccounts")
	if err != nil {
		return false, err
	}
	defer leave()
	return len(m.accounts) > 0, nil
}

func (m *Memory) Account(_ context.Context, name string) (console.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return found(m.accounts, name)
}

func found[T any](all map[string]T, key string) (T, error) {
	one, ok := all[key]
	if !ok {
		return one, console.ErrNotFound
	}
	return one, nil
}

func (m *Memory) PutAccount(_ context.Context, a console.Account) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.accounts[a.Name] = a
	return nil
}

func (m *Memory) Session(_ context.Context, hash string) (console.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return found(m.sessions, hash)
}

func (m *Memory) PutSession(_ context.Context, s console.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[s.Hash] = s
	return nil
}

func (m *Memory) TouchSession(_ context.Context, hash string, used time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.sessions[hash]; ok {
		s.Used = used
		m.sessions[hash] = s
	}
	return nil
}

func (m *Memory) DropSession(_ context.Context, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, hash)
	return nil
}

func (m *Memory) DropSessions(_ context.Context, account string, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for hash, s := range m.sessions {
		if s.Account == account || s.Expires.Before(now) {
			delete(m.sessions, hash)
		}
	}
	return nil
}

func (m *Memory) PutTicket(_ context.Context, t console.Ticket) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ticket = t
	return nil
}

func (m *Memory) TakeTicket(_ context.Context, hash string) (console.Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ticket.Hash == "" || m.ticket.Hash != hash {
		return console.Ticket{}, console.ErrNotFound
	}
	t := m.ticket
	m.ticket = console.Ticket{}
	return t, nil
}

func (m *Memory) Key(_ context.Context, hash string) (console.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.keys {
		if k.Hash == hash {
			return k, nil
		}
	}
	return console.Key{}, console.ErrNotFound
}

func (m *Memory) Keys(context.Context) ([]console.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []console.Key
	for _, id := range m.keyNames {
		if k, ok := m.keys[id]; ok {
			all = append(all, k)
		}
	}
	return all, nil
}

func (m *Memory) PutKey(_ context.Context, k console.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.keys[k.ID]; !ok {
		m.keyNames = append(m.keyNames, k.ID)
	}
	m.keys[k.ID] = k
	return nil
}

func (m *Memory) TouchKey(_ context.Context, id string, used time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.keys[id]; ok {
		k.Used = used
		m.keys[id] = k
	}
	return nil
}

func (m *Memory) DropKey(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, id)
	return nil
}

// Kept gives all that is kept of accounts, sessions and keys, for the test
// that nothing in it can be used to sign in.
func (m *Memory) Kept() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, _ := json.Marshal([]any{m.accounts, m.sessions, m.ticket, m.keys})
	for _, k := range m.keys {
		text = append(text, k.Hash...)
	}
	return string(text)
}

// Sessions counts the sessions.
func (m *Memory) Sessions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions)
}
