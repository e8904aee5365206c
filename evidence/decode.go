package evidence

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"usher"
)

// Limits of one input.
const (
	// MaxStructured is the size up to which JSON, HAR and HTML are read whole.
	MaxStructured = 64 << 20
	// window is what is read of the beginning and of the end of a larger input.
	window = 512 << 10
)

// decoded is an input as text.
type decoded struct {
	text  string
	notes []string
}

// decode turns the bytes of an input into UTF-8 text with "\n" at the end of
// lines. Terminal escapes are taken out and other control characters made
// visible, so that no later output can be steered by a log line.
func decode(name string, data []byte) (decoded, error) {
	var d decoded
	if printable(data) == len(data) && len(data) > 0 && data[0] > ' ' {
		d.text = string(data) // the usual case: nothing to convert
		return d, nil
	}
	if len(bytes.TrimSpace(data[:min(len(data), 4096)])) == 0 && len(bytes.TrimSpace(data)) == 0 {
		return d, &usher.Error{
			Code: usher.ErrUnreadable, Message: name + " is empty",
			Hint: "paste the error text, or name a file that holds it",
		}
	}
	switch order, skip := utf16Order(data); {
	case order != nil:
		d.text = decodeUTF16(data[skip:], order)
		d.notes = append(d.notes, name+" is UTF-16; it was converted")
		data = nil
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		data = data[3:]
	}
	if data != nil {
		if what := binaryKind(data); what != "" {
			return d, &usher.Error{
				Code: usher.ErrUnreadable, Message: name + " is " + what + ", not text",
				Hint: "give the text itself: the log line, the JSON body, the .har file",
			}
		}
	}
	var changes textChanges
	if data != nil {
		d.text, changes = cleanText(data)
	} else if needsCleaning(d.text) {
		d.text, changes = cleanText([]byte(d.text))
	}
	if changes.escapes > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d terminal escapes in %s were left out", changes.escapes, name))
	}
	if changes.controls > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d control characters in %s were made visible", changes.controls, name))
	}
	if changes.invalid > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d bytes of %s are no UTF-8; they were read as Windows-1252", changes.invalid, name))
	}
	return d, nil
}

// windows cuts an input that is too large to be read whole.
func windows(name string, data []byte) (head, tail []byte, tailLine int, note string) {
	head, tail = data[:window], data[len(data)-window:]
	if i := bytes.LastIndexByte(head, '\n'); i > 0 {
		head = head[:i+1]
	}
	if i := bytes.IndexByte(tail, '\n'); i >= 0 && i < len(tail)-1 {
		tail = tail[i+1:]
	}
	tailLine = bytes.Count(data[:len(data)-len(tail)], []byte{'\n'})
	return head, tail, tailLine, fmt.Sprintf("%s is %d MiB long: only its first and last %d KiB were read", name, len(data)>>20, window>>10)
}

// utf16Order tells the byte order of UTF-16 text, with or without a byte order mark.
func utf16Order(data []byte) (order binary.ByteOrder, skip int) {
	if len(data) < 4 {
		return nil, 0
	}
	switch {
	case data[0] == 0xFF && data[1] == 0xFE:
		return binary.LittleEndian, 2
	case data[0] == 0xFE && data[1] == 0xFF:
		return binary.BigEndian, 2
	}
	// Mostly ASCII text has a zero in every other byte.
	var even, odd int
	n := min(len(data), 1024) &^ 1
	for i := 0; i < n; i += 2 {
		if data[i] == 0 && data[i+1] != 0 {
			even++
		}
		if data[i+1] == 0 && data[i] != 0 {
			odd++
		}
	}
	switch {
	case odd*10 >= n/2*7 && even == 0:
		return binary.LittleEndian, 0
	case even*10 >= n/2*7 && odd == 0:
		return binary.BigEndian, 0
	}
	return nil, 0
}

