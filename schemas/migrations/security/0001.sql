-- The security room: who may act, what two people agreed on, and the trail of all of it. Beside the journal
-- (<stem>-security.sqlite). Nothing of the trail is ever changed or deleted.
CREATE TABLE store (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL
) STRICT;

-- A person; everything about one is sealed and bound to the name.
CREATE TABLE account (
  name TEXT PRIMARY KEY,
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Failures under a name, whether anybody has it or not. name: keyed digest of what was typed.
CREATE TABLE attempt (
  name TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  failed_ms INTEGER NOT NULL,
  locked_until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_age ON attempt (failed_ms);

-- When somebody last acted by a role: for the report of unused rights, and for nothing that decides.
CREATE TABLE role_use (
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (name, role)
) STRICT, WITHOUT ROWID;

-- A proposal. caused_by, reconcilers: names, JSON; sealed: content and reason; mac: keyed digest of the whole row.
CREATE TABLE approval (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  content_sm3 TEXT NOT NULL,
  maker TEXT NOT NULL,
  proposed_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  checker TEXT NOT NULL,
  decided_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL,
  maker_session TEXT NOT NULL,
  maker_certificate TEXT NOT NULL,
  checker_session TEXT NOT NULL,
  checker_certificate TEXT NOT NULL,
  caused_by TEXT NOT NULL,
  reconcilers TEXT NOT NULL,
  content BLOB NOT NULL,
  reason BLOB NOT NULL,
  mac TEXT NOT NULL
) STRICT;
CREATE INDEX approval_open ON approval (kind, subject, state);
CREATE INDEX approval_state ON approval (state, id);
CREATE TRIGGER approval_content_stays
  BEFORE UPDATE OF id, kind, subject, content_sm3, maker, proposed_ms, maker_session, maker_certificate, caused_by,
    reconcilers, content, reason ON approval
  BEGIN SELECT RAISE(ABORT, 'what was proposed stays'); END;
CREATE TRIGGER approval_end_stays BEFORE UPDATE ON approval
  WHEN old.state NOT IN ('PROPOSED', 'APPROVED')
  BEGIN SELECT RAISE(ABORT, 'what has ended stays'); END;
CREATE TRIGGER approval_is_kept BEFORE DELETE ON approval BEGIN SELECT RAISE(ABORT, 'approvals stay'); END;

-- The trail. reason: sealed; chain: SM3 over the one before and this row (gateway.security.chain).
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  roles TEXT NOT NULL,
  source TEXT NOT NULL,
  request TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL,
  reason BLOB NOT NULL,
  approval INTEGER NOT NULL,
  result TEXT NOT NULL,
  chain BLOB NOT NULL
) STRICT;
CREATE INDEX audit_subject ON audit (subject, id) WHERE after <> '';
CREATE INDEX audit_who ON audit (who, id);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the trail stays'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the trail stays'); END;

-- REPLACE deletes without asking the trigger above.
CREATE TRIGGER audit_grows BEFORE INSERT ON audit WHEN new.id <> (SELECT coalesce(max(id), 0) + 1 FROM audit)
  BEGIN SELECT RAISE(ABORT, 'the trail grows at its end'); END;

CREATE TABLE checkpoint (
  entries INTEGER PRIMARY KEY,
  chain BLOB NOT NULL,
  at_ms INTEGER NOT NULL,
  public BLOB NOT NULL,
  signature BLOB NOT NULL
) STRICT;
CREATE TRIGGER checkpoint_stays BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints stay'); END;
CREATE TRIGGER checkpoint_is_kept BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoints stay'); END;
CREATE TRIGGER checkpoint_grows BEFORE INSERT ON checkpoint
  WHEN new.entries <= (SELECT coalesce(max(entries), 0) FROM checkpoint)
  BEGIN SELECT RAISE(ABORT, 'checkpoints grow at their end'); END;
