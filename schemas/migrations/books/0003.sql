-- Monthly clearing (reconciliation §7). One application: a scope, a month, one (clr_type, insutype, clr_optins,
-- clr_pay_loc), a revision. content: what was built, JSON, never changed; state, doubt: a projection of clearing_event.
CREATE TABLE clearing (
  id INTEGER PRIMARY KEY,
  role TEXT NOT NULL,
  scope TEXT NOT NULL,
  month TEXT NOT NULL,
  clr_type TEXT NOT NULL,
  insutype TEXT NOT NULL,
  clr_optins TEXT NOT NULL,
  clr_pay_loc TEXT NOT NULL,
  revision INTEGER NOT NULL,
  idempotency TEXT NOT NULL UNIQUE,
  content TEXT NOT NULL,
  state TEXT NOT NULL,
  doubt TEXT NOT NULL DEFAULT '',
  maker TEXT NOT NULL,
  checker TEXT NOT NULL DEFAULT '',
  event_id TEXT NOT NULL DEFAULT '',
  msgid TEXT NOT NULL DEFAULT '',
  clr_stas INTEGER NOT NULL DEFAULT 0,
  submitted_ms INTEGER NOT NULL DEFAULT 0,
  audit TEXT NOT NULL DEFAULT '',
  paid INTEGER,
  earlier INTEGER NOT NULL DEFAULT 0,
  changed_ms INTEGER NOT NULL,
  UNIQUE (role, scope, month, clr_type, insutype, clr_optins, clr_pay_loc, revision)
) STRICT;
CREATE INDEX clearing_month ON clearing (month, role, scope);

-- The frozen days an application is made of.
CREATE TABLE clearing_freeze (
  clearing INTEGER NOT NULL REFERENCES clearing,
  freeze INTEGER NOT NULL REFERENCES freeze,
  PRIMARY KEY (clearing, freeze)
) STRICT, WITHOUT ROWID;
CREATE INDEX clearing_of_freeze ON clearing_freeze (freeze);

CREATE TABLE clearing_event (
  id INTEGER PRIMARY KEY,
  clearing INTEGER NOT NULL REFERENCES clearing,
  input TEXT NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL,
  who TEXT NOT NULL,
  note TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX clearing_event_of ON clearing_event (clearing, id);

-- Audit deductions (§7.2). amount, revised: fen. notice, decision: names of the documents.
CREATE TABLE deduction (
  clearing INTEGER NOT NULL REFERENCES clearing,
  deduction_id TEXT NOT NULL,
  setl_id TEXT NOT NULL,
  feedetl_sn TEXT NOT NULL,
  fund TEXT NOT NULL,
  amount INTEGER NOT NULL,
  kind TEXT NOT NULL,
  reason_code TEXT NOT NULL,
  text TEXT NOT NULL,
  period TEXT NOT NULL,
  dept TEXT NOT NULL,
  doctor TEXT NOT NULL,
  notice TEXT NOT NULL,
  state TEXT NOT NULL,
  revised INTEGER,
  ended TEXT NOT NULL DEFAULT '',
  notified TEXT NOT NULL,
  changed_ms INTEGER NOT NULL,
  PRIMARY KEY (clearing, deduction_id)
) STRICT, WITHOUT ROWID;

-- Every step of a deduction, with its explanation and the material handed in (SM3 of the file, path below data_dir).
CREATE TABLE deduction_event (
  id INTEGER PRIMARY KEY,
  clearing INTEGER NOT NULL,
  deduction_id TEXT NOT NULL,
  state TEXT NOT NULL,
  who TEXT NOT NULL,
  note TEXT NOT NULL,
  file TEXT NOT NULL,
  file_sm3 TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX deduction_event_of ON deduction_event (clearing, deduction_id, id);

-- Split of a month (清分, 3260-3262): what was fetched, what was confirmed, by batches.
CREATE TABLE split (
  scope TEXT NOT NULL,
  month TEXT NOT NULL,
  state TEXT NOT NULL,
  union_sm3 TEXT NOT NULL,
  rows INTEGER NOT NULL,
  medfee INTEGER NOT NULL,
  optins INTEGER NOT NULL,
  reads INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (scope, month)
) STRICT, WITHOUT ROWID;
CREATE TABLE split_row (
  scope TEXT NOT NULL,
  month TEXT NOT NULL,
  setl_sn TEXT NOT NULL,
  mdtrt_id TEXT NOT NULL,
  medfee INTEGER NOT NULL,
  optins INTEGER NOT NULL,
  verdict TEXT NOT NULL,
  batch INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (scope, month, setl_sn, mdtrt_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE split_batch (
  scope TEXT NOT NULL,
  month TEXT NOT NULL,
  batch INTEGER NOT NULL,
  state TEXT NOT NULL,
  msgid TEXT NOT NULL,
  refmsgid TEXT NOT NULL DEFAULT '',
  text TEXT NOT NULL DEFAULT '',
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (scope, month, batch)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER clearing_remains BEFORE DELETE ON clearing BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER clearing_content_stays BEFORE UPDATE OF content, idempotency, role, scope, month, clr_type, insutype,
  clr_optins, clr_pay_loc, revision ON clearing BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER clearing_event_stays BEFORE UPDATE ON clearing_event BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER clearing_event_remains BEFORE DELETE ON clearing_event BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER deduction_remains BEFORE DELETE ON deduction BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER deduction_amount_stays BEFORE UPDATE OF setl_id, fund, amount, kind ON deduction
  BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER deduction_event_stays BEFORE UPDATE ON deduction_event BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER deduction_event_remains BEFORE DELETE ON deduction_event BEGIN SELECT RAISE(ABORT, 'kept'); END;
