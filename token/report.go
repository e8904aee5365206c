package token

import "usher"

// Verdict is the outcome of an inspection.
type Verdict string

// The verdicts.
const (
	Accept  Verdict = "accept"  // signature, issuer, audience and times were checked and nothing is wrong
	Reject  Verdict = "reject"  // something is wrong
	Unknown Verdict = "unknown" // nothing wrong was found, but something that decides was not checked
)

// Problem is one defect of a token.
type Problem struct {
	Code     string   `json:"code"`               // a reason code, see Codes
	Also     []string `json:"also,omitempty"`     // other codes that the same defect goes by
	Place    string   `json:"place"`              // "header.alg", "claims.exp", "signature", "token"
	Expected string   `json:"expected,omitempty"` // what should have been there
	Got      string   `json:"got,omitempty"`      // what was there, shortened and printable
	Text     string   `json:"text"`               // a sentence for a person
	// Weakness marks what is no reason to refuse the token, but should be mended.
	Weakness bool `json:"weakness,omitempty"`
}

// Check is one thing that was looked at, or could not be.
type Check struct {
	What    string        `json:"what"` // "signature", "issuer", "audience", "expiry", "type", ...
	Outcome usher.Outcome `json:"outcome"`
	Text    string        `json:"text"`
	// Missing is what would have to be given to check it, when the outcome is unknown.
	Missing string `json:"missing,omitempty"`
	// Decides marks a check without which a token must not be accepted.
	Decides bool `json:"-"`
}

// KeyChoice tells which key decided the signature, and why the others did not.
type KeyChoice struct {
	Kid string `json:"kid,omitempty"` // of the chosen key
	// Thumbprint is the SHA-256 thumbprint of the chosen key, RFC 7638; empty when none was.
	Thumbprint string        `json:"thumbprint,omitempty"`
	Why        string        `json:"why"`
	Rejected   []RejectedKey `json:"rejected,omitempty"`
}

// RejectedKey is a key that was not used.
type RejectedKey struct {
	Kid string `json:"kid,omitempty"`
	Why string `json:"why"`
}

// Report is everything that Inspect found.
type Report struct {
	Parsed   *Parsed    `json:"-"`
	Type     Type       `json:"type,omitempty"`  // the expected type
	Looks    Type       `json:"looks,omitempty"` // what the token looks like, when that can be told
	Verdict  Verdict    `json:"verdict"`
	Problems []Problem  `json:"problems"` // the wrong ones first, in the order in which a verifier meets them
	Checks   []Check    `json:"checks"`
	Key      *KeyChoice `json:"key,omitempty"`
}

// Wrong tells whether a problem is there that is not only a weakness.
func (r Report) Wrong() bool {
	for _, p := range r.Problems {
		if !p.Weakness {
			return true
		}
	}
	return false
}

// Reasons gives the codes of the defects, each once, the most telling first;
// further names of the same defects come last. Of an accepted token it gives
// the codes of its weaknesses.
func (r Report) Reasons() []string {
	weak := r.Verdict == Accept
	reasons := []string{}
	add := func(code string) {
		for _, there := range reasons {
			if there == code {
				return
			}
		}
		reasons = append(reasons, code)
	}
	for _, p := range r.Problems {
		if p.Weakness == weak {
			add(p.Code)
		}
	}
	for _, p := range r.Problems {
		if p.Weakness == weak {
			for _, code := range p.Also {
				add(code)
			}
		}
	}
	return reasons
}
