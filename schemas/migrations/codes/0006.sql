-- A library import that was interrupted, at most one: how far it is, so that the same command goes on from there. Its
-- records count for nothing until its release, like those of any import; any other import into a library takes it away.
CREATE TABLE library_staged (
    library INTEGER PRIMARY KEY REFERENCES library (id),
    binding TEXT NOT NULL,      -- what it may only be gone on with: SM3 over file, options and how rows are read, hex
    first INTEGER NOT NULL,     -- id its records begin with
    last INTEGER NOT NULL,      -- id of the last record at the position; what lies behind it is swept
    count INTEGER NOT NULL,     -- records up to there
    line INTEGER NOT NULL,      -- line of the file the last of them stands on, 0 = none yet
    ver TEXT NOT NULL           -- newest version named up to there, '' = none
);
