package casebook

import (
	"reflect"
	"slices"
	"strconv"

	"usher"
)

// renew gives new ways out the ids of the old ones that they are, and ids that
// the case never had to the others: who read the old list and names one of it
// gets that one, or none.
func renew(old, fixes []usher.Fix) []usher.Fix {
	if len(old) == 0 || len(fixes) == 0 {
		return fixes
	}
	last, kept := highest(old), 0
	next := last
	for i := range fixes {
		at := slices.IndexFunc(old, func(f usher.Fix) bool { return sameWay(&f, &fixes[i]) })
		if at >= 0 && !slices.ContainsFunc(fixes[:i], func(f usher.Fix) bool { return f.ID == old[at].ID }) {
			fixes[i].ID = old[at].ID
			kept = max(kept, number(old[at].ID))
			continue
		}
		next++
		fixes[i].ID = strconv.Itoa(next)
	}
	if next == last && kept < last {
		// The latest id is gone, and nothing would remember that it was given.
		fixes[len(fixes)-1].ID = strconv.Itoa(last + 1)
	}
	return fixes
}

// sameWay tells whether two fixes do the same: by what usher would do, or where
// a person does it, by what they are called and what proves them.
func sameWay(a, b *usher.Fix) bool {
	if a.Action == nil || b.Action == nil {
		return a.Action == nil && b.Action == nil && a.Title == b.Title && reflect.DeepEqual(a.Proof, b.Proof)
	}
	return reflect.DeepEqual(a.Action, b.Action)
}

func highest(fixes []usher.Fix) (most int) {
	for i := range fixes {
		most = max(most, number(fixes[i].ID))
	}
	return most
}

// number gives an id as a number; what is none counts as 0.
func number(id string) int {
	n, _ := strconv.Atoi(id)
	return n
}
