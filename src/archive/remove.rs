//! Deletion. The rows go first, in one transaction that also says where the files were; only then do the
//! files leave their places, for `deleted/`, where they are kept for `storage.deleted_keep` and then removed a
//! few at a time. A crash in between is healed by the next start, before it looks for files without a row.
//!
//! What is deleted and sent again is new: its sender wants it here. Bytes that came again before their file was
//! moved own the place, and the file stays.

use super::reconcile::index_error;
use super::shared::{Chain, Shared};
use super::{Archive, ArchiveError, RemoveError};
use crate::audit::Actor;
use crate::domain::instance::Selector;
use crate::index::deleted::Fate;
use crate::index::{IndexError, delete::Deleted};
use crate::store::Folder;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Files moved in one turn to write: arrivals wait meanwhile.
const MOVED_AT_ONCE: u32 = 64;
/// Files removed before the disk is left to others for a while.
const REMOVED_AT_ONCE: u32 = 64;
/// Between two portions the remover rests this many times as long as one took.
const REST: u32 = 4;
/// How often it looks for what is due.
const LOOKS_EVERY: Duration = Duration::from_secs(60);
/// How long the change feed tells of a deletion: 90 days.
const TOLD_FOR_MS: i64 = 90 * 86_400_000;

impl Archive {
    /// Deletes a study, series or instance; `None` when there is none. When this returns, it is durable that
    /// nobody is served it any more; the files follow.
    pub async fn remove(
        &self,
        selector: &Selector,
        by: &Actor,
        address: Option<IpAddr>,
    ) -> Result<Option<Deleted>, RemoveError> {
        if self.shared.check_intake().is_err() {
            return Err(RemoveError::Degraded);
        }
        let outcome = self.shared.index.delete(selector, by, address).await;
        if let Err(error @ (IndexError::Io(_) | IndexError::Corrupt(_))) = &outcome {
            self.shared.degrade(error);
        }
        self.remover.unpark();
        Ok(outcome?)
    }
}

/// Moves every file of a deletion that is still in its old place.
pub(super) async fn move_all(shared: &Shared) -> Result<usize, ArchiveError> {
    let mut moved = 0;
    loop {
        match move_some(shared).await? {
            0 => return Ok(moved),
            more => moved += more,
        }
    }
}

/// Moves some files, while nobody can give their names to new arrivals.
async fn move_some(shared: &Shared) -> Result<usize, ArchiveError> {
    let Some(moving) = shared.index.begin_moving(MOVED_AT_ONCE).await.map_err(index_error)? else { return Ok(0) };
    let count = moving.files.len();
    let files = moving.files.iter().filter(|file| !file.taken);
    for file in files.clone() {
        if shared.store.keep_deleted(&file.path, &file.name())? && file.path.starts_with("conflicts/") {
            shared.release_aside(Folder::Conflicts, file.size_bytes);
        }
    }
    shared.store.sync_deleted(files.map(|file| file.path.as_str()))?;
    moving.done().await.map_err(index_error)?;
    Ok(count)
}

/// The thread that moves what was deleted and removes what is due; ends when the archive stops.
pub(super) fn start(shared: Arc<Shared>, runtime: Handle) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("remover".to_owned()).spawn(move || {
        while !shared.stopping.load(Ordering::SeqCst) {
            let began = Instant::now();
            let rest = match runtime.block_on(work(&shared)) {
                Ok(true) => began.elapsed() * REST,
                Ok(false) => LOOKS_EVERY,
                Err(error) => {
                    if let ArchiveError::Store(error) = &error
                        && error.is_lost_sync()
                    {
                        shared.degrade(error);
                    }
                    tracing::error!(error = %Chain(&error), "files of what was deleted could not be put away; they wait");
                    LOOKS_EVERY
                }
            };
            if !shared.stopping.load(Ordering::SeqCst) {
                std::thread::park_timeout(rest);
            }
        }
    })
}

/// One portion; whether there may be more.
async fn work(shared: &Shared) -> Result<bool, ArchiveError> {
    if shared.check_intake().is_err() {
        return Ok(false);
    }
    let moved = move_some(shared).await?;
    let now_ms = shared.clock.now_ms();
    let due = shared.index.due_for_removal(now_ms.saturating_sub(shared.deleted_keep_ms), REMOVED_AT_ONCE).await;
    let due = due.map_err(index_error)?;
    for file in &due {
        shared.store.remove_deleted(&file.name())?;
    }
    if !due.is_empty() {
        let settled: Vec<_> = due.into_iter().map(|file| (file, Fate::Removed)).collect();
        shared.index.settle_deleted(&settled).await.map_err(index_error)?;
        return Ok(true);
    }
    shared.index.forget_deletions(now_ms.saturating_sub(TOLD_FOR_MS)).await.map_err(index_error)?;
    Ok(moved > 0)
}
