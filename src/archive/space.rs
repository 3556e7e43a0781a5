//! Free space: two floors, and a file held in reserve so that a full disk can be cleaned up.

use super::ReceiveError;
use crate::config::Storage;
use crate::config::units::Bytes;
use crate::store::{InstanceStore, Space, StoreError};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How old an answer of the file system may be, and how many bytes all intakes together may have written since; fewer
/// where the floor is nearer than that.
const ASKED_EVERY: Duration = Duration::from_secs(1);
const ASKED_EVERY_BYTES: u64 = 4 << 20;
/// An instance needs one inode, its index none; below this many nothing begins.
const INODES_MIN: u64 = 1024;
const BALLAST: &str = "ballast";

/// The floors of `[storage]` over one file system.
#[derive(Debug)]
pub(super) struct FreeSpace {
    store: InstanceStore,
    storage: Storage,
    asked: Mutex<Option<Asked>>,
}

/// An answer of the file system.
#[derive(Debug)]
struct Asked {
    at: Instant,
    space: Space,
    /// Bytes that instances may take before it is asked again, all intakes together.
    room: u64,
}

impl FreeSpace {
    pub(super) fn new(store: InstanceStore, storage: Storage) -> Self {
        Self { store, storage, asked: Mutex::new(None) }
    }
    pub(super) fn now(&self) -> Result<Space, StoreError> {
        Ok(self.with_room(&mut self.asked(), 1)?.space)
    }
    fn asked(&self) -> MutexGuard<'_, Option<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The last answer, when it is new enough and good for `bytes` more, or else another one, which may be good for fewer.
    fn with_room<'a>(&self, asked: &'a mut Option<Asked>, bytes: u64) -> Result<&'a mut Asked, StoreError> {
        let asked_before = asked.take().filter(|last| last.at.elapsed() < ASKED_EVERY && last.room >= bytes);
        let last = match asked_before {
            Some(last) => last,
            None => {
                let space = self.store.disk().space(self.store.data_dir())?;
                let spare = space.free_bytes.saturating_sub(self.hard_floor(&space));
                Asked { at: Instant::now(), space, room: spare.min(ASKED_EVERY_BYTES) }
            }
        };
        Ok(asked.insert(last))
    }
    /// Room for new associations: above `soft_stop`.
    pub(super) fn soft(&self) -> Result<(), ReceiveError> {
        let space = self.now()?;
        above(&space, self.soft_floor(&space))
    }
    /// Room for one more instance: above `hard_stop`.
    pub(super) fn hard(&self) -> Result<(), ReceiveError> {
        let space = self.now()?;
        above(&space, self.hard_floor(&space))
    }
    /// Room for so many more bytes of an instance, which the caller writes now: `hard_stop` holds while an instance
    /// arrives too, but for the portion that each intake is just handing to the disk.
    pub(super) fn take(&self, bytes: usize) -> Result<(), ReceiveError> {
        let bytes = bytes as u64;
        let mut asked = self.asked();
        let last = self.with_room(&mut asked, bytes)?;
        if last.room < bytes {
            // Asked just now: it is not enough, or more than an answer is good for.
            above(&last.space, self.hard_floor(&last.space).saturating_add(bytes))?;
        }
        last.room = last.room.saturating_sub(bytes);
        Ok(())
    }
    fn hard_floor(&self, space: &Space) -> u64 {
        self.storage.hard_stop.resolve(space.total_bytes, 3, Bytes::gib(4))
    }
    fn soft_floor(&self, space: &Space) -> u64 {
        self.storage.soft_stop.resolve(space.total_bytes, 10, Bytes::gib(20))
    }
    fn ballast_path(&self) -> PathBuf {
        self.store.data_dir().join(BALLAST)
    }
    /// Gives the reserve back to the file system: SQLite cannot even delete rows on a full one.
    pub(super) fn release_ballast(&self) {
        let path = self.ballast_path();
        if path.exists() && self.store.disk().remove(&path).is_ok() {
            tracing::warn!("disk is full: the ballast file was removed, so that space can be freed");
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
    /// Sets the reserve aside again, when there is ample space for it. Called at the start.
    pub(super) fn keep_ballast(&self) -> Result<(), StoreError> {
        let space = self.now()?;
        let wanted = self.storage.ballast.resolve(space.total_bytes, 1, Bytes::mib(256));
        let path = self.ballast_path();
        let found = std::fs::metadata(&path).map(|found| found.len()).ok();
        let ample = space.free_bytes > self.soft_floor(&space).saturating_add(wanted);
        if found == Some(wanted) || (found.is_none() && (wanted == 0 || !ample)) {
            return Ok(());
        }
        self.store.disk().remove(&path)?;
        if wanted > 0 && ample {
            self.store.disk().reserve(&path, wanted)?;
        }
        Ok(())
    }
}

fn above(space: &Space, floor: u64) -> Result<(), ReceiveError> {
    let inodes = space.free_inodes.is_none_or(|free| free >= INODES_MIN);
    if inodes && space.free_bytes >= floor { Ok(()) } else { Err(ReceiveError::NoSpace) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units::Floor;
    use crate::store::{Disk, Faults};

    fn space(soft: u64, hard: u64, ballast: u64) -> (tempfile::TempDir, FreeSpace) {
        space_on(Disk::default(), soft, hard, ballast)
    }

    fn space_on(disk: Disk, soft: u64, hard: u64, ballast: u64) -> (tempfile::TempDir, FreeSpace) {
        let folder = tempfile::tempdir().unwrap();
        let store = InstanceStore::open(folder.path(), disk).unwrap();
        let floor = |bytes| Floor::Bytes(Bytes::new(bytes));
        let storage =
            Storage { soft_stop: floor(soft), hard_stop: floor(hard), ballast: floor(ballast), ..Storage::default() };
        (folder, FreeSpace::new(store, storage))
    }

    #[test]
    fn one_byte_below_a_floor_is_too_little() {
        let at = |free_bytes, free_inodes| Space { free_bytes, total_bytes: 1000, free_inodes };
        assert!(above(&at(100, None), 100).is_ok());
        assert!(above(&at(99, None), 100).is_err());
        assert!(above(&at(100, Some(INODES_MIN)), 100).is_ok());
        assert!(above(&at(100, Some(INODES_MIN - 1)), 100).is_err());
    }

    #[test]
    fn the_soft_floor_stops_associations_while_instances_may_go_on() {
        let (_folder, space) = space(u64::MAX, 0, 0);
        assert!(matches!(space.soft(), Err(ReceiveError::NoSpace)));
        assert!(space.hard().is_ok());
    }

    #[test]
    fn the_hard_floor_holds_within_a_second_and_the_disk_is_asked_now_and_then() {
        const PORTION: usize = 16 << 10;
        let faults = Faults::default();
        let free = 64 << 20;
        let (_folder, space) = space_on(Disk::with_faults(faults.clone()), 0, free - (10 << 20), 0);
        faults.set_free(free);
        space.hard().unwrap();
        let (mut left, before) = (free, faults.operations());
        while space.take(PORTION).is_ok() {
            left -= PORTION as u64;
            faults.set_free(left);
        }
        assert_eq!(left, free - (10 << 20), "to the byte, when nobody else writes");
        assert!(faults.operations() - before <= 5, "{}", faults.operations() - before);
        assert!(space.take(1).is_err());
        faults.set_free(free);
        assert!(space.hard().is_ok() && space.take(PORTION).is_ok(), "room that was made is seen");
    }

    #[test]
    fn ballast_is_real_space_and_is_given_back() {
        let (folder, space) = space(0, 0, 1 << 20);
        space.keep_ballast().unwrap();
        space.keep_ballast().unwrap();
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(folder.path().join(BALLAST)).unwrap();
        assert_eq!((found.len(), found.blocks() * 512 >= 1 << 20), (1 << 20, true));
        space.release_ballast();
        assert!(!folder.path().join(BALLAST).exists());
    }
}
