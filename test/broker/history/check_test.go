package history_test

import (
	"slices"
	"testing"
	"time"

	"usher/test/broker/history"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// at gives a time so many seconds after noon.
func at(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }

// good is a renewal as it should be: a token that ends at 10, due at 7; two
// replicas, one of which asks from 10 to 10.5, callers at 10 who get the new one.
func good() *history.History {
	return &history.History{
		Issued: []history.Issued{
			{Conn: "shop", Ref: "a1", At: at(-50), Expires: at(10), Seed: true},
			{Conn: "shop", Ref: "a2", At: at(10.3), Expires: at(70.3)},
		},
		Requests: []history.Request{
			{Conn: "shop", Arrived: at(10), Acted: at(10.3), Answered: at(10.5), Grant: "refresh_token", Style: "client_secret_basic", Presented: "r1", Gave: "a2", Outcome: history.Accepted, Status: 200, Delivered: true},
		},
		Stored: []history.Stored{{Replica: "one", Conn: "shop", Ref: "a2", Generation: 2, Begin: at(10.51), End: at(10.52)}},
		Calls: []history.Call{
			{Replica: "one", Conn: "shop", Count: 1, Asked: at(1), Answered: at(1), Patience: time.Minute, Wanted: 3 * time.Second, Token: "a1", Generation: 1, Expires: at(10)},
			{Replica: "one", Conn: "shop", Count: 500, Asked: at(10), Answered: at(10.53), Last: at(10.6), Patience: time.Minute, Wanted: 3 * time.Second, Token: "a2", Generation: 2, Expires: at(70.3)},
			{Replica: "two", Conn: "shop", Count: 499, Asked: at(10), Answered: at(10.515), Last: at(10.7), Patience: time.Minute, Wanted: 3 * time.Second, Token: "a2", Generation: 2, Expires: at(70.3)},
		},
		Finals: []history.Final{{Conn: "shop", State: "alive", Generation: 2}},
		Asked:  map[string]int{"shop": 1000},
		Rule: func(string) history.Rule {
			return history.Rule{Renew: 3 * time.Second, Takes: time.Second, Takeover: 20 * time.Second, Recover: 5 * time.Second, Spread: time.Second, Margin: 200 * time.Millisecond}
		},
	}
}

// lost is the two generals' limit: the replica that sent was killed before it
// had the answer. The old token lives on, nobody presents the spent token again,
// and a person is asked.
func lost() *history.History {
	h := good()
	h.Requests[0].Delivered = false
	h.Stored = nil
	h.Ends = []history.End{{Replica: "one", At: at(10.4), Killed: true}}
	h.Calls = []history.Call{
		h.Calls[0],
		{Replica: "two", Conn: "shop", Count: 999, Asked: at(9), Answered: at(9.5), Patience: time.Minute, Wanted: 0, Token: "a1", Generation: 1, Expires: at(10), Short: true},
		{Replica: "two", Conn: "shop", Count: 1, Asked: at(12), Answered: at(30), Patience: time.Minute, Err: "it was spent and the answer was lost", State: "waiting", Link: true},
	}
	h.Finals = []history.Final{{Conn: "shop", State: "waiting", Generation: 1, Link: true}}
	h.Asked = map[string]int{"shop": 1001}
	return h
}

func TestGoodHistories(t *testing.T) {
	for name, h := range map[string]*history.History{
		"a renewal":             good(),
		"the answer is lost":    lost(),
		"nothing":               {},
		"the provider was away": away(),
		"asked again after a lost answer, without refresh token": again(),
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range h.Check() {
				t.Error(v)
			}
		})
	}
}

