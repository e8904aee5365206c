package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"usher"
)

// JSON writes an answer as indented JSON: the contract of
// docs/reference/explain-json.md.
func JSON(w io.Writer, a *usher.Answer) error { return writeJSON(w, a, "  ") }

// JSONLine writes an answer as one line of JSON, as --each-line does.
func JSONLine(w io.Writer, a *usher.Answer) error { return writeJSON(w, a, "") }

func writeJSON(w io.Writer, a *usher.Answer, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	// The encoder would also write & as \u0026, which spoils every URL;
	// PlainJSON escapes what has to be.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(Masked(*a)); err != nil {
		return fmt.Errorf("encode the answer as JSON: %w", err)
	}
	_, err := w.Write(PlainJSON(b.Bytes()))
	return err
}

// PlainJSON escapes inside encoded JSON whatever could act on a terminal or
// on a page that holds the JSON. The values stay the same, and so does the
// meaning: none of these characters occurs outside a string.
func PlainJSON(in []byte) []byte {
	out := make([]byte, 0, len(in)+64)
	for i := 0; i < len(in); {
		c := in[i]
		if c < utf8.RuneSelf {
			switch c {
			case '<':
				out = append(out, `\u003c`...)
			case 0x7f:
				out = append(out, `\u007f`...)
			default:
				out = append(out, c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(in[i:])
		switch {
		case !hidden(r):
			out = append(out, in[i:i+size]...)
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default: // a surrogate pair
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		}
		i += size
	}
	return out
}
