package hostile_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	mib         = 1 << 20
	memoryLimit = 256 * mib
)

// bad is one input that must not hurt.
type bad struct {
	name string // of the file, too: every output must name it
	data func() []byte
	// commands are what is run with the file: explain, lines (explain
	// --each-line), token, tokens (token --each-line), keys (token --keys).
	// Without them explain and token.
	commands string
	// says is what an output must hold beside the place, where that is known.
	says string
	// rows is how many answers the rows must have, where that is known: one
	// bad row must not end the others.
	rows int
	// answered demands exit status 0 of explain: the input is odd, and readable.
	answered bool
}

const errorJSON = `{"error":"invalid_grant","error_description":"AADSTS53003: Access has been blocked by Conditional Access policies.\r\nTrace ID: 3f2a1c6e-0d7b-4a55-9e1f-6b8d7c5e4f00","error_codes":[53003]}`

func text(s string) func() []byte { return func() []byte { return []byte(s) } }

func repeat(s string, n int) func() []byte {
	return func() []byte { return bytes.Repeat([]byte(s), n) }
}

func around(head, s string, n int, tail string) func() []byte {
	return func() []byte { return append(append([]byte(head), bytes.Repeat([]byte(s), n)...), tail...) }
}

func jwtHeader(header string) string { return base64.RawURLEncoding.EncodeToString([]byte(header)) }

func encodeUTF16(s string, big, mark bool) []byte {
	var out []byte
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

func har(entries int, url, name string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"log":{"version":"1.2","creator":{"name":"x","version":"1"},"entries":[`)
	for i := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"startedDateTime":"2026-01-05T10:00:00.000Z","time":1,"request":{"method":"GET","url":"%s","httpVersion":"HTTP/1.1","headers":[{"name":"Accept","value":"*/*"}],"queryString":[],"cookies":[],"headersSize":-1,"bodySize":0},"response":{"status":400,"statusText":"Bad Request","httpVersion":"HTTP/1.1","headers":[{"name":"Content-Type","value":"application/json"}],"cookies":[],"content":{"size":10,"mimeType":"application/json","text":"{\"error\":\"invalid_grant\",\"n\":%d}","_file":"%s"},"redirectURL":"","headersSize":-1,"bodySize":10},"cache":{},"timings":{"send":0,"wait":1,"receive":0}}`, url, i, name)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

func zipped(name string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write([]byte(errorJSON))
	}
	if err != nil || z.Close() != nil {
		panic("the archive cannot be written")
	}
	return b.Bytes()
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil || z.Close() != nil {
		panic("the archive cannot be written")
	}
	return b.Bytes()
}

func picture() []byte {
	var b bytes.Buffer
	if png.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 64))) != nil {
		panic("the picture cannot be written")
	}
	return b.Bytes()
}

func noise(n int) []byte {
	out := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // noise need not be secret
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func members(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"error":"invalid_grant"`)
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":%d`, i, i)
	}
	b.WriteByte('}')
	return b.Bytes()
}

const billionLaughs = `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY a "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY xxe SYSTEM "file:///etc/passwd">]><samlp:Response><samlp:Status>&d;&d;&xxe;</samlp:Status></samlp:Response>`

const escapes = "2026-01-05 10:00:00 \x1b]0;owned\x07\x1b[2J\x1b[31mERROR\x1b[0m \u009b31m invalid_grant AADSTS53003\x08\x08\x08 \u202egnp.exe\u202c \x00\x01\x7f\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\ \x1bP1$r\x1b\\ \x9b2J redirect_uri=https://app.example/\x1b[1A\x1b[2Kcb\r\n"

