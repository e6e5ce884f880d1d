-- The key that signs was changed by two people: the last row of the trail that the old key answers for, and both keys'
-- signatures of the change (gateway.core.trail.HandOver). The old key itself is gone, its public part stays here.
CREATE TABLE signing_key (
  entries INTEGER PRIMARY KEY,
  old BLOB NOT NULL,
  new BLOB NOT NULL,
  at_ms INTEGER NOT NULL,
  approval INTEGER NOT NULL UNIQUE,
  by_old BLOB NOT NULL,
  by_new BLOB NOT NULL
) STRICT;
CREATE TRIGGER signing_key_stays BEFORE UPDATE ON signing_key BEGIN SELECT RAISE(ABORT, 'keys stay'); END;
CREATE TRIGGER signing_key_is_kept BEFORE DELETE ON signing_key BEGIN SELECT RAISE(ABORT, 'keys stay'); END;
CREATE TRIGGER signing_key_grows BEFORE INSERT ON signing_key
  WHEN new.entries <= (SELECT coalesce(max(entries), 0) FROM signing_key)
  BEGIN SELECT RAISE(ABORT, 'keys follow each other'); END;
