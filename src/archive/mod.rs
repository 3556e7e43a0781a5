//! The only way in to, and out of, what is stored: receive, search, retrieve, reconcile.
//!
//! What is acknowledged is durable: file, directory entry and row. The room refuses to know protocols;
//! doors translate.

mod batch;
mod commit;
mod conflict;
mod error;
mod frame;
pub mod quarantine;
mod receive;
mod recheck;
mod reconcile;
mod remove;
mod restore;
mod retrieve;
mod search;
mod shared;
mod space;
mod spool;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

pub use crate::domain::arrival::{Severity, Source};
pub use crate::index::IndexError as SearchError;
pub use crate::index::changes::{Change, Changes};
pub use crate::index::delete::{AffectedLink, Deleted};
pub use crate::index::deleted::DeletionRow;
pub use crate::index::{Extent, InstanceDetail, InstanceFrames, InstanceRow, InstanceUids, SeriesRow, StudyRow};
pub use crate::store::part10::header as file_header;
pub use error::{ArchiveError, Cause, ReceiveError, RemoveError, RetrieveError};
pub use receive::{Committing, Intake, Offer, Received, SyntaxSource};
pub use reconcile::ReconcileReport;
pub use restore::Restored;
pub use retrieve::InstanceFile;
pub use shared::DataDirLock;
pub use spool::Spool;
pub use verify::{VerifyReport, verify};

use crate::config::{Limits, Storage};
use crate::domain::clock::Clock;
use crate::domain::reading::ReadLimits;
use crate::index::Index;
use crate::store::{Disk, InstanceStore, Operation, Space, StoreError};
use commit::Committer;
use shared::Shared;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::Thread;
use tokio::sync::watch;

/// How the archive is opened.
#[derive(Debug, Default)]
pub struct ArchiveSettings {
    pub data_dir: PathBuf,
    pub storage: Storage,
    pub limits: Limits,
    /// The system's, unless a test wants it to fail.
    pub disk: Disk,
    /// Taken when the archive opens, unless the caller claimed `data_dir` before it opened the index.
    pub lock: Option<DataDirLock>,
}

/// The archive. Clones share it.
#[derive(Clone)]
pub struct Archive {
    shared: Arc<Shared>,
    committer: Arc<Committer>,
    /// Of the thread that puts away what was deleted.
    remover: Thread,
}

impl Archive {
    /// Claims `data_dir`, looks at what the last stop left behind, and starts the committer. Call it
    /// within the runtime that the index was opened in.
    pub async fn start(
        mut settings: ArchiveSettings,
        index: Index,
        clock: Clock,
    ) -> Result<(Self, ReconcileReport), ArchiveError> {
        let lock = match settings.lock.take() {
            Some(lock) => lock,
            None => DataDirLock::take(&settings.data_dir)?,
        };
        let store = InstanceStore::open(&settings.data_dir, settings.disk.clone())?;
        let shared = Arc::new(Shared::new(settings, store, index, clock, lock)?);
        if let Err(error) = shared.space.keep_ballast() {
            tracing::warn!(error = %shared::Chain(&error), "the ballast file could not be set aside");
        }
        let (report, unfinished) = reconcile::at_start(&shared).await?;
        let runtime = tokio::runtime::Handle::current();
        let threads = |cause| StoreError::new(Operation::Create, cause);
        let committer = Committer::start(shared.clone(), runtime.clone()).map_err(threads)?;
        let removing = remove::start(shared.clone(), runtime.clone()).map_err(threads)?;
        let remover = removing.thread().clone();
        committer.also_wait_for(removing);
        if let Some(unfinished) = unfinished {
            committer.also_wait_for(unfinished.go_on(shared.clone(), runtime).map_err(threads)?);
        }
        Ok((Self { shared, committer: Arc::new(committer), remover }, report))
    }
    /// Whether new work may begin; asked before an association is accepted.
    pub fn admit(&self) -> Result<(), ReceiveError> {
        self.shared.check_intake()?;
        self.shared.space.soft()
    }
    /// Opens a part file for what is offered. Blocking: call it from the association's own thread.
    pub fn begin(&self, offer: Offer) -> Result<Intake, ReceiveError> {
        Intake::begin(self.shared.clone(), self.committer.clone(), offer)
    }
    /// Whether intake works: no sync failed. Free space is another question ([`Archive::admit`]).
    pub fn is_ready(&self) -> bool {
        self.shared.check_intake().is_ok()
    }
    /// Turns true when the process should end with exit code 1, so that the next start re-checks the disk.
    pub fn fatal(&self) -> watch::Receiver<bool> {
        self.shared.fatal()
    }
    pub fn space(&self) -> Result<Space, StoreError> {
        self.shared.space.now()
    }
    /// Commits what was handed over, ends the threads and leaves the clean-stop mark. Intakes that are
    /// still running are refused when they finish.
    pub async fn stop(&self) {
        let committer = self.committer.clone();
        // Waiting for threads, not for tasks: they may need this runtime to answer.
        let _ = tokio::task::spawn_blocking(move || committer.stop()).await;
        reconcile::leave_mark(&self.shared).await;
    }
}

impl Archive {
    /// The bounds within which stored data sets are read again.
    pub fn read_limits(&self) -> ReadLimits {
        read_limits(&self.shared.limits)
    }
}

fn read_limits(limits: &Limits) -> ReadLimits {
    ReadLimits {
        sequence_depth: limits.sequence_depth,
        elements: limits.elements,
        inflated_size: limits.inflated_size.get(),
        inflated_ratio: limits.inflated_ratio,
    }
}
