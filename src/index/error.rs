//! What can go wrong in the index, as far as a caller can tell apart.

use std::error::Error;

type Cause = Box<dyn Error + Send + Sync>;

/// A fault of the index. `Display` holds no value from a row.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// SQLITE_FULL: no space for the transaction. Nothing of it was kept; the index stays usable.
    #[error("no space left for the index")]
    Full,
    /// Another process holds the index, or no reader became free in time.
    #[error("index is busy")]
    Busy,
    /// The search ran into its time limit (`limits.search_timeout`).
    #[error("search takes too long; give it more or longer keys")]
    TooSlow,
    /// The file is damaged or no index.
    #[error("index file is damaged")]
    Corrupt(#[source] Cause),
    /// Reading or writing the file failed. After a failed sync nothing more is known about what is on
    /// the disk, so intake stops.
    #[error("index file could not be read or written")]
    Io(#[source] Cause),
    #[error("SQLite {0} is older than 3.51.3, which has a bug that damages indexes")]
    TooOld(String),
    #[error("index could not be brought to this version's form")]
    Migration(#[source] Cause),
    /// The query asks for an attribute that is not searchable, or not at its level.
    #[error("attribute {0} cannot be matched at this level")]
    NotSearchable(String),
    /// A row says what this version cannot read.
    #[error("index row cannot be read")]
    Row,
    /// The same SOP Instance UID was recorded meanwhile.
    #[error("instance is recorded already")]
    Taken,
    #[error("index failed")]
    Other(#[source] Cause),
}

impl IndexError {
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full)
    }
}

/// Primary result codes of SQLite (sqlite.org/rescode.html).
const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const INTERRUPT: i64 = 9;
const IOERR: i64 = 10;
const CORRUPT: i64 = 11;
const FULL: i64 = 13;
const NOTADB: i64 = 26;
const CONSTRAINT_UNIQUE: i64 = 2067;

impl From<sqlx::Error> for IndexError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<i64>().ok()),
            sqlx::Error::PoolTimedOut => Some(BUSY),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => return Self::Row,
            _ => None,
        };
        match code {
            Some(CONSTRAINT_UNIQUE) => Self::Taken,
            Some(code) => match code & 0xFF {
                FULL => Self::Full,
                BUSY | LOCKED => Self::Busy,
                INTERRUPT => Self::TooSlow,
                CORRUPT | NOTADB => Self::Corrupt(Box::new(error)),
                IOERR => Self::Io(Box::new(error)),
                _ => Self::Other(Box::new(error)),
            },
            None => Self::Other(Box::new(error)),
        }
    }
}
