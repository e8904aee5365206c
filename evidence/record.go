package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"usher"
)

// record is a log record on its way into an item: the facts, and the same as
// an event for those who count and compare.
type record struct {
	it  *Item
	ev  *usher.Event
	v   *value
	p   *piece
	raw string
}

func (r *reader) newRecord(provider string, v *value, p *piece) *record {
	it, raw, _ := r.newItem(usher.KindLogRecord, v, p)
	it.Provider = provider
	sum := sha256.Sum256([]byte(provider + "\n" + raw))
	ev := &usher.Event{UID: hex.EncodeToString(sum[:8]), Provider: provider, Kind: usher.EventOther}
	it.Event = ev
	return &record{it: it, ev: ev, v: v, p: p, raw: raw}
}

// at gives the place of a member, or of the record.
func (rec *record) at(m *value) string {
	if m == nil {
		return rec.it.Place
	}
	return rec.p.place(int(m.keyAt))
}

// put adds the fact of a member that is there.
func (rec *record) put(key string, m *value) string {
	s := m.str()
	if s != "" && s != "null" {
		rec.it.fact(key, s, rec.at(m), s)
		return s
	}
	return ""
}

// when takes the time of the record from the first member that holds one.
func (rec *record) when(members ...*value) {
	for _, m := range members {
		if t, ok := parseTime(m.str()); ok {
			rec.it.Time, rec.ev.Time = t, t
			return
		}
		if n, ok := m.number(); ok && n > 1e12 && n < 1e14 { // milliseconds
			t := unixMilli(int64(n))
			rec.it.Time, rec.ev.Time = t, t
			return
		}
	}
}

// fail marks the record as a refusal. code is the provider's, with its prefix.
func (rec *record) fail(code, description, place string) {
	e := rec.it.body()
	e.Description = description
	if code != "" {
		rec.it.code(rec.it.Provider, code, place, code)
	}
	rec.ev.Status, rec.ev.StatusCode, rec.ev.StatusDetail = usher.StatusFailure, code, description
}

// finish adds the item and gives true, as readers do.
func (r *reader) finish(rec *record, text string) bool {
	rec.it.Summary = summary(text)
	if m, ok := rec.v.any().(map[string]any); ok {
		rec.it.Object = m
	}
	if rec.ev.Time.IsZero() {
		rec.ev.Time = rec.it.Time
	}
	if rec.it.Error != nil {
		rec.it.Error.Timestamp = rec.it.Time
	}
	return r.add(rec.it) || true
}

// recordReaders know the log records of providers, in the order in which they
// are asked: the more particular first.
var recordReaders = [...]objectReader{
	(*reader).entraRecord, (*reader).m365Record, (*reader).oktaRecord, (*reader).googleRecord, (*reader).awsRecord,
	(*reader).keycloakRecord, (*reader).auth0Record,
}

func (r *reader) record(v *value, p *piece) bool {
	if !v.is(jsonObject) {
		return false
	}
	for _, read := range recordReaders {
		if read(r, v, p) {
			return true
		}
	}
	return false
}

// genericRecord reads a line of a logger that writes JSON: the message, the
// error and what is nested in them.
func (r *reader) genericRecord(v *value, p *piece) bool {
	if !v.is(jsonObject) {
		return false
	}
	message := v.first("msg", "message", "@message", "log", "textPayload", "short_message", "renderedMessage", "@m", "@mt")
	level := v.first("level", "severity", "loglevel", "log.level", "levelname", "@l", "lvl", "s")
	when := v.first("time", "timestamp", "@timestamp", "ts", "date", "@t", "datetime", "eventTime")
	request := v.first("request", "request_uri", "path", "uri", "url", "RequestPath", "requestUri", "http_path", "x-envoy-origin-path")
	status := v.first("status", "status_code", "statusCode", "DownstreamStatus", "response_code", "http_status")
	access := request != nil && status != nil && (when != nil || len(v.kids) > 3)
	if access && level == nil && len(v.kids) <= 7 && v.fold("error").str() != "" && v.first("method", "request_method") == nil {
		return false // the body of an error, as Spring and others write it
	}
	if !access && (message == nil || level == nil && when == nil) {
		return false
	}
	rec := r.newRecord("", v, p)
	rec.it.Provider = providerOf(rec.raw)
	rec.it.scan(v, p, rec.raw, fold(rec.raw))
	rec.when(when, v.first("start_time", "time_local"))
	text := message.str()
	if access {
		if n, ok := status.number(); ok && n >= 400 && n < 600 {
			rec.it.body().Status = n
			rec.it.fact("status", status.str(), rec.at(status), status.str())
			rec.ev.Status = usher.StatusFailure
		}
		rec.ev.Kind = usher.EventAPI
		rec.it.factIf("endpoint", endpointOf("https://host"+pathOf(request.str())), rec.at(request), request.str())
		rec.put("method", v.first("method", "request_method", "RequestMethod"))
		rec.put("response-detail", v.first("response_code_details", "response_flags"))
		if text == "" {
			text = strings.TrimSpace("access log: " + request.str() + " " + status.str())
		}
	}
	if e := v.first("error", "err", "exception", "error_message"); e != nil && rec.it.Error != nil && rec.it.Error.Description == "" {
		rec.it.Error.Description = e.str()
	}
	if text == "" {
		text = "log record: " + strings.Join(memberNames(v, 6), ", ")
	}
	r.finish(rec, text)
	r.strings(v, p, 0)
	return true
}

// pathOf gives the path of a request as access logs write it.
func pathOf(s string) string {
	if method, rest, ok := strings.Cut(s, " "); ok && isMethod(method) {
		s, _, _ = strings.Cut(rest, " ")
	}
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
		if j := strings.IndexByte(s, '/'); j >= 0 {
			s = s[j:]
		}
	}
	s, _, _ = strings.Cut(s, "?")
	return s
}
