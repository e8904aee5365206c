-- The state of usher on PostgreSQL, shared by any number of them. It begins with
-- the number that the schema on SQLite has: one number, one content. What the
-- tables are for is said in ../sqlite.
-- Times are microseconds since 1970 in UTC, and 0 where there is none; what is
-- yes or no is 1 or 0. Texts compare by their bytes, as in SQLite.

-- +goose Up
CREATE TABLE events (
  uid       TEXT COLLATE "C" PRIMARY KEY,
  time      BIGINT NOT NULL,
  kind      TEXT   NOT NULL,
  status    BIGINT NOT NULL,
  tenant    TEXT   COLLATE "C" NOT NULL,
  client    TEXT   COLLATE "C" NOT NULL,
  "user"    TEXT   NOT NULL,
  user_name TEXT   NOT NULL,
  address   TEXT   NOT NULL,
  cause     TEXT   NOT NULL DEFAULT '',
  change    BIGINT NOT NULL,
  body      TEXT   NOT NULL,
  -- In the order of commits, for Update is one at a time: by it each usher comes
  -- to know what the others took in.
  seq       BIGINT GENERATED ALWAYS AS IDENTITY
);
CREATE UNIQUE INDEX events_seq ON events (seq);
CREATE INDEX events_time ON events (time, uid);
CREATE INDEX events_client ON events (client, time);
CREATE INDEX events_changes ON events (time) WHERE change = 1;
CREATE INDEX events_successes ON events (tenant, time) WHERE status = 1 AND change = 0;

CREATE TABLE cases (
  id          BIGINT PRIMARY KEY,
  fingerprint TEXT   COLLATE "C" NOT NULL,
  kind        TEXT   NOT NULL,
  state       TEXT   NOT NULL,
  active      BIGINT NOT NULL,
  behind      BIGINT NOT NULL,
  opened      BIGINT NOT NULL,
  tenant      TEXT   NOT NULL,
  client      TEXT   NOT NULL,
  client_uid  TEXT   NOT NULL,
  client_name TEXT   NOT NULL,
  cause       TEXT   NOT NULL,
  first       BIGINT NOT NULL,
  last        BIGINT NOT NULL,
  wake        BIGINT NOT NULL,
  body        TEXT   NOT NULL,
  seq         BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX cases_seq ON cases (seq);
CREATE UNIQUE INDEX cases_active ON cases (fingerprint) WHERE active = 1;
CREATE INDEX cases_order ON cases (active, last);
CREATE INDEX cases_wake ON cases (wake) WHERE wake > 0;

CREATE TABLE case_keys (
  key     TEXT   COLLATE "C" NOT NULL,
  case_id BIGINT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
  PRIMARY KEY (key, case_id)
);
CREATE INDEX case_keys_case ON case_keys (case_id);

CREATE TABLE tries (
  case_id BIGINT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
  event   TEXT   COLLATE "C" NOT NULL,
  time    BIGINT NOT NULL,
  PRIMARY KEY (case_id, event)
);
CREATE INDEX tries_time ON tries (time);

CREATE TABLE affected (
  case_id BIGINT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
  what    TEXT   NOT NULL CHECK (what IN ('user', 'address')),
  value   TEXT   COLLATE "C" NOT NULL,
  PRIMARY KEY (case_id, what, value)
);

CREATE TABLE marks (
  case_id BIGINT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
  mark    TEXT   COLLATE "C" NOT NULL,
  PRIMARY KEY (case_id, mark)
);

CREATE TABLE cursors (
  source   TEXT   COLLATE "C" PRIMARY KEY,
  file     TEXT   NOT NULL,
  head     TEXT   NOT NULL,
  "offset" BIGINT NOT NULL,
  line     TEXT   NOT NULL,
  updated  BIGINT NOT NULL
);

CREATE TABLE accounts (
  name     TEXT   COLLATE "C" PRIMARY KEY,
  password TEXT   NOT NULL CHECK (password LIKE '$%'),
  changed  BIGINT NOT NULL
);

CREATE TABLE sessions (
  hash    TEXT   COLLATE "C" PRIMARY KEY CHECK (length(hash) = 64),
  account TEXT   COLLATE "C" NOT NULL,
  started BIGINT NOT NULL,
  used    BIGINT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE ticket (
  one     BIGINT PRIMARY KEY, -- of each usher there is one at most
  hash    TEXT   NOT NULL CHECK (length(hash) = 64),
  expires BIGINT NOT NULL
);

CREATE TABLE keys (
  id          TEXT   COLLATE "C" PRIMARY KEY,
  hash        TEXT   COLLATE "C" NOT NULL UNIQUE CHECK (length(hash) = 64),
  name        TEXT   NOT NULL,
  made_by     TEXT   NOT NULL,
  made        BIGINT NOT NULL,
  used        BIGINT NOT NULL,
  expires     BIGINT NOT NULL,
  connections TEXT   NOT NULL DEFAULT ''
);

CREATE TABLE settings (
  name  TEXT COLLATE "C" PRIMARY KEY,
  value TEXT NOT NULL
);

-- Rows of connections and leases are written again and again: room for that on
-- their pages keeps the indexes out of it.
CREATE TABLE connections (
  id            TEXT   COLLATE "C" PRIMARY KEY,
  removed       BIGINT NOT NULL DEFAULT 0,
  revision      BIGINT NOT NULL,
  config        TEXT   NOT NULL,
  keys          BYTEA,
  disabled      BIGINT NOT NULL,
  born          BIGINT NOT NULL,
  version       BIGINT NOT NULL,
  generation    BIGINT NOT NULL,
  renew_at      BIGINT NOT NULL,
  used          BIGINT NOT NULL,
  attempt       TEXT   NOT NULL,
  attempt_fence BIGINT NOT NULL,
  spent         TEXT   NOT NULL,
  status        TEXT   NOT NULL,
  tokens        BYTEA,
  written       BIGINT NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX connections_due ON connections (renew_at, id) WHERE renew_at > 0 AND disabled = 0;
CREATE INDEX connections_written ON connections (written);

CREATE TABLE leases (
  name    TEXT   COLLATE "C" PRIMARY KEY,
  holder  TEXT   NOT NULL,
  fence   BIGINT NOT NULL,
  expires BIGINT NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE paces (
  name    TEXT   COLLATE "C" PRIMARY KEY,
  version BIGINT NOT NULL,
  body    TEXT   NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE flows (
  hash       TEXT   COLLATE "C" PRIMARY KEY,
  connection TEXT   COLLATE "C" NOT NULL,
  sealed     BYTEA  NOT NULL,
  expires    BIGINT NOT NULL
);
CREATE INDEX flows_expires ON flows (expires);
CREATE INDEX flows_connection ON flows (connection);

CREATE TABLE blobs (
  kind    TEXT   COLLATE "C" NOT NULL,
  name    TEXT   COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  body    BYTEA  NOT NULL,
  PRIMARY KEY (kind, name)
);

-- +goose Down
DROP TABLE blobs;
DROP TABLE flows;
DROP TABLE paces;
DROP TABLE leases;
DROP TABLE connections;
DROP TABLE settings;
DROP TABLE keys;
DROP TABLE ticket;
DROP TABLE sessions;
DROP TABLE accounts;
DROP TABLE cursors;
DROP TABLE marks;
DROP TABLE affected;
DROP TABLE tries;
DROP TABLE case_keys;
DROP TABLE cases;
DROP TABLE events;
