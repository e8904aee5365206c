package guard

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

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

// enough is how many bytes a body must bring while patience lasts.
const enough = 512

// paced is a body that is given up when it drips. Only time that was waited in
// Read counts, not what the reader does between.
type paced struct {
	body     io.ReadCloser
	patience time.Duration
	url      *url.URL
	cancel   context.CancelFunc

	waited time.Duration // since got was zero
	got    int
	over   atomic.Bool
}

func (p *paced) Read(b []byte) (int, error) {
	if p.patience <= 0 {
		return p.body.Read(b)
	}
	if p.got >= enough {
		p.waited, p.got = 0, 0
	}
	left := p.patience - p.waited
	if left <= 0 {
		return 0, p.giveUp()
	}
	timer := time.AfterFunc(left, func() {
		p.over.Store(true)
		p.cancel()
	})
	start := time.Now()
	n, err := p.body.Read(b)
	timer.Stop()
	p.waited += time.Since(start)
	p.got += n
	if err != nil && !errors.Is(err, io.EOF) && p.over.Load() {
		return n, p.giveUp()
	}
	return n, err
}

func (p *paced) giveUp() error {
	p.cancel()
	return &usher.Error{
		Code:    usher.ErrUnreachable,
		Message: "the answer of " + shown(p.url) + " drips: less than " + strconv.Itoa(enough) + " bytes came in " + p.patience.String(),
		Hint:    "see whether it is overloaded, or holds callers up on purpose",
	}
}

func (p *paced) Close() error {
	err := p.body.Close()
	p.cancel()
	return err
}
