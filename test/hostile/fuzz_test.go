package hostile_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"usher/diagnose"
	"usher/evidence"
	"usher/report"
)

// FuzzExplain gives anything to the readers and on to every format. Nothing
// panics, the JSON is JSON, and nothing in the text acts on a terminal.
func FuzzExplain(f *testing.F) {
	for i, s := range specimens() {
		f.Add(s.inputs(newPlants(uint64(i)))[0].Data)
	}
	for _, data := range [][]byte{
		[]byte(escapes), []byte(billionLaughs), []byte(errorJSON), encodeUTF16(errorJSON, true, true),
		har(2, "https://login.example/authorize?error=access_denied", "../x"), []byte("curl -u a:b https://login.example/token"),
	} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := evidence.Read([]evidence.Input{{Name: "fuzzed", Data: data}})
		if err != nil {
			return
		}
		a := diagnose.Explain(set, diagnose.Options{ShowClaims: true})
		var b bytes.Buffer
		if err := report.Text(&b, &a, report.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if c, found := control(b.String()); found {
			t.Errorf("the text holds the control character %q", c)
		}
		b.Reset()
		if err := report.JSONLine(&b, &a); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b.Bytes()) || !utf8.Valid(b.Bytes()) || bytes.Count(b.Bytes(), []byte("\n")) != 1 {
			t.Errorf("this is no line of JSON: %q", b.Bytes())
		}
		if err := report.Markdown(&b, &a); err != nil {
			t.Fatal(err)
		}
		if err := report.HTML(&b, &a); err != nil {
			t.Fatal(err)
		}
	})
}
