package hostile_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	core "usher"
	"usher/diagnose"
	"usher/evidence"
	"usher/report"
)

// outputs are everything that the program could say of the inputs.
func outputs(inputs []evidence.Input) (map[string]string, *core.Answer, error) {
	out := map[string]string{}
	set, err := evidence.Read(inputs)
	if err != nil {
		out["error"] = err.Error() + fmt.Sprintf("%v %+v %q", err, err, err)
		var known *core.Error
		if errors.As(err, &known) {
			out["hint"] = known.Hint
		}
		return out, nil, nil
	}
	var last core.Answer
	for _, show := range []bool{false, true} {
		a := diagnose.Explain(set, diagnose.Options{Now: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC), ShowClaims: show})
		last = a
		var b bytes.Buffer
		for _, form := range []struct {
			name  string
			write func() error
		}{
			{"text", func() error { return report.Text(&b, &a, report.TextOptions{}) }},
			{"wide text", func() error { return report.Text(&b, &a, report.TextOptions{Width: 200, Color: true}) }},
			{"markdown", func() error { return report.Markdown(&b, &a) }},
			{"html", func() error { return report.HTML(&b, &a) }},
			{"json", func() error { return report.JSON(&b, &a) }},
			{"line", func() error { return report.JSONLine(&b, &a) }},
		} {
			b.Reset()
			if err := form.write(); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", form.name, err)
			}
			out[fmt.Sprintf("%s, claims %v", form.name, show)] = b.String()
		}
		out[fmt.Sprintf("the answer itself, claims %v", show)] = fmt.Sprintf("%+v", a.Findings) + fmt.Sprintf("%+v", a.Evidence)
	}
	return out, &last, nil
}

// TestSecretsStayHidden plants secrets in every kind of evidence and finds
// none, nor twelve characters of one, in any output.
func TestSecretsStayHidden(t *testing.T) {
	for _, s := range specimens() {
		t.Run(s.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				p := newPlants(rapid.Uint64().Draw(t, "seed"))
				inputs := s.inputs(p)
				out, answer, err := outputs(inputs)
				if err != nil {
					t.Fatal(err)
				}
				if len(p.secrets) == 0 {
					t.Fatal("nothing was planted")
				}
				if s.kind != "" && !recognised(answer, s.kind) {
					t.Errorf("no %s was recognised: %v", s.kind, out["error"])
				}
				look := newSearch(p.secrets)
				for name, text := range out {
					if secret, part, found := look.in(text); found {
						t.Fatalf("%s shows %q:\n%s\nevidence:\n%.3000s", name, secret, part, inputs[0].Data)
					}
				}
			})
		})
	}
}

func recognised(a *core.Answer, kind core.EvidenceKind) bool {
	if a == nil {
		return false
	}
	for _, e := range a.Evidence {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

// TestSecretsStayHiddenWhenCut cuts every specimen at every place: a paste
// rarely starts and ends where a form does. What is cut before its name is a
// bare string that nothing tells from another, so only the end is cut.
func TestSecretsStayHiddenWhenCut(t *testing.T) {
	for _, s := range specimens() {
		if s.utf16 || s.context != nil {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				p := newPlants(rapid.Uint64().Draw(t, "seed"))
				whole := s.make(p)
				text := whole[:rapid.IntRange(1, len(whole)).Draw(t, "end")]
				out, _, err := outputs([]evidence.Input{{Name: "cut", Data: []byte(text)}})
				if err != nil {
					t.Fatal(err)
				}
				look := newSearch(p.secrets)
				for name, output := range out {
					if secret, part, found := look.in(output); found {
						t.Fatalf("%s shows %q:\n%s\nevidence:\n%.3000s", name, secret, part, text)
					}
				}
			})
		})
	}
}

// TestPlantIsSeen: what is planted where it does no harm comes out in every
// format, so the silence of the other tests means something.
func TestPlantIsSeen(t *testing.T) {
	p := newPlants(3)
	name := "app-" + p.of(lower, 16) // a client id of letters is no credential
	out, _, err := outputs([]evidence.Input{{Name: "planted", Data: []byte(`{"error":"invalid_client","error_description":"AADSTS700016: Application with identifier '` + name + `' was not found in the directory","error_codes":[700016]}`)}})
	if err != nil {
		t.Fatal(err)
	}
	look := newSearch([]string{name})
	for format, text := range out {
		if _, _, found := look.in(text); !found {
			t.Errorf("%s does not show %q, which it should:\n%.800s", format, name, text)
		}
	}
}

// TestProgramKeepsSecrets asks the whole program, with its errors and its other
// subcommand, once for every kind.
func TestProgramKeepsSecrets(t *testing.T) {
	for i, s := range specimens() {
		t.Run(s.name, func(t *testing.T) {
			p := newPlants(uint64(1000 + i))
			in := s.inputs(p)
			path := write(t, "planted.txt", in[0].Data)
			look := newSearch(p.secrets)
			runs := [][]string{{"explain", path}, {"explain", "--format", "json", "--show-claims", path}, {"explain", "--each-line", path}, {"token", path}, {"token", "--format", "json", "--show-claims", path}, {"token", "--each-line", path}, {"token", "--keys", path, "x.y.z"}, {"token", "--expect", path, "x.y.z"}}
			if arg := string(in[0].Data); !s.utf16 && len(arg) < 100_000 && !strings.HasPrefix(arg, "-") {
				runs = append(runs, []string{"explain", arg}, []string{"token", arg}, []string{"explain", "--now", arg, path})
			}
			for _, args := range runs {
				r := usher(t, nil, args...)
				if secret, part, found := look.in(r.output()); found {
					t.Errorf("usher %s shows %q:\n%s", strings.Join(short(args), " "), secret, part)
				}
			}
		})
	}
}
