package grant

import "strconv"

func (r *Refusal) Error() string {
	switch {
	case r.Code != "" && r.Description != "":
		return r.Endpoint + " answered " + r.Code + ": " + r.Description
	case r.Code != "":
		return r.Endpoint + " answered " + r.Code
	case r.Status != 0:
		return r.Endpoint + " answered with status " + strconv.Itoa(r.Status)
	case r.Err != nil:
		return r.Endpoint + ": " + r.Err.Error()
	}
	return r.Endpoint + ": no answer"
}
