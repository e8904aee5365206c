// Package grant speaks to token endpoints: requests, answers, refusals.
//
// A request is sent once, in the one authentication style that it names, and
// follows no redirect: a second try, in whatever style, may present a single-use
// refresh token twice, and the provider then ends the whole family (RFC 9700
// section 4.14.2). What became of a request is told apart as far as it can be:
// nothing was sent (Unreachable), it was sent and no answer came (Lost), it was
// refused. See Refusal.Unsure for the question that decides.
//
// Answers are read leniently and what was forgiven is noted: providers write
// lifetimes as text, scopes as lists, errors with status 200. Whatever a
// provider writes, none of the secrets that were sent or received stands in a
// Refusal or in a note.
package grant
