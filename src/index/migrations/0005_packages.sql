-- Frozen versions of the packages that patients download.
--
-- A download that is broken off and taken up again days later, after a restart or an upgrade, must find
-- the same bytes under the same entity tag. So the list of files, and the bytes of those that are made
-- for a package (README.TXT, INDEX.HTM, DICOMDIR, SHA256.TXT), are kept and not computed again.
-- `revisions` names each study with its revision when the version was made: another revision, another
-- version. `files` is compressed.
CREATE TABLE package (
    scope         TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    revisions     TEXT    NOT NULL,
    etag          TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    files         BLOB    NOT NULL,
    PRIMARY KEY (scope, version)
) STRICT;
