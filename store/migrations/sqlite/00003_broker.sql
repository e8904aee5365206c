-- What the broker keeps: connections with their tokens, the leases by which
-- replicas take turns, the pace of token endpoints, flows that people have
-- begun, and small documents of the packages beside it. Everything secret is
-- sealed before it comes here.

-- +goose Up
CREATE TABLE connections (
  id            TEXT    PRIMARY KEY,
  removed       INTEGER NOT NULL DEFAULT 0, -- the row stays, empty: others are told, and counts go on where they stood
  revision      INTEGER NOT NULL,           -- of config
  config        TEXT    NOT NULL,           -- JSON
  keys          BLOB,                       -- sealed
  disabled      INTEGER NOT NULL,
  born          INTEGER NOT NULL,           -- the version that it began with
  version       INTEGER NOT NULL,
  generation    INTEGER NOT NULL,
  renew_at      INTEGER NOT NULL,
  used          INTEGER NOT NULL,
  attempt       TEXT    NOT NULL,           -- JSON, or empty
  attempt_fence INTEGER NOT NULL,           -- 0: none stands
  spent         TEXT    NOT NULL,
  status        TEXT    NOT NULL,           -- JSON; what stands in the columns above is not read from it
  tokens        BLOB,                       -- sealed
  written       INTEGER NOT NULL
) STRICT;
CREATE INDEX connections_due ON connections (renew_at, id) WHERE renew_at > 0 AND disabled = 0;
CREATE INDEX connections_written ON connections (written);

-- Rows stay, so that a fence is never given twice.
CREATE TABLE leases (
  name    TEXT    PRIMARY KEY,
  holder  TEXT    NOT NULL,
  fence   INTEGER NOT NULL,
  expires INTEGER NOT NULL  -- 0: given back
) STRICT, WITHOUT ROWID;

CREATE TABLE paces (
  name    TEXT    PRIMARY KEY,
  version INTEGER NOT NULL,
  body    TEXT    NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE flows (
  hash       TEXT    PRIMARY KEY,
  connection TEXT    NOT NULL,
  sealed     BLOB    NOT NULL,
  expires    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX flows_expires ON flows (expires);
CREATE INDEX flows_connection ON flows (connection);

CREATE TABLE blobs (
  kind    TEXT    NOT NULL,
  name    TEXT    NOT NULL,
  version INTEGER NOT NULL,
  body    BLOB    NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT;

-- Counts every write of any case: who has seen the cases up to one number asks
-- for those after it.
ALTER TABLE cases ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
CREATE INDEX cases_seq ON cases (seq);

-- Of which connections a key may take tokens: empty is a person's key, for the
-- console's API; "*" is all; else ids with blanks between.
ALTER TABLE keys ADD COLUMN connections TEXT NOT NULL DEFAULT '';

-- +goose Down
DROP INDEX cases_seq;
ALTER TABLE cases DROP COLUMN seq;
ALTER TABLE keys DROP COLUMN connections;
DROP TABLE blobs;
DROP TABLE flows;
DROP TABLE paces;
DROP TABLE leases;
DROP TABLE connections;