func decodeUTF16(data []byte, order binary.ByteOrder) string {
	var b strings.Builder
	b.Grow(len(data)/2 + 16)
	for i := 0; i+1 < len(data); i += 2 {
		r := rune(order.Uint16(data[i:]))
		if utf16.IsSurrogate(r) && i+3 < len(data) {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(data[i+2:]))); pair != utf8.RuneError {
				r = pair
				i += 2
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

// binaryMagic are the beginnings of files that people give by mistake.
var binaryMagic = [...]struct{ magic, what string }{
	{"PK\x03\x04", "a ZIP archive"},
	{"PK\x05\x06", "a ZIP archive"},
	{"\x1f\x8b", "a gzip archive"},
	{"\x89PNG", "a PNG picture"},
	{"\xff\xd8\xff", "a JPEG picture"},
	{"GIF8", "a GIF picture"},
	{"%PDF-", "a PDF document"},
	{"SQLite format 3\x00", "a SQLite database"},
	{"\x7fELF", "a program"},
	{"MZ\x90", "a program"},
	{"ElfFile\x00", "a Windows event log (export it as XML or text)"},
	{"RIFF", "a media file"},
	{"\xd4\xc3\xb2\xa1", "a packet capture"},
	{"\x0a\x0d\x0d\x0a", "a packet capture"},
	{"7z\xbc\xaf", "a 7-Zip archive"},
	{"\x28\xb5\x2f\xfd", "a zstd archive"},
}

// binaryKind says what the data is when it is no text, or nothing.
func binaryKind(data []byte) string {
	for _, m := range binaryMagic {
		if len(data) >= len(m.magic) && string(data[:len(m.magic)]) == m.magic {
			return m.what
		}
	}
	sample := data[:min(len(data), 8192)]
	strange := 0
	for _, c := range sample {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != 0x1b && c != '\f' {
			strange++
		}
	}
	if strange*10 > len(sample) { // more than a tenth
		return "binary data"
	}
	return ""
}

type textChanges struct{ escapes, controls, invalid int }

func needsCleaning(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 && c != '\n' && c != '\t' || c == 0x7f || c == 0xC2 {
			return true
		}
	}
	return false
}

// printable gives the length of the plain ASCII text that data begins with.
func printable(data []byte) int {
	for i, c := range data {
		if c-0x20 >= 0x7f-0x20 && c != '\n' && c != '\t' {
			return i
		}
	}
	return len(data)
}

// cleanText makes text of bytes: line ends as "\n", no terminal escapes, no
// invisible control characters, valid UTF-8.
func cleanText(data []byte) (string, textChanges) {
	var ch textChanges
	i := printable(data)
	if i == len(data) {
		return string(data), ch
	}
	var b strings.Builder
	b.Grow(len(data))
	from := 0
	flush := func(to int) {
		b.Write(data[from:to])
	}
	for i < len(data) {
		c := data[i]
		switch {
		case c >= 0x20 && c < 0x7f || c == '\n' || c == '\t':
			i++
		case c == '\r':
			flush(i)
			i++
			if i >= len(data) || data[i] != '\n' {
				b.WriteByte('\n')
			}
			from = i
		case c == 0x1b:
			flush(i)
			i += escapeLength(data[i:])
			from = i
			ch.escapes++
		case c < 0x20 || c == 0x7f:
			flush(i)
			if c == 0x7f {
				b.WriteRune(0x2421)
			} else {
				b.WriteRune(0x2400 + rune(c))
			}
			i++
			from = i
			ch.controls++
		default:
			r, n := utf8.DecodeRune(data[i:])
			switch {
			case r == utf8.RuneError && n <= 1:
				flush(i)
				b.WriteRune(windows1252(c))
				i++
				from = i
				ch.invalid++
			case r >= 0x80 && r < 0xA0: // C1 controls; 0x9b starts an escape on some terminals
				flush(i)
				b.WriteRune(0xFFFD)
				i += n
				from = i
				ch.controls++
			default:
				i += n
			}
		}
	}
	flush(len(data))
	return b.String(), ch
}

// escapeLength gives the length of the terminal escape at the start of data.
func escapeLength(data []byte) int {
	if len(data) < 2 {
		return 1
	}
	switch data[1] {
	case '[': // control sequence: parameters, then one letter
		for i := 2; i < len(data) && i < 64; i++ {
			if data[i] >= 0x40 && data[i] <= 0x7e {
				return i + 1
			}
			if data[i] < 0x20 {
				return i
			}
		}
		return 2
	case ']', 'P', '_', '^', 'X': // a string up to BEL or ESC \
		for i := 2; i < len(data) && i < 4096; i++ {
			if data[i] == 0x07 {
				return i + 1
			}
			if data[i] == 0x1b {
				if i+1 < len(data) && data[i+1] == '\\' {
					return i + 2
				}
				return i
			}
			if data[i] == '\n' {
				return i
			}
		}
		return 2
	}
	return 2
}

// windows1252 gives the character of a byte in the code page that old Windows
// programs write.
func windows1252(c byte) rune {
	const high = "\u20ac\ufffd\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\ufffd\u017d\ufffd\ufffd\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\ufffd\u017e\u0178"
	if c >= 0xA0 {
		return rune(c)
	}
	n := 0
	for _, r := range high {
		if n == int(c)-0x80 {
			return r
		}
		n++
	}
	return utf8.RuneError
}
