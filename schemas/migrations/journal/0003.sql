-- A journal that was restored from a backup (reversal specification §9): since when the platform must be asked about
-- everything before money is taken again. No row: it was not.
CREATE TABLE restored (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    since_ms INTEGER NOT NULL
);
