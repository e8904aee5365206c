package evidence_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"usher"
	"usher/evidence"
)

// The promise for any input: an answer or one clear error that names the
// place, in 5 seconds and 256 MiB.
const (
	timeBudget   = slower * 5 * time.Second
	memoryBudget = 256 << 20
)

func utf16Bytes(s string, order binary.ByteOrder, mark bool) []byte {
	var b bytes.Buffer
	if mark {
		s = "\ufeff" + s
	}
	for _, u := range utf16.Encode([]rune(s)) {
		_ = binary.Write(&b, order, u)
	}
	return b.Bytes()
}

func TestBadInput(t *testing.T) {
	// As the program does: what is measured is what is needed, not when the
	// collector happens to run.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(160 << 20))
	const failure = `{"error":"invalid_grant","error_description":"AADSTS53003: Access has been blocked by Conditional Access policies."}`
	big := func(unit string, size int) func() []byte {
		return func() []byte { return bytes.Repeat([]byte(unit), size/len(unit)) }
	}
	fixed := func(s string) func() []byte { return func() []byte { return []byte(s) } }
	tests := []struct {
		name string
		data func() []byte
		err  string // part of the error; empty: an answer is wanted
		want string // part of some item's text, note or ignored reason
	}{
		{name: "empty", data: fixed(""), err: "in.txt is empty"},
		{name: "blank", data: fixed(" \r\n\t\n"), err: "in.txt is empty"},
		{name: "zip", data: fixed("PK\x03\x04rest"), err: "a ZIP archive"},
		{name: "binary", data: big("\x00\x01\x02\xff", 4096), err: "binary data"},
		{name: "random bytes", data: func() []byte {
			b := make([]byte, 1<<16)
			for i, x := 0, uint32(7); i < len(b); i++ {
				x = x*1664525 + 1013904223
				b[i] = byte(x >> 24)
			}
			return b
		}, err: "binary data"},
		{name: "100 MB of lines", data: func() []byte {
			return append(bytes.Repeat([]byte("all is well today\n"), 100<<20/18), failure...)
		}, want: "AADSTS53003"},
		{name: "60 MB log with the error in the middle", data: func() []byte {
			half := bytes.Repeat([]byte("all is well today\n"), 30<<20/18)
			return append(append(append([]byte{}, half...), "x AADSTS53003: blocked\n"...), half...)
		}, want: "AADSTS53003"},
		{name: "100 MB of JSON", data: func() []byte {
			return append([]byte(`{"error":"invalid_grant","pad":"`), bytes.Repeat([]byte("x"), 100<<20)...)
		}, want: "invalid_grant"},
		{name: "60 MB of small JSON values", data: func() []byte {
			return append([]byte(`{"error":"invalid_grant","pad":[`), bytes.Repeat([]byte("[],"), 60<<20/3)...)
		}, want: "more than 400000 values"},
		{name: "endless line", data: big("a", 100<<20), want: "only its first and last"},
		{name: "endless line of one word", data: big("secret=", 20<<20), want: "long"},
		{name: "endless braces", data: big("{", 20<<20), want: "long"},
		{name: "endless objects", data: big(`{"a":`, 20<<20), want: "nested"},
		{name: "endless escapes", data: big(`{\"a\":`, 20<<20), want: "long"},
		{name: "endless URL starts", data: big("http://", 20<<20), want: "long"},
		{name: "endless grant types", data: big("grant_type=a&", 20<<20), want: "long"},
		{name: "endless challenges", data: big("WWW-Authenticate: Bearer ", 20<<20), want: ""},
		{name: "endless curl", data: big("curl ' ", 20<<20), want: ""},
		{name: "endless Keycloak", data: big("type=A, realm ", 20<<20), want: "long"},
		{name: "endless parameters", data: big("error=a&", 20<<20), want: "long"},
		{name: "endless request lines", data: big("GET / HTTP/1.1\n", 20<<20), want: ""},
		{name: "endless curl marks", data: big("> GET / HTTP/1.1\n< HTTP/1.1 401 x\n", 20<<20), want: ""},
		{name: "endless JSON lines", data: big(failure+"\n", 20<<20), want: "only the first"},
		{name: "endless tags", data: big("<div><p>", 20<<20), want: ""},
		{name: "endless attribute", data: func() []byte { return append([]byte("<html><a b='"), bytes.Repeat([]byte("x"), 20<<20)...) }, want: "1 MiB"},
		{name: "nested 100000 deep", data: func() []byte {
			return []byte(`{"error":"invalid_grant","claims":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`)
		}, want: "nested more than 200 deep"},
		{name: "JSON in strings, 40 layers", data: func() []byte {
			s := failure
			for i := 0; i < 12; i++ {
				s = fmt.Sprintf(`{"message":%q}`, s)
			}
			return []byte(s)
		}, want: ""},
		{name: "duplicate keys", data: fixed(`{"error":"invalid_grant","error":"invalid_client"}`), want: "given twice"},
		{name: "truncated HAR", data: fixed(`{"log":{"version":"1.2","entries":[{"request":{"method":"POST","url":"https://login.microsoftonline.com/common/oauth2/v2.0/token","headers":[]},"response":{"status":400,"headers":[],"content":{"text":"{\"error\":\"invalid_grant\"}"`), want: "ends in the middle"},
		{name: "HAR that names a file outside", data: fixed(`{"log":{"entries":[{"request":{"method":"GET","url":"https://a.example/token","headers":[]},"response":{"status":400,"headers":[],"content":{"_file":"../../../etc/passwd"}}}]}}`), want: "is not opened"},
		{name: "empty object", data: fixed(" {} "), err: "in.txt:1"},
		{name: "JWT with a million dots", data: func() []byte { return []byte("eyJhbGciOiJub25lIn0" + strings.Repeat(".", 1_000_000)) }, err: "in.txt:1: a token that cannot be read"},
		{name: "JWT of 10 MB", data: func() []byte { return []byte("eyJhbGciOiJub25lIn0." + strings.Repeat("a", 10<<20) + ".x") }, err: "in.txt:1: a token that cannot be read"},
		{name: "PBES2 bomb", data: fixed("eyJhbGciOiJQQkVTMi1IUzUxMitBMjU2S1ciLCJlbmMiOiJBMjU2R0NNIiwicDJjIjoyMTQ3NDgzNjQ3LCJwMnMiOiJhYWFhIn0.AAAA.AAAA.AAAA.AAAA"), want: ""},
		{name: "terminal escapes", data: fixed("\x1b]0;owned\x07\x1b[31merror\x1b[0m: invalid_grant\x00\x9b31m"), want: "terminal escapes"},
		{name: "control characters", data: fixed("error: invalid\x08\x08_grant \x07 here is some more text"), want: "control characters"},
		{name: "UTF-16 LE with mark", data: func() []byte { return utf16Bytes(failure, binary.LittleEndian, true) }, want: "UTF-16"},
		{name: "UTF-16 LE without mark", data: func() []byte { return utf16Bytes(failure, binary.LittleEndian, false) }, want: "AADSTS53003"},
		{name: "UTF-16 BE with mark", data: func() []byte { return utf16Bytes(failure, binary.BigEndian, true) }, want: "AADSTS53003"},
		{name: "UTF-16 BE without mark", data: func() []byte { return utf16Bytes(failure, binary.BigEndian, false) }, want: "AADSTS53003"},
		{name: "UTF-16 cut in a character", data: func() []byte { b := utf16Bytes(failure, binary.LittleEndian, true); return b[:len(b)-1] }, want: "AADSTS53003"},
		{name: "UTF-8 mark", data: fixed("\xef\xbb\xbf" + failure), want: "AADSTS53003"},
		{name: "CRLF", data: fixed("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\r\n" + failure + "\r\n"), want: "AADSTS53003"},
		{name: "Windows-1252", data: fixed("Fehler: Zugriff verweigert f\xfcr \x84invalid_grant\x93"), want: "f\u00fcr \u201einvalid_grant\u201c"},
		{name: "lone surrogates", data: fixed(`{"error":"invalid_grant","error_description":"\ud800 \udc00 x"}`), want: "invalid_grant"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := tt.data()
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			stop, peak := watchMemory()
			started := time.Now()
			set, err := evidence.Read([]evidence.Input{{Name: "in.txt", Data: data}})
			took := time.Since(started)
			close(stop)
			runtime.ReadMemStats(&after)
			if took > timeBudget {
				t.Errorf("took %v, want at most %v", took, timeBudget)
			}
			if used := int64(<-peak) - int64(before.HeapAlloc) + int64(len(data)); used > memoryBudget {
				t.Errorf("held %d MiB with the input, want at most %d", used>>20, memoryBudget>>20)
			}
			checkAnswer(t, set, err, tt.err, tt.want)
		})
	}
}

