package diagnose_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"usher"
)

// unrelated are messages of other software; %d and %s are filled at random.
var unrelated = []string{
	"dial tcp 10.0.%d.7:5432: connect: connection refused", "ERROR: relation \"orders_%d\" does not exist at character %d", "order %d was shipped on 2026-03-%02d",
	"listening on 0.0.0.0:%d", "panic: runtime error: index out of range [%d] with length %d", "java.lang.OutOfMemoryError: Java heap space at line %d", "npm ERR! code ELIFECYCLE errno %d",
	"make: *** [Makefile:%d: all] Error 2", "ORA-%05d: unique constraint violated", "MySQL error 1045 (28000): something %d", "segmentation fault (core dumped) at 0x%x", "Disk quota exceeded on /dev/sda%d",
	"KeyError: 'price' at row %d", "HTTP/1.1 404 Not Found /images/%d.png", "GET /products/%d 200 53003 bytes", "port 53003 is in use by process %d", "invoice no. 50011 of %d", "ticket #%d: the printer is on fire",
	"2026-01-%02d 12:00:00 INFO started in %d ms", "ETA %d minutes, %d files left", "redis: nil, key user:%d", "kafka: partition %d has no leader", "docker: Error response from daemon: Conflict %d", "git: fatal: refusing to merge unrelated histories %d",
	"TypeError: undefined is not a function (line %d)", "SQLSTATE[23000]: Integrity constraint violation: %d", "curl: (6) Could not resolve host: cdn%d.example", "E1001: gearbox temperature %d", "the meeting is moved to room %d", "temperature is %d degrees",
	"cannot open shared object file: No such file or directory (%d)", "Traceback (most recent call last): ZeroDivisionError at %d", "warning: unused variable `x` at %d:%d", "webpack compiled with %d warnings", "kernel: usb %d-1: device descriptor read/64, error -71",
	"HTTP 500 from the thumbnail service, job %d", "x509: certificate has expired for mail%d.example", "Too many requests to the weather service, %d", "queue depth %d over the limit", "backup %d finished with 0 errors", "Error 53003 in module display, line %d",
	"phone +49 53003 %d", "the train 50126 leaves at %02d:15", "error code %d", "exit status %d", "status: 401 pieces in stock, %d sold", "Unhandled exception 0x%08x", "lp0 on fire %d", "no space left on device (%d)", "EXT4-fs error (device sda%d)",
}

// TestUnrelatedTexts: of 500 texts that have nothing to do with sign-ins, none
// gets a confident answer.
func TestUnrelatedTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 3003))
	for i := range 500 {
		template := unrelated[i%len(unrelated)]
		var args []any
		for range countVerbs(template) {
			args = append(args, 1+r.IntN(28))
		}
		text := fmt.Sprintf(template, args...)
		a := explainText(t, text)
		if c := firstCause(a); c != "" && a.Findings[0].Confidence >= usher.Confident {
			t.Errorf("%q: %s with %.2f", text, c, a.Findings[0].Confidence)
		}
	}
}

func countVerbs(template string) (n int) {
	for i := 0; i+1 < len(template); i++ {
		if template[i] == '%' && template[i+1] != '%' {
			n++
		}
	}
	return n
}

// TestMadeUpCodes: of 1,000 codes that no provider gives, none gets a
// confident answer.
func TestMadeUpCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	forms := []string{"AADSTS%d: something went wrong", "error code %d", "E%07d", "IDX%d: odd", "error=error_%d", `{"error":"e%d","error_description":"code %d"}`, "Error Code: %d", `{"errorCode":"E9%06d"}`, "AADSTS%d", "OKTA-%d"}
	for i := range 1000 {
		form := forms[i%len(forms)]
		number := 7_700_000 + r.IntN(90_000)
		args := []any{number}
		if countVerbs(form) == 2 {
			args = append(args, number)
		}
		text := fmt.Sprintf(form, args...)
		a := explainText(t, text)
		if c := firstCause(a); c != "" && a.Findings[0].Confidence >= usher.Confident {
			t.Errorf("%q: %s with %.2f", text, c, a.Findings[0].Confidence)
		}
	}
}
