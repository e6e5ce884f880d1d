-- Settlement lists as they are collected: pieces of visits, sealed; and what was found when they were last examined.
CREATE TABLE visit (
  id INTEGER PRIMARY KEY,
  fixmedins_code TEXT NOT NULL,
  mdtrt_id TEXT NOT NULL,
  UNIQUE (fixmedins_code, mdtrt_id)
) STRICT;

-- Everything that was ever collected; the newest piece of each kind counts. digest: keyed, of the content.
CREATE TABLE piece (
  id INTEGER PRIMARY KEY,
  visit INTEGER NOT NULL REFERENCES visit,
  kind TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  source TEXT NOT NULL,
  digest TEXT NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX piece_visit ON piece (visit, id);
CREATE TRIGGER piece_stays BEFORE UPDATE ON piece BEGIN SELECT RAISE(ABORT, 'pieces stay'); END;
CREATE TRIGGER piece_is_kept BEFORE DELETE ON piece BEGIN SELECT RAISE(ABORT, 'pieces stay'); END;

-- What a visit's list came to when it was last examined. dept, doctor: codes; errors 0 = it may be sent.
CREATE TABLE examined (
  visit INTEGER PRIMARY KEY REFERENCES visit,
  at_ms INTEGER NOT NULL,
  rules TEXT NOT NULL,
  setl_id TEXT NOT NULL,
  discharged TEXT NOT NULL,
  dept TEXT NOT NULL,
  doctor TEXT NOT NULL,
  errors INTEGER NOT NULL,
  warnings INTEGER NOT NULL
) STRICT;
CREATE INDEX examined_day ON examined (discharged);
CREATE INDEX examined_setl ON examined (setl_id) WHERE setl_id <> '';

CREATE TABLE finding (
  visit INTEGER NOT NULL REFERENCES visit,
  n INTEGER NOT NULL,
  rule TEXT NOT NULL,
  level TEXT NOT NULL,
  path TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (visit, n)
) STRICT, WITHOUT ROWID;

-- Where a visit's list stands at the platform: sending (may have arrived), uploaded, submitted (4102), returned by
-- quality control, refused, unknown, not_sent.
-- digest: keyed, of the message that was sent.
CREATE TABLE upload (
  visit INTEGER PRIMARY KEY REFERENCES visit,
  state TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  msgid TEXT NOT NULL,
  setl_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  setl_list_id TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;

-- Every step of every upload stays.
CREATE TABLE upload_step (
  id INTEGER PRIMARY KEY,
  visit INTEGER NOT NULL REFERENCES visit,
  state TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  msgid TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE TRIGGER step_stays BEFORE UPDATE ON upload_step BEGIN SELECT RAISE(ABORT, 'steps stay'); END;
CREATE TRIGGER step_is_kept BEFORE DELETE ON upload_step BEGIN SELECT RAISE(ABORT, 'steps stay'); END;

-- What the platform's quality control says of a list (4104), by settlement; values it quotes are not kept.
CREATE TABLE quality (
  fixmedins_code TEXT NOT NULL,
  setl_id TEXT NOT NULL,
  setl_ym TEXT NOT NULL,
  qltctrl_rslt TEXT NOT NULL,
  err_lv TEXT NOT NULL,
  retn_flag TEXT NOT NULL,
  qltctrl_ver TEXT NOT NULL,
  qltctrl_time TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (fixmedins_code, setl_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE quality_detail (
  fixmedins_code TEXT NOT NULL,
  setl_id TEXT NOT NULL,
  n INTEGER NOT NULL,
  exam_data_fld TEXT NOT NULL,
  qltctrl_chk_rslt TEXT NOT NULL,
  err_lv TEXT NOT NULL,
  retn_flag TEXT NOT NULL,
  PRIMARY KEY (fixmedins_code, setl_id, n)
) STRICT, WITHOUT ROWID;
