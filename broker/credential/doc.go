// Package credential is the life of client secrets: verified, rotated with overlap, retired on proof of no use.
//
// A managed secret is one document in the broker's store: who it belongs to, its
// versions with their sealed values, who fetched which, and where its rotation
// stands. Every step of a rotation is written down before and after the provider
// is asked, so that whoever goes on after a crash knows what may have happened:
//
//	creating ──► verifying ──► moving ──► retiring ──► (done)
//	   │             │           │ ▲
//	   └── undo ─────┴───────────┴─┘ the old one is handed out again
//
// Of the versions one is current: the one that callers are given. Where the
// provider lets two secrets work at once, the new one becomes current when it
// is proven to work; where it does not, in the moment in which it is made. The
// old one is retired when every caller that is known presents the new one, no
// use of the old one was seen for a stated time, and the provider's log, where
// it tells, covers that time. Time alone retires nothing: a person may, who was
// shown who still uses it and says so a second time.
package credential
