package broker

import (
	"time"

	"usher/policy/lifespan"
)

// plan asks the policies about the token that a status tells of.
func (b *Broker) plan(c Config, st Status) lifespan.Plan {
	in := lifespan.Input{
		Connection: c.ID, Policy: c.Policy, Scopes: c.Scopes, Role: c.Role, Generation: st.Generation,
		Connected: st.Connected, Received: st.Obtained, ExpiresIn: time.Duration(st.ExpiresIn) * time.Second,
		HasRefresh: !Interactive(c.Grant) || st.Refreshable,
		Renewable:  !Interactive(c.Grant) || st.Refreshable,
		Alone:      !Interactive(c.Grant),
	}
	if st.Scopes != nil {
		in.Scopes = st.Scopes
	}
	if !st.Refreshes.IsZero() {
		in.RefreshExpiresIn = st.Refreshes.Sub(st.Obtained)
	}
	if in.Received.IsZero() {
		in.Received = b.clock.store()
	}
	p := b.opt.Lifespans.Plan(in)
	if least := in.Received.Add(leastApart); !p.RenewAt.IsZero() && p.RenewAt.Before(least) {
		p.RenewAt = least
		p.Reasons = append(p.Reasons, lifespan.Reason{
			Source: "limit", Field: "renew_at", Value: leastApart.String(),
			Text: "by itself usher renews it no earlier than " + leastApart.String() + " after it was received; for a caller who needs more life it does",
		})
	}
	return p
}
