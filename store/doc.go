// Package store keeps state in SQLite or PostgreSQL, and the history of events
// in Parquet.
//
// Today there is SQLite and state: events as far back as cases need them, the
// cases, where each source was read to, accounts. Everything that happens in
// one transaction (Store.Update) is there after a crash or is not; what
// belongs together, as events, the cases that they changed and the cursor of
// the log that they came from, goes into one.
//
// The room keeps what it is given and decides nothing about cases. Every event
// and case is masked once more on its way in, passwords, session ids and keys
// are kept as hashes only.
package store
