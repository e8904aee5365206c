// Package usher names what every room talks about.
//
// It has no input, no output and no clock: only the nouns (evidence, cause,
// finding, fix, event, case and their parts), their validity, and the words
// that the code, the command line, the API and the documents share.
package usher