// away is an outage at the moment of expiry: short tokens, then refusals, then
// a renewal.
func away() *history.History {
	h := good()
	h.Down = []history.Span{{From: at(5), Until: at(20)}}
	h.Requests = slices.Insert(h.Requests, 0, history.Request{Conn: "shop", Arrived: at(7), Answered: at(7), Style: "client_secret_basic", Presented: "r1", Outcome: history.Away, Status: 503})
	r := &h.Requests[1]
	r.Arrived, r.Acted, r.Answered = at(21), at(21.1), at(21.2)
	h.Issued[1].At, h.Issued[1].Expires = at(21.1), at(81.1)
	h.Stored[0].Begin, h.Stored[0].End = at(21.3), at(21.4)
	h.Calls = []history.Call{
		{Replica: "one", Conn: "shop", Count: 1, Asked: at(9), Answered: at(9), Patience: time.Minute, Wanted: 3 * time.Second, Token: "a1", Generation: 1, Expires: at(10), Short: true},
		{Replica: "two", Conn: "shop", Count: 900, Asked: at(11), Answered: at(11), Patience: time.Minute, Err: "the provider is away", State: "failing", Retry: at(20)},
		{Replica: "two", Conn: "shop", Count: 99, Asked: at(22), Answered: at(22), Patience: time.Minute, Token: "a2", Generation: 2, Expires: at(81.1)},
	}
	return h
}

// again is a grant without refresh token whose first answer came nowhere.
func again() *history.History {
	h := good()
	h.Requests[0].Presented = ""
	h.Requests[0].Delivered = false
	h.Ends = []history.End{{Replica: "two", At: at(10.4), Killed: true}}
	r := h.Requests[0]
	r.Arrived, r.Acted, r.Answered, r.Gave, r.Delivered = at(15), at(15.1), at(15.2), "a3", true
	h.Requests = append(h.Requests, r)
	h.Issued = append(h.Issued, history.Issued{Conn: "shop", Ref: "a3", At: at(15.1), Expires: at(75.1)})
	h.Stored[0].Ref, h.Stored[0].Begin, h.Stored[0].End = "a3", at(15.3), at(15.4)
	for i := range h.Calls[1:] {
		c := &h.Calls[1+i]
		c.Token, c.Asked, c.Answered, c.Last, c.Expires = "a3", at(15), at(15.5), at(15.6), at(75.1)
	}
	return h
}

