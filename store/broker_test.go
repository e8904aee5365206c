package store_test

import (
	"path/filepath"
	"testing"

	"usher/broker"
	"usher/broker/storetest"
	"usher/store"
	"usher/test/postgres"
)

// TestBroker holds both databases to what the broker asks of a store.
func TestBroker(t *testing.T) {
	of := func(open opener) storetest.Open {
		return func(t *testing.T) broker.Store { return fresh(t, open).Broker() }
	}
	t.Run("sqlite", func(t *testing.T) { storetest.Run(t, of(openDir)) })
	t.Run("postgres", func(t *testing.T) {
		postgres.Shared(t)
		storetest.Run(t, of(openPostgres))
	})
}

// TestBrokerOfTwo holds what two processes see of one PostgreSQL to the same:
// every other call goes to the other one.
func TestBrokerOfTwo(t *testing.T) {
	postgres.Shared(t)
	storetest.Run(t, func(t *testing.T) broker.Store {
		place := filepath.Join(t.TempDir(), "one")
		first := openPostgres(t, place)
		second, err := store.OpenWith(t.Context(), filepath.Join(t.TempDir(), "two"), store.Options{URL: schemaOf(t, place)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { first.Close(); second.Close() })
		return &turns{stores: []broker.Store{first.Broker(), second.Broker()}}
	})
}
