// Package credential is the life of client secrets: verified, rotated with overlap, retired on proof of no use.
package credential
