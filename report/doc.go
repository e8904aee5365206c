// Package report renders findings and cases: text, Markdown, HTML, SARIF,
// JUnit, flow drawings and charts.
//
// Every string of an answer was written by somebody else: by a provider, by a
// browser, by whoever made the failing request. Each renderer therefore works
// on a Masked copy, makes control characters and invisible ones visible
// (Inert), and escapes for its own format.
package report
