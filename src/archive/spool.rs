//! Bulk data of an upload, kept until the metadata that refers to it is written as an instance.

use super::shared::Shared;
use super::{Archive, Intake, ReceiveError};
use crate::store;
use std::ops::Range;
use std::sync::Arc;

/// Bytes aside, under the same floors of free space as instances. Blocking file I/O.
pub struct Spool {
    shared: Arc<Shared>,
    file: store::Spool,
}

impl Archive {
    pub fn spool(&self) -> Result<Spool, ReceiveError> {
        self.shared.check_intake()?;
        self.shared.space.hard()?;
        let file = self.shared.store.new_spool().map_err(|error| self.shared.disk_failed(error))?;
        Ok(Spool { shared: self.shared.clone(), file })
    }
}

impl Spool {
    pub fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        self.shared.space.take(bytes.len())?;
        self.file.append(bytes).map_err(|error| self.shared.disk_failed(error))
    }
    /// Up to `most` bytes from `range` on.
    pub fn head(&self, range: &Range<u64>, most: u64) -> Result<Vec<u8>, ReceiveError> {
        let mut head = Vec::new();
        let end = range.end.min(range.start.saturating_add(most));
        let read = self.file.read(range.start..end, |bytes| {
            head.extend_from_slice(bytes);
            Ok::<_, ReceiveError>(())
        });
        read.map_err(|error| self.shared.disk_failed(error))??;
        Ok(head)
    }
    /// Writes `range` as the next bytes of a data set.
    pub fn copy(&self, range: Range<u64>, into: &mut Intake) -> Result<(), ReceiveError> {
        self.file.read(range, |bytes| into.write(bytes)).map_err(|error| self.shared.disk_failed(error))?
    }
}
