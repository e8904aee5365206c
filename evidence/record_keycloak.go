package evidence

import (
	"strings"

	"usher"
)

// keycloakRecord reads an event of Keycloak as its admin API and event store
// give it.
func (r *reader) keycloakRecord(v *value, p *piece) bool {
	kind := v.fold("type").str()
	if kind == "" || kind != strings.ToUpper(kind) || v.first("realmId", "realmName", "realm") == nil || v.fold("clientId") == nil && v.fold("details") == nil && v.fold("error") == nil {
		return false
	}
	return r.ingested("keycloak", v, p)
}

// keycloakLine finds an event in a log line: type=..., realmId=..., with values
// quoted or bare.
func keycloakLine(line string) (at int, ok bool) {
	for from := 0; ; {
		i := strings.Index(line[from:], "type=")
		if i < 0 {
			return 0, false
		}
		i += from
		rest := line[i+5:]
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, `\`), `"`)
		if rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' && (i == 0 || line[i-1] == ' ' || line[i-1] == '"') {
			if j := strings.Index(line[i:], "realm"); j > 0 && j < 200 {
				return i, true
			}
		}
		from = i + 5
	}
}

func sniffKeycloak(p *piece) int {
	if !p.fold().has("realm") {
		return 0
	}
	line, _, _ := strings.Cut(p.start(), "\n")
	if _, ok := keycloakLine(line); ok {
		return 65
	}
	return 0
}

// readKeycloak reads a log that begins with an event of Keycloak. The lines
// that are none go to the reader of texts.
func readKeycloak(r *reader, p *piece) bool {
	if len(p.text) > largeText {
		return false
	}
	r.keycloakLines(p, p.text)
	others := 0 // where lines that are no events begin
	flush := func(end int) {
		if strings.TrimSpace(p.text[others:end]) != "" {
			part := p.part(others, end)
			readText(r, &part)
		}
	}
	for at := 0; at < len(p.text); {
		end := strings.IndexByte(p.text[at:], '\n')
		if end < 0 {
			end = len(p.text)
		} else {
			end += at + 1
		}
		if _, ok := keycloakLine(p.text[at:end]); ok {
			flush(at)
			others = end
		}
		at = end
	}
	flush(len(p.text))
	return true
}

// keycloakLines reads the event lines of a text.
func (r *reader) keycloakLines(p *piece, text string) {
	d := r.decoder("keycloak")
	for at, n := 0, 0; at < len(text) && n < maxRecords; {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += at
		}
		line := text[at:end]
		events, _ := d.Line([]byte(line))
		i, ok := keycloakLine(line)
		if ok && len(events) == 0 {
			events, _ = d.Line([]byte(line[i:])) // what stands before it is no log's
		}
		if ok && len(events) == 1 && events[0].Code != "" {
			n++
			ev, start := &events[0], at+i
			r.secretsIn(line, fold(line))
			if ev.Time.IsZero() {
				ev.Time, _ = parseTime(line)
			}
			it := &Item{Line: p.line(start), Text: plainText(line), Event: ev}
			it.Kind, it.Place, it.Provider = usher.KindLogRecord, p.place(start), "keycloak"
			it.eventFacts(func(string) string { return it.Place })
			it.Summary = summary(keycloakSummary(ev))
			if !r.add(it) {
				return
			}
		}
		at = end + 1
	}
}

func keycloakSummary(ev *usher.Event) string {
	s := ev.Code + " of client " + ev.Client.UID
	if ev.StatusCode != "" {
		s += ": " + ev.StatusCode
	}
	if ev.StatusDetail != "" {
		s += " (" + ev.StatusDetail + ")"
	}
	return s
}
