package usher_test

import (
	"bufio"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// outside are the folders that are no rooms: proofs, examples and tools.
var outside = []string{"test", "examples", "tools", "docs", "bin"}

type room struct {
	floor    int
	sentence string
}

// TestRooms holds the code to the table in ARCHITECTURE.md: every package has a
// row, opens its comment with the row's sentence, and imports only downwards.
func TestRooms(t *testing.T) {
	rooms := readRooms(t)
	for dir, files := range goPackages(t) {
		name := roomOf(dir)
		r, ok := rooms[name]
		if !ok {
			t.Errorf("%s: the room %q has no row in ARCHITECTURE.md", dir, name)
			continue
		}
		checkComment(t, dir, name, r, files)
		checkImports(t, dir, name, rooms, files)
	}
	for name := range rooms {
		if name != "usher" && !exists(name) {
			t.Errorf("ARCHITECTURE.md has a row for %q, which is not built; list it under the rooms to come", name)
		}
	}
}

func exists(dir string) bool {
	_, err := os.Stat(filepath.FromSlash(dir))
	return err == nil
}

// readRooms reads the table under the heading "## The rooms".
func readRooms(t *testing.T) map[string]room {
	t.Helper()
	f, err := os.Open("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rooms := map[string]room{}
	in := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "## ") {
			in = line == "## The rooms"
		}
		cells := strings.Split(line, "|")
		if !in || len(cells) != 5 {
			continue
		}
		floor, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		name := strings.Trim(strings.TrimSpace(cells[2]), "`")
		rooms[name] = room{floor, strings.TrimSpace(cells[3])}
	}
	if len(rooms) < 5 {
		t.Fatalf("only %d rows found in ARCHITECTURE.md", len(rooms))
	}
	return rooms
}

func goPackages(t *testing.T) map[string][]string {
	t.Helper()
	packages := map[string][]string{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			if p != "." && (strings.HasPrefix(base, ".") || base == "testdata") {
				return filepath.SkipDir
			}
			for _, o := range outside {
				if p == o {
					return filepath.SkipDir
				}
			}
			return nil
		}
		if strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") {
			dir := filepath.ToSlash(filepath.Dir(p))
			packages[dir] = append(packages[dir], p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// roomOf gives the room of a folder: the first folder of its path. What lies
// below belongs to the room; commands are rooms of their own.
func roomOf(dir string) string {
	switch {
	case dir == ".":
		return "usher"
	case strings.HasPrefix(dir, "cmd/"):
		return dir
	}
	top, _, _ := strings.Cut(dir, "/")
	return top
}

func checkComment(t *testing.T, dir, name string, r room, files []string) {
	t.Helper()
	if dir != name && dir != "." || strings.HasPrefix(name, "cmd/") {
		return // a part of a room, or a command, speaks for itself
	}
	want := "Package " + name + " " + r.sentence
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc != nil && strings.HasPrefix(strings.Join(strings.Fields(f.Doc.Text()), " "), want) {
			return
		}
	}
	t.Errorf("%s: no package comment opens with %q", dir, want)
}

func checkImports(t *testing.T, dir, name string, rooms map[string]room, files []string) {
	t.Helper()
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if imported != "usher" && !strings.HasPrefix(imported, "usher/") {
				continue
			}
			other := roomOf(path.Clean("./" + strings.TrimPrefix(strings.TrimPrefix(imported, "usher"), "/")))
			if other == name {
				continue
			}
			if to, ok := rooms[other]; !ok || to.floor >= rooms[name].floor && other != "usher" {
				t.Errorf("%s imports %s, which does not lie below it", file, imported)
			}
		}
	}
}
