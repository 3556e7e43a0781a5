-- What was deleted. The instance, series and study rows are gone; these say that they were there, so that a
-- crash between the deletion and the removal of the files heals, so that a mistake can be undone while the
-- files are kept, and so that followers of the change feed hear of it.
--
-- `sequence` comes from the counter that numbers instances: together the two are the order in which
-- everything was committed.
CREATE TABLE deletion (
    sequence             INTEGER PRIMARY KEY,
    -- study, series or instance
    level                TEXT    NOT NULL,
    study_instance_uid   TEXT    NOT NULL,
    series_instance_uid  TEXT,
    sop_instance_uid     TEXT,
    deleted_at_ms        INTEGER NOT NULL,
    instances            INTEGER NOT NULL,
    size_bytes           INTEGER NOT NULL,
    -- Whose study it was, for callers who may hear of one patient only.
    patient_id           TEXT    NOT NULL,
    issuer_of_patient_id TEXT    NOT NULL,
    blocked              INTEGER NOT NULL
) STRICT;

-- One for each file. `path` is where it was; kept, it is deleted/<deletion>-<number>.dcm.
CREATE TABLE deleted_file (
    deletion           INTEGER NOT NULL REFERENCES deletion (sequence),
    number             INTEGER NOT NULL,
    -- Null for a copy that was kept in conflict.
    instance_id        INTEGER,
    sop_instance_uid   TEXT    NOT NULL,
    path               TEXT    NOT NULL,
    size_bytes         INTEGER NOT NULL,
    -- 0 still at `path`; 1 kept; 2 removed for good; 3 its place was taken by the same bytes, sent again;
    -- 4 restored.
    state              INTEGER NOT NULL,
    PRIMARY KEY (deletion, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX deleted_file_pending ON deleted_file (deletion, number) WHERE state = 0;
CREATE INDEX deleted_file_kept ON deleted_file (deletion, number) WHERE state = 1;
