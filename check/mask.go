package check

import (
	"sync"

	"usher/oauth"
)

// masker masks what it was not given before: places and words of one piece of
// evidence stand in many proofs.
type masker struct {
	oauth.Redactor
	done map[string]string
}

func (m *masker) Redact(s string) string {
	if s == "" {
		return ""
	}
	if out, ok := m.done[s]; ok {
		return out
	}
	out := s
	if m.Touches(s) || !harmless.has(s) {
		if out = m.Redactor.Redact(s); out == s && !m.Touches(s) {
			harmless.add(s)
		}
	}
	m.done[s] = out
	return out
}

// harmless are texts that hold nothing to mask: most of what checks say is the
// same in every run, and masking it was a quarter of each.
var harmless texts

// texts is a bounded set. What it holds was shown to everybody: no text in which
// something was masked gets in.
type texts struct {
	mu  sync.RWMutex
	set map[string]struct{}
}

const (
	maxTexts = 4096
	maxText  = 300 // bytes of one
)

func (t *texts) has(s string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.set[s]
	return ok
}

func (t *texts) add(s string) {
	if len(s) > maxText {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.set == nil {
		t.set = map[string]struct{}{}
	}
	if len(t.set) < maxTexts {
		t.set[s] = struct{}{}
	}
}
