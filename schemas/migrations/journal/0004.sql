-- Which groups of a daily statement (3202: agency and kind of clearing) an institution's settlements were listed in, over
-- the whole journal (reconciliation specification §3.1: 400 days). last_ms: when one was made, to a day.
CREATE TABLE settled_kind (
    fixmedins_code TEXT NOT NULL,
    link TEXT NOT NULL,
    infno TEXT NOT NULL,
    insuplc_admdvs TEXT NOT NULL,
    med_type TEXT NOT NULL,
    clr_optins TEXT NOT NULL,
    clr_type TEXT NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (fixmedins_code, link, infno, insuplc_admdvs, med_type, clr_optins, clr_type)
) WITHOUT ROWID;
INSERT INTO settled_kind
SELECT fixmedins_code, link, infno, insuplc_admdvs, med_type, json_extract(settled, '$.clr_optins') AS optins,
    json_extract(settled, '$.clr_type') AS kind, max(created_ms)
FROM journal_row
WHERE klass = 'M' AND state IN ('ACKED', 'CONFIRMED') AND json_valid(settled) AND optins <> '' AND kind <> ''
GROUP BY 1, 2, 3, 4, 5, 6, 7;

-- What a restored journal's platforms were asked before money was taken again: the newest of each stands. asked_groups:
-- a JSON list of [agency, kind of clearing]; theirs: rows only the agency has, unnamed: those of them without a msgid.
CREATE TABLE restored_asked (
    fixmedins_code TEXT NOT NULL,
    link TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    first_day TEXT NOT NULL,
    last_day TEXT NOT NULL,
    asked_groups TEXT NOT NULL,
    theirs INTEGER NOT NULL,
    unnamed INTEGER NOT NULL,
    PRIMARY KEY (fixmedins_code, link)
) WITHOUT ROWID;