// watchMemory samples the heap until stop is closed.
func watchMemory() (stop chan struct{}, peak chan uint64) {
	stop, peak = make(chan struct{}), make(chan uint64, 1)
	go func() {
		var most uint64
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return stop, peak
}

func checkAnswer(t *testing.T, set *evidence.Set, err error, wantErr, want string) {
	t.Helper()
	if wantErr != "" {
		var e *usher.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, wantErr) || !strings.Contains(e.Message, "in.txt") {
			t.Fatalf("error = %v, want a *usher.Error that names in.txt and says %q", err, wantErr)
		}
		return
	}
	if err != nil {
		t.Fatalf("error = %v, want an answer", err)
	}
	if want == "" {
		return
	}
	for _, it := range set.Items {
		if strings.Contains(it.Text, want) {
			return
		}
	}
	for _, n := range set.Notes {
		if strings.Contains(n, want) {
			return
		}
	}
	for _, i := range set.Ignored {
		if strings.Contains(i.Reason, want) {
			return
		}
	}
	t.Errorf("nothing in the set says %q: notes %q, ignored %v", want, set.Notes, set.Ignored)
}

func TestOneBadAmongGood(t *testing.T) {
	set, err := evidence.Read([]evidence.Input{{Name: "empty.log"}, {Name: "b.txt", Data: []byte("error: invalid_grant")}})
	if err != nil || len(set.Items) != 1 || len(set.Ignored) != 1 || set.Ignored[0].Place != "empty.log" {
		t.Fatalf("set = %+v, error %v; want one item and empty.log ignored", set, err)
	}
}