// TestBadHistories breaks each promise, one history for each way.
func TestBadHistories(t *testing.T) {
	tests := []struct {
		name    string
		promise string
		of      func() *history.History
		breaks  func(h *history.History)
	}{
		{"a second refresh at once", history.OneRefresh, good, func(h *history.History) {
			h.Issued = append(h.Issued, history.Issued{Conn: "shop", Ref: "a3", At: at(10.4), Expires: at(70.4)})
			r := h.Requests[0]
			r.Arrived, r.Acted, r.Presented, r.Gave = at(10.35), at(10.4), "r2", "a3"
			h.Requests = append(h.Requests, r)
			h.Stored = append(h.Stored, history.Stored{Replica: "two", Conn: "shop", Ref: "a3", Generation: 3, Begin: at(10.6), End: at(10.7)})
			h.Finals[0].Generation = 3
		}},
		{"two replicas ask for client credentials", history.OneRefresh, good, func(h *history.History) {
			h.Requests[0].Presented = ""
			h.Issued = append(h.Issued, history.Issued{Conn: "shop", Ref: "a3", At: at(10.4), Expires: at(70.4)})
			r := h.Requests[0]
			r.Arrived, r.Acted, r.Gave = at(10.1), at(10.4), "a3"
			h.Requests = append(h.Requests, r)
		}},
		{"two tokens of one generation", history.OneRefresh, good, func(h *history.History) { h.Calls[0].Generation = 2 }},
		{"a refresh long before it is due", history.OneRefresh, good, func(h *history.History) { h.Requests[0].Arrived = at(2) }},
		{"a spent refresh token", history.NoReuse, good, func(h *history.History) {
			h.Requests = append(h.Requests, history.Request{Conn: "shop", Arrived: at(11), Style: "client_secret_basic", Presented: "r1", Outcome: history.Reused, Status: 400})
		}},
		{"a revoked family", history.NoRevoked, good, func(h *history.History) {
			h.Revocations = []history.Revocation{{Conn: "shop", At: at(80), Reuse: true}}
		}},
		{"a second style", history.OneStyle, good, func(h *history.History) {
			h.Requests = append(h.Requests, history.Request{Conn: "shop", Arrived: at(10.1), Style: "client_secret_post", Presented: "r1", Outcome: history.Stranger, Status: 401})
		}},
		{"handed out before it was stored, by who stores it", history.Durable, good, func(h *history.History) { h.Calls[1].Answered = at(10.515) }},
		{"handed out before it was stored, by another", history.Durable, good, func(h *history.History) { h.Calls[2].Answered = at(10.505) }},
		{"handed out and never stored", history.Durable, good, func(h *history.History) { h.Stored = nil }},
		{"handed out although the store failed", history.Durable, good, func(h *history.History) { h.Stored[0].Err = "the database is away" }},
		{"refused although the provider was there", history.Served, good, func(h *history.History) {
			h.Calls[1] = history.Call{Replica: "one", Conn: "shop", Count: 500, Asked: at(10), Answered: at(10.1), Patience: time.Minute, Err: "try later", State: "failing", Retry: at(11)}
		}},
		{"patience that should have been enough", history.Served, good, func(h *history.History) {
			h.Calls[1] = history.Call{Replica: "one", Conn: "shop", Count: 500, Asked: at(10), Answered: at(15), Patience: 5 * time.Second, Err: "deadline exceeded", Late: true}
		}},
		{"an error that is none of ours", history.Served, good, func(h *history.History) {
			h.Calls[1] = history.Call{Replica: "one", Conn: "shop", Count: 500, Asked: at(10), Answered: at(10.1), Patience: time.Minute, Err: "connection refused"}
		}},
		{"refused while a token lives, the provider away", history.Served, away, func(h *history.History) {
			h.Calls[1].Asked, h.Calls[1].Answered = at(8), at(8)
		}},
		{"refused while a token lives, the answer lost", history.Served, lost, func(h *history.History) {
			h.Issued[0].Expires = at(40)
		}},
		{"short life", history.Promised, good, func(h *history.History) { h.Calls[0].Asked, h.Calls[0].Answered = at(8), at(8) }},
		{"short life long after the outage", history.Promised, away, func(h *history.History) {
			h.Calls[0].Asked, h.Calls[0].Answered = at(78.5), at(78.5)
			h.Calls[0].Token, h.Calls[0].Expires = "a2", at(81.1)
		}},
		{"a life that is made up", history.Promised, good, func(h *history.History) { h.Calls[0].Expires = at(100) }},
		{"a token of nobody", history.Fresh, good, func(h *history.History) { h.Calls[0].Token = "zz" }},
		{"a token that was replaced long ago", history.Fresh, good, func(h *history.History) {
			h.Issued[0].Expires, h.Issued[0].Died = at(30), at(10.3)
			h.Calls[0].Asked, h.Calls[0].Answered = at(14), at(14)
		}},
		{"the refused token again", history.Fresh, good, func(h *history.History) { h.Calls[0].Refused = "a1" }},
		{"a caller without an answer", history.Everyone, good, func(h *history.History) { h.Asked["shop"]++ }},
		{"a caller answered twice", history.Everyone, good, func(h *history.History) { h.Calls = append(h.Calls, h.Calls[0]) }},
		{"lost, and nobody asked", history.Healed, lost, func(h *history.History) { h.Finals[0].Link = false }},
		{"lost, and said to be alive", history.Healed, lost, func(h *history.History) { h.Finals[0].State = "alive" }},
		{"dead for nothing", history.Healed, good, func(h *history.History) { h.Finals[0].State = "waiting" }},
		{"a generation that nobody stored", history.Healed, good, func(h *history.History) { h.Finals[0].Generation = 3 }},
		{"a generation that went back", history.Healed, good, func(h *history.History) { h.Finals[0].Generation = 1 }},
		{"an attempt that stays", history.Healed, good, func(h *history.History) { h.Finals[0].Attempt = true }},
		{"a herd", history.NoHerd, away, func(h *history.History) {
			for i := range 30 {
				h.Requests = append(h.Requests, history.Request{Conn: "other", Arrived: at(20 + float64(i)/100), Outcome: history.Away})
			}
			rule := h.Rule
			h.Rule = func(id string) history.Rule {
				r := rule(id)
				r.Pace, r.Burst = 10, 10
				return r
			}
		}},
	}
	covered := map[string]bool{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			covered[test.promise] = true
			h := test.of()
			test.breaks(h)
			found := h.Check()
			if !slices.ContainsFunc(found, func(v history.Violation) bool { return v.Promise == test.promise }) {
				t.Errorf("it was let pass: no %q in %v", test.promise, found)
			}
		})
	}
	for _, p := range history.Promises {
		if !covered[p] {
			t.Errorf("no bad history breaks %q", p)
		}
	}
}
