//! An instance file while it arrives: `incoming/<ulid>.part`, digested in the same pass.

use super::{Disk, StoreError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Slices below this are gathered, so that a peer's small PDVs do not become as many calls.
const GATHERED_BELOW: usize = 64 * 1024;
/// How much is gathered before it is written.
const GATHERED_MAX: usize = 128 * 1024;
/// The disk is told to begin after every so many bytes, so that only a tail is left for the sync.
const WRITEBACK_EVERY: u64 = 256 * 1024;

/// What a finished part file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    pub size_bytes: u64,
    pub sha256: [u8; 32],
    pub crc32: u32,
}

/// A part file. Removed when dropped, unless it was given a final name.
#[derive(Debug)]
pub struct PartFile {
    disk: Disk,
    file: File,
    path: PathBuf,
    placed: bool,
    gathered: Vec<u8>,
    sha256: Sha256,
    crc32: crc32fast::Hasher,
    size_bytes: u64,
    handed_to_disk: u64,
    written: u64,
}

impl PartFile {
    pub(super) fn create(disk: &Disk, path: PathBuf) -> Result<Self, StoreError> {
        let file = disk.create(&path)?;
        Ok(Self {
            disk: disk.clone(),
            file,
            path,
            placed: false,
            gathered: Vec::new(),
            sha256: Sha256::new(),
            crc32: crc32fast::Hasher::new(),
            size_bytes: 0,
            handed_to_disk: 0,
            written: 0,
        })
    }
    /// Bytes taken so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.sha256.update(bytes);
        self.crc32.update(bytes);
        self.size_bytes += bytes.len() as u64;
        if bytes.len() >= GATHERED_BELOW {
            self.flush()?;
            return self.put(bytes);
        }
        if self.gathered.len() + bytes.len() > GATHERED_MAX {
            self.flush()?;
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }
    fn flush(&mut self) -> Result<(), StoreError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        self.put(&gathered)?;
        self.gathered = gathered;
        self.gathered.clear();
        Ok(())
    }
    fn put(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.disk.write_all(&self.file, bytes)?;
        self.written += bytes.len() as u64;
        let waiting = self.written - self.handed_to_disk;
        if waiting >= WRITEBACK_EVERY {
            self.disk.start_writeback(&self.file, self.handed_to_disk, waiting);
            self.handed_to_disk = self.written;
        }
        Ok(())
    }
    /// Ends the file and waits until its bytes are on the disk. Not to be asked again after an error: a
    /// second sync may succeed although the pages are gone.
    pub fn sync(&mut self) -> Result<Digests, StoreError> {
        self.flush()?;
        self.gathered = Vec::new();
        self.disk.sync_data(&self.file)?;
        let sha256 = std::mem::take(&mut self.sha256).finalize().into();
        Ok(Digests { size_bytes: self.size_bytes, sha256, crc32: self.crc32.clone().finalize() })
    }
    /// Gives the file a final name that is free. The caller syncs the directory.
    pub(super) fn place(&mut self, path: PathBuf) -> Result<(), StoreError> {
        self.disk.rename_new(&self.path, &path)?;
        self.path = path;
        self.placed = true;
        Ok(())
    }
    /// Gives the file a final name in place of a file that holds the same bytes.
    pub(super) fn place_over(&mut self, path: PathBuf) -> Result<(), StoreError> {
        self.disk.rename_over(&self.path, &path)?;
        self.path = path;
        self.placed = true;
        Ok(())
    }
    /// Takes the final name back: the file is removed, now and durably enough (a leftover is found by
    /// `reconcile`, because no row names it).
    pub fn withdraw(mut self) {
        self.placed = false;
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.placed {
            // What cannot be removed now is removed at the next start.
            let _ = self.disk.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_chunking_makes_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
        let mut expected = None;
        for chunk in [1_000, 16_384, 65_535, 65_536, 131_072, 131_073, 700_000] {
            let path = folder.path().join(format!("{chunk}.part"));
            let mut part = PartFile::create(&Disk::default(), path.clone()).unwrap();
            for slice in bytes.chunks(chunk) {
                part.write(slice).unwrap();
            }
            let digests = part.sync().unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "{chunk}");
            assert_eq!(digests.size_bytes, 700_000);
            assert_eq!(digests.crc32, crc32fast::hash(&bytes));
            assert_eq!(*expected.get_or_insert(digests), digests, "{chunk}");
            drop(part);
            assert!(!path.exists());
        }
        let whole: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(expected.unwrap().sha256, whole);
    }

    #[test]
    fn a_part_that_was_placed_stays_and_one_that_is_withdrawn_goes() {
        let folder = tempfile::tempdir().unwrap();
        for stays in [true, false] {
            let to = folder.path().join(format!("{stays}.dcm"));
            let mut part = PartFile::create(&Disk::default(), folder.path().join("a.part")).unwrap();
            part.write(b"DICM").unwrap();
            part.sync().unwrap();
            part.place(to.clone()).unwrap();
            if stays {
                drop(part);
            } else {
                part.withdraw();
            }
            assert_eq!(to.exists(), stays);
            assert!(!folder.path().join("a.part").exists());
        }
    }
}
