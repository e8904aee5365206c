package guard

import (
	"io"
	"net/url"
	"strconv"

	"usher"
)

// bounded is a body that errors, rather than ends, where it is too large: half
// a document must not pass for a whole one.
type bounded struct {
	body  io.ReadCloser
	left  int64
	limit int64
	url   *url.URL
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLarge(b.url, b.limit)
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more byte tells that there is more
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, tooLarge(b.url, b.limit)
	}
	return n, err
}

func (b *bounded) Close() error { return b.body.Close() }

func tooLarge(u *url.URL, limit int64) error {
	return &usher.Error{
		Code:    usher.ErrTooLarge,
		Message: "the answer of " + shown(u) + " is larger than " + strconv.FormatInt(limit, 10) + " bytes",
		Hint:    "see whether the address is the right one",
	}
}
