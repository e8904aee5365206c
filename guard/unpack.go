package guard

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"usher"
)

// packable asks for a packed answer, and tells whether it did: a caller who
// asked by himself unpacks by himself.
func packable(req *http.Request) bool {
	if req.Header.Get("Accept-Encoding") != "" || req.Header.Get("Range") != "" || req.Method == http.MethodHead {
		return false
	}
	req.Header.Set("Accept-Encoding", "gzip")
	return true
}

// unpack puts what unpacks the body into its place. What is packed comes within
// the limit, and so does what is in it: neither a bomb nor a stream of empty
// parts goes on for long. Packed twice, or in a way that was not asked for, is
// refused.
func (g *gate) unpack(resp *http.Response, asked bool) error {
	if !asked || resp.Request.Method == http.MethodHead {
		return nil
	}
	how := strings.ToLower(strings.TrimSpace(strings.Join(resp.Header.Values("Content-Encoding"), ", ")))
	switch how {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
	default:
		return &usher.Error{
			Code:    usher.ErrUnreadable,
			Message: "the answer of " + shown(resp.Request.URL) + " is packed with " + clip(how) + ", which was not asked for",
			Hint:    "ask its operator to answer by Accept-Encoding",
		}
	}
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	resp.ContentLength, resp.Uncompressed = -1, true
	limit := g.c.opt.Body
	resp.Body = &bounded{body: &gunzip{packed: resp.Body, url: resp.Request.URL}, left: limit, limit: limit, url: resp.Request.URL}
	return nil
}

// gunzip unpacks; the header is read with the first Read.
type gunzip struct {
	packed io.ReadCloser
	url    *url.URL
	z      *gzip.Reader
	err    error
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.z == nil && g.err == nil {
		g.z, g.err = gzip.NewReader(g.packed)
	}
	if g.err == nil {
		n, g.err = g.z.Read(p)
	}
	return n, g.explain()
}

func (g *gunzip) explain() error {
	var told *usher.Error
	if g.err == nil || errors.Is(g.err, io.EOF) || errors.As(g.err, &told) || !broken(g.err) {
		return g.err
	}
	return &usher.Error{
		Code:    usher.ErrUnreadable,
		Message: "the answer of " + shown(g.url) + " says that it is gzip, and cannot be unpacked",
		Hint:    "see what stands before it: a proxy may have packed or cut it",
		Err:     quiet{g.err},
	}
}

func broken(err error) bool {
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || strings.HasPrefix(err.Error(), "flate:")
}

func (g *gunzip) Close() error { return g.packed.Close() }
