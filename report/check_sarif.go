package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"usher"
)

// SARIF 2.1.0 (OASIS), as far as an answer needs it. Section numbers are those
// of the standard.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool      `json:"tool"`
		Results    []sarifResult  `json:"results"`
		ColumnKind string         `json:"columnKind"`
		Properties map[string]any `json:"properties,omitempty"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri,omitempty"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string         `json:"id"`
		ShortDescription     sarifText      `json:"shortDescription"`
		FullDescription      sarifText      `json:"fullDescription"`
		Help                 sarifText      `json:"help"`
		DefaultConfiguration sarifConfig    `json:"defaultConfiguration"`
		Properties           map[string]any `json:"properties"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		RuleIndex           int               `json:"ruleIndex"`
		Kind                string            `json:"kind"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		Locations           []sarifLocation   `json:"locations,omitempty"`
		RelatedLocations    []sarifLocation   `json:"relatedLocations,omitempty"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		Properties          map[string]any    `json:"properties,omitempty"`
	}
	sarifLocation struct {
		ID       *int               `json:"id,omitempty"`
		Physical *sarifPhysical     `json:"physicalLocation,omitempty"`
		Logical  []sarifLogicalName `json:"logicalLocations,omitempty"`
		Message  *sarifText         `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifURI     `json:"artifactLocation"`
		Region   *sarifRegion `json:"region,omitempty"`
	}
	sarifURI struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifLogicalName struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
)

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// sarifPrint names the fingerprint by which a finding is known again.
const sarifPrint = "usherFinding/v1"

func checkSARIF(w io.Writer, answer *usher.Answer, opt CheckOptions) error {
	a := Masked(*answer)
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "usher", Rules: make([]sarifRule, 0, len(opt.Rules))}
	index, twins := map[string]int{}, map[string]int{}
	for i, r := range opt.Rules {
		index[r.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(r, opt.FailOn))
	}
	unknown := 0
	for i := range a.Findings {
		f := &a.Findings[i]
		switch f.Outcome {
		case usher.OutcomeWrong:
			r := sarifResultOf(f, index, opt)
			key := r.PartialFingerprints[sarifPrint]
			if n := twins[key]; n > 0 { // a code host would take them for one
				r.PartialFingerprints[sarifPrint] += "-" + strconv.Itoa(n)
			}
			twins[key]++
			run.Results = append(run.Results, r)
		case usher.OutcomeUnknown:
			unknown++
		}
	}
	// What is unknown is no result that a code host could show; the number is
	// kept so that nobody takes silence for ok.
	run.Properties = map[string]any{"usher/unknown": unknown, "usher/subject": Inert(opt.Subject)}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}}); err != nil {
		return fmt.Errorf("encode the answer as SARIF: %w", err)
	}
	_, err := w.Write(PlainJSON(b.Bytes()))
	return err
}

func sarifRuleOf(r Rule, failOn usher.Severity) sarifRule {
	full := r.Judged
	if full == "" {
		full = r.Title
	}
	help := r.Help
	if len(r.References) > 0 {
		help = strings.TrimSpace(help + "\nSee " + strings.Join(r.References, "; ") + ".")
	}
	if help == "" {
		help = r.Title
	}
	return sarifRule{
		ID: r.ID, ShortDescription: sarifText{r.Title}, FullDescription: sarifText{full}, Help: sarifText{help},
		DefaultConfiguration: sarifConfig{sarifLevel(r.Severity, failOn)},
		Properties: map[string]any{
			"tags": []string{"security", r.Group}, "precision": "high",
			"security-severity": securitySeverity(r.Severity),
		},
	}
}

func sarifResultOf(f *usher.Finding, index map[string]int, opt CheckOptions) sarifResult {
	text := sentence(Inert(f.Title))
	if f.Detail != "" {
		text += " " + Inert(f.Detail)
	}
	if len(f.Fix) > 0 {
		text += "\nTo fix: " + Inert(f.Fix[0].Text)
	}
	rule, ok := index[f.Check]
	if !ok {
		rule = -1
	}
	r := sarifResult{
		RuleID: f.Check, RuleIndex: rule, Kind: "fail", Level: sarifLevel(f.Severity, opt.FailOn), Message: sarifText{text},
		Properties: map[string]any{"severity": string(f.Severity), "cause": f.Cause},
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00%s\x00%s", f.Check, f.Cause, f.Subject.Client, opt.Subject)
	for i, p := range f.Proof {
		loc := sarifLocationOf(p.Place)
		if i == 0 {
			r.Locations = append(r.Locations, loc)
			continue
		}
		id := i
		loc.ID = &id
		if note := strings.TrimSpace(p.Expected + " " + p.Got); note != "" {
			loc.Message = &sarifText{Inert(note)}
		}
		r.RelatedLocations = append(r.RelatedLocations, loc)
	}
	if len(r.Locations) == 0 {
		r.Locations = []sarifLocation{{Logical: []sarifLogicalName{{Inert(opt.Subject)}}}}
	}
	r.PartialFingerprints = map[string]string{sarifPrint: hex.EncodeToString(sum.Sum(nil)[:16])}
	return r
}

// sarifLevel tells error from warning by what the operator lets fail.
func sarifLevel(s, failOn usher.Severity) string {
	switch {
	case counts(s, failOn) && s.Rank() <= usher.SeverityHigh.Rank():
		return "error"
	case s == usher.SeverityInfo:
		return "note"
	}
	return "warning"
}

// securitySeverity is the number by which GitHub sorts alerts.
func securitySeverity(s usher.Severity) string {
	switch s {
	case usher.SeverityCritical:
		return "9.5"
	case usher.SeverityHigh:
		return "8.0"
	case usher.SeverityMedium:
		return "5.5"
	case usher.SeverityLow:
		return "3.0"
	}
	return "0.0"
}

func sarifLocationOf(place string) sarifLocation {
	file, at := cutPlace(place)
	if file == "" {
		return sarifLocation{Logical: []sarifLogicalName{{Inert(place)}}}
	}
	return sarifLocation{Physical: &sarifPhysical{Artifact: sarifURI{fileURI(file)}, Region: at}}
}

// fileURI makes the reference of a file, relative as it was given.
func fileURI(file string) string {
	u := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}

// splitPlace gives the file and the line of a finding's first proof in a file.
func splitPlace(f *usher.Finding) (file string, line int) {
	for _, p := range f.Proof {
		if file, at := cutPlace(p.Place); file != "" {
			if at != nil {
				line = at.StartLine
			}
			return file, line
		}
	}
	return "", 0
}

// cutPlace takes FILE:LINE:COLUMN apart. What is no file (stdin, an address, an
// argument) gives the empty string.
func cutPlace(place string) (file string, at *sarifRegion) {
	file, _, _ = strings.Cut(place, "#entry")
	var numbers []int
	for len(numbers) < 2 {
		i := strings.LastIndexByte(file, ':')
		if i <= 0 {
			break
		}
		n, err := strconv.Atoi(file[i+1:])
		if err != nil || n < 1 {
			break
		}
		numbers = append([]int{n}, numbers...)
		file = file[:i]
	}
	if file == "" || strings.Contains(file, "://") || file == "stdin" || strings.ContainsAny(file, "\n\r") || strings.Contains(file, " http") || strings.HasPrefix(file, "argument ") || strings.HasPrefix(file, "--") {
		return "", nil
	}
	switch len(numbers) {
	case 1:
		at = &sarifRegion{StartLine: numbers[0]}
	case 2:
		at = &sarifRegion{StartLine: numbers[0], StartColumn: numbers[1]}
	}
	return file, at
}
