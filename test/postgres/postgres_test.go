package postgres_test

import (
	"testing"

	"usher/test/postgres"
)

// TestKillAndStart holds the helper to what tests of durability build on: what
// was committed is there after the server was killed.
func TestKillAndStart(t *testing.T) {
	s := postgres.New(t)
	url := s.Schema(t)
	if err := postgres.Exec(t, url, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	s.Kill(t)
	if err := postgres.Exec(t, url, "SELECT 1"); err == nil {
		t.Fatal("a killed server answered")
	}
	s.Start(t)
	if err := postgres.Exec(t, url, "DO $$ BEGIN IF (SELECT count(*) FROM kept) <> 1 THEN RAISE 'lost'; END IF; END $$"); err != nil {
		t.Error(err)
	}
}
