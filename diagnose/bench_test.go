package diagnose_test

import (
	"testing"
	"time"

	"usher/diagnose"
	"usher/evidence"
)

// BenchmarkExplain is one explanation of an error text, reading included: the
// measure is explanations a second on one core.
func BenchmarkExplain(b *testing.B) {
	texts := []struct{ name, text string }{
		{"text", "AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance. Trace ID: ec7eafe6-5ba2-4f71-99ac-01adc26a5200 Correlation ID: 2226a90a-faeb-4401-be41-45d29ff8d7d5 Timestamp: 2026-01-05 10:00:00Z"},
		{"json", `{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app '6d2d8663-d2c1-4396-9556-f5a65fd50fbe' are expired.","error_codes":[7000222]}`},
		{"library", "jwt.exceptions.InvalidAudienceError: Audience doesn't match\n  File \"api.py\", line 12, in check"},
	}
	var all [][]byte
	for _, t := range texts {
		all = append(all, []byte(t.text))
		b.Run(t.name, func(b *testing.B) { explainInTurn(b, [][]byte{[]byte(t.text)}) })
	}
	b.Run("mixed", func(b *testing.B) { explainInTurn(b, all) })
}

func explainInTurn(b *testing.B, texts [][]byte) {
	x := diagnose.New()
	opt := diagnose.Options{Now: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		set, err := evidence.Read([]evidence.Input{{Name: "text", Data: texts[i%len(texts)]}})
		if err != nil {
			b.Fatal(err)
		}
		x.Explain(set, opt)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "explanations/s")
}
