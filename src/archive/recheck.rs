//! Objects re-read after an unclean stop, newest first, because only the newest can have been lost by a
//! disk that lied about a sync. For a moment before the archive serves, and then beside it.

use super::ArchiveError;
use super::reconcile::{self, ReconcileReport, index_error};
use super::shared::{Chain, Shared};
use crate::domain::instance::StoredFile;
use crate::store::{InstanceStore, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long the start may take for it: a restart must be ready within seconds.
const BEFORE_SERVING: Duration = Duration::from_secs(3);
/// Rest after each object, in times what it took: the disk belongs to arrivals.
const REST: u32 = 4;

/// How an object stands to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Whole,
    Missing,
    Damaged,
}

/// Compares one file with its row: its size, and its digest when `full`.
pub(super) fn state(store: &InstanceStore, file: &StoredFile, full: bool) -> Result<State, StoreError> {
    match store.size(&file.path)? {
        None => return Ok(State::Missing),
        Some(size) if size != file.size_bytes => return Ok(State::Damaged),
        Some(_) if !full => return Ok(State::Whole),
        Some(_) => {}
    }
    let found = store.read(&file.path)?.digest(|_| {})?;
    Ok(if found.sha256 == file.sha256 { State::Whole } else { State::Damaged })
}

/// What is left to re-read: the last directory first.
pub(super) struct Unfinished {
    directories: Vec<String>,
    since_ms: i64,
    started_ms: i64,
}

/// Compares every row of the directories that changed since the mark with its file, and re-reads as many
/// of the new files as there is time for.
pub(super) async fn begin(
    shared: &Shared,
    since_ms: i64,
    started_ms: i64,
    report: &mut ReconcileReport,
) -> Result<Option<Unfinished>, ArchiveError> {
    let deadline = Instant::now() + BEFORE_SERVING;
    let mut directories = shared.store.object_directories(since_ms)?;
    // A directory that the index knows and the disk does not has lost all its files.
    let on_disk: BTreeSet<_> = shared.store.object_directories(i64::MIN)?.into_iter().collect();
    let known = shared.index.directories().await.map_err(index_error)?;
    directories.extend(known.into_iter().filter(|directory| !on_disk.contains(directory)));
    let mut later = Vec::new();
    for directory in directories.into_iter().rev() {
        let mut in_time = true;
        for (_, file) in shared.index.files_in(&directory).await.map_err(index_error)? {
            let full = shared.store.is_written_since(&file.path, since_ms)?;
            in_time = in_time && Instant::now() < deadline;
            match state(&shared.store, &file, full && in_time) {
                Ok(State::Whole) => {}
                Ok(State::Missing) => report.missing += 1,
                Ok(State::Damaged) => report.damaged += 1,
                // One bad sector must not keep every scanner waiting.
                Err(error) => {
                    tracing::error!(file = file.path, error = %Chain(&error), "an object cannot be read");
                    report.damaged += 1;
                }
            }
            report.rechecked += usize::from(full && in_time);
        }
        if !in_time {
            later.push(directory);
        }
    }
    later.reverse();
    report.recheck_goes_on = !later.is_empty();
    Ok((!later.is_empty()).then_some(Unfinished { directories: later, since_ms, started_ms }))
}

impl Unfinished {
    /// Re-reads the rest on a thread of its own; ends early when the archive stops.
    pub(super) fn go_on(self, shared: Arc<Shared>, runtime: Handle) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("recheck".to_owned()).spawn(move || self.run(&shared, &runtime))
    }

    fn run(mut self, shared: &Shared, runtime: &Handle) {
        while let Some(directory) = self.directories.pop() {
            let files = match runtime.block_on(shared.index.files_in(&directory)) {
                Ok(files) => files,
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "re-check interrupted; the next start goes on with it");
                    return;
                }
            };
            for (_, file) in files {
                if shared.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let began = Instant::now();
                self.look_at(shared, runtime, &file);
                std::thread::park_timeout(began.elapsed() * REST);
            }
        }
        runtime.block_on(reconcile::checked(shared, self.started_ms));
        tracing::info!("the re-check after the unclean stop has ended");
    }

    /// Says what is wrong with one file. Its name is a digest: whoever restores it needs no other.
    fn look_at(&self, shared: &Shared, runtime: &Handle, file: &StoredFile) {
        let store = &shared.store;
        let full = store.is_written_since(&file.path, self.since_ms);
        match full.and_then(|full| state(store, file, full)) {
            Ok(State::Whole) => {}
            // Deleted since it was listed.
            Ok(State::Missing) if matches!(runtime.block_on(shared.index.names_file(&file.path)), Ok(false)) => {}
            Ok(State::Missing | State::Damaged) => {
                tracing::error!(file = file.path, "stored instance is missing or damaged");
            }
            Err(error) => {
                tracing::error!(file = file.path, error = %Chain(&error), "stored instance cannot be read");
            }
        }
    }
}
