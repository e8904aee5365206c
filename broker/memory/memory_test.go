package memory_test

import (
	"testing"

	"usher/broker"
	"usher/broker/memory"
	"usher/broker/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) broker.Store { return memory.New(nil) })
}
