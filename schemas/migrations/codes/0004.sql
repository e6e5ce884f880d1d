-- Orders a command leaves for a running node (contract-annex X35), and what the node did for them at the platform.
-- An order is never changed: while it is open it has one row that says who works on it, changed by compare-and-set; it
-- comes to its end by ONE LAST ROW in work_result, and is open no more. Uploads and downloads tell what the platform was asked and what came of it.

CREATE TABLE work_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,           -- upload, cancel, compare, fetch, receive
    institution TEXT NOT NULL,    -- '' where the work is for all
    system TEXT NOT NULL,
    arguments TEXT NOT NULL,      -- JSON object
    who TEXT NOT NULL,            -- 'schedule' = the node itself, by the configuration
    created_ms INTEGER NOT NULL
);
CREATE TABLE work_open (          -- few rows, whatever the number of orders: a node looks here twice a second
    work_order INTEGER PRIMARY KEY REFERENCES work_order (id),
    owner TEXT NOT NULL DEFAULT '',       -- drawn anew at every start of a node; '' = not taken yet. Who is not the owner writes nothing
    lease_ms INTEGER NOT NULL DEFAULT 0,  -- until when the owner answers for it; 0 = anybody may take it
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT ''         -- what it is doing or waiting for, Chinese, no person
);
CREATE TABLE work_result (
    work_order INTEGER PRIMARY KEY REFERENCES work_order (id),
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'findings', 'failed')),
    result TEXT NOT NULL,         -- JSON object
    at_ms INTEGER NOT NULL
);
CREATE TRIGGER work_order_no_update BEFORE UPDATE ON work_order BEGIN SELECT RAISE(ABORT, 'orders are never changed'); END;
CREATE TRIGGER work_result_no_update BEFORE UPDATE ON work_result BEGIN SELECT RAISE(ABORT, 'results are final'); END;

-- What the platform holds of an institution's mappings, as far as the gateway knows: one row a key of mapping rules
-- §10.1. 'sending' and 'cancelling' are durable before a byte leaves and stand until the outcome is known.
CREATE TABLE upload (
    institution TEXT NOT NULL,
    system TEXT NOT NULL,
    local_code TEXT NOT NULL,
    list_type TEXT NOT NULL,
    national_code TEXT NOT NULL,
    begndate TEXT NOT NULL,
    enddate TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('sending', 'uploaded', 'centre_rejected', 'not_sent', 'cancelling', 'cancelled')),
    msgid TEXT NOT NULL,          -- of the request that brought it to this state
    work_order INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    detail TEXT NOT NULL,         -- the platform's words where it refused
    PRIMARY KEY (institution, system, local_code, list_type, national_code, begndate)
) WITHOUT ROWID;
-- Every step of every row; append only (mapping rules §7, §10.3).
CREATE TABLE upload_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    work_order INTEGER NOT NULL,
    institution TEXT NOT NULL,
    system TEXT NOT NULL,
    local_code TEXT NOT NULL,
    list_type TEXT NOT NULL,
    national_code TEXT NOT NULL,
    begndate TEXT NOT NULL,
    enddate TEXT NOT NULL,
    state TEXT NOT NULL,
    infno TEXT NOT NULL,
    msgid TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX upload_event_of ON upload_event (institution, system, local_code);
CREATE TRIGGER upload_event_no_update BEFORE UPDATE ON upload_event BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER upload_event_no_delete BEFORE DELETE ON upload_event BEGIN SELECT RAISE(ABORT, 'append only'); END;

-- Comparisons with 1317 (§10.6, MA15): the rows that differ, and the one last row that makes a comparison whole.
CREATE TABLE comparison_row (
    work_order INTEGER NOT NULL REFERENCES work_order (id),
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('local_only', 'centre_only', 'different')),
    local_code TEXT NOT NULL,
    list_type TEXT NOT NULL,
    ours TEXT NOT NULL,           -- 'code from..to', '' = none
    theirs TEXT NOT NULL,
    PRIMARY KEY (work_order, number)
) WITHOUT ROWID;
CREATE TABLE comparison (
    work_order INTEGER PRIMARY KEY REFERENCES work_order (id),
    institution TEXT NOT NULL,
    system TEXT NOT NULL,
    equal INTEGER NOT NULL,
    local_only INTEGER NOT NULL,
    centre_only INTEGER NOT NULL,
    different INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
);

-- Catalogue files: asked for (13xx), fetched (9102), imported. The newest imported row of an infno says which version
-- is asked for next (mapping rules §7: file name, version, digest, count, operator and time of each).
CREATE TABLE download (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    work_order INTEGER NOT NULL REFERENCES work_order (id),
    system TEXT NOT NULL,
    infno TEXT NOT NULL,          -- '' = a file somebody laid into the inbox
    asked_ver TEXT NOT NULL,
    file_qury_no TEXT NOT NULL,
    filename TEXT NOT NULL,       -- as the platform calls it; never a path of ours
    announced INTEGER NOT NULL,   -- rows the platform announced, -1 = it did not say
    state TEXT NOT NULL CHECK (state IN ('asked', 'fetched', 'imported', 'refused')),
    path TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    digest TEXT NOT NULL,         -- SM3 of the file's bytes, hex
    ver TEXT NOT NULL,            -- of the imported library version
    rows INTEGER NOT NULL,
    detail TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
CREATE INDEX download_of ON download (infno, id);
