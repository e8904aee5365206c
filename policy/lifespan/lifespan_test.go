package lifespan_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"usher"
	"usher/policy/lifespan"
)

var received = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func dur(d time.Duration) usher.Duration { return usher.Duration(d) }

// input is a token of an hour of a service.
func input(life time.Duration) lifespan.Input {
	return lifespan.Input{Connection: "shop-gateway", Generation: 1, Received: received, ExpiresIn: life, Renewable: true, HasRefresh: true}
}

// told gives the reasons as lines.
func told(p lifespan.Plan) string {
	var b strings.Builder
	for _, r := range p.Reasons {
		fmt.Fprintf(&b, "%s/%s/%s=%s: %s\n", r.Source, r.Name, r.Field, r.Value, r.Text)
	}
	return b.String()
}

func TestDefault(t *testing.T) {
	p := (*lifespan.Set)(nil).Plan(input(time.Hour))
	if got := p.Expires.Sub(received); got != time.Hour {
		t.Errorf("it ends after %v", got)
	}
	if p.LeastLife != time.Minute || p.Idle != 0 || !p.Absolute.IsZero() {
		t.Errorf("got %+v", p)
	}
	// 75 % of an hour, and at most 10 % of an hour earlier.
	if got := p.RenewAt.Sub(received); got > 45*time.Minute || got < 39*time.Minute {
		t.Errorf("renewed after %v", got)
	}
}

// TestNineMinutes is the question of the command line: why does this token live
// nine minutes?
func TestNineMinutes(t *testing.T) {
	s := &lifespan.Set{
		Policies: []lifespan.Policy{{Name: "payments", MaxLife: dur(30 * time.Minute), LeastLife: dur(10 * time.Minute)}},
		Rules: []lifespan.Rule{
			{Role: "cashier", Policy: lifespan.Policy{MaxLife: dur(9 * time.Minute)}},
			{Scope: "payments.*", Policy: lifespan.Policy{MaxLife: dur(20 * time.Minute), Idle: dur(24 * time.Hour)}},
			{Scope: "refunds", Policy: lifespan.Policy{MaxLife: dur(time.Minute)}}, // is not held
			{Role: "cashier", Policy: lifespan.Policy{MaxLife: dur(time.Hour)}},    // is not stricter
		},
	}
	in := input(time.Hour)
	in.Policy, in.Scopes, in.Role = "payments", []string{"openid", "payments.write"}, "cashier"
	p := s.Plan(in)
	if got := p.Expires.Sub(received); got != 9*time.Minute {
		t.Fatalf("it ends after %v\n%s", got, told(p))
	}
	if p.LeastLife != 6*time.Minute+45*time.Second || p.Idle != 24*time.Hour {
		t.Errorf("promised %v, idle %v", p.LeastLife, p.Idle)
	}
	var order []string
	for _, r := range p.Reasons {
		if r.Field == "max_life" || r.Field == "expires_in" || r.Field == "least_life" {
			order = append(order, r.Source+" "+r.Name+" "+r.Field+" "+r.Value)
		}
	}
	want := []string{
		"provider  expires_in 1h", "policy payments max_life 30m", "policy payments least_life 10m",
		"scope payments.* max_life 20m", "role cashier max_life 9m", "role cashier max_life 9m",
		"limit  max_life 9m", "limit  least_life 6m45s",
	}
	if strings.Join(order, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(order, "\n"), strings.Join(want, "\n"))
	}
	for _, words := range []string{
		"by the policy payments a token is used at most 30m",
		"for the role cashier a token is used at most 1h; 9m is stricter and stays",
		"it is used 9m and no longer, though it lives 1h",
		"callers are promised 6m45s and not 10m: the token lives 9m",
	} {
		if !strings.Contains(told(p), words) {
			t.Errorf("nobody says %q:\n%s", words, told(p))
		}
	}
	if strings.Contains(told(p), "refunds") {
		t.Error("a rule of a scope that is not held counts")
	}
}

