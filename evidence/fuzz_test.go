package evidence_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"usher/evidence"
)

// holds checks what is true of every answer: places lie within the input,
// texts are valid and free of control characters, summaries are one line and
// show no credential, and the time is bounded.
func holds(t *testing.T, data []byte) {
	started := time.Now()
	set, err := evidence.Read([]evidence.Input{{Name: "f", Data: data}})
	if took := time.Since(started); took > 20*time.Second {
		t.Fatalf("took %v for %d bytes", took, len(data))
	}
	if err != nil {
		if !strings.Contains(err.Error(), "f") {
			t.Fatalf("error %q does not name the place", err)
		}
		return
	}
	most := 1 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r")
	for _, it := range set.Items {
		if it.Line < 1 || it.Line > most {
			t.Fatalf("item %q at line %d of %d", it.Kind, it.Line, most)
		}
		if !strings.HasPrefix(it.Place, "f") {
			t.Fatalf("place %q is outside the input", it.Place)
		}
		if !utf8.ValidString(it.Text) || strings.ContainsAny(it.Text, "\x00\x1b\x07\x7f") {
			t.Fatalf("text %q is not clean", it.Text)
		}
		if strings.ContainsAny(it.Summary, "\n\x1b") || !utf8.ValidString(it.Summary) {
			t.Fatalf("summary %q is not one clean line", it.Summary)
		}
		for _, s := range set.Secrets {
			if v := s.Reveal(); len(v) >= 24 && strings.Contains(it.Summary, v) {
				t.Fatalf("summary %q shows a secret", it.Summary)
			}
		}
		for _, f := range it.Facts {
			if !listed(f.Key) {
				t.Fatalf("the fact %q is not in FactKeys", f.Key)
			}
			if f.Value != strings.ToLower(f.Value) {
				t.Fatalf("fact %+v is not in lower case", f)
			}
		}
	}
}

func listed(key string) bool {
	for _, k := range evidence.FactKeys {
		if k.Key == key {
			return true
		}
	}
	return false
}

// Every test file keeps the promises of the fuzz targets.
func TestFilesHold(t *testing.T) {
	_ = filepath.WalkDir("testdata", func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, "fuzz") {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(d.Name(), func(t *testing.T) { holds(t, data) })
		}
		return nil
	})
}

// seed adds the test files that a reader of these names is for, and texts.
func seed(f *testing.F, pattern string, texts ...string) {
	f.Helper()
	files, _ := filepath.Glob(filepath.Join("testdata", pattern))
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil && len(data) < 8<<10 {
			f.Add(data)
		}
	}
	for _, s := range texts {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { holds(t, data) })
}

func FuzzRead(f *testing.F) {
	seed(f, "*.txt", errorText, "\xff\xfea\x00b\x00", "\x1b[31mAADSTS53003", "eyJhbGciOiJub25lIn0.e30.", "https://a.example/#error=x&state=%zz", `WWW-Authenticate: Bearer error="x`)
}

func FuzzHAR(f *testing.F) { seed(f, "*.har") }

func FuzzErrorJSON(f *testing.F) {
	seed(f, "none", `{"error":"invalid_grant","error_codes":[53003],"claims":"{\"access_token\":{\"capolids\":{\"values\":[\"a\"]}}}"}`, `{'error': {'code': 401, 'message': u'x',},}`,
		`[{"errorCode":"E0000004"}]`, `log {\"error\":\"x\"}`, "{\u201cerror\u201d:\u201cx\u201d", `{"error":"{\"error\":\"x\"}"}`)
}

func FuzzPage(f *testing.F) { seed(f, "*.html") }

func FuzzRecord(f *testing.F) {
	seed(f, "made-entra-53003/m365*", `type="LOGIN_ERROR", realmId="a", error="x", username="b, error=c"`, `{"category":"SignInLogs","properties":{"status":{"errorCode":53003},"appliedConditionalAccessPolicies":"[{\"result\":\"failure\",\"conditionsSatisfied\":11}]"}}`,
		`{"eventType":"a.b","outcome":{"result":"FAILURE"},"uuid":"x"}`, `{"type":"f","date":"2026-08-03","client_id":"a","ip":"::1"}`, `{"id":{"applicationName":"login"},"events":[{"name":"login_failure"}]}`,
		"Request ID,Correlation ID,Failure reason,Application,Status\nx,y,\"z\n,b,c,d", `{"eventSource":"cognito-idp.amazonaws.com","eventName":"InitiateAuth","errorCode":"x"}`)
}

func FuzzRegistration(f *testing.F) { seed(f, "*.json") }

func FuzzExchange(f *testing.F) {
	seed(f, "*.txt", "curl -u a:b https://a.example/token -d 'grant_type=x", "GET / HTTP/1.1\nAuthorization: Basic !!\n\nHTTP/1.1 401 x\nWWW-Authenticate: Bearer", "< HTTP/1.1 401\n< www-authenticate: DPoP")
}

func FuzzKeys(f *testing.F) {
	seed(f, "none", `{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB","d":"x"}]}`, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", `{"issuer":"x","token_endpoint":1}`)
}
