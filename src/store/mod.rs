//! Instance files on disk: part files, their final place, reading them back. Knows no SQL and no protocol.