func TestSituations(t *testing.T) {
	service, person := input(0), input(0)
	service.HasRefresh = false
	person.HasRefresh, person.Renewable = false, false
	tests := []struct {
		name  string
		set   lifespan.Set
		in    func() lifespan.Input
		check func(lifespan.Plan) bool
		says  string
	}{
		{
			"no life told, renewable",
			lifespan.Set{},
			func() lifespan.Input { return service },
			func(p lifespan.Plan) bool {
				return p.Expires.Sub(received) == 5*time.Minute && p.RenewAt.After(received)
			}, "by default a token of which nobody says how long it lives is taken to live 5m",
		},
		{
			"no life told, not renewable",
			lifespan.Set{},
			func() lifespan.Input { return person },
			func(p lifespan.Plan) bool { return p.Expires.IsZero() && p.RenewAt.IsZero() && p.LeastLife == 0 }, "used until it is refused",
		},
		{
			"no life told, not renewable, a policy knows",
			lifespan.Set{Policies: []lifespan.Policy{{Name: "default", AssumeLife: dur(time.Hour)}}},
			func() lifespan.Input { return person },
			func(p lifespan.Plan) bool { return p.Expires.Sub(received) == time.Hour }, "taken to live 1h",
		},
		{
			"unknown policy",
			lifespan.Set{},
			func() lifespan.Input { in := input(time.Hour); in.Policy = "paymnets"; return in },
			func(p lifespan.Plan) bool { return p.LeastLife == time.Minute }, `no policy of the name "paymnets"`,
		},
		{
			"refresh token ends before the access token",
			lifespan.Set{},
			func() lifespan.Input { in := input(time.Hour); in.RefreshExpiresIn = 30 * time.Minute; return in },
			func(p lifespan.Plan) bool { return p.RenewAt.Sub(received) <= 22*time.Minute+30*time.Second }, "before the refresh token ends, after 30m",
		},
		{
			"absolute limit far away",
			lifespan.Set{Policies: []lifespan.Policy{{Name: "default", Absolute: dur(24 * time.Hour)}}},
			func() lifespan.Input { in := input(time.Hour); in.Connected = received.Add(-time.Hour); return in },
			func(p lifespan.Plan) bool {
				return p.Absolute.Equal(received.Add(23*time.Hour)) && p.Expires.Equal(received.Add(time.Hour)) && !p.RenewAt.IsZero()
			}, "a person must connect again after 24h",
		},
		{
			"absolute limit past, and nobody connected",
			lifespan.Set{Policies: []lifespan.Policy{{Name: "default", Absolute: dur(20 * time.Second)}}},
			func() lifespan.Input {
				in := input(time.Hour)
				in.Connected, in.Alone = received.Add(-24*time.Hour), true
				return in
			},
			func(p lifespan.Plan) bool {
				return p.Absolute.IsZero() && p.Expires.Equal(received.Add(time.Hour)) && p.RenewAt.After(received) && p.LeastLife > 0
			}, "begins anew without a person, so no absolute limit counts",
		},
		{
			"a life of a second",
			lifespan.Set{},
			func() lifespan.Input { return input(time.Second) },
			func(p lifespan.Plan) bool { return p.RenewAt.After(received) }, "renewals are spread over 10 %",
		},
		{
			"absolute limit near",
			lifespan.Set{Policies: []lifespan.Policy{{Name: "default", Absolute: dur(24 * time.Hour)}}},
			func() lifespan.Input {
				in := input(time.Hour)
				in.Connected = received.Add(-23*time.Hour - 30*time.Minute)
				return in
			},
			func(p lifespan.Plan) bool {
				return p.Expires.Equal(received.Add(30*time.Minute)) && p.RenewAt.IsZero() && p.LeastLife == 0
			}, "it ends with the absolute limit, at 2026-11-25T12:30:00Z",
		},
		{
			"absolute limit past",
			lifespan.Set{Policies: []lifespan.Policy{{Name: "default", Absolute: dur(time.Hour)}}},
			func() lifespan.Input { in := input(time.Hour); in.Connected = received.Add(-9 * time.Hour); return in },
			func(p lifespan.Plan) bool { return p.Expires.Equal(received) && p.RenewAt.IsZero() }, "then a person must connect again",
		},
		{
			"renewed in time for the promise",
			lifespan.Set{Policies: []lifespan.Policy{{Name: "default", LeastLife: dur(30 * time.Minute), Jitter: 0.0001}}},
			func() lifespan.Input { return input(time.Hour) },
			func(p lifespan.Plan) bool {
				return p.LeastLife == 30*time.Minute && p.RenewAt.Sub(received) <= 29*time.Minute+20*time.Second
			}, "in time for the 30m that callers are promised",
		},
		{
			"a scope rule with a role",
			lifespan.Set{Rules: []lifespan.Rule{{Scope: "pay", Role: "admin", Policy: lifespan.Policy{MaxLife: dur(time.Minute)}}}},
			func() lifespan.Input {
				in := input(time.Hour)
				in.Scopes, in.Role = []string{"pay"}, "admin"
				return in
			},
			func(p lifespan.Plan) bool { return p.Expires.Sub(received) == time.Minute }, "for the scope pay in the role admin a token is used at most 1m",
		},
		{
			"a scope rule with another role",
			lifespan.Set{Rules: []lifespan.Rule{{Scope: "pay", Role: "admin", Policy: lifespan.Policy{MaxLife: dur(time.Minute)}}}},
			func() lifespan.Input {
				in := input(time.Hour)
				in.Scopes, in.Role = []string{"pay"}, "clerk"
				return in
			},
			func(p lifespan.Plan) bool { return p.Expires.Sub(received) == time.Hour }, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.set.Plan(tt.in())
			if !tt.check(p) {
				t.Errorf("got %+v", p)
			}
			for _, r := range p.Reasons { // as people write times
				if strings.Contains(r.Value+r.Text, "µs") || strings.Contains(r.Value, ".") && strings.HasSuffix(r.Value, "ms") {
					t.Errorf("times are not rounded: %+v", r)
				}
			}
			if !strings.Contains(told(p), tt.says) {
				t.Errorf("nobody says %q:\n%s", tt.says, told(p))
			}
		})
	}
}

