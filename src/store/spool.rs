//! Bytes that are needed once more before they are part of an instance: a file without a name, gone with
//! whoever holds it, also after a crash.

use super::{Disk, Operation, StoreError};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

const PORTION: u64 = 256 << 10;

/// An unnamed file that is appended to and read at positions.
#[derive(Debug)]
pub struct Spool {
    disk: Disk,
    file: File,
    size_bytes: u64,
}

impl Spool {
    pub(super) fn create(disk: &Disk, path: &Path) -> Result<Self, StoreError> {
        let file = disk.create(path)?;
        disk.remove(path)?;
        Ok(Self { disk: disk.clone(), file, size_bytes: 0 })
    }
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.disk.write_all(&self.file, bytes)?;
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }
    /// Shows the bytes of `range`, which must have been written, in portions. Ends with the first error of
    /// `each`, which is handed back within `Ok`.
    pub fn read<E>(
        &self,
        range: Range<u64>,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Result<(), E>, StoreError> {
        let mut buffer = vec![0; usize::try_from(PORTION.min(range.end.saturating_sub(range.start))).unwrap_or(0)];
        let mut at = range.start;
        while at < range.end {
            let length = usize::try_from(PORTION.min(range.end - at)).unwrap_or(0);
            let Some(portion) = buffer.get_mut(..length) else { break };
            self.file.read_exact_at(portion, at).map_err(|cause: io::Error| StoreError::new(Operation::Read, cause))?;
            if let Err(error) = each(portion) {
                return Ok(Err(error));
            }
            at += length as u64;
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_read_back_and_leaves_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(&Disk::default(), &folder.path().join("x.part")).unwrap();
        let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
        bytes.chunks(70_001).for_each(|chunk| spool.append(chunk).unwrap());
        assert_eq!(spool.size_bytes(), 700_000);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        for range in [0..700_000, 3..3, 5..262_149, 262_144..699_999] {
            let mut read = Vec::new();
            spool
                .read::<()>(range.start as u64..range.end as u64, |portion| {
                    read.extend_from_slice(portion);
                    Ok(())
                })
                .unwrap()
                .unwrap();
            assert!(read == bytes[range.clone()], "{range:?}");
        }
        assert!(spool.read::<()>(699_999..700_001, |_| Ok(())).is_err(), "beyond the end");
        assert_eq!(spool.read(0..700_000, |_| Err("enough")).unwrap(), Err("enough"));
    }
}
