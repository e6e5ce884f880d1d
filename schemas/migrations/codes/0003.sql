-- National libraries of millions of rows. Records lie in the order they came, so that an import only appends; they are
-- found by code through a narrow table of their own, filled in the order of the codes once all records are there, and by
-- name through an index of their words. Nothing is edited in place; what has no release counts for nothing.
ALTER TABLE library ADD COLUMN kind TEXT NOT NULL DEFAULT 'import';  -- 'import': a file; 'record': one record by hand
ALTER TABLE library ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;     -- 1: what came before counts no more
ALTER TABLE library ADD COLUMN columns TEXT NOT NULL DEFAULT '[]';   -- titles the file had, JSON; an empty cell is not kept
ALTER TABLE release ADD COLUMN first INTEGER NOT NULL DEFAULT 0;     -- its records' ids, first to last
ALTER TABLE release ADD COLUMN last INTEGER NOT NULL DEFAULT 0;
ALTER TABLE release ADD COLUMN worded INTEGER NOT NULL DEFAULT 0;    -- 1: all its names are in library_words

CREATE TABLE library_system (
    id INTEGER PRIMARY KEY,
    system TEXT NOT NULL UNIQUE
);
-- An id is never used again, so the words of an abandoned import point nowhere.
CREATE TABLE library_record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    library INTEGER NOT NULL,   -- no REFERENCES: its check would read every record whenever a library is swept
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    begndate TEXT NOT NULL,     -- yyyy-MM-dd, '' = open
    enddate TEXT NOT NULL,
    vali_flag TEXT NOT NULL,    -- '1' usable, '0' not
    gray TEXT NOT NULL,         -- '1': stands in the tree, may not be a target (mapping rules §5)
    replaced_by TEXT NOT NULL,  -- the code to use instead, '' = none named
    line INTEGER NOT NULL       -- line of the file, header = 1
);
-- Beside the record and not in it: counting and looking up must not read ten times as many pages.
CREATE TABLE library_raw (
    record INTEGER PRIMARY KEY,
    raw TEXT NOT NULL           -- the file's columns as JSON; identity numbers are not kept
);
CREATE TABLE library_code (
    system INTEGER NOT NULL REFERENCES library_system (id),
    code TEXT NOT NULL,
    library INTEGER NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (system, code, library)
) WITHOUT ROWID;
-- Pairs of neighbouring characters of a name, and its pinyin initials; rowid = id of the record.
CREATE VIRTUAL TABLE library_words USING fts5 (
    words, content = '', detail = none, tokenize = 'unicode61 remove_diacritics 0'
);

INSERT INTO library_system (system) SELECT DISTINCT system FROM library ORDER BY system;
INSERT INTO library_record (library, code, name, begndate, enddate, vali_flag, gray, replaced_by, line)
    SELECT r.library, r.code, r.name, r.begndate, r.enddate, r.vali_flag, r.gray,
        coalesce(json_extract(r.raw, '$.replaced_by'), ''), r.line
    FROM library_row r JOIN release ON release.library = r.library ORDER BY r.library, r.line;
INSERT INTO library_raw SELECT library_record.id, r.raw
    FROM library_record JOIN library_row r ON r.library = library_record.library AND r.code = library_record.code;
INSERT INTO library_code
    SELECT library_system.id, library_record.code, library_record.library, library_record.id
    FROM library_record JOIN library ON library.id = library_record.library
    JOIN library_system ON library_system.system = library.system;
UPDATE release SET
    first = coalesce((SELECT min(id) FROM library_record r WHERE r.library = release.library), 0),
    last = coalesce((SELECT max(id) FROM library_record r WHERE r.library = release.library), 0);
DROP TABLE library_row;
CREATE VIEW library_row AS
    SELECT library, code, name, begndate, enddate, vali_flag, gray, line, raw
    FROM library_record JOIN library_raw ON library_raw.record = library_record.id;
CREATE TRIGGER library_record_no_update BEFORE UPDATE ON library_record
    BEGIN SELECT RAISE(ABORT, 'library records are never edited'); END;
