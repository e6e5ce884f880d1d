-- What was sent last, sealed: 4103 is compared with it. digest: keyed, as in `upload`.
CREATE TABLE sent (
  visit INTEGER PRIMARY KEY REFERENCES visit,
  digest TEXT NOT NULL,
  sealed BLOB NOT NULL
) STRICT;

-- What came of reading a list back (4103): same, differs, absent. Places and sentences, no values.
CREATE TABLE compared (
  visit INTEGER PRIMARY KEY REFERENCES visit,
  at_ms INTEGER NOT NULL,
  digest TEXT NOT NULL,
  state TEXT NOT NULL,
  differences INTEGER NOT NULL
) STRICT;
CREATE TABLE difference (
  visit INTEGER NOT NULL REFERENCES visit,
  n INTEGER NOT NULL,
  path TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (visit, n)
) STRICT, WITHOUT ROWID;

-- 4105 against our own books, by month of settlement (yyyy-MM): lists that are due, and lists that are there.
CREATE TABLE counted (
  fixmedins_code TEXT NOT NULL,
  month TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  due_theirs INTEGER NOT NULL,
  due_ours INTEGER NOT NULL,
  there_theirs INTEGER NOT NULL,
  there_ours INTEGER NOT NULL,
  PRIMARY KEY (fixmedins_code, month)
) STRICT, WITHOUT ROWID;

-- Which mapping translated what when a list was last examined, packed as in the journal (annex X34): a list of
-- [path, system, local, national, version, day]. Only codes of approved mapping rows, no person.
CREATE TABLE evidence (
  visit INTEGER PRIMARY KEY REFERENCES visit,
  rows TEXT NOT NULL
) STRICT;
CREATE INDEX upload_setl ON upload (setl_id);

-- What was charged in visits, out of the journal's evidence rows of 2301 and 2204: kinds (comma between) and days.
CREATE TABLE charged (
  fixmedins_code TEXT NOT NULL,
  mdtrt_id TEXT NOT NULL,
  kinds TEXT NOT NULL,
  first_day TEXT NOT NULL,
  last_day TEXT NOT NULL,
  PRIMARY KEY (fixmedins_code, mdtrt_id)
) STRICT, WITHOUT ROWID;
-- Up to which row of the journal; msgid tells whether it still is that journal.
CREATE TABLE charged_to (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  journal_id INTEGER NOT NULL,
  msgid TEXT NOT NULL
) STRICT;
