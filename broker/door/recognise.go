package door

import "net/http"

// Recognise tells who asks, for another door with the same keys, or answers the
// request itself with a refusal. operator tells that the caller may do what
// operators may.
func (d *Door) Recognise(w http.ResponseWriter, r *http.Request) (name string, operator, ok bool) {
	c, ok := d.recognise(w, r)
	return c.name, c.operator, ok
}
