// Package broker keeps tokens alive and client secrets fresh for programs that
// would rather not.
//
// A Connection is a grant at somebody else's provider. The broker renews its
// token before a caller needs it, with one request in flight over all replicas:
// who wants to renew takes a fenced lease, notes what it is about to send, sends
// it once, and stores the answer before anybody sees it. What a provider
// refuses has a cause, a cause has a strategy, and both are told as events.
//
// The room declares what it needs of a database as Store; package memory is one
// in memory, the room store has it on SQLite and PostgreSQL. Below it: grant
// speaks to token endpoints, seal encrypts, strategy says what to do about a
// cause, preset and connect make connections, door, egress and client are the
// ways to use them, credential is the life of client secrets.
package broker
