-- The month as the province gets it (§7.2; 003 7.6.4.5 b): every settlement that passed leg L1 and the three-way check,
-- with its deductions. request: the idempotency key, here before anything leaves. content: JSON, never changed; state:
-- SENDING, DONE, IN_DOUBT, REFUSED, NOT_SENT, the last of month_upload_event.
CREATE TABLE month_upload (
  id INTEGER PRIMARY KEY,
  role TEXT NOT NULL,
  month TEXT NOT NULL,
  revision INTEGER NOT NULL,
  request TEXT NOT NULL UNIQUE,
  content TEXT NOT NULL,
  state TEXT NOT NULL,
  receipt TEXT NOT NULL DEFAULT '',
  who TEXT NOT NULL,
  changed_ms INTEGER NOT NULL,
  UNIQUE (role, month, revision)
) STRICT;
CREATE TABLE month_upload_event (
  id INTEGER PRIMARY KEY,
  upload INTEGER NOT NULL REFERENCES month_upload,
  state TEXT NOT NULL,
  who TEXT NOT NULL,
  note TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX month_upload_event_of ON month_upload_event (upload, id);
CREATE TRIGGER month_upload_remains BEFORE DELETE ON month_upload BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER month_upload_stays BEFORE UPDATE OF role, month, revision, request, content, who ON month_upload
  BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER month_upload_event_stays BEFORE UPDATE ON month_upload_event BEGIN SELECT RAISE(ABORT, 'kept'); END;
CREATE TRIGGER month_upload_event_remains BEFORE DELETE ON month_upload_event BEGIN SELECT RAISE(ABORT, 'kept'); END;
