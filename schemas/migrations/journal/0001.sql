-- The journal: one row a request that must be remembered, its events, its evidence, its outcome.
-- States and their meaning: reversal specification §3. Uniqueness: §8. What may rest in clear: contract-annex X34.
-- What becomes known later stands in a table of its own that is only appended to: a row that grows, and an index that
-- follows the state, cost more than everything else (docs/performance.md).
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
    omsgid TEXT NOT NULL,
    insuplc_admdvs TEXT NOT NULL,
    medfee_fen INTEGER,
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    -- 1 until it failed or was cancelled: only a live record holds its business key.
    live INTEGER NOT NULL DEFAULT 1,
    cancelled INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX journal_msgid ON journal (fixmedins_code, msgid);
-- The database refuses what a race lets through: one live record a business key.
CREATE UNIQUE INDEX journal_business ON journal (business_key) WHERE business_key <> '' AND live = 1;
CREATE INDEX journal_soft ON journal (soft_key, created_ms) WHERE soft_key <> '';
CREATE INDEX journal_open ON journal (state) WHERE state IN ('JOURNALED', 'SENT', 'IN_DOUBT', 'REVERSING', 'MANUAL');

-- Append-only; chain = SM3(chain of the row before | this row), so a changed row shows. number orders all of them.
-- facts = SM3 of what the event made known (the request's row and evidence, or the outcome), empty when nothing: so a
-- changed amount shows too.
CREATE TABLE journal_event (
    journal_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    facts BLOB NOT NULL,
    chain BLOB NOT NULL,
    PRIMARY KEY (journal_id, number)
) WITHOUT ROWID;

-- The newest event, so that a start need not look for it; also proves that a write works after a full disk.
CREATE TABLE chain_head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL,
    chain BLOB NOT NULL
);
INSERT INTO chain_head VALUES (1, 0, zeroblob(32));

-- One evidence row a translated field, kept packed: a list of [path, system, local, national, version, day] a request.
CREATE TABLE evidence_packed (
    journal_id INTEGER PRIMARY KEY,
    rows TEXT NOT NULL
);
CREATE VIEW evidence AS
SELECT p.journal_id, e.key AS n, json_extract(e.value, '$[0]') AS path, json_extract(e.value, '$[1]') AS system,
    json_extract(e.value, '$[2]') AS local_code, json_extract(e.value, '$[3]') AS national_code,
    json_extract(e.value, '$[4]') AS version, json_extract(e.value, '$[5]') AS day
FROM evidence_packed p, json_each(p.rows) e;

-- settled: what the platform's answer says of the settlement (JSON: setl_time, insutype, clr_*, amounts in fen); no
-- person. sealed: the answer as the institution got it, encrypted whole.
CREATE TABLE outcome (
    journal_id INTEGER PRIMARY KEY,
    setl_id TEXT NOT NULL,
    mdtrt_id TEXT NOT NULL,
    settled TEXT NOT NULL,
    delivered INTEGER NOT NULL,
    sealed BLOB
);
CREATE INDEX outcome_setl ON outcome (setl_id) WHERE setl_id <> '';

CREATE VIEW journal_row AS
SELECT j.id, j.fixmedins_code, j.msgid, j.infno, j.klass, j.link, j.state, j.digest, j.business_key, j.soft_key, j.lane,
    j.psn_no, CASE WHEN coalesce(o.mdtrt_id, '') = '' THEN j.mdtrt_id ELSE o.mdtrt_id END AS mdtrt_id,
    coalesce(o.setl_id, '') AS setl_id, j.omsgid, j.insuplc_admdvs, j.medfee_fen, j.created_ms,
    coalesce(o.delivered, 0) AS delivered, j.cancelled, coalesce(o.settled, '') AS settled, j.live, o.sealed
FROM journal j LEFT JOIN outcome o ON o.journal_id = j.id;

CREATE TRIGGER journal_event_no_update BEFORE UPDATE ON journal_event
BEGIN SELECT RAISE(ABORT, 'journal_event is append-only'); END;
CREATE TRIGGER journal_event_no_delete BEFORE DELETE ON journal_event
BEGIN SELECT RAISE(ABORT, 'journal_event is append-only'); END;
