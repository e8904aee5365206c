package door_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/door"
	"usher/broker/grant"
	"usher/broker/memory"
)

// A load is measured against a server in a process of its own on one core: the
// test runs itself once more with this variable.
const serveEnv = "USHER_DOOR_BENCH"

func TestMain(m *testing.M) {
	if what := os.Getenv(serveEnv); what != "" {
		serveBench(what)
		return
	}
	os.Exit(m.Run())
}

// jwt is as long as usual access tokens are.
var jwt = usher.Secret("eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("QUJD", 171) + "." + strings.Repeat("MTIz", 85))

// plainSeal, as nothing is sealed or opened while tokens come from the cache.
type plainSeal struct{}

func (plainSeal) Seal(_ context.Context, _ string, plain []byte) ([]byte, error) { return plain, nil }

func (plainSeal) Open(_ context.Context, _ string, sealed []byte) ([]byte, error) { return sealed, nil }

// oneToken is a token endpoint.
type oneToken struct{}

func (oneToken) Ask(context.Context, grant.Request) (*grant.Answer, error) {
	return &grant.Answer{Access: jwt, TokenType: "Bearer", Received: time.Now(), ExpiresIn: time.Hour}, nil
}

func (oneToken) Introspect(context.Context, grant.Request, usher.Secret, string) (bool, error) {
	return true, nil
}
func (oneToken) Revoke(context.Context, grant.Request, usher.Secret, string) error { return nil }

// benchBroker is a real broker with one connection, whose token is in the cache.
func benchBroker() (*broker.Broker, error) {
	b := broker.New(broker.Options{Store: memory.New(time.Now), Seal: plainSeal{}, Ask: oneToken{}})
	_, err := b.Add(context.Background(), broker.Config{
		ID: "shop-gateway", Grant: broker.GrantClientCredentials, ClientID: "shop", AuthMethod: "client_secret_basic",
		Endpoints: broker.Endpoints{Token: "https://gateway.example/token"}, Scopes: []string{"payments:write"},
	}, broker.Keys{ClientSecret: "s"}, broker.Tokens{})
	if err != nil {
		return nil, err
	}
	_, err = b.Token(context.Background(), "shop-gateway", broker.Ask{Caller: "key bench"})
	return b, err
}

func benchDoor(b *broker.Broker) http.Handler {
	return door.New(door.Options{
		Source: b,
		Key: func(context.Context, string) (door.Key, error) {
			return door.Key{ID: "1", Name: "bench", Connections: door.AllConnections}, nil
		},
		Used: func(string, time.Time) {},
	})
}

// serveBench serves until standard input ends.
func serveBench(what string) {
	runtime.GOMAXPROCS(1)
	h := http.Handler(http.HandlerFunc(constant))
	if what == "token" {
		b, err := benchBroker()
		if err != nil {
			panic(err)
		}
		go b.Run(context.Background()) //nolint:errcheck // ends with the process
		h = benchDoor(b)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(l, h) //nolint:errcheck,gosec // ends with the process
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// constant answers with as much as a token is.
func constant(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = []string{"application/json"}
	_, _ = w.Write(constantBody)
}

var constantBody = []byte(`{"access_token":"` + jwt.Reveal() + `","token_type":"Bearer","expires_in":3599,"connection":"shop-gateway"}`)

// BenchmarkHTTP: requests a second of a server on one core, and per second of its
// own processor time; beside it net/http answering a constant of the same size.
func BenchmarkHTTP(b *testing.B) {
	for _, what := range []string{"constant", "token"} {
		b.Run(what, func(b *testing.B) { load(b, what) })
	}
}

const loadConnections = 64

func load(b *testing.B, what string) {
	if runtime.GOOS != "linux" {
		b.Skip("not measured: the time of a process is read from /proc")
	}
	server := exec.Command(os.Args[0], "-test.run=^$") //nolint:gosec // the test itself
	server.Env = append(os.Environ(), serveEnv+"="+what)
	stdin, _ := server.StdinPipe()
	stdout, _ := server.StdoutPipe()
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer server.Wait() //nolint:errcheck // it ends with its input
	defer stdin.Close() //nolint:errcheck // as above
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	address = strings.TrimSpace(address)
	send(b, address, loadConnections*50) // warm
	began := time.Now()
	cpu := processTime(b, server.Process.Pid)
	b.ResetTimer()
	worst := send(b, address, b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "req/s")
	if used := processTime(b, server.Process.Pid) - cpu; used > 0 {
		b.ReportMetric(float64(b.N)/used.Seconds(), "req/cpu-s")
	}
	b.ReportMetric(worst.Seconds()*1e3, "worst-ms")
}

// send asks n times over connections that stay open, and gives the longest wait.
func send(b *testing.B, address string, n int) time.Duration {
	request := []byte("GET /connections/shop-gateway/token HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer usher_0123456789abcdefghijklmnopqrstuvwxyz0123456\r\n\r\n")
	var left, worst atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for range loadConnections {
		all.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close() //nolint:errcheck // read to its end
			in := make([]byte, 16<<10)
			for left.Add(-1) >= 0 {
				begun := time.Now()
				if _, err := conn.Write(request); err != nil {
					b.Error(err)
					return
				}
				if err := readAnswer(conn, in); err != nil {
					b.Error(err)
					return
				}
				if d := int64(time.Since(begun)); d > worst.Load() {
					worst.Store(d)
				}
			}
		})
	}
	all.Wait()
	return time.Duration(worst.Load())
}

// readAnswer reads one answer with status 200, whatever its parts.
func readAnswer(conn net.Conn, in []byte) error {
	n, length := 0, -1
	for {
		k, err := conn.Read(in[n:])
		if err != nil {
			return err
		}
		n += k
		head, body, ok := bytes.Cut(in[:n], []byte("\r\n\r\n"))
		if !ok {
			continue
		}
		if length < 0 {
			if !bytes.HasPrefix(head, []byte("HTTP/1.1 200")) {
				return fmt.Errorf("answer %.200s", in[:n])
			}
			_, rest, _ := bytes.Cut(head, []byte("Content-Length: "))
			value, _, _ := bytes.Cut(rest, []byte("\r\n"))
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
		if len(body) >= length {
			return nil
		}
	}
}

// processTime gives the processor time of a process so far.
func processTime(b *testing.B, pid int) time.Duration {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		b.Fatal("no such stat")
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks of Linux are 100 a second
}

// BenchmarkToken is the door's own work, without a network.
func BenchmarkToken(b *testing.B) {
	real, err := benchBroker()
	if err != nil {
		b.Fatal(err)
	}
	h := benchDoor(real)
	r := httptest.NewRequest(http.MethodGet, "/connections/shop-gateway/token", nil)
	r.Header.Set("Authorization", "Bearer usher_0123456789abcdefghijklmnopqrstuvwxyz0123456")
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	if w.status != http.StatusOK {
		b.Fatal(w.status)
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
