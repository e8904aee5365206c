package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"usher/serve"
)

// operate asks usher's API over its socket, as a person at the machine may.
func (c *company) operate(ctx context.Context, method, path string, body, answer any) error {
	socket := filepath.Join(c.data(), serve.SocketName)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://usher"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return fmt.Errorf("ask usher: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("ask usher: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("usher answers %s %s with %d: %s", method, path, resp.StatusCode, bytes.TrimSpace(got))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(got, answer)
}
