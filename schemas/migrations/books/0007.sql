-- Appeals and requests for a joint review that were sent to a platform (3702, 3703): durable before they leave. kind:
-- appeal, review; msgid: of the message; material: the platform's number of what was handed in; file, file_sm3: the same
-- here; state: SENDING, DONE, IN_DOUBT, REFUSED, NOT_SENT.
CREATE TABLE appeal_sent (
  id INTEGER PRIMARY KEY,
  clearing INTEGER NOT NULL REFERENCES clearing,
  deduction_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('appeal', 'review')),
  msgid TEXT NOT NULL UNIQUE,
  note TEXT NOT NULL,
  file TEXT NOT NULL,
  file_sm3 TEXT NOT NULL,
  material TEXT NOT NULL,
  state TEXT NOT NULL,
  text TEXT NOT NULL DEFAULT '',
  who TEXT NOT NULL,
  sent_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX appeal_sent_of ON appeal_sent (clearing, deduction_id, kind, id);
CREATE TRIGGER appeal_sent_remains BEFORE DELETE ON appeal_sent BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER appeal_sent_stays BEFORE UPDATE OF clearing, deduction_id, kind, msgid, note, file, file_sm3, material, who,
  sent_ms ON appeal_sent BEGIN SELECT RAISE(ABORT, 'kept'); END;
