package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDocs runs the commands of the pages' console blocks in the root of the
// repository: each line that a page shows must stand in the output, in this
// order. "..." leaves lines out. The figure of the confidence may differ.
func TestDocs(t *testing.T) {
	for _, page := range []string{"README.md", "docs/guide.md", "docs/evidence.md"} {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Chdir(filepath.Join("..", ".."))
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			blocks := regexp.MustCompile("(?ms)^```console\n\\$ usher (.*?)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
			if len(blocks) == 0 {
				t.Fatal("no console block")
			}
			for _, b := range blocks {
				checkShown(t, b[1], b[2])
			}
		})
	}
}

func checkShown(t *testing.T, command, shown string) {
	t.Helper()
	var out, errOut bytes.Buffer
	env := &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errOut, Now: time.Now, Piped: true}
	run(strings.Fields(command), env)
	if errOut.Len() > 0 {
		t.Errorf("$ usher %s: %s", command, errOut.String())
	}
	figure := regexp.MustCompile(`\(\d\.\d\d\)`)
	plain := func(s string) string { return figure.ReplaceAllString(s, "(0.nn)") }
	rest := strings.Split(plain(out.String()), "\n")
	for _, chunk := range strings.Split("\n"+plain(shown), "\n...") {
		chunk = strings.Trim(chunk, "\n")
		if chunk == "" {
			continue
		}
		lines := strings.Split(chunk, "\n")
		at := indexLines(rest, lines)
		if at < 0 {
			t.Errorf("$ usher %s\ndoes not say, or not in this order:\n%s", command, chunk)
			return
		}
		rest = rest[at+len(lines):]
	}
}

// indexLines finds lines as a run in text.
func indexLines(text, lines []string) int {
	for i := 0; i+len(lines) <= len(text); i++ {
		same := true
		for j := range lines {
			if strings.TrimRight(text[i+j], " ") != lines[j] {
				same = false
				break
			}
		}
		if same {
			return i
		}
	}
	return -1
}
