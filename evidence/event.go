package evidence

import "usher"

// FromEvent makes evidence of an event, so that it can be explained like a
// record that a person gave. The event's strings are masked already.
func FromEvent(ev *usher.Event) Item {
	it := Item{Event: ev, Time: ev.Time}
	it.Kind, it.Provider, it.Place = usher.KindLogRecord, ev.Provider, "event "+ev.UID
	return it
}
