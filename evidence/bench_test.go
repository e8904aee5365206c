package evidence_test

import (
	"testing"

	"usher/evidence"
)

const errorText = `invalid_grant: AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.
Trace ID: e643e98a-cd6b-4b46-a02b-031746044800
Correlation ID: 8095dfab-2d47-4796-904f-37d31abceeaa
Timestamp: 2026-03-26 21:10:03Z
at app.exchange(code.go:42)`

// The budget is 15 microseconds for a message of 300 bytes.
func BenchmarkReadErrorText(b *testing.B) {
	in := []evidence.Input{{Name: "stdin", Data: []byte(errorText)}}
	b.SetBytes(int64(len(errorText)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := evidence.Read(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadErrorJSON(b *testing.B) {
	in := []evidence.Input{{Name: "error.json", Data: []byte(`{"error":"invalid_grant","error_description":"AADSTS53003: Access has been blocked by Conditional Access policies. The access policy does not allow token issuance. Trace ID: e643e98a-cd6b-4b46-a02b-031746044800 Correlation ID: 8095dfab-2d47-4796-904f-37d31abceeaa Timestamp: 2026-03-26 21:10:03Z","error_codes":[53003],"suberror":"message_only"}`)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := evidence.Read(in); err != nil {
			b.Fatal(err)
		}
	}
}
