//! Every disk operation of ours goes through here, so that a test can let the nth one fail: full disk,
//! broken disk. Two behaviours: the system's, and the system's with faults in between.

use super::{Operation, StoreError};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What a test wants to go wrong. Counts every operation, so that a test can walk through all of them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    operations: usize,
    /// What is left of the disk that a test gave, in bytes.
    free: Option<u64>,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy)]
struct Rule {
    only: Option<Operation>,
    /// Operations of this kind that still succeed.
    after: usize,
    errno: Errno,
    /// Fails once, or until [`Faults::heal`].
    lasting: bool,
}

impl Faults {
    /// The operation number `nth` from now on (from 0), of any kind or of `only` that kind, fails once.
    pub fn fail(&self, nth: usize, only: Option<Operation>, errno: Errno) {
        self.lock().rules.push(Rule { only, after: nth, errno, lasting: false });
    }
    /// Like [`Faults::fail`], and so does every later one until [`Faults::heal`].
    pub fn fail_from(&self, nth: usize, only: Option<Operation>, errno: Errno) {
        self.lock().rules.push(Rule { only, after: nth, errno, lasting: true });
    }
    pub fn heal(&self) {
        self.lock().rules.clear();
    }
    /// From now on so many bytes are free, and each that is written takes one.
    pub fn set_free(&self, bytes: u64) {
        self.lock().free = Some(bytes);
    }
    pub fn free(&self) -> Option<u64> {
        self.lock().free
    }
    fn written(&self, bytes: usize) {
        if let Some(free) = &mut self.lock().free {
            *free = free.saturating_sub(bytes as u64);
        }
    }
    /// Operations asked for so far.
    pub fn operations(&self) -> usize {
        self.lock().operations
    }
    fn check(&self, operation: Operation) -> io::Result<()> {
        let mut plan = self.lock();
        plan.operations += 1;
        let mut errno = None;
        plan.rules.retain_mut(|rule| {
            if errno.is_some() || rule.only.is_some_and(|only| only != operation) {
                return true;
            }
            if rule.after > 0 {
                rule.after -= 1;
                return true;
            }
            errno = Some(rule.errno);
            rule.lasting
        });
        errno.map_or(Ok(()), |errno| Err(errno.into()))
    }
    fn lock(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Free and total space of a file system, for a process without privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// `None` on file systems that do not count them.
    pub free_inodes: Option<u64>,
}

/// The disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    faults: Option<Faults>,
}

impl Disk {
    pub fn with_faults(faults: Faults) -> Self {
        Self { faults: Some(faults) }
    }
    fn run<T>(&self, operation: Operation, action: impl FnOnce() -> io::Result<T>) -> Result<T, StoreError> {
        let checked = self.faults.as_ref().map_or(Ok(()), |faults| faults.check(operation));
        checked.and_then(|()| action()).map_err(|cause| StoreError::new(operation, cause))
    }
    /// A new file of mode 0600 that did not exist before.
    pub fn create(&self, path: &Path) -> Result<File, StoreError> {
        self.run(Operation::Create, || {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            Ok(File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?))
        })
    }
    pub fn write_all(&self, mut file: &File, bytes: &[u8]) -> Result<(), StoreError> {
        self.run(Operation::Write, || file.write_all(bytes))?;
        if let Some(faults) = &self.faults {
            faults.written(bytes.len());
        }
        Ok(())
    }
    /// Lets the disk begin with a range while more arrives, so that little is left for the sync. A hint:
    /// its outcome is not looked at, the sync that follows tells.
    pub fn start_writeback(&self, file: &File, offset: u64, length: u64) {
        #[cfg(target_os = "linux")]
        {
            let _ = super::writeback::start(file, offset, length);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (file, offset, length);
    }
    pub fn sync_data(&self, file: &File) -> Result<(), StoreError> {
        self.run(Operation::Sync, || file.sync_data())
    }
    pub fn sync_directory(&self, path: &Path) -> Result<(), StoreError> {
        // A directory that cannot be opened (too many open files, say) is no lost sync.
        let directory = self.run(Operation::Read, || File::open(path))?;
        self.run(Operation::SyncDirectory, || directory.sync_all())
    }
    /// Gives a file its final name; fails with `AlreadyExists` instead of replacing another.
    pub fn rename_new(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.run(Operation::Rename, || {
            match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
                // Some network file systems know no NOREPLACE: a hard link refuses just the same.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                    rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
                    Ok(rustix::fs::unlink(from)?)
                }
                outcome => Ok(outcome?),
            }
        })
    }
    /// Gives a file its final name in place of one that has it.
    pub fn rename_over(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.run(Operation::Rename, || std::fs::rename(from, to))
    }
    /// Removes a file; one that is not there is as good as removed.
    pub fn remove(&self, path: &Path) -> Result<(), StoreError> {
        self.run(Operation::Remove, || match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        })
    }
    /// A directory of mode 0700, durable in its parent. Also one that is there is synced: a crash may
    /// have come between its making and its sync.
    pub fn make_directory(&self, path: &Path) -> Result<(), StoreError> {
        self.run(Operation::MakeDirectory, || match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        })?;
        path.parent().map_or(Ok(()), |parent| self.sync_directory(parent))
    }
    /// A new file that really takes `length` bytes of the file system.
    pub fn reserve(&self, path: &Path, length: u64) -> Result<(), StoreError> {
        let file = self.create(path)?;
        let outcome = self.run(Operation::Write, || {
            Ok(rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, length)?)
        });
        if outcome.is_err() {
            // A reserve that is not all there is none.
            let _ = self.remove(path);
        }
        outcome
    }
    pub fn space(&self, path: &Path) -> Result<Space, StoreError> {
        self.run(Operation::FreeSpace, || {
            let found = rustix::fs::statvfs(path)?;
            let given = self.faults.as_ref().and_then(Faults::free);
            Ok(Space {
                free_bytes: given.unwrap_or(found.f_bavail.saturating_mul(found.f_frsize)),
                total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
                free_inodes: (found.f_files > 0).then_some(found.f_favail),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_and_directories_are_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::default();
        disk.make_directory(&folder.path().join("d")).unwrap();
        disk.make_directory(&folder.path().join("d")).unwrap();
        disk.create(&folder.path().join("d/f")).unwrap();
        for (name, mode) in [("d", 0o700), ("d/f", 0o600)] {
            let found = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{name}");
        }
    }

    #[test]
    fn a_name_is_never_taken_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let disk = Disk::default();
        disk.create(&a).unwrap();
        assert_eq!(disk.create(&a).unwrap_err().cause.kind(), io::ErrorKind::AlreadyExists);
        disk.create(&b).unwrap();
        assert_eq!(disk.rename_new(&a, &b).unwrap_err().cause.kind(), io::ErrorKind::AlreadyExists);
        assert!(a.exists() && b.exists());
    }

    #[test]
    fn the_nth_operation_fails_as_planned() {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let disk = Disk::with_faults(faults.clone());
        faults.fail(1, Some(Operation::Write), Errno::NOSPC);
        let file = disk.create(&folder.path().join("f")).unwrap();
        disk.write_all(&file, b"one").unwrap();
        assert!(disk.write_all(&file, b"two").unwrap_err().is_no_space());
        disk.write_all(&file, b"three").unwrap();
        faults.fail_from(0, Some(Operation::Sync), Errno::IO);
        assert!(disk.sync_data(&file).unwrap_err().is_lost_sync());
        assert!(disk.sync_data(&file).unwrap_err().is_lost_sync());
        faults.heal();
        disk.sync_data(&file).unwrap();
        assert_eq!(faults.operations(), 7);
    }
}
