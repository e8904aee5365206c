package broker_test

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if o := os.Getenv(replicaEnv); o != "" {
		os.Exit(replica(o))
	}
	os.Exit(m.Run())
}
