-- The journal: one row a request that must be remembered, its events, its evidence, its sealed answer.
-- States and their meaning: reversal specification §3. Uniqueness: §8. What may rest in clear: contract-annex X34.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    fixmedins_code TEXT NOT NULL,
    msgid TEXT NOT NULL,
    infno TEXT NOT NULL,
    klass TEXT NOT NULL,
    link TEXT NOT NULL,
    state TEXT NOT NULL,
    digest BLOB NOT NULL,
    business_key TEXT NOT NULL,
    soft_key TEXT NOT NULL,
    lane TEXT NOT NULL,
    psn_no TEXT NOT NULL,
    mdtrt_id TEXT NOT NULL,
    setl_id TEXT NOT NULL,
    omsgid TEXT NOT NULL,
    insuplc_admdvs TEXT NOT NULL,
    medfee_fen INTEGER,
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    -- What the platform's answer says of the settlement (JSON: setl_time, insutype, clr_*, amounts in fen); no person.
    settled TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX journal_msgid ON journal (fixmedins_code, msgid);
-- The database refuses what a race lets through: one live record a business key.
CREATE UNIQUE INDEX journal_business ON journal (business_key)
    WHERE business_key <> '' AND cancelled = 0 AND state NOT IN ('NOT_SENT', 'REJECTED', 'ABSENT', 'REVERSED');
CREATE INDEX journal_soft ON journal (soft_key, created_ms) WHERE soft_key <> '';
CREATE INDEX journal_setl ON journal (fixmedins_code, setl_id) WHERE setl_id <> '';
CREATE INDEX journal_open ON journal (state) WHERE state IN ('JOURNALED', 'SENT', 'IN_DOUBT', 'REVERSING', 'MANUAL');

-- Append-only; chain = SM3(chain of the row before | this row), so a changed row shows.
CREATE TABLE journal_event (
    id INTEGER PRIMARY KEY,
    journal_id INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    chain BLOB NOT NULL
);
CREATE INDEX journal_event_of ON journal_event (journal_id);

CREATE TABLE evidence (
    journal_id INTEGER NOT NULL,
    n INTEGER NOT NULL,
    path TEXT NOT NULL,
    system TEXT NOT NULL,
    local_code TEXT NOT NULL,
    national_code TEXT NOT NULL,
    version TEXT NOT NULL,
    day TEXT NOT NULL,
    PRIMARY KEY (journal_id, n)
) WITHOUT ROWID;

CREATE TABLE answer (
    journal_id INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
);

CREATE TRIGGER journal_event_no_update BEFORE UPDATE ON journal_event
BEGIN SELECT RAISE(ABORT, 'journal_event is append-only'); END;
CREATE TRIGGER journal_event_no_delete BEFORE DELETE ON journal_event
BEGIN SELECT RAISE(ABORT, 'journal_event is append-only'); END;

-- Written and emptied to learn whether space has come back after a full disk.
CREATE TABLE journal_probe (id INTEGER PRIMARY KEY);
