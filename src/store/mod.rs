//! Instance files on disk: part files, their final place, reading them back. Knows no SQL and no protocol.

mod disk;
mod error;
mod layout;
pub mod part10;
mod read;
mod spool;
mod write;
#[cfg(target_os = "linux")]
mod writeback;

pub use disk::{Disk, Faults, Space};
pub use error::{Operation, StoreError};
pub use layout::{Folder, InstanceStore, Place};
pub use read::StoredReader;
pub use spool::Spool;
pub use write::{Digests, PartFile};
