// Package seal encrypts what the broker keeps: an envelope of data keys, sealed by a key from outside.
package seal
