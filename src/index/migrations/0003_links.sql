-- Patient links. What opens a link is kept as digests only: SHA-256 of the random part of its token,
-- argon2id of its desk code, HMAC of the birth date under a key that is not in this file. A copy of the
-- index opens nothing. Counters live here and not in memory, so that a restart forgives no guess.
CREATE TABLE patient_link (
    lid_sha256            BLOB    NOT NULL PRIMARY KEY,
    link_id               TEXT    NOT NULL UNIQUE,
    kid                   INTEGER NOT NULL,
    -- One study, or (when it is null) every study of a patient under issuer and ID.
    study_instance_uid    TEXT,
    issuer_of_patient_id  TEXT    NOT NULL,
    patient_id            TEXT    NOT NULL,
    -- HMAC of birth date and folded family name at grant; a study that differs is held back.
    identity_hmac         BLOB    NOT NULL,
    -- Null: not asked.
    birth_date_hmac       BLOB,
    code_argon2id         BLOB,
    meant_for             TEXT,
    granted_at_ms         INTEGER NOT NULL,
    granted_by            TEXT    NOT NULL,
    expires_at_ms         INTEGER NOT NULL,
    -- The token's own end: the row may be extended up to it, not beyond.
    expires_latest_ms     INTEGER NOT NULL,
    revoked_at_ms         INTEGER,
    tries_consecutive     INTEGER NOT NULL DEFAULT 0,
    tries_lifetime        INTEGER NOT NULL DEFAULT 0,
    wait_until_ms         INTEGER,
    first_verified_at_ms  INTEGER,
    last_verified_at_ms   INTEGER,
    verified              INTEGER NOT NULL DEFAULT 0,
    downloads             INTEGER NOT NULL DEFAULT 0,
    bytes                 INTEGER NOT NULL DEFAULT 0,
    -- The running week of the byte limit.
    week_began_at_ms      INTEGER NOT NULL DEFAULT 0,
    week_bytes            INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX patient_link_by_grant ON patient_link (granted_at_ms);

-- Tickets that were used, so that a download is one row of the trail however many ranges it takes.
CREATE TABLE download_ticket (
    ticket_sha256  BLOB    NOT NULL PRIMARY KEY,
    lid_sha256     BLOB    NOT NULL REFERENCES patient_link (lid_sha256),
    expires_at_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX download_ticket_by_expiry ON download_ticket (expires_at_ms);
