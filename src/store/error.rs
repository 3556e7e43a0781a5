//! What can go wrong with the disk.

use std::io;

/// The operation that failed, in the words of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Create,
    Write,
    Sync,
    SyncDirectory,
    Rename,
    Remove,
    MakeDirectory,
    Read,
    FreeSpace,
}

/// A disk operation of ours that failed. Holds no path: file names are digests and ULIDs, and the log
/// line of the door names the operation.
#[derive(Debug, thiserror::Error)]
#[error("disk: {operation:?} failed")]
pub struct StoreError {
    pub operation: Operation,
    #[source]
    pub cause: io::Error,
}

impl StoreError {
    pub(crate) fn new(operation: Operation, cause: io::Error) -> Self {
        Self { operation, cause }
    }
    pub fn reading(cause: io::Error) -> Self {
        Self::new(Operation::Read, cause)
    }
    /// The file system is full, or its quota is used up.
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.cause.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
    /// A sync that failed for another reason than space: what the disk holds is no longer known, and
    /// asking again may falsely succeed because the kernel drops the pages it could not write.
    pub fn is_lost_sync(&self) -> bool {
        matches!(self.operation, Operation::Sync | Operation::SyncDirectory) && !self.is_no_space()
    }
}
