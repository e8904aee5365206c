package store_test

import (
	"usher/casebook"
	"usher/store"
)

// The store is what the casebook asks for.
var _ casebook.Tx = (*store.Tx)(nil)
