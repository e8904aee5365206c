package serve

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"usher"
	"usher/store"
)

// maxNames bounds each of the memories of names.
const maxNames = 5000

// nameMemory remembers which names belong to which ids, as events told them:
// admin events often hold the id alone.
type nameMemory struct {
	mu      sync.Mutex
	users   map[string]string    // user id: name
	clients map[string]string    // the provider's own id of a client: client id
	tenants map[string]string    // the provider's own id of a client: its tenant
	strange map[string]time.Time // ids that nobody knew, and when that was
}

// keepStrange is how long nobody is asked again for an id that nobody knew.
const keepStrange = time.Minute

// isStrange tells whether nobody knew an id not long ago.
func (m *nameMemory) isStrange(id string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.strange[id]
	return ok && now.Sub(at) < keepStrange
}

// setStrange notes that nobody knows an id.
func (m *nameMemory) setStrange(id string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.strange == nil || len(m.strange) >= maxNames {
		m.strange = map[string]time.Time{}
	}
	m.strange[id] = now
}

func (m *nameMemory) put(table *map[string]string, id, name string) {
	if id == "" || name == "" || id == name {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if *table == nil || len(*table) >= maxNames {
		*table = map[string]string{}
	}
	(*table)[id] = name
}

func (m *nameMemory) get(table *map[string]string, id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return (*table)[id]
}

// nameChanges puts names to the ids of admin events: who acted, and on which
// client. What nobody can tell in time stays an id.
func (e *Engine) nameChanges(ctx context.Context, b *batch) {
	for i := range b.events {
		ev := &b.events[i]
		e.names.put(&e.names.users, ev.User.UID, ev.User.Name)
		e.names.put(&e.names.users, ev.Actor.UID, ev.Actor.Name)
		if ev.Change == nil {
			continue
		}
		if ev.Actor.UID != "" && ev.Actor.Name == "" {
			ev.Actor.Name = e.userName(ctx, ev, b)
		}
		if ev.Change.Type == "client" || ev.Change.Type == "secret" {
			e.nameTarget(ctx, ev, b)
		}
	}
}

func (e *Engine) userName(ctx context.Context, ev *usher.Event, b *batch) string {
	uid := ev.Actor.UID
	if name := e.names.get(&e.names.users, uid); name != "" {
		return name
	}
	if e.names.isStrange(uid, e.now()) { // to look through the store and to ask is not cheap
		return ""
	}
	name := e.storedName(ctx, uid)
	for _, p := range e.candidates(b) {
		if name != "" || ctx.Err() != nil {
			break
		}
		who, err := p.admin.User(ctx, uid)
		switch {
		case err == nil:
			name = who.Name
		case ctx.Err() != nil:
			p.wasSlow(e.now())
		}
	}
	switch {
	case name != "":
		e.names.put(&e.names.users, uid, name)
	case ctx.Err() == nil:
		e.nobodyKnows(uid)
	}
	return name
}

// candidates are the providers that may know the ids in events of a batch:
// admin events hold the realm of who acted, not the one that was changed.
func (e *Engine) candidates(b *batch) []*configured {
	var list []*configured
	now := e.now()
	if b.from != nil && b.from.admin != nil && !b.from.slow(now) {
		list = append(list, b.from)
	}
	for _, p := range e.providers {
		if p != b.from && p.admin != nil && !p.slow(now) {
			list = append(list, p)
		}
	}
	return list
}

// storedName looks for a name in what an earlier run has kept.
func (e *Engine) storedName(ctx context.Context, uid string) (name string) {
	_ = e.store.View(ctx, func(tx *store.Tx) error {
		events, err := tx.Events(store.EventFilter{User: uid, Limit: 3})
		for _, ev := range events {
			name = cmp.Or(name, ev.User.Name)
		}
		return err
	})
	return name
}

// nameTarget puts the client id to the provider's own id of a changed client,
// and the tenant where the record does not tell it.
func (e *Engine) nameTarget(ctx context.Context, ev *usher.Event, b *batch) {
	target := &ev.Change.Target
	if target.UID == "" {
		return
	}
	e.names.put(&e.names.clients, target.UID, target.Name)
	e.names.put(&e.names.tenants, target.UID, ev.Tenant)
	target.Name = cmp.Or(target.Name, e.names.get(&e.names.clients, target.UID))
	ev.Tenant = cmp.Or(ev.Tenant, e.names.get(&e.names.tenants, target.UID))
	if target.Name == "" || ev.Tenant == "" {
		e.resolve(ctx, ev, b)
	}
	for _, p := range e.providers { // what is known of it is old now
		if p.regs != nil {
			p.regs.forget(target.Name)
		}
	}
}

// resolve asks the providers for the client id and the tenant of a changed client.
func (e *Engine) resolve(ctx context.Context, ev *usher.Event, b *batch) {
	target := &ev.Change.Target
	if e.names.isStrange(target.UID, e.now()) {
		return
	}
	for _, p := range e.candidates(b) {
		id, err := p.admin.Resolve(ctx, target.UID)
		if ctx.Err() != nil {
			p.wasSlow(e.now())
			return
		}
		if err != nil {
			continue
		}
		target.Name = cmp.Or(target.Name, id)
		ev.Tenant = cmp.Or(ev.Tenant, p.admin.Capabilities().Tenant)
		e.names.put(&e.names.clients, target.UID, id)
		e.names.put(&e.names.tenants, target.UID, ev.Tenant)
		return
	}
	e.nobodyKnows(target.UID)
}

// nobodyKnows notes that nobody knew an id, unless somebody was not asked.
func (e *Engine) nobodyKnows(id string) {
	now := e.now()
	if !slices.ContainsFunc(e.providers, func(p *configured) bool { return p.admin != nil && p.slow(now) }) {
		e.names.setStrange(id, now)
	}
}
