-- Store and forward of reversals (reversal specification §5.1), what a reversal after a restart must carry, and a lease.
ALTER TABLE journal ADD COLUMN mdtrtarea_admvs TEXT NOT NULL DEFAULT '';

-- id: the record that ends with it; original_id: what is reversed. At most one live reversal an original (RV5).
CREATE TABLE saf (
    id INTEGER PRIMARY KEY,
    original_id INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('QUEUED', 'INFLIGHT', 'DONE', 'DEAD')),
    attempt INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    next_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX saf_live ON saf (original_id) WHERE state IN ('QUEUED', 'INFLIGHT');
-- The sendings of a reversal, found from their original.
CREATE INDEX journal_omsgid ON journal (fixmedins_code, omsgid) WHERE omsgid <> '';

-- The envelope head an institution sent last: areas, receiver, version, sign-in number. No person.
CREATE TABLE envelope_head (
    fixmedins_code TEXT PRIMARY KEY,
    head TEXT NOT NULL
);

-- The fencing token: who opened last. Whoever finds another's token here writes nothing any more.
ALTER TABLE chain_head ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;

DROP VIEW journal_row;
CREATE VIEW journal_row AS
SELECT j.id, j.fixmedins_code, j.msgid, j.infno, j.klass, j.link, j.state, j.digest, j.business_key, j.soft_key, j.lane,
    j.psn_no, CASE WHEN coalesce(o.mdtrt_id, '') = '' THEN j.mdtrt_id ELSE o.mdtrt_id END AS mdtrt_id,
    coalesce(o.setl_id, '') AS setl_id, j.omsgid, j.insuplc_admdvs, j.mdtrtarea_admvs, j.medfee_fen, j.created_ms,
    coalesce(o.delivered, 0) AS delivered, j.cancelled, coalesce(o.settled, '') AS settled, j.live, o.sealed
FROM journal j LEFT JOIN outcome o ON o.journal_id = j.id;
