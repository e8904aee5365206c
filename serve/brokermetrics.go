package serve

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"usher/broker"
)

// connectionStates counts connections by state, for the metrics: whoever reads
// them asks no store.
type connectionStates struct {
	mu sync.Mutex
	of map[string]broker.State
}

// follow gives what keeps the count, until its context ends.
func (c *connectionStates) follow(b *broker.Broker) func(context.Context) error {
	return func(ctx context.Context) error {
		for change := range b.Subscribe(ctx) {
			c.mu.Lock()
			if c.of == nil {
				c.of = map[string]broker.State{}
			}
			if change.Removed {
				delete(c.of, change.ID)
			} else {
				c.of[change.ID] = change.State
			}
			c.mu.Unlock()
		}
		return nil
	}
}

func (c *connectionStates) count(state broker.State) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, s := range c.of {
		if s == state {
			n++
		}
	}
	return n
}

// brokerGauges adds the figures of the broker. None names a connection.
func (s *Server) brokerGauges() {
	for _, state := range []broker.State{broker.StateNew, broker.StateAlive, broker.StateFailing, broker.StateWaiting, broker.StateStopped} {
		s.metrics.gauge("usher_connections", "Connections by state.", prometheus.Labels{"state": string(state)}, func() float64 {
			return float64(s.broker.states.count(state))
		})
	}
	s.metrics.gauge("usher_broker_events_waiting", "Events of the broker that are not kept yet.", nil, func() float64 {
		return float64(s.broker.events.length())
	})
}
