// Package store keeps state in SQLite or PostgreSQL, and the history of events
// in Parquet.
//
// Today there is state: events as far back as cases need them, the cases, where
// each source was read to, accounts; and what the broker keeps (Store.Broker).
// SQLite is the default and needs nothing; PostgreSQL is for several ushers that
// share one state. Statements are written once, in what both read alike;
// dialect.go and remote.go hold what differs.
//
// Everything that happens in one transaction (Store.Update) is there after a
// crash or is not; what belongs together, as events, the cases that they changed
// and the cursor of the log that they came from, goes into one. Only one Update
// runs at a time, over all who share a database. The broker's transactions are
// short ones of their own beside it, guarded by versions, generations and fences.
//
// The room keeps what it is given and decides nothing about cases. Every event
// and case is masked once more on its way in, passwords, session ids and keys
// are kept as hashes only, tokens and client secrets as their owner has sealed
// them.
package store
