package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"usher"
	"usher/catalog"
	"usher/diagnose"
	"usher/evidence"
	"usher/report"
)

// ExplainCmd answers: why was this refused?
type ExplainCmd struct {
	Evidence   []string `arg:"" optional:"" help:"Files, URLs or texts that hold evidence; - is standard input."`
	Format     string   `enum:"text,markdown,html,json" default:"text" help:"Form of the answer: ${enum}."`
	Now        string   `placeholder:"TIME" help:"The moment of the failure, RFC 3339 or seconds since 1970; without it the clock of this machine."`
	EachLine   bool     `help:"Read NDJSON rows {id, evidence, context} or log records, write one answer a line."`
	List       bool     `help:"List every cause and code that is known."`
	ShowClaims bool     `help:"Show the decoded claims of tokens; signatures never."`
}

// Run reads the evidence, explains it and prints the answer.
func (c *ExplainCmd) Run(env *Env) error {
	if c.List {
		if len(c.Evidence) > 0 || c.EachLine {
			return &usher.Error{Code: usher.ErrUsage, Message: "--list takes no evidence", Hint: "search the list: usher explain --list | grep AADSTS53003"}
		}
		return listKnowledge(env.Stdout, c.Format)
	}
	opt := diagnose.Options{Now: env.Now(), ShowClaims: c.ShowClaims}
	if c.Now != "" {
		now, err := parseMoment(c.Now)
		if err != nil {
			return err
		}
		opt.Now = now
	}
	if c.EachLine {
		return c.eachLine(env, opt)
	}
	inputs, err := c.inputs(env)
	if err != nil {
		return err
	}
	set, err := evidence.Read(inputs)
	if err != nil {
		return err
	}
	answer := diagnose.Explain(set, opt)
	if err := report.Write(env.Stdout, &answer, report.Format(c.Format), report.TextOptions{Color: env.Color, Width: env.Width}); err != nil {
		return err
	}
	if !answer.Answered {
		return exitUnknown
	}
	return nil
}

// inputs reads what the arguments name. An argument that is no file is
// evidence itself, if it looks like it: a URL, an error text, a token.
func (c *ExplainCmd) inputs(env *Env) ([]evidence.Input, error) {
	args := c.Evidence
	if len(args) == 0 {
		if !env.Piped {
			return nil, &usher.Error{
				Code: usher.ErrUsage, Message: "there is nothing to explain",
				Hint: "give a file or a URL, or pipe the error in: pbpaste | usher explain",
			}
		}
		args = []string{"-"}
	}
	var inputs []evidence.Input
	for i, arg := range args {
		in, err := input(env, i, arg)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, in)
	}
	return inputs, nil
}

func input(env *Env, i int, arg string) (evidence.Input, error) {
	if arg == "-" {
		data, err := env.readFile("-")
		return evidence.Input{Name: "stdin", Data: data}, err
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return evidence.Input{}, &usher.Error{Code: usher.ErrUsage, Message: arg + " is a folder", Hint: "name the files in it"}
	case err == nil:
		data, err := env.readFile(arg)
		return evidence.Input{Name: arg, Data: data}, err
	case looksLikeEvidence(arg):
		return evidence.Input{Name: fmt.Sprintf("argument %d", i+1), Data: []byte(arg)}, nil
	case errors.Is(err, fs.ErrPermission):
		return evidence.Input{}, &usher.Error{Code: usher.ErrUnreadable, Message: "open " + arg, Err: plainError(err), Hint: "may you read it?"}
	}
	return evidence.Input{}, &usher.Error{
		Code: usher.ErrUnreadable, Message: fmt.Sprintf("%q is no file", arg),
		Hint: "check the path, or pipe the text in: echo '...' | usher explain",
	}
}

// looksLikeEvidence tells a text from a mistyped file name.
func looksLikeEvidence(arg string) bool {
	if looksLikeFileName(arg) {
		return false
	}
	return strings.Contains(arg, "://") || strings.ContainsAny(arg, " \n{=") || strings.Count(arg, ".") == 2 && len(arg) > 60 ||
		strings.HasPrefix(strings.ToUpper(arg), "AADSTS") || oktaCode(arg) || !strings.ContainsAny(arg, "./\\") && arg == strings.ToLower(arg) && strings.Contains(arg, "_") ||
		strings.Trim(arg, "0123456789") == ""
}

// oktaCode knows a code like E0000004.
func oktaCode(arg string) bool {
	return len(arg) == 8 && arg[0] == 'E' && strings.Trim(arg[1:], "0123456789") == ""
}

