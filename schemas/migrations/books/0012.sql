-- Where a run looked for what its refunds cancel: files of older dates. One that comes later is a reason to run again.
CREATE TABLE run_back (
  run_id TEXT NOT NULL REFERENCES recon_run,
  biz_date TEXT NOT NULL,
  institution TEXT NOT NULL,
  PRIMARY KEY (run_id, biz_date, institution)
) STRICT, WITHOUT ROWID;
