package diagnose

import (
	"strings"
	"time"

	"usher"
	"usher/catalog"
)

// missing names the next thing to look at: first what would decide between the
// leading candidates, then what would make the leading one sure.
func (s *situation) missing(findings []usher.Finding) []usher.Missing {
	var out []usher.Missing
	for i, f := range findings {
		policy := strings.HasPrefix(f.Cause, "policy-")
		if i == 0 && f.Confidence >= 0.9 && (!policy || s.has("ca-policy-failed")) {
			return nil
		}
		if i > 0 && (f.Confidence < findings[0].Confidence*0.5 || len(out) >= 3) {
			break
		}
		entry := catalog.Cause(f.Cause)
		if entry == nil || entry.Decides == "" {
			continue
		}
		if f.Cause == "policy-blocked" {
			out = append(out, s.signInRecord(entry))
			continue
		}
		if at := same(out, entry.Decides); at >= 0 {
			out[at].Decides = append(out[at].Decides, f.Cause)
			continue
		}
		out = append(out, usher.Missing{Evidence: entry.Decides, Decides: []string{f.Cause}, How: entry.How, Query: s.query(entry)})
	}
	if len(findings) == 0 {
		out = append(out, s.anything())
	}
	return out
}

func same(list []usher.Missing, what string) int {
	for i := range list {
		if list[i].Evidence == what {
			return i
		}
	}
	return -1
}

// signInRecord is what decides a Conditional Access refusal.
func (s *situation) signInRecord(entry *catalog.Entry) usher.Missing {
	return usher.Missing{
		Evidence: "sign-in log record",
		Decides:  []string{"policy-location", "policy-device", "policy-client-app", "policy-flow", "policy-risk", "policy-user", "policy-workload"},
		How:      entry.How, Query: s.query(entry),
	}
}

// anything is what to bring when nothing was recognised.
func (s *situation) anything() usher.Missing {
	return usher.Missing{
		Evidence: "the error itself",
		Decides:  []string{},
		How:      "Give the whole answer of the endpoint that refused: the JSON body or the error page, the redirect URL with error and error_description, the WWW-Authenticate header, or a HAR of the sign-in (browser tools, Network, Preserve log, Save all as HAR).",
	}
}

// query fills the cause's query for the provider at hand. A line whose
// placeholder nothing fills is left out.
func (s *situation) query(entry *catalog.Entry) string {
	template := entry.Query[s.provider()]
	if template == "" && len(entry.Query) == 1 && s.provider() == "" {
		for _, template = range entry.Query {
		}
	}
	if template == "" {
		return ""
	}
	values := map[string]string{
		"correlation": s.value("correlation"), "client": s.subject.Client, "user": s.subject.User,
		"tenant": first(s.subject.Tenant, s.value("tenant-id")), "ip": s.value("ip"), "policy": s.subject.Policy, "time": s.when(),
		"request": s.value("request-id"), "resource": s.subject.Resource,
	}
	var out strings.Builder
	out.Grow(len(template) + 128)
	for line := range strings.SplitSeq(template, "\n") {
		filled, ok := s.fillPlaces(line, values)
		if !ok {
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(filled)
	}
	return out.String()
}

// when is the moment of the failure as the evidence tells it, RFC 3339.
func (s *situation) when() string {
	for i := range s.set.Items {
		if it := &s.set.Items[i]; !it.Context && !it.Time.IsZero() {
			return it.Time.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// fillPlaces fills the {places} of a line; ok is false when one stays open.
func (s *situation) fillPlaces(line string, values map[string]string) (string, bool) {
	if !strings.Contains(line, "{") {
		return line, true
	}
	out := make([]byte, 0, len(line)+64)
	for {
		before, rest, found := strings.Cut(line, "{")
		out = append(out, before...)
		if !found {
			return string(out), true
		}
		name, after, closed := strings.Cut(rest, "}")
		value, known := values[name]
		switch {
		case !closed || !known: // a brace of the query's own
			out = append(out, '{')
			line = rest
		case value == "":
			return "", false
		default:
			out = append(out, safe(s.redactor.Redact(value))...)
			line = after
		}
	}
}

// safe keeps a value from the evidence from breaking out of the quotes of a query.
func safe(value string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '\'', '"', '`', '\\', '\n', '\r', '|', ';', '$':
			return -1
		}
		return r
	}, value)
}
