-- What the casebook notes of the tries of a case, to compare cases by it: words
-- whose meaning it alone knows. Of the cases of before nothing is known, which
-- is a mark too.

-- +goose Up
CREATE TABLE marks (
  case_id INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
  mark    TEXT    NOT NULL,
  PRIMARY KEY (case_id, mark)
) STRICT, WITHOUT ROWID;
INSERT INTO marks (case_id, mark) SELECT id, '' FROM cases;

-- +goose Down
DROP TABLE marks;
