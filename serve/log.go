package serve

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"usher/oauth"
)

// newLog makes the server's own log. What it writes may hold words of log lines
// and of providers, so every text is masked on its way.
func newLog(w io.Writer, cfg Log) *slog.Logger {
	if w == nil {
		return slog.New(slog.DiscardHandler)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo
	}
	opt := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(masking{slog.NewJSONHandler(w, opt)})
	}
	return slog.New(masking{slog.NewTextHandler(w, opt)})
}

// masking masks what looks like a secret in every text of a record.
type masking struct{ slog.Handler }

func (m masking) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, oauth.Redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(maskAttr(a))
		return true
	})
	return m.Handler.Handle(ctx, clean)
}

func (m masking) WithAttrs(attrs []slog.Attr) slog.Handler {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = maskAttr(a)
	}
	return masking{m.Handler.WithAttrs(masked)}
}

func (m masking) WithGroup(name string) slog.Handler { return masking{m.Handler.WithGroup(name)} }

// maxLogged bounds one value in the log.
const maxLogged = 4000

func maskAttr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, maskText(v.String()))
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return slog.String(a.Key, maskText(err.Error()))
		}
		return slog.String(a.Key, maskText(fmt.Sprint(v.Any())))
	case slog.KindGroup:
		var list []slog.Attr
		for _, g := range v.Group() {
			list = append(list, maskAttr(g))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(list...)}
	}
	return slog.Attr{Key: a.Key, Value: v}
}

func maskText(s string) string {
	if len(s) > maxLogged {
		s = s[:maxLogged] + "..."
	}
	return oauth.Redact(s)
}
