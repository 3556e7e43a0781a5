-- What is stored where, found by attribute.
--
-- A study or series row carries its aggregates, so that a query touches only the rows it answers with
-- (PS3.4 §C.3.4). Columns hold what is matched often, in the form it is matched in: dates and times
-- without punctuation, person names folded, '' for absent, so that every comparison is on bytes.
-- `attributes` holds every searchable attribute of the level as JSON: {"00100010":["DOE^JANE"],...}, and
-- under "~00081050" the folded names of PN attributes that have no column of their own.
-- Numbers are -2147483649 for absent.
-- Lists in columns are written \CT\MR\ so that one value is found by its surroundings.
CREATE TABLE study (
    id                       INTEGER PRIMARY KEY,
    study_instance_uid       TEXT    NOT NULL UNIQUE,
    study_date               TEXT    NOT NULL,
    study_time               TEXT    NOT NULL,
    accession_number         TEXT    NOT NULL,
    study_id                 TEXT    NOT NULL,
    study_description        TEXT    NOT NULL,
    referring_physician_name TEXT    NOT NULL,
    patient_name             TEXT    NOT NULL,
    patient_id               TEXT    NOT NULL,
    issuer_of_patient_id     TEXT    NOT NULL,
    patient_birth_date       TEXT    NOT NULL,
    patient_sex              TEXT    NOT NULL,
    modalities_in_study      TEXT    NOT NULL,
    sop_classes_in_study     TEXT    NOT NULL,
    series_count             INTEGER NOT NULL,
    instance_count           INTEGER NOT NULL,
    size_bytes               INTEGER NOT NULL,
    revision                 INTEGER NOT NULL,
    first_received_ms        INTEGER NOT NULL,
    last_change_ms           INTEGER NOT NULL,
    blocked                  INTEGER NOT NULL,
    attributes               TEXT    NOT NULL
) STRICT;

-- The order of every answer: newest study first. The columns behind the id let a walk in this order
-- skip what does not match without visiting the row.
CREATE INDEX study_newest ON study
    (study_date DESC, study_time DESC, id DESC, patient_name, modalities_in_study);
CREATE INDEX study_by_patient_id ON study (patient_id, study_date DESC, study_time DESC, id DESC);
CREATE INDEX study_by_accession_number ON study (accession_number, study_date DESC, study_time DESC, id DESC);
CREATE INDEX study_by_study_id ON study (study_id, study_date DESC, study_time DESC, id DESC);
CREATE INDEX study_by_birth_date ON study (patient_birth_date, study_date DESC, study_time DESC, id DESC);

-- Distinct values of the text attributes that people search for by parts: a hospital has many studies
-- and few names. kind: 1 patient name (folded, a row for each component group), 2 patient ID,
-- 3 accession number, 4 study description, 5 referring physician (folded).
CREATE TABLE term (
    id    INTEGER PRIMARY KEY,
    kind  INTEGER NOT NULL,
    value TEXT    NOT NULL,
    UNIQUE (kind, value)
) STRICT;
CREATE TABLE term_study (
    term_id  INTEGER NOT NULL,
    study_id INTEGER NOT NULL,
    PRIMARY KEY (term_id, study_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
    id                       INTEGER PRIMARY KEY,
    study_id                 INTEGER NOT NULL REFERENCES study (id),
    series_instance_uid      TEXT    NOT NULL,
    series_number            INTEGER NOT NULL,
    modality                 TEXT    NOT NULL,
    series_description       TEXT    NOT NULL,
    body_part_examined       TEXT    NOT NULL,
    series_date              TEXT    NOT NULL,
    performed_procedure_step_start_date TEXT NOT NULL,
    sop_classes              TEXT    NOT NULL,
    instance_count           INTEGER NOT NULL,
    size_bytes               INTEGER NOT NULL,
    revision                 INTEGER NOT NULL,
    last_change_ms           INTEGER NOT NULL,
    attributes               TEXT    NOT NULL,
    UNIQUE (study_id, series_instance_uid)
) STRICT;
-- A Series Instance UID is unique by the standard and not always in practice.
CREATE INDEX series_by_uid ON series (series_instance_uid);

CREATE TABLE instance (
    id                       INTEGER PRIMARY KEY,
    series_id                INTEGER NOT NULL REFERENCES series (id),
    sop_instance_uid         TEXT    NOT NULL UNIQUE,
    sop_class_uid            TEXT    NOT NULL,
    instance_number          INTEGER NOT NULL,
    number_of_frames         INTEGER NOT NULL,
    transfer_syntax_uid      TEXT    NOT NULL,
    directory                TEXT    NOT NULL,
    file_name                TEXT    NOT NULL,
    size_bytes               INTEGER NOT NULL,
    crc32                    INTEGER NOT NULL,
    sha256                   BLOB    NOT NULL,
    dataset_offset           INTEGER NOT NULL,
    received_at_ms           INTEGER NOT NULL,
    peer                     TEXT,
    calling_ae_title         TEXT,
    called_ae_title          TEXT,
    address                  TEXT,
    attributes               TEXT    NOT NULL
) STRICT;
CREATE INDEX instance_in_order ON instance (series_id, instance_number, sop_instance_uid);
-- What a directory of objects should hold, for the comparison after an unclean stop.
CREATE INDEX instance_by_directory ON instance (directory);

-- Large values live apart, so that a search never pages over them. `metadata` is domain::metadata,
-- `pixels` domain::instance::PixelFacts with its frame table.
CREATE TABLE instance_metadata (
    instance_id INTEGER PRIMARY KEY REFERENCES instance (id),
    metadata    BLOB NOT NULL,
    pixels      BLOB
) STRICT;

-- What is kept beside the served instance of its UID, and studies in which patients were mixed up
-- (those have no file).
CREATE TABLE conflict (
    id                  TEXT    PRIMARY KEY,
    kind                TEXT    NOT NULL,
    severity            TEXT    NOT NULL,
    study_instance_uid  TEXT    NOT NULL,
    sop_instance_uid    TEXT    NOT NULL,
    path                TEXT,
    size_bytes          INTEGER NOT NULL,
    received_at_ms      INTEGER NOT NULL,
    calling_ae_title    TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
    id                  TEXT    PRIMARY KEY,
    reason              TEXT    NOT NULL,
    offending           TEXT,
    path                TEXT    NOT NULL,
    size_bytes          INTEGER NOT NULL,
    received_at_ms      INTEGER NOT NULL,
    calling_ae_title    TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- SQLite's own full text index over the terms: any run of three characters or more is found without
-- reading every name. The triggers are the only writers.
CREATE VIRTUAL TABLE term_text USING fts5 (value, content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1');
CREATE TRIGGER term_inserted AFTER INSERT ON term BEGIN
    INSERT INTO term_text (rowid, value) VALUES (new.id, new.value);
END;
CREATE TRIGGER term_deleted AFTER DELETE ON term BEGIN
    DELETE FROM term_text WHERE rowid = old.id;
END;
