package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"usher"
	"usher/console"
	"usher/serve"
)

// connectFlags say where the server is.
type connectFlags struct {
	Server string `placeholder:"URL" help:"Server on another machine; its key is in the environment variable USHER_TOKEN."`
	Data   string `placeholder:"DIR" help:"Data directory of the server on this machine; without it as the configuration says."`
	Config string `placeholder:"FILE" help:"Configuration of the server on this machine; without it usher.yaml here."`
}

// client speaks the server's API, over its socket or over the network.
type client struct {
	base  string
	token usher.Secret
	http  *http.Client
	where string // for messages
}

func (c *connectFlags) client(env *Env) (*client, error) {
	if c.Server != "" {
		return remoteClient(c.Server)
	}
	data := c.Data
	if data == "" {
		cfg, err := loadConfigWith(env, c.Config, serve.LoadOptions{Static: true})
		if err != nil {
			return nil, err
		}
		data = cfg.Data
	}
	socket := filepath.Join(data, serve.SocketName)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &client{base: "http://usher", http: &http.Client{Transport: &http.Transport{DialContext: dial}}, where: socket}, nil
}

func remoteClient(server string) (*client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "--server is no URL of a server", Hint: "write it like --server https://usher.example.com"}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (err != nil || !addr.IsLoopback()) {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "--server is plain http to another machine, which would show the key to whoever is on the way", Hint: "put a proxy with TLS before the server and write https://, or go through a tunnel to localhost"}
	}
	token := os.Getenv("USHER_TOKEN")
	if token == "" {
		return nil, &usher.Error{Code: usher.ErrUsage, Message: "USHER_TOKEN is not set", Hint: "make a key at " + strings.TrimSuffix(server, "/") + "/keys and export it as USHER_TOKEN"}
	}
	// A key is not sent to where a redirect leads.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{base: strings.TrimSuffix(server, "/"), token: usher.Secret(token), http: &http.Client{CheckRedirect: stay}, where: server}, nil
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 256 << 20

// call sends a request with a JSON body and reads the answer into out. body and
// out may be nil.
func (c *client) call(ctx context.Context, method, path string, body, out any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		return c.refused(resp.StatusCode, data)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return &usher.Error{Code: usher.ErrUnreadable, Message: "the answer of " + c.where + " is not usher's", Hint: "is another program at this address?"}
	}
	return nil
}

func (c *client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var data io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		data = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, data)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	} else if u, err := user.Current(); err == nil {
		req.Header.Set("Usher-User", u.Username)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return resp, nil
}

// unreachable says that nobody answers, and what to do.
func (c *client) unreachable(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	out := &usher.Error{Code: usher.ErrUnreachable, Message: "no server answers at " + c.where, Hint: "is it running, and does the address lead there?"}
	if c.token == "" {
		out.Hint = "start it with usher serve, or say where it is: --config, --data, or --server URL with USHER_TOKEN"
	}
	var op *net.OpError
	if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		if errors.As(err, &op) {
			err = op.Err
		}
		out.Err = err
	}
	if errors.Is(err, os.ErrPermission) {
		out.Hint = "the socket is for the user who runs the server: ask as that user, or use --server URL with USHER_TOKEN"
	}
	return out
}

// refused reads an error of the API.
func (c *client) refused(status int, data []byte) error {
	var body struct {
		Error struct{ Code, Message, Hint string }
	}
	if json.Unmarshal(data, &body) != nil || body.Error.Message == "" {
		return &usher.Error{Code: usher.ErrUnreadable, Message: fmt.Sprintf("%s answers with status %d and is not usher", c.where, status), Hint: "does the address lead to usher?"}
	}
	return &usher.Error{Code: body.Error.Code, Message: body.Error.Message, Hint: body.Error.Hint}
}

// watch gives the changes of cases until ctx ends or the server goes away.
func (c *client) watch(ctx context.Context) (<-chan console.Change, error) {
	resp, err := c.send(ctx, http.MethodGet, "/api/v1/watch", nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close() //nolint:errcheck // read only
		data, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		return nil, c.refused(resp.StatusCode, data)
	}
	out := make(chan console.Change)
	go func() {
		defer close(out)
		defer resp.Body.Close() //nolint:errcheck // read only
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data:")
			var change console.Change
			if !ok || json.Unmarshal([]byte(data), &change) != nil {
				continue
			}
			select {
			case out <- change:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// watchAgain is watch that comes back after a break. A tick says that something
// may have changed; change is zero after a break.
func (c *client) watchAgain(ctx context.Context) <-chan console.Change {
	out := make(chan console.Change)
	go func() {
		defer close(out)
		for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
			changes, err := c.watch(ctx)
			if err == nil {
				wait = 50 * time.Millisecond
				if !send(ctx, out, console.Change{}) {
					return
				}
				for change := range changes {
					if !send(ctx, out, change) {
						return
					}
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}()
	return out
}

func send(ctx context.Context, out chan<- console.Change, change console.Change) bool {
	select {
	case out <- change:
		return true
	case <-ctx.Done():
		return false
	}
}

type caseList struct {
	Cases []usher.Case `json:"cases"`
}

func (c *client) list(ctx context.Context, query string) ([]usher.Case, error) {
	var list caseList
	err := c.call(ctx, http.MethodGet, "/api/v1/cases"+query, nil, &list)
	return list.Cases, err
}

func (c *client) find(ctx context.Context, id int64) (*usher.Case, error) {
	found := new(usher.Case)
	err := c.call(ctx, http.MethodGet, fmt.Sprintf("/api/v1/cases/%d", id), nil, found)
	return found, err
}

// do asks for something to be done to a case.
func (c *client) do(ctx context.Context, id int64, what string, body, out any) error {
	return c.call(ctx, http.MethodPost, fmt.Sprintf("/api/v1/cases/%d/%s", id, what), body, out)
}
