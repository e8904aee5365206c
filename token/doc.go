// Package token reads tokens and keys and reports everything wrong with them, not only the first thing.
//
// [Parse] reads for display: it decodes the header and claims even of a token
// that is broken, unsigned or expired, and says why an opaque token cannot be
// read. [Inspect] judges: it holds a token against a key set, an issuer, an
// audience, a clock and a token type, as far as they are given, and reports
// every defect with what was expected and what was got. What could not be
// checked is reported as unknown, with what is missing.
//
// Nothing here goes to the network: jku, x5u and embedded keys are reported,
// never followed. Nothing is ever decrypted. No text that this package makes
// holds a token or a signature.
package token
