package report

import "strings"

// Piece is a part of a sentence: words, or a value that stood between backticks
// and is shown as one.
type Piece struct {
	Text  string
	Value bool
}

// Pieces takes a sentence apart at its backticks. One that is left alone is a
// backtick.
func Pieces(s string) []Piece {
	fields := strings.Split(s, "`")
	var pieces []Piece
	for i, f := range fields {
		last := i == len(fields)-1
		switch {
		case i%2 == 1 && last:
			pieces = append(pieces, Piece{Text: "`" + f})
		case f != "":
			pieces = append(pieces, Piece{f, i%2 == 1})
		}
	}
	return pieces
}
