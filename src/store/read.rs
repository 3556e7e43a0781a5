//! Reading stored instances at a position. Only this file opens them.

use super::{Operation, StoreError};
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
}
