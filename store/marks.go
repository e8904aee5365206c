package store

import "fmt"

// MaxMarks is how many different marks of a case are kept.
const MaxMarks = 1000

// AddMark notes a word with a case, once: added is false where the case has it
// already, or has MaxMarks others.
func (tx *Tx) AddMark(caseID int64, mark string) (added bool, err error) {
	n, err := tx.changed(`INSERT INTO marks (case_id, mark) SELECT ?, ?
		WHERE (SELECT count(*) FROM marks WHERE case_id = ?) < ? ON CONFLICT DO NOTHING`, caseID, opaque(mark), caseID, MaxMarks)
	return n > 0, told(err, fmt.Sprintf("note a mark of case %d", caseID))
}

// Marks gives the marks of a case.
func (tx *Tx) Marks(caseID int64) ([]string, error) {
	var list []string
	err := tx.rows("SELECT mark FROM marks WHERE case_id = ? ORDER BY mark", []any{caseID}, func(row scanner) error {
		var mark string
		err := row.Scan(&mark)
		list = append(list, mark)
		return err
	})
	return list, told(err, fmt.Sprintf("read the marks of case %d", caseID))
}