// badInputs are all of them.
func badInputs() []bad {
	pbes2 := func(p2c string) func() []byte {
		return text(jwtHeader(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2s":"`+strings.Repeat("A", 64)+`","p2c":`+p2c+`}`) + ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA")
	}
	return []bad{
		{name: "empty.txt", data: text(""), commands: "explain lines token tokens keys"},
		{name: "blank.txt", data: repeat(" \r\n\t", 100000), commands: "explain lines token tokens keys"},
		{name: "nul.bin", data: repeat("\x00", 4*mib), commands: "explain lines token tokens keys"},
		{name: "noise.bin", data: func() []byte { return noise(4 * mib) }, commands: "explain lines token tokens keys"},
		{name: "large.log", data: repeat("2026-01-05T10:00:00Z INFO request took 12 ms path=/api/v1/items status=200\n", 100*mib/76), commands: "explain token keys", says: "MiB"},
		{name: "large-errors.log", data: repeat("2026-01-05T10:00:00Z ERROR token request: invalid_grant AADSTS53003 trace 3f2a1c6e\n", 20*mib/84)},
		{name: "large.json", data: around(`{"error":"invalid_grant","a":"`, "x", 100*mib, `"}`), commands: "explain lines token keys"},
		{name: "endless-line.log", data: repeat("error invalid_grant ", 60*mib/20), commands: "explain lines token tokens"},
		{name: "endless-word.log", data: repeat("a", 30*mib), commands: "explain lines token tokens"},
		{name: "endless-base64.log", data: repeat("eyJhbGciOiJub25lIn0", 32*mib/19), commands: "explain token"},
		{name: "endless-brackets.log", data: repeat("{", 60*mib), commands: "explain lines token keys"},
		{name: "endless-quotes.log", data: repeat(`"{\"`, 16*mib), commands: "explain token"},
		{name: "endless-names.log", data: repeat("client_secret=", 40*mib/14), commands: "explain token"},
		{name: "endless-percent.log", data: repeat("%25", 20*mib), commands: "explain token"},
		{name: "endless-keys.log", data: repeat("-----BEGIN PRIVATE KEY-----", 20*mib/27), commands: "explain token keys"},
		{name: "endless-urls.log", data: repeat("https://a:", 30*mib/10), commands: "explain token"},
		{name: "endless-angles.html", data: repeat("<div>", 8*mib), commands: "explain token"},
		{name: "endless-curl.txt", data: repeat("curl -H 'a: b' ", 4*mib), commands: "explain"},
		{name: "endless-headers.txt", data: around("HTTP/1.1 401 Unauthorized\r\n", "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", mib, ""), commands: "explain token"},
		{name: "endless-challenge.txt", data: around("WWW-Authenticate: Bearer ", `a="b", `, 4*mib, ""), commands: "explain"},
		{name: "endless-query.txt", data: around("https://app.example/cb?error=invalid_scope", "&a=b", 8*mib, ""), commands: "explain"},
		{name: "deep.json", data: repeat("[", 100000), commands: "explain lines token tokens keys"},
		{name: "deep-closed.json", data: func() []byte {
			return []byte(strings.Repeat("[", 100000) + strings.Repeat("]", 100000))
		}, commands: "explain lines token tokens keys"},
		{name: "deep-objects.json", data: func() []byte {
			return []byte(strings.Repeat(`{"a":`, 100000) + `1` + strings.Repeat("}", 100000))
		}, commands: "explain lines token tokens keys"},
		{name: "deep-strings.json", data: func() []byte {
			s := `{"error":"invalid_grant"}`
			for range 14 { // each level doubles the backslashes
				s = `{"message":"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"}`
			}
			return []byte(s)
		}, commands: "explain lines token"},
		{name: "deep-record.json", data: func() []byte {
			return []byte(`{"createdDateTime":"2026-01-05T10:00:00Z","appId":"3f2a1c6e-0d7b-4a55-9e1f-6b8d7c5e4f00","status":{"errorCode":53003},"appliedConditionalAccessPolicies":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`)
		}, commands: "explain lines"},
		{name: "deep-yaml.yaml", data: func() []byte {
			return []byte("a: " + strings.Repeat("[", 100000) + strings.Repeat("]", 100000))
		}},
		{name: "alias-bomb.yaml", data: func() []byte {
			s := "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
			for c := 'b'; c < 'k'; c++ {
				s += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
			}
			return []byte(s)
		}},
		{name: "members.json", data: func() []byte { return members(1_000_000) }, commands: "explain lines token keys"},
		{name: "array.json", data: around("[1", ",1", 20_000_000, "]"), commands: "explain lines token keys"},
		{name: "records.json", data: func() []byte {
			return append(append([]byte(`{"value":[`+errorJSON), bytes.Repeat([]byte(","+errorJSON), 200_000)...), "]}"...)
		}, commands: "explain"},
		{name: "duplicate.json", data: text(`{"error":"invalid_grant","error":"invalid_client","error_description":"a","error_description":"AADSTS7000215: Invalid client secret provided."}`), commands: "explain lines token keys"},
		{name: "duplicates.json", data: around(`{"error":"invalid_grant"`, `,"error":"invalid_client"`, 400_000, `}`), commands: "explain"},
		{name: "number.json", data: around(`{"error":"invalid_grant","exp":1`, "0", 4*mib, `}`), commands: "explain token"},
		{name: "exponent.json", data: text(`{"error":"invalid_grant","error_codes":[1e999999999, -1e999999999, 1E-999999999]}`), commands: "explain"},
		{name: "lone-surrogate.json", data: text(`{"error":"invalid_grant","error_description":"\ud800\udc00 \ud800 AADSTS53003 \u0000\u001b[2J"}`), commands: "explain lines"},
		{name: "truncated.har", data: func() []byte { h := har(20, "https://login.example/authorize", "x"); return h[:len(h)/2] }},
		{name: "truncated-start.har", data: func() []byte { h := har(20, "https://login.example/authorize", "x"); return h[len(h)/2:] }},
		{name: "slip.har", data: func() []byte {
			return har(2, `https://login.example/../../../../etc/passwd?error=access_denied`, `../../../../../../tmp/usher-slip`)
		}},
		{name: "many.har", data: func() []byte { return har(50_000, "https://login.example/token", "x") }, commands: "explain"},
		{name: "strange.har", data: text(`{"log":{"entries":[null,1,"x",[],{"request":null,"response":[]},{"request":{"url":7,"headers":{"a":"b"}},"response":{"status":"400","content":{"text":null,"encoding":"base64"}}},{"request":{"method":"POST","url":"::::","postData":{"text":5,"params":[null]}}}]}}`)},
		{name: "base64.har", data: func() []byte {
			return []byte(strings.Replace(string(har(1, "https://login.example/token", "x")), `"_file":"x"`, `"encoding":"base64"`, 1))
		}},
		{name: "dots.jwt", data: around("eyJhbGciOiJub25lIn0", ".", 1_000_000, ""), commands: "explain lines token tokens"},
		{name: "dotted.jwt", data: repeat("eyJhbGciOiJub25lIn0.", 1_000_000), commands: "explain lines token tokens"},
		{name: "large.jwt", data: func() []byte {
			return []byte(jwtHeader(`{"alg":"RS256"}`) + "." + jwtHeader(`{"iss":"`+strings.Repeat("a", 20*mib)+`"}`) + ".AAAA")
		}, commands: "explain token"},
		{name: "deep.jwt", data: func() []byte {
			return []byte(jwtHeader(`{"alg":"RS256"}`) + "." + jwtHeader(`{"a":`+strings.Repeat("[", 100000)+strings.Repeat("]", 100000)+`}`) + ".AAAA")
		}, commands: "explain token tokens"},
		{name: "escapes.jwt", data: func() []byte {
			return []byte(jwtHeader(`{"alg":"RS256\u001b[2J","kid":"\u001b]0;owned\u0007","typ":"\u009b31m"}`) + "." + jwtHeader(`{"iss":"\u001b[31mhttps://evil","sub":"\r\n\u202e","aud":["\u0000","\u0008"],"exp":1e400,"\u001b[2J":"x"}`) + ".AAAA")
		}, commands: "explain token tokens"},
		{name: "nested.jwt", data: func() []byte {
			s := `{"iss":"x"}`
			for range 12 {
				s = jwtHeader(`{"alg":"none","cty":"JWT"}`) + "." + jwtHeader(s) + "."
			}
			return []byte(s)
		}, commands: "explain token"},
		{name: "pbes2.jwe", data: pbes2("2147483647"), commands: "explain lines token tokens"},
		{name: "pbes2-huge.jwe", data: pbes2("1" + strings.Repeat("0", 300)), commands: "explain token"},
		{name: "zip-bomb.jwe", data: func() []byte {
			return []byte(jwtHeader(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`) + ".." + jwtHeader("123456789012") + "." + base64.RawURLEncoding.EncodeToString(gzipped(make([]byte, 32*mib))) + ".AAAAAAAAAAAAAAAAAAAAAA")
		}, commands: "explain token"},
		{name: "huge-key.json", data: func() []byte {
			return []byte(`{"keys":[{"kty":"RSA","kid":"a","e":"AQAB","n":"` + strings.Repeat("_", mib) + `"}]}`)
		}, commands: "explain keys"},
		{name: "many-keys.json", data: func() []byte {
			k := `{"kty":"RSA","kid":"a","e":"AQAB","n":"` + strings.Repeat("_", 342) + `"}`
			return []byte(`{"keys":[` + k + strings.Repeat(","+k, 50_000) + `]}`)
		}, commands: "explain keys"},
		{name: "escapes.log", data: text(escapes), commands: "explain lines token tokens", answered: true},
		{name: "escapes.json", data: text(`{"error":"invalid_grant\u001b[2J","error_description":"AADSTS53003: \u001b]0;owned\u0007 \u009b31m \u202e blocked \u0000","client_id":"\u001b[1A"}`), commands: "explain lines", answered: true},
		{name: "escapes-many.log", data: repeat("\x1b[31m\x1b]0;x\x07", mib), commands: "explain lines token"},
		{name: "escape-open.log", data: around("AADSTS53003 ", "\x1b]0;", 4*mib, ""), commands: "explain token"},
		{name: "utf16le.json", data: func() []byte { return encodeUTF16(errorJSON, false, true) }, commands: "explain", says: "UTF-16", answered: true},
		{name: "utf16be.json", data: func() []byte { return encodeUTF16(errorJSON, true, true) }, commands: "explain", says: "UTF-16", answered: true},
		{name: "utf16-unmarked.json", data: func() []byte { return encodeUTF16(errorJSON, false, false) }, commands: "explain", says: "UTF-16", answered: true},
		{name: "utf16-odd.json", data: func() []byte { return append(encodeUTF16(errorJSON, false, true), 'x') }, commands: "explain", answered: true},
		{name: "utf16-rows.json", data: func() []byte { return encodeUTF16(errorJSON+"\r\n"+errorJSON+"\r\n", false, true) }, commands: "lines", says: "policy-blocked", rows: 2},
		{name: "utf16-large.log", data: func() []byte { return encodeUTF16(strings.Repeat("error AADSTS53003 was seen\r\n", mib), false, true) }, commands: "explain"},
		{name: "utf16-lone.txt", data: func() []byte { return append([]byte{0xff, 0xfe}, bytes.Repeat([]byte{0x00, 0xd8}, mib)...) }, commands: "explain token"},
		{name: "bom.json", data: text("\ufeff" + errorJSON), commands: "explain lines", answered: true},
		{name: "boms.json", data: text("\ufeff\ufeff" + errorJSON), commands: "explain lines"},
		{name: "crlf.json", data: text(strings.ReplaceAll(errorJSON, ",", ",\r\n") + "\r\n"), commands: "explain", answered: true},
		{name: "cr.log", data: text("first\rsecond invalid_grant AADSTS53003\rthird"), commands: "explain", answered: true},
		{name: "latin1.log", data: text("Zugriff verweigert f\xfcr M\xfcller: AADSTS53003 invalid_grant"), commands: "explain", answered: true},
		{name: "bad-utf8.log", data: repeat("\xc3\x28\xf0\x9f\x92\xed\xa0\x80\xff AADSTS53003 ", mib/4), commands: "explain lines token"},
		{name: "laughs.xml", data: text(billionLaughs)},
		{name: "entities.html", data: around("<html><title>Sign in</title><p>AADSTS53003 ", "&amp;#x26;", 2*mib, "</p></html>"), commands: "explain"},
		{name: "deep.html", data: repeat("<div><table><b>", mib/2), commands: "explain"},
		{name: "attributes.html", data: around("<html><body ", `a="b" `, 4*mib, "></body></html>"), commands: "explain"},
		{name: "plain.zip", data: func() []byte { return zipped("error.json") }, says: "ZIP"},
		{name: "slip.zip", data: func() []byte { return zipped("../../../../tmp/usher-slip.json") }, says: "ZIP"},
		{name: "error.json.gz", data: func() []byte { return gzipped([]byte(errorJSON)) }, commands: "explain lines token keys", says: "gzip"},
		{name: "bomb.gz", data: func() []byte { return gzipped(make([]byte, 64*mib)) }, says: "gzip"},
		{name: "screen.png", data: picture, commands: "explain lines token keys", says: "PNG"},
		{name: "rows.jsonl", data: around("", `{"id":1,"evidence":"AADSTS53003"}`+"\n", 5_000, ""), commands: "lines", rows: 5_000},
		{name: "huge-row.jsonl", data: around(`{"id":1,"evidence":"`, "x", 20*mib, `"}`+"\n"), commands: "lines tokens", says: ":1"},
		{name: "large-row.jsonl", data: around(`{"id":1,"evidence":"`, "invalid_grant ", 15*mib/14, `"}`+"\n"), commands: "lines tokens"},
		{name: "odd-rows.jsonl", data: text("null\n[]\n{}\n{\"evidence\":null}\n{\"evidence\":[[[]]]}\n{\"id\":{\"a\":[]},\"evidence\":7}\n{\"evidence\":\"\"}\n\"\n\x00\n{\"evidence\":\"invalid_grant\",\"context\":[1,{}]}\nnot json\n{\"id\":\"\x1b[2J\",\"evidence\":\"\x1b[2J\"}\n"), commands: "lines tokens", rows: 12},
		{name: "empty-row.jsonl", data: text(`{"id":"a","evidence":""}` + "\n" + `{"id":"b","evidence":"AADSTS53003"}` + "\n"), commands: "lines", says: `"id":"b"`, rows: 2},
	}
}

// commandLines are the ways to give a file to the program.
func commandLines(in bad, path string) map[string][]string {
	all := map[string][]string{
		"explain": {"explain", path},
		"lines":   {"explain", "--each-line", path},
		"token":   {"token", path},
		"tokens":  {"token", "--each-line", path},
		"keys":    {"token", "--keys", path, "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.AAAA"},
	}
	commands := in.commands
	if commands == "" {
		commands = "explain token"
	}
	out := map[string][]string{}
	for _, c := range strings.Fields(commands) {
		out[c] = all[c]
	}
	return out
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	for _, in := range badInputs() {
		path := filepath.Join(dir, in.name)
		if err := os.WriteFile(path, in.data(), 0o600); err != nil {
			t.Fatal(err)
		}
		for command, args := range commandLines(in, path) {
			t.Run(in.name+"/"+command, func(t *testing.T) {
				r := usher(t, nil, args...)
				judge(t, r)
				if !strings.Contains(r.output(), in.name) && command != "keys" && command != "token" && command != "tokens" {
					t.Errorf("the output does not name %s:\n%.600s", in.name, r.output())
				}
				if in.says != "" && (command == "explain" || command == "lines") && !strings.Contains(r.output(), in.says) {
					t.Errorf("the output does not say %q:\n%.600s", in.says, r.output())
				}
				if in.answered && command == "explain" && r.status != 0 {
					t.Errorf("exit status %d, want an answer:\n%.600s", r.status, r.output())
				}
				if in.rows > 0 && command != "explain" && strings.Count(r.stdout, "\n") != in.rows {
					t.Errorf("%d answers for %d rows:\n%.600s", strings.Count(r.stdout, "\n"), in.rows, r.output())
				}
				if r.status == 3 && !strings.HasPrefix(r.stderr, "usher: error: ") {
					t.Errorf("status 3 without one clear error: %.300q", r.stderr)
				}
			})
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat("/tmp/usher-slip"); err == nil {
		t.Error("a name in a HAR was written to")
	}
}

// judge holds one run to what is promised of all of them.
func judge(t *testing.T, r result) {
	t.Helper()
	t.Logf("status %d, %d ms (%d ms of processor), %d MB, %d bytes out", r.status, r.wall.Milliseconds(), r.cpu.Milliseconds(), r.memory/mib, len(r.stdout))
	// Processor time, so that a busy machine fails nothing; a process that
	// waits for ever is killed in usher.
	if r.cpu > deadline {
		t.Errorf("took %v of processor, more than %v", r.cpu.Round(time.Millisecond), deadline)
	}
	if r.memory > memoryLimit {
		t.Errorf("took %d MB, more than %d", r.memory/mib, memoryLimit/mib)
	}
	switch r.status {
	case 0, 2, 3:
	case 1: // token: something is wrong with it
	default:
		t.Errorf("exit status %d", r.status)
	}
	if r.output() == "" && r.status != 0 {
		t.Error("not a word was said")
	}
	for _, word := range []string{"panic", "goroutine ", "runtime error", "fatal error"} {
		if strings.Contains(r.output(), word) {
			t.Errorf("the output has %q:\n%.2000s", word, r.output())
		}
	}
	if c, ok := control(r.output()); ok {
		t.Errorf("the output holds the control character %q", c)
	}
	if len(r.stderr) > 4096 && strings.Count(r.stderr, "\n") < 3 {
		t.Errorf("one error of %d bytes", len(r.stderr))
	}
}

// control finds what acts on a terminal.
func control(s string) (string, bool) {
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && size == 1, c < 0x20 && c != '\n' && c != '\t', c >= 0x7f && c < 0xa0,
			c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069, c == 0x2028, c == 0x2029:
			return s[max(0, i-20):min(len(s), i+20)], true
		}
		i += size
	}
	return "", false
}

// TestControlIsFound: the search for control characters finds them.
func TestControlIsFound(t *testing.T) {
	for _, s := range []string{"a\x1b[2J", "\x00", "\x7f", "\u009b", "\x9b", "\u202e", "\r"} {
		if _, found := control("x" + s); !found {
			t.Errorf("%q was not found", s)
		}
	}
	if got, found := control("plain\ttext\nwith ümlaut │ 日本"); found {
		t.Errorf("%q is harmless", got)
	}
}

// TestStreams gives the same trouble on standard input.
func TestStreams(t *testing.T) {
	for _, c := range []struct {
		name  string
		stdin func() io.Reader
		args  []string
		says  string
	}{
		{"endless zeros", func() io.Reader { return forever("\x00") }, []string{"explain", "-"}, "128 MiB"},
		{"endless text", func() io.Reader { return forever("error invalid_grant\n") }, []string{"explain", "-"}, "128 MiB"},
		{"endless zeros as token", func() io.Reader { return forever("\x00") }, []string{"token", "-"}, "16 MiB"},
		{"endless row", func() io.Reader { return forever("x") }, []string{"explain", "--each-line"}, "stdin:1"},
		{"endless token row", func() io.Reader { return forever("x") }, []string{"token", "--each-line", "-"}, "stdin:1"},
		{"nothing", func() io.Reader { return strings.NewReader("") }, []string{"explain"}, "stdin"},
		{"no token", func() io.Reader { return strings.NewReader("") }, []string{"token"}, "standard input"},
		{"large", func() io.Reader { return io.LimitReader(forever("INFO nothing happened\n"), 100*mib) }, []string{"explain", "-"}, "stdin"},
		{"error", func() io.Reader { return strings.NewReader(errorJSON) }, []string{"explain"}, "stdin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := usher(t, c.stdin(), c.args...)
			judge(t, r)
			if !strings.Contains(r.output(), c.says) {
				t.Errorf("the output does not say %q:\n%.500s", c.says, r.output())
			}
		})
	}
}

// forever repeats a text without end.
func forever(s string) io.Reader { return &repeater{block: bytes.Repeat([]byte(s), 1+(64<<10)/len(s))} }

type repeater struct {
	block []byte
	at    int
}

func (r *repeater) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// TestOddFiles: what is no plain file.
func TestOddFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(at("folder"), 0o700))
	must(os.WriteFile(at("locked.json"), []byte(errorJSON), 0o000))
	must(os.WriteFile(at("error.json"), []byte(errorJSON), 0o600))
	must(os.Symlink(at("loop"), at("loop")))
	must(os.Symlink(at("nowhere"), at("dangling")))
	must(os.Symlink(at("error.json"), at("link.json")))
	must(syscall.Mkfifo(at("fifo"), 0o600))
	must(os.WriteFile(at("new\nline\x1b[2J.json"), []byte(errorJSON), 0o600))
	var many []string
	for i := range 200 {
		name := at(fmt.Sprintf("part%d.json", i))
		must(os.WriteFile(name, []byte(errorJSON), 0o600))
		many = append(many, name)
	}
	locked := 3
	if os.Geteuid() == 0 { // root may read everything
		locked = 0
	}
	long := strings.Repeat("n", 5000)
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   string
		fifo   string
	}{
		{"folder", []string{"explain", at("folder")}, 3, "folder", ""},
		{"folder of rows", []string{"explain", "--each-line", at("folder")}, 3, "folder", ""},
		{"folder as token", []string{"token", at("folder")}, 3, "folder", ""},
		{"folder of tokens", []string{"token", "--each-line", at("folder")}, 3, "folder", ""},
		{"folder as keys", []string{"token", "--keys", at("folder"), "x.y.z"}, 3, "folder", ""},
		{"locked", []string{"explain", at("locked.json")}, locked, "locked.json", ""},
		{"locked rows", []string{"explain", "--each-line", at("locked.json")}, locked, "locked.json", ""},
		{"loop", []string{"explain", at("loop")}, 3, "loop", ""},
		{"loop as token", []string{"token", at("loop")}, 3, "", ""},
		{"dangling", []string{"explain", at("dangling")}, 3, "dangling", ""},
		{"link", []string{"explain", at("link.json")}, 0, "link.json", ""},
		{"fifo", []string{"explain", at("fifo")}, 0, "fifo", errorJSON},
		{"fifo of rows", []string{"explain", "--each-line", at("fifo")}, 0, "fifo", errorJSON + "\n"},
		{"empty fifo", []string{"explain", at("fifo")}, 3, "fifo", "\n"},
		{"/dev/zero", []string{"explain", "/dev/zero"}, 3, "/dev/zero", ""},
		{"/dev/zero as token", []string{"token", "/dev/zero"}, 3, "/dev/zero", ""},
		{"/dev/zero as rows", []string{"explain", "--each-line", "/dev/zero"}, 3, "/dev/zero", ""},
		{"/dev/zero as token rows", []string{"token", "--each-line", "/dev/zero"}, 3, "/dev/zero", ""},
		{"/dev/zero as keys", []string{"token", "--keys", "/dev/zero", "x.y.z"}, 3, "/dev/zero", ""},
		{"/dev/zero as expectations", []string{"token", "--expect", "/dev/zero", "x.y.z"}, 3, "/dev/zero", ""},
		{"/dev/null", []string{"explain", "/dev/null"}, 3, "/dev/null", ""},
		{"/dev/full", []string{"explain", "/proc/self/mem"}, 3, "/proc/self/mem", ""},
		{"missing", []string{"explain", at("missing.json")}, 3, "missing.json", ""},
		{"long name", []string{"explain", long}, 3, "", ""},
		{"escapes in a name", []string{"explain", at("new\nline\x1b[2J.json")}, 0, "line", ""},
		{"escapes in a missing name", []string{"explain", at("gone\x1b[2J\x07.json")}, 3, "gone", ""},
		{"escapes in a missing key file", []string{"token", "--keys", at("gone\x1b[2J\x07.json"), "x.y.z"}, 3, "gone", ""},
		{"escapes in a flag", []string{"explain", "--now", "\x1b[2J", at("error.json")}, 3, "--now", ""},
		{"escapes in an unknown flag", []string{"explain", "--\x1b[2J", at("error.json")}, 3, "", ""},
		{"escapes in a format", []string{"explain", "--format", "\x1b[2J", at("error.json")}, 3, "", ""},
		{"escapes in an argument", []string{"explain", "invalid_grant \x1b[2J AADSTS53003"}, 0, "AADSTS53003", ""},
		{"two hundred files", append([]string{"explain"}, many...), 0, "part0.json", ""},
		{"two hundred files of rows", append([]string{"explain", "--each-line"}, many...), 0, "part199.json", ""},
		{"good beside bad", []string{"explain", at("error.json"), "/dev/null"}, 0, "/dev/null", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.fifo != "" {
				go func() {
					f, err := os.OpenFile(at("fifo"), os.O_WRONLY, 0)
					if err == nil {
						_, _ = f.WriteString(c.fifo)
						_ = f.Close()
					}
				}()
			}
			r := usher(t, nil, c.args...)
			judge(t, r)
			if r.status != c.status {
				t.Errorf("exit status %d, want %d:\n%.500s", r.status, c.status, r.output())
			}
			if !strings.Contains(r.output(), c.says) {
				t.Errorf("the output does not say %q:\n%.500s", c.says, r.output())
			}
		})
	}
}

// TestFormatsOfBadInput: every format of the answer keeps quiet, not only text.
func TestFormatsOfBadInput(t *testing.T) {
	path := write(t, "escapes.log", []byte(escapes))
	for _, format := range []string{"text", "markdown", "html", "json"} {
		t.Run(format, func(t *testing.T) { judge(t, usher(t, nil, "explain", "--format", format, path)) })
	}
	claims := write(t, "escapes.jwt", []byte(jwtHeader(`{"alg":"RS256","kid":"\u001b]0;owned\u0007"}`)+"."+jwtHeader(`{"iss":"\u001b[31mhttps://evil","a\u001b[2J":["\u009b"]}`)+".AAAA"))
	for _, format := range []string{"text", "json"} {
		t.Run("token "+format, func(t *testing.T) { judge(t, usher(t, nil, "token", "--show-claims", "--format", format, claims)) })
	}
	for _, format := range []string{"text", "markdown", "html", "json"} {
		t.Run("claims "+format, func(t *testing.T) { judge(t, usher(t, nil, "explain", "--show-claims", "--format", format, claims)) })
	}
}