// TestIdleReasons leaves out what made no difference, and keeps what did.
func TestIdleReasons(t *testing.T) {
	once := input(time.Hour)
	once.HasRefresh, once.Renewable = false, false
	written := &lifespan.Set{Policies: []lifespan.Policy{{Name: "a", AssumeLife: dur(20 * time.Minute), RenewBefore: dur(time.Minute)}}}
	named := func(life time.Duration) lifespan.Input {
		in := input(life)
		in.Policy = "a"
		return in
	}
	for _, tt := range []struct {
		name string
		set  *lifespan.Set
		in   lifespan.Input
		want string // fields of what no limit said, in order
	}{
		{"the provider tells the life", nil, input(time.Hour), "expires_in least_life renew_at jitter"},
		{"a short life", nil, input(4 * time.Minute), "expires_in least_life renew_before jitter"},
		{"nobody tells it", nil, input(0), "expires_in assume_life least_life renew_before jitter"},
		{"it cannot be renewed", nil, once, "expires_in"},
		{"what the operator wrote stays", written, named(time.Hour), "expires_in least_life renew_at jitter renew_before"},
		{"a life that was written for when none is told", written, named(0), "expires_in least_life renew_at jitter assume_life renew_before"},
	} {
		var got []string
		p := tt.set.Plan(tt.in)
		for _, r := range p.Reasons {
			if r.Source != "limit" {
				got = append(got, r.Field)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %s, want %s\n%s", tt.name, strings.Join(got, " "), tt.want, told(p))
		}
	}
}

// anyPolicy draws a policy, also one that Validate would refuse.
func anyPolicy(t *rapid.T, name string) lifespan.Policy {
	d := func(label string) usher.Duration {
		if rapid.Bool().Draw(t, label+"?") {
			return 0
		}
		return dur(time.Duration(rapid.Int64Range(-1, int64(400*24*time.Hour)).Draw(t, label)))
	}
	part := rapid.SampledFrom([]float64{0, 0, 0.05, 0.1, 0.3, 0.5, 0.75, 0.95, 1, 2, -1, math.NaN(), math.Inf(1)})
	return lifespan.Policy{
		Name: name, RenewAt: part.Draw(t, "renew_at"), Jitter: part.Draw(t, "jitter"), RenewBefore: d("before"), LeastLife: d("least"),
		MaxLife: d("max"), AssumeLife: d("assume"), Idle: d("idle"), Absolute: d("absolute"),
	}
}

func anySet(t *rapid.T) *lifespan.Set {
	s := &lifespan.Set{}
	for _, name := range []string{"default", "a"} {
		if rapid.Bool().Draw(t, name+"?") {
			s.Policies = append(s.Policies, anyPolicy(t, name))
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "rules") {
		s.Rules = append(s.Rules, lifespan.Rule{
			Scope: rapid.SampledFrom([]string{"", "x", "y", "*"}).Draw(t, "scope"), Role: rapid.SampledFrom([]string{"", "r"}).Draw(t, "role"),
			Policy: anyPolicy(t, ""),
		})
	}
	return s
}

func anyInput(t *rapid.T) lifespan.Input {
	life := rapid.Int64Range(-1, int64(20*365*24*time.Hour))
	return lifespan.Input{
		Connection: rapid.StringN(0, 8, 20).Draw(t, "id"), Policy: rapid.SampledFrom([]string{"", "default", "a", "b"}).Draw(t, "policy"),
		Scopes: rapid.SampledFrom([][]string{nil, {"x"}, {"x", "y"}}).Draw(t, "scopes"), Role: rapid.SampledFrom([]string{"", "r"}).Draw(t, "role"),
		Generation: rapid.Int64().Draw(t, "generation"), Received: received,
		Connected: received.Add(-time.Duration(rapid.Int64Range(0, int64(300*24*time.Hour)).Draw(t, "connected"))),
		ExpiresIn: time.Duration(life.Draw(t, "life")), RefreshExpiresIn: time.Duration(life.Draw(t, "refresh")),
		HasRefresh: rapid.Bool().Draw(t, "has"), Renewable: rapid.Bool().Draw(t, "renewable"), Alone: rapid.Bool().Draw(t, "alone"),
	}
}

// TestPlanHolds: whatever policies and answers say, a token is renewed after it
// came and early enough for what callers are promised.
func TestPlanHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, in := anySet(t), anyInput(t)
		p := s.Plan(in)
		end := p.Expires
		switch {
		case p.LeastLife < 0 || p.Idle < 0:
			t.Fatalf("negative: %+v", p)
		case !end.IsZero() && end.Before(in.Received):
			t.Fatalf("it ends before it came: %+v", p)
		case !end.IsZero() && p.LeastLife > end.Sub(in.Received):
			t.Fatalf("more is promised than it can give: %+v", p)
		case in.ExpiresIn > 0 && end.After(in.Received.Add(in.ExpiresIn)):
			t.Fatalf("it is used longer than it lives: %+v", p)
		case !p.Absolute.IsZero() && (end.IsZero() || end.After(p.Absolute) && end.After(in.Received)):
			t.Fatalf("it is used beyond the absolute limit: %+v", p)
		case !in.Renewable && !p.RenewAt.IsZero():
			t.Fatalf("it is renewed and cannot be: %+v", p)
		case len(p.Reasons) == 0 || p.Reasons[0].Source != "provider":
			t.Fatalf("reasons: %+v", p.Reasons)
		}
		if p.RenewAt.IsZero() {
			return
		}
		if p.RenewAt.Before(in.Received) || p.RenewAt.After(end.Add(-p.LeastLife)) {
			t.Fatalf("renewed at %v of %v to %v, promised %v\n%s", p.RenewAt, in.Received, end, p.LeastLife, told(p))
		}
		// Not all the time either: an eighth of the life, half of that with jitter,
		// passes before it is renewed, unless the refresh token ends earlier.
		if life := end.Sub(in.Received); !(in.HasRefresh && in.RefreshExpiresIn > 0) && p.RenewAt.Sub(in.Received) < life/16-1 && renewAt(s) >= 0.125 {
			t.Fatalf("a token of %v is renewed after %v\n%s", life, p.RenewAt.Sub(in.Received), told(p))
		}
	})
}

