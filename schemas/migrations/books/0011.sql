-- What the ledgers of a leg say of a record, as a digest (SM3): a difference shows one component, so that it looked the same
-- when others had changed. NULL: found before this script.
ALTER TABLE diff ADD COLUMN said_sm3 TEXT;
