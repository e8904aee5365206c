package casebook_test

import (
	"testing"

	"usher"
	"usher/catalog"
)

// TestUnregisteredDevice: Entra gives a device that it does not know no id; the
// next sign-in from one that it knows proves the case all the same.
func TestUnregisteredDevice(t *testing.T) {
	for name, tt := range map[string]struct {
		refused, success usher.Event
		want             usher.CaseState
	}{
		"then registered": {unregistered(), registered("laptop"), usher.CaseFixed},
		"still not":       {unregistered(), unregistered(), usher.CaseOpen},
		"not told":        {unregistered(), usher.Event{}, usher.CaseOpen},
		"never told":      {usher.Event{}, registered("laptop"), usher.CaseOpen},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, oneFix(usher.Fix{Fixer: usher.FixerUser, Proof: *catalog.Cause("policy-device").Proof}))
			ev, f := deviceCase()
			ev.Device, ev.Unmapped = tt.refused.Device, tt.refused.Unmapped
			w.refuse(ev, f)
			ev, _ = deviceCase()
			ev.Time, ev.Policies = at("10:30"), nil
			ev.Device, ev.Unmapped = tt.success.Device, tt.success.Unmapped
			w.succeed(ev)
			w.state(1, tt.want)
		})
	}
}

func unregistered() usher.Event {
	return usher.Event{Unmapped: map[string]string{"device": "unregistered"}}
}

func registered(id string) usher.Event { return usher.Event{Device: usher.Device{UID: id}} }
