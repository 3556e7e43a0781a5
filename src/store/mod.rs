//! Instance files on disk: part files, their final place, reading them back. Knows no SQL and no protocol.

mod error;
mod read;

pub use error::{Operation, StoreError};
pub use read::StoredReader;
