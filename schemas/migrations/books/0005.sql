-- Day files of institutions that were replaced, that no run compared, and that were removed after their time: the note
-- of what was handed in stays (`input`), its bytes do not.
CREATE TABLE input_pruned (
  input INTEGER PRIMARY KEY REFERENCES input,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX run_input_of ON run_input (input);
CREATE TRIGGER input_pruned_remains BEFORE DELETE ON input_pruned BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER input_pruned_stays BEFORE UPDATE ON input_pruned BEGIN SELECT RAISE(ABORT, 'kept'); END;
