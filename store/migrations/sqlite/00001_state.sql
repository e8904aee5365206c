-- The state of one usher: events, cases, cursors, accounts.
-- Times are microseconds since 1970 in UTC, and 0 where there is none. Bodies
-- are JSON, masked.

-- +goose Up
PRAGMA application_id = 0x75736872; -- "ushr"

CREATE TABLE events (
  uid       TEXT    PRIMARY KEY,
  time      INTEGER NOT NULL,
  kind      TEXT    NOT NULL,
  status    INTEGER NOT NULL,
  tenant    TEXT    NOT NULL,
  client    TEXT    NOT NULL, -- its id or, without one, its name
  user      TEXT    NOT NULL, -- as client
  user_name TEXT    NOT NULL,
  address   TEXT    NOT NULL,
  cause     TEXT    NOT NULL DEFAULT '',
  change    INTEGER NOT NULL, -- whether it tells of a change to what decides
  body      TEXT    NOT NULL
) STRICT;
CREATE INDEX events_time ON events (time, uid);
CREATE INDEX events_client ON events (client, time);
CREATE INDEX events_changes ON events (time) WHERE change = 1;
CREATE INDEX events_successes ON events (tenant, time) WHERE status = 1 AND change = 0;

CREATE TABLE cases (
  id          INTEGER PRIMARY KEY,
  fingerprint TEXT    NOT NULL,
  kind        TEXT    NOT NULL,
  state       TEXT    NOT NULL,
  active      INTEGER NOT NULL, -- asks for somebody
  behind      INTEGER NOT NULL, -- the case that it is hidden behind
  opened      INTEGER NOT NULL,
  tenant      TEXT    NOT NULL,
  client      TEXT    NOT NULL,
  client_uid  TEXT    NOT NULL,
  client_name TEXT    NOT NULL,
  cause       TEXT    NOT NULL,
  first       INTEGER NOT NULL,
  last        INTEGER NOT NULL,
  wake        INTEGER NOT NULL, -- when the casebook wants to see it again
  body        TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX cases_active ON cases (fingerprint) WHERE active = 1;
CREATE INDEX cases_order ON cases (active, last);
CREATE INDEX cases_wake ON cases (wake) WHERE wake > 0;

-- Under what the casebook finds a case again; the store does not know what a
-- key means.
CREATE TABLE case_keys (
  key     TEXT    NOT NULL,
  case_id INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
  PRIMARY KEY (key, case_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX case_keys_case ON case_keys (case_id);

-- Which events a case has counted, as long as the events are kept.
CREATE TABLE tries (
  case_id INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
  event   TEXT    NOT NULL,
  time    INTEGER NOT NULL,
  PRIMARY KEY (case_id, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX tries_time ON tries (time);

-- Who and from where, as far as they are told apart.
CREATE TABLE affected (
  case_id INTEGER NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
  what    TEXT    NOT NULL CHECK (what IN ('user', 'address')),
  value   TEXT    NOT NULL,
  PRIMARY KEY (case_id, what, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
  source  TEXT    PRIMARY KEY,
  file    TEXT    NOT NULL, -- device and inode
  head    TEXT    NOT NULL, -- fingerprint of the file's first bytes
  offset  INTEGER NOT NULL,
  line    TEXT    NOT NULL, -- hash of the last line read
  updated INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
  name     TEXT    PRIMARY KEY,
  password TEXT    NOT NULL CHECK (password LIKE '$%'), -- a hash with its parameters
  changed  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  hash    TEXT    PRIMARY KEY CHECK (length(hash) = 64),
  account TEXT    NOT NULL, -- empty: came in with the one-time password
  started INTEGER NOT NULL,
  used    INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE ticket (
  one     INTEGER PRIMARY KEY CHECK (one = 1), -- there is one at most
  hash    TEXT    NOT NULL CHECK (length(hash) = 64),
  expires INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
  id      TEXT    PRIMARY KEY,
  hash    TEXT    NOT NULL UNIQUE CHECK (length(hash) = 64),
  name    TEXT    NOT NULL,
  made_by TEXT    NOT NULL,
  made    INTEGER NOT NULL,
  used    INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE settings;
DROP TABLE keys;
DROP TABLE ticket;
DROP TABLE sessions;
DROP TABLE accounts;
DROP TABLE cursors;
DROP TABLE affected;
DROP TABLE tries;
DROP TABLE case_keys;
DROP TABLE cases;
DROP TABLE events;
