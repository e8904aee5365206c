package casebook

import (
	"slices"
	"strings"

	"usher"
	"usher/detect"
)

// trier is who made a try, as far as the log tells: the user, the address and
// the client, each as a digest. Of all tries of a case the store keeps every
// different trier, so that one case is called the consequence of another only
// where those who meet the one meet the other as well. What a stranger provokes
// must not hide what happens to somebody else.
type trier struct {
	user, userName     string
	client, clientName string
	address            string
	machine            string // machineCalls, machineProven or empty
	connection         string // of a fault of an endpoint, and then nothing else
}

// A client that acts for itself: without a user, at an API; or at the provider,
// which took the client's credential before it refused.
const (
	machineCalls  = "calls"
	machineProven = "proven"
)

// maxTriers is how many different triers of a case are told apart.
const maxTriers = 1000

func trierOf(ev *usher.Event) trier {
	if ev.FaultyEndpoint() != "" {
		return trier{connection: mark(ev.Connection())}
	}
	who := trier{
		user: mark(ev.User.UID), userName: mark(ev.User.Name), client: mark(ev.Client.UID), clientName: mark(ev.Client.Name),
		address: mark(detect.Source(ev.Source.IP)),
	}
	if ev.User.Known() || !ev.Client.Known() {
		return who
	}
	own := ev.Kind == usher.EventAppSignIn || ev.OAuth.GrantType == "client_credentials"
	switch {
	case own && ev.OAuth.ClientAuth != "" && ev.OAuth.ClientAuth != "none":
		who.machine = machineProven
	case own || ev.Kind == usher.EventAPI:
		who.machine = machineCalls
	}
	return who
}

func mark(s string) string {
	if s == "" {
		return ""
	}
	return digest("trier", s)
}

// String is the form in which the store keeps a trier.
func (w trier) String() string {
	return strings.Join([]string{w.user, w.userName, w.client, w.clientName, w.address, w.machine, w.connection}, " ")
}

func readTrier(s string) (w trier) {
	for _, field := range [...]*string{&w.user, &w.userName, &w.client, &w.clientName, &w.address, &w.machine, &w.connection} {
		*field, s, _ = strings.Cut(s, " ")
	}
	return w
}

// triers gives who made the tries of a case, or nothing where they are too many
// to be told apart.
func (t *turn) triers(c *usher.Case) ([]trier, error) {
	marks, err := t.tx.Marks(c.ID)
	if err != nil || len(marks) >= maxTriers {
		return nil, err
	}
	list := make([]trier, len(marks))
	for i, m := range marks {
		list[i] = readTrier(m)
	}
	return list, nil
}

// met tells whether the connection of a success is one of those that met a fault
// of their endpoint, among the first 1,000 of them.
func (t *turn) met(c *usher.Case, ev *usher.Event) (bool, error) {
	if c.Refusal.Connection() == ev.Connection() {
		return true, nil
	}
	marks, err := t.tx.Marks(c.ID)
	return slices.Contains(marks, trier{connection: mark(ev.Connection())}.String()), err
}

// crew is the triers of a case, to look one up.
type crew struct {
	users, names, nameless map[string]bool // ids, names, and names of those without an id
	addresses              map[string]bool
	clients                map[string]bool // ids and names of those that proved themselves
}

func crewOf(list []trier) *crew {
	c := &crew{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, w := range list {
		c.users[w.user], c.names[w.userName], c.addresses[w.address] = true, true, true
		if w.user == "" {
			c.nameless[w.userName] = true
		}
		if w.machine == machineProven {
			c.clients[w.client], c.clients[w.clientName] = true, true
		}
	}
	for _, set := range [...]map[string]bool{c.users, c.names, c.nameless, c.addresses, c.clients} {
		delete(set, "")
	}
	return c
}

// user tells whether the crew has the user of a trier: by id where both have
// one, otherwise by name.
func (c *crew) user(w trier) bool {
	if w.user == "" {
		return c.names[w.userName]
	}
	return c.users[w.user] || c.nameless[w.userName]
}

// covered tells whether everybody who tried the one case tried the other as
// well: the same user, or from the same address, or the same client for itself
// after the provider took its credential. A try of which the log tells nobody is
// anybody's.
func (t *turn) covered(c, of *usher.Case) (bool, error) {
	mine, err := t.triers(c)
	if err != nil || len(mine) == 0 {
		return false, err
	}
	theirs, err := t.triers(of)
	if err != nil {
		return false, err
	}
	has, parts := crewOf(theirs), scope(t.cause(&of.Finding))
	client := trier{client: mark(of.Refusal.Client.UID), clientName: mark(of.Refusal.Client.Name)}
	for _, w := range mine {
		switch {
		case slices.Contains(parts, "client") && !w.at(client):
			return false, nil
		case has.user(w):
		case slices.Contains(parts, "user"): // the account is at fault, so nobody else's tries follow from it
			return false, nil
		case has.addresses[w.address]:
		case w.machine != "" && !strings.HasPrefix(of.Finding.Cause, "client-") && (has.clients[w.client] || has.clients[w.clientName]):
		default:
			return false, nil
		}
	}
	return true, nil
}

// at tells whether two triers used the same client.
func (w trier) at(other trier) bool {
	if w.client != "" && other.client != "" {
		return w.client == other.client
	}
	return w.clientName != "" && w.clientName == other.clientName
}

// cameFrom tells whether every try of a case came from one of some addresses.
func (t *turn) cameFrom(c *usher.Case, sources []string) (bool, error) {
	list, err := t.triers(c)
	if err != nil || len(list) == 0 {
		return false, err
	}
	from := map[string]bool{}
	for _, source := range sources {
		from[mark(source)] = true
	}
	return !slices.ContainsFunc(list, func(w trier) bool { return !from[w.address] }), nil
}
