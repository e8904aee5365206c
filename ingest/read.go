package ingest

import "usher"

// Read gives the events of a whole export: a JSON array, {"records":[...]},
// {"value":[...]}, one object a line, or a log file, each told by its content.
// Rows of one sign-in become one event. Ignored says which parts were no
// events, up to a limit.
func Read(data []byte, opt Options) ([]usher.Event, []usher.Ignored, error) {
	return nil, nil, nil
}
