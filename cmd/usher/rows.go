package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/unicode"

	"usher"
)

// asUTF8 converts UTF-16, with or without a byte order mark, as Windows writes it.
func asUTF8(r io.Reader) io.Reader {
	b := bufio.NewReader(r)
	head, _ := b.Peek(4) // fewer bytes are no UTF-16; a read error comes again
	if len(head) < 4 {
		return b
	}
	little, big := head[0] == 0xff && head[1] == 0xfe, head[0] == 0xfe && head[1] == 0xff
	switch {
	case little, !big && head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Reader(b)
	case big, head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0:
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Reader(b)
	}
	return b
}

// rowError says why the rows end before the file does.
func rowError(err error, name string, n int) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bufio.ErrTooLong):
		return &usher.Error{
			Code: usher.ErrTooLarge, Message: fmt.Sprintf("%s:%d: the line is longer than 16 MiB", place(name), n),
			Hint: "--each-line wants one JSON object a line",
		}
	}
	return &usher.Error{Code: usher.ErrUnreadable, Message: fmt.Sprintf("read %s:%d", place(name), n), Err: plainError(err)}
}

// emptyRows is the error of a file of rows without a row.
func emptyRows(name string) error {
	return &usher.Error{Code: usher.ErrUnreadable, Message: place(name) + " holds no row", Hint: "--each-line wants one JSON object or one log record a line"}
}
