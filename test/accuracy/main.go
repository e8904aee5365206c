// Command accuracy measures how often usher names the right cause of labelled
// failures: strict, acceptable, in the first three, answered at all, and how
// often a confident answer is right.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"time"

	"usher"
	"usher/diagnose"
	"usher/evidence"
)

// labelled is a row of a corpus.
type labelled struct {
	ID         string          `json:"id"`
	Provider   string          `json:"provider"`
	Evidence   string          `json:"evidence"`
	Context    json.RawMessage `json:"context"`
	Cause      string          `json:"cause"`
	Acceptable []string        `json:"also_acceptable"`
	Hard       bool            `json:"hard"`
	Rendered   string          `json:"rendered"`
}

// score counts answers of one group of rows.
type score struct {
	rows, strict, acceptable, topThree, answered, confident, confidentRight int
}

func main() {
	log.SetFlags(0)
	misses := flag.Bool("misses", false, "list the rows whose first answer is not acceptable")
	least := flag.Float64("least", 0, "fail when fewer first answers are acceptable (0 to 1)")
	flag.Parse()
	files := flag.Args()
	if len(files) == 0 {
		files = defaultFiles()
	}
	groups := map[string]*score{}
	for _, file := range files {
		measure(file, groups, *misses)
	}
	show(groups)
	if all := groups["all"]; float64(all.acceptable) < *least*float64(all.rows) {
		log.Fatalf("fewer than %.1f %% acceptable", *least*100)
	}
}

// sharedSet is where the shared set lies when it was put beside the repository.
const sharedSet = "../shared/corpus/dev.jsonl"

// defaultFiles is the shared set where it lies beside the repository, and the
// part that the repository holds.
func defaultFiles() []string {
	if corpus := os.Getenv("USHER_CORPUS"); corpus != "" {
		return []string{corpus}
	}
	if _, err := os.Stat(sharedSet); err == nil {
		return []string{sharedSet}
	}
	fmt.Println("the shared corpus is not beside this repository: measuring test/accuracy/testdata/*.jsonl only")
	return []string{"test/accuracy/testdata/fresh-1.jsonl", "test/accuracy/testdata/fresh-2.jsonl", "test/accuracy/testdata/fresh-3.jsonl"}
}

func measure(file string, groups map[string]*score, misses bool) {
	f, err := os.Open(file)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	x := diagnose.New()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		var row labelled
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			log.Fatalf("%s:%d: %v", file, n, err)
		}
		answer := explain(x, &row)
		for _, group := range groupsOf(&row) {
			if groups[group] == nil {
				groups[group] = &score{}
			}
			groups[group].add(&row, &answer)
		}
		if misses && !accepts(&row, first(&answer)) {
			fmt.Printf("MISS %-50s want %s %v\n     got %s\n", row.ID, row.Cause, row.Acceptable, candidates(&answer))
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

func explain(x *diagnose.Explainer, row *labelled) usher.Answer {
	inputs := []evidence.Input{{Name: row.ID, Data: []byte(row.Evidence)}}
	if len(row.Context) > 0 && string(row.Context) != "null" {
		context := []byte(row.Context)
		var text string
		if json.Unmarshal(row.Context, &text) == nil {
			context = []byte(text)
		}
		inputs = append(inputs, evidence.Input{Name: row.ID + " context", Data: context, Context: true})
	}
	set, err := evidence.Read(inputs)
	if err != nil {
		log.Fatalf("%s: %v", row.ID, err)
	}
	return x.Explain(set, diagnose.Options{Now: time.Now()})
}

func groupsOf(row *labelled) []string {
	groups := []string{"all", "provider " + row.Provider}
	if row.Hard {
		groups = append(groups, "hard")
	}
	if row.Rendered == "" {
		groups = append(groups, "not rendered")
	}
	return groups
}

func wrongs(a *usher.Answer) (list []usher.Finding) {
	for _, f := range a.Findings {
		if f.Outcome == usher.OutcomeWrong {
			list = append(list, f)
		}
	}
	return list
}

func first(a *usher.Answer) string {
	if list := wrongs(a); len(list) > 0 {
		return list[0].Cause
	}
	return ""
}

func accepts(row *labelled, cause string) bool {
	if cause == row.Cause {
		return true
	}
	for _, also := range row.Acceptable {
		if cause == also {
			return true
		}
	}
	return false
}

func (s *score) add(row *labelled, a *usher.Answer) {
	s.rows++
	top := first(a)
	if top == row.Cause {
		s.strict++
	}
	right := accepts(row, top)
	if right {
		s.acceptable++
	}
	for i, f := range wrongs(a) {
		if i < 3 && accepts(row, f.Cause) {
			s.topThree++
			break
		}
	}
	if a.Answered {
		s.answered++
	}
	if list := wrongs(a); len(list) > 0 && list[0].Confidence >= usher.Confident {
		s.confident++
		if right {
			s.confidentRight++
		}
	}
}

func candidates(a *usher.Answer) string {
	var list []string
	for _, f := range wrongs(a) {
		list = append(list, fmt.Sprintf("%s %.2f", f.Cause, f.Confidence))
	}
	return strings.Join(list, ", ")
}

func show(groups map[string]*score) {
	var names []string
	for name := range groups {
		names = append(names, name)
	}
	rank := map[string]int{"all": -3, "hard": -2, "not rendered": -1}
	sort.Slice(names, func(i, j int) bool {
		if rank[names[i]] != rank[names[j]] {
			return rank[names[i]] < rank[names[j]]
		}
		return names[i] < names[j]
	})
	fmt.Printf("%-26s %5s %8s %11s %9s %9s %16s\n", "group", "rows", "strict", "acceptable", "top 3", "answered", "right at >= 0.8")
	for _, name := range names {
		s := groups[name]
		fmt.Printf("%-26s %5d %7.1f%% %10.1f%% %8.1f%% %8.1f%% %10s\n", name, s.rows, percent(s.strict, s.rows), percent(s.acceptable, s.rows),
			percent(s.topThree, s.rows), percent(s.answered, s.rows), fmt.Sprintf("%.1f%% of %d", percent(s.confidentRight, s.confident), s.confident))
	}
}

func percent(part, whole int) float64 {
	if whole == 0 {
		return 100
	}
	return 100 * float64(part) / float64(whole)
}
