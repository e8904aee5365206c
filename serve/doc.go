// Package serve wires the rooms into one server that a test can start, ask and stop.
//
// Config is what usher.yaml says; Load reads it and tells every mistake with
// its place. New makes a Server of it; Start, Addr, Engine and Stop are all that
// a test needs. Run is the same for a process: it ends with its context.
//
// The Engine is the pipeline: sources (the tails of log files, and usher's own
// doors) give lines, these become events, refusals among them are explained,
// and one transaction a batch keeps events, cases and the place in the source
// together. A process that is killed anywhere goes on from there.
package serve