// renewAt gives the least RenewAt that a set can come to.
func renewAt(s *lifespan.Set) float64 {
	least := 0.75
	for _, p := range s.Policies {
		if p.RenewAt > 0 {
			least = min(least, p.RenewAt)
		}
	}
	for _, r := range s.Rules {
		if r.Policy.RenewAt > 0 {
			least = min(least, r.Policy.RenewAt)
		}
	}
	return least
}

// TestPlanOrder: whoever tells more life never gets an earlier end or renewal,
// whoever adds a rule never gets a later one, and the same question has the same
// answer.
func TestPlanOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, in := anySet(t), anyInput(t)
		in.ExpiresIn = max(in.ExpiresIn, 1)
		p := s.Plan(in)
		if again := s.Plan(in); told(again) != told(p) || !again.RenewAt.Equal(p.RenewAt) {
			t.Fatal("the same question has another answer")
		}
		longer := in
		longer.ExpiresIn += time.Duration(rapid.Int64Range(0, int64(30*24*time.Hour)).Draw(t, "more"))
		l := s.Plan(longer)
		if l.Expires.Before(p.Expires) {
			t.Fatalf("more life, and it ends earlier: %v, %v", p.Expires, l.Expires)
		}
		if !l.RenewAt.IsZero() && !p.RenewAt.IsZero() && l.RenewAt.Before(p.RenewAt.Add(-time.Microsecond)) {
			t.Fatalf("more life, and it is renewed earlier: %v, %v\n%s\n%s", p.RenewAt, l.RenewAt, told(p), told(l))
		}
		stricter := *s
		rule := anyPolicy(t, "")
		rule.Jitter = 0 // spreads; it is no matter of strictness when each renewal comes
		stricter.Rules = append(append([]lifespan.Rule{}, s.Rules...), lifespan.Rule{Scope: "x", Policy: rule})
		q := stricter.Plan(in)
		if q.Expires.After(p.Expires) || !q.RenewAt.IsZero() && !p.RenewAt.IsZero() && q.RenewAt.After(p.RenewAt.Add(time.Microsecond)) {
			t.Fatalf("one more rule, and it lives longer: %+v, %+v\n%s\n%s", p, q, told(p), told(q))
		}
		if p.Idle > 0 && (q.Idle == 0 || q.Idle > p.Idle) {
			t.Fatalf("one more rule, and it may idle longer: %v, %v", p.Idle, q.Idle)
		}
	})
}

