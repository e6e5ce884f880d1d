-- The codes room's file: national libraries, mappings, who decided what. Written by commands, read by nodes (contract-annex X35).
-- Nothing is edited in place: a thing is begun, filled in short transactions, and comes into force by ONE LAST ROW
-- (release, proposal, approval). What has no last row is the rest of an interrupted command and counts for nothing.

-- National libraries. A version adds to and replaces by code what came before it (upsert by version, history kept).
CREATE TABLE library (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    system TEXT NOT NULL,
    ver TEXT NOT NULL,
    source TEXT NOT NULL,       -- file name as given
    operator TEXT NOT NULL,
    begun_ms INTEGER NOT NULL
);
CREATE TABLE library_row (
    library INTEGER NOT NULL REFERENCES library (id),
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    begndate TEXT NOT NULL,     -- yyyy-MM-dd, '' = open
    enddate TEXT NOT NULL,
    vali_flag TEXT NOT NULL,    -- '1' usable, '0' not
    gray TEXT NOT NULL,         -- '1': stands in the tree, may not be a target (mapping rules §5)
    line INTEGER NOT NULL,      -- line of the file, header = 1
    raw TEXT NOT NULL,          -- the other columns as JSON; identity numbers are not kept
    PRIMARY KEY (library, code)
) WITHOUT ROWID;
CREATE TABLE release (
    library INTEGER PRIMARY KEY REFERENCES library (id),
    count INTEGER NOT NULL,
    digest TEXT NOT NULL,       -- SM3 of the file's bytes, hex
    at_ms INTEGER NOT NULL
);

-- Mappings: a batch is one imported file of one institution and system.
CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    institution TEXT NOT NULL,
    system TEXT NOT NULL,
    maker TEXT NOT NULL,
    source TEXT NOT NULL,
    begun_ms INTEGER NOT NULL
);
CREATE INDEX batch_of ON batch (institution, system, id);
CREATE TABLE mapping (
    batch INTEGER NOT NULL REFERENCES batch (id),
    line INTEGER NOT NULL,
    local_code TEXT NOT NULL,
    national_code TEXT NOT NULL,  -- '' = decided to have none (evidence no_code:...) or still missing
    valid_from TEXT NOT NULL,
    valid_to TEXT NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (batch, line)
) WITHOUT ROWID;
CREATE TABLE proposal (
    batch INTEGER PRIMARY KEY REFERENCES batch (id),
    count INTEGER NOT NULL,
    digest TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);

-- Reviews of a batch: what the second person refused; every row not refused in some approval is approved.
CREATE TABLE review (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    batch INTEGER NOT NULL REFERENCES batch (id),
    reviewer TEXT NOT NULL,
    begun_ms INTEGER NOT NULL
);
CREATE INDEX review_of ON review (batch);
CREATE TABLE refusal (
    review INTEGER NOT NULL REFERENCES review (id),
    line INTEGER NOT NULL,
    rule TEXT NOT NULL,           -- MA01..MA17 of the mapping rules §6
    message TEXT NOT NULL,
    PRIMARY KEY (review, line)
) WITHOUT ROWID;
CREATE TABLE approval (
    review INTEGER PRIMARY KEY REFERENCES review (id),
    count INTEGER NOT NULL,       -- rows put in force by this review
    refused INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
);

-- Who did what when; append only (mapping rules §7).
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    institution TEXT NOT NULL,
    system TEXT NOT NULL,
    reference INTEGER NOT NULL,   -- id of the library, batch or review
    detail TEXT NOT NULL
);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append only'); END;
CREATE TRIGGER mapping_no_update BEFORE UPDATE ON mapping BEGIN SELECT RAISE(ABORT, 'mappings are never edited'); END;
CREATE TRIGGER library_row_no_update BEFORE UPDATE ON library_row
    BEGIN SELECT RAISE(ABORT, 'library rows are never edited'); END;
