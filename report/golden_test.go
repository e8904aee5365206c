package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"usher"
	"usher/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// formats are the renderers that every sample goes through.
var formats = []struct {
	ext   string
	write func(*bytes.Buffer, *usher.Answer) error
}{
	{"txt", func(b *bytes.Buffer, a *usher.Answer) error { return report.Text(b, a, report.TextOptions{}) }},
	{"md", func(b *bytes.Buffer, a *usher.Answer) error { return report.Markdown(b, a) }},
	{"html", func(b *bytes.Buffer, a *usher.Answer) error { return report.HTML(b, a) }},
	{"json", func(b *bytes.Buffer, a *usher.Answer) error { return report.JSON(b, a) }},
}

func TestGolden(t *testing.T) {
	for _, s := range samples() {
		for _, f := range formats {
			t.Run(s.name+"."+f.ext, func(t *testing.T) {
				var b bytes.Buffer
				if err := f.write(&b, &s.answer); err != nil {
					t.Fatal(err)
				}
				golden(t, s.name+"."+f.ext+".golden", b.Bytes())
			})
		}
	}
}

func TestGoldenColorAndWidth(t *testing.T) {
	for name, opt := range map[string]report.TextOptions{
		"color.txt.golden":  {Color: true},
		"narrow.txt.golden": {Width: 44},
	} {
		var b bytes.Buffer
		a := blocked()
		if err := report.Text(&b, &a, opt); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

func TestGoldenLines(t *testing.T) {
	var lines bytes.Buffer
	for i, s := range samples() {
		s.answer.ID = i
		if err := report.JSONLine(&lines, &s.answer); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := bytes.Count(lines.Bytes(), []byte("\n")), len(samples()); got != want {
		t.Errorf("%d answers gave %d lines of JSON", want, got)
	}
	golden(t, "lines.jsonl.golden", lines.Bytes())
}

// golden compares with a file of testdata, or renews it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v\nrun: go test ./report -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is right, run: go test ./report -update\n%s", path, firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := 0; i < len(g) || i < len(w); i++ {
		var a, b []byte
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if !bytes.Equal(a, b) {
			return "got:  " + string(a) + "\nwant: " + string(b)
		}
	}
	return ""
}
