-- A journal that was restored from a backup (reversal specification §9): since when the platform must be asked about
-- everything before money is taken again. No row: it was not.
CREATE TABLE restored (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    since_ms INTEGER NOT NULL
);

-- 5201 wants the kind of treatment, and a restart must still know it.
ALTER TABLE journal ADD COLUMN med_type TEXT NOT NULL DEFAULT '';

DROP VIEW journal_row;
CREATE VIEW journal_row AS
SELECT j.id, j.fixmedins_code, j.msgid, j.infno, j.klass, j.link, j.state, j.digest, j.business_key, j.soft_key, j.lane,
    j.psn_no, CASE WHEN coalesce(o.mdtrt_id, '') = '' THEN j.mdtrt_id ELSE o.mdtrt_id END AS mdtrt_id,
    coalesce(o.setl_id, '') AS setl_id, j.omsgid, j.insuplc_admdvs, j.mdtrtarea_admvs, j.med_type, j.medfee_fen,
    j.created_ms, coalesce(o.delivered, 0) AS delivered, j.cancelled, coalesce(o.settled, '') AS settled, j.live, o.sealed
FROM journal j LEFT JOIN outcome o ON o.journal_id = j.id;