// TestJitter: renewals of many connections are spread evenly over the whole
// window, and stay in it.
func TestJitter(t *testing.T) {
	s := &lifespan.Set{Policies: []lifespan.Policy{{Name: "default", Jitter: 0.2, RenewAt: 0.8}}}
	const n = 10_000
	var tenths [10]int
	for i := range n {
		in := input(10 * time.Hour)
		in.Connection, in.Generation = fmt.Sprintf("connection-%d", i%100), int64(i/100)
		p := s.Plan(in)
		earlier := 8*time.Hour - p.RenewAt.Sub(received)
		if earlier < 0 || earlier > 2*time.Hour {
			t.Fatalf("%v earlier", earlier)
		}
		tenths[min(int(earlier/(12*time.Minute)), 9)]++
	}
	for i, got := range tenths {
		if got < n/10-200 || got > n/10+200 {
			t.Errorf("%d of %d renewals are in tenth %d", got, n, i)
		}
	}
}

func TestValidate(t *testing.T) {
	bad := map[string]string{
		"policies: [{max_life: 1h}]":                              "policies[0] has no name",
		"policies: [{name: a, idle: 1h}, {name: a, idle: 1h}]":    "policies[1] (a) has the name of policies[0]",
		"policies: [{name: a, renew_at: 1.5}]":                    "renew_at is 1.5",
		"policies: [{name: a, renew_at: .nan}]":                   "renew_at is NaN",
		"policies: [{name: a, jitter: 0.7}]":                      "jitter is 0.7",
		"policies: [{name: a, jitter: -0.1}]":                     "cannot be negative",
		"policies: [{name: a, max_life: -5m}]":                    "max_life is -5m; it cannot be negative",
		"policies: [{name: a, max_life: 1s}]":                     "less than 10s",
		"policies: [{name: a, max_life: 900000h}]":                "a hundred years",
		"policies: [{name: a, max_life: 10m, least_life: 10m}]":   "least_life 10m is promised of tokens that are used for max_life 10m",
		"rules: [{max_life: 10m}]":                                "rules[0] names neither a scope nor a role",
		"rules: [{scope: a b, max_life: 10m}]":                    "a rule is about one scope",
		"rules: [{scope: 'a*b', max_life: 10m}]":                  "an asterisk may stand at its end alone",
		"rules: [{scope: a}]":                                     "rules[0] says nothing",
		"rules: [{scope: a, max_life: 1s}, {role: b, idle: -1m}]": "rules[1]: idle is -1m",
	}
	for text, want := range bad {
		var s lifespan.Set
		if err := yaml.Unmarshal([]byte(text), &s); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	good := "policies: [{name: payments, max_life: 30m, least_life: 5m, renew_at: 0.5, jitter: 0.1, renew_before: 1m, assume_life: 10m, idle: 720h, absolute: 2160h}]\n" +
		"rules: [{scope: 'payments.*', max_life: 10m}, {role: cashier, idle: 8h}, {scope: refund, role: admin, least_life: 1m}]\n"
	var s lifespan.Set
	if err := yaml.Unmarshal([]byte(good), &s); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if s.Rules[0].Policy.MaxLife != dur(10*time.Minute) || s.Policies[0].Absolute != dur(90*24*time.Hour) {
		t.Errorf("read as %+v", s)
	}
	if err := (*lifespan.Set)(nil).Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkPlan(b *testing.B) {
	s := &lifespan.Set{Policies: []lifespan.Policy{{Name: "a", MaxLife: dur(time.Hour)}}}
	in := input(time.Hour)
	in.Policy = "a"
	for b.Loop() {
		s.Plan(in)
	}
}
