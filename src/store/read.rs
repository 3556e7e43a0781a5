//! Reading stored instances at a position. Only this file opens them.

use super::{Digests, Operation, StoreError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// An open instance file. Positioned reads only, so that clones of an `Arc` of it can read side by side.
#[derive(Debug)]
pub struct StoredReader {
    file: File,
    size_bytes: u64,
}

impl StoredReader {
    /// Opens a file that is never a symbolic link.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let wrong = |cause: io::Error| StoreError::new(Operation::Read, cause);
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| wrong(errno.into()))?);
        let size_bytes = file.metadata().map_err(wrong)?.len();
        Ok(Self { file, size_bytes })
    }
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
    /// Reads up to `buffer.len()` bytes, waiting for the disk when it must. 0 is the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    /// Reads what the page cache holds, or `None` when the disk would have to be asked.
    pub fn read_cached(&self, buffer: &mut [u8], offset: u64) -> Option<usize> {
        use rustix::io::{ReadWriteFlags, preadv2};
        let mut buffers = [io::IoSliceMut::new(buffer)];
        // Also `None` for file systems without RWF_NOWAIT: the blocking read then says what is wrong.
        preadv2(&self.file, &mut buffers, offset, ReadWriteFlags::NOWAIT).ok()
    }
    /// Reads the file from its first byte to its last, showing each portion on the way.
    pub fn digest(&self, mut also: impl FnMut(&[u8])) -> Result<Digests, StoreError> {
        let (mut sha256, mut crc32) = (Sha256::new(), crc32fast::Hasher::new());
        let mut buffer = vec![0; 256 * 1024];
        let mut at = 0;
        loop {
            let read = self.read_at(&mut buffer, at).map_err(StoreError::reading)?;
            let portion = buffer.get(..read).unwrap_or_default();
            if portion.is_empty() {
                return Ok(Digests { size_bytes: at, sha256: sha256.finalize().into(), crc32: crc32.finalize() });
            }
            sha256.update(portion);
            crc32.update(portion);
            also(portion);
            at += read as u64;
        }
    }
    /// When the file was last written, in milliseconds since 1970.
    pub fn modified_ms(&self) -> Result<i64, StoreError> {
        Ok(super::layout::modified_ms(&self.file.metadata().map_err(StoreError::reading)?))
    }
    /// Waits until the file's bytes are on the disk: for files that a crash may have left in the cache.
    pub fn sync(&self, disk: &super::Disk) -> Result<(), StoreError> {
        disk.sync_data(&self.file)
    }
}
