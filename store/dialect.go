package store

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The statements of this room are written once, for SQLite, in what both
// databases read alike: no boolean but 1 and 0, names that are words of SQL in
// quotation marks. What is left is here: "?" is "$n" on PostgreSQL, {now} is the
// clock of the store, {share} keeps a row that was read as it is.

// whole is a text that nobody searches by, however long it is.
type whole string

// longest is how many bytes of a text that is searched by are kept as they are.
// A longer one is kept as its hash: an entry of an index of PostgreSQL holds
// 2,700 bytes, and a stranger's client id of more must not keep a whole batch
// out.
const longest = 1000

// fill makes the arguments what the database takes, and puts in the time.
func (tx *Tx) fill(query string, args []any) (string, []any) {
	args = slices.Clone(args) // a statement may be tried again with the same
	if tx.s.remote != nil {
		for i, a := range args {
			switch a := a.(type) {
			case whole:
				args[i] = plainText(string(a))
			case string:
				args[i] = searched(plainText(a))
			}
		}
		return query, args
	}
	for i, a := range args {
		if a, ok := a.(whole); ok {
			args[i] = string(a)
		}
	}
	if !strings.Contains(query, "{") {
		return query, args
	}
	query = strings.ReplaceAll(query, "{share}", "")
	now := micros(tx.s.now())
	filled := make([]any, 0, len(args)+4)
	rest := args
	for {
		before, after, found := strings.Cut(query, "{now}")
		if !found {
			return query, append(filled, rest...)
		}
		n := strings.Count(before, "?") - len(filled)
		filled = append(append(filled, rest[:n]...), now)
		rest = rest[n:]
		query = before + "?" + after
	}
}

// remoteClock is the time of PostgreSQL as micros gives it.
const remoteClock = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

// remoteText writes a statement for PostgreSQL.
func remoteText(query string) string {
	query = strings.ReplaceAll(query, "{now}", remoteClock)
	query = strings.ReplaceAll(query, "{share}", " FOR SHARE")
	var b strings.Builder
	n := 0
	for {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// plainText is what PostgreSQL takes for text: UTF-8 without a zero byte.
func plainText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func searched(s string) string {
	if len(s) <= longest {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}
