-- What was told to the province, as it left (reconciliation §6.4): an interrupted call is sent again with its key and its
-- content. content: JSON, of feedback a list of items, of a reversal one object.
CREATE TABLE province_call (
  call_key TEXT PRIMARY KEY,
  content TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE province_call_action (
  action_id TEXT PRIMARY KEY REFERENCES action,
  call_key TEXT NOT NULL REFERENCES province_call
) STRICT, WITHOUT ROWID;
CREATE INDEX province_call_of ON province_call_action (call_key);
CREATE TRIGGER province_call_stays BEFORE UPDATE ON province_call BEGIN SELECT RAISE(ABORT, 'what left never changes'); END;
CREATE TRIGGER province_call_remains BEFORE DELETE ON province_call BEGIN SELECT RAISE(ABORT, 'kept'); END;
