-- The books room: days, runs over named inputs, what differs, what was sent, what people decide (reconciliation §4).
-- scope: fixmedins_code for leg L1; '*' for the city's legs (L2, L4). role: care or insured.
CREATE TABLE recon_day (
  role TEXT NOT NULL,
  scope TEXT NOT NULL,
  biz_date TEXT NOT NULL,
  state TEXT NOT NULL,
  revision INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL,
  note TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (role, scope, biz_date)
) STRICT, WITHOUT ROWID;

-- What an institution or a party handed in; the newest number counts. path: below the data directory.
CREATE TABLE input (
  id INTEGER PRIMARY KEY,
  ledger TEXT NOT NULL,
  scope TEXT NOT NULL,
  biz_date TEXT NOT NULL,
  source TEXT NOT NULL,
  sm3 TEXT NOT NULL,
  rows INTEGER NOT NULL,
  complete INTEGER NOT NULL,
  sums TEXT NOT NULL,
  path TEXT NOT NULL,
  who TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX input_day ON input (biz_date, ledger, scope, id);

-- One evaluation. run_id: SM3 over its inputs, so that the same inputs are the same run. summary: JSON of annex B17.
CREATE TABLE recon_run (
  run_id TEXT PRIMARY KEY,
  role TEXT NOT NULL,
  biz_date TEXT NOT NULL,
  revision INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  agreed INTEGER NOT NULL,
  keys INTEGER NOT NULL,
  summary TEXT NOT NULL,
  UNIQUE (role, biz_date, revision)
) STRICT;
CREATE TABLE run_input (
  run_id TEXT NOT NULL REFERENCES recon_run,
  input INTEGER NOT NULL REFERENCES input,
  PRIMARY KEY (run_id, input)
) STRICT, WITHOUT ROWID;

-- One line of differences.csv, upserted by its lasting identity. state: OPEN, WAIT, RESOLVED, VANISHED, CARRIED.
CREATE TABLE diff (
  diff_id TEXT PRIMARY KEY,
  role TEXT NOT NULL,
  scope TEXT NOT NULL,
  biz_date TEXT NOT NULL,
  leg TEXT NOT NULL,
  class TEXT NOT NULL,
  "row" TEXT NOT NULL,
  mode TEXT NOT NULL,
  action TEXT NOT NULL,
  prevails TEXT NOT NULL,
  setl_id TEXT NOT NULL,
  msgid TEXT NOT NULL,
  fixmedins_code TEXT NOT NULL,
  component TEXT NOT NULL,
  left_fen INTEGER,
  right_fen INTEGER,
  note TEXT NOT NULL,
  agreed INTEGER NOT NULL,
  first_revision INTEGER NOT NULL,
  last_revision INTEGER NOT NULL,
  state TEXT NOT NULL,
  changed_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX diff_day ON diff (role, biz_date, scope, state);

-- Something sent to a party, exactly once. state: PLANNED, SENT, DONE, FAILED, IN_DOUBT.
CREATE TABLE action (
  action_id TEXT PRIMARY KEY,
  diff_id TEXT NOT NULL REFERENCES diff,
  kind TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  party TEXT NOT NULL,
  state TEXT NOT NULL,
  content TEXT NOT NULL,
  receipt TEXT NOT NULL DEFAULT '',
  approval INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX action_diff ON action (diff_id, attempt);
CREATE INDEX action_open ON action (state) WHERE state NOT IN ('DONE', 'FAILED');

-- A difference that needs people. mode: ONE or TWO; state: OPEN, PROPOSED, DECIDED, CLOSED; until_ms: escalation.
CREATE TABLE recon_case (
  id INTEGER PRIMARY KEY,
  diff_id TEXT NOT NULL UNIQUE REFERENCES diff,
  mode TEXT NOT NULL,
  state TEXT NOT NULL,
  decision TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  maker TEXT NOT NULL DEFAULT '',
  approval INTEGER NOT NULL DEFAULT 0,
  opened_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL
) STRICT;

-- The groups of a daily statement an institution has been seen with, so that an empty one is asked for, too (§3.1).
CREATE TABLE seen_group (
  institution TEXT NOT NULL,
  clr_optins TEXT NOT NULL,
  clr_type TEXT NOT NULL,
  insutype TEXT NOT NULL,
  last_date TEXT NOT NULL,
  PRIMARY KEY (institution, clr_optins, clr_type, insutype)
) STRICT, WITHOUT ROWID;

-- What commands leave for the node to do (annex X35; docs/decisions/0007): the same shape as in the codes room's file.
CREATE TABLE work_order (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,           -- day
  institution TEXT NOT NULL,    -- '' where the work is for all
  system TEXT NOT NULL,         -- the business date
  arguments TEXT NOT NULL,      -- JSON object
  who TEXT NOT NULL,            -- 'schedule' = the node itself, by the configuration
  created_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE work_open (
  work_order INTEGER PRIMARY KEY REFERENCES work_order (id),
  owner TEXT NOT NULL DEFAULT '',
  lease_ms INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0,
  total INTEGER NOT NULL DEFAULT 0,
  note TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE work_result (
  work_order INTEGER PRIMARY KEY REFERENCES work_order (id),
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'findings', 'failed')),
  result TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE TRIGGER work_order_no_update BEFORE UPDATE ON work_order
BEGIN SELECT RAISE(ABORT, 'orders are never changed'); END;
CREATE TRIGGER work_result_no_update BEFORE UPDATE ON work_result
BEGIN SELECT RAISE(ABORT, 'results are final'); END;
CREATE TRIGGER input_no_update BEFORE UPDATE ON input
BEGIN SELECT RAISE(ABORT, 'what was handed in is never changed'); END;
CREATE TRIGGER input_no_delete BEFORE DELETE ON input
BEGIN SELECT RAISE(ABORT, 'what was handed in is never removed'); END;
