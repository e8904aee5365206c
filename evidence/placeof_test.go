package evidence_test

import (
	"testing"

	"usher"
	"usher/evidence"
)

// TestPlaceOf holds the places of words to the lines of the input, for items
// whose Text is put together from parts.
func TestPlaceOf(t *testing.T) {
	const exchange = "POST /token HTTP/1.1\r\nHost: idp.example\r\n\r\ngrant_type=client_credentials\r\n\r\n" +
		"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client secret provided.\"}"
	const record = "{\n \"createdDateTime\": \"2026-01-05T10:00:00Z\",\n \"appId\": \"1\",\n \"status\": {\n  \"errorCode\": 53003,\n" +
		"  \"failureReason\": \"Access has been blocked.\"\n },\n \"clientAppUsed\": \"Exchange ActiveSync\"\n}"
	for _, tc := range []struct {
		name, data  string
		kind        usher.EvidenceKind
		words, want string
	}{
		{"body of a response", exchange, usher.KindExchange, "AADSTS7000215", "f:9:48"},
		{"first line", exchange, usher.KindExchange, "POST", "f:1"},
		{"what does not stand there", exchange, usher.KindExchange, "HTTP 401", "f:1"},
		{"reason of a record", record, usher.KindLogRecord, "Access has been blocked.", "f:6:21"},
		{"client of a record", record, usher.KindLogRecord, "Exchange ActiveSync", "f:8:20"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			it := itemOf(t, tc.data, tc.kind)
			if got, ok := it.PlaceOf(tc.words); !ok || got != tc.want {
				t.Errorf("PlaceOf(%q) = %q, %v; want %q", tc.words, got, ok, tc.want)
			}
		})
	}
	places := map[string]string{}
	for _, f := range itemOf(t, exchange, usher.KindExchange).Facts {
		places[f.Key+"="+f.Value] = f.Place
	}
	for fact, want := range map[string]string{"status=401": "f:6", "code=entra/aadsts7000215": "f:9:48"} {
		if places[fact] != want {
			t.Errorf("the fact %s is at %q, want %s; there are %v", fact, places[fact], want, places)
		}
	}
}

func itemOf(t *testing.T, data string, kind usher.EvidenceKind) *evidence.Item {
	t.Helper()
	set, err := evidence.Read([]evidence.Input{{Name: "f", Data: []byte(data)}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.Items {
		if set.Items[i].Kind == kind {
			return &set.Items[i]
		}
	}
	t.Fatalf("no item of the kind %s", kind)
	return nil
}
