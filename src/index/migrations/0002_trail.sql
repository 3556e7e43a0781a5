-- The audit trail (PS3.15 §A.5): rows are only ever appended, each chained to the one before it, in the
-- transaction of what they tell of. `event` is the canonical JSON that the hash covers.
CREATE TABLE trail (
    sequence    INTEGER PRIMARY KEY,
    recorded_ms INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    event       TEXT    NOT NULL,
    prev_hash   BLOB    NOT NULL,
    hash        BLOB    NOT NULL
) STRICT;
-- Who looked at this study.
CREATE TABLE trail_study (
    study_instance_uid TEXT    NOT NULL,
    sequence           INTEGER NOT NULL REFERENCES trail (sequence),
    PRIMARY KEY (study_instance_uid, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER trail_keeps_its_rows BEFORE UPDATE ON trail BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER trail_loses_no_row BEFORE DELETE ON trail BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER trail_study_keeps_its_rows BEFORE UPDATE ON trail_study BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER trail_study_loses_no_row BEFORE DELETE ON trail_study BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
