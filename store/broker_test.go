package store_test

import (
	"path/filepath"
	"testing"

	"usher/broker"
	"usher/broker/storetest"
	"usher/test/postgres"
)

// TestBroker holds both databases to what the broker asks of a store; what two
// processes see of one PostgreSQL, too: every other call goes to the other one.
func TestBroker(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) broker.Store { return fresh(t, openDir).Broker() })
	})
	t.Run("postgres", func(t *testing.T) {
		url := schemaOf(t, filepath.Join(t.TempDir(), "data"))
		storetest.Run(t, emptied(url, openAt(t, url).Broker()))
	})
	t.Run("two on postgres", func(t *testing.T) {
		url := schemaOf(t, filepath.Join(t.TempDir(), "data"))
		storetest.Run(t, emptied(url, &turns{stores: []broker.Store{openAt(t, url).Broker(), openAt(t, url).Broker()}}))
	})
}

// emptied gives a store that takes long to open again and again.
func emptied(url string, s broker.Store) storetest.Open {
	return func(t *testing.T) broker.Store {
		if err := postgres.Exec(t, url, "TRUNCATE connections, leases, paces, flows, blobs"); err != nil {
			t.Fatal(err)
		}
		return s
	}
}
