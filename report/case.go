package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"usher"
)

// CaseOptions says how cases are written.
type CaseOptions struct {
	TextOptions // matters to FormatText only

	// Now is what "12 minutes ago" is counted from; zero: nothing is said of it.
	Now time.Time
	// Location is the zone in which people read times; nil is UTC. JSON is
	// always UTC.
	Location *time.Location
}

// caseList is the JSON contract of a list of cases, version 1.
type caseList struct {
	Version int          `json:"version"`
	Cases   []usher.Case `json:"cases"`
}

// Cases writes a list of cases in one of the formats, in the order given. JSON
// is {"version": 1, "cases": [...]}.
func Cases(w io.Writer, cases []usher.Case, format Format, opt CaseOptions) error {
	if format == FormatJSON {
		list := caseList{usher.CaseVersion, make([]usher.Case, len(cases))}
		for i := range cases {
			list.Cases[i] = maskedCase(&cases[i])
		}
		return writeCaseJSON(w, list)
	}
	p := newListPage(cases, opt)
	switch format {
	case FormatText, "":
		t := newTyping(opt.TextOptions)
		t.caseList(p)
		return writeAll(w, t.out.Bytes())
	case FormatMarkdown:
		var m marking
		m.caseList(p)
		return writeAll(w, m.out.Bytes())
	case FormatHTML:
		return writeCasePage(w, "list", casePageOf(p.Headline, nil, p))
	}
	_, err := ParseFormat(string(format))
	return err
}

// Case writes one case in one of the formats. JSON is the case itself, as
// docs/reference/case.md has it.
func Case(w io.Writer, c *usher.Case, format Format, opt CaseOptions) error {
	if format == FormatJSON {
		return writeCaseJSON(w, maskedCase(c))
	}
	p := newCasePage(c, opt)
	switch format {
	case FormatText, "":
		t := newTyping(opt.TextOptions)
		t.oneCase(p)
		return writeAll(w, t.out.Bytes())
	case FormatMarkdown:
		var m marking
		m.oneCase(p)
		return writeAll(w, m.out.Bytes())
	case FormatHTML:
		return writeCasePage(w, "case", casePageOf("Case "+p.ID+": "+p.Title, p, nil))
	}
	_, err := ParseFormat(string(format))
	return err
}

func writeAll(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

func writeCaseJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // PlainJSON escapes what has to be
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the case as JSON: %w", err)
	}
	return writeAll(w, PlainJSON(b.Bytes()))
}
