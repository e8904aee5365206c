package store

import (
	"crypto/rand"
	"encoding/hex"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
)

// replicaFile holds the name of the usher that works in the directory.
const replicaFile = "usher.id"

// Replica names this usher among all who share the state. It is made at random
// when the data directory is, and stays with it.
func (s *Store) Replica() string { return s.replica }

// Shared tells whether other usher processes may work with the same state: it
// is in PostgreSQL.
func (s *Store) Shared() bool { return s.remote != nil }

func replicaName(dir string) (string, error) {
	path := filepath.Join(dir, replicaFile)
	b, err := os.ReadFile(path)
	name := strings.TrimSpace(string(b))
	if err == nil && len(name) == 16 && strings.Trim(name, "0123456789abcdef") == "" {
		return name, nil
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	name = hex.EncodeToString(random)
	if err := os.WriteFile(path, []byte(name+"\n"), 0o600); err != nil {
		return "", unusable(path, err)
	}
	return name, nil
}

// slot is where the one-time password of this usher is kept: SQLite has one.
func (s *Store) slot() int64 {
	if s.remote == nil {
		return 1
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.replica))
	return int64(h.Sum64() >> 1)
}