// looksLikeFileName knows the endings of the files that people keep evidence
// in, so that "my eror.json" is said to be missing and not read as a sentence.
func looksLikeFileName(arg string) bool {
	if len(arg) > 255 || strings.ContainsAny(arg, "\n{=?#") || strings.Contains(arg, "://") {
		return false
	}
	switch strings.ToLower(filepath.Ext(arg)) {
	case ".json", ".jsonl", ".ndjson", ".har", ".txt", ".log", ".html", ".htm", ".jwt", ".xml", ".csv", ".yaml", ".yml", ".md":
		return true
	}
	return false
}

// row is one line with --each-line.
type row struct {
	ID       json.RawMessage `json:"id"`
	Evidence json.RawMessage `json:"evidence"`
	Context  json.RawMessage `json:"context"`
}

// maxRow bounds a line.
const maxRow = 16 << 20

func (c *ExplainCmd) eachLine(env *Env, opt diagnose.Options) error {
	names := c.Evidence
	if len(names) == 0 {
		names = []string{"-"}
	}
	out := bufio.NewWriter(env.Stdout)
	defer out.Flush() //nolint:errcheck // a write error shows at the last Flush below
	x := diagnose.New()
	for _, name := range names {
		r, closeInput, err := env.open(name)
		if err != nil {
			return err
		}
		n, err := explainLines(x, r, name, out, opt)
		closeInput()
		if n == 0 && err == nil {
			err = emptyRows(name)
		}
		if err != nil {
			return err
		}
	}
	return out.Flush()
}

// explainLines answers row by row and gives the number of answers.
func explainLines(x *diagnose.Explainer, r io.Reader, name string, out *bufio.Writer, opt diagnose.Options) (answers int, err error) {
	lines := bufio.NewScanner(asUTF8(r))
	lines.Buffer(make([]byte, 0, 64<<10), maxRow)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(bytes.TrimPrefix(lines.Bytes(), []byte("\ufeff")))
		if len(line) == 0 {
			continue
		}
		a := explainRow(x, line, fmt.Sprintf("%s:%d", place(name), n), opt)
		if err := report.JSONLine(out, &a); err != nil {
			return answers, err
		}
		answers++
	}
	return answers, rowError(lines.Err(), name, n+1)
}

func place(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}

// explainRow explains one row. A row without the member evidence is a log
// record itself; a line that is no JSON is text.
func explainRow(x *diagnose.Explainer, line []byte, place string, opt diagnose.Options) usher.Answer {
	var r row
	var inputs []evidence.Input
	if err := json.Unmarshal(line, &r); err == nil && len(r.Evidence) > 0 {
		inputs = append(inputs, evidence.Input{Name: place, Data: plainText(r.Evidence)})
		if len(r.Context) > 0 && string(r.Context) != "null" {
			inputs = append(inputs, evidence.Input{Name: place + " context", Data: plainText(r.Context), Context: true})
		}
	} else {
		inputs = []evidence.Input{{Name: place, Data: bytes.Clone(line)}}
	}
	set, err := evidence.Read(inputs)
	if err != nil { // one row that cannot be read does not end the others
		set = &evidence.Set{Ignored: []usher.Ignored{{Place: place, Reason: err.Error()}}}
	}
	a := x.Explain(set, opt)
	if len(r.ID) > 0 {
		a.ID = r.ID
	}
	return a
}

// plainText gives the text of a JSON string, and other JSON as it stands.
func plainText(raw json.RawMessage) []byte {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []byte(text)
	}
	return raw
}

// listKnowledge prints every cause with its codes, as text or as Markdown.
func listKnowledge(w io.Writer, format string) error {
	switch format {
	case "text":
		return report.Causes(w, causeList(), codeRows())
	case "markdown":
		return report.CausesMarkdown(w, causeList(), codeRows())
	}
	return &usher.Error{Code: usher.ErrUsage, Message: "--list has no form " + format, Hint: "use --format text or markdown"}
}

func causeList() []usher.Cause {
	var list []usher.Cause
	for _, e := range catalog.Causes() {
		list = append(list, e.Cause)
	}
	return list
}

func codeRows() map[string][]report.CodeRow {
	rows := map[string][]report.CodeRow{}
	for _, c := range catalog.Codes() {
		rows[c.Cause] = append(rows[c.Cause], report.CodeRow{Provider: c.Provider, Code: c.Code, Name: c.Name, Meaning: c.Meaning})
	}
	return rows
}
