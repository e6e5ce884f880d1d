-- What the agency said when it was asked about one record (5203; reconciliation §3.2, §5.1): evidence, bound to its
-- difference and to the run that asked; no person stands in it. A row is there before the question leaves.
-- finding: '' = asked, and no answer came; confirmed, refunded, nothing, unclear, not_asked. facts: JSON, amounts in fen.
CREATE TABLE inquiry (
  diff_id TEXT NOT NULL REFERENCES diff,
  revision INTEGER NOT NULL,
  asked_ms INTEGER NOT NULL,
  answered_ms INTEGER NOT NULL DEFAULT 0,
  finding TEXT NOT NULL DEFAULT '',
  facts TEXT NOT NULL DEFAULT '{}',
  answer_sm3 TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (diff_id, revision)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER inquiry_remains BEFORE DELETE ON inquiry BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER inquiry_answer_stays BEFORE UPDATE ON inquiry WHEN OLD.finding <> '' OR NEW.diff_id <> OLD.diff_id
  OR NEW.revision <> OLD.revision OR NEW.asked_ms <> OLD.asked_ms
BEGIN SELECT RAISE(ABORT, 'kept'); END;

-- Differences that are incidents (settled past the gateway, reversed by somebody else) and have raised their alarm.
CREATE TABLE alarmed (
  diff_id TEXT PRIMARY KEY REFERENCES diff,
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
