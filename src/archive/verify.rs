//! Rows against files, on request: `bluebridge verify`.

use super::recheck::{State, state};
use super::reconcile::index_error;
use super::{Archive, ArchiveError};
use crate::index::Index;
use crate::store::InstanceStore;
use std::collections::BTreeSet;

/// What a verification found. All is well when `missing`, `damaged` and `orphans` are zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    pub instances: u64,
    pub bytes: u64,
    /// Rows whose file is not there.
    pub missing: u64,
    /// Files of another size, or with `full` another digest, than recorded.
    pub damaged: u64,
    /// Files that no row names.
    pub orphans: u64,
    /// Files of what was deleted that are still kept.
    pub deleted: u64,
    pub deleted_bytes: u64,
    /// The first few of the above, by file: names are digests.
    pub examples: Vec<String>,
}

const EXAMPLES: usize = 20;

impl VerifyReport {
    pub fn is_sound(&self) -> bool {
        self.missing == 0 && self.damaged == 0 && self.orphans == 0
    }
    fn example(&mut self, what: &str, path: &str) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{what} {path}"));
        }
    }
}

/// Compares every row with its file and every object with its row; reads every byte when `full`. Changes
/// nothing. A file of a
/// batch that is being committed may be counted as an orphan.
pub async fn verify(store: &InstanceStore, index: &Index, full: bool) -> Result<VerifyReport, ArchiveError> {
    let mut report = VerifyReport::default();
    let waiting = deleted(store, index, &mut report).await?;
    let mut directories: BTreeSet<_> = store.object_directories(i64::MIN)?.into_iter().collect();
    directories.extend(index.directories().await.map_err(index_error)?);
    for directory in directories {
        // Files first: what is committed between the two questions is in the rows, and no orphan.
        let objects = store.objects_in(&directory)?;
        let rows = index.files_in(&directory).await.map_err(index_error)?;
        let named: BTreeSet<_> = rows.iter().map(|(_, file)| file.path.clone()).collect();
        let unknown = |path: &String| !named.contains(path) && !waiting.contains(path);
        for (path, _) in objects.into_iter().filter(|(path, _)| unknown(path)) {
            report.orphans += 1;
            report.example("orphan", &path);
        }
        let store = store.clone();
        // Reading every byte is not for the runtime's own threads.
        let checked = tokio::task::spawn_blocking(move || {
            rows.into_iter().map(|(_, file)| (state(&store, &file, full), file)).collect::<Vec<_>>()
        });
        for (found, file) in checked.await.unwrap_or_default() {
            report.instances += 1;
            report.bytes = report.bytes.saturating_add(file.size_bytes);
            match found {
                Ok(State::Whole) => {}
                // Deleted since it was listed.
                Ok(State::Missing) if !index.names_file(&file.path).await.map_err(index_error)? => {}
                Ok(State::Missing) => {
                    report.missing += 1;
                    report.example("missing", &file.path);
                }
                Ok(State::Damaged) | Err(_) => {
                    report.damaged += 1;
                    report.example("damaged", &file.path);
                }
            }
        }
    }
    Ok(report)
}

/// Compares what was deleted with what is kept of it; the files that are still in their old places.
async fn deleted(
    store: &InstanceStore,
    index: &Index,
    report: &mut VerifyReport,
) -> Result<BTreeSet<String>, ArchiveError> {
    let lying = store.names_deleted()?;
    let (mut known, mut waiting) = (BTreeSet::new(), BTreeSet::new());
    for (file, is_kept) in index.deleted_files().await.map_err(index_error)? {
        report.deleted += 1;
        report.deleted_bytes = report.deleted_bytes.saturating_add(file.size_bytes);
        known.insert(file.name());
        let path = InstanceStore::deleted_path(&file.name());
        if !is_kept {
            waiting.insert(file.path);
        } else if store.size(&path)? != Some(file.size_bytes) {
            report.missing += 1;
            report.example("missing", &path);
        }
    }
    for name in lying.into_iter().filter(|name| !known.contains(name)) {
        let path = InstanceStore::deleted_path(&name);
        // Removed since it was listed.
        if store.size(&path)?.is_some() {
            report.orphans += 1;
            report.example("orphan", &path);
        }
    }
    Ok(waiting)
}

impl Archive {
    /// Compares every row with its file; reads every byte when `full`.
    pub async fn verify(&self, full: bool) -> Result<VerifyReport, ArchiveError> {
        verify(&self.shared.store, &self.shared.index, full).await
    }
}

/// One line for a person.
impl std::fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { instances, bytes, missing, damaged, orphans, deleted, deleted_bytes, .. } = self;
        write!(
            f,
            "{instances} instances ({bytes} bytes) looked at: {missing} missing, {damaged} damaged, {orphans} files without a row; \
             {deleted} deleted files kept ({deleted_bytes} bytes)"
        )
    }
}
