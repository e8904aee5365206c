package oauth

import "strings"

// told masks what a sentence tells: "the secret is X", "client secret X",
// "password was X", "-p X". X counts when letters and digits are mixed in it as
// in no word.
func (m *masker) told(start, end int) bool {
	word := m.in[start:end]
	opened := start > 0 && m.in[start-1] == '<' && end < len(m.in) && m.in[end] == '>' // an element that a cut has left open
	if opened && nameKind(word) == nameNone || !opened && !isToldName(word) {
		return false
	}
	least := 8
	if strings.EqualFold(word, "token") {
		least = 12 // "token v2ray1" is prose
	}
	at := skipAny(m.in, end, " \t\r\n:=\"'`")
	if opened {
		at = end + 1
	}
	for _, verb := range [...]string{"value", "of", "provided", "supplied", "sent", "is", "was"} {
		if end := at + len(verb); strings.HasPrefix(m.in[at:], verb) && end < len(m.in) && strings.IndexByte(" :=", m.in[end]) >= 0 {
			at = skipAny(m.in, end, " :=\"'`")
		}
	}
	stop := at
	for stop < len(m.in) && strings.IndexByte(" \t\r\n\"'`,;<>", m.in[stop]) < 0 {
		stop++
	}
	value := strings.TrimRight(m.in[at:stop], ".)")
	_, lower, digit, _ := classes(value)
	if at == end || len(value) < least || (digit == 0 || lower == 0) && !(len(value) >= 12 && random(value)) || isErrorCode(value) && !random(value) || IsGUID(value) || strings.Contains(value, "://") || isMasked(value) || keepValue(value) {
		return false
	}
	m.mask(at, at+len(value))
	return true
}

// toldNames are the words before a credential in a sentence or on a command line.
var toldNames = [...]string{"secret", "password", "passwd", "pwd", "passphrase", "pw", "apikey", "token", "client_secret", "-p", "--password", "--secret"}

func isToldName(word string) bool {
	if len(word) > 13 {
		return false
	}
	for _, name := range toldNames {
		if len(name) == len(word) && strings.EqualFold(name, word) {
			return true
		}
	}
	return false
}

// encodedLine tells a line of base64, as a PEM block has it, from a path: it is
// long, unbroken, and its kinds of characters change all the time.
func (m *masker) encodedLine(run string) bool {
	if len(run) < 60 || len(run) > 80 || strings.ContainsAny(run, ".-_~") {
		return false
	}
	upper, lower, digit, _ := classes(run)
	return upper >= 8 && lower >= 8 && digit >= 3 && changes(run) >= len(run)/3
}
