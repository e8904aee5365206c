package evidence

import "strings"

// form is one form of evidence: sniff tells from the beginning of a text how
// likely it is (0 to 100), read reads it or says that it is something else.
type form struct {
	name  string
	sniff func(*piece) int
	read  func(*reader, *piece) bool
}

// forms is filled at start because the readers call each other through it.
var forms []form

func init() {
	forms = []form{
		{"json", sniffJSON, readJSON},
		{"url", sniffURL, readURL},
		{"jwt", sniffJWT, readJWT},
		{"form", sniffForm, readForm},
		{"page", sniffPage, readPage},
		{"curl", sniffCurl, readCurl},
		{"exchange", sniffExchange, readExchange},
		{"pem", sniffPEM, readPEM},
		{"challenge", sniffChallenge, readChallenge},
		{"details", sniffDetails, readDetails},
		{"csv", sniffCSV, readCSV},
		{"keycloak", sniffKeycloak, readKeycloak},
		{"text", func(*piece) int { return 1 }, readText},
	}
}

// read finds out what a text is and reads it.
func (r *reader) read(p *piece) {
	var tried uint64
	for range forms {
		best, score := -1, 0
		for i := range forms {
			if tried&(1<<i) != 0 {
				continue
			}
			if s := forms[i].sniff(p); s > score {
				best, score = i, s
			}
		}
		if best < 0 {
			return
		}
		tried |= 1 << best
		if forms[best].read(r, p) {
			return
		}
	}
}

// part reads a text that was found inside another one. The work of all parts
// together is bounded by the size of the input.
func (r *reader) part(p piece) {
	if p.depth > maxUnpack || len(strings.TrimSpace(p.text)) == 0 {
		return
	}
	if r.work -= len(p.text); r.work < 0 {
		r.ignore(p.place(0), "too many texts within texts; this one was left out")
		return
	}
	r.read(&p)
}
