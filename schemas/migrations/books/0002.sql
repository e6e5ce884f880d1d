-- Solidification (reconciliation §6.5): what is in force is a row of `freeze`, the last one written; it never changes.
-- prev_sm3: of the freeze before it, of whatever day ('' for the first). reopens: the freeze of the day it follows, or 0.
CREATE TABLE freeze (
  id INTEGER PRIMARY KEY,
  role TEXT NOT NULL,
  scope TEXT NOT NULL,
  biz_date TEXT NOT NULL,
  prev_sm3 TEXT NOT NULL UNIQUE,
  header TEXT NOT NULL,
  rows INTEGER NOT NULL,
  fees INTEGER NOT NULL,
  freeze_sm3 TEXT NOT NULL UNIQUE,
  key_id TEXT NOT NULL,
  signature TEXT NOT NULL,
  maker TEXT NOT NULL,
  checker TEXT NOT NULL,
  approval INTEGER NOT NULL,
  reopens INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX freeze_day ON freeze (biz_date, role, scope);

-- A number is taken before the first row is written; what was begun and never ended is cleared away.
CREATE TABLE freeze_begun (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  role TEXT NOT NULL,
  scope TEXT NOT NULL,
  biz_date TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE frozen_row (
  freeze INTEGER NOT NULL,
  n INTEGER NOT NULL,
  line TEXT NOT NULL,
  PRIMARY KEY (freeze, n)
) STRICT, WITHOUT ROWID;

-- What clearing counts: follows from the lines, and `books verify` computes it again. held: '', CARRIED, WITHHELD.
CREATE TABLE frozen_fee (
  freeze INTEGER NOT NULL,
  n INTEGER NOT NULL,
  fee_key TEXT NOT NULL,
  setl_id TEXT NOT NULL,
  direction INTEGER NOT NULL,
  fixmedins_code TEXT NOT NULL,
  insutype TEXT NOT NULL,
  clr_type TEXT NOT NULL,
  clr_way TEXT NOT NULL,
  clr_optins TEXT NOT NULL,
  clr_pay_loc TEXT NOT NULL,
  held TEXT NOT NULL,
  adjusts_freeze INTEGER NOT NULL,
  adjusts_n INTEGER NOT NULL,
  medfee_sumamt INTEGER, fund_pay_sumamt INTEGER, hifp_pay INTEGER, cvlserv_pay INTEGER, hifes_pay INTEGER,
  hifmi_pay INTEGER, hifob_pay INTEGER, maf_pay INTEGER, oth_pay INTEGER, hifdm_pay INTEGER, acct_pay INTEGER,
  acct_mulaid_pay INTEGER, psn_part_amt INTEGER, psn_cash_pay INTEGER, hosp_part_amt INTEGER,
  PRIMARY KEY (freeze, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX frozen_fee_settlement ON frozen_fee (setl_id);

-- The sums of a freeze by what clearing groups by; kind: DAY (of the day, held ones too), ADJ (corrections), HELD
-- (those of the day that are carried or withheld).
CREATE TABLE freeze_sum (
  freeze INTEGER NOT NULL,
  kind TEXT NOT NULL,
  fixmedins_code TEXT NOT NULL,
  insutype TEXT NOT NULL,
  clr_type TEXT NOT NULL,
  clr_optins TEXT NOT NULL,
  clr_pay_loc TEXT NOT NULL,
  settlements INTEGER NOT NULL,
  refunds INTEGER NOT NULL,
  medfee_sumamt INTEGER NOT NULL, fund_pay_sumamt INTEGER NOT NULL, hifp_pay INTEGER NOT NULL,
  cvlserv_pay INTEGER NOT NULL, hifes_pay INTEGER NOT NULL, hifmi_pay INTEGER NOT NULL, hifob_pay INTEGER NOT NULL,
  maf_pay INTEGER NOT NULL, oth_pay INTEGER NOT NULL, hifdm_pay INTEGER NOT NULL, acct_pay INTEGER NOT NULL,
  acct_mulaid_pay INTEGER NOT NULL, psn_part_amt INTEGER NOT NULL, psn_cash_pay INTEGER NOT NULL,
  hosp_part_amt INTEGER NOT NULL,
  PRIMARY KEY (freeze, kind, fixmedins_code, insutype, clr_type, clr_optins, clr_pay_loc)
) STRICT, WITHOUT ROWID;

-- Consent of both sides to one freeze. kind: signature (proof: hex) or operator (proof: the operator's id).
CREATE TABLE freeze_consent (
  freeze INTEGER NOT NULL REFERENCES freeze,
  party TEXT NOT NULL CHECK (party IN ('INST', 'AGY')),
  kind TEXT NOT NULL CHECK (kind IN ('signature', 'operator')),
  who TEXT NOT NULL,
  proof TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (freeze, party)
) STRICT, WITHOUT ROWID;

CREATE TABLE freeze_reopening (
  freeze INTEGER PRIMARY KEY REFERENCES freeze,
  reason TEXT NOT NULL,
  maker TEXT NOT NULL,
  checker TEXT NOT NULL,
  approval INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

-- Corrections waiting for their day: part of the next freeze of (role, scope, biz_date), then frozen themselves.
CREATE TABLE adjustment (
  id INTEGER PRIMARY KEY,
  role TEXT NOT NULL,
  scope TEXT NOT NULL,
  biz_date TEXT NOT NULL,
  line TEXT NOT NULL,
  reason TEXT NOT NULL,
  maker TEXT NOT NULL,
  checker TEXT NOT NULL,
  approval INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX adjustment_day ON adjustment (role, scope, biz_date);

CREATE TRIGGER freeze_stays BEFORE UPDATE ON freeze BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER freeze_remains BEFORE DELETE ON freeze BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER frozen_row_stays BEFORE UPDATE ON frozen_row BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER frozen_row_remains BEFORE DELETE ON frozen_row
  WHEN EXISTS (SELECT 1 FROM freeze WHERE id = OLD.freeze) BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER frozen_row_closed BEFORE INSERT ON frozen_row
  WHEN EXISTS (SELECT 1 FROM freeze WHERE id = NEW.freeze) BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER frozen_fee_stays BEFORE UPDATE ON frozen_fee BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER frozen_fee_remains BEFORE DELETE ON frozen_fee
  WHEN EXISTS (SELECT 1 FROM freeze WHERE id = OLD.freeze) BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER frozen_fee_closed BEFORE INSERT ON frozen_fee
  WHEN EXISTS (SELECT 1 FROM freeze WHERE id = NEW.freeze) BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER freeze_sum_stays BEFORE UPDATE ON freeze_sum BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER freeze_sum_remains BEFORE DELETE ON freeze_sum
  WHEN EXISTS (SELECT 1 FROM freeze WHERE id = OLD.freeze) BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER freeze_sum_closed BEFORE INSERT ON freeze_sum
  WHEN EXISTS (SELECT 1 FROM freeze WHERE id = NEW.freeze) BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER freeze_consent_stays BEFORE UPDATE ON freeze_consent BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER freeze_consent_remains BEFORE DELETE ON freeze_consent BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER freeze_reopening_stays BEFORE UPDATE ON freeze_reopening BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER freeze_reopening_remains BEFORE DELETE ON freeze_reopening BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER adjustment_stays BEFORE UPDATE ON adjustment BEGIN SELECT RAISE(ABORT, 'frozen'); END;
CREATE TRIGGER adjustment_remains BEFORE DELETE ON adjustment BEGIN SELECT RAISE(ABORT, 'frozen'); END;
