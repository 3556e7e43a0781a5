-- Access tokens of DICOMweb and API callers (`bluebridge token create`). Only the SHA-256 of a token is
-- kept: who reads this file can open nothing with it. A revoked or expired row stays, so that the trail's
-- token numbers keep their names.
CREATE TABLE access_token (
    token_id        TEXT    NOT NULL PRIMARY KEY,
    sha256          BLOB    NOT NULL UNIQUE,
    name            TEXT    NOT NULL,
    scopes          TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    expires_at_ms   INTEGER NOT NULL,
    revoked_at_ms   INTEGER,
    last_used_at_ms INTEGER
) STRICT, WITHOUT ROWID;
