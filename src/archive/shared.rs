//! What intake, committer and retrieval share.

use super::space::FreeSpace;
use super::{ArchiveError, Cause, ReceiveError};
use crate::config::Limits;
use crate::domain::clock::Clock;
use crate::index::{Index, IndexError};
use crate::store::{Folder, InstanceStore, Operation, StoreError};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use tokio::sync::watch;

/// The exclusive claim on a `data_dir`, held as long as this lives. Two daemons on one folder would both
/// remove each other's part files.
#[derive(Debug)]
pub struct DataDirLock {
    file: File,
}

impl Drop for DataDirLock {
    /// Given back, not only closed: a child that is just being started has the file open until it runs its program.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl DataDirLock {
    /// Claims `data_dir`, which is made when it is missing; [`ArchiveError::Locked`] when it is claimed.
    pub fn take(data_dir: &Path) -> Result<Self, ArchiveError> {
        let wrong = |errno: Errno| StoreError::new(Operation::Create, errno.into());
        if !data_dir.exists() {
            std::fs::create_dir_all(data_dir).map_err(|cause| StoreError::new(Operation::MakeDirectory, cause))?;
            // Ours alone from the first moment; one that was there keeps what its owner chose.
            rustix::fs::chmod(data_dir, Mode::RWXU).map_err(wrong)?;
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(data_dir.join("lock"), flags, Mode::RUSR | Mode::WUSR).map_err(wrong)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { file: File::from(file) }),
            Err(Errno::WOULDBLOCK) => Err(ArchiveError::Locked),
            Err(errno) => Err(wrong(errno).into()),
        }
    }
}

pub(super) struct Shared {
    pub(super) store: InstanceStore,
    pub(super) index: Index,
    pub(super) space: FreeSpace,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    quarantine_max: u64,
    pub(super) deleted_keep_ms: i64,
    used_aside: [AtomicU64; 2],
    degraded: AtomicBool,
    /// Ends background work that is not worth waiting for.
    pub(super) stopping: AtomicBool,
    /// Objects of before the last start are still being re-read.
    pub(super) recheck_pending: AtomicBool,
    /// Where the mark in the index stands.
    pub(super) mark_ms: AtomicI64,
    fatal: watch::Sender<bool>,
    _lock: DataDirLock,
}

impl Shared {
    pub(super) fn new(
        settings: super::ArchiveSettings,
        store: InstanceStore,
        index: Index,
        clock: Clock,
        lock: DataDirLock,
    ) -> Result<Self, StoreError> {
        let used = |folder| store.used_bytes(folder).map(AtomicU64::new);
        Ok(Self {
            used_aside: [used(Folder::Quarantine)?, used(Folder::Conflicts)?],
            quarantine_max: settings.storage.quarantine_max.get(),
            deleted_keep_ms: i64::try_from(settings.storage.deleted_keep.get().as_millis()).unwrap_or(i64::MAX),
            space: FreeSpace::new(store.clone(), settings.storage),
            store,
            index,
            clock,
            limits: settings.limits,
            degraded: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            recheck_pending: AtomicBool::new(false),
            mark_ms: AtomicI64::new(0),
            fatal: watch::Sender::new(false),
            _lock: lock,
        })
    }
    pub(super) fn check_intake(&self) -> Result<(), ReceiveError> {
        if self.degraded.load(Ordering::SeqCst) { Err(ReceiveError::Degraded) } else { Ok(()) }
    }
    pub(super) fn fatal(&self) -> watch::Receiver<bool> {
        self.fatal.subscribe()
    }
    /// Stops intake for good and asks for the process to end: what the disk holds is no longer known, and
    /// the next start looks.
    pub(super) fn degrade(&self, cause: &dyn std::error::Error) {
        if !self.degraded.swap(true, Ordering::SeqCst) {
            tracing::error!(error = %Chain(cause), "a sync failed: intake is stopped; the next start re-checks the disk");
        }
        self.fatal.send_replace(true);
    }
    /// What a failed disk operation means for whoever waits for it.
    pub(super) fn disk_failed(&self, error: StoreError) -> ReceiveError {
        if error.is_lost_sync() {
            self.degrade(&error);
        }
        if error.is_no_space() {
            self.space.release_ballast();
        }
        error.into()
    }
    pub(super) fn index_failed(&self, error: IndexError) -> ReceiveError {
        match error {
            IndexError::Full => {
                self.space.release_ballast();
                ReceiveError::NoSpace
            }
            error => {
                if matches!(error, IndexError::Io(_) | IndexError::Corrupt(_)) {
                    self.degrade(&error);
                }
                let cause: Cause = std::sync::Arc::new(error);
                ReceiveError::Index(cause)
            }
        }
    }
    /// Takes `bytes` of the room in a side folder (`storage.quarantine_max`).
    pub(super) fn claim_aside(&self, folder: Folder, bytes: u64) -> Result<(), ReceiveError> {
        let used = self.used(folder);
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.quarantine_max);
        if used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits).is_ok() {
            return Ok(());
        }
        // Someone may have cleared the folder meanwhile.
        used.store(self.store.used_bytes(folder)?, Ordering::SeqCst);
        match used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits) {
            Ok(_) => Ok(()),
            Err(_) => Err(ReceiveError::QuarantineFull),
        }
    }
    pub(super) fn release_aside(&self, folder: Folder, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _ = self.used(folder).fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    }
    fn used(&self, folder: Folder) -> &AtomicU64 {
        let [quarantine, conflicts] = &self.used_aside;
        match folder {
            Folder::Quarantine => quarantine,
            Folder::Conflicts => conflicts,
        }
    }
}

/// An error with its causes on one line, for the log.
pub(super) struct Chain<'a>(pub(super) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
