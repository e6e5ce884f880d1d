-- Who decided a case, each time anew (reconciliation §7.1: whoever reconciled a month neither makes nor approves its
-- clearing): `recon_case` only has the last. checker: '' where one person decides, or unknown of before this script.
CREATE TABLE recon_decision (
  id INTEGER PRIMARY KEY,
  diff_id TEXT NOT NULL REFERENCES diff,
  decision TEXT NOT NULL,
  maker TEXT NOT NULL,
  checker TEXT NOT NULL,
  approval INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX recon_decision_of ON recon_decision (diff_id);
INSERT INTO recon_decision (diff_id, decision, maker, checker, approval, at_ms)
  SELECT diff_id, decision, maker, '', approval, changed_ms FROM recon_case WHERE maker <> '' AND state <> 'PROPOSED';
CREATE TRIGGER recon_decision_remains BEFORE DELETE ON recon_decision BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER recon_decision_stays BEFORE UPDATE ON recon_decision BEGIN SELECT RAISE(ABORT, 'kept'); END;
