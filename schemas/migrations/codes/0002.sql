-- The two-person life of a mapping (mapping rules §7), beside what 0001 keeps. Only columns with a default and new tables:
-- what 0001 holds stays valid as it is, and '' in a column means "from before".

-- What the local side says of the item (name, specification, producer, price, ...) as JSON; no identity numbers.
ALTER TABLE mapping ADD COLUMN facts TEXT NOT NULL DEFAULT '';
-- import = a file; retire = the closing of rows, whose content checks are not those of a new mapping.
ALTER TABLE batch ADD COLUMN kind TEXT NOT NULL DEFAULT 'import';
ALTER TABLE batch ADD COLUMN reason TEXT NOT NULL DEFAULT '';
-- SM3 of the rows as stored: what the second person sees is what the first one wrote. (digest is of the file's bytes.)
ALTER TABLE proposal ADD COLUMN content TEXT NOT NULL DEFAULT '';
-- The library version the rows were judged against.
ALTER TABLE approval ADD COLUMN catalogue TEXT NOT NULL DEFAULT '';

-- A proposal the second person gave back: its undecided rows wait for nobody any more.
CREATE TABLE returned (
    batch INTEGER PRIMARY KEY REFERENCES batch (id),
    reviewer TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL
);
