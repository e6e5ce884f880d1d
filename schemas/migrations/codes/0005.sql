-- Maintenance duties (维护、审核、赋码、上报) and catalogue rounds (三个目录). Append only; see 0001.sql.

-- A filing is one file of entry requests of one owner and register: at most 1,500 entries, stored in one transaction.
CREATE TABLE duty_filing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,        -- fixmedins_code, or the division of an agency
    system TEXT NOT NULL,
    action TEXT NOT NULL,       -- add, change, retire
    maker TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
CREATE TABLE duty_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    filing INTEGER NOT NULL REFERENCES duty_filing (id),
    line INTEGER NOT NULL,      -- line of the file, header = 1
    code TEXT NOT NULL,         -- the code that changes or retires; '' = a new entry
    division TEXT NOT NULL,     -- six digits a new code is numbered in, '' = unknown
    corrects INTEGER NOT NULL,  -- the returned entry this one mends, 0 = none
    digest TEXT NOT NULL,       -- keyed SM3 of the content: names the content to the reviewer, tells nobody what it is
    key_a TEXT NOT NULL,        -- keyed SM3 of what makes two entries one person or place, '' = none
    key_b TEXT NOT NULL,
    sealed BLOB NOT NULL        -- the content, encrypted (contract-annex X34)
);
CREATE INDEX duty_entry_a ON duty_entry (key_a) WHERE key_a <> '';
CREATE INDEX duty_entry_b ON duty_entry (key_b) WHERE key_b <> '';
CREATE INDEX duty_entry_code ON duty_entry (code) WHERE code <> '';

-- What was done to an entry, in order: viewed, reviewed, returned, assigned, exported, reported. The state is computed from it.
CREATE TABLE duty_step (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entry INTEGER NOT NULL REFERENCES duty_entry (id),
    step TEXT NOT NULL,
    who TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    code TEXT NOT NULL,         -- assigned
    note TEXT NOT NULL,         -- why returned; the receipt of a report; the content hash a review saw
    day TEXT NOT NULL,          -- reported: the day it was, yyyy-MM-dd
    export INTEGER NOT NULL     -- number of the export, 0 = none
);
CREATE INDEX duty_step_of ON duty_step (entry);
CREATE INDEX duty_step_code ON duty_step (code) WHERE code <> '';
CREATE INDEX duty_step_export ON duty_step (export) WHERE export <> 0;
CREATE TRIGGER duty_entry_no_update BEFORE UPDATE ON duty_entry BEGIN SELECT RAISE(ABORT, 'entries are never edited'); END;
CREATE TRIGGER duty_entry_no_delete BEFORE DELETE ON duty_entry BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
CREATE TRIGGER duty_step_no_update BEFORE UPDATE ON duty_step BEGIN SELECT RAISE(ABORT, 'steps are never edited'); END;
CREATE TRIGGER duty_step_no_delete BEFORE DELETE ON duty_step BEGIN SELECT RAISE(ABORT, 'steps are never deleted'); END;

-- Own-payment ratios (1319) and price limits (1318) as they came with a round; whole by its last row (price_listed).
CREATE TABLE price_list (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,         -- ratio, limit
    source TEXT NOT NULL,       -- file name as given
    operator TEXT NOT NULL,
    begun_ms INTEGER NOT NULL
);
CREATE TABLE price_row (
    list INTEGER NOT NULL REFERENCES price_list (id),
    seq INTEGER NOT NULL,
    code TEXT NOT NULL,
    label TEXT NOT NULL,        -- whose: kind of person or limit, and division, as the file says
    value TEXT NOT NULL,        -- as the file says, '' = no longer valid
    PRIMARY KEY (list, seq)
) WITHOUT ROWID;
CREATE TABLE price_listed (
    list INTEGER PRIMARY KEY REFERENCES price_list (id),
    count INTEGER NOT NULL,
    digest TEXT NOT NULL,       -- SM3 of the file's bytes, hex
    at_ms INTEGER NOT NULL
);

-- A round announces one released library version to the institutions; it is open by its last row (round_opened).
CREATE TABLE catalogue_round (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    system TEXT NOT NULL,
    library INTEGER NOT NULL REFERENCES library (id),
    due TEXT NOT NULL,          -- yyyy-MM-dd, the last day that is in time
    maker TEXT NOT NULL,
    begun_ms INTEGER NOT NULL
);
-- One row for each mapping that changes; one row of kind 'none' for an institution that maps the system and has no such mapping.
CREATE TABLE round_item (
    round INTEGER NOT NULL REFERENCES catalogue_round (id),
    seq INTEGER NOT NULL,
    institution TEXT NOT NULL,
    local_code TEXT NOT NULL,
    national_code TEXT NOT NULL,
    name TEXT NOT NULL,         -- national name
    kind TEXT NOT NULL,         -- replaced, ended, changed, none
    last_day TEXT NOT NULL,     -- of an ended code, '' = not usable at all
    replaced_by TEXT NOT NULL,
    detail TEXT NOT NULL,       -- attributes before and after, own-payment ratio, limit
    PRIMARY KEY (round, seq)
) WITHOUT ROWID;
CREATE INDEX round_item_of ON round_item (round, institution);
CREATE TABLE round_opened (
    round INTEGER PRIMARY KEY REFERENCES catalogue_round (id),
    count INTEGER NOT NULL,
    ratios INTEGER NOT NULL,    -- price lists told with it, 0 = none
    limits INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
);
CREATE TABLE round_fetch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    round INTEGER NOT NULL REFERENCES catalogue_round (id),
    institution TEXT NOT NULL,
    who TEXT NOT NULL,
    way TEXT NOT NULL,          -- export, show, api
    at_ms INTEGER NOT NULL
);
CREATE INDEX round_fetch_of ON round_fetch (round);
CREATE TABLE round_withdrawn (
    round INTEGER PRIMARY KEY REFERENCES catalogue_round (id),
    who TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
